"""The vehicle's clocks against ours: offset, round trip, jumps; without I/O.

TIMESYNC asks the vehicle for its clock: it answers with its own time and ours at sending.  The
offset is its time minus the middle between our sending and receiving, and it is wrong by at most
half the round trip; of the last exchanges the quickest one counts (as in NTP, RFC 5905 §10).
SYSTEM_TIME ties the vehicle's calendar to the same clock.

A clock that jumps is named once: ours (the calendar moved against the steady clock), the
vehicle's own (a restart), or its calendar (a first fix, a leap second, interference).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from droneteam.missions.mavlink.handshake import Sends
from droneteam.missions.mavlink.messages import Inbound, SystemTime, TimeSync

ASK_EVERY_S = 2.0
ASK_FIRST = 5
"""Exchanges in quick succession at the start."""
ASK_FIRST_S = 0.2
KEPT = 12
JUMP_S = 0.25
"""Smaller differences are drift and delays."""
HELD_UP_S = 1.0
"""A simulator on a busy machine loses so much of its time without being remarkable."""
CONFIRMED = 3
"""Exchanges in a row that agree on a jump: one alone may be an old answer."""
SLOWEST_S = 10.0
"""An answer later than this says nothing."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answered request; offset_s : the vehicle's clock minus our calendar."""

    unix_s: float
    offset_s: float
    rtt_s: float


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """What is known of the vehicle's clocks.

    scale : how much faster the vehicle's clock runs (a simulator); kept : the last exchanges;
    odd : in a row that disagree with those; waiting : our times in the last requests, because
    answers go to every ground station and only those to ours count; calendar_s : its calendar
    minus its own clock.
    """

    scale: float = 1.0
    kept: tuple[Exchange, ...] = ()
    odd: tuple[Exchange, ...] = ()
    waiting: tuple[int, ...] = ()
    asked: int = 0
    asked_at_s: float | None = None
    steady: tuple[float, float] | None = None
    calendar_s: float | None = None
    told: bool = False

    @property
    def best(self) -> Exchange | None:
        """The exchange that counts."""
        return min(self.kept, key=lambda one: one.rtt_s, default=None)

    @property
    def uncertainty_s(self) -> float | None:
        """The most by which the offset may be wrong, None before the first exchange."""
        best = self.best
        return None if best is None else 0.5 * best.rtt_s * max(1.0, self.scale)

    @property
    def calendar_offset_s(self) -> float | None:
        """The vehicle's calendar minus ours, None while unknown."""
        best = self.best
        if best is None or self.calendar_s is None:
            return None
        return self.calendar_s + best.offset_s


Notes = tuple[str, ...]
ClockStep = tuple[ClockWatch, Sends, Notes]


def clock_step(
    state: ClockWatch, message: Inbound | None, now_s: float, unix_s: float
) -> ClockStep:
    """The next state, what to send, and what is worth a line in the record.

    now_s : our steady clock; unix_s : our calendar.
    """
    state, notes = _own_clock(state, now_s, unix_s)
    match message:
        case TimeSync(theirs_ns=theirs_ns, ours_ns=ours_ns) if ours_ns in state.waiting:
            state = replace(state, waiting=tuple(x for x in state.waiting if x != ours_ns))
            state, more = _exchanged(state, theirs_ns / 1e9, ours_ns / 1e9, unix_s)
            return state, (), notes + more
        case SystemTime(unix_at=unix_at, boot_s=boot_s) if unix_at is not None:
            state, more = _calendar(state, unix_at.timestamp() - boot_s)
            return state, (), notes + more
        case None:
            state, sends = _ask(state, now_s, unix_s)
            return state, sends, notes
    return state, (), notes


