"""Journeys and yearly figures against hand-counted cases and the states that rows keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from droneteam.errors import InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.agreement.sla import parse
from droneteam.fleet.assets.logbook import FlightEntry
from droneteam.fleet.performance.figures import load_journeys
from droneteam.fleet.performance.journeys import Asked, Step, clocks_of, journeys
from droneteam.fleet.performance.yearly import Flown, Held, YearFigures, year_figures
from droneteam.fleet.presenting import times_of
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.terms import RequestKind, Window
from droneteam.fleet.terms import RequestState as S
from tests.fleet.conftest import ACCIDENT, NOW, Actors

Submit = Callable[..., int]
SLA = parse(SLA_V1)
T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ASKED = Asked(1, RequestKind.EVENT, "P2", T0 + timedelta(hours=3), T0 + timedelta(hours=5))


def steps(number: int, *way: tuple[float, S]) -> list[Step]:
    return [Step(number, T0 + timedelta(minutes=minute), state, {}) for minute, state in way]


def year(log: list[Step], **changes: object) -> YearFigures:
    asked = {step.request_id: replace(ASKED, **changes) for step in log}  # type: ignore[arg-type]
    made = journeys(log, asked)
    clocks = {one.request_id: clocks_of(one, SLA, (), T0 + timedelta(days=30)) for one in made}
    return year_figures(2026, made, clocks, [], [], T0 + timedelta(days=30))


def test_waits_and_kept_clocks_of_a_class_are_those_counted_by_hand() -> None:
    log = [
        *steps(1, (0, S.SUBMITTED), (10, S.ACKNOWLEDGED), (50, S.PLANNED), (190, S.IN_PROGRESS)),
        *steps(2, (0, S.SUBMITTED), (20, S.TRIAGED), (70, S.PLANNED), (200, S.IN_PROGRESS)),
    ]
    rows = {(row.priority, row.clock): row for row in year(log).clocks}
    ack, decision, scene = (rows["P2", name] for name in ("acknowledge", "decision", "on_scene"))
    assert [wait.value for wait in ack.waits] == [600.0, 1200.0, 1200.0]
    assert (ack.kept.hits, ack.kept.n) == (1, 2)  # 15 min
    assert (decision.kept.hits, decision.kept.n) == (1, 2)  # 1 h
    assert (scene.kept.hits, scene.kept.n) == (1, 2)  # the slot + 15 min, at minute 195
    assert rows["P0", "decision"].kept.n == 0
    assert len(year(log).small) == 3


def test_a_cancellation_after_a_breach_is_a_miss_and_is_counted_apart() -> None:
    log = [
        *steps(1, (0, S.SUBMITTED), (5, S.CANCELLED)),
        *steps(2, (0, S.SUBMITTED), (90, S.CANCELLED)),
        *steps(3, (0, S.SUBMITTED), (1, S.PLANNED), (180, S.IN_PROGRESS), (300, S.FULFILLED)),
    ]
    found = year(log)
    assert found.cancelled_after_breach == 1
    assert (found.fulfilment.raw.hits, found.fulfilment.raw.n) == (1, 1)
    assert (found.fulfilment.adjusted.hits, found.fulfilment.adjusted.n) == (1, 2)


def test_drones_availability_and_time_in_the_air_are_shares_of_their_service() -> None:
    start = datetime(2026, 1, 1, 0, 0, tzinfo=UTC) - timedelta(hours=1)  # local midnight
    now = start + timedelta(days=100)
    held = [
        Held(1, "a", ((start, start + timedelta(days=25)), (start, start + timedelta(days=10)))),
        Held(2, "b", (), start + timedelta(days=50)),
        Held(3, "c", (), now + timedelta(days=1)),
    ]
    flights = [
        Flown("1", 1, start + timedelta(days=30), start + timedelta(days=30, hours=24)),
        Flown("1", 2, start + timedelta(days=60), start + timedelta(days=60, hours=12)),
    ]
    one, two, three = year_figures(2026, [], {}, flights, held, now).drones
    assert (one.availability, one.utilisation) == pytest.approx((0.75, 0.01))
    assert (two.availability, two.utilisation) == pytest.approx((1.0, 0.01))
    assert (three.availability, three.flights) == (0.0, 0)


def test_forecast_against_actual_is_late_when_positive() -> None:
    planned = {
        "crew": 2,
        "planned_start_at": (T0 + timedelta(minutes=180)).isoformat(),
        "planned_end_at": (T0 + timedelta(minutes=300)).isoformat(),
    }
    log = steps(1, (0, S.SUBMITTED), (1, S.PLANNED), (190, S.IN_PROGRESS), (330, S.FULFILLED))
    log[2] = replace(log[2], facts=planned)
    found = year(log)
    assert found.forecast.start_delay_min[0].value == 10.0
    assert found.forecast.overrun_min[0].value == 20.0
    assert found.zones[0].crew_min == 280


def test_events_that_begin_in_the_middle_are_refused() -> None:
    with pytest.raises(InputError, match="no submission"):
        journeys(steps(1, (0, S.PLANNED)), {1: ASKED})
    with pytest.raises(InputError, match="unknown what"):
        journeys(steps(1, (0, S.SUBMITTED)), {})
    assert journeys(steps(1, (0, S.DRAFT), (1, S.CANCELLED)), {}) == []


def test_events_alone_give_the_times_that_the_rows_keep(
    session: Session, actors: Actors, submit: Submit
) -> None:
    """Two independent records of one history: the immutable events and the rows' columns."""
    coordinator, pilot = actors["coordinator"], actors["pilot"]
    served, refused, waiting = submit("north", ACCIDENT), submit("midi"), submit("north")
    minute = timedelta(minutes=1)
    service.triage_request(
        session, coordinator, served, NOW + minute, priority="P1", reason="road closed"
    )
    service.book_request(session, coordinator, served, NOW + 2 * minute)
    at = ACCIDENT.start_at
    service.mark_request_state(session, pilot, served, "in_progress", at)
    service.mark_request_state(session, pilot, served, "partly", at + timedelta(hours=1))
    service.refuse_request(session, coordinator, refused, "no-fly zone", NOW + 3 * minute)
    found = {one.request_id: one for one in load_journeys(session)}
    for request_id in (served, refused, waiting):
        row = session.get_one(models.Request, request_id)
        assert found[request_id].times == times_of(row)
        assert found[request_id].state == row.state
    assert found[served].priority == "P1"
    assert found[served].planned_start_at is not None
    figures = service.yearly_figures(session, actors["manager"], 2026, NOW + timedelta(days=5))
    assert (figures.counts.requests, figures.counts.missions) == (3, 1)
    assert service.recorded_years(session, actors["manager"], NOW) == [2026]
    with pytest.raises(NotAllowed):
        service.yearly_figures(session, actors["north"], 2026, NOW)


