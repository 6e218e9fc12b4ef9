"""Bytes to and from a vehicle: TCP, UDP and serial, none of which ever waits.

An address is written ``tcp:HOST:PORT`` (we connect; ArduPilot's simulator and telemetry
bridges), ``udpout:HOST:PORT`` (we send first), ``udpin:HOST:PORT`` and ``udp:HOST:PORT`` (we
listen, and answer where the vehicle spoke last) or ``serial:DEVICE:BAUD`` (a telemetry radio).

A connection that breaks is silence, not an error: it is opened again every half second.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from dataclasses import dataclass
from typing import Protocol

import serial

from droneteam.errors import InputError

log = logging.getLogger(__name__)

RECONNECT_S = 0.5
_READ_BYTES = 1 << 16
_KINDS = ("tcp", "udp", "udpin", "udpout", "serial")


class Transport(Protocol):
    """A way for bytes; reading and writing never wait."""

    def fileno(self) -> int:
        """A descriptor to wait on, or -1 while there is none."""

    def read(self) -> bytes:
        """What has come in; empty when nothing has."""

    def answer(self) -> None:
        """What was read last was the vehicle's: where there is a choice, write to its sender."""

    def write(self, data: bytes) -> None:
        """Send, or lose the bytes as any link may."""

    def close(self) -> None:
        """End it."""


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
        highest = 4_000_000 if kind == "serial" else 65_535
        if kind not in _KINDS or not host or not port.isdecimal() or not 0 < int(port) <= highest:
            raise InputError(
                f"link {text!r} is not like tcp:127.0.0.1:5760 (kinds: {', '.join(_KINDS)})",
                field="link",
            )
        return cls(kind, host, int(port))

    @classmethod
    def parse_all(cls, text: str) -> tuple[LinkAddress, ...]:
        """Several addresses of one vehicle, divided by commas; the first is preferred."""
        return tuple(cls.parse(part.strip()) for part in text.split(","))


def open_transport(address: LinkAddress) -> Transport:
    """The transport for an address."""
    if address.kind == "serial":
        return _Serial(address)
    return _Tcp(address) if address.kind == "tcp" else _Udp(address)


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

    def answer(self) -> None:
        """Nothing to choose: a connection has one other end."""

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
    """Datagrams, to a named peer at first, then to whoever was last found to be the vehicle.

    Anybody may send to our port; who does so is not answered for that alone.
    """

    def __init__(self, address: LinkAddress) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._peer: tuple[str, int] | None = None
        self._sender: tuple[str, int] | None = None
        if address.kind == "udpout":
            self._peer = (address.host, address.port)
        else:
            self._socket.bind((address.host, address.port))

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes:
        try:
            data, sender = self._socket.recvfrom(_READ_BYTES)
        except OSError:
            return b""
        self._sender = (sender[0], sender[1])
        return data

    def answer(self) -> None:
        self._peer = self._sender

    def write(self, data: bytes) -> None:
        if self._peer is None:
            return
        try:
            self._socket.sendto(data, self._peer)
        except OSError as error:
            log.debug("udp to %s: %s", self._peer, error)

    def close(self) -> None:
        self._socket.close()


class _Serial:
    """A telemetry radio or a cable; ``port`` of the address is the baud rate."""

    def __init__(self, address: LinkAddress) -> None:
        self._address = address
        self._port: serial.Serial | None = None
        self._tried_at_s = -RECONNECT_S
        self._open()

    def fileno(self) -> int:
        return int(self._port.fileno()) if self._port is not None else -1

    def read(self) -> bytes:
        if self._port is None:
            self._open()
            return b""
        try:
            return bytes(self._port.read(_READ_BYTES))
        except (OSError, serial.SerialException) as error:
            self._drop(str(error))
            return b""

    def answer(self) -> None:
        """Nothing to choose: a cable has one other end."""

    def write(self, data: bytes) -> None:
        if self._port is None:
            return
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            return  # a full buffer loses the packet, as any link may
        except (OSError, serial.SerialException) as error:
            self._drop(str(error))

    def close(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    def _open(self) -> None:
        now_s = time.monotonic()
        if now_s - self._tried_at_s < RECONNECT_S:
            return
        self._tried_at_s = now_s
        try:
            self._port = serial.Serial(
                self._address.host, self._address.port, timeout=0, write_timeout=0
            )
        except (OSError, serial.SerialException) as error:
            log.info("%s: %s", self._address, error)

    def _drop(self, why: str) -> None:
        log.info("%s: %s", self._address, why)
        self.close()
        self._tried_at_s = time.monotonic()
