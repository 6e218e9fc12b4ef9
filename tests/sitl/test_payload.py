"""Gimbal and shutter: where the camera looks, when it fires, and what is told about it."""

from __future__ import annotations

import itertools
import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.items import Cmd
from tests.sitl.bench import HOME, HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at, do

NADIR = do(Cmd.DO_MOUNT_CONTROL, -90, 0, 0, z=2.0)


def places(bench: Bench) -> list[tuple[float, float]]:
    return [HOME.metres(shot.lat_deg, shot.lon_deg) for shot in bench.shots]


def test_ten_metres_over_eighty_make_nine_photos() -> None:
    bench = Bench()
    bench.hover()
    assert bench.gcs.command(Cmd.DO_SET_CAM_TRIGG_DIST, 10, 0, 1) == 0
    where = at(0, 81, 20)
    bench.gcs.command_int(mav.MAV_CMD_DO_REPOSITION, 6, (-1, 1, 0, 0), (where.x, where.y, 20))
    bench.run(25.0)
    feedback = bench.gcs.of("CAMERA_FEEDBACK")
    assert [message.img_idx for message in feedback] == list(range(1, 10))
    norths = [place[1] for place in places(bench)]
    gaps = [b - a for a, b in itertools.pairwise(norths)]
    assert min(gaps) >= 9.99
    assert max(gaps) < 10.25


def test_a_survey_line_is_shot_from_end_to_end_looking_down() -> None:
    bench = Bench()
    bench.fly_mission(
        [
            HOME_ITEM,
            TAKE_OFF_20,
            at(20, 0, 20),
            NADIR,
            at(20, 30, 20, param1=1.0),
            do(Cmd.DO_SET_CAM_TRIGG_DIST, 5, 0, 1),
            at(120, 30, 20, param1=1.0),
            do(Cmd.DO_SET_CAM_TRIGG_DIST, 0),
            RETURN,
        ]
    )
    assert len(bench.shots) == 20  # at 0, 5 … 95 m; the 21st would be at 100.1 m
    for shot, (east_m, north_m) in zip(bench.shots, places(bench), strict=True):
        assert shot.pitch_deg == pytest.approx(-90.0, abs=0.01)
        assert north_m == pytest.approx(30.0, abs=0.3)
        assert -0.5 < east_m - 20.0 < 100.5
        assert shot.alt_home_m == pytest.approx(20.0, abs=0.2)
        assert shot.alt_ellipsoid_m == pytest.approx(100.0 + shot.alt_home_m, abs=1e-6)
    assert bench.shots[10].yaw_deg == pytest.approx(90.0, abs=2.0)
    assert bench.shots[10].velocity_enu_mps[0] == pytest.approx(10.0, abs=0.5)


def test_the_feedback_has_the_believed_place_and_the_airframes_angles() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.command(Cmd.DO_MOUNT_CONTROL, -60, 0, 0, 0, 0, 0, 2)
    bench.run(2.0)
    assert bench.gcs.command(Cmd.IMAGE_START_CAPTURE, 0, 0, 1) == 0
    feedback, shot = bench.gcs.last("CAMERA_FEEDBACK"), bench.shots[-1]
    assert feedback.lat * 1e-7 == pytest.approx(shot.lat_deg, abs=2e-7)
    assert feedback.alt_rel == pytest.approx(20.0, abs=0.3)
    assert feedback.alt_msl == pytest.approx(100 + 20 - 43.6, abs=0.3)
    assert abs(feedback.pitch) < 3.0
    assert shot.pitch_deg == pytest.approx(-60.0, abs=0.01)
    assert feedback.time_usec == pytest.approx(shot.at.timestamp() * 1e6, abs=1)
    assert not bench.gcs.of("CAMERA_IMAGE_CAPTURED")


def test_photos_by_interval_come_in_time_and_stop() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.command(Cmd.IMAGE_START_CAPTURE, 0, 2.0, 5)
    bench.run(20.0)
    times = [shot.at.timestamp() for shot in bench.shots]
    assert [round(b - a, 1) for a, b in itertools.pairwise(times)] == [2.0] * 4
    bench.gcs.command(Cmd.IMAGE_START_CAPTURE, 0, 1.0, 0)
    bench.run(5.5)
    bench.gcs.command(Cmd.IMAGE_STOP_CAPTURE)
    bench.run(5.0)
    assert len(bench.shots) == 5 + 6


