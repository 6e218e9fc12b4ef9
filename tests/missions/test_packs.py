"""Packs, wind and resuming: another walk over the items, and what a vehicle would then do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.items import MissionCommand, MissionItem
from droneteam.missions.planner import estimate
from droneteam.missions.planner.camera import MAVIC_3E, SIMULATED
from droneteam.missions.planner.estimate import CALM, Wind
from droneteam.missions.planner.packs import effort_of, items_of_part
from droneteam.missions.planner.plan import Conditions, MissionPlan, SurveyParams, plan_survey
from droneteam.missions.planner.task_params import FreeParams, SearchParams
from droneteam.missions.planner.tasks import plan_task
from tests.missions.conftest import ORIGIN, PLACE, SCENE, area

LARGE = area((0, 0), (300, 0), (300, 300), (0, 300))
LINES = SurveyParams(gsd_m=0.01, crosshatch=False, orbit=False)
PLACES = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)


def large(wind: Wind = CALM) -> MissionPlan:
    return plan_survey(LARGE, MAVIC_3E, LINES, PLACE, Conditions(wind=wind))


def place_m(item: MissionItem) -> np.ndarray:
    geodetic = np.array([item.lat_deg, item.lon_deg, 0.0])
    return ORIGIN.enu_from_geodetic(geodetic)[:2]


def photos_of(items: tuple[MissionItem, ...]) -> list[tuple[float, float]]:
    """Where ArduPilot's distance trigger fires, walked in steps of 25 cm."""
    home = ORIGIN.enu_from_geodetic(np.array([PLACE.lat_deg, PLACE.lon_deg, 0.0]))[:2]
    here, distance, last, taken = home, 0.0, home, []
    for item in items:
        if item.command is MissionCommand.DO_SET_CAM_TRIGG_DIST:
            distance, last = item.params[0], here
            if distance > 0.0 and item.params[2] == 1.0:
                taken.append((float(here[0]), float(here[1])))
        if item.command not in PLACES:
            continue
        target = place_m(item)
        steps = max(1, math.ceil(float(np.hypot(*(target - here))) / 0.25))
        for share in np.arange(1, steps + 1) / steps:
            place = here + share * (target - here)
            if distance > 0.0 and math.dist(place, last) >= distance - 1e-9:
                taken.append((float(place[0]), float(place[1])))
                last = place
        here = target
    return taken


def test_a_large_area_takes_several_packs_that_each_keep_their_reserve() -> None:
    plan = large()
    assert plan.packs == len(plan.parts) > 1
    assert all(0.0 < part.pack_share <= 1.0 - estimate.PACK_RESERVE + 1e-9 for part in plan.parts)
    # One pack fewer would not do: two neighbours together would break the reserve.
    for one, two in zip(plan.parts[:-1], plan.parts[1:], strict=True):
        assert one.pack_share + two.pack_share > 1.0 - estimate.PACK_RESERVE
    assert plan.duration_s == pytest.approx(sum(part.duration_s for part in plan.parts))


@pytest.mark.slow
def test_the_packs_together_take_the_photos_that_the_plan_takes() -> None:
    plan = large()
    whole = np.array(photos_of(plan.items))
    assert len(whole) == plan.n_photos
    resumed = np.vstack(
        [photos_of(items_of_part(plan.items, plan.parts, n)) for n in range(plan.packs)]
    )
    nearest = np.min(
        np.hypot(whole[:, None, 0] - resumed[None, :, 0], whole[:, None, 1] - resumed[None, :, 1]),
        axis=1,
    )
    assert nearest.max() < 1.2  # of a spacing of 7.9 m: steps, and centimetres of the items
    assert len(whole) <= len(resumed) <= len(whole) + 2 * plan.packs


def test_each_packs_mission_starts_and_ends_like_any_other_and_sets_its_camera() -> None:
    plan = large()
    for number in range(plan.packs):
        items = items_of_part(plan.items, plan.parts, number)
        assert items[0].command is MissionCommand.TAKEOFF
        assert items[-1].command is MissionCommand.RETURN_TO_LAUNCH
        before_first = items[: next(i for i, item in enumerate(items) if item.command in PLACES)]
        kinds = {item.command for item in before_first}
        assert {MissionCommand.DO_MOUNT_CONTROL, MissionCommand.DO_CHANGE_SPEED} <= kinds
        triggers = [i for i in items if i.command is MissionCommand.DO_SET_CAM_TRIGG_DIST]
        assert triggers[-1].params[0] == 0.0
        alone = effort_of(items, PLACE)
        assert alone.packs == 1
        assert alone.duration_s == pytest.approx(plan.parts[number].duration_s, rel=0.02)


def test_a_small_survey_is_one_pack_whose_mission_is_the_plan() -> None:
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    assert plan.packs == 1
    assert items_of_part(plan.items, plan.parts, 0) == plan.items
    with pytest.raises(InputError, match="pack 2 of 1"):
        items_of_part(plan.items, plan.parts, 1)


