"""The geographical zones in force: who published each, when it was loaded, and how one goes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError, NotFound
from droneteam.missions import models
from droneteam.missions.airspace import geozones
from droneteam.missions.airspace.checks import Geozone

KEEPERS = ("coordinator", "administrator")
MAX_SOURCE = models.MAX_SOURCE
MAX_GEOZONES = 20_000
KEPT_ZONES = 4_096
"""Parsed ones that a process keeps: a country publishes hundreds, the largest some thousand."""
READERS = ("coordinator", "administrator", "pilot", "manager", "auditor")


@dataclass(frozen=True, slots=True)
class StoredZone:
    """A zone with where it comes from."""

    id: int
    source: str
    loaded_at: datetime
    zone: Geozone


def list_zones(session: Session, actor: Actor) -> list[StoredZone]:
    """Every zone that missions are checked against, by source and identifier."""
    require_role(actor, *READERS)
    row = models.GeozoneRow
    query = select(row.id, row.source, row.loaded_at, _TEXT).order_by(row.source, row.identifier)
    return [
        StoredZone(number, source, loaded_at, zone)
        for number, source, loaded_at, text in session.execute(query)
        for zone in parsed_zones(text)
    ]


def load_geozones(
    session: Session, actor: Actor, document: object, source: str, now: datetime
) -> int:
    """How many zones of an ED-269 or ED-318 document are now stored; same identifiers replace.

    Raises
    ------
    DecodeError
        Names the zone that cannot be understood; nothing is stored then.
    """
    require_role(actor, "coordinator", "administrator")
    zones = geozones.read_geozones(document)
    if len(zones) > MAX_GEOZONES:
        raise InputError(
            "{count} zones; {limit} are allowed",
            field="document",
            count=len(zones),
            limit=MAX_GEOZONES,
        )
    assert isinstance(document, dict)
    for zone, feature in zip(zones, document["features"], strict=True):
        single = {**{k: v for k, v in document.items() if k == "type"}, "features": [feature]}
        row = session.scalar(
            select(models.GeozoneRow).where(models.GeozoneRow.identifier == zone.identifier)
        )
        if row is None:
            row = models.GeozoneRow(identifier=zone.identifier)
            session.add(row)
        row.name, row.source, row.loaded_at = zone.name, source, now
        row.document = json.loads(json.dumps(single))
    session.flush()
    facts = {"zones": len(zones), "source": source}
    audit.append(
        session, actor, action="geozones.load", subject=f"geozones:{source}", facts=facts, at=now
    )
    return len(zones)


def stored_geozones(session: Session) -> tuple[Geozone, ...]:
    """Every zone that has been loaded."""
    texts = session.scalars(select(_TEXT).order_by(models.GeozoneRow.identifier))
    return tuple(zone for text in texts for zone in parsed_zones(text))


_TEXT = cast(models.GeozoneRow.document, Text)
"""A zone's document as it is stored."""


@lru_cache(maxsize=KEPT_ZONES)
def parsed_zones(text: str) -> tuple[Geozone, ...]:
    """The zones of a stored document; they follow from its text alone and cannot be changed."""
    return geozones.read_geozones(json.loads(text))


def publish_zones(
    session: Session, actor: Actor, document: object, source: str, now: datetime
) -> tuple[int, list[str]]:
    """(how many zones the source has now, identifiers that it no longer has).

    The document is the whole of what the source publishes: its zones that are not in it go.

    Raises
    ------
    DecodeError
        Names the zone that cannot be understood; everything stays as it was.
    InputError
        The source has no name, the document no zone, or a zone is another source's.
    """
    require_role(actor, *KEEPERS)
    source = source.strip()
    if not 0 < len(source) <= MAX_SOURCE:
        raise InputError("a source takes 1 to {limit} characters", field="source", limit=MAX_SOURCE)
    zones = geozones.read_geozones(document)
    if not zones:
        raise InputError("the file holds no zone; withdraw zones one by one", field="file")
    given = {zone.identifier for zone in zones}
    rows = {row.identifier: row for row in session.scalars(select(models.GeozoneRow))}
    others = sorted(name for name in given & set(rows) if rows[name].source != source)
    if others:
        raise InputError(
            "zone {zone} is published by {publisher}; load it under that source, or "
            "withdraw it there first",
            field="source",
            zone=others[0],
            publisher=rows[others[0]].source,
        )
    gone = sorted(name for name, row in rows.items() if row.source == source and name not in given)
    for name in gone:
        session.delete(rows[name])
    load_geozones(session, actor, document, source, now)
    if gone:
        audit.append(
            session,
            actor,
            action="geozones.withdraw",
            subject=f"geozones:{source}",
            facts={"zones": gone},
            reason="not in the source's new publication",
            at=now,
        )
    return len(given), gone


def withdraw_zone(session: Session, actor: Actor, zone_id: int, reason: str, now: datetime) -> str:
    """The identifier of the zone that is no longer checked.

    Raises
    ------
    NotFound, InputError
        There is no such zone; nobody said why it goes.
    """
    require_role(actor, *KEEPERS)
    row = session.get(models.GeozoneRow, zone_id)
    if row is None:
        raise NotFound("geozone", zone_id)
    if not reason.strip():
        raise InputError("say why the zone is withdrawn", field="reason")
    session.delete(row)
    audit.append(
        session,
        actor,
        action="geozones.withdraw",
        subject=f"geozones:{row.source}",
        facts={"zones": [row.identifier], "document": row.document},
        reason=reason.strip(),
        at=now,
    )
    return row.identifier
