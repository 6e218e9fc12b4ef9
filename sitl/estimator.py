"""What the vehicle knows of itself: start-up of the sensors, GPS errors, and their failure.

The times are those of a real ArduCopter 4.7 from power-on (seconds of its own clock).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import IntFlag

BARO_READY_S = 1.5
AHRS_READY_S = 2.3
EKF_ACTIVE_S = 4.3
TILT_ALIGNED_S = 5.5
YAW_ALIGNED_S = 5.8
GPS_DETECTED_S = 9.7
GPS_FIX_S = 10.0
ORIGIN_SET_S = 19.8
AHRS_HEALTHY_S = 22.5
PREARM_GOOD_S = 23.5
"""When every check passes but the position estimate's: the bit is true in STABILIZE."""
USING_GPS_S = 41.3

GPS_LOSS_TO_FAULT_S = 7.3
"""From the last fix until the filter stops claiming a position."""
GPS_LOSS_TO_FAILSAFE_S = 8.0
GPS_RETURN_TO_USE_S = 0.5
GPS_RETURN_TO_CLEAR_S = 1.4

START_TEXTS: tuple[tuple[float, int, str], ...] = (
    (0.1, 7, "RCInput: decoding UDP (Pulses)"),
    (0.15, 6, "Calibrating barometer"),
    (1.4, 6, "Barometer 1 calibration complete"),
    (1.45, 6, "Barometer 2 calibration complete"),
    (1.95, 6, "ArduPilot Ready"),
    (1.95, 6, "AHRS: DCM active"),
    (EKF_ACTIVE_S, 6, "EKF3 IMU0 initialised"),
    (EKF_ACTIVE_S, 6, "EKF3 IMU1 initialised"),
    (EKF_ACTIVE_S, 6, "AHRS: EKF3 active"),
    (TILT_ALIGNED_S, 6, "EKF3 IMU0 tilt alignment complete"),
    (TILT_ALIGNED_S, 6, "EKF3 IMU1 tilt alignment complete"),
    (YAW_ALIGNED_S, 6, "EKF3 IMU0 MAG0 initial yaw alignment complete"),
    (YAW_ALIGNED_S, 6, "EKF3 IMU1 MAG0 initial yaw alignment complete"),
    (GPS_DETECTED_S - 0.1, 6, "GPS 1: probing for u-blox at 230400 baud"),
    (GPS_DETECTED_S, 6, "GPS 1: detected u-blox"),
    (ORIGIN_SET_S, 6, "EKF3 IMU0 origin set"),
    (ORIGIN_SET_S + 0.2, 6, "EKF3 IMU1 origin set"),
    (USING_GPS_S, 6, "EKF3 IMU0 is using GPS"),
    (USING_GPS_S + 0.2, 6, "EKF3 IMU1 is using GPS"),
)
"""Time, severity, text; "Field Elevation Set" carries a figure and is told with the origin."""


class EkfFlag(IntFlag):
    """EKF_STATUS_REPORT.flags."""

    ATTITUDE = 1
    VELOCITY_HORIZ = 2
    VELOCITY_VERT = 4
    POS_HORIZ_REL = 8
    POS_HORIZ_ABS = 16
    POS_VERT_ABS = 32
    CONST_POS_MODE = 128
    PRED_POS_HORIZ_REL = 256
    PRED_POS_HORIZ_ABS = 512
    UNINITIALISED = 1024


_ALIGNED = (
    EkfFlag.ATTITUDE
    | EkfFlag.VELOCITY_HORIZ
    | EkfFlag.VELOCITY_VERT
    | EkfFlag.POS_VERT_ABS
    | EkfFlag.CONST_POS_MODE
)
_USING_GPS = (
    EkfFlag.ATTITUDE
    | EkfFlag.VELOCITY_HORIZ
    | EkfFlag.VELOCITY_VERT
    | EkfFlag.POS_HORIZ_REL
    | EkfFlag.POS_HORIZ_ABS
    | EkfFlag.POS_VERT_ABS
    | EkfFlag.PRED_POS_HORIZ_REL
    | EkfFlag.PRED_POS_HORIZ_ABS
)
_LOST = EkfFlag.ATTITUDE | EkfFlag.VELOCITY_VERT | EkfFlag.POS_VERT_ABS


