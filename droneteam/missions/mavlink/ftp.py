"""Fetching a file with MAVLink's file transfer protocol (MAVFTP), without I/O.

The machines keep the rules of ``handshake.py``; received bytes are handed on as `Piece`s.  An
answer carries its request's number plus one; the pieces of a burst count on from there.

    open → burst until the end was seen → read what is missing → checksum → close

- A request is repeated as it was, with its number: the vehicle then repeats its answer.
- A burst is a stream without acknowledgement.  Where much is missing, another burst is cheaper
  than single reads; single reads go out several at a time.
- A vehicle has few sessions and forgets them when it restarts or somebody resets them: the
  answer INVALID_SESSION, and no free session, lead back to opening; what was read stays.
- A vehicle that does not know the checksum is believed: the pieces' own checksums were right.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from enum import IntEnum

from droneteam.missions.mavlink import spans
from droneteam.missions.mavlink.handshake import Failed, Sends, Timing
from droneteam.missions.mavlink.logs import LONGEST_WAIT_S, SLOWEST_BYTES_S, Fetched, Piece, Pieces
from droneteam.missions.mavlink.messages import FtpPacket, Transfer
from droneteam.missions.mavlink.spans import Spans

DATA_BYTES = 239
BURST_BYTES = 500 * DATA_BYTES
"""What one burst brings at most, as ArduPilot sends it."""
BURST_AGAIN_SHARE = 0.1
"""With more than this share of the next burst's bytes missing, it is asked for again."""
TOGETHER = 4
"""Single reads on their way at once; ArduPilot queues five requests."""
LAST_TRIES = 3
MAX_SESSIONS = 8


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
    FAIL_ERRNO = 2
    INVALID_SIZE = 3
    INVALID_SESSION = 4
    NO_SESSIONS = 5
    END_OF_FILE = 6
    UNKNOWN_COMMAND = 7
    EXISTS = 8
    PROTECTED = 9
    NOT_FOUND = 10