def entry(session: Session, actors: Actors, **changes: object) -> FlightEntry:
    drone = service.list_drones(session, actors["pilot"], NOW)[0]
    pilot = service.list_pilots(session, actors["pilot"], NOW)[0]
    pack = service.list_batteries(session, actors["pilot"])[0]
    values: dict[str, object] = {
        "key": "log-1",
        "sortie": "sortie-1",
        "drone_id": drone.id,
        "pilot_id": pilot.id,
        "took_off_at": NOW - timedelta(hours=2),
        "landed_at": NOW - timedelta(hours=1, minutes=30),
        "battery_ids": (pack.id,),
    }
    return FlightEntry(**{**values, **changes})  # type: ignore[arg-type]


def test_a_flight_ages_drone_and_pack_once_and_keeps_them_as_they_were(
    session: Session, actors: Actors
) -> None:
    pilot = actors["pilot"]
    before = service.list_drones(session, pilot, NOW)[0]
    pack = service.list_batteries(session, pilot)[0]
    line = service.log_flight(session, pilot, entry(session, actors), NOW)
    assert service.log_flight(session, pilot, entry(session, actors), NOW) == line
    after = service.list_drones(session, pilot, NOW)[0]
    assert after.flight_h == pytest.approx(before.flight_h + 0.5)
    assert after.cycles == before.cycles + 1
    assert service.list_batteries(session, pilot)[0].cycles == pack.cycles + 1
    drone = session.get_one(models.Drone, before.id)
    drone.model, drone.firmware = "Another model", "99"
    session.get_one(models.Pilot, line.pilot_id).name = "renamed"
    session.flush()
    (kept,) = service.list_flights(session, pilot)
    assert (kept.drone["model"], kept.drone["firmware"]) == (before.model, before.firmware)
    assert kept.pilot["name"] == "pilot 1"
    assert {held["kind"] for held in kept.pilot["credentials"]} >= {"A2", "national"}
    assert kept.packs[0]["label"] == pack.label
    assert kept.minutes == 30.0


