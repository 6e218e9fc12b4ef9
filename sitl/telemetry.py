"""The messages that a vehicle sends: one function each, from its state to MAVLink's units.

A function's name is its message; `streams.BUILDERS` finds it by number.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl import estimator as sensors
from sitl.autopilot import Autopilot
from sitl.dynamics import GRAVITY_MPS2

Message: TypeAlias = Any
"""A MAVLink message; pymavlink carries no types."""

UNKNOWN_U16 = 65535
GIMBAL_DEVICE_ID = 1


def _boot_ms(ap: Autopilot) -> int:
    return int(ap.t_s * 1000.0)


def _boot_us(ap: Autopilot) -> int:
    return int(ap.t_s * 1e6)


def millivolts(ap: Autopilot) -> int:
    """The pack's voltage as the messages can hold it."""
    return min(UNKNOWN_U16 - 1, max(0, int(ap.battery.voltage_v * 1000.0)))


def _lat_lon_e7(ap: Autopilot) -> tuple[int, int]:
    lat_deg, lon_deg = ap.frame.degrees(ap.position[0], ap.position[1])
    return round(lat_deg * 1e7), round(lon_deg * 1e7)


def _origin_known(ap: Autopilot) -> bool:
    return ap.home is not None


def system_time(ap: Autopilot) -> Message:
    """SYSTEM_TIME; the date is unknown before the first fix."""
    unix_us = int(ap.now.timestamp() * 1e6) if ap.t_s >= sensors.GPS_FIX_S else 0
    return mav.MAVLink_system_time_message(unix_us, _boot_ms(ap))


def gps_raw_int(ap: Autopilot) -> Message:
    """GPS_RAW_INT, with the height above the ellipsoid beside that above the geoid."""
    sats = int(ap.params["SIM_GPS1_NUMSATS"])
    if not ap.estimator.has_fix(ap.t_s):
        known = ap.t_s >= sensors.GPS_DETECTED_S
        return mav.MAVLink_gps_raw_int_message(
            0, 1 if known else 0, 0, 0, 0, UNKNOWN_U16, UNKNOWN_U16, 0, 0, 3 if known else 0
        )
    lat_e7, lon_e7 = _lat_lon_e7(ap)
    body, quality = ap.body, ap.estimator.quality
    alt_ellipsoid_m = ap.frame.alt_ellipsoid_m + ap.position[2]
    course_deg = math.degrees(math.atan2(body.v_east_mps, body.v_north_mps)) % 360.0
    return mav.MAVLink_gps_raw_int_message(
        _boot_us(ap),
        mav.GPS_FIX_TYPE_RTK_FIXED,
        lat_e7,
        lon_e7,
        int(ap.frame.alt_amsl_m(ap.position[2]) * 1000.0),
        121,
        200,
        int(body.ground_speed_mps * 100.0),
        int(course_deg * 100.0),
        sats,
        int(alt_ellipsoid_m * 1000.0),
        int(quality.horizontal_m * 1000.0),
        int(quality.vertical_m * 1000.0),
        50,
        0,
        0,
    )


def attitude(ap: Autopilot) -> Message:
    """ATTITUDE."""
    body = ap.body
    return mav.MAVLink_attitude_message(
        _boot_ms(ap), body.roll_rad, body.pitch_rad, body.yaw_rad, 0.0, 0.0, body.yaw_rate_rad_s
    )


def attitude_quaternion(ap: Autopilot) -> Message:
    """ATTITUDE_QUATERNION."""
    body = ap.body
    return mav.MAVLink_attitude_quaternion_message(
        _boot_ms(ap),
        *_quaternion(body.roll_rad, body.pitch_rad, body.yaw_rad),
        0.0,
        0.0,
        body.yaw_rate_rad_s,
    )


def _quaternion(
    roll_rad: float, pitch_rad: float, yaw_rad: float
) -> tuple[float, float, float, float]:
    """The rotation z-y-x of the angles, as w, x, y, z."""
    cr, sr = math.cos(roll_rad / 2.0), math.sin(roll_rad / 2.0)
    cp, sp = math.cos(pitch_rad / 2.0), math.sin(pitch_rad / 2.0)
    cy, sy = math.cos(yaw_rad / 2.0), math.sin(yaw_rad / 2.0)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def global_position_int(ap: Autopilot) -> Message:
    """GLOBAL_POSITION_INT; zeros before the origin is set."""
    body = ap.body
    heading = int(math.degrees(body.yaw_rad) % 360.0 * 100.0)
    if not _origin_known(ap):
        return mav.MAVLink_global_position_int_message(_boot_ms(ap), 0, 0, 0, 0, 0, 0, 0, heading)
    lat_e7, lon_e7 = _lat_lon_e7(ap)
    return mav.MAVLink_global_position_int_message(
        _boot_ms(ap),
        lat_e7,
        lon_e7,
        int(ap.frame.alt_amsl_m(ap.position[2]) * 1000.0),
        int(ap.height_m() * 1000.0),
        int(body.v_north_mps * 100.0),
        int(body.v_east_mps * 100.0),
        int(-body.v_up_mps * 100.0),
        heading,
    )


