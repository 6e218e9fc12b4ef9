"""Body, battery, wind, navigation and sensors obey their physics."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, GeoPoint
from sitl.battery import CELLS, FULL_REST_V, Battery, flight_current_a, rest_voltage_v
from sitl.breadcrumbs import Breadcrumbs
from sitl.dynamics import Body, Demand, Wind, wrap_pi
from sitl.estimator import Estimator, GpsQuality
from sitl.frame import LocalFrame
from sitl.navigation import Leg, Limits, bend_between, leg_speed, passing_speed

LIMITS = Limits(10.0, 2.5, 1.5, 2.5, 1.0, 2.0)
DT_S = 0.02


def flown(body: Body, demand: Demand, wind: Wind, seconds: float) -> Body:
    for _ in range(round(seconds / DT_S)):
        body.step(demand, wind, DT_S)
    return body


def airborne() -> Body:
    return Body(up_m=50.0, on_ground=False)


def test_the_flat_frame_agrees_with_the_exact_one_near_its_origin() -> None:
    frame = LocalFrame(50.8197, 4.3908, 100.0, 43.6)
    exact = EnuFrame(GeoPoint(50.8197, 4.3908, 100.0))
    for east_m, north_m in ((300.0, 0.0), (-200.0, 250.0)):
        lat_deg, lon_deg = frame.degrees(east_m, north_m)
        enu = exact.enu_from_geodetic([lat_deg, lon_deg, 100.0])  # type: ignore[arg-type]
        assert enu[:2] == pytest.approx((east_m, north_m), abs=0.01)


@given(st.floats(-5e3, 5e3), st.floats(-5e3, 5e3))
def test_the_frame_goes_there_and_back(east_m: float, north_m: float) -> None:
    frame = LocalFrame(50.8197, 4.3908, 100.0, 43.6)
    back = frame.metres(*frame.degrees(east_m, north_m))
    assert back == pytest.approx((east_m, north_m), abs=1e-6)


def test_heights_above_geoid_and_frame_are_inverse() -> None:
    frame = LocalFrame(50.8197, 4.3908, 100.0, 43.6)
    assert frame.alt_amsl_m(0.0) == pytest.approx(56.4)
    assert frame.up_of_amsl_m(frame.alt_amsl_m(12.5)) == pytest.approx(12.5)


def test_a_wanted_velocity_is_reached_and_held() -> None:
    body = flown(airborne(), Demand(v_east_mps=6.0, v_north_mps=-2.0, motors=True), Wind(), 8.0)
    assert (body.v_east_mps, body.v_north_mps) == pytest.approx((6.0, -2.0), abs=0.15)


def test_leaning_points_into_the_acceleration() -> None:
    body = airborne()
    flown(body, Demand(v_north_mps=10.0, motors=True), Wind(), 0.5)
    assert body.pitch_rad < math.radians(-5.0)  # nose down to fly north, facing north
    assert abs(body.roll_rad) < 1e-6
    body = airborne()
    flown(body, Demand(v_east_mps=10.0, motors=True), Wind(), 0.5)
    assert body.roll_rad > math.radians(5.0)


def test_tilt_never_exceeds_its_limit() -> None:
    body = airborne()
    for _ in range(400):
        body.step(Demand(v_east_mps=50.0, v_north_mps=50.0, motors=True), Wind(), DT_S)
        tilt = math.hypot(math.tan(body.pitch_rad), math.tan(body.roll_rad))
        assert tilt <= math.tan(body.airframe.tilt_max_rad) * 1.05


def test_held_against_a_steady_wind_the_vehicle_leans_and_stays() -> None:
    wind = Wind(speed_mps=8.0, from_deg=0.0)
    wind.update(0.1, random.Random(1))
    body = flown(airborne(), Demand(motors=True), wind, 30.0)
    assert body.ground_speed_mps < 0.05
    assert math.degrees(body.pitch_rad) == pytest.approx(
        -math.degrees(math.atan2(0.12 * 8.0, 9.80665)), abs=0.3
    )


def test_without_control_the_wind_takes_the_vehicle_along() -> None:
    wind = Wind(speed_mps=6.0, from_deg=270.0)
    wind.update(0.1, random.Random(1))
    body = flown(airborne(), Demand(tilt=True, motors=True), wind, 60.0)
    assert body.v_east_mps == pytest.approx(6.0, abs=0.1)


def test_without_motors_it_falls_and_the_impact_is_told() -> None:
    body, demand, impact = airborne(), Demand(), None
    seconds = 0.0
    while impact is None:
        body.step(demand, Wind(), DT_S)
        impact, seconds = body.impact_mps, seconds + DT_S
    assert seconds == pytest.approx(math.sqrt(2 * 50 / 9.80665), rel=0.02)
    assert impact == pytest.approx(9.80665 * seconds, rel=0.02)
    assert body.on_ground


def test_on_the_ground_nothing_moves_until_it_climbs() -> None:
    wind = Wind(east_mps=10.0)
    body = flown(Body(), Demand(v_east_mps=5.0, motors=True), wind, 2.0)
    assert (body.east_m, body.up_m) == (0.0, 0.0)
    body = flown(body, Demand(v_up_mps=1.0, motors=True), wind, 2.0)
    assert not body.on_ground


def test_the_nose_turns_the_short_way_no_faster_than_it_can() -> None:
    body = airborne()
    body.yaw_rad = math.radians(170.0)
    demand = Demand(yaw_rad=math.radians(-170.0), motors=True)
    fastest = 0.0
    for _ in range(200):
        body.step(demand, Wind(), DT_S)
        fastest = max(fastest, abs(body.yaw_rate_rad_s))
        assert abs(math.degrees(body.yaw_rad)) > 165.0
    assert wrap_pi(body.yaw_rad - demand.yaw_rad) == pytest.approx(0.0, abs=0.01)
    assert fastest <= math.radians(60.0)


def test_gusts_have_the_spread_that_was_asked_for() -> None:
    wind, rng = Wind(speed_mps=5.0, from_deg=270.0, gust_mps=1.5), random.Random(3)
    east = []
    for _ in range(20_000):
        wind.update(1.0, rng)
        east.append(wind.east_mps)
    mean = sum(east) / len(east)
    spread = math.sqrt(sum((v - mean) ** 2 for v in east) / len(east))
    assert mean == pytest.approx(5.0, abs=0.15)
    assert spread == pytest.approx(1.5, rel=0.1)


def test_a_pack_starts_full_and_ends_empty_never_rising() -> None:
    volts = [rest_voltage_v(charge / 100.0) for charge in range(101)]
    assert volts == sorted(volts)
    assert (volts[0], volts[-1]) == (CELLS * 3.0, FULL_REST_V)


def test_a_pack_gives_its_capacity_and_sags_under_load() -> None:
    pack = Battery(10_000.0)
    rest = pack.voltage_v
    pack.draw(20.0, 1.0)
    assert rest - pack.voltage_v == pytest.approx(20.0 * 0.012, abs=0.01)
    for _ in range(1799):
        pack.draw(20.0, 1.0)
    assert pack.used_mah == pytest.approx(10_000.0)
    assert pack.charge == pytest.approx(0.0)


def test_climbing_and_speed_cost_and_descending_saves() -> None:
    hover = flight_current_a(0.0, 0.0)
    assert flight_current_a(0.0, 2.0) > hover > flight_current_a(0.0, -1.5)
    assert flight_current_a(10.0, 0.0) == pytest.approx(1.15 * hover)


def test_a_leg_accelerates_cruises_and_stops_at_its_end() -> None:
    leg = Leg((0.0, 0.0, 20.0), (100.0, 0.0, 20.0))
    seconds, fastest = 0.0, 0.0
    while not leg.run_out:
        before = leg.speed_mps
        leg.advance(LIMITS, 0.0, DT_S, wait=False)
        assert leg.speed_mps - before <= LIMITS.accel_mps2 * DT_S + 1e-9
        seconds, fastest = seconds + DT_S, max(fastest, leg.speed_mps)
    assert fastest == pytest.approx(10.0)
    assert seconds == pytest.approx(100.0 / 10.0 + 10.0 / 2.5, rel=0.05)
    assert leg.point() == pytest.approx((100.0, 0.0, 20.0))


def test_no_axis_of_a_slanted_leg_is_too_fast() -> None:
    speed, _ = leg_speed((0, 0, 0), (30.0, 0.0, 40.0), LIMITS)
    assert 0.8 * speed == pytest.approx(LIMITS.up_mps)
    speed, _ = leg_speed((0, 0, 40.0), (30.0, 0.0, 0.0), LIMITS)
    assert 0.8 * speed == pytest.approx(LIMITS.down_mps)


@given(st.floats(5.0, 150.0))
def test_a_bend_cuts_the_corner_by_no_more_than_allowed(turn_deg: float) -> None:
    turn = math.radians(turn_deg)
    after = (100.0 + 60.0 * math.cos(turn), 60.0 * math.sin(turn), 0.0)
    bend = bend_between((0.0, 0.0, 0.0), (100.0, 0.0, 0.0), after, LIMITS)
    assert bend is not None
    cut_m = math.dist(bend.point(0.5), bend.corner)
    assert cut_m <= LIMITS.corner_m + 1e-6
    sharpest = min(_radius_m(bend.point, u / 50.0) for u in range(1, 50))
    assert bend.speed_mps**2 / sharpest <= LIMITS.accel_mps2 * 1.05


def _radius_m(curve, u: float, h: float = 1e-3) -> float:  # type: ignore[no-untyped-def]
    """The radius of the circle through three close points of a curve."""
    a, b, c = curve(u - h), curve(u), curve(u + h)
    ab, bc, ca = math.dist(a, b), math.dist(b, c), math.dist(c, a)
    area2 = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    return math.inf if area2 < 1e-12 else ab * bc * ca / (2.0 * area2)


def test_the_way_through_a_bend_is_smooth_and_unbroken() -> None:
    points = [(0.0, 0.0, 20.0), (50.0, 0.0, 20.0), (50.0, 50.0, 25.0)]
    bend = bend_between(*points, LIMITS)  # type: ignore[arg-type]
    assert bend is not None
    first = Leg(points[0], points[1], exit_bend=bend)
    while not first.run_out:
        first.advance(LIMITS, bend.speed_mps, DT_S, wait=False)
    second = Leg(points[1], points[2], entry=bend, speed_mps=first.speed_mps)
    assert second.point() == pytest.approx(first.point(), abs=1e-9)
    assert second.velocity() == pytest.approx(first.velocity(), abs=1e-9)
    last, last_v = second.point(), second.velocity()
    while not second.run_out:
        second.advance(LIMITS, 0.0, DT_S, wait=False)
        assert math.dist(second.point(), last) <= LIMITS.speed_mps * DT_S * 1.1
        assert math.dist(second.velocity(), last_v) / DT_S <= 4.0 * LIMITS.accel_mps2
        last, last_v = second.point(), second.velocity()


def test_reversing_on_the_spot_is_a_stop() -> None:
    assert bend_between((0, 0, 0), (50.0, 0, 0), (0.0, 0, 0), LIMITS) is None
    assert passing_speed([(0, 0, 0), (50.0, 0, 0), (0.0, 0, 0)], LIMITS) == 0.0


def test_a_short_last_leg_limits_the_speed_before_it() -> None:
    straight = [(0.0, 0.0, 0.0), (50.0, 0.0, 0.0), (52.0, 0.0, 0.0)]
    assert passing_speed(straight, LIMITS) == pytest.approx(math.sqrt(2 * 2.5 * 2.0))


def test_gps_errors_wander_with_their_spread() -> None:
    estimator, rng = Estimator(GpsQuality(0.5, 1.0, 10.0)), random.Random(5)
    east, up = [], []
    for step in range(60_000):
        estimator.update(50.0 + step, 1.0, True, rng)
        east.append(estimator.error_east_m)
        up.append(estimator.error_up_m)
    spread = [math.sqrt(sum(v * v for v in values) / len(values)) for values in (east, up)]
    assert spread == pytest.approx([0.5, 1.0], rel=0.1)
    assert max(abs(b - a) for a, b in itertools.pairwise(east)) < 1.2


def test_breadcrumbs_cut_loops_and_stay_within_their_number() -> None:
    crumbs = Breadcrumbs()
    crumbs.start((0.0, 0.0, 10.0))
    for step in range(0, 100, 2):
        crumbs.drop((float(step), 0.0, 10.0), 2.0, 300)
    for step in range(100, 0, -2):
        crumbs.drop((float(step), 1.0, 10.0), 2.0, 300)
    assert len(crumbs.points) < 5
    crumbs.start((0.0, 0.0, 10.0))
    for step in range(1000):
        crumbs.drop((3.0 * step, 0.0, 10.0), 2.0, 50)
    assert not crumbs.full
    assert len(crumbs.points) < 50
    assert crumbs.way_back()[-1] == (0.0, 0.0, 10.0)


def test_a_frame_that_is_nowhere_is_refused() -> None:
    with pytest.raises(InputError):
        LocalFrame(91.0, 4.0, 0.0, 0.0)
