"""One ground station's connection to one vehicle: frames in, frames out, and its own rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.autopilot import Autopilot
from sitl.streams import BUILDERS, NEEDS_FENCE, NEEDS_HOME, Builder
from sitl.telemetry import Message

HEARTBEAT_S = 1.0
TIMESYNC_S = 10.0
FASTEST_S, SLOWEST_S = 0.02, 2000.0
PARAMS_PER_POLL = 40
"""PARAM_REQUEST_LIST is answered in portions, so that other traffic gets through."""
AUTOPILOT_COMPONENT = 1


@dataclass(slots=True)
class _Stream:
    builder: Builder
    interval_s: float
    due_s: float


class Channel:
    """What ArduPilot calls a MAVLink channel."""

    def __init__(self, number: int, sysid: int, send: Callable[[bytes], None]) -> None:
        self.number = number
        self._send = send
        self._mav = mav.MAVLink(None, srcSystem=sysid, srcComponent=AUTOPILOT_COMPONENT)
        self._mav.robust_parsing = True
        self._streams: dict[int, _Stream] = {}
        self._next_due_s = 0.0
        self._heartbeat_due_s = 0.0
        self._timesync_due_s = TIMESYNC_S
        self._param_next: int | None = None
        self._next_seq: dict[int, int] = {}
        """Each component numbers its own frames."""

    def parse(self, data: bytes) -> Iterator[Message]:
        """The whole messages in the bytes that have come so far; bad ones are dropped."""
        for message in self._mav.parse_buffer(data) or ():
            if message.get_type() != "BAD_DATA" and message.get_msgId() >= 0:
                yield message

    def send(self, message: Message, *, component: int = AUTOPILOT_COMPONENT) -> None:
        """Packs, numbers and sends one message, as one of the vehicle's components."""
        self._mav.srcComponent = component
        self._mav.seq = self._next_seq.get(component, 0)
        self._next_seq[component] = (self._mav.seq + 1) % 256
        self._send(message.pack(self._mav))

    def set_interval(self, message_id: int, interval_s: float, now_s: float) -> bool:
        """Streams a message at an interval, 0 stops; false when it is not one of ours."""
        builder = BUILDERS.get(message_id)
        if builder is None:
            return False
        if interval_s <= 0.0:
            self._streams.pop(message_id, None)
        else:
            self._streams[message_id] = _Stream(
                builder, min(SLOWEST_S, max(FASTEST_S, interval_s)), now_s
            )
            self._next_due_s = now_s
        return True

    def interval_s(self, message_id: int) -> float | None:
        """How often a message is streamed; None when it is not."""
        stream = self._streams.get(message_id)
        return None if stream is None else stream.interval_s

    def send_params(self) -> None:
        """Starts to tell the whole parameter list."""
        self._param_next = 0

    def poll(self, ap: Autopilot) -> None:
        """Sends what is due."""
        now_s = ap.t_s
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + HEARTBEAT_S
            self.send(BUILDERS[mav.MAVLINK_MSG_ID_HEARTBEAT](ap))
        if now_s >= self._timesync_due_s:
            self._timesync_due_s = now_s + TIMESYNC_S
            self.send(mav.MAVLink_timesync_message(0, int(now_s * 1e9)))
        if self._param_next is not None:
            self._send_some_params(ap)
        if now_s >= self._next_due_s and self._streams:
            self._send_streams(ap, now_s)

    def _send_streams(self, ap: Autopilot, now_s: float) -> None:
        soonest = now_s + HEARTBEAT_S
        for message_id, stream in self._streams.items():
            if now_s >= stream.due_s:
                stream.due_s += stream.interval_s
                if stream.due_s <= now_s:
                    stream.due_s = now_s + stream.interval_s
                hidden = (message_id in NEEDS_HOME and ap.home is None) or (
                    message_id in NEEDS_FENCE and not ap.fence.enabled
                )
                if not hidden:
                    self.send(stream.builder(ap))
            soonest = min(soonest, stream.due_s)
        self._next_due_s = soonest

    def _send_some_params(self, ap: Autopilot) -> None:
        assert self._param_next is not None
        last = min(len(ap.params), self._param_next + PARAMS_PER_POLL)
        for index in range(self._param_next, last):
            self.send(param_value(ap, index))
        self._param_next = last if last < len(ap.params) else None


def param_value(ap: Autopilot, index: int, *, told_index: int | None = None) -> Message:
    """PARAM_VALUE of the parameter at a place of the list."""
    param = ap.params.at(index)
    assert param is not None
    return mav.MAVLink_param_value_message(
        param.name.encode("ascii"),
        param.value,
        int(param.type),
        len(ap.params),
        param.index if told_index is None else told_index,
    )
