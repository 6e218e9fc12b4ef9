"""The links to one vehicle: packets, signatures, the log.  The only MAVLink input and output.

Every packet that comes in, wanted or not, and every packet that goes out is in the log before
it is acted upon.  A vehicle may be reached over several transports: what any of them brings is
heard, our heartbeats go over all of them, and everything else over the first one that is alive.
Alive is what brings the vehicle's own packets: a radio goes on talking of itself when the
vehicle is out of its reach.  A ground station may listen and speak through the link, so that
pilots keep their tools; its packets are in the log too.

A vehicle streams to each of its ports only what was asked for there, and forgets it when it
restarts.  So what it streamed once and does not stream over the way in use is asked for again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import DecodeError
from droneteam.missions.mavlink import codec
from droneteam.missions.mavlink.framing import Frame, Framer
from droneteam.missions.mavlink.lossmeter import LossMeter
from droneteam.missions.mavlink.messages import (
    CommandId,
    CommandLong,
    GroundHeartbeat,
    Inbound,
    Outbound,
    RemoteIdHeartbeat,
)
from droneteam.missions.mavlink.signing import RADIO_STATUS, Signer
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress, Transport, open_transport

log = logging.getLogger(__name__)

ALIVE_S = 2.0
"""A transport that brought nothing of the vehicle for so long is not preferred any more."""
RENEW_S = 1.0
"""Between two times that a way which streams too little is asked again."""


class VehicleLink(Protocol):
    """What the flight loop needs of a link."""

    def fileno(self) -> int:
        """A descriptor to wait on, or -1 while there is none."""

    def receive(self) -> list[Inbound]:
        """What has come in since the last call; never waits."""

    def send(self, message: Outbound) -> None:
        """Send, or lose the message as any link may."""

    def arrived_pct(self, now_s: float) -> float | None:
        """Percent of the vehicle's packets that arrived lately; None when none did."""

    def flush(self, now_s: float) -> None:
        """Make sure that what was logged outlives this process."""

    def close(self) -> None:
        """End the link and its log."""


@dataclass(slots=True)
class _Way:
    """One transport with what it needs to be read as packets.

    heard_at_s : when it last brought a packet of the vehicle; streamed_at_s : the same by
    message id; renewed_at_s : when its streams were last asked for again; meter : what of the
    vehicle's packets it loses.
    """

    address: LinkAddress
    transport: Transport
    framer: Framer = field(default_factory=Framer)
    heard_at_s: float | None = None
    streamed_at_s: dict[int, float] = field(default_factory=dict)
    renewed_at_s: float = float("-inf")
    meter: LossMeter = field(default_factory=LossMeter)

    def hear(self, frame: Frame, now_s: float) -> None:
        """Note that this way brought a packet of the vehicle."""
        self.heard_at_s = self.streamed_at_s[frame.message_id] = now_s
        self.meter.take(frame, now_s)
        self.transport.answer()

    def alive(self, now_s: float) -> bool:
        """Whether the vehicle was heard over it just now."""
        return self.heard_at_s is not None and now_s - self.heard_at_s <= ALIVE_S


