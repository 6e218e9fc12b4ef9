"""Fleet sizes compared on one year: hand-made cases, and laws that hold for any year."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from droneteam.errors import InputError, NotAllowed
from droneteam.fleet import service
from droneteam.fleet.agreement.sla import parse
from droneteam.fleet.performance.fleetsize import Airframe, Call, SizeOutcome, fleet_of, replay
from droneteam.fleet.problem import Place
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.requirements import requirement
from droneteam.fleet.terms import PRIORITIES, RequestKind, Window
from tests.fleet.conftest import ACCIDENT, NOW, Actors

Submit = Callable[..., int]
SLA = parse(SLA_V1)
BASE = Place(50.8268, 4.3956)
NEAR = Place(50.8300, 4.3900)
T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ZOOM = Airframe("a", frozenset({"rgb", "zoom", "thermal", "photogrammetry"}), BASE)
CAMERA = Airframe("b", frozenset({"rgb"}), BASE)


def call(
    number: int,
    *,
    priority: str = "P3",
    kind: RequestKind = RequestKind.EVENT,
    start_h: float = 24.0,
    hours: float = 2.0,
    came_h: float = 0.0,
    zone: int = 1,
) -> Call:
    return Call(
        request_id=number,
        organisation_id=zone,
        priority=priority,
        submitted_at=T0 + timedelta(hours=came_h),
        window=Window(T0 + timedelta(hours=start_h), T0 + timedelta(hours=start_h + hours)),
        place=NEAR,
        needs=requirement(kind, payload=None, sensitive=False, low_noise=False),
    )


def run(calls: list[Call], drones: int = 1, crews: int = 9) -> SizeOutcome:
    return replay(calls, fleet_of(drones, [ZOOM]), crews, SLA)


def test_two_events_at_once_take_two_drones() -> None:
    both = [call(1), call(2)]
    assert [run(both, size).answered.hits for size in (1, 2, 3)] == [1, 2, 2]


def test_two_events_at_once_take_two_pilots_of_whatever_many_drones() -> None:
    assert run([call(1), call(2)], 5, crews=1).answered.hits == 1
    assert run([call(1)], 5, crews=0).answered.hits == 0


def test_a_class_that_takes_a_crew_of_two_is_answered_by_two_pilots_only() -> None:
    classes = {**SLA_V1["classes"], "P3": {**SLA_V1["classes"]["P3"], "crew": 2}}
    agreed = parse({**SLA_V1, "classes": classes})
    assert replay([call(1)], [ZOOM], 2, agreed).answered.hits == 1
    assert replay([call(1)], [ZOOM], 1, agreed).answered.hits == 0


def test_a_task_that_may_lie_anywhere_in_its_window_waits_for_the_drone() -> None:
    tasks = [call(n, kind=RequestKind.PHOTOGRAMMETRY, hours=5.0) for n in (1, 2)]
    found = run(tasks)
    assert found.answered.hits == 2
    assert found.on_time.hits == 2


def test_a_life_in_danger_displaces_what_has_not_left_and_nothing_else() -> None:
    event = call(1, start_h=3.0, hours=6.0)
    urgent = call(2, priority="P0", kind=RequestKind.SEARCH, came_h=2.0, start_h=2.0, hours=3.0)
    found = run([event, urgent])
    assert found.displaced == 1
    assert found.answered_by_class["P0"].hits == 1
    assert found.answered_by_class["P3"].hits == 0
    late = call(2, priority="P0", kind=RequestKind.SEARCH, came_h=3.2, start_h=3.2, hours=3.0)
    flying = run([event, late])
    assert (flying.displaced, flying.answered_by_class["P3"].hits) == (0, 1)
    assert flying.answered_by_class["P0"].hits == 0
    peer = call(2, came_h=1.0, start_h=3.0, hours=6.0)
    assert run([event, peer]).displaced == 0


def test_a_camera_that_no_drone_carries_is_never_answered() -> None:
    found = replay([call(1)], fleet_of(12, [CAMERA]), 9, SLA)
    assert found.answered.hits == 0


def test_a_pilot_rests_between_two_duties() -> None:
    evening = call(1, start_h=11.0, hours=2.0)  # until 23:00 in Brussels
    morning = call(2, start_h=20.5, hours=2.0)  # from 06:30 the next day
    assert run([evening, morning], 2, crews=1).answered.hits == 1
    assert run([evening, morning], 2, crews=2).answered.hits == 2


def test_an_empty_year_and_sizes_out_of_range() -> None:
    found = run([])
    assert (found.answered.n, found.utilisation, found.jain) == (0, 0.0, 1.0)
    for size in (0, -1, 101):
        with pytest.raises(InputError, match="drones"):
            fleet_of(size, [ZOOM])
    with pytest.raises(InputError):
        fleet_of(3, [])
    assert [frame.name for frame in fleet_of(5, [ZOOM, CAMERA])] == ["a", "b", "a", "b", "a"]


def random_year(seed: int, count: int, days: int) -> list[Call]:
    rng = random.Random(seed)
    calls = []
    for number in range(1, count + 1):
        priority = rng.choice(PRIORITIES)
        urgent = priority in ("P0", "P1", "P2")
        came = rng.uniform(0, 24 * days)
        ahead = rng.uniform(0, 2) if urgent else rng.uniform(24, 24 * 14)
        kind = rng.choice([RequestKind.EVENT, RequestKind.SEARCH, RequestKind.PHOTOGRAMMETRY])
        calls.append(
            call(
                number,
                priority=priority,
                kind=kind,
                came_h=came,
                start_h=came + ahead,
                hours=rng.uniform(1.5, 8.0),
                zone=rng.randrange(1, 7),
            )
        )
    return calls


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_a_fleet_that_never_runs_short_answers_everything_that_can_be_reached(
    seed: int, count: int
) -> None:
    calls = random_year(seed, count, 5)
    plenty = replay(calls, fleet_of(35, [ZOOM]), 40, SLA)
    few = replay(calls, fleet_of(2, [ZOOM]), 3, SLA)
    assert plenty.displaced == 0
    assert few.answered.hits <= plenty.answered.hits
    reachable = sum(call.window.end_at - call.submitted_at > timedelta(hours=3) for call in calls)
    assert plenty.answered.hits >= sum(
        c.priority in ("P3", "P4") for c in calls
    )  # planned a day ahead, near the base
    assert plenty.answered.n == count >= reachable


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_a_replay_is_the_same_whatever_the_order_of_its_input(seed: int) -> None:
    calls = random_year(seed, 40, 6)
    shuffled = random.Random(seed).sample(calls, len(calls))
    assert run(calls, 3, 4) == run(shuffled, 3, 4)


def test_larger_fleets_answer_more_of_a_busy_year() -> None:
    calls = random_year(7, 900, 365)
    found = [replay(calls, fleet_of(size, [ZOOM]), 14, SLA) for size in (2, 4, 8)]
    answered = [outcome.answered.hits for outcome in found]
    assert answered == sorted(answered)
    assert answered[0] < answered[-1]
    assert found[0].utilisation > found[-1].utilisation


def test_the_recorded_year_is_replayed_for_those_who_may_read_it(
    session: Session, actors: Actors, submit: Submit
) -> None:
    for _ in range(9):
        submit("north")
    submit("midi", ACCIDENT)
    found = service.simulate_year(session, actors["manager"], 2026, NOW)
    assert [outcome.drones for outcome in found] == [8, 10, 12]
    assert all(outcome.answered.n == 10 for outcome in found)
    assert all(outcome.crews == 7 for outcome in found)
    alone = service.simulate_year(session, actors["manager"], 2026, NOW, [1], crews=1)
    assert alone[0].answered.hits == 1
    assert service.simulate_year(session, actors["manager"], 2025, NOW)[0].answered.n == 0
    with pytest.raises(NotAllowed):
        service.simulate_year(session, actors["north"], 2026, NOW)
