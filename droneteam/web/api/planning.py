"""What if, plans side by side, and why a request got what it got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf, Range

from droneteam.errors import NotFound
from droneteam.fleet import service
from droneteam.fleet.comparing import MAX_COMPARED
from droneteam.fleet.explanations.suppositions import SUPPOSED_KINDS
from droneteam.fleet.service import Compared, PlanSummary, Refusal, Scenario, Supposition
from droneteam.fleet.terms import PRIORITIES, RequestKind
from droneteam.fleet.views import PlanView, ReasonView
from droneteam.fleet.whatif import MAX_REASON, MAX_SUPPOSITIONS
from droneteam.web.access import allow
from droneteam.web.api.door import PROBLEM_CONTENT, missing
from droneteam.web.api.shapes import page_of, pieces_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.i18n import language, sentences
from droneteam.web.pieces import answer_piece, piece_query
from droneteam.web.routing import MAX_ID
from droneteam.web.views.board import PLAN_READERS
from droneteam.web.views.requests import READERS as REQUEST_READERS

bp = APIBlueprint("api_planning", __name__, url_prefix="/api/v1", tag="board")

_NO_PLAN: Any = {404: {"description": "There is no such plan.", "content": PROBLEM_CONTENT}}


class SuppositionIn(Schema):
    """One thing that is supposed; which members count depends on its kind."""

    kind = fields.String(required=True, validate=OneOf(SUPPOSED_KINDS))
    subject_id = fields.Integer(
        load_default=0,
        strict=True,
        validate=Range(0, MAX_ID),
        metadata={"description": "The drone, pilot or request; 0 for a new request."},
    )
    start_at = fields.AwareDateTime(load_default=None, allow_none=True, format="iso")
    end_at = fields.AwareDateTime(load_default=None, allow_none=True, format="iso")
    priority = fields.String(load_default="P0", validate=OneOf(PRIORITIES))
    request_kind = fields.String(
        load_default="search", validate=OneOf([kind.value for kind in RequestKind])
    )
    lat_deg = fields.Float(load_default=0.0, validate=Range(-90, 90))
    lon_deg = fields.Float(load_default=0.0, validate=Range(-180, 180))
    drone_id = fields.Integer(
        load_default=0,
        strict=True,
        validate=Range(0, MAX_ID),
        metadata={"description": "Of a placed request; 0 leaves the drone open."},
    )
    pilot_ids = fields.List(
        fields.Integer(strict=True, validate=Range(1, MAX_ID)),
        load_default=list,
        validate=Length(max=10),
        metadata={"description": "The whole crew of a placed request; empty leaves it open."},
    )


class WhatIfIn(Schema):
    """What is supposed together, and why."""

    supposed = fields.List(
        fields.Nested(SuppositionIn), required=True, validate=Length(1, MAX_SUPPOSITIONS)
    )
    reason = fields.String(required=True, validate=Length(1, MAX_REASON))


class PlansIn(Schema):
    """Which plans stand side by side."""

    plan = fields.List(
        fields.Integer(validate=Range(1, MAX_ID)),
        required=True,
        validate=Length(1, MAX_COMPARED),
        metadata={"description": "Repeat it for each plan."},
    )


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A draft under suppositions, or why a request cannot be where it is put.

    plan : null where a placed request cannot be there
    refused_request_id, reasons, sentences : which, and why, as codes and in words
    """

    plan: PlanView | None
    refused_request_id: int | None
    reasons: tuple[ReasonView, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplanationText:
    """Why a request got what it got, or nothing, and what would change it.

    reasons, changes : codes with parameters; why, help : the same in sentences
    """

    request_id: int
    verdict: str
    language: str
    reasons: tuple[ReasonView, ...]
    changes: tuple[ReasonView, ...]
    why: tuple[str, ...]
    help: tuple[str, ...]


@bp.post("/what-if")
@allow("coordinator")
@bp.input(WhatIfIn, arg_name="body")
@bp.output(schema_of(WhatIf), status_code=201)
@bp.doc(
    summary="A draft plan under suppositions",
    responses={
        200: "No draft: a placed request cannot be there; the reasons say why.",
        **missing("What is supposed names no request, drone or pilot."),
    },
)
def what_if(body: dict[str, Any]) -> Any:
    """Changes no record; publishing the draft is an override with its own reason."""
    supposed = [_supposition(one) for one in body["supposed"]]
    found = service.solve_supposed(context().engine, actor(), supposed, body["reason"], now())
    if isinstance(found, Refusal):
        said = tuple(sentences(found.reasons))
        return WhatIf(None, found.request_id, found.reasons, said), 200
    return WhatIf(found, None, (), ()), 201


def _supposition(body: dict[str, Any]) -> Supposition:
    return Supposition(
        **{
            **body,
            "request_kind": RequestKind(body["request_kind"]),
            "pilot_ids": tuple(body["pilot_ids"]),
        }
    )


@bp.get("/plans")
@allow(*PLAN_READERS)
@bp.input(piece_query(50), location="query", arg_name="query")
@bp.output(pieces_of(PlanSummary))
@bp.doc(summary="The newest plans of any state")
def plans(query: dict[str, Any]) -> Any:
    """The newest first."""
    with reading() as session:
        return answer_piece(query, lambda piece: service.list_plans(session, actor(), piece))


@bp.get("/plans/compare")
@allow(*PLAN_READERS)
@bp.input(PlansIn, location="query", arg_name="query")
@bp.output(page_of(Compared))
@bp.doc(
    summary="Plans side by side, each against the plan in force",
    responses=_NO_PLAN,
)
def compare(query: dict[str, Any]) -> Any:
    """Who loses, gets or changes what, fairness before and after, churn with its bound."""
    with reading() as session:
        return {"items": service.compare_plans(session, actor(), query["plan"])}


@bp.get("/plans/<id:plan_id>/scenario")
@allow(*PLAN_READERS)
@bp.output(schema_of(Scenario))
@bp.doc(summary="What a plan supposes")
def scenario(plan_id: int) -> Any:
    """404 for a plan of what is."""
    with reading() as session:
        found = service.scenario_of(session, actor(), plan_id)
    if found is None:
        raise NotFound("scenario of plan", plan_id)
    return found


@bp.post("/plans/<id:plan_id>/discard")
@allow("coordinator")
@bp.output(schema_of(PlanView))
@bp.doc(summary="Put a draft aside")
def discard(plan_id: int) -> Any:
    """It stays on record and cannot be published any more."""
    with writing() as session:
        return service.discard_plan(session, actor(), plan_id, now())


@bp.post("/escalations/<id:escalation_id>/seen")
@allow("coordinator")
@bp.output({}, status_code=204)
@bp.doc(summary="Say that an escalation was seen")
def seen(escalation_id: int) -> Any:
    """Off the board, with who saw it on record."""
    with writing() as session:
        service.see_escalation(session, actor(), escalation_id, now())
    return ""


@bp.get("/requests/<id:request_id>/explanation")
@allow(*REQUEST_READERS)
@bp.output(schema_of(ExplanationText))
@bp.doc(summary="Why this drone, pilot and slot; why not; what would change it")
def explanation(request_id: int) -> Any:
    """In the language of the Accept-Language header or the account: nl, fr or en."""
    with reading() as session:
        found = service.explain_request(session, actor(), request_id, now())
    return ExplanationText(
        request_id=request_id,
        verdict=found.verdict,
        language=language(),
        reasons=found.reasons,
        changes=found.changes,
        why=tuple(sentences(found.reasons)),
        help=tuple(sentences(found.changes)),
    )
