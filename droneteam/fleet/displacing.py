"""What publishing a plan takes from a request or changes about it, so that its zone is told why.

A zone that loses its drone asks two things: was it broken, or was it given to somebody else, and
how urgent was that.  Both are worked out when the plan is published, while the plan before it and
what has changed under it are still at hand, and stay in the request's immutable event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, scoped
from droneteam.fleet import models
from droneteam.fleet.assembly import LOOKED_AHEAD, Situation, assigned_of, load_situation
from droneteam.fleet.conflicts import broken_promises
from droneteam.fleet.explanations.fitting import fit
from droneteam.fleet.presenting import own_request_ids, read_reasons, stored_reasons
from droneteam.fleet.terms import Reason, RequestState
from droneteam.fleet.views import hide_foreign

Cause = Literal["unkept", "needed", "left_out"]


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a request has no drone any more.

    cause : needed, where it would have a drone if others had not got it; unkept, where drone, crew,
    weather or airspace failed and nobody else is the cause; left_out, where neither explains it
    and the coordinator decided so
    by : the requests that got drone or crew, the most urgent first
    """

    cause: Cause
    reasons: tuple[Reason, ...]
    by: tuple[int, ...] = ()

    @property
    def reason(self) -> str:
        """As the audit chain keeps it; pages say it in their language."""
        match self.cause:
            case "needed":
                return f"needed for request {', '.join(map(str, self.by))}"
            case "unkept":
                return "it could not be kept"
            case "left_out":
                return "left out by the coordinator"

    def facts(self) -> dict[str, Any]:
        """As the event keeps them."""
        return {
            "cause": self.cause,
            "reasons": stored_reasons(self.reasons),
            "by": list(self.by),
        }


@dataclass(frozen=True, slots=True)
class DisplacedView:
    """A request that had a drone, has none now and is still open.

    by : the requests that got what it had, where the reader may know them
    """

    request_id: int
    title: str
    organisation_id: int
    priority: str
    start_at: datetime
    lost_at: datetime
    reasons: tuple[Reason, ...]
    by: tuple[int, ...]


def losses(session: Session, plan: models.Plan, now: datetime) -> dict[int, Loss]:
    """Each request that had a drone in the plan's base and has none in it, and why.

    To be asked before the plan is in force: what has broken is read beside the one that still is.
    """
    before, then = _assignments(session, plan.base_plan_id), _assignments(session, plan.id)
    lost = sorted(before.keys() & {int(item["request_id"]) for item in plan.unserved})
    if not lost:
        return {}
    situation = load_situation(session, now, LOOKED_AHEAD)
    broken = broken_promises(situation)
    asked = {*lost, *then}
    query = select(models.Request.id, models.Request.priority).where(models.Request.id.in_(asked))
    priorities = {row.id: row.priority for row in session.execute(query)}
    moved = [row for number, row in then.items() if changed_kinds(before.get(number), row)]
    found = {}
    for number in lost:
        by = sorted(_takers(before[number], moved), key=lambda other: (priorities[other], other))
        taken = by and (number not in broken or _fits_without(situation, number, then, by))
        found[number] = _loss(number, by if taken else [], priorities, broken.get(number, ()))
    return found


def _takers(had: models.Assignment, moved: Iterable[models.Assignment]) -> list[int]:
    """The requests that got its drone or crew; else all that got something at that time."""
    then = [row for row in moved if row.taken_at < had.free_at and had.taken_at < row.free_at]
    same = [row for row in then if _shares(had, row)]
    return [row.request_id for row in same or then]


def _fits_without(
    situation: Situation, number: int, then: Mapping[int, models.Assignment], by: Iterable[int]
) -> bool:
    """Whether the request would have a place in the new plan if those were not served in it."""
    job = situation.problem.job(number)
    others = [assigned_of(row) for other, row in then.items() if other not in by]
    return job is not None and fit(situation.problem, others, job).assigned is not None


def _loss(
    number: int,
    by: Sequence[int],
    priorities: Mapping[int, str],
    broken: tuple[Reason, ...],
) -> Loss:
    """What was broken, and who got what it had."""
    if by:
        first = priorities[by[0]]
        code = "lost.urgent" if first < priorities[number] else "lost.other"
        return Loss("needed", (*broken, Reason(code, {"class": first})), tuple(by))
    if broken:
        return Loss("unkept", broken)
    return Loss("left_out", (Reason("lost.left_out"),))


def _shares(one: models.Assignment, other: models.Assignment) -> bool:
    """Whether both take the same drone or somebody of the same crew."""
    return one.drone_id == other.drone_id or not set(one.crew_ids).isdisjoint(other.crew_ids)


def changed_kinds(before: models.Assignment | None, after: models.Assignment) -> list[str]:
    """What of drone, crew and time is another; all three where there was nothing before."""
    if before is None:
        return ["drone", "crew", "time"]
    pairs = (
        ("drone", before.drone_id, after.drone_id),
        ("crew", set(before.crew_ids), set(after.crew_ids)),
        ("time", (before.start_at, before.end_at), (after.start_at, after.end_at)),
    )
    return [kind for kind, old, new in pairs if old != new]


def changes(session: Session, plan: models.Plan) -> dict[int, dict[str, Any]]:
    """Facts for each request that the plan and its base both serve, but otherwise."""
    before, then = _assignments(session, plan.base_plan_id), _assignments(session, plan.id)
    return {
        number: {"changed": kinds, "before": _told(before[number]), "after": _told(row)}
        for number, row in then.items()
        if number in before and (kinds := changed_kinds(before[number], row))
    }


def _told(row: models.Assignment) -> dict[str, str]:
    return {
        "drone": row.drone_snapshot["name"],
        "pilot": row.pilot_name,
        "start_at": row.start_at.isoformat(),
        "end_at": row.end_at.isoformat(),
    }


def _assignments(session: Session, plan_id: int | None) -> dict[int, models.Assignment]:
    if plan_id is None:
        return {}
    query = select(models.Assignment).where(models.Assignment.plan_id == plan_id)
    return {row.request_id: row for row in session.scalars(query.order_by(models.Assignment.id))}


def list_displaced(session: Session, actor: Actor) -> list[DisplacedView]:
    """The open requests that have lost their drone, of those that the actor may see; by start."""
    query = (
        select(models.Request)
        .where(models.Request.state == RequestState.DISPLACED.value)
        .order_by(models.Request.start_at, models.Request.id)
    )
    rows = session.scalars(scoped(query, actor, models.Request.organisation_id)).all()
    own = own_request_ids(session, actor)
    return [_displaced_view(row, _last_loss(session, row.id), own) for row in rows]


def _last_loss(session: Session, request_id: int) -> models.RequestEvent:
    query = (
        select(models.RequestEvent)
        .where(
            models.RequestEvent.request_id == request_id,
            models.RequestEvent.state == RequestState.DISPLACED.value,
        )
        .order_by(models.RequestEvent.id.desc())
        .limit(1)
    )
    return session.scalars(query).one()


def _displaced_view(
    row: models.Request, event: models.RequestEvent, own: frozenset[int] | None
) -> DisplacedView:
    reasons = read_reasons(event.facts.get("reasons", ()))
    by = tuple(event.facts.get("by", ()))
    return DisplacedView(
        request_id=row.id,
        title=row.title,
        organisation_id=row.organisation_id,
        priority=row.priority,
        start_at=row.start_at,
        lost_at=event.at,
        reasons=reasons if own is None else hide_foreign(reasons, own),
        by=by if own is None else tuple(number for number in by if number in own),
    )
