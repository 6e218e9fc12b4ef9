"""Alerts of many owners, stepped when what holds of one changes or when one of them is due.

An owner is a track or a receiver.  What was said of it stands until something else is said, so
nothing has to be asked again while nothing changes; the moments at which patience ends (a
condition has held long enough, or has been gone long enough) are kept in the order of time.
The rules of a single owner are `alert.step`'s.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from droneteam.detection import alert
from droneteam.detection.alert import AlertChange, AlertRules, Condition


@dataclass(slots=True)
class _Owner:
    """What is said of one owner, its alerts, and when one of them is due next."""

    conditions: tuple[Condition, ...] = ()
    book: alert.Book = field(default_factory=dict)
    at: datetime | None = None
    due: datetime | None = None

    def keys(self) -> set[tuple[str, str]]:
        """Of what holds."""
        return {(one.kind, one.key) for one in self.conditions}


class Standing:
    """What holds of every owner."""

    def __init__(self, rules: AlertRules) -> None:
        self._rules = rules
        self._owners: dict[str, _Owner] = {}
        self._queue: list[tuple[datetime, str]] = []

    def __len__(self) -> int:
        """How many owners something is remembered of."""
        return len(self._owners)

    def __contains__(self, owner: str) -> bool:
        """Whether something is remembered of an owner."""
        return owner in self._owners

    def say(self, owner: str, conditions: Iterable[Condition], at: datetime) -> list[AlertChange]:
        """What changes when exactly these conditions hold of the owner from a moment on.

        What was said before held until then; a moment before the last one counts as the last one.
        """
        said = tuple(conditions)
        known = self._owners.get(owner)
        if known is None:
            if not said:
                return []
            known = self._owners[owner] = _Owner()
        elif known.conditions == said and not any(one.facts for one in said):
            return []
        at = at if known.at is None else max(at, known.at)
        changes = self._catch_up(known, at)
        held = known.keys()
        # What held until now is not raised by it: that is for what is said now.
        known.book = {
            key: replace(one, last_true_at=at) if key in held else one
            for key, one in known.book.items()
        }
        known.conditions = said
        changes += self._step(known, at)
        self._plan(owner, known)
        return changes

    def pass_to(self, now: datetime) -> list[AlertChange]:
        """What becomes due until a moment, and at it, in the order of time."""
        changes: list[AlertChange] = []
        while self._queue and self._queue[0][0] <= now:
            due, owner = heapq.heappop(self._queue)
            known = self._owners.get(owner)
            if known is None or known.due != due:
                continue  # it was planned anew since
            known.due = None
            changes += self._step(known, due)
            self._plan(owner, known)
        return changes

    @property
    def due(self) -> datetime | None:
        """The next moment at which an alert may change although nothing is said."""
        while self._queue:
            due, owner = self._queue[0]
            known = self._owners.get(owner)
            if known is not None and known.due == due:
                return due
            heapq.heappop(self._queue)
        return None

    def _catch_up(self, known: _Owner, at: datetime) -> list[AlertChange]:
        """What was due before a moment; what is due at it is decided by what is said then."""
        changes: list[AlertChange] = []
        due = known.due
        while due is not None and due < at:
            changes += self._step(known, due)
            due = self._next(known)
            known.due = None  # until it is planned again
        return changes

    def _step(self, known: _Owner, at: datetime) -> list[AlertChange]:
        known.book, changes = alert.step(known.book, known.conditions, at, self._rules)
        known.at = at
        return list(changes)

    def _plan(self, owner: str, known: _Owner) -> None:
        if not known.book:
            del self._owners[owner]
            return
        due = self._next(known)
        if due is not None and due != known.due:
            heapq.heappush(self._queue, (due, owner))
        known.due = due

    def _next(self, known: _Owner) -> datetime | None:
        holding = known.keys()
        raise_after = _at_least(self._rules.raise_after_s)
        clear_after = _at_least(self._rules.clear_after_s)
        moments = [
            one.since + raise_after if key in holding else one.last_true_at + clear_after
            for key, one in known.book.items()
            if key not in holding or one.raised_at is None
        ]
        return min(moments, default=None)


def _at_least(seconds: float) -> timedelta:
    """The shortest time of whole microseconds that is not less."""
    return timedelta(microseconds=math.ceil(seconds * 1e6))
