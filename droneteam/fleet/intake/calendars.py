"""Calendar feeds: secret addresses under which a zone's, drone's or pilot's tasks are read.

A feed shows no more than its maker may see, ends when the maker's account does, and names a
sensitive task only by its kind and number, because it leaves the system.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from droneteam import accounts, audit
from droneteam.accounts import Actor
from droneteam.errors import InputError, NotAllowed, NotFound
from droneteam.fleet import models
from droneteam.fleet.head import read_head
from droneteam.fleet.intake.calendar_words import on_scene, state_name, task_name
from droneteam.fleet.intake.ical import Entry, calendar_text
from droneteam.fleet.lifecycle import FINAL
from droneteam.fleet.terms import RequestState

FeedKind = Literal["zone", "drone", "pilot"]
CLOSED_SHOWN = timedelta(days=31)
"""How long a closed request stays in its zone's calendar."""


@dataclass(frozen=True, slots=True)
class FeedView:
    """A calendar feed of an actor, without its secret."""

    id: int
    kind: FeedKind
    subject_id: int
    subject_name: str
    made_at: datetime


def make_feed(
    session: Session, actor: Actor, kind: FeedKind, subject_id: int, now: datetime
) -> tuple[FeedView, str]:
    """The feed and its secret token, which is shown this once.

    Zones are for their own people and the coordinator, drones for pilots and coordinators,
    pilots for themselves and the coordinator.
    """
    _check_right(session, actor, kind, subject_id)
    token = secrets.token_urlsafe(32)
    row = models.CalendarFeed(
        organisation_id=subject_id if kind == "zone" else None,
        drone_id=subject_id if kind == "drone" else None,
        pilot_id=subject_id if kind == "pilot" else None,
        token_hash=_hash(token),
        made_by=actor.user_id or None,
        made_at=now,
    )
    session.add(row)
    session.flush()
    facts = {"kind": kind, "of": subject_id}
    audit.append(
        session, actor, action="calendar.make", subject=f"calendar:{row.id}", at=now, facts=facts
    )
    return _view(session, row, actor.language), token


def _check_right(session: Session, actor: Actor, kind: FeedKind, subject_id: int) -> None:
    match kind:
        case "zone":
            if subject_id not in {view.id for view in accounts.organisations(session)}:
                raise NotFound("organisation", subject_id)
            allowed = subject_id == actor.organisation_id or actor.has_role("coordinator")
        case "drone":
            if session.get(models.Drone, subject_id) is None:
                raise NotFound("drone", subject_id)
            allowed = actor.has_role("pilot", "coordinator")
        case "pilot":
            row = session.get(models.Pilot, subject_id)
            if row is None:
                raise NotFound("pilot", subject_id)
            own = row.user_id is not None and row.user_id == actor.user_id
            allowed = own or actor.has_role("coordinator")
        case _:
            raise InputError(f"calendar {kind!r} is none of zone, drone, pilot", field="kind")
    if not allowed:
        raise NotAllowed(f"this calendar of a {kind} is not yours to share")


def list_feeds(session: Session, actor: Actor) -> list[FeedView]:
    """The actor's own feeds that are still read."""
    query = select(models.CalendarFeed).where(
        models.CalendarFeed.made_by == actor.user_id, models.CalendarFeed.ended_at.is_(None)
    )
    order = models.CalendarFeed.id
    return [_view(session, row, actor.language) for row in session.scalars(query.order_by(order))]


def end_feed(session: Session, actor: Actor, feed_id: int, now: datetime) -> None:
    """Nothing; the feed's address answers nobody from now on."""
    row = session.get(models.CalendarFeed, feed_id)
    if row is None or row.made_by != actor.user_id or row.ended_at is not None:
        raise NotFound("calendar", feed_id)
    row.ended_at = now
    session.flush()
    audit.append(session, actor, action="calendar.end", subject=f"calendar:{row.id}", at=now)


def feed_text(session: Session, token: str, now: datetime) -> bytes:
    """The calendar behind the token.

    Raises
    ------
    NotFound
        No such token, or it was ended, or its maker's account was.
    """
    row = session.scalar(
        select(models.CalendarFeed).where(
            models.CalendarFeed.token_hash == _hash(token), models.CalendarFeed.ended_at.is_(None)
        )
    )
    maker = None if row is None or row.made_by is None else session.get(accounts.User, row.made_by)
    if row is None or maker is None or not maker.active:
        raise NotFound("calendar", "at this address")
    try:
        _check_right(session, accounts.actor_of(maker), _kind(row), _subject_id(row))
    except NotAllowed:  # the maker lost the role since
        raise NotFound("calendar", "at this address") from None
    view = _view(session, row, maker.language)
    entries = _entries(session, row, now, maker.language)
    return calendar_text(f"droneteam: {view.subject_name}", entries, now)


