"""Instant answers whose truth was worked out by hand: clocks, nights, storms, defects, shares.

Five kilometres of road to the Grand-Place from either base; 10 minutes of preparation in core
hours (07 to 23), 40 on call; the seed's drones 01 to 04, 07 and 08 see warmth, 05 and 06 measure,
09 and 10 are quiet and not for sensitive assignments; seven pilots.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from droneteam import accounts, db, schema
from droneteam.accounts import SYSTEM, Actor
from droneteam.fleet import models, service
from droneteam.fleet.explanations.explain import gathered
from droneteam.fleet.service import RequestDraft, RequestKind
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import Period
from tests.fleet.conftest import DEMONSTRATION

BRUSSELS = ZoneInfo("Europe/Brussels")


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS, fold=fold).astimezone(UTC)


@dataclass(slots=True)
class Desk:
    """A fleet whose papers are in order on one day, and a zone that asks."""

    session: Session
    zone: Actor
    now: datetime

    def ask(self, start_at: str, end_at: str, **changed: Any) -> service.Answer:
        values = {name: getattr(DEMONSTRATION, name) for name in DEMONSTRATION.__slots__}
        window = {"start_at": local(start_at), "end_at": local(end_at)}
        draft = RequestDraft(**{**values, "kind": RequestKind.EVENT, **window, **changed})
        return service.instant_answer(self.session, self.zone, draft, self.now)

    def storm(self, start_at: str, end_at: str, gust_mps: float, rain_mm_h: float = 0.0) -> None:
        window = Window(local(start_at), local(end_at))
        period = Period("KMI", self.now, window, gust_mps, rain_mm_h)
        service.add_forecasts(self.session, SYSTEM, [period], self.now)


DeskOn = Callable[[str], Desk]


def seeded_on(day: str, path: Path) -> None:
    """A fleet whose papers are in order on that day, with one zone that asks."""
    engine = db.make_engine(f"sqlite:///{path}")
    schema.create_all(engine)
    with db.session_scope(engine) as session:
        service.seed_reference(session, local(f"{day}T10:00"))
        row = accounts.User(
            organisation_id=accounts.organisation_by_code(session, "5344").id,
            login="north",
            display_name="north 1",
            language="en",
            roles=[accounts.Role(name="requester")],
        )
        session.add(row)
    engine.dispose()


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """One database for each day that is asked about; tests take copies."""
    folder = tmp_path_factory.mktemp("days")

    def of(day: str) -> Path:
        path = folder / f"{day}.db"
        if not path.exists():
            seeded_on(day, path)
        return path

    return of


@pytest.fixture
def on(days: Callable[[str], Path], tmp_path: Path) -> Iterator[DeskOn]:
    """Makes the desk of a moment, once."""
    path = tmp_path / "fleet.db"
    engine = db.make_engine(f"sqlite:///{path}")
    with ExitStack() as opened:

        def at(now: str) -> Desk:
            shutil.copy(days(now[:10]), path)
            session = opened.enter_context(db.session_scope(engine))
            return Desk(session, accounts.actor_for_login(session, "north"), local(now))

        yield at
    engine.dispose()


def codes(answer: service.Answer) -> list[str]:
    return [reason.code for reason in gathered(answer.reasons)]


@pytest.mark.parametrize(
    ("now", "prep_min"),
    [
        ("2026-05-04T10:00", 10),  # a Monday morning
        ("2026-05-04T02:00", 40),  # the night before it
        ("2026-07-21T12:00", 40),  # the national holiday, at noon
        ("2026-05-04T22:59", 10),  # the last minute of the service
        ("2026-05-04T23:00", 40),
    ],
)
def test_an_emergency_is_reached_after_preparation_and_the_way(
    on: DeskOn, now: str, prep_min: int
) -> None:
    desk = on(now)
    end_at = (desk.now + timedelta(hours=3)).astimezone(BRUSSELS).isoformat()[:16]
    answer = desk.ask(now, end_at, kind=RequestKind.SEARCH, priority="P0")
    assert answer.verdict == "yes"
    assert answer.from_at == desk.now + timedelta(minutes=prep_min + 8)  # 8 min with blue lights


def test_the_night_in_which_the_clocks_go_forward_has_no_half_past_two(on: DeskOn) -> None:
    """01:30 to 03:30 on the wall is one hour, and it is wholly served."""
    desk = on("2026-03-20T10:00")
    answer = desk.ask("2026-03-29T01:30", "2026-03-29T03:30")
    assert (answer.verdict, answer.from_at) == ("yes", datetime(2026, 3, 29, 0, 30, tzinfo=UTC))


def test_the_night_in_which_they_go_back_has_two_o_clock_twice(on: DeskOn) -> None:
    """02:00 to 03:00 on the wall is two hours; a storm until the second 02:10 ends before 02:30."""
    desk = on("2026-10-20T10:00")
    answer = desk.ask("2026-10-25T02:00", "2026-10-25T03:00")
    assert (answer.verdict, answer.from_at) == ("yes", datetime(2026, 10, 25, 0, 0, tzinfo=UTC))
    until = local("2026-10-25T02:10", fold=1)
    window = Window(local("2026-10-24T20:00"), until)
    period = Period("KMI", desk.now, window, 15.0, 0.0)
    service.add_forecasts(desk.session, SYSTEM, [period], desk.now)
    later = desk.ask("2026-10-25T00:00", "2026-10-25T01:00")
    assert (later.verdict, later.from_at) == ("no", datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_a_window_across_midnight_is_one_window(on: DeskOn) -> None:
    answer = on("2026-05-04T10:00").ask("2026-05-16T22:30", "2026-05-17T00:30")
    assert (answer.verdict, answer.from_at) == ("yes", local("2026-05-16T22:30"))


def test_measuring_at_night_is_refused_for_the_dark_first_and_then_free_at_dawn(
    on: DeskOn,
) -> None:
    """Civil twilight of Brussels on 5 May begins at 05:33; the search goes on half hours."""
    desk = on("2026-05-04T10:00")
    kind = RequestKind.PHOTOGRAMMETRY
    answer = desk.ask("2026-05-04T23:00", "2026-05-05T01:00", kind=kind, priority="P2")
    assert (answer.verdict, answer.from_at) == ("no", local("2026-05-05T06:00"))
    assert codes(answer) == ["light.dark", "if.later"]


def test_a_window_that_reaches_into_the_dark_is_a_yes_that_says_from_when(on: DeskOn) -> None:
    desk = on("2026-05-04T10:00")
    kind = RequestKind.PHOTOGRAMMETRY
    answer = desk.ask("2026-05-04T15:00", "2026-05-04T23:00", kind=kind, priority="P2")
    assert answer.verdict == "yes"
    assert codes(answer) == ["answer.free", "light.dark"]


@pytest.mark.parametrize(("gust_mps", "verdict"), [(12.0, "yes"), (12.1, "no")])
def test_the_wind_limit_itself_may_be_flown_and_no_more(
    on: DeskOn, gust_mps: float, verdict: str
) -> None:
    """Every drone with a zoom stands 12 m/s; the storm ends at 17:00."""
    desk = on("2026-05-04T10:00")
    desk.storm("2026-05-16T13:00", "2026-05-16T17:00", gust_mps)
    answer = desk.ask("2026-05-16T14:00", "2026-05-16T16:00")
    assert answer.verdict == verdict
    if verdict == "no":
        assert answer.from_at == local("2026-05-16T17:00")
        (wind,) = (one for one in gathered(answer.reasons) if one.code == "weather.wind")
        zooms = [f"drone-0{n}" for n in range(1, 9)]
        assert wind.params["drone"] == ", ".join(zooms)  # of both bases


def test_rain_that_grounds_the_small_ones_leaves_the_large_ones(on: DeskOn) -> None:
    desk = on("2026-05-04T10:00")
    desk.storm("2026-05-18T13:00", "2026-05-18T17:00", 3.0, rain_mm_h=1.0)
    assert desk.ask("2026-05-18T14:00", "2026-05-18T16:00").verdict == "yes"
    kind = RequestKind.PHOTOGRAMMETRY
    wet = desk.ask("2026-05-18T14:00", "2026-05-18T16:00", kind=kind)
    assert (wet.verdict, wet.from_at) == ("no", local("2026-05-18T17:00"))


def test_with_every_thermal_drone_down_each_is_named_and_no_time_is_promised(on: DeskOn) -> None:
    desk = on("2026-05-04T10:00")
    for row in desk.session.query(models.Drone).order_by(models.Drone.name):
        if row.name[-2:] in {"01", "02", "03", "04", "07", "08"}:
            service.report_defect(desk.session, SYSTEM, row.id, "gimbal stuck", desk.now)
    answer = desk.ask("2026-05-16T14:00", "2026-05-16T16:00", payload="thermal")
    assert (answer.verdict, answer.from_at) == ("no", None)
    grounded = {one.params["drone"] for one in answer.reasons if one.code == "drone.defect"}
    assert grounded == {f"drone-0{n}" for n in (1, 2, 3, 4, 7, 8)}
    assert desk.ask("2026-05-16T14:00", "2026-05-16T16:00").verdict == "yes"  # 05 and 06 zoom


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"sensitive": True}, "yes"),
        ({"low_noise": True, "kind": RequestKind.RECONNAISSANCE}, "yes"),
        ({"low_noise": True, "sensitive": True, "kind": RequestKind.RECONNAISSANCE}, "no"),
        ({"low_noise": True, "payload": "thermal"}, "no"),
    ],
)
def test_what_no_single_drone_has_together_is_refused_for_good(
    on: DeskOn, changed: dict[str, Any], verdict: str
) -> None:
    answer = on("2026-05-04T10:00").ask("2026-05-16T14:00", "2026-05-16T16:00", **changed)
    assert answer.verdict == verdict
    if verdict == "no":
        assert answer.from_at is None
        assert codes(answer)[0] == "no.capability"


def test_more_than_a_duty_is_refused_with_the_advice_to_split(on: DeskOn) -> None:
    answer = on("2026-05-04T10:00").ask("2026-05-16T08:00", "2026-05-16T22:00")
    assert (answer.verdict, answer.from_at) == ("no", None)
    assert codes(answer)[0] == "duty.too_long"


def test_a_used_up_share_is_said_and_forbids_nothing_and_emergencies_do_not_hear_of_it(
    on: DeskOn,
) -> None:
    """16 of 128 weights of 6,000 h are 703 h; the zone has flown 2,000."""
    desk = on("2026-05-04T10:00")
    asked = service.submit_request(desk.session, desk.zone, DEMONSTRATION, desk.now).id
    used = models.LedgerRow(
        organisation_id=desk.zone.organisation_id,
        request_id=asked,
        at=desk.now,
        crew_min=2000 * 60,
        priority="P3",
    )
    desk.session.add(used)
    desk.session.flush()
    planned = desk.ask("2026-05-25T08:00", "2026-05-25T10:00")
    assert planned.verdict == "yes"
    assert "entitlement.exceeded" in codes(planned)
    urgent = desk.ask("2026-05-25T08:00", "2026-05-25T10:00", priority="P1")
    assert codes(urgent) == ["answer.free"]  # and nothing of hundreds of hours late


def test_a_task_in_five_minutes_is_a_yes_that_says_how_late(on: DeskOn) -> None:
    """10 min of preparation, 10 of road and 30 on the scene before the slot: 10:50."""
    answer = on("2026-05-04T10:00").ask("2026-05-04T10:05", "2026-05-04T16:00")
    assert answer.verdict == "yes"
    assert answer.from_at is not None
    assert local("2026-05-04T10:45") <= answer.from_at <= local("2026-05-04T10:55")
    assert codes(answer) == ["answer.free", "slot.late", "lead_time.short"]
