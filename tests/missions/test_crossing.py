"""Flights of different requests: whether they may meet, whenever each takes off in its time."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from droneteam.db import session_scope
from droneteam.errors import InputError
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.airspace.groundrisk import crossing_findings
from droneteam.missions.airspace.rules import Finding
from droneteam.missions.airspace.volumes import RiskParams, volumes_of
from droneteam.missions.items import HomePoint, mission_hash, wire_mission
from droneteam.missions.planjson import plan_from_json, plan_to_json
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.crossing import Sortie, crossing
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.planner.sharing import timed_track
from droneteam.missions.planner.task_params import FreeParams
from droneteam.missions.planner.tasks import plan_task
from droneteam.missions.views import MissionSpec, MissionView
from tests.missions.conftest import NOW, Office, area, draft

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
WITHIN_M = 15.0


def straight(
    start: tuple[float, float],
    end: tuple[float, float],
    alt_m: float,
    home_alt_m: float | None = 60.0,
) -> MissionPlan:
    """There and back over a level place; metres about the accident."""
    (home,) = area(start)
    params = FreeParams(alt_home_m=(alt_m,), stay_s=0, speed_mps=5.0)
    return plan_task(area(start, end), SIMULATED, params, HomePoint(*home, home_alt_m))


def sortie(
    plan: MissionPlan, minute: float = 0.0, lasts_min: float = 60.0, number: int = 1
) -> Sortie:
    start = NOON + timedelta(minutes=minute)
    ring = volumes_of(plan, RiskParams()).contingency
    return Sortie(
        number, f"drone-{number}", plan, start, start + timedelta(minutes=lasts_min), ring
    )


EAST = straight((-200.0, 0.0), (200.0, 0.0), 40.0)
NORTH = straight((0.0, -200.0), (0.0, 200.0), 40.0)
ABOVE = straight((0.0, -200.0), (0.0, 200.0), 70.0)


def brute(one: Sortie, other: Sortie, delays_s: np.ndarray) -> float:  # type: ignore[type-arg]
    """The least distance over sampled pairs of take-off times, by walking both clocks."""
    origin = one.plan.home
    tracks = [timed_track(s.plan.items, s.plan.home, 0.0, origin) for s in (one, other)]
    best = np.inf
    for delay in delays_s:
        begin, end = max(0.0, delay), min(tracks[0][-1, 0], tracks[1][-1, 0] + delay)
        if begin >= end:
            continue
        at = np.arange(begin, end, 0.5)
        a = np.column_stack([np.interp(at, tracks[0][:, 0], tracks[0][:, k]) for k in (1, 2, 3)])
        b = np.column_stack(
            [np.interp(at - delay, tracks[1][:, 0], tracks[1][:, k]) for k in (1, 2, 3)]
        )
        flying = (a[:, 2] > 2.0) & (b[:, 2] > 2.0)
        if flying.any():
            best = min(best, float(np.linalg.norm((a - b)[flying], axis=1).min()))
    return best


def test_ways_that_cross_at_one_height_may_meet_though_a_start_together_keeps_them_apart() -> None:
    late = straight((0.0, -400.0), (0.0, 200.0), 40.0)
    one, other = sortie(EAST), sortie(late, number=2)
    assert brute(one, other, np.array([0.0])) > 50.0, "together they miss each other"
    found = crossing(one, other, WITHIN_M)
    assert found is not None
    assert found.distance_m < 5.0
    assert brute(one, other, np.array([found.delay_s])) < 8.0, "that delay brings them together"


def test_heights_part_flights_only_where_both_take_off_points_were_measured() -> None:
    assert crossing(sortie(EAST), sortie(ABOVE, number=2), WITHIN_M) is None
    unknown = straight((0.0, -200.0), (0.0, 200.0), 70.0, home_alt_m=None)
    met = crossing(sortie(EAST), sortie(unknown, number=2), WITHIN_M)
    assert met is not None
    both = crossing(sortie(unknown, number=2), sortie(unknown), WITHIN_M)
    assert both is not None, "two unknown heights are not the same height"


def test_sea_level_is_a_height_that_parts_flights_as_any_other() -> None:
    low = straight((-200.0, 0.0), (200.0, 0.0), 40.0, home_alt_m=0.0)
    above = straight((0.0, -200.0), (0.0, 200.0), 70.0, home_alt_m=0.0)
    assert crossing(sortie(low), sortie(above, number=2), WITHIN_M) is None
    dug = straight((0.0, -200.0), (0.0, 200.0), 70.0, home_alt_m=-30.0)
    met = crossing(sortie(low), sortie(dug, number=2), WITHIN_M)
    assert met is not None, "from a pit of 30 m, 70 m reach the other's 40"
    assert met.alt_home_m == pytest.approx(40.0, abs=5.0)


def test_a_stored_plan_keeps_whether_its_height_is_known_and_an_old_nought_is_unknown() -> None:
    known = straight((-200.0, 0.0), (200.0, 0.0), 40.0, home_alt_m=0.0)
    unknown = straight((-200.0, 0.0), (200.0, 0.0), 40.0, home_alt_m=None)
    for plan in (known, unknown, EAST):
        assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    for plan, alt_m in ((known, None), (EAST, 60.0)):
        old = plan_to_json(plan)
        del old["home_level_known"]
        assert plan_from_json(old).home.alt_amsl_m == alt_m
    hashes = [mission_hash(wire_mission(one.items, one.home)) for one in (known, unknown)]
    assert hashes[0] == hashes[1], "an approval of an old plan holds"


def test_heights_above_the_sea_need_a_take_off_point_whose_height_is_known() -> None:
    (home,) = area((0.0, 0.0))
    params = FreeParams(alt_amsl_m=(100.0,))
    places = area((0.0, 0.0), (50.0, 0.0))
    with pytest.raises(InputError, match=r"take-off point's height above sea level is not known"):
        plan_task(places, SIMULATED, params, HomePoint(*home))
    flown = plan_task(places, SIMULATED, params, HomePoint(*home, 0.0))
    assert max(item.alt_home_m or 0.0 for item in flown.items) == 100.0


def test_windows_that_do_not_meet_part_flights() -> None:
    one = sortie(EAST, lasts_min=30.0)
    landed_s = EAST.duration_s
    early = sortie(NORTH, 30.0 + landed_s / 60.0 + 1.0, 10.0, number=2)
    assert crossing(one, early, WITHIN_M) is None
    assert crossing(one, sortie(NORTH, 29.0, 10.0, number=2), WITHIN_M) is not None


def test_windows_of_a_moment_decide_by_the_second() -> None:
    """With fixed take-offs the answer is that of walking both clocks."""
    one = sortie(EAST, 0.0, 0.0)
    verdicts = set()
    for second in range(0, 120, 8):
        other = sortie(NORTH, second / 60.0, 0.0, number=2)
        truth = brute(one, other, np.arange(second - 10.0, second + 10.5, 0.5))
        found = crossing(one, other, WITHIN_M)
        if truth < WITHIN_M - 3.0:
            assert found is not None, second
        if truth > WITHIN_M + 6.0:
            assert found is None, second
        verdicts.add(found is None)
    assert verdicts == {True, False}


def test_flights_whose_volumes_do_not_touch_are_not_looked_at() -> None:
    away = straight((0.0, 400.0), (0.0, 800.0), 40.0)
    assert crossing(sortie(EAST), sortie(away, number=2), WITHIN_M) is None
    blind = dataclasses.replace(sortie(NORTH, number=2), contingency=None)
    assert crossing(sortie(EAST), blind, WITHIN_M) is not None, "without volumes it is looked at"


@pytest.mark.parametrize("seed", range(6))
def test_no_pair_of_take_offs_comes_nearer_than_is_said(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def random_plan() -> MissionPlan:
        places = [tuple(row) for row in rng.uniform(-150.0, 150.0, (4, 2)).tolist()]
        heights = tuple(rng.uniform(20.0, 60.0, 4).tolist())
        (home,) = area(places[0])
        params = FreeParams(alt_home_m=heights, stay_s=0)
        return plan_task(area(*places), SIMULATED, params, HomePoint(*home, 60.0))

    one, other = sortie(random_plan(), 0.0, 4.0), sortie(random_plan(), 1.0, 4.0, number=2)
    truth = brute(one, other, np.arange(-180.0, 301.0, 4.0))
    found = crossing(one, other, WITHIN_M)
    if found is None:
        assert truth > WITHIN_M - 3.5
    else:
        assert found.distance_m <= truth + 0.1


def test_what_is_found_names_the_other_drone_the_place_and_what_to_do() -> None:
    (met,) = crossing_findings(sortie(EAST), [sortie(NORTH, number=7)])
    assert (met.rule, met.severity) == ("separation.crossing", "warn")
    assert "drone-7 (mission 7" in met.text
    assert "agree on times" in met.text
    (clear,) = crossing_findings(sortie(EAST), [sortie(ABOVE, number=7)])
    assert (clear.severity, clear.params["known"]) == ("pass", "1")
    assert crossing_findings(sortie(EAST), []) == ()


def second_assignment(office: Office) -> int:
    """Another request at the same place and time, which takes another drone."""
    with session_scope(office.engine) as session:
        request = fleet.submit_request(session, office.requester, draft(title="Second"), NOW)
        booking = fleet.book_request(session, office.coordinator, request.id, NOW)
        assert booking.assignment is not None, booking.reasons
        return booking.assignment.id


def planned(office: Office, assignment_id: int, plan_home: HomePoint) -> MissionView:
    spec = MissionSpec(
        FreeParams(alt_home_m=(30.0,)),
        polygon=area((-20.0, 0.0), (20.0, 0.0)),
        home=plan_home,
    )
    with session_scope(office.engine) as session:
        return missions.plan_mission(session, office.coordinator, assignment_id, spec, NOW)


def crossings(mission: MissionView) -> list[Finding]:
    return [one for one in mission.findings if one.rule == "separation.crossing"]


def test_a_plan_is_compared_with_those_of_other_requests_and_again_when_approved(
    office: Office,
) -> None:
    (home,) = area((-20.0, 0.0))
    first = planned(office, office.assignment_id, HomePoint(*home, 60.0))
    assert crossings(first) == []
    second = planned(office, second_assignment(office), HomePoint(*home, 60.0))
    (met,) = crossings(second)
    assert met.params["mission"] == str(first.id)
    with session_scope(office.engine) as session:
        approved = missions.approve_mission(
            session, office.coordinator, first.id, NOW, reason="the pilots agreed on times"
        )
    (since,) = crossings(approved)
    assert since.params["mission"] == str(second.id), "it came after the first was planned"
    with session_scope(office.engine) as session:
        missions.cancel_mission(session, office.coordinator, first.id, NOW)
    third = planned(office, office.assignment_id, HomePoint(*home, 60.0))
    assert [one.params["mission"] for one in crossings(third)] == [str(second.id)]
