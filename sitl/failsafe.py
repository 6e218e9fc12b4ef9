"""The failsafes: what is watched, for how long, and what is done about it.

The watchers say when something is wrong; `FailsafeMonitor` chooses the action from the
parameters, as ArduCopter does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitl.fence import KIND_NAMES, NO_BREACH, FenceKind
from sitl.modes import PILOT_MODES, Mode

if TYPE_CHECKING:
    from sitl.autopilot import Autopilot

OPTION_AUTO_ON_RC = 1
OPTION_AUTO_ON_GCS = 2
OPTION_GUIDED_ON_RC = 4
OPTION_LANDING = 8
OPTION_PILOT_ON_GCS = 16

RESPONSES: dict[int, tuple[Mode, ...]] = {
    1: (Mode.LAND,),
    2: (Mode.RTL,),
    3: (Mode.SMART_RTL, Mode.RTL),
    4: (Mode.SMART_RTL,),
}
"""BATT_FS_LOW_ACT's numbering: what is tried in turn; LAND stands behind every list."""
GCS_RESPONSE = {1: 2, 3: 3, 4: 4, 5: 1, 6: 2}
RADIO_RESPONSE = {1: 2, 3: 1, 4: 3, 5: 4}
FENCE_RESPONSE = {1: 2, 2: 1, 3: 3, 5: 4}
"""From the numbering of FS_GCS_ENABLE, FS_THR_ENABLE and FENCE_ACTION to that of RESPONSES."""

GCS_SLACK_S = 0.1
"""The real one acted 4.9 s after the last heartbeat with a limit of 5: its check is earlier."""