class MavlinkLink:
    """A vehicle behind one or more addresses, every packet logged.

    system_id : the vehicle's, None takes the first autopilot heard; forward : the address of a
    ground station; signer : None for packets without signatures; open_way : what carries the
    bytes of an address, so that a link may run in simulated time.
    """

    def __init__(
        self,
        addresses: LinkAddress | Sequence[LinkAddress],
        tlog: TlogWriter,
        *,
        system_id: int | None = None,
        forward: LinkAddress | None = None,
        signer: Signer | None = None,
        unix_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
        open_way: Callable[[LinkAddress], Transport] = open_transport,
    ) -> None:
        if isinstance(addresses, LinkAddress):
            addresses = (addresses,)
        self._ways = [_Way(one, open_way(one)) for one in addresses]
        self._station = None if forward is None else _Way(forward, open_way(forward))
        self._tlog = tlog
        self._signer = signer
        self._unix_s = unix_s
        self._monotonic_s = monotonic_s
        self._packer = dialect.MAVLink(
            None, srcSystem=codec.GROUND_SYSTEM_ID, srcComponent=codec.GROUND_COMPONENT_ID
        )
        self._rates: dict[int, CommandLong] = {}
        self.system_id = system_id
        self.strangers: set[int] = set()
        self.undecodable = 0
        self.unsigned = 0

    def fileno(self) -> int:
        """The descriptor of the transport in use, or -1 while there is none."""
        return self._active().transport.fileno()

    def receive(self) -> list[Inbound]:
        """Messages of the vehicle since the last call; never waits."""
        self._hear_station()
        now_s = self._monotonic_s()
        heard: list[Inbound] = []
        for way in self._ways:
            while data := way.transport.read():
                for frame in way.framer.feed(data):
                    if self._admits(frame):
                        if frame.message_id != RADIO_STATUS:
                            way.hear(frame, now_s)
                        message = self._decoded(frame)
                        if message is not None:
                            heard.append(message)
        return heard

    def _admits(self, frame: Frame) -> bool:
        """Log and forward a packet; whether it is the vehicle's own."""
        unix_s = self._unix_s()
        self._tlog.write(frame.raw, int(unix_s * 1e6))
        if self._signer is not None and not self._signer.accepts(frame, unix_s):
            self._note_unsigned(frame)
            return False
        if self._station is not None:
            self._station.transport.write(frame.raw)
        if self.system_id is None and codec.heartbeat_of_autopilot(frame):
            self.system_id = frame.system_id
        if frame.system_id != self.system_id:
            self._note_stranger(frame.system_id)
            return False
        return True

    def _decoded(self, frame: Frame) -> Inbound | None:
        """The message in a packet of the vehicle; None for one that nothing here asks for."""
        if frame.message_id == 0 and not codec.heartbeat_of_autopilot(frame):
            # A camera's or gimbal's heartbeat says nothing about the mode.
            return RemoteIdHeartbeat() if codec.heartbeat_of_transmitter(frame) else None
        try:
            return codec.decode(frame)
        except DecodeError as error:
            self.undecodable += 1
            log.warning("vehicle %s: %s", self.system_id, error)
            return None

    def send(self, message: Outbound) -> None:
        """Log the packet, then send it; before a vehicle was heard, to everybody (id 0).

        Heartbeats go over every way: a way that waits to be spoken to would else never be alive.
        """
        if isinstance(message, GroundHeartbeat):
            for way in self._ways:
                self._send_over(way, message)
            self._renew_streams()
            return
        if isinstance(message, CommandLong) and message.command == CommandId.SET_MESSAGE_INTERVAL:
            self._rates[int(message.params[0])] = message
        self._send_over(self._active(), message)

    def _send_over(self, way: _Way, message: Outbound) -> None:
        packet = codec.encode(message, self.system_id or 0)
        raw = bytes(packet.pack(self._packer))
        self._packer.seq = (self._packer.seq + 1) % 256
        unix_s = self._unix_s()
        if self._signer is not None:
            raw = self._signer.sign(raw, unix_s)
        self._write(way, raw, unix_s)

    def _write(self, way: _Way, raw: bytes, unix_s: float) -> None:
        self._tlog.write(raw, int(unix_s * 1e6))
        way.transport.write(raw)

    def _renew_streams(self) -> None:
        """Ask again, over the way in use, for what streamed once and does not stream there."""
        way, now_s = self._active(), self._monotonic_s()
        if not way.alive(now_s) or now_s - way.renewed_at_s < RENEW_S:
            return
        for message_id, command in self._rates.items():
            patience_s = max(ALIVE_S, 3.0 * command.params[1] / 1e6)
            last_s = [one.streamed_at_s.get(message_id) for one in self._ways]
            here_s = way.streamed_at_s.get(message_id, float("-inf"))
            if any(at_s is not None for at_s in last_s) and now_s - here_s > patience_s:
                way.renewed_at_s = now_s
                self._send_over(way, command)

    def _active(self) -> _Way:
        """The first transport that is alive; while none is, the one that was heard last."""
        now_s = self._monotonic_s()
        for way in self._ways:
            if way.alive(now_s):
                return way
        return max(self._ways, key=lambda way: way.heard_at_s or float("-inf"))

    def _hear_station(self) -> None:
        """What the ground station says goes to the vehicle as it is."""
        if self._station is None:
            return
        while data := self._station.transport.read():
            for frame in self._station.framer.feed(data):
                self._station.transport.answer()
                self._write(self._active(), frame.raw, self._unix_s())

    def arrived_pct(self, now_s: float) -> float | None:
        """Percent of the vehicle's packets that arrived lately over the way in use."""
        return self._active().meter.arrived_pct(now_s)

    def flush(self, now_s: float) -> None:
        """Make sure that what was logged outlives this process."""
        self._tlog.flush_if_due(now_s)

    def close(self) -> None:
        """End the links and the log."""
        for way in (*self._ways, *(() if self._station is None else (self._station,))):
            way.transport.close()
        self._tlog.close()

    def _note_stranger(self, system_id: int) -> None:
        if system_id in self.strangers or self.system_id is None:
            return
        self.strangers.add(system_id)
        log.warning("vehicle %s: packets of system %d on its link", self.system_id, system_id)

    def _note_unsigned(self, frame: Frame) -> None:
        self.unsigned += 1
        if self.unsigned == 1:
            log.warning(
                "vehicle %s: a packet of system %d without a valid signature was not heard",
                self.system_id,
                frame.system_id,
            )