def test_the_time_is_that_of_every_leg_flown_one_after_the_other() -> None:
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    speed, total, here, alt = 5.0, 0.0, np.zeros(2), 0.0
    here = ORIGIN.enu_from_geodetic(np.array([PLACE.lat_deg, PLACE.lon_deg, 0.0]))[:2]
    home = here
    for item in plan.items:
        if item.command is MissionCommand.DO_CHANGE_SPEED:
            speed = item.params[1]
        if item.command not in PLACES:
            continue
        target = place_m(item)
        if total == 0.0:
            total = estimate.takeoff_duration_s(item.alt_home_m or 0.0)
            alt = item.alt_home_m or 0.0
        rise = (item.alt_home_m or 0.0) - alt
        level = float(np.hypot(*(target - here))) / speed
        if item.params[0] > 0.0:
            level = estimate.leg_duration_s(float(np.hypot(*(target - here))), speed)
        total += max(level, abs(rise) / (2.5 if rise > 0 else 1.5)) + item.params[0]
        here, alt = target, item.alt_home_m or 0.0
    total += estimate.leg_duration_s(float(np.hypot(*(home - here))), speed)
    total += estimate.landing_duration_s(alt)
    assert plan.duration_s == pytest.approx(total, rel=1e-3)


def test_wind_costs_packs_and_a_gale_time_too() -> None:
    calm, windy = large(), large(Wind(10.0))
    assert windy.packs >= calm.packs
    assert large(Wind(13.0)).packs > calm.packs
    shares = [sum(part.pack_share for part in plan.parts) for plan in (calm, windy)]
    assert 1.05 * shares[0] < shares[1] < 1.6 * shares[0]
    fast = FreeParams(speed_mps=12.0)
    path = area((400, 0))
    still = plan_task(path, SIMULATED, fast, PLACE)
    gale = plan_task(path, SIMULATED, fast, PLACE, Conditions(wind=Wind(9.0)))
    assert gale.duration_s > still.duration_s + 400.0 / 6.0 - 400.0 / 12.0


def test_a_wind_too_strong_to_fly_against_is_refused() -> None:
    with pytest.raises(InputError, match="leaves no speed") as caught:
        large(Wind(14.8))
    assert caught.value.field == "wind_mps"


def test_a_leg_that_no_pack_reaches_is_refused() -> None:
    far = area((4500, 0))
    with pytest.raises(InputError, match="of a battery pack"):
        plan_task(far, SIMULATED, FreeParams(speed_mps=5.0), PLACE)


def test_a_search_resumes_at_the_corner_it_left() -> None:
    params = SearchParams("parallel_track", gsd_m=0.01, overlap=0.6, speed_mps=3.0)
    plan = plan_task(area((0, 0), (200, 0), (200, 200), (0, 200)), SIMULATED, params, PLACE)
    assert plan.packs > 1
    for one, two in zip(plan.parts[:-1], plan.parts[1:], strict=True):
        assert two.first_item == one.last_item


@settings(max_examples=80, deadline=None)
@given(
    speed=st.floats(0.5, 12.0),
    course=st.floats(0.0, 360.0),
    wind=st.floats(0.0, 10.0),
    from_deg=st.floats(0.0, 360.0),
)
def test_air_and_ground_speed_are_the_wind_triangle(
    speed: float, course: float, wind: float, from_deg: float
) -> None:
    blowing = Wind(wind, from_deg)
    held = estimate.ground_speed_mps(speed, course, blowing)
    over_ground = held * np.array([math.sin(math.radians(course)), math.cos(math.radians(course))])
    air = -wind * np.array([math.sin(math.radians(from_deg)), math.cos(math.radians(from_deg))])
    through_air = float(np.hypot(*(over_ground - air)))
    assert estimate.airspeed_mps(held, course, blowing) == pytest.approx(through_air, abs=1e-9)
    assert through_air <= estimate.MAX_AIRSPEED_MPS + 1e-6
    assert held <= speed + 1e-9


def test_power_is_one_in_hover_least_at_a_walk_and_grows_with_speed() -> None:
    powers = [estimate.power_factor(v) for v in np.linspace(0.0, 20.0, 41)]
    assert powers[0] == pytest.approx(1.0)
    least = int(np.argmin(powers))
    assert 4.0 <= 0.5 * least <= 11.0
    assert all(b > a for a, b in zip(powers[least:-1], powers[least + 1 :], strict=True))
    assert powers[-1] > 1.5


def test_an_unknown_wind_blows_against_every_leg() -> None:
    both = [estimate.airspeed_mps(5.0, course, Wind(7.0)) for course in (0.0, 90.0, 180.0)]
    assert both == [12.0, 12.0, 12.0]
