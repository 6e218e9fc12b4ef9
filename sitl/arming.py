"""The checks before the motors may turn, in the words of the real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitl.estimator import PREARM_GOOD_S
from sitl.fence import NO_BREACH, FenceKind
from sitl.modes import ARMABLE, AUTO_OPTION_ALLOW_ARMING, NEEDS_POSITION, Mode, stick

if TYPE_CHECKING:
    from sitl.autopilot import Autopilot

FORCE_MAGIC = 21196.0
"""COMMAND_LONG's second parameter that skips the checks."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the checks look at."""

    mode: Mode
    auto_options: int
    checks_on: bool
    sensors_good: bool
    gps_fix: bool
    position_good: bool
    rc_lost: bool
    throttle_us: float
    fence_enabled: bool
    fence_breached: FenceKind
    fence_needs_position: bool
    battery_failsafe: bool
    battery_v: float
    battery_arm_v: float


def prearm_failures(ready: Readiness) -> list[str]:
    """What keeps the vehicle from being armed; empty when the pre-arm bit is set."""
    if not ready.checks_on:
        return []
    failures = []
    if not ready.sensors_good:
        failures.append("AHRS: not using configured AHRS type")
    if ready.rc_lost:
        failures.append("Radio failsafe on")
    if ready.battery_failsafe:
        failures.append("Battery failsafe")
    elif ready.battery_v < ready.battery_arm_v:
        failures.append("Battery 1 below minimum arming voltage")
    if ready.mode in NEEDS_POSITION and ready.sensors_good and not ready.position_good:
        failures.append("Need Position Estimate" if ready.gps_fix else "GPS 1: Bad fix")
    elif ready.fence_enabled and ready.fence_needs_position and not ready.position_good:
        failures.append("Fence requires position")
    if ready.fence_enabled and ready.position_good and ready.fence_breached != NO_BREACH:
        failures.append("vehicle outside Fence")
    return failures


def arm_failures(ready: Readiness) -> list[str]:
    """What keeps the motors from starting now."""
    failures = prearm_failures(ready)
    armable = ready.mode in ARMABLE or (
        ready.mode is Mode.AUTO and ready.auto_options & AUTO_OPTION_ALLOW_ARMING
    )
    if not armable:
        failures.append("Mode not armable")
    if ready.mode is not Mode.GUIDED and ready.mode is not Mode.AUTO and ready.checks_on:
        high = stick(ready.throttle_us) > (-0.9 if ready.mode is Mode.STABILIZE else 0.0)
        if high:
            failures.append("Throttle too high")
    return failures


def readiness_of(ap: Autopilot) -> Readiness:
    """What the checks look at, of a vehicle now."""
    polygons = ap.fence_items.valid and ap.fence_items.count() > 0
    kinds = FenceKind(int(ap.params["FENCE_TYPE"]) & 15)
    needs = FenceKind.CIRCLE in kinds or (FenceKind.POLYGON in kinds and polygons)
    return Readiness(
        mode=ap.mode,
        auto_options=int(ap.params["AUTO_OPTIONS"]),
        checks_on=ap.params["ARMING_CHECK"] != 0,
        sensors_good=ap.t_s >= PREARM_GOOD_S,
        gps_fix=ap.estimator.has_fix(ap.t_s),
        position_good=ap.position_good,
        rc_lost=ap.rc.failed,
        throttle_us=ap.rc.sticks_us[2],
        fence_enabled=ap.fence.enabled,
        fence_breached=ap.fence_violations() if ap.position_good else NO_BREACH,
        fence_needs_position=needs,
        battery_failsafe=ap.failsafe.battery,
        battery_v=ap.battery.voltage_v,
        battery_arm_v=ap.params["BATT_ARM_VOLT"],
    )
