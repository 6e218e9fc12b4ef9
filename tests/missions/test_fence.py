"""The fence around a flight: what it holds, what leaves it, and what it leaves room for."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import DecodeError, InputError
from droneteam.missions.airspace.fence import (
    MAX_CORNERS,
    Fence,
    fence_findings,
    fence_from_json,
    fence_of,
    fence_to_json,
    return_findings,
)
from droneteam.missions.airspace.groundrisk import NEVER_OVERRIDDEN
from droneteam.missions.airspace.rules import Finding
from droneteam.missions.airspace.volumes import GPS_ERROR_M, GRAVITY_MPS2, RiskParams, volumes_of
from droneteam.missions.airspace.wayhome import highest_below, reach_of
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.formats.missionfile import item_from_numbers
from droneteam.missions.items import Frame, MissionCommand, MissionItem
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import Conditions, MissionPlan, SurveyParams, plan_survey
from droneteam.missions.planner.task_params import CorridorParams, FacadeParams, FreeParams
from droneteam.missions.planner.tasks import plan_task
from tests.missions.conftest import ORIGIN, PLACE, SCENE, area
from tests.missions.relief_world import hill, terrain

RISK = RiskParams()
SURVEY = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
BENT = plan_task(
    area((0, 0), (120, 0), (120, 90), (20, 90)), SIMULATED, CorridorParams(), PLACE
)  # a road that comes back past the take-off point


def enu(lat_deg: float, lon_deg: float) -> tuple[float, float]:
    east, north, _ = ORIGIN.enu_from_geodetic(np.array([lat_deg, lon_deg, 0.0]))
    return float(east), float(north)


def places(plan: MissionPlan) -> list[tuple[float, float]]:
    flown = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
    return [enu(i.lat_deg, i.lon_deg) for i in plan.items if i.command in flown]  # type: ignore[arg-type]


def inside(place: tuple[float, float], ring: list[tuple[float, float]]) -> bool:
    """Whether a ray to the east crosses the ring an odd number of times."""
    x, y = place
    odd = False
    for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            odd = not odd
    return odd


def to_ring(place: tuple[float, float], ring: list[tuple[float, float]]) -> float:
    """Distance to the nearest edge."""
    best = math.inf
    for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        dx, dy = x2 - x1, y2 - y1
        share = ((place[0] - x1) * dx + (place[1] - y1) * dy) / (dx * dx + dy * dy)
        share = min(1.0, max(0.0, share))
        best = min(best, math.hypot(place[0] - x1 - share * dx, place[1] - y1 - share * dy))
    return best


def flown_places(plan: MissionPlan) -> list[tuple[float, float]]:
    """Places on every leg, and on the straight way home from each of them."""
    home = enu(PLACE.lat_deg, PLACE.lon_deg)
    stops = [home, *places(plan), home]
    found = []
    for (x1, y1), (x2, y2) in itertools.pairwise(stops):
        for along in np.linspace(0.0, 1.0, 9):
            at = (x1 + along * (x2 - x1), y1 + along * (y2 - y1))
            found += [
                (at[0] + back * (home[0] - at[0]), at[1] + back * (home[1] - at[1]))
                for back in np.linspace(0.0, 1.0, 9)
            ]
    return found


def check(
    items: tuple[MissionItem, ...], fence: Fence, *, ground_m: float = 0.0
) -> dict[str, Finding]:
    found = fence_findings(items, PLACE, fence, ground_m)
    return {one.sentence: one for one in found}


def waypoint(east: float, north: float, alt_m: float) -> MissionItem:
    ((lat, lon),) = area((east, north))
    return MissionItem(MissionCommand.WAYPOINT, lat_deg=lat, lon_deg=lon, alt_home_m=alt_m)


@pytest.mark.parametrize("plan", [SURVEY, BENT], ids=["survey", "bent road"])
def test_every_place_of_the_flight_and_of_its_ways_home_keeps_the_stated_distance(
    plan: MissionPlan,
) -> None:
    fence = fence_of(plan.items, PLACE, RISK)
    ring = [enu(*corner) for corner in fence.corners]
    flown = flown_places(plan)
    assert all(inside(place, ring) for place in flown)
    nearest = min(to_ring(place, ring) for place in flown)
    assert nearest == pytest.approx(fence.aside_m, abs=0.6)
    assert fence.aside_m >= RISK.margin_m
    assert 4 <= len(ring) <= MAX_CORNERS
    assert list(check(plan.items, fence)) == ["fence", "return.height"]


@pytest.mark.parametrize("speed_mps", [2.0, 5.0, 12.0])
def test_a_drone_that_breaches_the_fence_comes_to_rest_within_the_contingency_volume(
    speed_mps: float,
) -> None:
    plan = plan_task(SCENE, SIMULATED, FreeParams(speed_mps=speed_mps), PLACE)
    volumes = volumes_of(plan, RISK)
    fence = shapely.Polygon([enu(*corner) for corner in fence_of(plan.items, PLACE, RISK).corners])
    contingency = shapely.Polygon([enu(*corner) for corner in volumes.contingency])
    geography = shapely.Polygon([enu(*corner) for corner in volumes.geography])
    stopping_m = GPS_ERROR_M + speed_mps**2 / (2 * GRAVITY_MPS2 * math.tan(math.radians(30.0)))
    assert contingency.buffer(0.2).contains(fence.buffer(stopping_m))
    assert fence.buffer(0.2).contains(geography)
    assert fence.area < contingency.area


def test_a_fence_follows_two_arms_instead_of_spanning_them() -> None:
    arms = (waypoint(250.0, 0.0, 30.0), waypoint(0.0, 0.0, 30.0), waypoint(0.0, 250.0, 30.0))
    fence = shapely.Polygon([enu(*corner) for corner in fence_of(arms, PLACE, RISK).corners])
    assert fence.area < 0.7 * fence.convex_hull.area
    assert not fence.contains(shapely.Point(100.0, 100.0))


@settings(max_examples=25, deadline=None)
@given(
    corners=st.lists(
        st.tuples(st.floats(-150, 150), st.floats(-150, 150)), min_size=1, max_size=12, unique=True
    ),
    speed_mps=st.floats(1.0, 15.0),
)
def test_any_path_lies_inside_its_own_fence(
    corners: list[tuple[float, float]], speed_mps: float
) -> None:
    speed = MissionItem(MissionCommand.DO_CHANGE_SPEED, (1.0, speed_mps, -1.0, 0.0))
    items = (speed, *(waypoint(east, north, 30.0) for east, north in corners))
    fence = fence_of(items, PLACE, RISK)
    assert list(check(items, fence)) == ["fence", "return.height"]
    assert fence.aside_m >= RISK.margin_m
    assert len(fence.corners) <= MAX_CORNERS


def test_a_mission_that_leaves_the_fence_is_stopped_by_item_and_distance() -> None:
    fence = fence_of(SURVEY.items, PLACE, RISK)
    ring = [enu(*corner) for corner in fence.corners]
    stray = waypoint(120.0, 40.0, 20.0)
    found = check((*SURVEY.items[:5], stray, *SURVEY.items[5:]), fence)["fence.left"]
    assert found.severity == "stop"
    assert found.params["item"] == "6"
    assert float(found.params["distance_m"]) == pytest.approx(to_ring((120, 40), ring), abs=0.6)
    assert found.rule in NEVER_OVERRIDDEN


def test_a_leg_between_two_places_inside_may_leave_the_fence_all_the_same() -> None:
    """A fence like a horseshoe: both ends are inside, the straight leg between them is not."""
    shoe = [(-60, -60), (60, -60), (60, 60), (40, 60), (40, 10), (-40, 10), (-40, 60), (-60, 60)]
    fence = Fence(area(*shoe), 60.0, 35.0, 10.0)
    items = tuple(waypoint(*place, 20.0) for place in ((-50, 0), (-50, 50), (50, 50)))
    found = check(items, fence)
    assert found["fence.left"].params["item"] == "3"
    assert 39.0 < float(found["fence.left"].params["distance_m"]) < 41.0


def test_a_way_home_across_the_open_side_is_found_where_no_leg_leaves() -> None:
    """Out around a corner and to rest there: only an early return would cut it."""
    corner = [(-30, -30), (200, -30), (200, 160), (170, 160), (170, 10), (-30, 10)]
    fence = Fence(area(*corner), 60.0, 35.0, 5.0)
    items = (waypoint(185.0, -15.0, 20.0), waypoint(185.0, 150.0, 20.0))
    found = check(items, fence)
    assert found["fence.return"].severity == "stop"
    assert found["fence.return"].params["item"] == "2"


def test_heights_above_the_ceiling_and_ways_home_above_the_limit_are_named() -> None:
    low = fence_of(SURVEY.items, PLACE, RISK)
    high = (*SURVEY.items, waypoint(0.0, 0.0, 118.0))
    found = check(high, low)["fence.height"]
    assert (found.severity, found.params["item"]) == ("stop", str(len(high)))
    own = check(high, fence_of(high, PLACE, RISK))
    assert own["return.high"].severity == "warn"
    assert own["return.high"].params["excess_m"] == "3"  # 118 + 5 over 120
    valley = check(SURVEY.items, low, ground_m=-100.0)
    assert valley["return.high"].severity == "warn"


@pytest.mark.parametrize("alt_m", [math.nan, math.inf, 501.0, -201.0])
def test_a_height_that_is_none_never_becomes_an_item(alt_m: float) -> None:
    with pytest.raises(InputError, match="alt_home_m"):
        waypoint(0.0, 0.0, alt_m)


@pytest.mark.parametrize(("alt_m", "told"), [(0.0, "0.0 m"), (500.0, "500.0 m")])
def test_free_waypoints_at_no_height_or_at_500_m_are_refused_with_the_range(
    alt_m: float, told: str
) -> None:
    with pytest.raises(InputError, match=r"\[5, 120\]") as error:
        FreeParams(alt_home_m=(alt_m,))
    assert told.split()[0] in str(error.value)


def test_waypoints_in_a_frame_that_is_not_known_are_refused_by_frame() -> None:
    numbers = (0.0, 0.0, 0.0, 0.0, PLACE.lat_deg, PLACE.lon_deg, 30.0)
    with pytest.raises(DecodeError, match="terrain"):
        item_from_numbers(16, Frame.TERRAIN, numbers, PLACE)
    with pytest.raises(DecodeError, match="frame 8"):
        item_from_numbers(16, 8, numbers, PLACE)
    amsl = item_from_numbers(16, Frame.GLOBAL, (*numbers[:6], 86.4), PLACE)
    assert amsl.alt_home_m == pytest.approx(30.0)


def test_an_amsl_height_taken_for_one_above_home_is_stopped_by_the_fence() -> None:
    """At 400 m above the sea, a frame mixed up puts the drone 400 m too high."""
    taken = item_from_numbers(
        16, Frame.GLOBAL_RELATIVE, (0, 0, 0, 0, PLACE.lat_deg, PLACE.lon_deg, 430.0), PLACE
    )
    found = check((*SURVEY.items, taken), fence_of(SURVEY.items, PLACE, RISK))
    assert found["fence.height"].params["height_m"] == "430"


def test_a_path_of_more_bends_than_a_vehicle_stores_corners_gets_a_fence_or_a_plain_no() -> None:
    rng = np.random.default_rng(4)
    angles = np.linspace(0.0, 2.0 * math.pi, 400, endpoint=False)
    radii = rng.uniform(200.0, 400.0, 400)
    items = tuple(
        waypoint(r * math.cos(a), r * math.sin(a), 40.0) for r, a in zip(radii, angles, strict=True)
    )
    fence = fence_of(items, PLACE, replace(RISK, margin_m=30.0))
    assert len(fence.corners) <= MAX_CORNERS
    assert list(check(items, fence)) == ["fence", "return.height"]
    slow = replace(RISK, latency_s=0.0, margin_m=1.0)
    spikes = tuple(item for one in items[::4] for item in (one, waypoint(0.0, 0.0, 40.0)))
    with pytest.raises(InputError, match=f"a vehicle stores {MAX_CORNERS}"):
        fence_of(spikes, PLACE, slow)


def test_the_order_for_a_flight_carries_the_planned_fence_and_its_heights() -> None:
    fence = fence_of(SURVEY.items, PLACE, RISK)
    order = flight_order(1, SURVEY.items, PLACE, fence=fence, rtl_extra_m=6.0)
    assert [(item.x, item.y) for item in order.fence] == list(fence.corners)
    values = {param.name: param.value for param in order.profile}
    assert order.rtl_alt_m == fence.return_home_m + 6.0
    assert values["RTL_ALT"] == 100.0 * order.rtl_alt_m
    assert values["FENCE_ALT_MAX"] == fence.ceiling_home_m + 6.0
    assert flight_order(1, SURVEY.items, PLACE) == flight_order(1, SURVEY.items, PLACE, fence=fence)


def test_a_fence_survives_storage() -> None:
    fence = fence_of(BENT.items, PLACE, RISK)
    assert fence_from_json(fence_to_json(fence)) == fence


def mast(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """A mast of 45 m, three metres thick, on a straight way home, beside every leg."""
    stands = (np.abs(east - 40.0) < 1.5) & (np.abs(north - 26.4) < 1.5)
    return 50.0 + np.where(stands, 45.0, 0.0)


def test_the_way_home_clears_a_mast_that_the_path_goes_around(tmp_path: Path) -> None:
    around = area((0.0, 60.0), (100.0, 60.0), (100.0, 10.0))
    conditions = Conditions(terrain(tmp_path, mast))
    plan = plan_task(around, SIMULATED, FreeParams(alt_home_m=(20.0,)), PLACE, conditions)
    assert plan.min_clearance_m is not None
    found = highest_below(plan.items, PLACE, terrain(tmp_path, mast))
    assert found is not None
    assert found.alt_home_m == pytest.approx(45.0, abs=0.5)
    fence = fence_of(plan.items, PLACE, RISK, found)
    assert fence.return_home_m == pytest.approx(50.0, abs=0.5)
    (cleared,) = return_findings(fence, found, "mast")
    assert (cleared.severity, cleared.params["clearance_m"]) == ("pass", "5.0")
    (hit,) = return_findings(fence_of(plan.items, PLACE, RISK), found, "mast")
    assert (hit.severity, hit.rule) == ("stop", "return.clearance")
    assert hit.rule in NEVER_OVERRIDDEN
    assert return_findings(fence, None, None) == ()
    assert return_findings(fence, None, "mast")[0].severity == "unchecked"


def test_the_highest_below_is_that_of_a_walk_over_every_way_home(tmp_path: Path) -> None:
    relief = terrain(tmp_path, hill)
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE, Conditions(relief))
    found = highest_below(plan.items, PLACE, relief)
    assert found is not None
    walked = np.array(flown_places(plan))
    heights = hill(*walked.T) - hill(*(np.array([[v] for v in enu(PLACE.lat_deg, PLACE.lon_deg)])))
    assert heights.max() - 0.3 <= found.alt_home_m <= heights.max() + 2.2


def test_a_wall_taller_than_the_photos_raises_the_way_home(tmp_path: Path) -> None:
    """A façade of ten metres on a tower of sixty: the drone climbs before it turns home."""

    def tower(east: np.ndarray, north: np.ndarray) -> np.ndarray:
        stands = (np.abs(east - 30.0) < 8.0) & (north > 22.0) & (north < 40.0)
        return 50.0 + np.where(stands, 60.0, 0.0)

    around = area((10.0, 60.0), (50.0, 60.0))
    conditions = Conditions(terrain(tmp_path, tower))
    plan = plan_task(around, SIMULATED, FreeParams(alt_home_m=(20.0,)), PLACE, conditions)
    obstacle = highest_below(plan.items, PLACE, terrain(tmp_path, tower))
    fence = fence_of(plan.items, PLACE, RISK, obstacle)
    assert fence.return_home_m == pytest.approx(65.0, abs=0.5)
    volumes = volumes_of(plan, RISK, fence.return_home_m)
    assert volumes.contingency_top_m >= 65.0
    assert fence.ceiling_home_m > fence.return_home_m


def test_the_reach_of_a_flight_holds_the_sweep_of_its_ways_home() -> None:
    reach = reach_of(np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 0.0]]))
    assert reach.area == pytest.approx(50.0)
    line = reach_of(np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [0.0, 0.0]]))
    assert (line.area, line.length) == (0.0, pytest.approx(20.0))
    alone = reach_of(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]))
    assert alone.length == pytest.approx(5.0)


def test_a_facades_own_fence_is_replaceable_by_none_that_is_smaller() -> None:
    wall = plan_task(area((10.0, 10.0), (30.0, 10.0)), SIMULATED, FacadeParams(), PLACE)
    fence = fence_of(wall.items, PLACE, RISK)
    tight = replace(fence, corners=area((-5, -5), (40, -5), (40, 20), (-5, 20)))
    assert "fence.left" in check(wall.items, tight)