@dataclass(frozen=True, slots=True)
class GpsQuality:
    """Errors of the position: standard deviations and how slowly they wander.

    The defaults are those of a multi-band receiver with RTK corrections, whose fixed solution
    GPS_RAW_INT reports as fix type 6.
    """

    horizontal_m: float = 0.02
    vertical_m: float = 0.03
    wander_s: float = 60.0


@dataclass(slots=True)
class Estimator:
    """The state of GPS and filter, and the slowly wandering error of the estimate."""

    quality: GpsQuality = field(default_factory=GpsQuality)
    error_east_m: float = 0.0
    error_north_m: float = 0.0
    error_up_m: float = 0.0
    gps_present: bool = True
    gps_lost_at_s: float | None = None
    gps_back_at_s: float | None = None
    _failed: bool = False

    def update(self, t_s: float, dt_s: float, gps_enabled: bool, rng: random.Random) -> None:
        """Lets errors wander and follows the receiver's outages."""
        if not gps_enabled and self.gps_present:
            self.gps_lost_at_s, self.gps_back_at_s = t_s, None
        elif gps_enabled and not self.gps_present:
            self.gps_back_at_s = t_s
        self.gps_present = gps_enabled
        self._follow_outage(t_s)
        if t_s >= GPS_FIX_S:
            self._wander(dt_s, rng)

    def _follow_outage(self, t_s: float) -> None:
        if self.gps_lost_at_s is None:
            return
        if self.gps_present and self.gps_back_at_s is not None:
            if not self._failed or t_s - self.gps_back_at_s >= GPS_RETURN_TO_CLEAR_S:
                self.gps_lost_at_s, self._failed = None, False
        elif t_s - self.gps_lost_at_s >= GPS_LOSS_TO_FAULT_S:
            self._failed = True

    def _wander(self, dt_s: float, rng: random.Random) -> None:
        quality = self.quality
        keep = math.exp(-dt_s / quality.wander_s)
        spread = math.sqrt(1.0 - keep * keep)
        across, along = spread * quality.horizontal_m, spread * quality.vertical_m
        self.error_east_m = keep * self.error_east_m + across * rng.gauss(0.0, 1.0)
        self.error_north_m = keep * self.error_north_m + across * rng.gauss(0.0, 1.0)
        self.error_up_m = keep * self.error_up_m + along * rng.gauss(0.0, 1.0)

    def has_fix(self, t_s: float) -> bool:
        """Whether the receiver reports a position now."""
        return t_s >= GPS_FIX_S and self.gps_present

    def position_good(self, t_s: float) -> bool:
        """Whether the filter claims an absolute horizontal position."""
        if t_s < USING_GPS_S:
            return False
        if not self._failed:
            return True
        back = self.gps_back_at_s
        return self.gps_present and back is not None and t_s - back >= GPS_RETURN_TO_USE_S

    def variance_bad(self, t_s: float) -> bool:
        """Whether the outage has lasted long enough for the failsafe."""
        return (
            t_s >= USING_GPS_S
            and self.gps_lost_at_s is not None
            and (self._failed or not self.gps_present)
            and t_s - self.gps_lost_at_s >= GPS_LOSS_TO_FAILSAFE_S
        )

    def flags(self, t_s: float) -> EkfFlag:
        """The filter's own account of itself."""
        if t_s < EKF_ACTIVE_S:
            return EkfFlag.UNINITIALISED
        if t_s < YAW_ALIGNED_S:
            return EkfFlag(0)
        if t_s < USING_GPS_S:
            return _ALIGNED
        return _USING_GPS if self.position_good(t_s) else _LOST
