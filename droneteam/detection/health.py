"""How each receiver is: when it was heard, how much it gave, and what it complains of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from droneteam.detection.records import (
    MAX_RECEIVERS,
    Alive,
    Counts,
    Leave,
    Placed,
    Plot,
    Received,
    Record,
    Trouble,
)

State = Literal["working", "quiet", "failing", "silent", "stopped"]
"""quiet : heard nothing for long and sends no signs of life, so nobody can tell; stopped : the
watch that followed it has ended."""

NO_COUNTS = Counts()


@dataclass(frozen=True, slots=True)
class Health:
    """One receiver; times are the records' own.

    kind : what it says it is, else the transport that it gave last; "" while neither is known.
    heard_at : its last reception; alive_at : its last sign of life; failed_at, problem : its last
    complaint. dropped : over the limit of their radio. counts : what it has counted itself.
    remark : what is odd about it although it works.
    """

    name: str
    kind: str = ""
    heard_at: datetime | None = None
    alive_at: datetime | None = None
    failed_at: datetime | None = None
    problem: str = ""
    received: int = 0
    dropped: int = 0
    counts: Counts = NO_COUNTS
    named: bool = False
    """Whether the kind is what the receiver says of itself."""
    remark: str = ""

    def state(self, now: datetime, silent_after_s: float) -> State:
        """How it is at a moment."""
        signs = [at for at in (self.heard_at, self.alive_at) if at is not None]
        newest = max(signs, default=None)
        if self.failed_at is not None and (newest is None or self.failed_at > newest):
            return "failing"
        if newest is not None and (now - newest).total_seconds() <= silent_after_s:
            return "working"
        return "quiet" if self.alive_at is None else "silent"


class Ledger:
    """The health of every receiver that was heard of."""

    def __init__(self) -> None:
        self._rows: dict[str, Health] = {}

    def note(self, records: Iterable[Record], dropped: Mapping[str, int]) -> None:
        """What came; dropped : how many of each receiver were held back, in all."""
        for record in records:
            name = record.sensor if isinstance(record, Plot) else record.receiver
            if isinstance(record, Leave):
                self._rows.pop(name, None)
                continue
            row = self._rows.get(name)
            if row is None:
                if len(self._rows) >= MAX_RECEIVERS:
                    continue
                row = Health(name)
            self._rows[name] = _after(row, record)
        for name, count in dropped.items():
            if name in self._rows and self._rows[name].dropped != count:
                self._rows[name] = replace(self._rows[name], dropped=count)

    def remark(self, name: str, remark: str) -> None:
        """What is odd about a receiver now; "" for nothing."""
        row = self._rows.get(name)
        if row is not None and row.remark != remark:
            self._rows[name] = replace(row, remark=remark)

    @property
    def rows(self) -> tuple[Health, ...]:
        """Every receiver."""
        return tuple(self._rows.values())


def _after(row: Health, record: Received | Plot | Alive | Trouble | Placed) -> Health:
    match record:
        case Alive(at=at):
            return replace(_told(row, record), alive_at=_later(row.alive_at, at))
        case Trouble(at=at, problem=problem):
            return replace(_told(row, record), failed_at=_later(row.failed_at, at), problem=problem)
        case Received(at=at, transport=kind) | Plot(at=at, transport=kind):
            kind = row.kind if row.named else kind
            heard_at = _later(row.heard_at, at)
            return replace(row, kind=kind, heard_at=heard_at, received=row.received + 1)
        case Placed():
            return row


def _told(row: Health, record: Alive | Trouble) -> Health:
    """The row with what the receiver says of itself."""
    if record.kind:
        row = replace(row, kind=record.kind, named=True)
    return row if record.counts is None else replace(row, counts=record.counts)


def _later(before: datetime | None, at: datetime) -> datetime:
    return at if before is None else max(before, at)