@dataclass(slots=True)
class FailsafeMonitor:
    """What is failing now."""

    gcs_heard_at_s: float | None = None
    gcs: bool = False
    radio: bool = False
    radio_lost_at_s: float | None = None
    ekf: bool = False
    battery: bool = False
    battery_critical: bool = False
    _low_since_s: float | None = None
    _critical_since_s: float | None = None

    @property
    def any(self) -> bool:
        """Whether the vehicle reports itself critical."""
        return self.gcs or self.radio or self.ekf or self.battery

    def heard_gcs(self, now_s: float) -> None:
        """A heartbeat of the ground station that counts (MAV_GCS_SYSID)."""
        self.gcs_heard_at_s = now_s

    def update(self, ap: Autopilot) -> None:
        """Looks at everything once."""
        self._watch_gcs(ap)
        self._watch_radio(ap)
        self._watch_battery(ap)
        self._watch_ekf(ap)
        self._watch_fence(ap)

    def _watch_gcs(self, ap: Autopilot) -> None:
        action = int(ap.params["FS_GCS_ENABLE"])
        if action == 0 or self.gcs_heard_at_s is None:
            self.gcs = False
            return
        silent_s = ap.t_s - self.gcs_heard_at_s
        lost = silent_s > ap.params["FS_GCS_TIMEOUT"] - GCS_SLACK_S
        if lost == self.gcs:
            return
        self.gcs = lost
        if not lost:
            ap.say(4, "GCS Failsafe Cleared")
            return
        if not ap.armed:
            return
        ap.say(4, "GCS Failsafe")
        options = int(ap.params["FS_OPTIONS"])
        stays = (ap.mode is Mode.AUTO and options & OPTION_AUTO_ON_GCS) or (
            ap.mode in PILOT_MODES and options & OPTION_PILOT_ON_GCS
        )
        if not stays and action != 2:
            self._act(ap, GCS_RESPONSE.get(action, 2))

    def _watch_radio(self, ap: Autopilot) -> None:
        if not ap.rc.failed:
            self.radio_lost_at_s = None
            if self.radio:
                self.radio = False
                ap.say(4, "Radio Failsafe Cleared")
            return
        if self.radio_lost_at_s is None:
            self.radio_lost_at_s = ap.t_s
        action = int(ap.params["FS_THR_ENABLE"])
        waited_s = ap.t_s - self.radio_lost_at_s
        if self.radio or action == 0 or waited_s < ap.params["RC_FS_TIMEOUT"]:
            return
        self.radio = True
        if not ap.armed:
            return
        ap.say(4, "Radio Failsafe")
        options = int(ap.params["FS_OPTIONS"])
        stays = (ap.mode is Mode.AUTO and options & OPTION_AUTO_ON_RC) or (
            ap.mode is Mode.GUIDED and options & OPTION_GUIDED_ON_RC
        )
        if not stays:
            self._act(ap, RADIO_RESPONSE.get(action, 2))

    def _watch_battery(self, ap: Autopilot) -> None:
        low, self._low_since_s = self._below(ap, "LOW", self._low_since_s)
        critical, self._critical_since_s = self._below(ap, "CRT", self._critical_since_s)
        if low and not self.battery:
            self.battery = True
            self._battery_act(ap, "low", int(ap.params["BATT_FS_LOW_ACT"]))
        if critical and not self.battery_critical:
            self.battery = self.battery_critical = True
            self._battery_act(ap, "critical", int(ap.params["BATT_FS_CRT_ACT"]))

    def _below(self, ap: Autopilot, level: str, since_s: float | None) -> tuple[bool, float | None]:
        volt_limit = ap.params[f"BATT_{level}_VOLT"]
        left_mah = ap.battery.capacity_mah - ap.battery.used_mah
        if 0.0 < ap.params[f"BATT_{level}_MAH"] > left_mah:
            return True, since_s
        if not 0.0 < volt_limit > ap.battery.voltage_v:
            return False, None
        since_s = ap.t_s if since_s is None else since_s
        return ap.t_s - since_s >= ap.params["BATT_LOW_TIMER"], since_s

    def _battery_act(self, ap: Autopilot, word: str, action: int) -> None:
        volts, used = ap.battery.voltage_v, int(ap.battery.used_mah)
        ap.say(4, f"Battery 1 is {word} {volts:.2f}V used {used} mAh")
        if ap.armed:
            ap.say(4, "Battery Failsafe")
            if action:
                self._act(ap, action)

    def _watch_ekf(self, ap: Autopilot) -> None:
        bad = ap.estimator.variance_bad(ap.t_s)
        if bad == self.ekf or (bad and not ap.armed):
            return
        self.ekf = bad
        if not bad:
            ap.say(2, "EKF Failsafe Cleared")
            return
        ap.say(2, "EKF variance")
        if ap.mode_needs_position or int(ap.params["FS_EKF_ACTION"]) == 3:
            ap.say(2, "EKF Failsafe: changed to LAND Mode")
            ap.force_mode(Mode.LAND)

    def _watch_fence(self, ap: Autopilot) -> None:
        fence = ap.fence
        if not fence.enabled or not ap.armed or ap.landed or not ap.position_good:
            return
        found = ap.fence_violations()
        new = found & ~fence.breached
        if found == NO_BREACH and fence.breached != NO_BREACH:
            fence.breached, fence.recovering = NO_BREACH, False
            ap.say(5, "Fence breach cleared")
            return
        fence.breached = found
        if new == NO_BREACH:
            return
        fence.breach_count += 1
        fence.breach_at_s = ap.t_s
        for kind in FenceKind:
            if kind in new:
                ap.say(5, f"{KIND_NAMES[kind]} fence breached")
        self._fence_act(ap)

    def _fence_act(self, ap: Autopilot) -> None:
        if ap.fence.recovering:
            return
        action = int(ap.params["FENCE_ACTION"])
        if action == 0 or ap.mode is Mode.LAND:
            return
        if action == 4:
            ap.change_mode(Mode.BRAKE)
        else:
            self._act(ap, FENCE_RESPONSE.get(action, 2))

    def _act(self, ap: Autopilot, action: int) -> None:
        """Takes the first response that the state allows."""
        if ap.landed:
            ap.disarm()
            return
        if ap.mode is Mode.LAND and int(ap.params["FS_OPTIONS"]) & OPTION_LANDING:
            return
        for mode in RESPONSES.get(action, (Mode.RTL,)):
            if ap.mode is mode or ap.change_mode(mode, quietly=True):
                return
        ap.force_mode(Mode.LAND)
