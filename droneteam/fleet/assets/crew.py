"""Keeping pilots true: licences added, renewed and ended, absences, duty and recent flights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.assets.inventory import list_pilots, pilot_records
from droneteam.fleet.assets.registry import CURRENCY_DAYS, Credential, current_until
from droneteam.fleet.assets.upkeep import KEEPERS
from droneteam.fleet.head import read_head, touch_head
from droneteam.fleet.problem import DEFAULT_DUTY
from droneteam.fleet.terms import Window
from droneteam.fleet.views import PilotView

READERS = ("administrator", "coordinator", "manager", "auditor")
"""Who may read every pilot's absences and duty; a pilot reads the own ones."""
MAX_ABSENCE = timedelta(days=731)


@dataclass(frozen=True, slots=True)
class AbsenceView:
    """A time in which a pilot does not work."""

    id: int
    start_at: datetime
    end_at: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class DutyView:
    """One duty day of a pilot: from the first call to the last return, of how many tasks.

    span_min : from the first call to the last return; longest_min is the most that is allowed
    rested_at : when the rest after it is over
    """

    day: date
    start_at: datetime
    end_at: datetime
    request_ids: tuple[int, ...]
    span_min: int
    longest_min: int
    rested_at: datetime


@dataclass(frozen=True, slots=True)
class PilotDetail:
    """Everything about one pilot.

    flights : in the days that count for recent experience; current_until : the last day on which
    they suffice, None where they do not
    """

    pilot: PilotView
    absences: tuple[AbsenceView, ...]
    duty: tuple[DutyView, ...]
    flights: int
    current_until: date | None


def pilot_detail(session: Session, actor: Actor, pilot_id: int, now: datetime) -> PilotDetail:
    """The pilot with absences to come, planned duty and recent flights.

    Raises
    ------
    NotFound
        There is no such pilot, or it is another one than the pilot who asks.
    """
    require_role(actor, "pilot", *READERS)
    view = next((row for row in list_pilots(session, actor, now) if row.id == pilot_id), None)
    own = view is not None and view.user_id is not None and view.user_id == actor.user_id
    if view is None or not (own or actor.has_role(*READERS)):
        raise NotFound("pilot", pilot_id)
    today = to_local(now).date()
    flown = [
        day
        for day in pilot_records(session, now)[pilot_id].flown_on
        if timedelta() <= today - day <= timedelta(days=CURRENCY_DAYS)
    ]
    away = select(models.Absence).where(
        models.Absence.pilot_id == pilot_id, models.Absence.end_at > now
    )
    return PilotDetail(
        pilot=view,
        absences=tuple(
            AbsenceView(row.id, row.start_at, row.end_at, row.kind)
            for row in session.scalars(away.order_by(models.Absence.start_at))
        ),
        duty=_duty(session, pilot_id),
        flights=len(flown),
        current_until=current_until(flown),
    )


def _duty(session: Session, pilot_id: int) -> tuple[DutyView, ...]:
    """The pilot's duty days in the plan in force, in order."""
    plan_id, _ = read_head(session)
    query = select(models.Assignment).where(models.Assignment.plan_id == plan_id)
    rows = [
        row
        for row in session.scalars(query.order_by(models.Assignment.taken_at))
        if pilot_id in row.crew_ids
    ]
    days = dict.fromkeys(DEFAULT_DUTY.day_of(row.taken_at) for row in rows)
    return tuple(
        _duty_day(day, [row for row in rows if DEFAULT_DUTY.day_of(row.taken_at) == day])
        for day in days
    )


def _duty_day(day: date, rows: list[models.Assignment]) -> DutyView:
    whole = Window(min(row.taken_at for row in rows), max(row.free_at for row in rows))
    return DutyView(
        day=day,
        start_at=whole.start_at,
        end_at=whole.end_at,
        request_ids=tuple(row.request_id for row in rows),
        span_min=whole.minutes,
        longest_min=DEFAULT_DUTY.max_duty_min,
        rested_at=whole.end_at + timedelta(minutes=DEFAULT_DUTY.min_rest_min),
    )


