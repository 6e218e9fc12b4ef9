"""Volumes of a flight and what the ground, the hour and the weather say, against hand figures."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.airspace.checks import check
from droneteam.missions.airspace.geozones import read_geozones
from droneteam.missions.airspace.groundrisk import Surroundings, Weather, ground_findings
from droneteam.missions.airspace.rules import Finding
from droneteam.missions.airspace.volumes import (
    BufferRule,
    RiskParams,
    Volumes,
    ballistic_m,
    buffer_m,
    contingency_height_m,
    contingency_m,
    inside,
    volumes_from_json,
    volumes_of,
    volumes_to_json,
)
from droneteam.missions.formats.ed318 import volumes_to_ed318
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.estimate import Wind
from droneteam.missions.planner.plan import Conditions, MissionPlan, SurveyParams, plan_survey
from droneteam.missions.planner.task_params import FreeParams
from droneteam.missions.planner.tasks import plan_task
from tests.missions.conftest import ORIGIN, PLACE, SCENE, area
from tests.missions.relief_world import terrain

NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
AROUND = Surroundings(NOON, NOON + timedelta(hours=2))
PLAN = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
STRICT = RiskParams(rule=BufferRule.ONE_TO_ONE, gust_mps=0.0)


def metres(ring: tuple[tuple[float, float], ...]) -> np.ndarray:
    geodetic = np.column_stack([np.array(ring), np.zeros(len(ring))])
    return ORIGIN.enu_from_geodetic(geodetic)[:, :2]


def ring(volumes: Volumes, name: str) -> shapely.Polygon:
    return shapely.Polygon(metres(dict(volumes.named)[name]))


def path_of(plan: MissionPlan) -> shapely.LineString:
    places = [(PLACE.lat_deg, PLACE.lon_deg)]
    for item in plan.items:
        if item.command in (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME):
            places.append((item.lat_deg or 0.0, item.lon_deg or 0.0))
    return shapely.LineString(metres((*places, places[0])))


def found(rule: str, plan: MissionPlan = PLAN, around: Surroundings = AROUND) -> Finding:
    volumes = volumes_of(plan, RiskParams())
    (one,) = [f for f in ground_findings(plan, volumes, around) if f.rule.startswith(rule)]
    assert one.clause
    return one


def test_the_margins_are_those_worked_out_by_hand() -> None:
    """10 m/s, 1 s to react, no delay, braking at 45°: 3 + 3 + 1 + 10 + 100 / 19.613 m."""
    params = RiskParams(latency_s=0.0, bank_deg=45.0, gust_mps=0.0, span_m=1.0)
    assert contingency_m(10.0, params) == pytest.approx(22.099, abs=1e-3)
    assert contingency_height_m(10.0, params) == pytest.approx(1.0 + 7.071 + 5.099, abs=1e-3)
    # From 50 m a body falls 3.193 s.
    assert ballistic_m(10.0, 50.0, params) == pytest.approx(31.93 + 0.5, abs=0.01)
    assert buffer_m(50.0, 32.0, replace(params, rule=BufferRule.ONE_TO_ONE)) == 50.5
    assert buffer_m(50.0, 32.0, replace(params, rule=BufferRule.BALLISTIC)) == 32.0
    assert buffer_m(50.0, 82.0, replace(params, rule=BufferRule.LARGER)) == 82.0


def test_a_body_dropped_in_steps_lands_where_the_formula_says() -> None:
    params = RiskParams(gust_mps=6.0, span_m=1.0)
    height, away, fall, step = 60.0, 0.0, 0.0, 1e-4
    while height > 0.0:
        fall += 9.80665 * step
        height -= fall * step
        away += (9.0 + 6.0) * step
    assert ballistic_m(9.0, 60.0, params) == pytest.approx(away + 0.5, abs=0.02)


@settings(max_examples=10, deadline=None)
@given(
    latency=st.floats(0.0, 3.0),
    margin=st.floats(2.0, 30.0),
    gust=st.floats(0.0, 20.0),
    rule=st.sampled_from(BufferRule),
)
def test_the_volumes_are_nested_and_as_wide_as_they_say(
    latency: float, margin: float, gust: float, rule: BufferRule
) -> None:
    params = RiskParams(rule, latency_s=latency, margin_m=margin, gust_mps=gust)
    volumes = volumes_of(PLAN, params)
    path = path_of(PLAN)
    outer = 0.0
    for (name, _), wide in zip(
        volumes.named, (margin, volumes.contingency_m, volumes.buffer_m), strict=True
    ):
        outer += wide
        drawn = ring(volumes, name)
        assert drawn.is_valid
        # Nothing within the distance is left out, and little more than it is taken in.
        assert drawn.buffer(0.2).contains(path.buffer(outer, quad_segs=64))
        filled = shapely.Polygon(path.buffer(1.02 * outer + 0.3, quad_segs=64).exterior)
        assert filled.contains(drawn)
    assert ring(volumes, "contingency_volume").contains(ring(volumes, "flight_geography"))
    assert ring(volumes, "ground_risk_buffer").contains(ring(volumes, "contingency_volume"))


def test_the_one_to_one_buffer_is_as_wide_as_the_contingency_volume_is_high() -> None:
    volumes = volumes_of(PLAN, STRICT)
    assert volumes.buffer_m == pytest.approx(volumes.contingency_top_m + 0.5, abs=0.01)
    top = max(i.alt_home_m or 0.0 for i in PLAN.items)
    assert volumes.geography_top_m == pytest.approx(top)


def test_over_a_terrain_the_height_counts_from_the_ground_below(tmp_path: Path) -> None:
    over = area((60.0, 20.0), (0.0, 0.0))
    high = FreeParams(alt_home_m=(60.0,))
    level = plan_task(over, SIMULATED, high, PLACE)
    hilly = plan_task(over, SIMULATED, high, PLACE, Conditions(terrain(tmp_path)))
    assert volumes_of(level, STRICT).geography_top_m == 60.0
    below_home = volumes_of(hilly, STRICT).geography_top_m
    assert below_home == pytest.approx(60.0, abs=1.0)  # at home; over the hill it is 39 m
    (height,) = [f for f in check(hilly, [], NOON) if f.rule == "height"]
    assert "above the ground" in height.text


def test_volumes_survive_storage() -> None:
    volumes = volumes_of(PLAN, RiskParams())
    assert volumes_from_json(volumes_to_json(volumes)) == volumes


def test_an_ed318_file_of_the_volumes_reads_back_as_zones() -> None:
    volumes = volumes_of(PLAN, RiskParams())
    document = volumes_to_ed318(volumes, "M12", NOON, NOON + timedelta(hours=2))
    zones = read_geozones(document)
    assert [zone.identifier for zone in zones] == ["M12-FG", "M12-CV", "M12-GRB"]
    for zone, (_, corners) in zip(zones, volumes.named, strict=True):
        assert np.array(zone.volumes[0].polygon) == pytest.approx(np.array(corners))
        assert zone.applies(NOON, NOON)
        assert not zone.applies(NOON + timedelta(hours=3), NOON + timedelta(hours=4))
    assert zones[0].volumes[0].upper_m == pytest.approx(volumes.geography_top_m, abs=1.0)
    assert zones[1].volumes[0].upper_m == pytest.approx(volumes.contingency_top_m, abs=1.0)
    assert zones[2].volumes[0].upper_m == pytest.approx(volumes.contingency_top_m, abs=1.0)


def at(distance_m: float) -> tuple[tuple[float, float], ...]:
    """A place that far north of the path's northernmost point."""
    path = path_of(PLAN)
    east, north = max(path.coords, key=lambda place: place[1])
    return area((east, north + distance_m))


