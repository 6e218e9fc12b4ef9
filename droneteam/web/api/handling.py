"""What is done with a request on its way: assess, confirm, refuse, fly, attach, exclude, clear."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf, Range
from flask import Response, request

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.agreement.sla import CLOCKS, ClockStop
from droneteam.fleet.airspace import WRITERS as AIRSPACE_WRITERS
from droneteam.fleet.intake.attachments import MAX_BYTES
from droneteam.fleet.terms import PRIORITIES
from droneteam.fleet.views import RequestEventView, RequestView
from droneteam.web.access import allow, takes_files
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.files import file_response
from droneteam.web.routing import MAX_ID
from droneteam.web.views.handling import ATTACHERS, MISSION_STATES, STORE
from droneteam.web.views.requests import ASKERS, READERS

bp = APIBlueprint("api_handling", __name__, url_prefix="/api/v1/requests", tag="requests")

_FILE: dict[int, Any] = {
    200: {
        "description": "The file.",
        "content": {
            media: {"schema": {"type": "string", "format": "binary"}}
            for media in ("application/pdf", "image/png", "image/jpeg", "text/plain")
        },
    }
}


class TriageIn(Schema):
    """The class that the coordinator gives a request; a change needs its reason."""

    priority = fields.String(
        load_default=None, allow_none=True, validate=OneOf([*PRIORITIES, None])
    )
    reason = fields.String(load_default="", validate=Length(max=500))


class ReasonIn(Schema):
    """Why it is so."""

    reason = fields.String(required=True, validate=Length(1, 500), metadata={"pattern": r"\S"})


class StateIn(Schema):
    """What became of the mission."""

    state = fields.String(required=True, validate=OneOf(MISSION_STATES))


class NameQuery(Schema):
    """How the file is called."""

    name = fields.String(required=True, validate=Length(1, 200))


class StopIn(Schema):
    """A stretch in which a clock does not run, on attached evidence."""

    clock = fields.String(required=True, validate=OneOf(CLOCKS))
    code = fields.String(
        required=True,
        validate=Length(1, 40),
        metadata={"description": "One of the agreement's exclusions."},
    )
    from_at = fields.AwareDateTime(required=True, format="iso")
    to_at = fields.AwareDateTime(load_default=None, allow_none=True, format="iso")
    attachment_id = fields.Integer(required=True, strict=True, validate=Range(1, MAX_ID))


class AirspaceIn(Schema):
    """A step of an airspace approval."""

    state = fields.String(
        required=True, validate=OneOf([state.value for state in service.AirspaceState])
    )
    authority = fields.String(load_default="", validate=Length(max=120))
    reference = fields.String(load_default="", validate=Length(max=120))
    from_at = fields.AwareDateTime(
        load_default=None,
        allow_none=True,
        format="iso",
        metadata={"description": "Granted: from when. Asked: by when the answer is expected."},
    )
    until_at = fields.AwareDateTime(load_default=None, allow_none=True, format="iso")


@bp.post("/<id:request_id>/triage")
@allow("coordinator")
@bp.input(TriageIn, arg_name="body")
@bp.output(schema_of(RequestView))
@bp.doc(summary="Assess a request")
def triage(request_id: int, body: dict[str, Any]) -> Any:
    """Its clocks run to the targets of the class that it gets."""
    with writing() as session:
        return service.triage_request(
            session,
            actor(),
            request_id,
            now(),
            priority=body["priority"],
            reason=body["reason"],
        )


@bp.post("/<id:request_id>/confirm")
@allow(*ASKERS)
@bp.output(schema_of(RequestView))
@bp.doc(summary="Confirm a planned request")
def confirm(request_id: int) -> Any:
    """The zone counts on it."""
    with writing() as session:
        return service.confirm_request(session, actor(), request_id, now())


@bp.post("/<id:request_id>/refuse")
@allow("coordinator")
@bp.input(ReasonIn, arg_name="body")
@bp.output(schema_of(RequestView))
@bp.doc(summary="Refuse a request")
def refuse(request_id: int, body: dict[str, Any]) -> Any:
    """Its zone reads the reason."""
    with writing() as session:
        return service.refuse_request(session, actor(), request_id, body["reason"], now())


@bp.post("/<id:request_id>/state")
@allow("pilot", "coordinator")
@bp.input(StateIn, arg_name="body")
@bp.output(schema_of(RequestView))
@bp.doc(summary="The mission began, or ended whole or in part")
def state(request_id: int, body: dict[str, Any]) -> Any:
    """Its beginning is the arrival that the agreement counts."""
    with writing() as session:
        return service.mark_request_state(session, actor(), request_id, body["state"], now())


@bp.get("/<id:request_id>/history")
@allow(*READERS)
@bp.output(page_of(RequestEventView))
@bp.doc(summary="A request's steps in order")
def history(request_id: int) -> Any:
    """Events are never changed."""
    with reading() as session:
        return {"items": service.request_history(session, actor(), request_id)}


@bp.get("/<id:request_id>/attachments")
@allow(*READERS)
@bp.output(page_of(service.AttachmentView))
@bp.doc(summary="A request's files")
def attachments(request_id: int) -> Any:
    """In the order of their arrival."""
    with reading() as session:
        return {"items": service.list_attachments(session, actor(), request_id)}


@bp.post("/<id:request_id>/attachments")
@allow(*ATTACHERS)
@takes_files(MAX_BYTES)
@bp.input(NameQuery, location="query", arg_name="query")
@bp.output(schema_of(service.AttachmentView), status_code=201)
@bp.doc(summary="Attach a file: the body is its content")
def attach(request_id: int, query: dict[str, str]) -> Any:
    """PDF, PNG, JPEG or text by its content; the same content twice is one attachment."""
    content = request.get_data(cache=False)
    store = context().settings.blob_dir(STORE)
    with writing() as session:
        return service.add_attachment(
            session, actor(), request_id, query["name"], content, store, now()
        )


@bp.get("/attachments/<id:attachment_id>")
@allow(*READERS)
@bp.doc(summary="A file's content", responses=_FILE)
def attachment(attachment_id: int) -> Response:
    """Checked against its hash before it is sent."""
    store = context().settings.blob_dir(STORE)
    with reading() as session:
        view, path = service.attachment_file(session, actor(), attachment_id, store)
    return file_response(path, name=view.name, media_type=view.media_type)


@bp.post("/<id:request_id>/stops")
@allow("coordinator")
@bp.input(StopIn, arg_name="body")
@bp.output(schema_of(RequestView))
@bp.doc(summary="Stop a clock on attached evidence")
def stop_clock(request_id: int, body: dict[str, Any]) -> Any:
    """Without an end the clock stands until the stop is given one."""
    with writing() as session:
        files = service.list_attachments(session, actor(), request_id)
        proof = next((one for one in files if one.id == body["attachment_id"]), None)
        if proof is None:
            raise InputError(
                f"attachment {body['attachment_id']} is none of request {request_id}",
                field="attachment_id",
            )
        stop = ClockStop(body["clock"], body["from_at"], body["to_at"], body["code"], proof.name)
        return service.stop_clock(session, actor(), request_id, stop, now(), attachment_id=proof.id)


@bp.get("/<id:request_id>/airspace")
@allow(*READERS)
@bp.output(page_of(service.AirspaceView))
@bp.doc(summary="A request's airspace approval, step by step")
def airspace(request_id: int) -> Any:
    """The last step holds; none means that no approval is needed."""
    with reading() as session:
        return {"items": service.list_airspace(session, actor(), request_id)}


@bp.post("/<id:request_id>/airspace")
@allow(*AIRSPACE_WRITERS)
@bp.input(AirspaceIn, arg_name="body")
@bp.output(schema_of(service.AirspaceView), status_code=201)
@bp.doc(summary="Note where a request's airspace approval stands")
def set_airspace(request_id: int, body: dict[str, Any]) -> Any:
    """Plans keep to it from now on."""
    note = service.AirspaceNote(**{**body, "state": service.AirspaceState(body["state"])})
    with writing() as session:
        return service.set_airspace(session, actor(), request_id, note, now())