def test_a_flight_that_cannot_have_been_is_refused(session: Session, actors: Actors) -> None:
    for changes, message in (
        ({"landed_at": NOW + timedelta(minutes=1), "took_off_at": NOW}, "after now"),
        ({"landed_at": NOW - timedelta(hours=3)}, "not after"),
        ({"took_off_at": NOW - timedelta(hours=9)}, "believed"),
        ({"key": " "}, "key needs"),
    ):
        with pytest.raises(InputError, match=message):
            service.log_flight(session, actors["pilot"], entry(session, actors, **changes), NOW)
    for unknown in ({"drone_id": 999}, {"pilot_id": 999}, {"battery_ids": (999,)}):
        with pytest.raises(NotFound):
            service.log_flight(session, actors["pilot"], entry(session, actors, **unknown), NOW)
    with pytest.raises(NotAllowed):
        service.log_flight(session, actors["north"], entry(session, actors), NOW)
    with pytest.raises(NotAllowed):
        service.list_flights(session, actors["north"])


def test_the_logbook_is_append_only(session: Session, actors: Actors) -> None:
    service.log_flight(session, actors["pilot"], entry(session, actors), NOW)
    with pytest.raises(DatabaseError, match="append-only"):
        session.execute(text("UPDATE flight SET remarks = 'x'"))
    session.rollback()


def test_a_service_by_hours_is_due_after_enough_flights(session: Session, actors: Actors) -> None:
    """drone-03 has 40.2 h of its 50 h interval: flights bring it to the warning, then over it."""
    drone = service.list_drones(session, actors["pilot"], NOW)[2]
    assert drone.warnings == ()
    hours = [(1, "drone.service_soon", 5.0), (2, "drone.service_overdue", 5.0)]
    for number, code, length_h in hours:
        made = entry(
            session,
            actors,
            key=f"k{number}",
            drone_id=drone.id,
            took_off_at=NOW - timedelta(hours=length_h),
            landed_at=NOW,
        )
        service.log_flight(session, actors["pilot"], made, NOW)
        view = service.list_drones(session, actors["pilot"], NOW)[2]
        assert code in {reason.code for reason in (*view.reasons, *view.warnings)}
    assert not view.ready


def test_a_journey_that_touches_a_time_comes_whole(
    session: Session, actors: Actors, submit: Submit
) -> None:
    early, late = submit(), submit()
    hour = timedelta(hours=1)
    service.acknowledge_request(session, actors["coordinator"], late, NOW + 5 * hour)
    whole = {one.request_id: one for one in load_journeys(session)}
    touched = load_journeys(session, Window(NOW + 4 * hour, NOW + 6 * hour))
    assert touched == [whole[late]]
    assert touched[0].times.submitted_at < NOW + 4 * hour, "its submission lies before the time"
    first = min(one.times.submitted_at for one in whole.values())
    assert load_journeys(session, Window(first, NOW + 6 * hour)) == [whole[early], whole[late]]
    assert load_journeys(session, Window(NOW + 5 * hour + hour, NOW + 7 * hour)) == []
