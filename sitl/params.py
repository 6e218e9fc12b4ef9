"""The parameters: ArduCopter's names, types and defaults.

Defaults are those of ArduCopter 4.7, except where the airframe differs: a camera and a gimbal
are fitted (`CAM1_TYPE`, `MNT1_TYPE`) and the pack is larger (`BATT_CAPACITY`).  Speeds, heights,
arming, fence, failsafe, gimbal and SIM_ parameters are obeyed; the others are kept and told, so
that a controller can set and read back its profile.  A name that is not listed gets no reply, as
on the real one.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class ParamType(IntEnum):
    """MAV_PARAM_TYPE of the types that ArduPilot uses."""

    INT8 = 2
    INT16 = 4
    INT32 = 6
    REAL32 = 9


_RANGES = {
    ParamType.INT8: (-128, 127),
    ParamType.INT16: (-32768, 32767),
    ParamType.INT32: (-(2**31), 2**31 - 1),
}

REAL32_MAX = 3.4028234e38

_INT8, _INT16, _INT32, _REAL = ParamType.INT8, ParamType.INT16, ParamType.INT32, ParamType.REAL32

DEFAULTS: tuple[tuple[str, ParamType, float], ...] = (
    ("FORMAT_VERSION", _INT16, 120),
    ("MAV_SYSID", _INT16, 1),
    ("MAV_GCS_SYSID", _INT16, 255),
    ("FRAME_CLASS", _INT8, 1),
    ("FRAME_TYPE", _INT8, 0),
    ("INITIAL_MODE", _INT8, 0),
    ("FLTMODE_CH", _INT8, 5),
    ("FLTMODE1", _INT8, 7),
    ("FLTMODE2", _INT8, 9),
    ("FLTMODE3", _INT8, 6),
    ("FLTMODE4", _INT8, 3),
    ("FLTMODE5", _INT8, 5),
    ("FLTMODE6", _INT8, 0),
    ("ARMING_CHECK", _INT32, 1),
    ("ARMING_NEED_LOC", _INT8, 0),
    ("ARMING_OPTIONS", _INT32, 0),
    ("DISARM_DELAY", _INT8, 10),
    ("AUTO_OPTIONS", _INT32, 0),
    ("GUID_OPTIONS", _INT32, 0),
    ("GUID_TIMEOUT", _REAL, 3.0),
    ("MIS_TOTAL", _INT16, 0),
    ("MIS_RESTART", _INT8, 0),
    ("MIS_OPTIONS", _INT16, 0),
    ("ANGLE_MAX", _INT16, 3000),
    ("WPNAV_SPEED", _REAL, 1000.0),
    ("WPNAV_SPEED_UP", _REAL, 250.0),
    ("WPNAV_SPEED_DN", _REAL, 150.0),
    ("WPNAV_RADIUS", _REAL, 200.0),
    ("WPNAV_ACCEL", _REAL, 250.0),
    ("WPNAV_ACCEL_Z", _REAL, 100.0),
    ("WP_YAW_BEHAVIOR", _INT8, 2),
    ("ATC_SLEW_YAW", _REAL, 6000.0),
    ("LOIT_SPEED", _REAL, 1250.0),
    ("LOIT_ACC_MAX", _REAL, 500.0),
    ("LOIT_BRK_ACCEL", _REAL, 250.0),
    ("PILOT_SPEED_UP", _INT16, 250),
    ("PILOT_SPEED_DN", _INT16, 0),
    ("PILOT_TKOFF_ALT", _REAL, 0.0),
    ("PILOT_Y_RATE", _REAL, 202.5),
    ("LAND_SPEED", _INT16, 50),
    ("LAND_SPEED_HIGH", _INT16, 0),
    ("LAND_ALT_LOW", _INT16, 1000),
    ("LAND_REPOSITION", _INT8, 1),
    ("RTL_ALT", _INT32, 1500),
    ("RTL_ALT_FINAL", _INT16, 0),
    ("RTL_ALT_TYPE", _INT8, 0),
    ("RTL_CLIMB_MIN", _INT16, 0),
    ("RTL_CONE_SLOPE", _REAL, 3.0),
    ("RTL_LOIT_TIME", _INT32, 5000),
    ("RTL_OPTIONS", _INT32, 0),
    ("RTL_SPEED", _INT16, 0),
    ("SRTL_ACCURACY", _REAL, 2.0),
    ("SRTL_OPTIONS", _INT32, 0),
    ("SRTL_POINTS", _INT16, 300),
    ("RALLY_TOTAL", _INT8, 0),
    ("RALLY_LIMIT_KM", _REAL, 0.3),
    ("RALLY_INCL_HOME", _INT8, 1),
    ("FENCE_ENABLE", _INT8, 0),
    ("FENCE_TYPE", _REAL, 7.0),
    ("FENCE_ACTION", _INT8, 1),
    ("FENCE_ALT_MAX", _REAL, 100.0),
    ("FENCE_ALT_MIN", _REAL, -10.0),
    ("FENCE_RADIUS", _REAL, 300.0),
    ("FENCE_MARGIN", _REAL, 2.0),
    ("FENCE_TOTAL", _INT8, 0),
    ("FENCE_AUTOENABLE", _INT8, 0),
    ("FENCE_OPTIONS", _INT16, 0),
    ("FS_GCS_ENABLE", _INT8, 0),
    ("FS_GCS_TIMEOUT", _REAL, 5.0),
    ("FS_THR_ENABLE", _INT8, 1),
    ("FS_THR_VALUE", _INT16, 975),
    ("FS_EKF_ACTION", _INT8, 1),
    ("FS_EKF_THRESH", _REAL, 0.8),
    ("FS_OPTIONS", _INT32, 16),
    ("FS_CRASH_CHECK", _INT8, 1),
    ("RC_FS_TIMEOUT", _REAL, 1.0),
    ("RC_OVERRIDE_TIME", _REAL, 3.0),
    ("BATT_MONITOR", _INT8, 4),
    ("BATT_CAPACITY", _INT32, 10000),
    ("BATT_LOW_VOLT", _REAL, 10.5),
    ("BATT_LOW_MAH", _REAL, 0.0),
    ("BATT_LOW_TIMER", _INT8, 10),
    ("BATT_CRT_VOLT", _REAL, 0.0),
    ("BATT_CRT_MAH", _REAL, 0.0),
    ("BATT_FS_LOW_ACT", _INT8, 0),
    ("BATT_FS_CRT_ACT", _INT8, 0),
    ("BATT_ARM_VOLT", _REAL, 0.0),
    ("BATT_ARM_MAH", _INT32, 0),
    ("BATT_SERIAL_NUM", _INT32, -1),
    ("GPS1_TYPE", _INT8, 1),
    ("GPS_HDOP_GOOD", _INT16, 140),
    ("AHRS_EKF_TYPE", _INT8, 3),
    ("EK3_ENABLE", _INT8, 1),
    ("EK3_SRC1_POSXY", _INT8, 3),
    ("EK3_SRC1_POSZ", _INT8, 1),
    ("COMPASS_ENABLE", _INT8, 1),
    ("COMPASS_USE", _INT8, 1),
    ("CAM1_TYPE", _INT8, 1),
    ("CAM1_TRIGG_DIST", _REAL, 0.0),
    ("CAM1_INTRVAL_MIN", _REAL, 0.0),
    ("CAM_AUTO_ONLY", _INT8, 0),
    ("CAM_MAX_ROLL", _INT16, 0),
    ("MNT1_TYPE", _INT8, 1),
    ("MNT1_DEFLT_MODE", _INT8, 3),
    ("MNT1_PITCH_MIN", _INT16, -90),
    ("MNT1_PITCH_MAX", _INT16, 20),
    ("MNT1_YAW_MIN", _INT16, -180),
    ("MNT1_YAW_MAX", _INT16, 180),
    ("MNT1_NEUTRAL_Y", _REAL, 0.0),
    ("LOG_DISARMED", _INT8, 0),
    ("LOG_FILE_DSRMROT", _INT8, 0),
    ("LOG_BITMASK", _INT32, 180222),
    ("DID_ENABLE", _INT8, 0),
    ("BRD_SERIAL_NUM", _INT32, 0),
    ("STAT_BOOTCNT", _INT16, 1),
    ("STAT_RUNTIME", _INT32, 0),
    ("STAT_FLTTIME", _INT32, 0),
    ("SIM_GPS1_ENABLE", _INT8, 1),
    ("SIM_GPS1_NUMSATS", _INT8, 10),
    ("SIM_BATT_VOLTAGE", _REAL, 12.6),
    ("SIM_WIND_SPD", _REAL, 0.0),
    ("SIM_WIND_DIR", _REAL, 180.0),
    ("SIM_WIND_TURB", _REAL, 0.0),
    ("SIM_RC_FAIL", _INT8, 0),
    ("SIM_CAM_V2", _INT8, 0),
    ("SIM_ODID", _INT8, 0),
    ("SIM_SPEEDUP", _REAL, 1.0),
)
"""Name, type and default; the order is the index that the list protocol reports."""


@dataclass(slots=True)
class Param:
    """One parameter with its place in the list."""

    name: str
    index: int
    type: ParamType
    value: float


def as_stored(value: float, type_: ParamType) -> float:
    """The value as the vehicle keeps it: integers rounded and clipped, reals in 32 bits."""
    if type_ is ParamType.REAL32:
        bounded = min(max(value, -REAL32_MAX), REAL32_MAX)
        return float(struct.unpack("<f", struct.pack("<f", bounded))[0])
    low, high = _RANGES[type_]
    return float(min(max(round(value), low), high))


class ParameterStore:
    """The vehicle's parameters by name and by index."""

    def __init__(self, overrides: dict[str, float] | None = None) -> None:
        self._list = [
            Param(name, index, type_, as_stored(value, type_))
            for index, (name, type_, value) in enumerate(DEFAULTS)
        ]
        self._by_name = {param.name: param for param in self._list}
        for name, value in (overrides or {}).items():
            self.set(name, value)

    def __getitem__(self, name: str) -> float:
        return self._by_name[name].value

    def __len__(self) -> int:
        return len(self._list)

    def __iter__(self) -> Iterator[Param]:
        return iter(self._list)

    def find(self, name: str) -> Param | None:
        """The parameter of that name, if the vehicle has it."""
        return self._by_name.get(name)

    def at(self, index: int) -> Param | None:
        """The parameter at a place of the list, if there is one."""
        return self._list[index] if 0 <= index < len(self._list) else None

    def set(self, name: str, value: float) -> Param | None:
        """The parameter with its new value; None when the vehicle has none of that name.

        What is not finite is not stored: the old value stays, and the answer says so.
        """
        param = self._by_name.get(name)
        if param is not None and math.isfinite(value):
            param.value = as_stored(value, param.type)
        return param
