"""A pilot is told when the photos do not come that the mission takes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from droneteam.missions.flight.photowatch import (
    ENOUGH,
    NO_PHOTOS,
    photos_are_missing,
    photos_due_after,
)
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.state import Ending
from droneteam.missions.items import (
    HomePoint,
    MissionCommand,
    MissionItem,
    WireItem,
    wire_mission,
)
from droneteam.missions.mavlink.camerawatch import CameraWatch, camera_step
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.messages import CameraFeedback, CaptureStatus
from droneteam.missions.record.journal import read_journal
from tests.missions.conftest import PLACE
from tests.missions.test_separation import line_mission
from tests.missions.virtual import Air, fly_in, in_folder

HOME = HomePoint(50.8197, 4.3908, 50.0)
METRE_DEG = 1.0 / 111_195.0
"""Of latitude, on the mean sphere."""
SHOT = CameraFeedback(
    datetime(2026, 5, 4, 8, 0, tzinfo=UTC), 1, 50.8, 4.4, 70.0, 20.0, 0.0, -90.0, 0.0
)


def at(north_m: float) -> MissionItem:
    lat_deg = HOME.lat_deg + north_m * METRE_DEG
    return MissionItem(
        MissionCommand.WAYPOINT, lat_deg=lat_deg, lon_deg=HOME.lon_deg, alt_home_m=15.0
    )


def every(distance_m: float) -> MissionItem:
    return MissionItem(MissionCommand.DO_SET_CAM_TRIGG_DIST, (distance_m, 0.0, 0.0, 0.0))


def wired(*items: MissionItem) -> tuple[WireItem, ...]:
    return wire_mission(items, HOME)


SHOOT = MissionItem(MissionCommand.IMAGE_START_CAPTURE, (0.0, 0.0, 1.0, 0.0))


@pytest.mark.parametrize(
    ("items", "due_after"),
    [
        ([at(0), every(5.0), at(26)], 3),
        ([at(0), every(5.0), at(24)], None),
        ([at(0), every(5.0), at(11), every(0.0), at(500), every(5.0), at(516)], 7),
        ([at(0), at(500)], None),
        ([at(0), *[SHOOT] * 5, at(10)], 6),
        ([], None),
    ],
)
def test_photos_are_due_when_enough_of_them_lie_behind(
    items: list[MissionItem], due_after: int | None
) -> None:
    assert ENOUGH == 5
    assert photos_due_after(wired(*items)) == due_after


def test_they_are_missing_only_when_due_and_none_was_reported_in_either_way() -> None:
    silent = CameraWatch(Timing())
    told, _, _ = camera_step(silent, SHOT, 1.0)
    counted, _, _ = camera_step(silent, CaptureStatus(40, False), 1.0)
    grown, _, _ = camera_step(counted, CaptureStatus(43, False), 2.0)
    assert not photos_are_missing(3, 3, None)
    assert photos_are_missing(3, 4, None)
    assert photos_are_missing(3, 4, silent)
    assert photos_are_missing(3, 4, counted)  # 40 photos of an earlier flight
    assert not photos_are_missing(3, 4, told)
    assert not photos_are_missing(3, 4, grown)
    assert not photos_are_missing(None, 4, silent)


@pytest.mark.parametrize("camera", [0.0, 1.0])
def test_a_pilot_is_told_once_in_flight_that_the_camera_takes_nothing(
    camera: float, tmp_path: Path
) -> None:
    line = line_mission(20.0, -20.0, 20.0)
    items = (*line[:3], every(2.0), line[3], every(0.0), line[4])
    air = Air(params=(("CAM1_TYPE", camera),))
    order = in_folder(flight_order(1, items, PLACE), 1, tmp_path)
    flown = fly_in(air, [order])
    assert not flown.hung
    assert [one.ending for one in flown.results] == [Ending.COMPLETED]
    told = [one for one in read_journal(order.journal_path) if one.detail == NO_PHOTOS]
    assert len(told) == (camera == 0.0)
    photos = air.vehicles[0].shutter.count
    assert photos == pytest.approx(20 * camera, abs=1)  # a line of 40 m


def test_a_controller_that_was_not_there_for_the_photos_does_not_say_that_none_came(
    tmp_path: Path,
) -> None:
    line = line_mission(20.0, -20.0, 20.0)
    items = (*line[:3], every(2.0), line[3], every(0.0), line[2], line[4])
    air = Air()
    order, shutter = in_folder(flight_order(1, items, PLACE), 1, tmp_path), air.vehicles[0].shutter
    killed = fly_in(air, [order], until=lambda: shutter.count >= 15 and shutter.distance_m == 0.0)
    assert killed.hung
    (result,) = fly_in(air, [order]).results
    assert (result.ending, result.reason) == (Ending.COMPLETED, "adopted after a restart")
    assert NO_PHOTOS not in [one.detail for one in read_journal(order.journal_path)]
