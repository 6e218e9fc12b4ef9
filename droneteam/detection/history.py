"""The air at a past moment or over a span: tracks, their points and alerts, in bounded pieces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.detection.models import AlertRow, Sighting, TrackRow
from droneteam.detection.service import VIEWERS, AlertView, TrackView, alert_view, track_view
from droneteam.errors import InputError

MAX_SPAN = timedelta(hours=24)
MAX_POINTS = 5_000
"""Of one answer: some 300 kB of JSON before compression."""
MAX_TRACKS = 2_000
FRESH = timedelta(seconds=15)
"""How long after its last point a track is still shown where it was."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, both included.

    Raises
    ------
    InputError
        It ends before it begins, or is longer than MAX_SPAN.
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.until < self.since:
            raise InputError("the span ends before it begins", field="until")
        if self.until - self.since > MAX_SPAN:
            hours = MAX_SPAN / timedelta(hours=1)
            raise InputError(f"the span is longer than {hours:.0f} hours", field="until")


@dataclass(frozen=True, slots=True)
class PathPoint:
    """Where a track was; None where what it moved like or was held to be was not kept."""

    id: int
    track_id: int
    at: datetime
    lat_deg: float
    lon_deg: float
    height_m: float | None
    speed_mps: float | None
    course_deg: float | None
    sigma_m: float | None
    match_kind: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last point of a piece; the next piece begins behind it."""

    at: datetime
    id: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The cursor of its text; InputError for a text that is none."""
        when, _, number = text.rpartition("_")
        try:
            at = datetime.fromisoformat(when)
        except ValueError:
            raise InputError(f"{text[:60]!r} is not a cursor", field="cursor") from None
        if at.tzinfo is None or not (number.isascii() and number.isdigit() and len(number) < 19):
            raise InputError(f"{text[:60]!r} is not a cursor", field="cursor")
        return cls(at, int(number))

    def __str__(self) -> str:
        return f"{self.at.isoformat()}_{self.id}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Points in the order of time, and where the next ones begin; None when these were all."""

    points: tuple[PathPoint, ...]
    following: Cursor | None


def points_between(
    session: Session, actor: Actor, span: Span, cursor: Cursor | None = None
) -> Piece:
    """The points of a span, MAX_POINTS at most, behind the cursor."""
    require_role(actor, *VIEWERS)
    query = select(Sighting).where(Sighting.at >= span.since, Sighting.at <= span.until)
    if cursor is not None:
        same = and_(Sighting.at == cursor.at, Sighting.id > cursor.id)
        query = query.where(or_(Sighting.at > cursor.at, same))
    rows = list(session.scalars(query.order_by(Sighting.at, Sighting.id).limit(MAX_POINTS + 1)))
    points = tuple(_point(row) for row in rows[:MAX_POINTS])
    more = len(rows) > MAX_POINTS
    return Piece(points, Cursor(points[-1].at, points[-1].id) if more else None)


def tracks_between(session: Session, actor: Actor, span: Span) -> list[TrackView]:
    """The tracks that were followed during a span; as they were when they were heard last."""
    require_role(actor, *VIEWERS)
    query = (
        select(TrackRow)
        .where(TrackRow.started_at <= span.until, TrackRow.last_at >= span.since)
        .order_by(TrackRow.id)
        .limit(MAX_TRACKS)
    )
    return [track_view(row, actor) for row in session.scalars(query)]


def alerts_between(session: Session, actor: Actor, span: Span) -> list[AlertView]:
    """The alerts that were open at any moment of a span, in their order."""
    require_role(actor, *VIEWERS)
    open_then = or_(AlertRow.cleared_at.is_(None), AlertRow.cleared_at >= span.since)
    query = (
        select(AlertRow)
        .where(AlertRow.raised_at <= span.until, open_then)
        .order_by(AlertRow.id)
        .limit(MAX_TRACKS)
    )
    return [alert_view(row) for row in session.scalars(query)]


def newest_points(session: Session, actor: Actor, at: datetime) -> list[PathPoint]:
    """Where each track was at a moment: its last point of the FRESH before it."""
    require_role(actor, *VIEWERS)
    last = (
        select(Sighting.track_id, func.max(Sighting.at).label("at"))
        .where(Sighting.at <= at, Sighting.at >= at - FRESH)
        .group_by(Sighting.track_id)
        .subquery()
    )
    same = and_(Sighting.track_id == last.c.track_id, Sighting.at == last.c.at)
    query = select(Sighting).join(last, same).order_by(Sighting.track_id, Sighting.id)
    newest = {row.track_id: row for row in session.scalars(query.limit(MAX_TRACKS))}
    return [_point(row) for row in newest.values()]


def kept_span(session: Session, actor: Actor) -> tuple[datetime, datetime] | None:
    """The times of the oldest and the newest point that are kept; None where there are none."""
    require_role(actor, *VIEWERS)
    first, last = session.execute(select(func.min(Sighting.at), func.max(Sighting.at))).one()
    return None if first is None else (first, last)


def _point(row: Sighting) -> PathPoint:
    return PathPoint(
        id=row.id,
        track_id=row.track_id,
        at=row.at,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        height_m=row.height_m,
        speed_mps=row.speed_mps,
        course_deg=row.course_deg,
        sigma_m=row.sigma_m,
        match_kind=row.match_kind,
    )