def _ask(state: ClockWatch, now_s: float, unix_s: float) -> tuple[ClockWatch, Sends]:
    every_s = ASK_FIRST_S if state.asked < ASK_FIRST else ASK_EVERY_S
    if state.asked_at_s is not None and now_s - state.asked_at_s < every_s:
        return state, ()
    ours_ns = round(unix_s * 1e9)
    waiting = (*state.waiting, ours_ns)[-KEPT:]
    state = replace(state, asked=state.asked + 1, asked_at_s=now_s, waiting=waiting)
    return state, (TimeSync(0, ours_ns),)


def _own_clock(state: ClockWatch, now_s: float, unix_s: float) -> tuple[ClockWatch, Notes]:
    before = state.steady
    state = replace(state, steady=(now_s, unix_s))
    if before is None:
        return state, ()
    jump_s = (unix_s - before[1]) - (now_s - before[0])
    if abs(jump_s) < JUMP_S:
        return state, ()
    state = replace(state, kept=(), odd=(), told=False)
    return state, (f"this machine's clock jumped by {jump_s:+.3f} s",)


def _exchanged(
    state: ClockWatch, theirs_s: float, sent_s: float, unix_s: float
) -> tuple[ClockWatch, Notes]:
    rtt_s = unix_s - sent_s
    if not 0.0 <= rtt_s <= SLOWEST_S:
        return state, ()
    found = Exchange(unix_s, theirs_s - 0.5 * (sent_s + unix_s), rtt_s)
    if not state.kept or _agree(state, state.kept[-1], found):
        kept = _moved((*state.kept, found)[-KEPT:], found.unix_s, state.scale)
        return _tell(replace(state, kept=kept, odd=()))
    odd = (*state.odd, found)
    if len(odd) < CONFIRMED or not _agree(state, odd[0], found):
        return replace(state, odd=odd[-CONFIRMED:]), ()
    jump_s = found.offset_s - _expected(state, state.kept[-1], found)
    word = "restarted" if theirs_s < 60.0 and jump_s < 0.0 else f"jumped by {jump_s:+.3f} s"
    state = replace(state, kept=odd, odd=(), told=False)
    return state, (f"the vehicle's clock {word}",)


def _expected(state: ClockWatch, before: Exchange, found: Exchange) -> float:
    return before.offset_s + (state.scale - 1.0) * (found.unix_s - before.unix_s)


def _agree(state: ClockWatch, before: Exchange, found: Exchange) -> bool:
    jump_s = JUMP_S if state.scale == 1.0 else HELD_UP_S
    allowed_s = max(1.0, state.scale) * (jump_s + 0.5 * (before.rtt_s + found.rtt_s))
    return abs(found.offset_s - _expected(state, before, found)) <= allowed_s


def _moved(kept: tuple[Exchange, ...], unix_s: float, scale: float) -> tuple[Exchange, ...]:
    """The exchanges as they would be now, for a clock that runs at another rate."""
    if scale == 1.0:
        return kept
    return tuple(
        Exchange(unix_s, one.offset_s + (scale - 1.0) * (unix_s - one.unix_s), one.rtt_s)
        for one in kept
    )


def _calendar(state: ClockWatch, calendar_s: float) -> tuple[ClockWatch, Notes]:
    before = state.calendar_s
    state = replace(state, calendar_s=calendar_s)
    if before is None or abs(calendar_s - before) < JUMP_S:
        return _tell(state)
    jump_s = calendar_s - before
    return replace(state, told=False), (f"the vehicle's calendar jumped by {jump_s:+.3f} s",)


def _tell(state: ClockWatch) -> tuple[ClockWatch, Notes]:
    """Say once how the clocks stand, when enough is known."""
    offset_s, sigma_s = state.calendar_offset_s, state.uncertainty_s
    if state.told or offset_s is None or sigma_s is None or len(state.kept) < CONFIRMED:
        return state, ()
    at = datetime.fromtimestamp(state.kept[-1].unix_s, UTC)
    text = f"the vehicle's calendar is {offset_s:+.3f} s from ours, within {sigma_s:.3f} s"
    return replace(state, told=True), (f"{text}, at {at:%H:%M:%S} UTC",)
