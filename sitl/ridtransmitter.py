"""A Remote ID transmitter wired to the autopilot: what it says of itself, once a second.

A module of the ArduRemoteID kind is a component of the vehicle (MAV_COMP_ID_ODID_TXRX_1) and sends
OPEN_DRONE_ID_ARM_STATUS, which the autopilot passes on to its ground stations; on a serial line of
its own also HEARTBEAT, which dronekit takes for the vehicle's.
``SIM_ODID``: 0 says nothing, 1 is ready to arm, 2 says that it is not, 3 sends heartbeats alone, 4
is ready to arm and sends heartbeats, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.channel import Channel
from sitl.telemetry import Message

COMPONENT = mav.MAV_COMP_ID_ODID_TXRX_1
INTERVAL_S = 1.0
FAULT = b"missing operator location"


class Health(IntEnum):
    """SIM_ODID."""

    SILENT = 0
    READY = 1
    NOT_READY = 2
    MUTE = 3
    READY_WITH_HEARTBEAT = 4


@dataclass(slots=True)
class Transmitter:
    """One module; it knows what time it is and nothing else of the vehicle."""

    due_s: float = INTERVAL_S

    def poll(self, now_s: float, health: int, channels: Iterable[Channel]) -> None:
        """Sends what is due to every connection."""
        if now_s < self.due_s:
            return
        self.due_s = now_s + INTERVAL_S
        for message in messages(health):
            for channel in channels:
                channel.send(message, component=COMPONENT)


def messages(health: int) -> list[Message]:
    """What a module in that state sends each second."""
    said: list[Message] = []
    if health in (Health.MUTE, Health.READY_WITH_HEARTBEAT):
        idle = (mav.MAV_TYPE_ODID, mav.MAV_AUTOPILOT_INVALID, 0, 0, mav.MAV_STATE_ACTIVE, 3)
        said.append(mav.MAVLink_heartbeat_message(*idle))
    if health in (Health.READY, Health.READY_WITH_HEARTBEAT):
        said.append(mav.MAVLink_open_drone_id_arm_status_message(0, b""))
    if health == Health.NOT_READY:
        said.append(mav.MAVLink_open_drone_id_arm_status_message(1, FAULT))
    return said
