"""The gimbal and the shutter: where the camera looks and when it fires."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto

from sitl.dynamics import clamp, wrap_pi

GIMBAL_RATE_RAD_S = math.radians(90.0)
GIMBAL_YAW_FREE_RAD = math.radians(30.0)
"""How far the stabiliser may turn the camera off the nose to hold a point."""
GIMBAL_YAW_GAIN_PER_S = 4.0


class Aim(Enum):
    """What the gimbal holds."""

    ANGLES = auto()
    POINT = auto()


@dataclass(slots=True)
class Gimbal:
    """A three-axis stabilised camera mount: level in roll, its pitch free of the airframe's.

    Angles are of the earth frame; yaw_rad is the camera's offset from the nose.
    """

    pitch_min_rad: float = math.radians(-90.0)
    pitch_max_rad: float = math.radians(20.0)
    pitch_rad: float = 0.0
    yaw_off_nose_rad: float = 0.0
    aim: Aim = Aim.ANGLES
    want_pitch_rad: float = 0.0
    want_yaw_rad: float = 0.0
    holder: tuple[int, int] = (0, 0)
    """System and component that have primary control; (0, 0) nobody."""
    yaw_locked: bool = False
    """Whether want_yaw_rad is a bearing (else an angle off the nose)."""
    point_m: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def point_at(self, east_m: float, north_m: float, up_m: float) -> None:
        """Holds a place in view from now on."""
        self.aim = Aim.POINT
        self.point_m = (east_m, north_m, up_m)

    def hold_angles(self, pitch_rad: float, yaw_rad: float, *, yaw_locked: bool) -> None:
        """Holds angles from now on."""
        self.aim = Aim.ANGLES
        self.want_pitch_rad = clamp(pitch_rad, self.pitch_min_rad, self.pitch_max_rad)
        self.want_yaw_rad = yaw_rad
        self.yaw_locked = yaw_locked

    def release(self) -> None:
        """Forgets a point that was held; the angles before it come back."""
        self.aim = Aim.ANGLES

    def step(
        self, position_m: tuple[float, float, float], nose_yaw_rad: float, dt_s: float
    ) -> None:
        """Turns towards what is wanted, as fast as the motors allow."""
        pitch, off_nose = self._wanted(position_m, nose_yaw_rad)
        off_nose = clamp(wrap_pi(off_nose), -GIMBAL_YAW_FREE_RAD, GIMBAL_YAW_FREE_RAD)
        most = GIMBAL_RATE_RAD_S * dt_s
        self.pitch_rad += clamp(pitch - self.pitch_rad, -most, most)
        self.yaw_off_nose_rad += clamp(off_nose - self.yaw_off_nose_rad, -most, most)

    def _wanted(
        self, position_m: tuple[float, float, float], nose_yaw_rad: float
    ) -> tuple[float, float]:
        if self.aim is Aim.ANGLES:
            off = self.want_yaw_rad - (nose_yaw_rad if self.yaw_locked else 0.0)
            return self.want_pitch_rad, off
        east = self.point_m[0] - position_m[0]
        north = self.point_m[1] - position_m[1]
        up = self.point_m[2] - position_m[2]
        pitch = math.atan2(up, math.hypot(east, north))
        pitch = clamp(pitch, self.pitch_min_rad, self.pitch_max_rad)
        return pitch, math.atan2(east, north) - nose_yaw_rad


@dataclass(slots=True)
class Shutter:
    """When the camera fires by itself: by distance flown or by time."""

    distance_m: float = 0.0
    interval_s: float = 0.0
    left: int = 0
    """Photos still to take by interval; -1 without end."""
    count: int = 0
    reports: dict[int, object] = field(default_factory=dict)
    """CAMERA_IMAGE_CAPTURED of each photo by its number from 0, for whoever missed it."""
    _last_m: tuple[float, float] | None = None
    _next_at_s: float = 0.0

    def by_distance(self, distance_m: float) -> None:
        """Fires each time so far has been flown; 0 stops."""
        self.distance_m = max(0.0, distance_m)
        self._last_m = None

    def by_interval(self, interval_s: float, total: int, now_s: float) -> None:
        """Fires each interval from the next on, a number of times (0: without end)."""
        self.interval_s = interval_s
        self.left = total if total > 0 else -1
        self._next_at_s = now_s + interval_s

    def stop(self) -> None:
        """Ends firing by interval."""
        self.left = 0

    def due(self, now_s: float, east_m: float, north_m: float) -> bool:
        """Whether the camera should fire now."""
        return self._due_by_time(now_s) or self._due_by_distance(east_m, north_m)

    def _due_by_distance(self, east_m: float, north_m: float) -> bool:
        if self.distance_m <= 0.0:
            return False
        if self._last_m is None:
            self._last_m = (east_m, north_m)
            return False
        flown = math.hypot(east_m - self._last_m[0], north_m - self._last_m[1])
        if flown < self.distance_m:
            return False
        self._last_m = (east_m, north_m)
        return True

    def _due_by_time(self, now_s: float) -> bool:
        if self.left == 0 or now_s < self._next_at_s:
            return False
        self._next_at_s += self.interval_s
        self.left -= 1 if self.left > 0 else 0
        return True
