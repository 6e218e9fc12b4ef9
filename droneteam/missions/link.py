"""The link to one vehicle: sockets, packets, the log.  The only MAVLink input and output.

A link address is written ``tcp:HOST:PORT`` (we connect; ArduPilot's simulator and telemetry
bridges), ``udpout:HOST:PORT`` (we send first) or ``udpin:HOST:PORT`` and ``udp:HOST:PORT`` (we
listen, and answer whoever spoke last).

Every packet that comes in, wanted or not, and every packet that goes out is in the log before
it is acted upon.  A connection that breaks is silence, not an error: the sortie's own rules say
what silence means, and the link keeps trying to come back.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import DecodeError, InputError
from droneteam.missions import codec
from droneteam.missions.framing import Framer
from droneteam.missions.messages import Inbound, Outbound
from droneteam.missions.tlog import TlogWriter

log = logging.getLogger(__name__)

RECONNECT_S = 0.5
_READ_BYTES = 1 << 16
_KINDS = ("tcp", "udp", "udpin", "udpout")


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


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """Where a vehicle is reached."""

    kind: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> LinkAddress:
        """The address that a text names.

        Raises
        ------
        InputError
            Says what an address looks like.
        """
        kind, _, rest = text.partition(":")
        host, _, port = rest.rpartition(":")
        if kind not in _KINDS or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise InputError(
                f"link {text!r} is not like tcp:127.0.0.1:5760 (kinds: {', '.join(_KINDS)})",
                field="link",
            )
        return cls(kind, host, int(port))


class _Tcp:
    """A connection that we open, and open again when it breaks."""

    def __init__(self, address: LinkAddress) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._tried_at_s = -RECONNECT_S
        self._connect()

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    def read(self) -> bytes:
        if self._socket is None:
            self._connect()
            return b""
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            self._drop(str(error))
            return b""
        if not data:
            self._drop("closed by the other side")
        return data

    def write(self, data: bytes) -> None:
        if self._socket is None:
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            return  # a full buffer loses the packet, as any link may
        except OSError as error:
            self._drop(str(error))
            return
        if sent < len(data):
            self._drop("a packet was cut by a full buffer")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> None:
        """Begin to connect; never waits, because other vehicles share the loop."""
        now_s = time.monotonic()
        if now_s - self._tried_at_s < RECONNECT_S:
            return
        self._tried_at_s = now_s
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connection.connect_ex((self._address.host, self._address.port))
        if code not in (0, errno.EINPROGRESS):
            log.info("%s: %s", self._address, os.strerror(code))
            connection.close()
            return
        self._socket = connection

    def _drop(self, why: str) -> None:
        log.info("%s: %s", self._address, why)
        self.close()
        self._tried_at_s = time.monotonic()


class _Udp:
    """Datagrams, to a fixed peer or to whoever spoke last."""

    def __init__(self, address: LinkAddress) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._peer: tuple[str, int] | None = None
        if address.kind == "udpout":
            self._peer = (address.host, address.port)
        else:
            self._socket.bind((address.host, address.port))

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        try:
            data, peer = self._socket.recvfrom(_READ_BYTES)
        except OSError:
            return b""
        self._peer = (peer[0], peer[1])
        return data

    def write(self, data: bytes) -> None:
        if self._peer is None:
            return
        try:
            self._socket.sendto(data, self._peer)
        except OSError as error:
            log.debug("udp to %s: %s", self._peer, error)

    def close(self) -> None:
        self._socket.close()


class MavlinkLink:
    """A vehicle behind an address, every packet logged.

    system_id : the vehicle's; None takes the first autopilot heard.
    """

    def __init__(
        self,
        address: LinkAddress,
        tlog: TlogWriter,
        *,
        system_id: int | None = None,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._transport: _Tcp | _Udp = _Tcp(address) if address.kind == "tcp" else _Udp(address)
        self._tlog = tlog
        self._unix_s = unix_s
        self._framer = Framer()
        self._packer = dialect.MAVLink(
            None, srcSystem=codec.GROUND_SYSTEM_ID, srcComponent=codec.GROUND_COMPONENT_ID
        )
        self.system_id = system_id
        self.strangers: set[int] = set()
        self.undecodable = 0

    def fileno(self) -> int:
        """A descriptor to wait on, or -1 while there is none."""
        return self._transport.fileno()

    def receive(self) -> list[Inbound]:
        """Messages of the vehicle since the last call; never waits."""
        heard: list[Inbound] = []
        while data := self._transport.read():
            unix_us = int(self._unix_s() * 1e6)
            for frame in self._framer.feed(data):
                self._tlog.write(frame.raw, unix_us)
                if self.system_id is None and codec.heartbeat_of_autopilot(frame):
                    self.system_id = frame.system_id
                if frame.system_id != self.system_id:
                    self._note_stranger(frame.system_id)
                    continue
                if frame.message_id == 0 and not codec.heartbeat_of_autopilot(frame):
                    continue  # a camera's or gimbal's heartbeat says nothing about the mode
                try:
                    message = codec.decode(frame)
                except DecodeError as error:
                    self.undecodable += 1
                    log.warning("vehicle %s: %s", self.system_id, error)
                    continue
                if message is not None:
                    heard.append(message)
        return heard

    def send(self, message: Outbound) -> None:
        """Log the packet, then send it; before a vehicle was heard, to everybody (id 0)."""
        packet = codec.encode(message, self.system_id or 0)
        raw = bytes(packet.pack(self._packer))
        self._packer.seq = (self._packer.seq + 1) % 256
        self._tlog.write(raw, int(self._unix_s() * 1e6))
        self._transport.write(raw)

    def flush(self, now_s: float) -> None:
        """Make sure that what was logged outlives this process."""
        self._tlog.flush_if_due(now_s)

    def close(self) -> None:
        """End the link and its log."""
        self._transport.close()
        self._tlog.close()

    def _note_stranger(self, system_id: int) -> None:
        if system_id in self.strangers or self.system_id is None:
            return
        self.strangers.add(system_id)
        log.warning("vehicle %s: packets of system %d on its link", self.system_id, system_id)
