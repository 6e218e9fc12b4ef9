"""What the vehicle is to tell by itself, and which of it has fallen silent.

An acknowledgement names a command, not what it asked for: a late echo of the request for one
message can stand for the request for the next one, which was lost.  What was heard is the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from droneteam.missions.mavlink.messages import (
    Attitude,
    CommandId,
    CommandLong,
    EkfStatus,
    GpsFix,
    Inbound,
    MissionCurrent,
    Position,
    SystemStatus,
)

RATES_HZ = (
    (33, 5.0),  # GLOBAL_POSITION_INT
    (30, 10.0),  # ATTITUDE
    (1, 2.0),  # SYS_STATUS
    (2, 1.0),  # SYSTEM_TIME
    (24, 1.0),  # GPS_RAW_INT
    (193, 1.0),  # EKF_STATUS_REPORT
    (42, 2.0),  # MISSION_CURRENT
    (147, 1.0),  # BATTERY_STATUS
    (242, 0.5),  # HOME_POSITION
    (262, 0.5),  # CAMERA_CAPTURE_STATUS
    (259, 0.02),  # CAMERA_INFORMATION, at once and then every 50 s
    (285, 5.0),  # GIMBAL_DEVICE_ATTITUDE_STATUS
)
"""Message ids and rates asked for: 27 messages per second instead of 118."""
NEEDED: Mapping[type, int] = {
    Position: 33,
    SystemStatus: 1,
    GpsFix: 24,
    EkfStatus: 193,
    MissionCurrent: 42,
    Attitude: 30,
}
"""What checks, failsafes and the pilot's screen rest on, and every autopilot sends."""


def asking_for(message_id: int, rate_hz: float) -> CommandLong:
    """The command that makes the vehicle send one message at a rate."""
    return CommandLong(CommandId.SET_MESSAGE_INTERVAL, (float(message_id), 1e6 / rate_hz))


@dataclass(frozen=True, slots=True)
class StreamWatch:
    """When each needed message was last heard, on the link's clock.

    since_s : when the watch began, or the link came back, None before; asked_at_s : when silent
    ones were last asked for; blind : whether the pilot was told that positions do not come.
    """

    heard_at_s: Mapping[int, float] = field(default_factory=dict)
    since_s: float | None = None
    asked_at_s: float = 0.0
    blind: bool = False

    def after(self, message: Inbound, now_s: float) -> StreamWatch:
        """The watch with one more message."""
        message_id = NEEDED.get(type(message))
        if message_id is None:
            return self
        return replace(self, heard_at_s={**self.heard_at_s, message_id: now_s})

    def begun(self, now_s: float) -> StreamWatch:
        """The watch from now on: an earlier silence is not the vehicle's."""
        return replace(self, since_s=now_s, asked_at_s=now_s)

    def silence_s(self, message_id: int, now_s: float) -> float:
        """For how long a message has not come; 0 before the watch begins."""
        if self.since_s is None:
            return 0.0
        return now_s - max(self.since_s, self.heard_at_s.get(message_id, self.since_s))

    def silent(self, now_s: float, longer_than_s: float) -> tuple[int, ...]:
        """The needed messages that have not come for so long."""
        ids = NEEDED.values()
        return tuple(one for one in ids if self.silence_s(one, now_s) >= longer_than_s)