def test_the_old_shutter_command_fires_too() -> None:
    bench = Bench()
    bench.hover()
    assert bench.gcs.command(Cmd.DO_DIGICAM_CONTROL, 0, 0, 0, 0, 1) == 0
    assert len(bench.shots) == 1


def test_the_gimbal_manager_turns_the_camera_and_tells_it() -> None:
    bench = Bench()
    bench.hover()
    assert bench.gcs.command(Cmd.DO_GIMBAL_MANAGER_PITCHYAW, -60, 0, math.nan, math.nan) == 0
    bench.run(3.0)
    message_id = mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, message_id)
    w, x, y, z = bench.gcs.last("GIMBAL_DEVICE_ATTITUDE_STATUS").q
    pitch_deg = math.degrees(math.asin(2 * (w * y - z * x)))
    assert pitch_deg == pytest.approx(-60.0, abs=0.1)
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_INFORMATION)
    information = bench.gcs.last("GIMBAL_MANAGER_INFORMATION")
    assert math.degrees(information.pitch_min) == pytest.approx(-90.0)


def test_the_mount_turns_no_further_than_it_can() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.command(Cmd.DO_MOUNT_CONTROL, 60, 0, 0, 0, 0, 0, 2)
    bench.run(3.0)
    bench.ap.take_photo()
    assert bench.shots[-1].pitch_deg == pytest.approx(20.0, abs=0.01)


def test_the_camera_takes_time_to_turn() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.command(Cmd.DO_MOUNT_CONTROL, -90, 0, 0, 0, 0, 0, 2)
    bench.run(0.5)
    bench.ap.take_photo()
    assert bench.shots[-1].pitch_deg == pytest.approx(-45.0, abs=3.0)


def test_an_orbit_keeps_its_point_in_the_middle_of_every_photo() -> None:
    orbit = [
        at(25 * math.sin(math.radians(20 * n)), 40 - 25 * math.cos(math.radians(20 * n)), 25)
        for n in range(19)
    ]
    bench = Bench(SIM_WIND_SPD=4, SIM_WIND_TURB=1)
    bench.fly_mission(
        [
            HOME_ITEM,
            TAKE_OFF_20,
            do(Cmd.DO_CHANGE_SPEED, 1, 4),
            at(0, 40, 0, Cmd.DO_SET_ROI_LOCATION),
            orbit[0],
            do(Cmd.DO_SET_CAM_TRIGG_DIST, 6, 0, 1),
            *orbit[1:],
            do(Cmd.DO_SET_CAM_TRIGG_DIST, 0),
            do(Cmd.DO_SET_ROI_NONE),
            RETURN,
        ]
    )
    assert len(bench.shots) == pytest.approx(2 * math.pi * 25 / 6, abs=2)
    for shot, (east_m, north_m) in zip(bench.shots, places(bench), strict=True):
        bearing = math.degrees(math.atan2(-east_m, 40.0 - north_m)) % 360.0
        off = (shot.yaw_deg - bearing + 180.0) % 360.0 - 180.0
        down = -math.degrees(math.atan2(shot.alt_home_m, math.hypot(east_m, 40.0 - north_m)))
        assert abs(off) < 1.0
        assert shot.pitch_deg == pytest.approx(down, abs=0.5)
        assert shot.roll_deg == 0.0


def test_disarming_ends_all_triggers() -> None:
    bench = Bench()
    bench.fly_mission(
        [HOME_ITEM, TAKE_OFF_20, do(Cmd.DO_SET_CAM_TRIGG_DIST, 5), at(30, 0, 20), RETURN]
    )
    taken = len(bench.shots)
    bench.run(20.0)
    assert len(bench.shots) == taken
    assert bench.ap.shutter.distance_m == 0.0


def test_estimated_and_true_places_differ_by_the_gps_error() -> None:
    from sitl.estimator import GpsQuality

    bench = Bench(gps=GpsQuality(0.5, 0.8, 30.0))
    bench.hover()
    bench.gcs.command(Cmd.IMAGE_START_CAPTURE, 0, 3.0, 40)
    bench.run(125.0)
    errors = []
    for shot, told in zip(bench.shots, bench.gcs.of("CAMERA_FEEDBACK"), strict=True):
        true_m = HOME.metres(shot.lat_deg, shot.lon_deg)
        told_m = HOME.metres(told.lat * 1e-7, told.lng * 1e-7)
        errors.append(math.dist(true_m, told_m))
    rms_m = math.sqrt(sum(error**2 for error in errors) / len(errors))
    assert 0.2 < rms_m < 1.6
