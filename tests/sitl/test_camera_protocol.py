"""Camera and gimbal protocol, version 2, as pymavlink reads and the controller understands it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav
from pymavlink.quaternion import Quaternion

from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.state import Ending
from droneteam.missions.items import MissionCommand, MissionItem
from droneteam.missions.mavlink import codec
from droneteam.missions.mavlink.framing import Framer
from droneteam.missions.mavlink.messages import CameraInformation, CaptureStatus, ImageCaptured
from droneteam.missions.record.sortie import read_sortie
from sitl.items import Cmd
from tests.missions.conftest import ORIGIN, PLACE
from tests.missions.virtual import Air, fly_in, in_folder
from tests.sitl.bench import Bench

PACKER = mav.MAVLink(None, srcSystem=1, srcComponent=100)


def survey_items() -> tuple[MissionItem, ...]:
    """One line of 40 m with a photo every 8 m."""
    ends = ORIGIN.geodetic_from_enu(np.array([[-20.0, 10.0, 0.0], [20.0, 10.0, 0.0]]))
    first, last = (
        MissionItem(MissionCommand.WAYPOINT, lat_deg=lat, lon_deg=lon, alt_home_m=15.0)
        for lat, lon in ends[:, :2].tolist()
    )
    every_8_m = (8.0, 0.0, 1.0, 0.0)
    return (
        MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=15.0),
        first,
        MissionItem(MissionCommand.DO_SET_CAM_TRIGG_DIST, params=every_8_m),
        last,
        MissionItem(MissionCommand.DO_SET_CAM_TRIGG_DIST),
        MissionItem(MissionCommand.RETURN_TO_LAUNCH),
    )


def understood(message: object) -> object:
    """What the controller's codec makes of a message that pymavlink packs."""
    (frame,) = Framer().feed(bytes(message.pack(PACKER)))  # type: ignore[attr-defined]
    return codec.decode(frame)


def asked(bench: Bench, message_id: int, kind: str) -> object:
    assert bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, message_id) == 0
    return bench.gcs.last(kind)


def test_the_camera_says_what_it_is() -> None:
    told = asked(Bench(), 259, "CAMERA_INFORMATION")
    found = understood(told)
    assert isinstance(found, CameraInformation)
    assert (found.vendor, found.model) == ("droneteam sitl", "24 mm full frame")
    assert (found.focal_mm, found.width_px) == (24.0, 8192)
    assert found.sensor_width_mm == pytest.approx(35.9)


def test_a_camera_that_does_not_know_its_lens_is_not_given_one() -> None:
    unknown = mav.MAVLink_camera_information_message(
        1, b"x".ljust(32, b"\0"), b"\xff".ljust(32, b"\0"), 0, math.nan, 0.0, 0.0, 4, 3, 0, 0, 0,
        b"", 0,
    )  # fmt: skip
    found = understood(unknown)
    assert isinstance(found, CameraInformation)
    assert (found.focal_mm, found.sensor_width_mm) == (None, None)
    assert found.model == "\N{REPLACEMENT CHARACTER}"


def test_the_count_of_photos_is_the_shutters_and_says_whether_more_are_coming() -> None:
    bench = Bench()
    assert understood(asked(bench, 262, "CAMERA_CAPTURE_STATUS")) == CaptureStatus(0, False)
    assert bench.gcs.command(Cmd.IMAGE_START_CAPTURE, 0, 2.0, 0) == 0
    bench.run(5.0)
    assert understood(asked(bench, 262, "CAMERA_CAPTURE_STATUS")) == CaptureStatus(3, True)
    assert bench.gcs.command(Cmd.IMAGE_STOP_CAPTURE) == 0
    bench.run(5.0)
    assert understood(asked(bench, 262, "CAMERA_CAPTURE_STATUS")) == CaptureStatus(3, False)


def test_a_camera_of_its_own_tells_each_photo_with_its_own_attitude() -> None:
    bench = Bench(SIM_CAM_V2=1)
    pitch_yaw = (math.radians(-60.0), math.radians(10.0), math.nan, math.nan)
    bench.gcs.send(mav.MAVLink_gimbal_manager_set_pitchyaw_message(1, 1, 0, 0, *pitch_yaw))
    bench.run(3.0)
    assert bench.gcs.command(Cmd.IMAGE_START_CAPTURE, 0, 0, 1) == 0
    bench.run(0.2)
    (told,) = bench.gcs.of("CAMERA_IMAGE_CAPTURED")
    assert told.get_srcComponent() == mav.MAV_COMP_ID_CAMERA
    roll, pitch, yaw = (math.degrees(angle) for angle in Quaternion(told.q).euler)
    assert (roll, pitch) == (pytest.approx(0.0, abs=0.1), pytest.approx(-60.0, abs=0.1))
    found = understood(told)
    assert isinstance(found, ImageCaptured)
    assert found.saved
    assert found.shot.index == bench.gcs.last("CAMERA_FEEDBACK").img_idx == 1
    assert found.shot.pitch_deg == pytest.approx(-60.0, abs=0.1)
    assert found.shot.yaw_deg == pytest.approx(yaw % 360.0, abs=0.1)
    assert found.shot.lat_deg == pytest.approx(bench.shots[0].lat_deg, abs=1e-6)


def test_a_real_one_tells_photos_by_feedback_alone() -> None:
    bench = Bench()
    assert bench.gcs.command(Cmd.IMAGE_START_CAPTURE, 0, 0, 1) == 0
    bench.run(0.2)
    assert len(bench.gcs.of("CAMERA_FEEDBACK")) == 1
    assert bench.gcs.of("CAMERA_IMAGE_CAPTURED") == []


def test_the_gimbal_follows_a_quaternion_and_ignores_rates_alone() -> None:
    bench = Bench()
    q = list(Quaternion([0.0, math.radians(-45.0), math.radians(20.0)]).q)
    nan = (math.nan,) * 3
    bench.gcs.send(mav.MAVLink_gimbal_manager_set_attitude_message(1, 1, 0, 0, q, *nan))
    bench.run(3.0)
    assert math.degrees(bench.ap.gimbal.pitch_rad) == pytest.approx(-45.0, abs=0.1)
    assert math.degrees(bench.ap.gimbal.yaw_off_nose_rad) == pytest.approx(20.0, abs=0.1)
    nothing = (math.nan, math.nan, 0.1, 0.1)
    bench.gcs.send(mav.MAVLink_gimbal_manager_set_pitchyaw_message(1, 1, 0, 0, *nothing))
    bench.gcs.send(
        mav.MAVLink_gimbal_manager_set_attitude_message(1, 1, 0, 0, [math.nan] * 4, *nan)
    )
    bench.run(2.0)
    assert math.degrees(bench.ap.gimbal.pitch_rad) == pytest.approx(-45.0, abs=0.1)


def test_a_sortie_counts_each_photo_once_whoever_tells_it(tmp_path: Path) -> None:
    order = flight_order(1, survey_items(), PLACE)
    triggers = []
    for cam_v2 in (0.0, 1.0):
        air = Air(params=(("SIM_CAM_V2", cam_v2),))
        (result,) = fly_in(air, [in_folder(order, 1, tmp_path / str(cam_v2))]).results
        assert result.ending is Ending.COMPLETED
        log = read_sortie(result.tlog_path)
        assert [shot.index for shot in log.triggers] == list(range(1, len(log.triggers) + 1))
        assert len(log.triggers) == air.vehicles[0].shutter.count
        assert any("24 mm full frame" in event.detail for event in log.events)
        triggers.append(len(log.triggers))
    assert triggers[0] == triggers[1] > 3
