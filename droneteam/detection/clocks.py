"""Receivers whose clocks are off, and receivers that repeat what is over.

When a record arrives, the receiver's lag is how far its time is behind this machine's.  The
smallest lag of all that was ever heard is held to be right: a recording that is sent again with
dates of its own is right for itself.  A receiver that differs from it by more than OFF_S

- and never was right, or is ahead, has a clock that is off: its records are dated by its lag, so
  that they neither stop the others' time nor run before it;
- and was right before, gives what is long over (a store that is emptied, yesterday again): that is
  kept as received and followed by nobody.

Both are counted and named.  What a feed says on its receiver's behalf is dated by this machine and
tells nothing of the receiver's clock; that such feeds run makes this machine's clock the right one.
Pure: the arrival is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from droneteam.detection.records import MAX_RECEIVERS, Plot, Received, Record

OFF_S = 30.0
"""Networks hold records back for seconds; a clock that is set by the network is off by less."""

LATE_S = {"network": 60.0}
"""By transport, where a record may be later than OFF_S: a network position may be a minute late by
ASTM F3411-22a."""

Verdict = Literal["right", "moved", "over"]


@dataclass(slots=True)
class _Lag:
    """One receiver; lag_s : the newest that was believed; counts : of each verdict."""

    lag_s: float
    was_right: bool = False
    last: Verdict = "right"
    moved: int = 0
    over: int = 0


class Clocks:
    """The lag of every receiver."""

    def __init__(self) -> None:
        self._lags: dict[str, _Lag] = {}
        self._right_s: float | None = None

    def judge(self, record: Record, arrived_at: datetime) -> tuple[Record, Verdict]:
        """The record, dated by its lag where its receiver's clock is off, and what it was."""
        late_s = LATE_S.get(record.transport, OFF_S) if isinstance(record, Received) else OFF_S
        name = record.sensor if isinstance(record, Plot) else record.receiver
        lag_s = (arrived_at - record.at).total_seconds()
        right_s = self._learn(lag_s)
        known = self._lags.get(name)
        if known is None:
            if len(self._lags) >= MAX_RECEIVERS:
                return record, "right"
            known = self._lags[name] = _Lag(lag_s)
        off_s = lag_s - right_s
        jumped = abs(lag_s - known.lag_s) > OFF_S
        if -OFF_S <= off_s <= late_s:
            known.lag_s, known.was_right, known.last = lag_s, True, "right"
        elif known.was_right and off_s > 0.0 and jumped:
            known.over, known.last = known.over + 1, "over"
        else:
            known.lag_s, known.was_right = lag_s, False
            known.moved, known.last = known.moved + 1, "moved"
            record = replace(record, at=record.at + timedelta(seconds=off_s))
        return record, known.last

    def agree(self) -> None:
        """A record was dated by this machine itself, whose clock is the right one from now on."""
        self._learn(0.0)

    def _learn(self, lag_s: float) -> float:
        """The lag that is right, after another one was heard."""
        if self._right_s is None or abs(lag_s) < abs(self._right_s):
            self._right_s = lag_s
        return self._right_s

    def remark(self, receiver: str) -> str:
        """What is to be said of a receiver's clock, "" where it is right."""
        known = self._lags.get(receiver)
        if known is None or known.last == "right":
            return ""
        if known.last == "over":
            return f"repeats what is over: {known.over} records were not followed"
        side = "behind" if known.lag_s > 0.0 else "ahead"
        return (
            f"its clock is {abs(known.lag_s) / 3600.0:.2f} h {side}: "
            f"{known.moved} records were dated by their arrival"
        )
