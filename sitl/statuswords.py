"""What a vehicle says about its own state: the words of bits, and who it is."""

from __future__ import annotations

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl import estimator as sensors
from sitl.autopilot import Autopilot
from sitl.fence import NO_BREACH
from sitl.manoeuvres import Land, TakeOff
from sitl.modes import NEEDS_POSITION, Guided, LandMode, Mode, ReturnMode
from sitl.telemetry import Message, millivolts

_MODE_BASE = mav.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED | mav.MAV_MODE_FLAG_STABILIZE_ENABLED
_MODE_BASE |= mav.MAV_MODE_FLAG_MANUAL_INPUT_ENABLED

SENSORS_PRESENT = 0x5371FC0F
SENSORS_HEALTHY = 0x47519C0F
SENSORS_ENABLED = 0x52419C0F
"""The words of a real one before its GPS was found; bits below are added as they come."""
SENSOR_GPS = 1 << 5
SENSOR_ALTITUDE_CONTROL = 1 << 13
SENSOR_POSITION_CONTROL = 1 << 14
SENSOR_FENCE = 1 << 20
SENSOR_AHRS = 1 << 21
SENSOR_LOGGING = 1 << 24
SENSOR_BATTERY = 1 << 25
SENSOR_PREARM = 1 << 28

CAPABILITIES = (
    mav.MAV_PROTOCOL_CAPABILITY_MISSION_FLOAT
    | mav.MAV_PROTOCOL_CAPABILITY_PARAM_FLOAT
    | mav.MAV_PROTOCOL_CAPABILITY_MISSION_INT
    | mav.MAV_PROTOCOL_CAPABILITY_COMMAND_INT
    | mav.MAV_PROTOCOL_CAPABILITY_SET_POSITION_TARGET_LOCAL_NED
    | mav.MAV_PROTOCOL_CAPABILITY_SET_POSITION_TARGET_GLOBAL_INT
    | mav.MAV_PROTOCOL_CAPABILITY_FLIGHT_TERMINATION
    | mav.MAV_PROTOCOL_CAPABILITY_MAVLINK2
    | mav.MAV_PROTOCOL_CAPABILITY_MISSION_FENCE
    | mav.MAV_PROTOCOL_CAPABILITY_MISSION_RALLY
)
"""The real one's 0xFBEF less what is not simulated: file transfer, attitude targets, terrain
data, compass calibration."""
FLIGHT_VERSION = (4 << 24) | (7 << 16)
FLIGHT_HASH = b"90700977"


def heartbeat(ap: Autopilot) -> Message:
    """HEARTBEAT."""
    base = _MODE_BASE
    if ap.armed:
        base |= mav.MAV_MODE_FLAG_SAFETY_ARMED
    holds = ap.mode in NEEDS_POSITION or ap.mode is Mode.LAND
    if (holds and ap.position_good and ap.armed) or ap.mode is Mode.GUIDED:
        base |= mav.MAV_MODE_FLAG_GUIDED_ENABLED
    if ap.t_s < sensors.BARO_READY_S:
        status = mav.MAV_STATE_BOOT
    elif ap.armed and ap.failsafe.any:
        status = mav.MAV_STATE_CRITICAL
    else:
        status = mav.MAV_STATE_STANDBY if ap.landed else mav.MAV_STATE_ACTIVE
    return mav.MAVLink_heartbeat_message(
        mav.MAV_TYPE_QUADROTOR, mav.MAV_AUTOPILOT_ARDUPILOTMEGA, base, int(ap.mode), status, 3
    )


def sys_status(ap: Autopilot) -> Message:
    """SYS_STATUS, with the bits in the order in which a real one sets them."""
    present, enabled, health = SENSORS_PRESENT, SENSORS_ENABLED, SENSORS_HEALTHY
    if ap.t_s >= sensors.GPS_DETECTED_S:
        present, enabled = present | SENSOR_GPS, enabled | SENSOR_GPS
        health |= SENSOR_GPS if ap.estimator.has_fix(ap.t_s) else 0
    if ap.t_s >= sensors.AHRS_HEALTHY_S:
        enabled |= SENSOR_AHRS
        health |= 0 if ap.failsafe.ekf else SENSOR_AHRS
    if ap.mode is not Mode.STABILIZE:
        enabled |= SENSOR_ALTITUDE_CONTROL
        enabled |= SENSOR_POSITION_CONTROL if ap.mode in NEEDS_POSITION else 0
    enabled |= SENSOR_FENCE if ap.fence.enabled else 0
    enabled |= SENSOR_LOGGING if ap.armed else 0
    health |= SENSOR_PREARM if ap.prearm_good() else 0
    health |= SENSOR_FENCE if ap.fence.breached == NO_BREACH else 0
    health |= SENSOR_BATTERY
    if ap.fence.breached != NO_BREACH:
        health &= ~SENSOR_FENCE
    if ap.failsafe.battery:
        health &= ~SENSOR_BATTERY
    battery = ap.battery
    return mav.MAVLink_sys_status_message(
        present,
        enabled,
        health,
        0,
        millivolts(ap),
        min(32767, int(battery.current_a * 100.0)),
        int(battery.charge * 100.0),
        *(0,) * 6,
    )


def ekf_status_report(ap: Autopilot) -> Message:
    """EKF_STATUS_REPORT."""
    lost = ap.estimator.gps_lost_at_s is not None
    variance = 1.0 if ap.failsafe.ekf else 0.3 if lost else 0.005
    return mav.MAVLink_ekf_status_report_message(
        int(ap.estimator.flags(ap.t_s)), variance, variance, 0.002, 0.008, 0.0
    )


def extended_sys_state(ap: Autopilot) -> Message:
    """EXTENDED_SYS_STATE."""
    landed = mav.MAV_LANDED_STATE_IN_AIR
    controller = ap.controller
    if ap.landed:
        landed = mav.MAV_LANDED_STATE_ON_GROUND
    elif isinstance(controller, LandMode) or (
        isinstance(controller, ReturnMode) and isinstance(controller.way.land, Land)
    ):
        landed = mav.MAV_LANDED_STATE_LANDING
    elif isinstance(controller, Guided) and isinstance(controller.task, TakeOff):
        rising = controller.taking_off
        landed = mav.MAV_LANDED_STATE_TAKEOFF if rising else landed
    return mav.MAVLink_extended_sys_state_message(mav.MAV_VTOL_STATE_MC, landed)


def fence_status(ap: Autopilot) -> Message:
    """FENCE_STATUS."""
    fence = ap.fence
    return mav.MAVLink_fence_status_message(
        1 if fence.breached else 0,
        fence.breach_count,
        ap.fence_breach_code(),
        int(fence.breach_at_s * 1000.0),
        1,
    )


def autopilot_version(ap: Autopilot) -> Message:
    """AUTOPILOT_VERSION; the unique id is the vehicle's serial number."""
    uid2 = ap.setup.serial.encode("ascii")[:18].ljust(18, b"\0")
    return mav.MAVLink_autopilot_version_message(
        CAPABILITIES,
        FLIGHT_VERSION,
        0,
        0,
        0,
        list(FLIGHT_HASH),
        [0] * 8,
        [0] * 8,
        0,
        0,
        0,
        list(uid2),
    )