def add_credential(
    session: Session,
    actor: Actor,
    pilot_id: int,
    kind: str,
    number: str,
    days: tuple[date, date],
    now: datetime,
) -> None:
    """Nothing; the pilot holds the licence on these days, the first and the last.

    A renewal is a credential of the same kind with later days; both stay on record.

    Raises
    ------
    InputError
        It ends before it begins, or kind or number is missing or too long.
    Conflict
        The very same credential stands there already.
    """
    require_role(actor, *KEEPERS)
    _pilot(session, pilot_id)
    kind, number = kind.strip(), number.strip()
    for name, text, limit in (("kind", kind, 40), ("number", number, 60)):
        if not 0 < len(text) <= limit:
            raise InputError(f"a credential's {name} has 1 to {limit} characters", field=name)
    Credential(kind, *days)
    same = select(models.Credential.id).where(
        models.Credential.pilot_id == pilot_id,
        models.Credential.kind == kind,
        models.Credential.number == number,
        models.Credential.valid_from == days[0],
    )
    if session.scalar(same) is not None:
        raise Conflict(f"credential {kind} {number} from {days[0]} is in the registry already")
    touch_head(session)
    session.add(
        models.Credential(
            pilot_id=pilot_id, kind=kind, number=number, valid_from=days[0], valid_until=days[1]
        )
    )
    facts = {"kind": kind, "number": number, "until": days[1].isoformat()}
    _note(session, actor, "pilot.credential", pilot_id, now, facts)


def end_credential(
    session: Session, actor: Actor, credential_id: int, last_on: date, reason: str, now: datetime
) -> None:
    """Nothing; the credential held until that day, for the last time.

    Raises
    ------
    InputError
        It would end later than it does anyway, or nobody said why.
    """
    require_role(actor, *KEEPERS)
    row = session.get(models.Credential, credential_id)
    if row is None:
        raise NotFound("credential", credential_id)
    if not reason.strip():
        raise InputError("say why the credential ends", field="reason")
    ends_on = row.valid_until if row.ended_on is None else min(row.ended_on, row.valid_until)
    if last_on >= ends_on:
        raise InputError(
            f"credential {row.kind} ends on {ends_on} already, not later than {last_on}",
            field="last_on",
        )
    touch_head(session)
    row.ended_on = last_on
    facts = {"kind": row.kind, "number": row.number, "last_on": last_on.isoformat()}
    _note(session, actor, "pilot.credential_end", row.pilot_id, now, facts, reason.strip())


def add_absence(
    session: Session, actor: Actor, pilot_id: int, window: Window, kind: str, now: datetime
) -> None:
    """Nothing; the pilot is not planned in this time.

    Raises
    ------
    InputError
        It has no kind, has passed, or lasts longer than anybody plans.
    """
    _check_own(session, actor, pilot_id)
    kind = kind.strip()
    if not 0 < len(kind) <= 40:
        raise InputError("say in 1 to 40 characters what kind of absence it is", field="kind")
    if window.end_at <= now:
        raise InputError("the absence has passed already", field="end_at")
    if window.end_at - window.start_at > MAX_ABSENCE:
        raise InputError(
            f"the absence is longer than {MAX_ABSENCE.days} days: end the pilot's service instead",
            field="end_at",
        )
    touch_head(session)
    session.add(
        models.Absence(pilot_id=pilot_id, start_at=window.start_at, end_at=window.end_at, kind=kind)
    )
    facts = {
        "from": window.start_at.isoformat(),
        "to": window.end_at.isoformat(),
        "kind": kind,
    }
    _note(session, actor, "pilot.absence", pilot_id, now, facts)


def cut_absence(session: Session, actor: Actor, absence_id: int, now: datetime) -> None:
    """Nothing; the pilot is back: the absence ends now, or never begins.

    Raises
    ------
    Conflict
        It is over already.
    """
    row = session.get(models.Absence, absence_id)
    if row is None:
        raise NotFound("absence", absence_id)
    _check_own(session, actor, row.pilot_id)
    if row.end_at <= now:
        raise Conflict(f"absence {absence_id} ended at {row.end_at.isoformat()} already")
    touch_head(session)
    facts = {"from": row.start_at.isoformat(), "to": row.end_at.isoformat(), "kind": row.kind}
    if row.start_at >= now:
        session.delete(row)
    else:
        row.end_at = now
    _note(session, actor, "pilot.absence_end", row.pilot_id, now, facts)


def _check_own(session: Session, actor: Actor, pilot_id: int) -> None:
    """Nothing for who keeps the registry and for the pilot; NotFound for another pilot."""
    require_role(actor, "pilot", *KEEPERS)
    row = _pilot(session, pilot_id)
    own = row.user_id is not None and row.user_id == actor.user_id
    if not own and not actor.has_role(*KEEPERS):
        raise NotFound("pilot", pilot_id)


def _pilot(session: Session, pilot_id: int) -> models.Pilot:
    row = session.get(models.Pilot, pilot_id)
    if row is None:
        raise NotFound("pilot", pilot_id)
    return row


def _note(
    session: Session,
    actor: Actor,
    action: str,
    pilot_id: int,
    now: datetime,
    facts: dict[str, Any],
    reason: str | None = None,
) -> None:
    session.flush()
    subject = f"pilot:{pilot_id}"
    audit.append(session, actor, action=action, subject=subject, at=now, facts=facts, reason=reason)