def local_position_ned(ap: Autopilot) -> Message:
    """LOCAL_POSITION_NED about the origin."""
    east, north, up = ap.position
    body = ap.body
    return mav.MAVLink_local_position_ned_message(
        _boot_ms(ap), north, east, -up, body.v_north_mps, body.v_east_mps, -body.v_up_mps
    )


def vfr_hud(ap: Autopilot) -> Message:
    """VFR_HUD."""
    body, wind = ap.body, ap.wind
    air = math.hypot(body.v_east_mps - wind.east_mps, body.v_north_mps - wind.north_mps)
    throttle = 0 if not ap.armed else 12 if ap.landed else 37
    return mav.MAVLink_vfr_hud_message(
        air if _origin_known(ap) else 0.0,
        body.ground_speed_mps,
        int(math.degrees(body.yaw_rad) % 360.0),
        throttle,
        ap.frame.alt_amsl_m(ap.position[2]) if _origin_known(ap) else 0.0,
        body.v_up_mps,
    )


def battery_status(ap: Autopilot) -> Message:
    """BATTERY_STATUS: the pack's sum in the first cell, as ArduPilot without a cell monitor."""
    battery = ap.battery
    cells = [millivolts(ap)] + [UNKNOWN_U16] * 9
    return mav.MAVLink_battery_status_message(
        0,
        0,
        0,
        32767,
        cells,
        min(32767, int(battery.current_a * 100.0)),
        int(battery.used_mah),
        int(battery.used_wh * 36.0),
        int(battery.charge * 100.0),
        0,
        mav.MAV_BATTERY_CHARGE_STATE_LOW
        if ap.failsafe.battery
        else mav.MAV_BATTERY_CHARGE_STATE_OK,
    )


def mission_current(ap: Autopilot) -> Message:
    """MISSION_CURRENT; the total leaves home out."""
    items = ap.mission_items.items
    return mav.MAVLink_mission_current_message(
        ap.mission_run.current,
        max(0, len(items) - 1),
        int(ap.mission_run.state(items)),
        1 if ap.flying_mission else 0,
    )


def nav_controller_output(ap: Autopilot) -> Message:
    """NAV_CONTROLLER_OUTPUT."""
    bearing_deg, distance_m, rise_m = 0.0, 0.0, 0.0
    if ap.way is not None:
        east = ap.way.end[0] - ap.position[0]
        north = ap.way.end[1] - ap.position[1]
        bearing_deg = math.degrees(math.atan2(east, north))
        distance_m = math.hypot(east, north)
        rise_m = ap.way.end[2] - ap.position[2]
    return mav.MAVLink_nav_controller_output_message(
        math.degrees(ap.body.roll_rad),
        math.degrees(ap.body.pitch_rad),
        int(bearing_deg),
        int(bearing_deg),
        min(65535, int(distance_m)),
        rise_m,
        0.0,
        0.0,
    )


def position_target_global_int(ap: Autopilot) -> Message:
    """POSITION_TARGET_GLOBAL_INT: where the present leg ends."""
    east, north, up = ap.way.end if ap.way is not None else ap.position
    lat_deg, lon_deg = ap.frame.degrees(east, north)
    return mav.MAVLink_position_target_global_int_message(
        _boot_ms(ap),
        0,
        65016,
        round(lat_deg * 1e7),
        round(lon_deg * 1e7),
        ap.frame.alt_amsl_m(up),
        *(0.0,) * 8,
    )


def home_position(ap: Autopilot) -> Message:
    """HOME_POSITION."""
    east, north, up = ap.home or (0.0, 0.0, 0.0)
    lat_deg, lon_deg = ap.frame.degrees(east, north)
    return mav.MAVLink_home_position_message(
        round(lat_deg * 1e7),
        round(lon_deg * 1e7),
        round(ap.frame.alt_amsl_m(up) * 1000.0),
        north,
        east,
        -up,
        [math.nan] * 4,
        0.0,
        0.0,
        0.0,
        _boot_us(ap),
    )


def gps_global_origin(ap: Autopilot) -> Message:
    """GPS_GLOBAL_ORIGIN."""
    frame = ap.frame
    return mav.MAVLink_gps_global_origin_message(
        round(frame.lat_deg * 1e7),
        round(frame.lon_deg * 1e7),
        round(frame.alt_amsl_m(0.0) * 1000.0),
        _boot_us(ap),
    )


def wind(ap: Autopilot) -> Message:
    """WIND as the filter would estimate it in flight."""
    east, north = (ap.wind.east_mps, ap.wind.north_mps) if not ap.landed else (0.0, 0.0)
    from_deg = math.degrees(math.atan2(-east, -north))
    return mav.MAVLink_wind_message(from_deg, math.hypot(east, north), 0.0)