def _entries(
    session: Session, row: models.CalendarFeed, now: datetime, language: str
) -> Iterator[Entry]:
    plan_id, revision = read_head(session)
    query = select(models.Assignment).where(models.Assignment.plan_id == plan_id)
    assignments = {one.request_id: one for one in session.scalars(query)}
    if row.organisation_id is not None:
        asked = _zone_requests(session, row.organisation_id, now)
        changed = _last_steps(session, [one.id for one in asked])
        for one in asked:
            given = assignments.get(one.id)
            yield _zone_entry(one, given, language, (plan_id or 0) + revision, changed.get(one.id))
        return
    for assignment in assignments.values():
        pilot = row.pilot_id is not None and row.pilot_id in assignment.crew_ids
        if pilot or assignment.drone_id == row.drone_id:
            found = session.get(models.Request, assignment.request_id)
            if found is not None:
                yield _crew_entry(found, assignment, language)


def _zone_requests(
    session: Session, organisation_id: int, now: datetime
) -> Sequence[models.Request]:
    query = (
        select(models.Request)
        .where(
            models.Request.organisation_id == organisation_id,
            models.Request.state != RequestState.DRAFT.value,
            or_(
                models.Request.closed_at.is_(None),
                models.Request.closed_at > now - CLOSED_SHOWN,
            ),
        )
        .order_by(models.Request.start_at, models.Request.id)
    )
    return session.scalars(query).all()


def _last_steps(session: Session, request_ids: Sequence[int]) -> dict[int, datetime]:
    """When each request's last step was taken."""
    event = models.RequestEvent
    last = func.max(event.at).label("at")
    query = select(event.request_id, last).where(event.request_id.in_(request_ids))
    rows = session.execute(query.group_by(event.request_id))
    return {row.request_id: row.at for row in rows}


def _zone_entry(
    row: models.Request,
    assignment: models.Assignment | None,
    language: str,
    sequence: int,
    changed_at: datetime | None,
) -> Entry:
    """The request as the zone's calendar shows it.

    sequence : rises with every plan and booking, so that a calendar also takes over that a drone
    was lost
    """
    state = RequestState(row.state)
    served = state in (RequestState.FULFILLED, RequestState.PARTLY)
    dropped = state in FINAL and not served
    planned = ""
    if assignment is not None:
        times = on_scene(assignment.start_at, assignment.end_at, language)
        planned = f"{assignment.drone_snapshot['name']}; {times}; "
    return Entry(
        uid=f"request-{row.id}@droneteam",
        summary=_summary(row, language),
        description=f"{planned}{row.priority}, {state_name(state, language)}",
        start_at=row.start_at,
        end_at=row.end_at,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        status="CANCELLED" if dropped else "CONFIRMED" if assignment or served else "TENTATIVE",
        sequence=sequence,
        changed_at=changed_at or row.submitted_at,
    )


def _crew_entry(row: models.Request, assignment: models.Assignment, language: str) -> Entry:
    times = on_scene(assignment.start_at, assignment.end_at, language)
    cancelled = row.state in (RequestState.CANCELLED, RequestState.EXPIRED, RequestState.REFUSED)
    return Entry(
        uid=f"assignment-{row.id}@droneteam",
        summary=_summary(row, language),
        description=(
            f"{assignment.drone_snapshot['name']}, {assignment.pilot_name}; {times}; {row.priority}"
        ),
        start_at=assignment.depart_at,
        end_at=assignment.free_at,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        status="CANCELLED" if cancelled else "CONFIRMED",
        sequence=assignment.plan_id,
        changed_at=row.decided_at or row.submitted_at,
    )


def _summary(row: models.Request, language: str) -> str:
    named = task_name(row.kind, row.id, language)
    return named if row.sensitive else f"{row.title} ({named})"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _kind(row: models.CalendarFeed) -> FeedKind:
    if row.organisation_id is not None:
        return "zone"
    return "drone" if row.drone_id is not None else "pilot"


def _subject_id(row: models.CalendarFeed) -> int:
    return row.organisation_id or row.drone_id or row.pilot_id or 0


def _view(session: Session, row: models.CalendarFeed, language: str) -> FeedView:
    kind, subject_id = _kind(row), _subject_id(row)
    name = _name(session, kind, subject_id, language)
    return FeedView(row.id, kind, subject_id, name, row.made_at)


def _name(session: Session, kind: FeedKind, subject_id: int, language: str) -> str:
    if kind == "zone":
        known = {view.id: view.name(language) for view in accounts.organisations(session)}
        return known[subject_id]
    if kind == "drone":
        return session.get_one(models.Drone, subject_id).name
    return session.get_one(models.Pilot, subject_id).name