def test_persons_and_assemblies_count_by_the_volume_they_stand_in() -> None:
    volumes = volumes_of(PLAN, RiskParams())
    edge = 10.0 + volumes.contingency_m
    near, beside, away = at(edge - 2.0), at(edge + 5.0), at(edge + volumes.buffer_m + 5.0)
    for places, severity in ((near, "stop"), (beside, "warn"), (away, "pass"), ((), "unchecked")):
        assert found("people", around=replace(AROUND, people=places)).severity == severity
    for places, severity in ((near, "stop"), (beside, "stop"), (away, "pass"), ((), "unchecked")):
        assert found("assembly", around=replace(AROUND, assemblies=places)).severity == severity
    assert inside(volumes.buffer, [*beside, *away]) == [True, False]


def test_night_is_a_warning_that_names_its_beginning() -> None:
    assert found("daylight").severity == "pass"
    late = NOON.replace(hour=19)
    dusk = found("daylight", around=Surroundings(late, late + timedelta(hours=3)))
    assert dusk.severity == "warn"
    assert "night from 2" in dusk.text  # civil twilight ends at 20:40 UTC


@pytest.mark.parametrize(
    ("weather", "rule", "severity"),
    [
        (Weather(), "weather.unknown", "unchecked"),
        (Weather(9.0, 0.0, 12.0, 1.0), "weather.gust", "pass"),
        (Weather(13.0, 0.0, 12.0, 1.0), "weather.gust", "stop"),
        (Weather(3.0, 2.0, 12.0, 1.0), "weather.rain", "stop"),
        (Weather(3.0, 2.0, 12.0, None), "weather.rain", "unchecked"),
        (Weather(3.0, 2.0, None, 1.0), "weather.gust", "unchecked"),
        (Weather(3.0, 0.0, 12.0, 1.0), "weather.estimate", "warn"),
    ],
)
def test_the_forecast_is_held_against_the_drones_limits(
    weather: Weather, rule: str, severity: str
) -> None:
    assert found(rule, around=replace(AROUND, weather=weather)).severity == severity


