"""The picture of the air as rows: tracks, their way, the messages behind them, alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import SYSTEM, Actor, require_role
from droneteam.db import Piece
from droneteam.detection.models import AlertRow, RidMessage, Sighting, TrackRow
from droneteam.errors import NotFound

VIEWERS = ("pilot", "coordinator", "manager", "administrator", "auditor", "investigator")
SEES_OPERATORS = ("pilot", "coordinator", "administrator", "investigator")
"""Roles that need to know where an operator stands; others get the track without it."""
ESCALATE_AFTER = timedelta(seconds=60)
"""An alert that nobody has acknowledged by then is shown above all others."""

NEWEST = Piece(limit=1000)
"""As many alerts as a list holds unless it is asked for a piece of its own."""

Origin = Literal["live", "replay"]
"""replay : from a recording that was played again; never mistaken for the air of now."""
REPLAY_IDS = 1_000_000_000
"""Where the ids of replayed tracks begin: a replay may run beside a watch."""


@dataclass(frozen=True, slots=True)
class TrackView:
    """A track; the operator's place and id are None for roles that do not need them.

    ellipse : its 95 % ellipse: half axes in metres and the bearing of the longer one; empty for
    tracks of older releases.
    """

    id: int
    uas_id: str | None
    registration: str | None
    operator_id: str | None
    lat_deg: float
    lon_deg: float
    speed_mps: float
    course_deg: float
    sigma_m: float
    alt_ellipsoid_m: float | None
    height_m: float | None
    height_reference: int
    operator_lat_deg: float | None
    operator_lon_deg: float | None
    started_at: datetime
    last_at: datetime
    ended: bool
    flags: tuple[str, ...]
    match_kind: str
    match_subject: str | None
    match_evidence: tuple[str, ...]
    conformance: str | None
    manned: bool = False
    origin: Origin = "live"
    receivers: tuple[str, ...] = ()
    ellipse: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert."""

    id: int
    kind: str
    track_id: int | None
    uas_id: str | None
    lat_deg: float | None
    lon_deg: float | None
    evidence: tuple[str, ...]
    facts: dict[str, Any]
    raised_at: datetime
    updated_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    escalated_at: datetime | None
    origin: Origin = "live"


@dataclass(frozen=True, slots=True)
class MessageView:
    """One payload as it was received."""

    at: datetime
    receiver: str
    transport: str
    transmitter: str
    rssi_dbm: int | None
    payload_hex: str


def next_track_id(session: Session, origin: Origin = "live") -> int:
    """The first id that no track has."""
    newest = select(func.max(TrackRow.id))
    if origin == "replay":
        return max(session.scalar(newest) or 0, REPLAY_IDS - 1) + 1
    return (session.scalar(newest.where(TrackRow.id < REPLAY_IDS)) or 0) + 1


def close_previous_watch(session: Session, now: datetime, origin: Origin = "live") -> int:
    """How many alerts a watch that has ended left open; they are cleared, its tracks ended."""
    left = update(TrackRow).where(TrackRow.ended.is_(False), TrackRow.origin == origin)
    session.execute(left.values(ended=True))
    query = select(AlertRow).where(AlertRow.cleared_at.is_(None), AlertRow.origin == origin)
    rows = list(session.scalars(query))
    reason = "end of the replay" if origin == "replay" else "restart of the watch"
    for row in rows:
        row.cleared_at = row.updated_at = now
        row.facts = {**row.facts, "cleared_by": reason}
    return len(rows)


def list_tracks(
    session: Session, actor: Actor, *, ended: bool = False, piece: Piece | None = None
) -> list[TrackView]:
    """The living tracks (and with `ended` the others too), newest message first.

    piece : of all of them, the largest numbers first
    """
    require_role(actor, *VIEWERS)
    # Plain columns: the live map reads hundreds of tracks at every change, and objects that the
    # session keeps an eye on would cost twice as much.
    query = select(*TrackRow.__table__.columns)
    if piece is None:
        query = query.order_by(TrackRow.last_at.desc()).limit(1000)
    else:
        query = piece.of(query, TrackRow.id)
    if not ended:
        query = query.where(TrackRow.ended.is_(False))
    return [track_view(row, actor) for row in session.execute(query)]


def get_track(session: Session, actor: Actor, track_id: int) -> TrackView:
    """The track; NotFound when there is none."""
    require_role(actor, *VIEWERS)
    row = session.get(TrackRow, track_id)
    if row is None:
        raise NotFound("track", track_id)
    return track_view(row, actor)


def track_way(session: Session, actor: Actor, track_id: int) -> list[tuple[datetime, float, float]]:
    """Every point of a track: time, lat_deg, lon_deg."""
    require_role(actor, *VIEWERS)
    if session.get(TrackRow, track_id) is None:
        raise NotFound("track", track_id)
    query = select(Sighting).where(Sighting.track_id == track_id).order_by(Sighting.at)
    return [(row.at, row.lat_deg, row.lon_deg) for row in session.scalars(query)]


