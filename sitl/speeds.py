"""How fast a vehicle may go: parameters, and what DO_CHANGE_SPEED set over them."""

from __future__ import annotations

from sitl.dynamics import clamp
from sitl.navigation import Limits
from sitl.params import ParameterStore

FASTEST_MPS = 20.0
"""ArduCopter's ranges of the WPNAV and LAND parameters bound the others."""


class Speeds:
    """The limits in force, worked out anew only when something changed."""

    def __init__(self, params: ParameterStore) -> None:
        self._params = params
        self._horizontal_mps: float | None = None
        self._up_mps: float | None = None
        self._down_mps: float | None = None
        self._returning = False
        self._limits: Limits | None = None

    def change(
        self,
        *,
        horizontal_mps: float | None = None,
        up_mps: float | None = None,
        down_mps: float | None = None,
    ) -> None:
        """Overrides what is given until the mode changes."""
        self._horizontal_mps = horizontal_mps or self._horizontal_mps
        self._up_mps = up_mps or self._up_mps
        self._down_mps = down_mps or self._down_mps
        self._limits = None

    def reset(self, *, returning: bool) -> None:
        """Forgets overrides: a mode was entered; RTL has a cruise speed of its own."""
        self._horizontal_mps = self._up_mps = self._down_mps = None
        self._returning = returning
        self._limits = None

    def params_changed(self) -> None:
        """Reads the parameters anew."""
        self._limits = None

    def limits(self) -> Limits:
        """The speeds and accelerations in force."""
        if self._limits is None:
            self._limits = self._work_out()
        return self._limits

    def _work_out(self) -> Limits:
        params = self._params
        own_cruise = self._returning and params["RTL_SPEED"] > 0
        cruise = params["RTL_SPEED"] if own_cruise else params["WPNAV_SPEED"]
        return Limits(
            speed_mps=clamp(self._horizontal_mps or cruise / 100.0, 0.2, FASTEST_MPS),
            up_mps=clamp(self._up_mps or params["WPNAV_SPEED_UP"] / 100.0, 0.1, 10.0),
            down_mps=clamp(self._down_mps or params["WPNAV_SPEED_DN"] / 100.0, 0.1, 5.0),
            accel_mps2=clamp(params["WPNAV_ACCEL"] / 100.0, 0.5, 5.0),
            accel_up_mps2=clamp(params["WPNAV_ACCEL_Z"] / 100.0, 0.5, 5.0),
            corner_m=clamp(params["WPNAV_RADIUS"] / 100.0, 0.05, 10.0),
        )

    def land_speed_mps(self, height_m: float) -> float:
        """How fast to descend for landing at a height above home."""
        params = self._params
        if height_m > params["LAND_ALT_LOW"] / 100.0:
            high = params["LAND_SPEED_HIGH"] or params["WPNAV_SPEED_DN"]
            return clamp(high / 100.0, 0.1, 5.0)
        return clamp(params["LAND_SPEED"] / 100.0, 0.1, 2.0)
