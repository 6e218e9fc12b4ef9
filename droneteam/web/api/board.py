"""The fleet's readiness, and plans: solve, compare, publish."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, Range

from droneteam.errors import NotFound
from droneteam.fleet import service
from droneteam.fleet.agreement.escalations import READERS as ESCALATION_READERS
from droneteam.fleet.agreement.escalations import EscalationView
from droneteam.fleet.views import AssignmentView, BatteryView, DroneView, PilotView, PlanView
from droneteam.web.access import TEAM, allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.routing import MAX_ID
from droneteam.web.views.board import PLAN_READERS, READERS
from droneteam.web.views.requests import READERS as REQUEST_READERS

bp = APIBlueprint("api_board", __name__, url_prefix="/api/v1", tag="board")


class PublishIn(Schema):
    """The plan in force that the caller compared with; null when there was none."""

    base_plan_id = fields.Integer(
        required=True, allow_none=True, strict=True, validate=Range(1, MAX_ID)
    )
    reason = fields.String(
        load_default="",
        validate=Length(max=500),
        metadata={
            "description": "Why an override is published: a supposed plan, or one that displaces a "
            "request beyond the agreement."
        },
    )


@bp.get("/drones")
@allow(*TEAM)
@bp.output(page_of(DroneView))
@bp.doc(summary="Drones with their readiness")
def drones() -> Any:
    """By name."""
    with reading() as session:
        return {"items": service.list_drones(session, actor(), now())}


@bp.get("/pilots")
@allow(*TEAM)
@bp.output(page_of(PilotView))
@bp.doc(summary="Pilots with their credentials and readiness")
def pilots() -> Any:
    """By name."""
    with reading() as session:
        return {"items": service.list_pilots(session, actor(), now())}


@bp.get("/batteries")
@allow(*TEAM)
@bp.output(page_of(BatteryView))
@bp.doc(summary="Batteries with their readiness")
def batteries() -> Any:
    """By label."""
    with reading() as session:
        return {"items": service.list_batteries(session, actor())}


@bp.get("/plans/current")
@allow(*READERS)
@bp.output(schema_of(PlanView))
@bp.doc(summary="The plan in force", responses={404: "No plan was published yet."})
def current() -> Any:
    """With its assignments, proof and what it could not serve."""
    with reading() as session:
        plan = service.current_plan(session, actor())
    if plan is None:
        raise NotFound("plan", "in force")
    return plan


@bp.post("/plans")
@allow("coordinator")
@bp.output(schema_of(PlanView), status_code=201)
@bp.doc(summary="Solve a new draft plan")
def solve() -> Any:
    """Nobody else sees it until it is published."""
    return service.draft_plan(context().engine, actor(), now())


@bp.get("/plans/<id:plan_id>")
@allow(*PLAN_READERS)
@bp.output(schema_of(PlanView))
@bp.doc(summary="One plan")
def plan(plan_id: int) -> Any:
    """Draft, published or superseded."""
    with reading() as session:
        return service.get_plan(session, actor(), plan_id)


@bp.post("/plans/<id:plan_id>/publish")
@allow("coordinator")
@bp.input(PublishIn, arg_name="body")
@bp.output(schema_of(PlanView))
@bp.doc(summary="Publish a draft plan")
def publish(plan_id: int, body: dict[str, Any]) -> Any:
    """409 when somebody else published meanwhile."""
    with writing() as session:
        return service.publish_plan(
            session, actor(), plan_id, body["base_plan_id"], now(), reason=body["reason"]
        )


@bp.get("/escalations")
@allow(*ESCALATION_READERS)
@bp.output(page_of(EscalationView))
@bp.doc(summary="Escalations that nobody has seen yet")
def escalations() -> Any:
    """The most urgent first."""
    with reading() as session:
        return {"items": service.list_escalations(session, actor())}


@bp.get("/displaced")
@allow(*REQUEST_READERS)
@bp.output(page_of(service.DisplacedView))
@bp.doc(summary="Open requests that have lost their drone, and why")
def displaced() -> Any:
    """By start; a requester sees the own organisation's, and no number of another's."""
    with reading() as session:
        return {"items": service.list_displaced(session, actor())}


@bp.get("/assignments/<id:assignment_id>")
@allow(*READERS)
@bp.output(schema_of(AssignmentView))
@bp.doc(summary="One assignment")
def assignment(assignment_id: int) -> Any:
    """Drone, crew, batteries and times, with the reasons."""
    with reading() as session:
        return service.get_assignment(session, actor(), assignment_id)
