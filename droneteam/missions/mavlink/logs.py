"""Fetching a vehicle's onboard log with LOG_REQUEST_LIST and LOG_REQUEST_DATA, without I/O.

The machines keep the rules of ``handshake.py``; what a fetch has received it hands on as `Piece`s
and keeps only which bytes are there.  What ArduPilot does decides the rules:

- A request while a transfer runs is dropped in silence, so the next one is sent only when the
  one before has ended: its last byte came, or nothing came for a while.
- One request's answer is a stream of pieces of 90 bytes without acknowledgement.  What was lost
  is asked for again; gaps that lie so near each other that a round trip costs more than sending
  what is between them again are asked for together.
- A piece shorter than 90 bytes before the end that was asked for is the end of the log: the list
  told a size that the log does not have.
- An armed vehicle sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from droneteam.missions.mavlink import spans
from droneteam.missions.mavlink.handshake import Failed, Sends, Timing
from droneteam.missions.mavlink.messages import (
    LogData,
    LogDataRequest,
    LogEnd,
    LogEntry,
    LogListRequest,
    Transfer,
)
from droneteam.missions.mavlink.spans import Span, Spans

PIECE_BYTES = 90
WINDOW_BYTES = 4096 * PIECE_BYTES
"""Asked for at once: what is known stays small, and a break costs no more."""
JOIN_BYTES = 8 * PIECE_BYTES
"""Gaps this near are asked for together however quick the link is."""
LONGEST_WAIT_S = 15.0
SLOWEST_BYTES_S = 1000.0
"""A transfer that is slower than this on the whole is given up."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file and where they belong."""

    offset: int
    data: bytes


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """The logs on the vehicle's card, oldest first."""

    entries: tuple[LogEntry, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole file; crc32 : as the vehicle told it, None where it cannot."""

    size_bytes: int
    crc32: int | None = None


# The list


@dataclass(frozen=True, slots=True)
class LogList:
    """Asking which logs there are."""

    timing: Timing
    started_at_s: float
    asked_at_s: float
    wait_s: float
    entries: tuple[LogEntry, ...] = ()
    outcome: Listed | Failed | None = None


def start_list(timing: Timing, now_s: float) -> tuple[LogList, Sends]:
    """A listing and its first message."""
    return LogList(timing, now_s, now_s, timing.announce_s), (LogListRequest(),)


def list_step(state: LogList, message: Transfer | None, now_s: float) -> tuple[LogList, Sends]:
    """The next state and what to send."""
    if state.outcome is not None:
        return state, ()
    match message:
        case LogEntry():
            return _entry_received(state, message, now_s), ()
        case None:
            return _list_tick(state, now_s)
    return state, ()


def _entry_received(state: LogList, entry: LogEntry, now_s: float) -> LogList:
    if entry.n_logs == 0:
        return replace(state, outcome=Listed(()))
    others = [one for one in state.entries if one.log_id != entry.log_id]
    entries = tuple(sorted((*others, entry), key=lambda one: one.log_id))
    state = replace(state, entries=entries, asked_at_s=now_s)
    if len(entries) >= entry.n_logs:
        return replace(state, outcome=Listed(entries))
    return state


def _list_tick(state: LogList, now_s: float) -> tuple[LogList, Sends]:
    if now_s - state.started_at_s >= state.timing.deadline_s:
        detail = f"{len(state.entries)} entries" if state.entries else "no answer"
        return replace(state, outcome=Failed("log-list-timeout", detail)), ()
    if now_s - state.asked_at_s < state.wait_s:
        return state, ()
    wait_s = min(LONGEST_WAIT_S, 1.5 * state.wait_s)
    state = replace(state, asked_at_s=now_s, wait_s=wait_s)
    return state, (_ask_for_missing(state.entries),)


def _ask_for_missing(entries: tuple[LogEntry, ...]) -> LogListRequest:
    """The ids between the first and the last that are not known yet."""
    if not entries:
        return LogListRequest()
    known = {entry.log_id for entry in entries}
    last = entries[-1].last_id
    wanted = range(last - entries[-1].n_logs + 1, last + 1)
    missing = [number for number in wanted if number not in known]
    return LogListRequest(missing[0], missing[-1]) if missing else LogListRequest()


# The bytes


@dataclass(frozen=True, slots=True)
class LogFetch:
    """Reading one log.

    have : the bytes that are there; asked : the span of the last request; asked_at_s : when it
    was sent first; quiet_since_s : since when neither it was repeated nor bytes came; news_at_s :
    when bytes came that were missing; came : bytes since it was asked for; wait_s : how long
    silence may last before asking again, longer after each vain request; began : bytes that were
    there at the start.
    """

    log_id: int
    size_bytes: int
    timing: Timing
    started_at_s: float
    have: Spans = ()
    asked: Span = (0, 0)
    asked_at_s: float = 0.0
    quiet_since_s: float = 0.0
    news_at_s: float = 0.0
    came: int = 0
    rtt_s: float | None = None
    rate_bytes_s: float = 0.0
    wait_s: float = 0.0
    requests: int = 0
    outcome: Fetched | Failed | None = None
    began: int = 0

    @property
    def share(self) -> float:
        """How much of the log is there, 0 to 1."""
        return spans.total(self.have) / self.size_bytes if self.size_bytes else 1.0


FetchStep = tuple[LogFetch, Sends, Pieces]


def start_fetch(
    log_id: int, size_bytes: int, timing: Timing, now_s: float, have: Spans = ()
) -> FetchStep:
    """A fetch and its first message; have : what an earlier one brought."""
    state = LogFetch(
        log_id,
        size_bytes,
        timing,
        now_s,
        have=have,
        quiet_since_s=now_s,
        news_at_s=now_s,
        wait_s=timing.announce_s,
        began=spans.total(have),
    )
    return _ask_next(state, now_s)


def fetch_step(state: LogFetch, message: Transfer | None, now_s: float) -> FetchStep:
    """The next state, what to send, and what to store."""
    if state.outcome is not None:
        return state, (), ()
    match message:
        case LogData(log_id=log_id) if log_id == state.log_id:
            return _piece_received(state, message, now_s)
        case None:
            return _fetch_tick(state, now_s)
    return state, (), ()


def _piece_received(state: LogFetch, message: LogData, now_s: float) -> FetchStep:
    start, end = message.offset, message.offset + len(message.data)
    state = _paced(state, len(message.data), now_s)
    if len(message.data) < PIECE_BYTES and state.asked[0] <= end < state.asked[1]:
        state = replace(state, size_bytes=end, have=spans.below(state.have, end))
    if end > state.size_bytes:
        return state, (), ()
    have = spans.add(state.have, start, end)
    pieces: Pieces = ()
    if have != state.have:
        pieces = (Piece(start, message.data),)
        state = replace(state, have=have, news_at_s=now_s)
    if end >= min(state.asked[1], state.size_bytes):
        state, sends, _ = _ask_next(state, now_s)
        return state, sends, pieces
    return state, (), pieces


def _paced(state: LogFetch, count: int, now_s: float) -> LogFetch:
    """The round trip and the rate, as the stream shows them."""
    rtt_s = state.rtt_s
    if state.came == 0:
        waited_s = now_s - state.asked_at_s
        rtt_s = waited_s if rtt_s is None else 0.7 * rtt_s + 0.3 * waited_s
    came = state.came + count
    lasted_s = now_s - state.asked_at_s - (rtt_s or 0.0)
    rate = came / lasted_s if lasted_s > 0.05 and came > 2000 else state.rate_bytes_s
    return replace(
        state,
        rtt_s=rtt_s,
        came=came,
        rate_bytes_s=rate,
        quiet_since_s=now_s,
        wait_s=max(state.timing.resend_s, 1.5 * (rtt_s or 0.0)),
    )


def _ask_next(state: LogFetch, now_s: float) -> FetchStep:
    """Ask for what is missing first, or end."""
    at = spans.first_gap(state.have, state.size_bytes)
    if at is None:
        return replace(state, outcome=Fetched(state.size_bytes)), (LogEnd(),), ()
    window_end = min(state.size_bytes, at + WINDOW_BYTES)
    missing = spans.gaps(state.have, at, window_end)
    round_trip_bytes = round((state.rtt_s or 0.0) * state.rate_bytes_s)
    start, end = spans.joined(missing, max(JOIN_BYTES, round_trip_bytes))
    state = replace(
        state, asked=(start, end), asked_at_s=now_s, came=0, requests=state.requests + 1
    )
    return state, (LogDataRequest(state.log_id, start, end - start),), ()


def _fetch_tick(state: LogFetch, now_s: float) -> FetchStep:
    if now_s - state.news_at_s >= state.timing.deadline_s:
        return _gave_up(state, "log-silent", f"nothing new for {now_s - state.news_at_s:.0f} s")
    limit_s = state.timing.deadline_s + (state.size_bytes - state.began) / SLOWEST_BYTES_S
    if now_s - state.started_at_s >= limit_s:
        return _gave_up(state, "log-timeout", f"after {now_s - state.started_at_s:.0f} s")
    if now_s - max(state.quiet_since_s, state.asked_at_s) < state.wait_s:
        return state, (), ()
    vain = state.came == 0
    asked_at_s = state.asked_at_s
    state = replace(state, wait_s=min(LONGEST_WAIT_S, 1.5 * state.wait_s if vain else state.wait_s))
    return _ask_next(state, now_s) if not vain else _ask_again(state, asked_at_s, now_s)


def _ask_again(state: LogFetch, first_asked_at_s: float, now_s: float) -> FetchStep:
    """Repeat a request that nothing answered; a late answer may still be to the first."""
    state, sends, pieces = _ask_next(state, now_s)
    return replace(state, quiet_since_s=now_s, asked_at_s=first_asked_at_s), sends, pieces


def _gave_up(state: LogFetch, name: str, why: str) -> FetchStep:
    detail = f"{spans.total(state.have)} of {state.size_bytes} bytes of log {state.log_id}, {why}"
    return replace(state, outcome=Failed(name, detail)), (LogEnd(),), ()
