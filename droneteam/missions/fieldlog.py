"""What the crew writes down beside the drone: checks, times, defects and notes.

A crew often has no network, so that entries come late, twice and from several devices.  Each
carries a key that its device made up (it counts once) and names the entry it was meant to follow.
One that follows an entry which somebody else has followed meanwhile is kept beside it and changes
nothing until a person decides: clocks of devices are wrong, and the last one to reach the network
need not be right.
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, display_names, require_role
from droneteam.errors import Conflict, InputError
from droneteam.fleet import service as fleet
from droneteam.missions import models
from droneteam.missions.planning import PLANNERS, mission_row

CHECKS = (
    "weather",
    "airspace",
    "drone_inspected",
    "batteries",
    "storage",
    "take_off_area",
    "people_clear",
    "crew_briefed",
    "return_height",
)
"""Looked at before every flight; EASA's checklist of UAS.SPEC.050 and .060 in the crew's order."""
TIMES = ("left_base", "on_site", "take_off", "landing", "left_site", "back_at_base")
"""Moments that the statistics and the request's clocks are checked against."""
MAX_TEXT = 2_000
MAX_ENTRIES = 500
"""In one call; a device that gathered more sends them in several."""


class FieldKind(enum.StrEnum):
    """What an entry is."""

    CHECK = "check"
    TIME = "time"
    DEFECT = "defect"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry as a device sends it.

    key : a UUID that the device made up; item : of CHECKS or TIMES, "" for texts; value : "yes"
    or "no", a time (RFC 3339, "" takes it back), or the text; at : by the device's clock;
    base : the key of the item's entry that the device knew, "" for none
    """

    key: str
    kind: FieldKind
    item: str
    value: str
    at: datetime
    base: str = ""

    def __post_init__(self) -> None:
        try:
            uuid.UUID(self.key)
        except ValueError:
            raise InputError("key {key!r} is not a UUID", field="key", key=self.key) from None
        items = {FieldKind.CHECK: CHECKS, FieldKind.TIME: TIMES}.get(self.kind, ("",))
        if self.item not in items:
            raise InputError(
                "item {item!r} is none of {known}",
                field="item",
                item=self.item,
                known=", ".join(items),
            )
        if self.at.tzinfo is None:
            raise InputError("at needs its offset from UTC", field="at")
        _check_value(self.kind, self.value)


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """An entry as it is kept.

    by : the person's name; behind : somebody had followed its base before it came
    """

    key: str
    kind: str
    item: str
    value: str
    at: datetime
    received_at: datetime
    user_id: int | None
    by: str
    behind: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Two people wrote down different things; holds : what counts until somebody decides."""

    kind: str
    item: str
    holds: FieldEntry
    other: FieldEntry


@dataclass(frozen=True, slots=True)
class FieldLog:
    """A mission's entries in the order they came, what counts now, and what is undecided."""

    entries: tuple[FieldEntry, ...]
    current: tuple[FieldEntry, ...]
    differences: tuple[Difference, ...]


def field_log(session: Session, actor: Actor, mission_id: int) -> FieldLog:
    """What the crew wrote down; NotFound for another organisation's mission."""
    mission_row(session, actor, mission_id)
    return joined(_entries(session, mission_id))


def record_entries(
    session: Session, actor: Actor, mission_id: int, entries: Sequence[NewEntry], now: datetime
) -> FieldLog:
    """The log with the entries; those that came before change nothing.

    Raises
    ------
    InputError
        More than MAX_ENTRIES.
    Conflict
        A key is somebody else's or another mission's.
    """
    require_role(actor, *PLANNERS)
    if len(entries) > MAX_ENTRIES:
        raise InputError(
            "{count} entries; send at most {limit}",
            field="entries",
            count=len(entries),
            limit=MAX_ENTRIES,
        )
    mission = mission_row(session, actor, mission_id)
    session.refresh(mission, with_for_update=True)  # one device after the other
    sent = {one.key: one for one in entries}.values()
    fresh = [one for one in sent if not _is_known(session, actor, mission_id, one.key)]
    for one in fresh:
        session.add(_row(session, actor, mission_id, one, now))
        session.flush()
        if one.kind is FieldKind.DEFECT:
            fleet.report_defect(session, actor, mission.drone_id, one.value, now)
    if fresh:
        facts = {"entries": [one.key for one in fresh]}
        subject = f"mission:{mission_id}"
        audit.append(session, actor, action="mission.log", subject=subject, facts=facts, at=now)
    return joined(_entries(session, mission_id))


