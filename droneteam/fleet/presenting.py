"""Rows → views: requests with clocks and explanation, assignments and plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, organisations
from droneteam.db import rows_of
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreements
from droneteam.fleet.agreement.sla import Clock, ClockName, ClockStop, RequestTimes, Sla, clocks
from droneteam.fleet.explanations.explain import Explanation
from droneteam.fleet.head import assignments_of, plan_row, read_head
from droneteam.fleet.problem import Term
from droneteam.fleet.terms import Reason, RequestKind, RequestState
from droneteam.fleet.views import AssignmentView, PlanState, PlanView, RequestView, hide_foreign


def stored_reasons(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """The reasons as JSON."""
    return [{"code": reason.code, "params": dict(reason.params)} for reason in reasons]


def read_reasons(stored: Iterable[dict[str, Any]]) -> tuple[Reason, ...]:
    """The reasons from JSON."""
    return tuple(Reason(item["code"], item["params"]) for item in stored)


def request_views(
    session: Session, actor: Actor, rows: Sequence[models.Request], now: datetime
) -> list[RequestView]:
    """The requests as the actor sees them now; the rows have been scoped by the caller."""
    names = {view.id: view.name(actor.language) for view in organisations(session)}
    parsed = agreements(session)
    numbers = {row.id: row.number for row in rows_of(session, models.SlaVersion)}
    ids = [row.id for row in rows]
    stops = clock_stops(session, ids)
    plan_id, _ = read_head(session)
    assignments = _assignments(session, plan_id, ids)
    unserved = _unserved(session, plan_id)
    own = own_request_ids(session, actor)
    views = []
    for row in rows:
        assignment = assignments.get(row.id)
        views.append(
            _request_view(
                row,
                organisation_name=names[row.organisation_id],
                sla_version=numbers[row.sla_version_id],
                clock_views=_clocks(row, parsed[row.sla_version_id], now, stops[row.id]),
                assignment=None if assignment is None else assignment_view(assignment, own),
                explanation=_explanation(assignment, unserved.get(row.id), own),
            )
        )
    return views


def _clocks(
    row: models.Request, sla: Sla, now: datetime, stops: Sequence[ClockStop]
) -> tuple[Clock, ...]:
    """The request's clocks; a draft has none yet."""
    return () if row.state == RequestState.DRAFT else clocks(sla, times_of(row), now, stops)


def own_request_ids(session: Session, actor: Actor) -> frozenset[int] | None:
    """The request numbers that the actor may read about; None where every one is."""
    if actor.sees_all_organisations:
        return None
    query = select(models.Request.id).where(models.Request.organisation_id == actor.organisation_id)
    return frozenset(session.scalars(query))


def _shown(reasons: tuple[Reason, ...], own: frozenset[int] | None) -> tuple[Reason, ...]:
    return reasons if own is None else hide_foreign(reasons, own)


def times_of(row: models.Request) -> RequestTimes:
    """What the clocks look at."""
    return RequestTimes(
        priority=row.priority,
        submitted_at=row.submitted_at,
        slot_start_at=row.start_at,
        acknowledged_at=row.acknowledged_at,
        decided_at=row.decided_at,
        on_scene_at=row.on_scene_at,
        closed_at=row.closed_at,
    )


def clock_stops(session: Session, ids: Sequence[int]) -> defaultdict[int, list[ClockStop]]:
    """The stops of the requests' clocks, by request."""
    found: defaultdict[int, list[ClockStop]] = defaultdict(list)
    query = select(models.ClockStop).where(models.ClockStop.request_id.in_(ids))
    for row in session.scalars(query):
        name = cast(ClockName, row.clock)
        found[row.request_id].append(
            ClockStop(name, row.from_at, row.to_at, row.code, row.evidence)
        )
    return found


def _assignments(
    session: Session, plan_id: int | None, ids: Sequence[int]
) -> dict[int, models.Assignment]:
    query = select(models.Assignment).where(
        models.Assignment.plan_id == plan_id, models.Assignment.request_id.in_(ids)
    )
    return {row.request_id: row for row in session.scalars(query)}


def _unserved(session: Session, plan_id: int | None) -> dict[int, dict[str, Any]]:
    plan = None if plan_id is None else plan_row(session, plan_id)
    return {} if plan is None else {item["request_id"]: item for item in plan.unserved}


def _explanation(
    assignment: models.Assignment | None,
    unserved: dict[str, Any] | None,
    own: frozenset[int] | None,
) -> Explanation | None:
    if assignment is not None:
        return Explanation("served", _shown(read_reasons(assignment.why), own))
    if unserved is None:
        return None
    reasons, changes = read_reasons(unserved["reasons"]), read_reasons(unserved["changes"])
    return Explanation("unserved", _shown(reasons, own), _shown(changes, own))


def _request_view(row: models.Request, **derived: Any) -> RequestView:
    return RequestView(
        id=row.id,
        organisation_id=row.organisation_id,
        organisation_name=derived["organisation_name"],
        state=RequestState(row.state),
        kind=RequestKind(row.kind),
        title=row.title,
        priority=row.priority,
        start_at=row.start_at,
        end_at=row.end_at,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        polygon=tuple((corner[0], corner[1]) for corner in row.polygon),
        legal_basis=row.legal_basis,
        contact=row.contact,
        payload=row.payload,
        sensitive=row.sensitive,
        low_noise=row.low_noise,
        notes=row.notes,
        submitted_at=row.submitted_at,
        sla_version=derived["sla_version"],
        clocks=derived["clock_views"],
        assignment=derived["assignment"],
        explanation=derived["explanation"],
        series=row.series,
        close_code=row.close_code,
        address=row.address,
    )


def assignment_view(row: models.Assignment, own: frozenset[int] | None = None) -> AssignmentView:
    """The assignment; own limits whose numbers its reasons may name."""
    return AssignmentView(
        id=row.id,
        plan_id=row.plan_id,
        request_id=row.request_id,
        drone_id=row.drone_id,
        drone_name=row.drone_snapshot["name"],
        pilot_id=row.pilot_id,
        pilot_name=row.pilot_name,
        crew_ids=tuple(row.crew_ids),
        battery_ids=tuple(row.battery_ids),
        taken_at=row.taken_at,
        depart_at=row.depart_at,
        arrive_at=row.arrive_at,
        start_at=row.start_at,
        end_at=row.end_at,
        free_at=row.free_at,
        why=_shown(read_reasons(row.why), own),
    )


def plan_view(session: Session, actor: Actor, row: models.Plan) -> PlanView:
    """The plan; a requester sees only what concerns the own organisation."""
    own = own_request_ids(session, actor)
    assignments = sorted(assignments_of(session, row.id), key=lambda one: (one.start_at, one.id))
    unserved = [item for item in row.unserved if own is None or item["request_id"] in own]
    return PlanView(
        id=row.id,
        state=cast(PlanState, row.state),
        status=row.status,
        base_plan_id=row.base_plan_id,
        solved_at=row.solved_at,
        published_at=row.published_at,
        terms=tuple(Term(**term) for term in row.terms),
        gap=row.gap,
        seed=row.seed,
        assignments=tuple(
            assignment_view(assignment, own)
            for assignment in assignments
            if own is None or assignment.request_id in own
        ),
        unserved=tuple(
            (item["request_id"], _shown(read_reasons(item["reasons"]), own)) for item in unserved
        ),
        changes={
            item["request_id"]: _shown(read_reasons(item["changes"]), own) for item in unserved
        },
    )