def vibration(ap: Autopilot) -> Message:
    """VIBRATION: quiet."""
    level = 0.003 if ap.landed else 4.0
    return mav.MAVLink_vibration_message(_boot_us(ap), level, level, level, 0, 0, 0)


def rc_channels(ap: Autopilot) -> Message:
    """RC_CHANNELS."""
    pulses = [int(p) for p in ap.rc.pulses_us] + [0] * 10
    return mav.MAVLink_rc_channels_message(_boot_ms(ap), 8, *pulses, 255)


def servo_output_raw(ap: Autopilot) -> Message:
    """SERVO_OUTPUT_RAW: the four motors alike."""
    pulse = 1000 if not ap.armed else 1100 if ap.landed else 1370
    return mav.MAVLink_servo_output_raw_message(_boot_us(ap) % 2**32, 0, *(pulse,) * 4, *(0,) * 4)


def ahrs(ap: Autopilot) -> Message:
    """AHRS."""
    return mav.MAVLink_ahrs_message(0.0, 0.0, 0.0, 0.0, 0.0, 0.002, 0.002)


def raw_imu(ap: Autopilot) -> Message:
    """RAW_IMU: gravity and what the airframe's acceleration adds."""
    up_g = 1.0 + (0.0 if ap.body.on_ground else ap.body.climb_accel_mps2 / GRAVITY_MPS2)
    rate = int(ap.body.yaw_rate_rad_s * 1000.0)
    return mav.MAVLink_raw_imu_message(
        _boot_us(ap), 0, 0, int(-1000.0 * up_g), 0, 0, rate, 198, 7, 448
    )


def scaled_pressure(ap: Autopilot) -> Message:
    """SCALED_PRESSURE of the standard atmosphere."""
    amsl_m = ap.frame.alt_amsl_m(ap.position[2])
    hpa = 1013.25 * (1.0 - 2.25577e-5 * amsl_m) ** 5.25588
    return mav.MAVLink_scaled_pressure_message(_boot_ms(ap), hpa, 0.0, 2500)


def power_status(ap: Autopilot) -> Message:
    """POWER_STATUS."""
    return mav.MAVLink_power_status_message(5000, 0, 0)


def meminfo(ap: Autopilot) -> Message:
    """MEMINFO."""
    return mav.MAVLink_meminfo_message(0, 65535, 524288)


def gimbal_device_attitude_status(ap: Autopilot) -> Message:
    """GIMBAL_DEVICE_ATTITUDE_STATUS: roll and pitch of the earth frame, yaw off the nose."""
    gimbal = ap.gimbal
    flags = mav.GIMBAL_DEVICE_FLAGS_ROLL_LOCK | mav.GIMBAL_DEVICE_FLAGS_PITCH_LOCK
    flags |= mav.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
    return mav.MAVLink_gimbal_device_attitude_status_message(
        0,
        0,
        _boot_ms(ap),
        flags,
        list(_quaternion(0.0, gimbal.pitch_rad, gimbal.yaw_off_nose_rad)),
        0.0,
        0.0,
        0.0,
        0,
    )


def gimbal_manager_information(ap: Autopilot) -> Message:
    """GIMBAL_MANAGER_INFORMATION."""
    gimbal = ap.gimbal
    return mav.MAVLink_gimbal_manager_information_message(
        _boot_ms(ap),
        206847,
        GIMBAL_DEVICE_ID,
        0.0,
        0.0,
        gimbal.pitch_min_rad,
        gimbal.pitch_max_rad,
        math.radians(ap.params["MNT1_YAW_MIN"]),
        math.radians(ap.params["MNT1_YAW_MAX"]),
    )


def gimbal_manager_status(ap: Autopilot) -> Message:
    """GIMBAL_MANAGER_STATUS: who has primary control."""
    flags = mav.GIMBAL_MANAGER_FLAGS_PITCH_LOCK
    return mav.MAVLink_gimbal_manager_status_message(
        _boot_ms(ap), flags, GIMBAL_DEVICE_ID, *ap.gimbal.holder, 0, 0
    )


def simstate(ap: Autopilot) -> Message:
    """SIMSTATE: the truth, as the real SITL tells it."""
    body = ap.body
    lat_deg, lon_deg = ap.frame.degrees(body.east_m, body.north_m)
    return mav.MAVLink_simstate_message(
        body.roll_rad,
        body.pitch_rad,
        body.yaw_rad,
        body.thrust_north_mps2,
        body.thrust_east_mps2,
        -GRAVITY_MPS2 - body.climb_accel_mps2,
        0.0,
        0.0,
        body.yaw_rate_rad_s,
        round(lat_deg * 1e7),
        round(lon_deg * 1e7),
    )