def test_a_flight_beyond_sight_asks_for_an_observer() -> None:
    assert found("sight").severity == "pass"
    far = plan_task(area((600.0, 0.0)), SIMULATED, FreeParams(), PLACE)
    assert found("sight.beyond", far).severity == "warn"


def test_a_flight_too_near_the_terrain_stops_and_says_where(tmp_path: Path) -> None:
    low = FreeParams(alt_home_m=(20.0,))
    made = plan_task(
        area((0.0, 0.0), (60.0, 20.0)), SIMULATED, low, PLACE, Conditions(terrain(tmp_path, tall))
    )
    finding = found("clearance", made)
    assert finding.severity == "stop"
    assert "on leg" in finding.text
    high = plan_task(
        area((0.0, 0.0), (60.0, 20.0)),
        SIMULATED,
        FreeParams(alt_home_m=(60.0,)),
        PLACE,
        Conditions(terrain(tmp_path, tall)),
    )
    assert found("clearance", high).severity == "pass"


def tall(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """A tower between the waypoints of a path that clears both of its ends."""
    stands = (np.abs(east - 30.0) < 3.0) & (np.abs(north - 10.0) < 3.0)
    return 50.0 + np.where(stands, 18.0, 0.0)


def test_bare_ground_is_said_to_be_bare(tmp_path: Path) -> None:
    bare = replace(terrain(tmp_path), kind="dtm")
    made = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE, Conditions(bare))
    volumes = volumes_of(made, RiskParams())
    rules = {f.rule: f.severity for f in ground_findings(made, volumes, AROUND)}
    assert rules["clearance.bare"] == "warn"


def test_a_take_off_height_that_the_terrain_denies_is_a_warning() -> None:
    wrong = replace(AROUND, home_amsl_m=PLACE.alt_amsl_m + 25.0)
    assert found("home.height", around=wrong).severity == "warn"
    right = replace(AROUND, home_amsl_m=PLACE.alt_amsl_m + 5.0)
    volumes = volumes_of(PLAN, RiskParams())
    assert not [f for f in ground_findings(PLAN, volumes, right) if f.rule == "home.height"]


def test_wind_beyond_the_one_to_one_buffer_is_named() -> None:
    volumes = volumes_of(PLAN, RiskParams(BufferRule.ONE_TO_ONE, gust_mps=15.0))
    (one,) = [f for f in ground_findings(PLAN, volumes, AROUND) if f.rule.startswith("buffer")]
    assert one.severity == "warn"
    assert f"{volumes.ballistic_m:.0f} m" in one.text
    assert volumes.ballistic_m > volumes.buffer_m > 0.0


@pytest.mark.parametrize("field", ["latency_s", "bank_deg", "span_m", "margin_m", "gust_mps"])
@pytest.mark.parametrize("value", [math.nan, -1.0, 1e9])
def test_parameters_out_of_range_are_named(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        RiskParams(**{field: value})


def test_wind_is_checked_where_it_enters() -> None:
    for wrong in (math.nan, -1.0, 60.0):
        with pytest.raises(InputError, match="wind_mps"):
            Wind(wrong)