def list_alerts(
    session: Session, actor: Actor, *, open_only: bool = False, piece: Piece = NEWEST
) -> list[AlertView]:
    """Alerts, the newest first."""
    require_role(actor, *VIEWERS)
    query = piece.of(select(AlertRow), AlertRow.id)
    if open_only:
        query = query.where(AlertRow.cleared_at.is_(None))
    return [alert_view(row) for row in session.scalars(query)]


def alerts_between(
    session: Session, actor: Actor, start_at: datetime, end_at: datetime
) -> list[AlertView]:
    """The alerts that were open at some time of a span, the newest first."""
    require_role(actor, *VIEWERS)
    query = select(AlertRow).where(
        AlertRow.raised_at <= end_at,
        or_(AlertRow.cleared_at.is_(None), AlertRow.cleared_at >= start_at),
    )
    return [alert_view(row) for row in session.scalars(query.order_by(AlertRow.id.desc()))]


def doubted_tracks(session: Session) -> frozenset[int]:
    """The tracks whose identity an open alert doubts."""
    query = select(AlertRow.track_id).where(
        AlertRow.kind == "suspected_spoof",
        AlertRow.cleared_at.is_(None),
        AlertRow.track_id.is_not(None),
    )
    return frozenset(one for one in session.scalars(query) if one is not None)


def get_alert(session: Session, actor: Actor, alert_id: int) -> AlertView:
    """The alert; NotFound when there is none."""
    require_role(actor, *VIEWERS)
    return alert_view(_alert_row(session, alert_id))


def alert_messages(session: Session, actor: Actor, alert_id: int) -> list[MessageView]:
    """The payloads behind an alert, in order: what proves it."""
    require_role(actor, *SEES_OPERATORS)
    row = _alert_row(session, alert_id)
    query = select(RidMessage).where(RidMessage.track_id == row.track_id).order_by(RidMessage.id)
    return [
        MessageView(m.at, m.receiver, m.transport, m.transmitter, m.rssi_dbm, m.payload_hex)
        for m in session.scalars(query)
    ]


def acknowledge_alert(session: Session, actor: Actor, alert_id: int, now: datetime) -> AlertView:
    """The alert, seen by a person; the first acknowledgement counts."""
    require_role(actor, "pilot", "coordinator", "administrator")
    row = _alert_row(session, alert_id)
    if row.acknowledged_at is None:
        row.acknowledged_at, row.acknowledged_by = now, actor.display_name
        audit.append(session, actor, action="alert.acknowledge", subject=f"alert:{row.id}", at=now)
    session.flush()
    return alert_view(row)


def escalate_due(session: Session, now: datetime) -> list[int]:
    """The open alerts that nobody acknowledged in time, escalated now, each once."""
    due = session.scalars(
        select(AlertRow)
        .where(
            AlertRow.cleared_at.is_(None),
            AlertRow.acknowledged_at.is_(None),
            AlertRow.escalated_at.is_(None),
            AlertRow.origin == "live",
            AlertRow.raised_at <= now - ESCALATE_AFTER,
        )
        .order_by(AlertRow.id)
    )
    ids = []
    for row in due:
        row.escalated_at = now
        ids.append(row.id)
        audit.append(session, SYSTEM, action="alert.escalate", subject=f"alert:{row.id}", at=now)
    return ids


def _alert_row(session: Session, alert_id: int) -> AlertRow:
    row = session.get(AlertRow, alert_id)
    if row is None:
        raise NotFound("alert", alert_id)
    return row


def track_view(row: TrackRow | Row[Any], actor: Actor) -> TrackView:
    """The row as the actor may see it."""
    operator = actor.has_role(*SEES_OPERATORS)
    return TrackView(
        id=row.id,
        uas_id=row.uas_id,
        registration=row.registration,
        operator_id=row.operator_id if operator else None,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        speed_mps=row.speed_mps,
        course_deg=row.course_deg,
        sigma_m=row.sigma_m,
        alt_ellipsoid_m=row.alt_ellipsoid_m,
        height_m=row.height_m,
        height_reference=row.height_reference,
        operator_lat_deg=row.operator_lat_deg if operator else None,
        operator_lon_deg=row.operator_lon_deg if operator else None,
        started_at=row.started_at,
        last_at=row.last_at,
        ended=row.ended,
        flags=tuple(row.flags),
        match_kind=row.match_kind,
        match_subject=row.match_subject,
        match_evidence=tuple(row.match_evidence),
        conformance=row.conformance,
        manned=row.manned,
        receivers=tuple(row.receivers),
        ellipse=tuple(row.ellipse or ()),
        origin="replay" if row.origin == "replay" else "live",
    )


def alert_view(row: AlertRow) -> AlertView:
    """The row, detached from the database."""
    return AlertView(
        id=row.id,
        kind=row.kind,
        track_id=row.track_id,
        uas_id=row.uas_id,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        evidence=tuple(row.evidence),
        facts=row.facts,
        raised_at=row.raised_at,
        updated_at=row.updated_at,
        cleared_at=row.cleared_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        escalated_at=row.escalated_at,
        origin="replay" if row.origin == "replay" else "live",
    )
