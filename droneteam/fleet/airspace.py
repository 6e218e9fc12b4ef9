"""A request's airspace: whether an approval is needed, asked, granted from-until or refused.

Every step is kept with who entered it; the last one holds.  A task flies only within what was
granted.  While an answer is awaited it is planned from the day by which the answer is expected;
without such a day, or after a refusal, it is not planned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError
from droneteam.fleet import models
from droneteam.fleet.demand import Clearance
from droneteam.fleet.head import touch_head
from droneteam.fleet.intake.requests import request_row
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.terms import Param, Reason, RequestState, Window, check_aware

WRITERS = ("coordinator", "pilot")


class AirspaceState(StrEnum):
    """Where an approval stands."""

    NEEDED = "needed"
    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    NOT_NEEDED = "not_needed"


@dataclass(frozen=True, slots=True)
class AirspaceNote:
    """A step of an approval.

    authority, reference : who was asked or answered, and the number of the answer or the demand
    from_at : from when it may be flown (granted), or by when the answer is expected (asked)
    until_at : to when it may be flown; only with a grant
    """

    state: AirspaceState
    authority: str = ""
    reference: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        for name, limit in (("authority", 120), ("reference", 120)):
            if len(getattr(self, name)) > limit:
                raise InputError(f"{name} is longer than {limit} characters", field=name)
        for name in ("from_at", "until_at"):
            at = getattr(self, name)
            if at is not None:
                check_aware(at, name)
        answered = self.state in (AirspaceState.GRANTED, AirspaceState.REFUSED)
        if (answered or self.state == AirspaceState.ASKED) and not self.authority.strip():
            raise InputError("say which authority was asked", field="authority")
        if answered and not self.reference.strip():
            raise InputError("an answer of the authority has a reference", field="reference")
        if self.state == AirspaceState.GRANTED:
            self._check_granted()

    def _check_granted(self) -> None:
        if self.from_at is None or self.until_at is None:
            missing = "from_at" if self.from_at is None else "until_at"
            raise InputError("a grant holds from a time until a time", field=missing)
        Window(self.from_at, self.until_at)


@dataclass(frozen=True, slots=True)
class AirspaceView:
    """One step of a request's approval, with who entered it when."""

    id: int
    request_id: int
    at: datetime
    state: AirspaceState
    authority: str
    reference: str
    from_at: datetime | None
    until_at: datetime | None
    user_id: int | None


def clearance_of(note: AirspaceNote) -> Clearance:
    """What the step lets the allocator do (pure)."""
    params: dict[str, Param] = {"authority": note.authority, "reference": note.reference}
    match note.state:
        case AirspaceState.GRANTED:
            return Clearance(from_at=note.from_at, until_at=note.until_at)
        case AirspaceState.REFUSED:
            return Clearance(block=Reason("airspace.refused", params))
        case AirspaceState.ASKED if note.from_at is not None:
            return Clearance(from_at=note.from_at)
        case AirspaceState.ASKED:
            return Clearance(block=Reason("airspace.asked", params))
        case AirspaceState.NEEDED:
            return Clearance(block=Reason("airspace.needed"))
    return Clearance()


def set_airspace(
    session: Session, actor: Actor, request_id: int, note: AirspaceNote, now: datetime
) -> AirspaceView:
    """The step, which holds from now on.

    Raises
    ------
    Conflict
        The request is a draft or closed, so that nothing is left to approve.
    """
    require_role(actor, *WRITERS)
    row = request_row(session, actor, request_id)
    if RequestState(row.state) not in PLANNABLE:
        raise Conflict(f"request {request_id} is {row.state}: its airspace is settled")
    touch_head(session)
    made = models.AirspaceStep(
        request_id=row.id,
        at=now,
        state=note.state.value,
        authority=note.authority.strip(),
        reference=note.reference.strip(),
        from_at=note.from_at,
        until_at=note.until_at,
        user_id=actor.user_id or None,
    )
    session.add(made)
    session.flush()
    facts = {
        "state": made.state,
        "authority": made.authority,
        "reference": made.reference,
        "from_at": None if note.from_at is None else note.from_at.isoformat(),
        "until_at": None if note.until_at is None else note.until_at.isoformat(),
    }
    subject = f"request:{row.id}"
    audit.append(session, actor, action="airspace.set", subject=subject, at=now, facts=facts)
    return _view(made)


def list_airspace(session: Session, actor: Actor, request_id: int) -> list[AirspaceView]:
    """The approval's steps in order, the last one holds; NotFound for another zone's request."""
    row = request_row(session, actor, request_id)
    query = select(models.AirspaceStep).where(models.AirspaceStep.request_id == row.id)
    return [_view(step) for step in session.scalars(query.order_by(models.AirspaceStep.id))]


def clearances(session: Session, request_ids: Iterable[int]) -> dict[int, Clearance]:
    """What holds for each of the requests that has a step at all."""
    query = (
        select(models.AirspaceStep)
        .where(models.AirspaceStep.request_id.in_(list(request_ids)))
        .order_by(models.AirspaceStep.id)
    )
    return {row.request_id: clearance_of(_note(row)) for row in session.scalars(query)}


def _note(row: models.AirspaceStep) -> AirspaceNote:
    return AirspaceNote(
        AirspaceState(row.state), row.authority, row.reference, row.from_at, row.until_at
    )


def _view(row: models.AirspaceStep) -> AirspaceView:
    return AirspaceView(
        id=row.id,
        request_id=row.request_id,
        at=row.at,
        state=AirspaceState(row.state),
        authority=row.authority,
        reference=row.reference,
        from_at=row.from_at,
        until_at=row.until_at,
        user_id=row.user_id,
    )
