"""The do commands, the same in a mission and from a ground station."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sitl.dynamics import wrap_pi
from sitl.items import Cmd, Frame, MissionItem

if TYPE_CHECKING:
    from sitl.autopilot import Autopilot

GIMBAL_YAW_LOCK = 16
"""GIMBAL_MANAGER_FLAGS_YAW_LOCK: the yaw angle is a bearing."""
MOUNT_MODE_MAVLINK_TARGETING = 2
MOUNT_MODE_NEUTRAL = 1
MOUNT_MODE_GPS_POINT = 4


def do_command(ap: Autopilot, item: MissionItem) -> bool:
    """Carries out one do or condition command; false when it makes no sense."""
    match item.command:
        case Cmd.DO_CHANGE_SPEED:
            return _change_speed(ap, item)
        case Cmd.CONDITION_YAW:
            return _condition_yaw(ap, item)
        case Cmd.DO_SET_HOME:
            return _set_home(ap, item)
        case Cmd.DO_SET_ROI | Cmd.DO_SET_ROI_LOCATION | Cmd.DO_SET_ROI_NONE:
            return _region_of_interest(ap, item)
        case Cmd.DO_FENCE_ENABLE:
            ap.enable_fence(item.param1 == 1.0)
            return True
        case Cmd.CONDITION_DELAY | Cmd.CONDITION_DISTANCE | Cmd.DO_LAND_START:
            return True
        case Cmd.DO_SET_SERVO | Cmd.DO_SET_RELAY:
            return True
    return _payload_command(ap, item)


def _payload_command(ap: Autopilot, item: MissionItem) -> bool:
    match item.command:
        case Cmd.DO_DIGICAM_CONTROL:
            if item.x == 1:
                ap.take_photo()
        case Cmd.DO_SET_CAM_TRIGG_DIST:
            ap.shutter.by_distance(item.param1)
            if item.param3 == 1.0:
                ap.take_photo()
        case Cmd.IMAGE_START_CAPTURE:
            ap.take_photo()
            if item.param2 > 0.0 and item.param3 != 1.0:
                left = int(item.param3) - 1 if item.param3 > 1.0 else 0
                ap.shutter.by_interval(item.param2, left, ap.t_s)
        case Cmd.IMAGE_STOP_CAPTURE:
            ap.shutter.stop()
        case Cmd.DO_MOUNT_CONTROL:
            return _mount_control(ap, item)
        case Cmd.DO_GIMBAL_MANAGER_PITCHYAW:
            return _gimbal_pitch_yaw(ap, item)
        case _:
            return False
    return True


def _change_speed(ap: Autopilot, item: MissionItem) -> bool:
    if not item.param2 > 0.0:
        return False
    match int(item.param1):
        case 0 | 1:
            ap.speeds.change(horizontal_mps=item.param2)
        case 2:
            ap.speeds.change(up_mps=item.param2)
        case 3:
            ap.speeds.change(down_mps=item.param2)
        case _:
            return False
    return True


def _condition_yaw(ap: Autopilot, item: MissionItem) -> bool:
    angle = math.radians(item.param1)
    if item.param4 == 1.0:
        sense = -1.0 if item.param3 < 0.0 else 1.0
        angle = ap.body.yaw_rad + sense * angle
    ap.nose.hold(wrap_pi(angle))
    return True


def _set_home(ap: Autopilot, item: MissionItem) -> bool:
    if item.param1 == 1.0:
        return ap.set_home_here()
    if not (item.x or item.y):
        return False
    east, north = ap.frame.metres(item.lat_deg, item.lon_deg)
    ap.set_home(east, north, ap.frame.up_of_amsl_m(item.z))
    return True


def _region_of_interest(ap: Autopilot, item: MissionItem) -> bool:
    if item.command == Cmd.DO_SET_ROI_NONE or not (item.x or item.y):
        ap.look_at(None)
        return True
    east, north = ap.frame.metres(item.lat_deg, item.lon_deg)
    ap.look_at((east, north, ap.up_of(item.z, Frame(item.frame))))
    return True


def _mount_control(ap: Autopilot, item: MissionItem) -> bool:
    match int(item.z):
        case 1:
            neutral = math.radians(ap.params["MNT1_NEUTRAL_Y"])
            ap.gimbal.hold_angles(neutral, 0.0, yaw_locked=False)
        case 2:
            pitch, yaw = math.radians(item.param1), math.radians(item.param3)
            ap.gimbal.hold_angles(pitch, yaw, yaw_locked=False)
        case _:
            return False
    return True


def _gimbal_pitch_yaw(ap: Autopilot, item: MissionItem) -> bool:
    if not (math.isfinite(item.param1) and math.isfinite(item.param2)):
        return False  # rates only: this mount is driven by angles
    locked = bool(item.x & GIMBAL_YAW_LOCK)
    ap.gimbal.hold_angles(math.radians(item.param1), math.radians(item.param2), yaw_locked=locked)
    return True
