"""MAVLink's file transfer protocol, the reading half, as ArduPilot serves it.

The payload of FILE_TRANSFER_PROTOCOL, little-endian::

    seq u16, session u8, opcode u8, size u8, req_opcode u8, burst_complete u8, pad u8,
    offset u32, data 239 bytes

An answer carries the request's number plus one; the pieces of a burst count on from there.  A
request that is repeated gets the last answer again.  There is one session; a second opening is
refused until it is terminated, reset, or unused for three seconds.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from enum import IntEnum

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.autopilot import Autopilot
from sitl.blackbox import Blackbox
from sitl.channel import Channel
from sitl.telemetry import Message

LOGS = "/APM/LOGS"
HEAD = struct.Struct("<HBBBBBxI")
DATA_BYTES = 239
PAYLOAD_BYTES = 251
BURST_PIECES = 500
PIECES_PER_POLL = 15
SESSION_IDLE_S = 3.0


class Op(IntEnum):
    """Opcodes."""

    TERMINATE = 1
    RESET = 2
    LIST = 3
    OPEN_RO = 4
    READ = 5
    CRC32 = 14
    BURST = 15
    ACK = 128
    NAK = 129


class Refusal(IntEnum):
    """Error codes of a NAK."""

    FAIL = 1
    INVALID_SIZE = 3
    INVALID_SESSION = 4
    NO_SESSIONS = 5
    END_OF_FILE = 6
    UNKNOWN_COMMAND = 7
    NOT_FOUND = 10


@dataclass(frozen=True, slots=True)
class Packet:
    """One request or answer."""

    seq: int
    session: int
    opcode: int
    size: int
    req_opcode: int
    burst_complete: int
    offset: int
    data: bytes

    @classmethod
    def of(cls, message: Message) -> Packet:
        """The packet in a FILE_TRANSFER_PROTOCOL message."""
        payload = bytes(message.payload).ljust(PAYLOAD_BYTES, b"\0")
        seq, session, opcode, size, req, burst, offset = HEAD.unpack_from(payload)
        return cls(seq, session, opcode, size, req, burst, offset, payload[HEAD.size :][:size])

    def message(self, to: tuple[int, int]) -> Message:
        """The message that carries it."""
        head = HEAD.pack(
            self.seq % 65536, self.session, self.opcode, self.size, self.req_opcode,
            self.burst_complete, self.offset,
        )  # fmt: skip
        payload = (head + self.data).ljust(PAYLOAD_BYTES, b"\0")
        return mav.MAVLink_file_transfer_protocol_message(0, *to, payload)


@dataclass(slots=True)
class _Session:
    number: int
    content: bytes
    used_s: float


@dataclass(slots=True)
class _Burst:
    channel: Channel
    to: tuple[int, int]
    request: Packet
    piece: int = 0


class FileServer:
    """Serves the vehicle's card to ground stations."""

    def __init__(self, ap: Autopilot, blackbox: Blackbox) -> None:
        self._ap = ap
        self._box = blackbox
        self._session: _Session | None = None
        self._burst: _Burst | None = None
        self._last: tuple[Packet, Packet] | None = None

    def on_message(self, channel: Channel, message: Message) -> None:
        """FILE_TRANSFER_PROTOCOL."""
        if message.target_component not in (0, 1):
            return
        request = Packet.of(message)
        to = (message.get_srcSystem(), message.get_srcComponent())
        if self._last is not None and self._last[0] == request:
            channel.send(self._last[1].message(to))
            return
        if request.opcode == Op.BURST and self._holds(request.session):
            self._burst = _Burst(channel, to, request)
            return
        answer = self._answer(request)
        self._last = (request, answer)
        channel.send(answer.message(to))

    def on_gone(self, channel: Channel) -> None:
        """The connection is closed."""
        if self._burst is not None and self._burst.channel is channel:
            self._burst = None

    def poll(self) -> None:
        """Sends the next pieces of a burst."""
        if self._burst is None:
            return
        for _ in range(PIECES_PER_POLL):
            if not self._send_piece(self._burst):
                self._burst = None
                return

    def lose_session(self) -> None:
        """Forgets the open file, as a vehicle does that another station resets."""
        self._session = self._burst = self._last = None

    def _holds(self, number: int) -> bool:
        session = self._session
        if session is None or session.number != number:
            return False
        session.used_s = self._ap.t_s
        return True

    def _send_piece(self, burst: _Burst) -> bool:
        """Sends one piece; false when the burst is over."""
        session, request = self._session, burst.request
        if session is None or burst.piece >= BURST_PIECES:
            return False
        most = min(DATA_BYTES, request.size) if request.size else DATA_BYTES
        offset = request.offset + burst.piece * most
        data = session.content[offset : offset + most]
        seq = (request.seq + 1 + burst.piece) % 65536
        session.used_s = self._ap.t_s
        if not data:
            end = _nak(replace(request, seq=seq - 1), Refusal.END_OF_FILE)
            burst.channel.send(end.message(burst.to))
            return False
        last = int(burst.piece == BURST_PIECES - 1)
        piece = Packet(seq, request.session, Op.ACK, len(data), Op.BURST, last, offset, data)
        burst.channel.send(piece.message(burst.to))
        burst.piece += 1
        return not last

    def _answer(self, request: Packet) -> Packet:
        match request.opcode:
            case Op.TERMINATE | Op.RESET:
                self._session = self._burst = None
                return _ack(request)
            case Op.LIST:
                return self._list(request)
            case Op.OPEN_RO:
                return self._open(request)
            case Op.READ:
                return self._read(request)
            case Op.CRC32:
                return self._crc(request)
            case Op.BURST:
                return _nak(request, Refusal.INVALID_SESSION)
        return _nak(request, Refusal.UNKNOWN_COMMAND)

    def _open(self, request: Packet) -> Packet:
        session = self._session
        if session is not None and self._ap.t_s - session.used_s < SESSION_IDLE_S:
            return _nak(request, Refusal.NO_SESSIONS)
        content = self._content(_path(request))
        if content is None:
            return _nak(request, Refusal.NOT_FOUND)
        self._session = _Session(request.session, content, self._ap.t_s)
        return _ack(request, struct.pack("<I", len(content)))

    def _read(self, request: Packet) -> Packet:
        if not self._holds(request.session):
            return _nak(request, Refusal.INVALID_SESSION)
        assert self._session is not None
        most = min(DATA_BYTES, request.size)
        data = self._session.content[request.offset : request.offset + most]
        return _ack(request, data) if data else _nak(request, Refusal.END_OF_FILE)

    def _crc(self, request: Packet) -> Packet:
        content = self._content(_path(request))
        if content is None:
            return _nak(request, Refusal.NOT_FOUND)
        return _ack(request, struct.pack("<I", crc32(content)))

    def _list(self, request: Packet) -> Packet:
        entries = self._folder(_path(request))
        if entries is None:
            return _nak(request, Refusal.NOT_FOUND)
        data = b""
        for entry in entries[request.offset :]:
            text = entry.encode("ascii") + b"\0"
            if len(data) + len(text) > DATA_BYTES:
                break
            data += text
        return _ack(request, data) if data else _nak(request, Refusal.END_OF_FILE)

    def _folder(self, path: str) -> list[str] | None:
        match path.rstrip("/"):
            case "":
                return ["DAPM"]
            case "/APM":
                return ["DLOGS"]
            case "/APM/LOGS":
                logs = [f"F{log.name}\t{log.size}" for log in self._box.logs]
                return [*logs, f"FLASTLOG.TXT\t{len(self._last_log())}"]
        return None

    def _content(self, path: str) -> bytes | None:
        if path == f"{LOGS}/LASTLOG.TXT":
            return self._last_log()
        for log in self._box.logs:
            if path == f"{LOGS}/{log.name}":
                return log.data
        return None

    def _last_log(self) -> bytes:
        last = self._box.logs[-1].number if self._box.logs else 0
        return f"{last}\r\n".encode()


def crc32(data: bytes) -> int:
    """ArduPilot's CRC-32: the usual polynomial without the usual inversions."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def _path(request: Packet) -> str:
    path = request.data.split(b"\0", 1)[0].decode("ascii", "replace")
    return path if path.startswith("/") else "/" + path


def _ack(request: Packet, data: bytes = b"") -> Packet:
    return Packet(
        (request.seq + 1) % 65536, request.session, Op.ACK, len(data), request.opcode, 0,
        request.offset, data,
    )  # fmt: skip


def _nak(request: Packet, why: Refusal) -> Packet:
    return Packet(
        (request.seq + 1) % 65536, request.session, Op.NAK, 1, request.opcode, 0,
        request.offset, bytes((why,)),
    )  # fmt: skip
