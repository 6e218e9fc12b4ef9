"""What came of a pilot's wishes: the wishes beside the controller's journal; pure.

The controller writes "asks for …" when it has taken a wish, then what it does: an intent before
each command, a refusal of its own ("… not sent: …"), an alarm when the vehicle did not do it.  Who
took over is in the journal, too.  A wish belongs to the first "asks for" of its kind at or after
its time that no earlier wish has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from droneteam.missions.flight.state import Phase
from droneteam.missions.record.journal import Entry

State = Literal["waiting", "unheard", "refused", "failed", "ordered", "overruled"]
"""waiting : no word yet; unheard : no controller took it; refused : the controller did not send it;
failed : the vehicle did not do it; ordered : the vehicle was told; overruled : the pilot's own
transmitter had taken over."""

HEARD_WITHIN = timedelta(seconds=5)
"""A controller takes a wish within a turn of its loop, some hundredths of a second."""
SILENT_AFTER = timedelta(seconds=10)
"""A controller writes its drone's state twice a second."""
CLOCKS_APART = timedelta(seconds=1)
MAX_SHOWN = 12
_NOTICES = frozenset(
    {"alarm", "adopted", "handed over", "separation", "returning", "link", "ended"}
)
_TAKEN, _NOT_SENT = "asks for ", " not sent: "


@dataclass(frozen=True, slots=True)
class Ask:
    """One wish as it was put in."""

    at: datetime
    what: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A wish and what came of it; detail : the controller's words, may be empty."""

    at: datetime
    what: str
    key: str
    state: State
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A line of the journal that a pilot must see."""

    at: datetime
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class FlightRecord:
    """The newest wishes and notices, newest first.

    controller : whether one has written lately; handed_over : why it commands nothing any more,
    None while it does; flying : whether the mission is in a controller's hands now.
    """

    asks: tuple[Outcome, ...]
    notices: tuple[Notice, ...]
    controller: bool
    handed_over: str | None = None
    flying: bool = True


def flight_record(
    asks: Sequence[Ask],
    journal: Sequence[Entry],
    *,
    phase: str,
    heard_at: datetime | None,
    now: datetime,
) -> FlightRecord:
    """The record of a flight as its pilot sees it.

    phase, heard_at : of the drone's latest state, empty and None where it has said nothing.
    """
    notices = [Notice(one.at, one.kind, one.said) for one in journal if one.kind in _NOTICES]
    taken_over = next((one.detail for one in reversed(journal) if one.kind == "handed over"), "")
    return FlightRecord(
        asks=tuple(reversed(outcomes(asks, journal, now)))[:MAX_SHOWN],
        notices=tuple(reversed(notices))[:MAX_SHOWN],
        controller=heard_at is not None and now - heard_at <= SILENT_AFTER,
        handed_over=taken_over if phase == Phase.HANDED_OVER.value else None,
    )


def outcomes(asks: Sequence[Ask], journal: Sequence[Entry], now: datetime) -> list[Outcome]:
    """What came of each wish, in their order."""
    taken = [place for place, one in enumerate(journal) if _takes(one) is not None]
    found = []
    for ask in asks:
        place = next((one for one in taken if _is_of(journal[one], ask)), None)
        if place is None:
            state: State = "waiting" if now - ask.at < HEARD_WITHIN else "unheard"
            found.append(Outcome(ask.at, ask.what, ask.key, state))
            continue
        taken.remove(place)
        said = _until_next(journal, place)
        found.append(Outcome(ask.at, ask.what, ask.key, *_judged(ask.what, said)))
    return found


def _takes(entry: Entry) -> str | None:
    """The wish that an entry says was taken."""
    if entry.kind != "pilot" or not entry.detail.startswith(_TAKEN):
        return None
    return entry.detail.removeprefix(_TAKEN)


def _is_of(entry: Entry, ask: Ask) -> bool:
    return _takes(entry) == ask.what and entry.at >= ask.at - CLOCKS_APART


def _until_next(journal: Sequence[Entry], place: int) -> list[Entry]:
    """What follows a wish, up to the next one."""
    following = journal[place + 1 :]
    end = next((n for n, one in enumerate(following) if _takes(one) is not None), len(following))
    return list(following[:end])


def _judged(what: str, said: Sequence[Entry]) -> tuple[State, str]:
    """The first word that settles it."""
    ordered = False
    for one in said:
        if one.kind == "pilot" and one.detail.startswith(what + _NOT_SENT):
            return "refused", one.detail.removeprefix(what + _NOT_SENT)
        if one.kind == "handed over":
            return "overruled", one.detail
        if one.kind == "alarm" and "the vehicle did not" in one.detail:
            return "failed", one.detail
        ordered = ordered or one.kind == "intent"
        if one.kind in ("paused", "mission", "camera"):  # done; what fails later is another matter
            return "ordered", one.detail
    return ("ordered", "") if ordered else ("waiting", "")
