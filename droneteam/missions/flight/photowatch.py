"""Whether the photos come that the mission takes.

A vehicle whose camera is not set up (ArduCopter with ``CAM1_TYPE 0``) flies a survey to its end and
takes none: nothing in the mission protocol says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from droneteam.geo import great_circle_distance_m
from droneteam.missions.items import MissionCommand, WireItem
from droneteam.missions.mavlink.camerawatch import CameraWatch

ENOUGH = 5
"""Photos; at 30 % loss the reports of all five fail to come once in 400 times."""
NO_PHOTOS = (
    f"{ENOUGH} photos are behind, and the vehicle has reported none: look at the camera and at how "
    "it is triggered (CAM1_TYPE), or ask for rtl"
)


def photos_due_after(items: Sequence[WireItem]) -> int | None:
    """The item with whose end `ENOUGH` photos must have been taken; None where fewer are planned.

    items : as on the vehicle, home first.  A distance between photos counts along the straight
    lines between waypoints, a single shot as one.
    """
    taken, every_m, place = 0.0, 0.0, None
    for item in items[1:]:
        match item.command:
            case MissionCommand.DO_SET_CAM_TRIGG_DIST:
                every_m = item.params[0]
            case MissionCommand.DO_DIGICAM_CONTROL | MissionCommand.IMAGE_START_CAPTURE:
                taken += 1.0
            case MissionCommand.WAYPOINT:
                if every_m > 0.0 and place is not None:
                    taken += great_circle_distance_m(*place, item.x, item.y) // every_m
                place = item.x, item.y
        if taken >= ENOUGH:
            return item.seq
    return None


def photos_are_missing(due_after: int | None, seq: int, camera: CameraWatch | None) -> bool:
    """Whether photos are due with the vehicle on its way to an item, and none was reported.

    due_after : from `photos_due_after`.
    """
    if due_after is None or seq <= due_after:
        return False
    return camera is None or (not camera.told and camera.highest == (camera.begun_at or 0))