def joined(entries: Iterable[FieldEntry]) -> FieldLog:
    """The log that the entries, in the order they came, make up."""
    every = tuple(entries)
    heads: dict[tuple[str, str], FieldEntry] = {}
    open_ones: dict[tuple[str, str], dict[int | None, FieldEntry]] = {}
    for one in every:
        place = (one.kind, one.item)
        if one.kind not in (FieldKind.CHECK, FieldKind.TIME):
            continue
        if one.behind:
            open_ones.setdefault(place, {})[one.user_id] = one
        else:
            heads[place] = one
            open_ones.pop(place, None)  # whoever writes after both has seen both
    differences = tuple(
        Difference(kind, item, heads[kind, item], other)
        for (kind, item), others in open_ones.items()
        for other in others.values()
        if other.value != heads[kind, item].value
    )
    return FieldLog(every, tuple(heads.values()), differences)


def _check_value(kind: FieldKind, value: str) -> None:
    if kind is FieldKind.CHECK and value not in {"yes", "no"}:
        raise InputError(
            "value {value!r} of a check is neither yes nor no", field="value", value=value
        )
    if kind is FieldKind.TIME and value:
        try:
            aware = datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            aware = False
        if not aware:
            raise InputError(
                "value {value!r} is no time with an offset", field="value", value=value
            )
    if kind in (FieldKind.DEFECT, FieldKind.NOTE) and not 0 < len(value.strip()) <= MAX_TEXT:
        raise InputError("write 1 to {limit} characters", field="value", limit=MAX_TEXT)


def _is_known(session: Session, actor: Actor, mission_id: int, key: str) -> bool:
    row = session.scalar(select(models.FieldEntryRow).where(models.FieldEntryRow.key == key))
    if row is None:
        return False
    if row.mission_id != mission_id or row.user_id != (actor.user_id or None):
        raise Conflict("the key {key} belongs to another entry: make a new one", key=key)
    return True


def _row(
    session: Session, actor: Actor, mission_id: int, new: NewEntry, now: datetime
) -> models.FieldEntryRow:
    head = session.scalar(
        select(models.FieldEntryRow)
        .where(
            models.FieldEntryRow.mission_id == mission_id,
            models.FieldEntryRow.kind == new.kind.value,
            models.FieldEntryRow.item == new.item,
            models.FieldEntryRow.behind.is_(False),
        )
        .order_by(models.FieldEntryRow.id.desc())
        .limit(1)
    )
    me = actor.user_id or None
    follows = head is None or new.base == head.key
    is_text = new.kind in (FieldKind.DEFECT, FieldKind.NOTE)
    return models.FieldEntryRow(
        key=new.key,
        mission_id=mission_id,
        kind=new.kind.value,
        item=new.item,
        value=new.value.strip(),
        base=new.base,
        at=new.at,
        received_at=now,
        user_id=me,
        behind=not (follows or is_text or (head is not None and _says_the_same(new, head.value))),
    )


def _says_the_same(new: NewEntry, value: str) -> bool:
    """Whether both would be read as the same; of times the page shows the minute."""
    if new.kind is not FieldKind.TIME or "" in (new.value, value):
        return new.value == value
    one, other = (datetime.fromisoformat(text).astimezone(UTC) for text in (new.value, value))
    return one.replace(second=0, microsecond=0) == other.replace(second=0, microsecond=0)


def _entries(session: Session, mission_id: int) -> list[FieldEntry]:
    names = display_names(session)
    query = select(models.FieldEntryRow).where(models.FieldEntryRow.mission_id == mission_id)
    return [
        FieldEntry(
            key=row.key,
            kind=row.kind,
            item=row.item,
            value=row.value,
            at=row.at,
            received_at=row.received_at,
            user_id=row.user_id,
            by=names.get(row.user_id or 0, "system"),
            behind=row.behind,
        )
        for row in session.scalars(query.order_by(models.FieldEntryRow.id))
    ]
