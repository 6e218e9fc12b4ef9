"""Which messages a vehicle can send, by number, and the legacy groups of them."""

from __future__ import annotations

from collections.abc import Callable

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl import cameraprotocol, statuswords, telemetry
from sitl.autopilot import Autopilot
from sitl.telemetry import Message

Builder = Callable[[Autopilot], Message]

BUILDERS: dict[int, Builder] = {
    mav.MAVLINK_MSG_ID_HEARTBEAT: statuswords.heartbeat,
    mav.MAVLINK_MSG_ID_SYS_STATUS: statuswords.sys_status,
    mav.MAVLINK_MSG_ID_SYSTEM_TIME: telemetry.system_time,
    mav.MAVLINK_MSG_ID_GPS_RAW_INT: telemetry.gps_raw_int,
    mav.MAVLINK_MSG_ID_RAW_IMU: telemetry.raw_imu,
    mav.MAVLINK_MSG_ID_SCALED_PRESSURE: telemetry.scaled_pressure,
    mav.MAVLINK_MSG_ID_ATTITUDE: telemetry.attitude,
    mav.MAVLINK_MSG_ID_ATTITUDE_QUATERNION: telemetry.attitude_quaternion,
    mav.MAVLINK_MSG_ID_LOCAL_POSITION_NED: telemetry.local_position_ned,
    mav.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: telemetry.global_position_int,
    mav.MAVLINK_MSG_ID_SERVO_OUTPUT_RAW: telemetry.servo_output_raw,
    mav.MAVLINK_MSG_ID_MISSION_CURRENT: telemetry.mission_current,
    mav.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN: telemetry.gps_global_origin,
    mav.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT: telemetry.nav_controller_output,
    mav.MAVLINK_MSG_ID_RC_CHANNELS: telemetry.rc_channels,
    mav.MAVLINK_MSG_ID_VFR_HUD: telemetry.vfr_hud,
    mav.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT: telemetry.position_target_global_int,
    mav.MAVLINK_MSG_ID_POWER_STATUS: telemetry.power_status,
    mav.MAVLINK_MSG_ID_BATTERY_STATUS: telemetry.battery_status,
    mav.MAVLINK_MSG_ID_AUTOPILOT_VERSION: statuswords.autopilot_version,
    mav.MAVLINK_MSG_ID_MEMINFO: telemetry.meminfo,
    mav.MAVLINK_MSG_ID_FENCE_STATUS: statuswords.fence_status,
    mav.MAVLINK_MSG_ID_AHRS: telemetry.ahrs,
    mav.MAVLINK_MSG_ID_SIMSTATE: telemetry.simstate,
    mav.MAVLINK_MSG_ID_WIND: telemetry.wind,
    mav.MAVLINK_MSG_ID_EKF_STATUS_REPORT: statuswords.ekf_status_report,
    mav.MAVLINK_MSG_ID_VIBRATION: telemetry.vibration,
    mav.MAVLINK_MSG_ID_HOME_POSITION: telemetry.home_position,
    mav.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: statuswords.extended_sys_state,
    mav.MAVLINK_MSG_ID_CAMERA_INFORMATION: cameraprotocol.camera_information,
    mav.MAVLINK_MSG_ID_CAMERA_SETTINGS: cameraprotocol.camera_settings,
    mav.MAVLINK_MSG_ID_CAMERA_CAPTURE_STATUS: cameraprotocol.camera_capture_status,
    mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_INFORMATION: telemetry.gimbal_manager_information,
    mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_STATUS: telemetry.gimbal_manager_status,
    mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS: telemetry.gimbal_device_attitude_status,
}

NEEDS_HOME = frozenset({mav.MAVLINK_MSG_ID_HOME_POSITION, mav.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN})
"""Not sent before the origin is set."""
NEEDS_FENCE = frozenset({mav.MAVLINK_MSG_ID_FENCE_STATUS})
"""Streamed only while the fence is on."""

_RAW = mav.MAV_DATA_STREAM_RAW_SENSORS
_EXTENDED = mav.MAV_DATA_STREAM_EXTENDED_STATUS
_RC = mav.MAV_DATA_STREAM_RC_CHANNELS
_POSITION = mav.MAV_DATA_STREAM_POSITION
_EXTRA1 = mav.MAV_DATA_STREAM_EXTRA1
_EXTRA2 = mav.MAV_DATA_STREAM_EXTRA2
_EXTRA3 = mav.MAV_DATA_STREAM_EXTRA3

STREAMS: dict[int, tuple[int, ...]] = {
    _RAW: (mav.MAVLINK_MSG_ID_RAW_IMU, mav.MAVLINK_MSG_ID_SCALED_PRESSURE),
    _EXTENDED: (
        mav.MAVLINK_MSG_ID_SYS_STATUS,
        mav.MAVLINK_MSG_ID_POWER_STATUS,
        mav.MAVLINK_MSG_ID_MEMINFO,
        mav.MAVLINK_MSG_ID_MISSION_CURRENT,
        mav.MAVLINK_MSG_ID_GPS_RAW_INT,
        mav.MAVLINK_MSG_ID_NAV_CONTROLLER_OUTPUT,
        mav.MAVLINK_MSG_ID_FENCE_STATUS,
        mav.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT,
    ),
    _POSITION: (
        mav.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
        mav.MAVLINK_MSG_ID_LOCAL_POSITION_NED,
    ),
    _RC: (mav.MAVLINK_MSG_ID_SERVO_OUTPUT_RAW, mav.MAVLINK_MSG_ID_RC_CHANNELS),
    _EXTRA1: (mav.MAVLINK_MSG_ID_ATTITUDE, mav.MAVLINK_MSG_ID_SIMSTATE),
    _EXTRA2: (mav.MAVLINK_MSG_ID_VFR_HUD,),
    _EXTRA3: (
        mav.MAVLINK_MSG_ID_AHRS,
        mav.MAVLINK_MSG_ID_SYSTEM_TIME,
        mav.MAVLINK_MSG_ID_WIND,
        mav.MAVLINK_MSG_ID_BATTERY_STATUS,
        mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS,
        mav.MAVLINK_MSG_ID_EKF_STATUS_REPORT,
        mav.MAVLINK_MSG_ID_VIBRATION,
    ),
}
"""The legacy REQUEST_DATA_STREAM groups."""
