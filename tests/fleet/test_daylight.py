"""Civil twilight in Brussels against the almanac, and the warning that a requester reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.agreement.sla import parse
from droneteam.fleet.daylight import dark_from, daylight, is_daylight
from droneteam.fleet.explanations import explain
from droneteam.fleet.problem import Place
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.terms import BRUSSELS, Window
from tests.fleet.conftest import ACCIDENT, NOW, Actors

HERE = Place(50.8467, 4.3525)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS).astimezone(UTC)


@pytest.mark.parametrize(
    ("dawn", "dusk"),
    [
        ("2026-06-21 04:44", "2026-06-21 22:46"),
        ("2026-12-21 08:05", "2026-12-21 17:16"),
        ("2026-03-29 06:56", "2026-03-29 20:43"),  # the day on which summer time begins
        ("2028-02-29 06:53", "2028-02-29 18:58"),
    ],
)
def test_civil_twilight_is_the_almanacs_within_ten_minutes(dawn: str, dusk: str) -> None:
    near = timedelta(minutes=10)
    assert not is_daylight(local(dawn) - near, HERE)
    assert is_daylight(local(dawn) + near, HERE)
    assert is_daylight(local(dusk) - near, HERE)
    assert not is_daylight(local(dusk) + near, HERE)


def test_a_window_into_the_evening_names_when_night_begins() -> None:
    found = dark_from(Window(local("2026-12-21 15:00"), local("2026-12-21 20:00")), HERE)
    assert found is not None
    assert abs(found - local("2026-12-21 17:16")) < timedelta(minutes=12)
    assert dark_from(Window(local("2026-06-21 12:00"), local("2026-06-21 20:00")), HERE) is None


@pytest.mark.parametrize("day", ["2026-03-29", "2026-06-21", "2026-10-25", "2026-12-21"])
@pytest.mark.parametrize("lat_deg", [50.8, -33.9, 64.0])
def test_the_stretches_of_daylight_are_those_that_minutes_alone_would_find(
    day: str, lat_deg: float
) -> None:
    place = Place(lat_deg, 4.3525)
    start_at = local(f"{day} 00:00")
    found = daylight(start_at, start_at + timedelta(days=2), place)
    for minute in range(0, 2 * 24 * 60, 7):
        at = start_at + timedelta(minutes=minute)
        lit = any(window.start_at <= at < window.end_at for window in found)
        near = any(
            abs(at - edge) <= timedelta(seconds=2)
            for window in found
            for edge in (window.start_at, window.end_at)
        )
        assert near or lit == is_daylight(at, place), at


def test_midnight_sun_is_one_stretch_and_polar_night_none() -> None:
    north_cape = Place(71.17, 25.78)
    summer, winter = local("2026-06-20 00:00"), local("2026-12-20 00:00")
    (all_day,) = daylight(summer, summer + timedelta(days=3), north_cape)
    assert all_day.start_at <= summer
    assert all_day.end_at >= summer + timedelta(days=3)
    pole = Place(89.0, 0.0)
    assert daylight(winter, winter + timedelta(days=3), pole) == ()


def test_who_asks_for_a_photogrammetry_at_night_is_told_and_may_still_ask(
    session: Session, actors: Actors
) -> None:
    night = replace(ACCIDENT, start_at=local("2026-05-05 22:30"), end_at=local("2026-05-06 02:00"))
    answer = service.instant_answer(session, actors["north"], night, NOW)
    (dark,) = [reason for reason in answer.reasons if reason.code == "light.dark"]
    # The agreement lets photogrammetry fly in daylight only: the honest answer is the morning.
    assert answer.verdict == "no"
    assert answer.from_at is not None
    assert local("2026-05-06 05:30") <= answer.from_at <= local("2026-05-06 06:15")
    assert "slot.dark" not in {reason.code for reason in answer.reasons}  # the dark is said once
    assert service.submit_request(session, actors["north"], night, NOW).state == "submitted"
    for language in ("fr", "nl", "en"):
        assert "05/05 22:30" in explain.sentence(dark, language)
    event = replace(night, kind=service.RequestKind.EVENT)
    codes = {r.code for r in service.instant_answer(session, actors["north"], event, NOW).reasons}
    assert "light.dark" not in codes


def test_an_agreement_names_only_kinds_that_exist() -> None:
    hours = {**SLA_V1["service_hours"], "daylight_kinds": ["moonlight"]}
    with pytest.raises(InputError, match="moonlight"):
        parse({**SLA_V1, "service_hours": hours})
    without = {key: v for key, v in SLA_V1["service_hours"].items() if key != "daylight_kinds"}
    assert parse({**SLA_V1, "service_hours": without}).hours.daylight_kinds == frozenset()
