"""Requests: ask, read, acknowledge, cancel, and the honest answer before asking."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf, Range

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.terms import PRIORITIES, RequestKind
from droneteam.fleet.views import Answer, Booking, RequestDraft, RequestView
from droneteam.web.access import allow
from droneteam.web.api.shapes import pieces_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.pieces import answer_piece, piece_query
from droneteam.web.turns import booking_turn
from droneteam.web.views.requests import ASKERS, PAYLOADS, READERS

bp = APIBlueprint("api_requests", __name__, url_prefix="/api/v1/requests", tag="requests")

_TEXT = {"pattern": r"\S"}
"""At least one character that is not a space, as the service asks."""


class DraftIn(Schema):
    """What a zone asks for."""

    kind = fields.String(required=True, validate=OneOf([kind.value for kind in RequestKind]))
    title = fields.String(required=True, validate=Length(1, 200), metadata=_TEXT)
    priority = fields.String(required=True, validate=OneOf(PRIORITIES))
    start_at = fields.AwareDateTime(required=True, format="iso")
    end_at = fields.AwareDateTime(required=True, format="iso")
    lat_deg = fields.Float(required=True, validate=Range(-90, 90))
    lon_deg = fields.Float(required=True, validate=Range(-180, 180))
    polygon = fields.List(
        fields.List(fields.Float(), validate=Length(equal=2)),
        load_default=list,
        validate=Length(max=500),
        metadata={"description": "Corners as [lat_deg, lon_deg]; empty for a place."},
    )
    legal_basis = fields.String(required=True, validate=Length(1, 200), metadata=_TEXT)
    contact = fields.String(required=True, validate=Length(1, 200), metadata=_TEXT)
    payload = fields.String(load_default=None, allow_none=True, validate=OneOf([*PAYLOADS, None]))
    sensitive = fields.Boolean(load_default=False)
    low_noise = fields.Boolean(load_default=False)
    notes = fields.String(load_default="", validate=Length(max=4000))
    address = fields.String(
        load_default="",
        validate=Length(max=200),
        metadata={"description": "The place in words, for people; lat_deg and lon_deg decide."},
    )


class SubmitHeaders(Schema):
    """What may come with a submission."""

    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        load_default=None,
        validate=Length(1, 80),
        metadata={"description": "Names this submission: sent twice, it makes one request."},
    )


class CancelIn(Schema):
    """Why a request is cancelled."""

    code = fields.String(
        required=True,
        validate=Length(1, 80),
        metadata={"description": "One of the agreement's cancellation codes."},
    )
    confirmed_by = fields.String(
        load_default=None,
        validate=Length(1, 200),
        metadata={"description": "The incident commander, where the drone is on its mission."},
    )


@bp.get("/")
@allow(*READERS)
@bp.input(piece_query(100), location="query", arg_name="query")
@bp.output(pieces_of(RequestView))
@bp.doc(summary="The requests that the caller may see")
def list_requests(query: dict[str, Any]) -> Any:
    """A requester sees the own organisation's; the drone team sees all; newest first."""
    with reading() as session:
        return answer_piece(
            query, lambda piece: service.request_piece(session, actor(), now(), piece)
        )


@bp.post("/")
@allow(*ASKERS)
@bp.input(SubmitHeaders, location="headers", arg_name="headers")
@bp.input(DraftIn, arg_name="body")
@bp.output(schema_of(RequestView), status_code=201)
@bp.doc(summary="Ask for the drone team")
def submit(headers: dict[str, Any], body: dict[str, Any]) -> Any:
    """The clocks of the agreement run from now."""
    draft, key = draft_from(body), headers["idempotency_key"]
    with writing() as session:
        return service.submit_request(session, actor(), draft, now(), submit_key=key)


@bp.post("/answer")
@allow(*ASKERS)
@bp.input(DraftIn, arg_name="body")
@bp.output(schema_of(Answer))
@bp.doc(summary="Yes, maybe or no, with the reasons, before asking")
def answer(body: dict[str, Any]) -> Any:
    """Nothing is stored."""
    draft = draft_from(body)
    with reading() as session:
        return service.instant_answer(session, actor(), draft, now())


@bp.get("/<id:request_id>")
@allow(*READERS)
@bp.output(schema_of(RequestView))
@bp.doc(summary="One request with its clocks, assignment and explanation")
def get_request(request_id: int) -> Any:
    """404 for another organisation's."""
    with reading() as session:
        return service.get_request(session, actor(), request_id, now())


@bp.post("/<id:request_id>/acknowledge")
@allow("coordinator")
@bp.output(schema_of(RequestView))
@bp.doc(summary="Acknowledge a request")
def acknowledge(request_id: int) -> Any:
    """The acknowledgement's clock stops."""
    with writing() as session:
        service.acknowledge_request(session, actor(), request_id, now())
        return service.get_request(session, actor(), request_id, now())


@bp.post("/<id:request_id>/book")
@allow(*ASKERS)
@bp.output(schema_of(Booking))
@bp.doc(summary="A drone and a crew for a request at once, or why there is none")
def book(request_id: int) -> Any:
    """Whoever books first gets the drone; booking again gives the assignment that it has."""
    with booking_turn(), writing() as session:
        return service.book_request(session, actor(), request_id, now())


@bp.post("/<id:request_id>/cancel")
@allow(*ASKERS)
@bp.input(CancelIn, arg_name="body")
@bp.output(schema_of(RequestView))
@bp.doc(summary="Cancel a request")
def cancel(request_id: int, body: dict[str, Any]) -> Any:
    """With the reason's code."""
    with writing() as session:
        service.cancel_request(
            session, actor(), request_id, body["code"], now(), confirmed_by=body["confirmed_by"]
        )
        return service.get_request(session, actor(), request_id, now())


def draft_from(body: dict[str, Any], *, unfinished: bool = False) -> RequestDraft:
    """The draft of a body that fitted its schema; InputError for what no request can be."""
    polygon = tuple((corner[0], corner[1]) for corner in body["polygon"])
    try:
        kind = RequestKind(body["kind"])
        return RequestDraft(**{**body, "kind": kind, "polygon": polygon, "unfinished": unfinished})
    except OverflowError as error:  # times at the edge of the calendar
        raise InputError(f"start_at or end_at cannot be used: {error}", field="start_at") from error
