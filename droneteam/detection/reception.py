"""The health of receivers as rows, for the pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.detection.health import Health
from droneteam.detection.models import ReceiverRow
from droneteam.detection.service import VIEWERS
from droneteam.detection.suspicion import Site

STALE = timedelta(seconds=60)
"""A row that the watch has not renewed for this long: the watch itself has stopped."""

MAX_PROBLEM = 400
"""How much of a complaint is kept, in characters."""


@dataclass(frozen=True, slots=True)
class ReceiverView:
    """A receiver; state is one of `health.State`, counts are since the watch began.

    problem : what keeps it from working now; last_problem : its last complaint, made at failed_at.
    dropped : held back, over the limit of their radio. lost : heard, and not taken in time.
    refused : heard, and not readable. connections : how often it was (re)connected.
    """

    name: str
    kind: str
    state: str
    heard_at: datetime | None
    alive_at: datetime | None
    problem: str
    received: int
    dropped: int
    lost: int
    refused: int
    connections: int
    failed_at: datetime | None
    last_problem: str
    updated_at: datetime
    lat_deg: float | None = None
    lon_deg: float | None = None
    range_m: float | None = None


def store_sites(session: Session, sites: Iterable[Site], now: datetime) -> None:
    """Keep where receivers stand and how far they are declared to hear."""
    for site in sites:
        row = session.get(ReceiverRow, site.name)
        if row is None:
            row = ReceiverRow(name=site.name, kind="", state="quiet", problem="")
            row.received = row.dropped = 0
            row.updated_at = now
            session.add(row)
        row.lat_deg, row.lon_deg, row.range_m = site.lat_deg, site.lon_deg, site.range_m
    session.flush()


def store_health(
    session: Session, rows: Iterable[Health], now: datetime, silent_after_s: float
) -> None:
    """Keep how each receiver is."""
    stored = {row.name: row for row in session.scalars(select(ReceiverRow))}
    for health in rows:
        row = stored.get(health.name)
        if row is None:
            row = ReceiverRow(name=health.name)
            session.add(row)
        row.kind, row.state = health.kind, health.state(now, silent_after_s)
        row.heard_at, row.alive_at = health.heard_at, health.alive_at
        row.problem = (health.problem if row.state == "failing" else health.remark)[:200]
        row.last_problem, row.failed_at = health.problem[:MAX_PROBLEM], health.failed_at
        row.received, row.dropped, row.updated_at = health.received, health.dropped, now
        row.lost, row.refused = health.counts.lost, health.counts.refused
        row.connections = health.counts.connections
    session.flush()


def list_receivers(session: Session, actor: Actor, now: datetime) -> list[ReceiverView]:
    """Every receiver that was ever heard of, by name."""
    require_role(actor, *VIEWERS)
    rows = session.scalars(select(ReceiverRow).order_by(ReceiverRow.name))
    return [
        ReceiverView(
            name=row.name,
            kind=row.kind,
            state="stopped" if now - row.updated_at > STALE else row.state,
            heard_at=row.heard_at,
            alive_at=row.alive_at,
            problem=row.problem,
            received=row.received,
            dropped=row.dropped,
            lost=row.lost,
            refused=row.refused,
            connections=row.connections,
            failed_at=row.failed_at,
            last_problem=row.last_problem,
            updated_at=row.updated_at,
            lat_deg=row.lat_deg,
            lon_deg=row.lon_deg,
            range_m=row.range_m,
        )
        for row in rows
    ]
