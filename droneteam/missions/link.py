"""The links to one vehicle: packets, signatures, the log.  The only MAVLink input and output.

Every packet that comes in, wanted or not, and every packet that goes out is in the log before
it is acted upon.  A vehicle may be reached over several transports: what any of them brings is
heard, and we answer over the first one that is alive.  A ground station may listen and speak
through the link, so that pilots keep their tools; its packets are in the log too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import DecodeError
from droneteam.missions import codec
from droneteam.missions.framing import Frame, Framer
from droneteam.missions.messages import Inbound, Outbound
from droneteam.missions.signing import Signer
from droneteam.missions.tlog import TlogWriter
from droneteam.missions.transports import LinkAddress, Transport, open_transport

log = logging.getLogger(__name__)

ALIVE_S = 2.0
"""A transport that brought nothing for so long is not preferred any more."""


class VehicleLink(Protocol):
    """What the flight loop needs of a link."""

    def fileno(self) -> int:
        """A descriptor to wait on, or -1 while there is none."""

    def receive(self) -> list[Inbound]:
        """What has come in since the last call; never waits."""

    def send(self, message: Outbound) -> None:
        """Send, or lose the message as any link may."""

    def flush(self, now_s: float) -> None:
        """Make sure that what was logged outlives this process."""

    def close(self) -> None:
        """End the link and its log."""


@dataclass(slots=True)
class _Way:
    """One transport with what it needs to be read as packets."""

    address: LinkAddress
    transport: Transport
    framer: Framer = field(default_factory=Framer)
    heard_at_s: float | None = None


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
        heard: list[Inbound] = []
        for way in self._ways:
            while data := way.transport.read():
                way.heard_at_s = self._monotonic_s()
                for frame in way.framer.feed(data):
                    message = self._take(frame)
                    if message is not None:
                        heard.append(message)
        return heard

    def _take(self, frame: Frame) -> Inbound | None:
        """Log and forward a packet; the message in it, when it is the vehicle's own."""
        unix_s = self._unix_s()
        self._tlog.write(frame.raw, int(unix_s * 1e6))
        if self._signer is not None and not self._signer.accepts(frame, unix_s):
            self._note_unsigned(frame)
            return None
        if self._station is not None:
            self._station.transport.write(frame.raw)
        if self.system_id is None and codec.heartbeat_of_autopilot(frame):
            self.system_id = frame.system_id
        if frame.system_id != self.system_id:
            self._note_stranger(frame.system_id)
            return None
        if frame.message_id == 0 and not codec.heartbeat_of_autopilot(frame):
            return None  # a camera's or gimbal's heartbeat says nothing about the mode
        try:
            return codec.decode(frame)
        except DecodeError as error:
            self.undecodable += 1
            log.warning("vehicle %s: %s", self.system_id, error)
            return None

    def send(self, message: Outbound) -> None:
        """Log the packet, then send it; before a vehicle was heard, to everybody (id 0)."""
        packet = codec.encode(message, self.system_id or 0)
        raw = bytes(packet.pack(self._packer))
        self._packer.seq = (self._packer.seq + 1) % 256
        unix_s = self._unix_s()
        if self._signer is not None:
            raw = self._signer.sign(raw, unix_s)
        self._write(raw, unix_s)

    def _write(self, raw: bytes, unix_s: float) -> None:
        self._tlog.write(raw, int(unix_s * 1e6))
        self._active().transport.write(raw)

    def _active(self) -> _Way:
        """The first transport that is alive; while none is, the one that was heard last."""
        now_s = self._monotonic_s()
        for way in self._ways:
            if way.heard_at_s is not None and now_s - way.heard_at_s <= ALIVE_S:
                return way
        return max(self._ways, key=lambda way: way.heard_at_s or float("-inf"))

    def _hear_station(self) -> None:
        """What the ground station says goes to the vehicle as it is."""
        if self._station is None:
            return
        while data := self._station.transport.read():
            for frame in self._station.framer.feed(data):
                self._write(frame.raw, self._unix_s())

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
