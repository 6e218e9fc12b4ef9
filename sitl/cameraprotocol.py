"""MAVLink's camera and gimbal protocols, version 2, as an ArduPilot with a camera speaks them.

What a real ArduCopter 4.7 was measured to do: a photo is told by CAMERA_FEEDBACK alone.  With
``SIM_CAM_V2`` 1 the vehicle also carries a camera of its own (component 100), which tells each
photo by CAMERA_IMAGE_CAPTURED, as cameras on other vehicles do.
"""

from __future__ import annotations

import math

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.autopilot import Autopilot
from sitl.events import Photo
from sitl.telemetry import GIMBAL_DEVICE_ID, Message

CAMERA_COMPONENT = mav.MAV_COMP_ID_CAMERA
VENDOR, MODEL = b"droneteam sitl", b"24 mm full frame"
FOCAL_MM, SENSOR_MM, SENSOR_PX = 24.0, (35.9, 24.0), (8192, 5460)
FIRMWARE = 0x01000000
MODE_IMAGE = 0
IDLE, INTERVAL_IDLE = 0, 2
"""CAMERA_CAPTURE_STATUS.image_status."""


def camera_information(ap: Autopilot) -> Message:
    """CAMERA_INFORMATION: what the camera is and can do."""
    flags = mav.CAMERA_CAP_FLAGS_CAPTURE_IMAGE
    return mav.MAVLink_camera_information_message(
        _boot_ms(ap), VENDOR.ljust(32, b"\0"), MODEL.ljust(32, b"\0"), FIRMWARE,
        FOCAL_MM, *SENSOR_MM, *SENSOR_PX, 0, flags, 0, b"", GIMBAL_DEVICE_ID,
    )  # fmt: skip


def camera_settings(ap: Autopilot) -> Message:
    """CAMERA_SETTINGS: takes images."""
    return mav.MAVLink_camera_settings_message(_boot_ms(ap), MODE_IMAGE)


def camera_capture_status(ap: Autopilot) -> Message:
    """CAMERA_CAPTURE_STATUS: how many photos there are, and whether more are coming."""
    shutter = ap.shutter
    running = shutter.left != 0
    return mav.MAVLink_camera_capture_status_message(
        _boot_ms(ap),
        INTERVAL_IDLE if running else IDLE,
        0,
        shutter.interval_s if running else 0.0,
        0,
        math.nan,
        shutter.count,
    )


def image_captured(ap: Autopilot, photo: Photo) -> Message:
    """CAMERA_IMAGE_CAPTURED: one photo, with the camera's own attitude."""
    lat_deg, lon_deg = ap.frame.degrees(photo.position[0], photo.position[1])
    yaw_rad = ap.body.yaw_rad + ap.gimbal.yaw_off_nose_rad
    up_m = photo.position[2]
    return mav.MAVLink_camera_image_captured_message(
        _boot_ms(ap),
        int(photo.at.timestamp() * 1e6),
        1,
        round(lat_deg * 1e7),
        round(lon_deg * 1e7),
        round(ap.frame.alt_amsl_m(up_m) * 1e3),
        round((up_m - (ap.home[2] if ap.home else 0.0)) * 1e3),
        _quaternion(ap.gimbal.pitch_rad, yaw_rad),
        photo.index - 1,
        1,
        b"",
    )


def _quaternion(pitch_rad: float, yaw_rad: float) -> list[float]:
    """(w, x, y, z) of a level camera turned by yaw, then pitch."""
    cp, sp = math.cos(pitch_rad / 2.0), math.sin(pitch_rad / 2.0)
    cy, sy = math.cos(yaw_rad / 2.0), math.sin(yaw_rad / 2.0)
    return [cp * cy, -sp * sy, sp * cy, cp * sy]


def set_pitch_yaw(ap: Autopilot, message: Message) -> None:
    """GIMBAL_MANAGER_SET_PITCHYAW: angles in radians; rates alone are not followed."""
    if not (math.isfinite(message.pitch) and math.isfinite(message.yaw)):
        return
    locked = bool(message.flags & mav.GIMBAL_MANAGER_FLAGS_YAW_LOCK)
    ap.gimbal.hold_angles(message.pitch, message.yaw, yaw_locked=locked)


def set_attitude(ap: Autopilot, message: Message) -> None:
    """GIMBAL_MANAGER_SET_ATTITUDE: the same by a quaternion."""
    w, x, y, z = message.q
    if not all(math.isfinite(value) for value in (w, x, y, z)):
        return
    pitch = math.asin(max(-1.0, min(1.0, 2.0 * (w * y - z * x))))
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    locked = bool(message.flags & mav.GIMBAL_MANAGER_FLAGS_YAW_LOCK)
    ap.gimbal.hold_angles(pitch, yaw, yaw_locked=locked)


def _boot_ms(ap: Autopilot) -> int:
    return int(ap.t_s * 1000.0)