def vehicle_crc32(data: bytes, before: int = 0) -> int:
    """The checksum as vehicles compute it: CRC-32 without the inversions at start and end."""
    return zlib.crc32(data, before ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _refusal(packet: FtpPacket) -> Refusal:
    try:
        return Refusal(packet.data[0])
    except (IndexError, ValueError):
        return Refusal.FAIL


@dataclass(frozen=True, slots=True)
class _Request:
    """A request on its way; sent_at_s : when it was sent last."""

    packet: FtpPacket
    sent_at_s: float
    tries: int = 1


@dataclass(frozen=True, slots=True)
class FileFetch:
    """Reading one file.

    phase : opening, resetting, bursting, filling, checking, closing; next_seq : the number of
    the next request; pending : requests on their way; sessions : how often one was opened;
    quiet_since_s : since when nothing of a burst has come; news_at_s : when something missing did.
    """

    path: str
    timing: Timing
    started_at_s: float
    phase: str = "opening"
    next_seq: int = 0
    session: int = 0
    size_bytes: int | None = None
    have: Spans = ()
    pending: tuple[_Request, ...] = ()
    sessions: int = 0
    quiet_since_s: float = 0.0
    news_at_s: float = 0.0
    wait_s: float = 0.0
    rtt_s: float | None = None
    crc32: int | None = None
    outcome: Fetched | Failed | None = None

    @property
    def share(self) -> float:
        """How much of the file is there, 0 to 1."""
        return spans.total(self.have) / self.size_bytes if self.size_bytes else 0.0


FileStep = tuple[FileFetch, Sends, Pieces]


def start_file(
    path: str, timing: Timing, now_s: float, have: Spans = (), *, first_seq: int = 0
) -> FileStep:
    """A fetch and its first message; have : what an earlier one brought.

    first_seq : another one than before, so that an answer to an earlier client is not taken for
    one to us.
    """
    state = FileFetch(
        path,
        timing,
        now_s,
        next_seq=first_seq,
        have=have,
        quiet_since_s=now_s,
        news_at_s=now_s,
        wait_s=timing.announce_s,
    )
    state, sends = _open(state, now_s)
    return state, sends, ()


def file_step(state: FileFetch, message: Transfer | None, now_s: float) -> FileStep:
    """The next state, what to send, and what to store."""
    if state.outcome is not None:
        return state, (), ()
    match message:
        case FtpPacket(opcode=Op.ACK | Op.NAK):
            return _answered(state, message, now_s)
        case None:
            state, sends = _tick(state, now_s)
            return state, sends, ()
    return state, (), ()


# Sending


def _send(
    state: FileFetch, op: Op, now_s: float, *, offset: int = 0, size: int = 0, data: bytes = b""
) -> tuple[FileFetch, Sends]:
    packet = FtpPacket(state.next_seq, state.session, op, size or len(data), offset, data)
    pending = (*state.pending, _Request(packet, now_s))
    # A burst's pieces take numbers of their own.
    used = 1 + BURST_BYTES // DATA_BYTES if op is Op.BURST else 2
    following = (state.next_seq + used) % 65536
    return replace(state, next_seq=following, pending=pending), (packet,)


def _open(state: FileFetch, now_s: float) -> tuple[FileFetch, Sends]:
    if state.sessions >= MAX_SESSIONS:
        detail = f"{state.path}: {state.sessions} sessions were lost"
        return replace(state, outcome=Failed("ftp-session-lost", detail)), ()
    state = replace(state, phase="opening", pending=(), sessions=state.sessions + 1)
    return _send(state, Op.OPEN_RO, now_s, data=state.path.encode())


def _carry_on(state: FileFetch, now_s: float) -> tuple[FileFetch, Sends]:
    """Ask for what is missing, or end."""
    size = state.size_bytes
    assert size is not None
    at = spans.first_gap(state.have, size)
    if at is None:
        state = replace(state, phase="checking", pending=())
        return _send(state, Op.CRC32, now_s, data=state.path.encode())
    ahead = spans.gaps(state.have, at, min(size, at + BURST_BYTES))
    if spans.total(ahead) > BURST_AGAIN_SHARE * min(BURST_BYTES, size - at):
        state = replace(state, phase="bursting", pending=(), quiet_since_s=now_s)
        return _send(state, Op.BURST, now_s, offset=at, size=DATA_BYTES)
    reads = tuple(one for one in state.pending if one.packet.opcode == Op.READ)
    return _read_gaps(replace(state, phase="filling", pending=reads), now_s)


def _read_gaps(state: FileFetch, now_s: float) -> tuple[FileFetch, Sends]:
    """Single reads of what is missing, a few at a time."""
    assert state.size_bytes is not None
    sends: Sends = ()
    asked = {(one.packet.offset, one.packet.size) for one in state.pending}
    for start, end in spans.gaps(state.have, 0, state.size_bytes):
        for at in range(start, end, DATA_BYTES):
            if len(state.pending) >= TOGETHER:
                return state, sends
            size = min(DATA_BYTES, end - at)
            if (at, size) not in asked:
                state, more = _send(state, Op.READ, now_s, offset=at, size=size)
                sends += more
    return state, sends


# Answers


def _answered(state: FileFetch, packet: FtpPacket, now_s: float) -> FileStep:
    if packet.req_opcode == Op.BURST and state.size_bytes is not None:
        return _burst_answered(state, packet, now_s)
    request = next((one for one in state.pending if _answers(packet, one.packet)), None)
    if request is None:
        return state, (), ()
    left = tuple(one for one in state.pending if one is not request)
    state = replace(state, pending=left)
    if request.tries == 1:
        state = replace(state, rtt_s=now_s - request.sent_at_s)
    state = replace(state, wait_s=max(state.timing.resend_s, 1.5 * (state.rtt_s or 0.0)))
    if packet.opcode == Op.NAK:
        state, sends = _refused(state, packet, now_s)
        return state, sends, ()
    return _accepted(state, packet, now_s)


def _answers(packet: FtpPacket, request: FtpPacket) -> bool:
    same = packet.req_opcode == request.opcode
    return same and packet.seq == (request.seq + 1) % 65536


def _accepted(state: FileFetch, packet: FtpPacket, now_s: float) -> FileStep:
    match packet.req_opcode:
        case Op.OPEN_RO if len(packet.data) == 4:
            (size,) = struct.unpack("<I", packet.data)
            state = replace(state, session=packet.session, size_bytes=size)
            state = replace(state, have=spans.below(state.have, size))
            return *_carry_on(state, now_s), ()
        case Op.READ:
            state, pieces = _keep(state, packet, now_s)
            return *_carry_on(state, now_s), pieces
        case Op.CRC32 if len(packet.data) == 4:
            (crc,) = struct.unpack("<I", packet.data)
            return *_close(replace(state, crc32=crc), now_s), ()
        case Op.RESET:
            return *_open(state, now_s), ()
        case Op.TERMINATE:
            return _done(state), (), ()
    detail = f"{state.path}: an answer of {len(packet.data)} bytes to {packet.req_opcode}"
    return replace(state, outcome=Failed("ftp-nonsense", detail)), (), ()


def _burst_answered(state: FileFetch, packet: FtpPacket, now_s: float) -> FileStep:
    """A piece of this burst or a late one of another: both are kept, only this one's end counts."""
    size = state.size_bytes
    assert size is not None
    pieces: Pieces = ()
    if packet.opcode == Op.ACK and packet.session == state.session:
        state, pieces = _keep(state, packet, now_s)
    if state.phase != "bursting" or not state.pending:
        return state, (), pieces
    burst = state.pending[0]
    number = (packet.seq - burst.packet.seq - 1) % 65536
    if number > BURST_BYTES // DATA_BYTES:
        return state, (), pieces
    if packet.opcode == Op.NAK and _refusal(packet) is not Refusal.END_OF_FILE:
        state, sends = _refused(replace(state, pending=()), packet, now_s)
        return state, sends, pieces
    if number == 0:
        state = replace(state, rtt_s=now_s - burst.sent_at_s)
    wait_s = max(state.timing.resend_s, 1.5 * (state.rtt_s or 0.0))
    state = replace(state, quiet_since_s=now_s, wait_s=wait_s)
    at_end = packet.offset + len(packet.data) >= size
    if packet.opcode == Op.NAK or packet.burst_complete or at_end:
        return *_carry_on(state, now_s), pieces
    return state, (), pieces


def _keep(state: FileFetch, packet: FtpPacket, now_s: float) -> tuple[FileFetch, Pieces]:
    end = packet.offset + len(packet.data)
    if state.size_bytes is None or end > state.size_bytes:
        return state, ()
    have = spans.add(state.have, packet.offset, end)
    if have == state.have:
        return state, ()
    return replace(state, have=have, news_at_s=now_s), (Piece(packet.offset, packet.data),)


def _refused(state: FileFetch, packet: FtpPacket, now_s: float) -> tuple[FileFetch, Sends]:
    why = _refusal(packet)
    if packet.req_opcode == Op.CRC32:
        return _close(state, now_s)
    if packet.req_opcode == Op.TERMINATE:
        return _done(state), ()
    if why is Refusal.INVALID_SESSION:
        return _open(state, now_s)
    if why is Refusal.NO_SESSIONS:
        state = replace(state, phase="resetting", pending=())
        return _send(state, Op.RESET, now_s)
    name = "ftp-not-found" if why in (Refusal.NOT_FOUND, Refusal.FAIL_ERRNO) else "ftp-refused"
    if packet.req_opcode == Op.READ and why is Refusal.END_OF_FILE:
        name = "ftp-shorter"
    return replace(state, outcome=Failed(name, f"{state.path}: {why.name} ({why})")), ()


def _close(state: FileFetch, now_s: float) -> tuple[FileFetch, Sends]:
    return _send(replace(state, phase="closing", pending=()), Op.TERMINATE, now_s)


def _done(state: FileFetch) -> FileFetch:
    assert state.size_bytes is not None
    return replace(state, outcome=Fetched(state.size_bytes, state.crc32))


# The passing of time


def _tick(state: FileFetch, now_s: float) -> tuple[FileFetch, Sends]:
    if now_s - state.news_at_s >= state.timing.deadline_s:
        return _gave_up(state, "ftp-silent", now_s), ()
    limit_s = state.timing.deadline_s + (state.size_bytes or 0) / SLOWEST_BYTES_S
    if now_s - state.started_at_s >= limit_s:
        return _gave_up(state, "ftp-timeout", now_s), ()
    if state.phase == "bursting":
        return _burst_tick(state, now_s)
    late = [one for one in state.pending if now_s - one.sent_at_s >= _patience_s(state, one)]
    if not late:
        return state, ()
    if state.phase in ("checking", "closing") and late[0].tries >= LAST_TRIES:
        return _close(state, now_s) if state.phase == "checking" else (_done(state), ())
    pending = tuple(
        replace(one, sent_at_s=now_s, tries=one.tries + 1) if one in late else one
        for one in state.pending
    )
    return replace(state, pending=pending), tuple(one.packet for one in late)


def _patience_s(state: FileFetch, request: _Request) -> float:
    return float(min(LONGEST_WAIT_S, state.wait_s * 1.5 ** (request.tries - 1)))


def _burst_tick(state: FileFetch, now_s: float) -> tuple[FileFetch, Sends]:
    """A burst that fell silent: ask from where something is missing."""
    if now_s - state.quiet_since_s < state.wait_s:
        return state, ()
    wait_s = min(LONGEST_WAIT_S, 1.5 * state.wait_s)
    return _carry_on(replace(state, wait_s=wait_s), now_s)


def _gave_up(state: FileFetch, name: str, now_s: float) -> FileFetch:
    size = "unknown" if state.size_bytes is None else state.size_bytes
    detail = f"{state.path}: {spans.total(state.have)} of {size} bytes, {state.phase}, "
    detail += f"after {now_s - state.started_at_s:.0f} s"
    return replace(state, outcome=Failed(name, detail))
