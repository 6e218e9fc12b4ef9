"""Byte streams that a parser turns into records: over TCP, UDP or a serial line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import serial

from droneteam.detection.aircraft import BeastParser, SbsParser
from droneteam.detection.feeds import Feed, Inbox, Outlet
from droneteam.detection.records import Plot, Received
from droneteam.errors import InputError, LinkError

READ_S = 1.0
CONNECT_S = 5.0
READ_BYTES = 65536
MAX_BAUD = 4_000_000
_KINDS = ("tcp", "udp", "udpin", "serial")


class Parser(Protocol):
    """Bytes to records."""

    refused: int

    def feed(self, content: bytes, at: datetime) -> Sequence[Plot | Received]:
        """The records that these bytes complete."""


class Stream(Protocol):
    """A way for bytes."""

    def read(self) -> bytes:
        """What has come within READ_S; empty when nothing has.

        Raises
        ------
        OSError
            The stream has ended or broken.
        """

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Where bytes come from; `port` is the baud rate of a serial line."""

    kind: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_kind: str = "") -> StreamAddress:
        """The address in "tcp:HOST:PORT", "udp:HOST:PORT" (we listen) or "serial:DEVICE:BAUD".

        default_kind : what is meant where a text begins with none of them.

        Raises
        ------
        InputError
            Says what an address looks like.
        """
        kind, _, rest = text.partition(":")
        if kind not in _KINDS and default_kind:
            kind, rest = default_kind, text
        host, _, port = rest.rpartition(":")
        highest = MAX_BAUD if kind == "serial" else 65_535
        if kind not in _KINDS or not host or not port.isdecimal() or int(port) > highest:
            shape = "HOST:PORT" if default_kind else "tcp:HOST:PORT, udp:HOST:PORT (we listen)"
            more = "" if default_kind else " or serial:DEVICE:BAUD"
            raise InputError(f"{text!r} is not {shape}{more}", field="address")
        return cls("udp" if kind == "udpin" else kind, host, int(port))

    def __str__(self) -> str:
        return f"{self.kind}:{self.host}:{self.port}"

    def open(self) -> Stream:
        """The stream.

        Raises
        ------
        LinkError
            It cannot be opened; says which, why, and that it is tried again.
        """
        try:
            if self.kind == "serial":
                return _Serial(self)
            return _Tcp(self) if self.kind == "tcp" else _Udp(self)
        except OSError as error:
            raise LinkError(f"{self}: {error.strerror or error}") from error


class _Tcp:
    """A connection that we open."""

    def __init__(self, address: StreamAddress) -> None:
        self._address = address
        self._socket = socket.create_connection((address.host, address.port), CONNECT_S)
        self._socket.settimeout(READ_S)

    def read(self) -> bytes:
        try:
            content = self._socket.recv(READ_BYTES)
        except TimeoutError:
            return b""
        if not content:
            raise LinkError(f"{self._address}: the server closed the connection")
        return content

    def close(self) -> None:
        self._socket.close()


class _Udp:
    """Datagrams that are sent to us."""

    def __init__(self, address: StreamAddress) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(READ_S)
        try:
            self._socket.bind((address.host, address.port))
        except OSError:
            self._socket.close()
            raise

    def read(self) -> bytes:
        try:
            return self._socket.recv(READ_BYTES)
        except TimeoutError:
            return b""

    def close(self) -> None:
        self._socket.close()


class _Serial:
    """A radio or a receiver on a cable."""

    def __init__(self, address: StreamAddress) -> None:
        self._address = address
        self._port = serial.Serial(address.host, address.port, timeout=READ_S)

    def read(self) -> bytes:
        # One byte with patience, then whatever else is there.
        content = self._port.read(1)
        return bytes(content + self._port.read(self._port.in_waiting)) if content else b""

    def close(self) -> None:
        self._port.close()


class StreamSource:
    """One stream and its parser.

    life : counts what a parser has made of the stream, where only that is a sign of life; else
    an open stream is one, because a sky may be empty.
    """

    def __init__(
        self,
        kind: str,
        address: StreamAddress,
        new_parser: Callable[[str], Parser],
        *,
        life: Callable[[Parser], int] | None = None,
    ) -> None:
        self.kind = kind
        self.address = address
        self._new_parser = new_parser
        self._life = life

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Read until `stop` is set; LinkError when the stream breaks."""
        with closing(self.address.open()) as stream:
            self._read(stream, outlet, stop)

    def _read(self, stream: Stream, outlet: Outlet, stop: threading.Event) -> None:
        parser = self._new_parser(outlet.name)
        outlet.connected()
        while not stop.is_set():
            content = stream.read()
            refused, lived = parser.refused, self._lived(parser)
            for record in parser.feed(content, datetime.now(UTC)) if content else ():
                outlet.put(record)
            if self._life is None or self._lived(parser) > lived:
                outlet.alive()
            if parser.refused > refused:
                outlet.refuse("a damaged message", parser.refused - refused)

    def _lived(self, parser: Parser) -> int:
        return 0 if self._life is None else self._life(parser)


PARSERS: dict[str, Callable[[str], Parser]] = {"beast": BeastParser, "sbs": SbsParser}
"""Manned aircraft, out of readsb."""


def aircraft_source(kind: str, address: tuple[str, int]) -> StreamSource:
    """A stream of manned aircraft; kind is "beast" or "sbs"."""
    if kind not in PARSERS:
        raise InputError(f"stream {kind!r} is none of {', '.join(PARSERS)}", field="kind")
    return StreamSource(kind, StreamAddress("tcp", *address), PARSERS[kind])


def tcp_feed(kind: str, name: str, address: tuple[str, int], inbox: Inbox) -> Feed:
    """A stream of manned aircraft, followed until it is stopped."""
    return Feed(name, aircraft_source(kind, address), inbox)
