"""One area for several drones: the parts cover it, fit each other and stay apart."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.airspace.groundrisk import Neighbour, separation_findings
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.camera import MAVIC_3E, SIMULATED
from droneteam.missions.planner.plan import GeoPolygon, MissionPlan, SurveyParams, plan_survey
from droneteam.missions.planner.sharing import (
    HEIGHT_STEP_M,
    SAFE_M,
    TIME_GAP_S,
    Separation,
    Share,
    nearest_approach,
    share_of,
    start_delays_s,
    strips,
    timed_track,
)
from droneteam.missions.planner.task_params import CorridorParams, SearchParams
from tests.missions.conftest import ORIGIN, PLACE, area

FIELD = area((0, 0), (160, 0), (160, 90), (0, 90))
LINES = SurveyParams(gsd_m=0.02, crosshatch=False, orbit=False)


def metres(ring: GeoPolygon) -> np.ndarray:
    geodetic = np.column_stack([np.array(ring), np.zeros(len(ring))])
    return ORIGIN.enu_from_geodetic(geodetic)[:, :2]


def homes(count: int) -> list[HomePoint]:
    """Take-off points on the western side, one beside each strip; the first lies north."""
    places = area(*((-20.0, 90.0 - 90.0 * (n + 0.5) / count) for n in range(count)))
    return [HomePoint(lat, lon, 56.4) for lat, lon in places]


def shared(count: int, separation: Separation) -> list[MissionPlan]:
    made = []
    for number, home in enumerate(homes(count), start=1):
        part, params = share_of(FIELD, SIMULATED, LINES, Share(number, count, separation))
        assert isinstance(params, SurveyParams)
        made.append(plan_survey(part, SIMULATED, params, home))
    return made


@settings(max_examples=12, deadline=None)
@given(
    radii=st.lists(st.floats(20.0, 120.0), min_size=5, max_size=9),
    count=st.integers(2, 6),
    bearing=st.one_of(st.none(), st.floats(0.0, 180.0)),
)
def test_strips_are_equal_do_not_overlap_and_leave_nothing_out(
    radii: list[float], count: int, bearing: float | None
) -> None:
    turn = 2.0 * math.pi / len(radii)
    ring = area(*((r * math.cos(turn * i), r * math.sin(turn * i)) for i, r in enumerate(radii)))
    whole = shapely.Polygon(metres(ring))
    parts = [shapely.Polygon(metres(part)) for part in strips(ring, count, bearing)]
    assert len(parts) == count
    assert shapely.union_all(parts).buffer(0.05).contains(whole)
    for part in parts:
        own = part.intersection(whole).area
        assert own >= 0.98 * whole.area / count
    for one, two in itertools.combinations(parts, 2):
        both = one.intersection(two).intersection(whole).area
        hulls = one.area + two.area - one.intersection(whole).area - two.intersection(whole).area
        assert both <= hulls + 0.002 * whole.area


def test_every_part_is_surveyed_as_if_it_were_alone() -> None:
    for plan in shared(3, Separation.AREA):
        assert plan.min_views >= 5
        assert plan.gsd_m == 0.02


def test_drones_side_by_side_keep_their_distance() -> None:
    plans = shared(3, Separation.AREA)
    for one, two in itertools.combinations(plans, 2):
        approach = nearest_approach((one.items, one.home, 0.0), (two.items, two.home, 0.0))
        assert approach is not None
        assert approach.distance_m >= SAFE_M


def test_drones_above_each_other_keep_their_heights_and_see_at_least_as_finely() -> None:
    plans = shared(2, Separation.HEIGHT)
    heights = [max(item.alt_home_m or 0.0 for item in plan.items) for plan in plans]
    assert heights[0] - heights[1] == pytest.approx(HEIGHT_STEP_M, abs=0.02)
    assert plans[1].gsd_m < plans[0].gsd_m == 0.02
    # Over the area neither enters the other's layer; the columns over the homes are 45 m apart.
    assert homes(2)[0] != homes(2)[1]


def test_one_after_the_other_the_second_waits_for_the_first_to_land() -> None:
    plans = shared(3, Separation.TIME)
    delays = start_delays_s([plan.duration_s for plan in plans], Separation.TIME)
    assert delays[0] == 0.0
    for plan, before, after in zip(plans, delays, delays[1:], strict=False):
        assert after >= before + plan.duration_s
    for (one, a), (two, b) in itertools.combinations(zip(plans, delays, strict=True), 2):
        assert nearest_approach((one.items, one.home, a), (two.items, two.home, b)) is None


def test_the_nearest_approach_is_that_of_a_finer_clock() -> None:
    one, two = shared(2, Separation.AREA)
    found = nearest_approach((one.items, one.home, 0.0), (two.items, two.home, 20.0))
    tracks = [timed_track(p.items, p.home, d, one.home) for p, d in ((one, 0.0), (two, 20.0))]
    clock = np.arange(tracks[1][0, 0], min(t[-1, 0] for t in tracks), 0.05)
    places = [
        np.column_stack([np.interp(clock, t[:, 0], t[:, k]) for k in (1, 2, 3)]) for t in tracks
    ]
    truth = float(np.linalg.norm(places[0] - places[1], axis=1).min())
    assert found is not None
    assert truth - 0.01 <= found.distance_m <= truth + 5.0 * 0.5


def test_a_timed_track_takes_off_lands_at_home_and_lasts_as_planned() -> None:
    plan = plan_survey(FIELD, SIMULATED, LINES, PLACE)
    track = timed_track(plan.items, PLACE, 7.0, PLACE)
    assert track[0].tolist() == pytest.approx([7.0, 0.0, 0.0, 0.0], abs=1e-6)
    assert track[-1, 1:].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    assert np.all(np.diff(track[:, 0]) >= 0.0)
    assert track[-1, 0] - 7.0 == pytest.approx(plan.duration_s, rel=0.05)


def test_a_bound_on_photos_is_shared_too() -> None:
    _, params = share_of(FIELD, MAVIC_3E, SurveyParams(max_photos=60), Share(2, 3))
    assert isinstance(params, SurveyParams)
    assert params.max_photos == 20


@pytest.mark.parametrize(("part", "of"), [(0, 2), (3, 2), (1, 11), (1, 0)])
def test_parts_that_do_not_exist_are_refused(part: int, of: int) -> None:
    with pytest.raises(InputError, match=r"part|drones"):
        Share(part, of)


def test_what_has_no_area_cannot_be_shared() -> None:
    for params in (CorridorParams(), SearchParams("sector")):
        with pytest.raises(InputError, match="of an area"):
            share_of(FIELD, SIMULATED, params, Share(1, 2))
    low = SurveyParams(gsd_m=0.01)
    with pytest.raises(InputError, match="lower than"):
        share_of(FIELD, SIMULATED, low, Share(3, 3, Separation.HEIGHT))


def test_neighbours_that_come_near_are_named_and_those_apart_pass() -> None:
    one, two = shared(2, Separation.AREA)
    (apart,) = separation_findings(one, [Neighbour("drone-2", two)], Share(1, 2))
    assert apart.severity == "pass"
    (same,) = separation_findings(one, [Neighbour("drone-2", one)], None)
    assert same.severity == "warn"
    assert "drone-2" in same.text
    assert "within 0 m" in same.text

    assert separation_findings(one, [], None) == ()


def test_turns_are_told_only_of_parts_that_are_both_flown_by_time() -> None:
    one, two = shared(2, Separation.TIME)
    mine, theirs = (Share(part, 2, Separation.TIME) for part in (1, 2))
    (first,) = separation_findings(one, [Neighbour("drone-2", two, theirs)], mine)
    (later,) = separation_findings(two, [Neighbour("drone-1", one, mine)], theirs)
    assert (first.rule, later.rule) == ("separation.time", "separation.time")
    wait_min = (one.duration_s + TIME_GAP_S) / 60.0
    assert [f.params["minutes"] for f in (first, later)] == [f"{wait_min:.0f}"] * 2
    # Who does not wait for us is as near as the geometry says, whatever we wait for.
    for share in (None, mine, Share(2, 3, Separation.TIME), Share(2, 2, Separation.AREA)):
        (alone,) = separation_findings(one, [Neighbour("drone-2", one, share)], mine)
        assert alone.rule == "separation.near"
