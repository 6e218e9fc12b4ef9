"""Several slots at once, a week's list, and drafts that are gone on with."""

from __future__ import annotations

from datetime import date
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.intake.listing import MAX_CHARACTERS
from droneteam.fleet.intake.recurrence import MAX_OCCURRENCES
from droneteam.fleet.terms import Window
from droneteam.fleet.views import RequestView
from droneteam.web.access import allow
from droneteam.web.api.requests import CancelIn, DraftIn, SubmitHeaders, draft_from
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.views.requests import ASKERS, READERS

bp = APIBlueprint("api_series", __name__, url_prefix="/api/v1/requests", tag="requests")


class SlotIn(Schema):
    """One window of a series."""

    start_at = fields.AwareDateTime(required=True, format="iso")
    end_at = fields.AwareDateTime(required=True, format="iso")


class AskedIn(DraftIn):
    """What every slot of a series asks for; its window is the first one of a rule."""


class SeriesIn(Schema):
    """A request for several times: a rule that begins with its window, or a list of slots."""

    request = fields.Nested(AskedIn, required=True)
    rule = fields.String(
        load_default=None,
        allow_none=True,
        validate=Length(1, 500),
        metadata={"description": "RFC 5545, such as FREQ=WEEKLY;COUNT=10; the wall time stays."},
    )
    without = fields.List(
        fields.Date(),
        load_default=list,
        validate=Length(max=MAX_OCCURRENCES),
        metadata={"description": "Local days that the rule leaves out."},
    )
    slots = fields.List(
        fields.Nested(SlotIn), load_default=list, validate=Length(max=MAX_OCCURRENCES)
    )


class KeptDraftIn(DraftIn):
    """A draft: legal basis and contact may still be missing."""

    legal_basis = fields.String(load_default="", validate=Length(max=200))
    contact = fields.String(load_default="", validate=Length(max=200))


class ListIn(Schema):
    """A list of requests as CSV."""

    text = fields.String(required=True, validate=Length(1, MAX_CHARACTERS))
    store = fields.Boolean(
        load_default=False, metadata={"description": "Submit the new lines; else only judge."}
    )
    in_part = fields.Boolean(
        data_key="partial",
        load_default=False,
        metadata={"description": "Submit the good lines although others are wrong."},
    )


class LineOut(Schema):
    """One line of a list, judged."""

    number = fields.Integer(required=True)
    title = fields.String(required=True)
    verdict = fields.String(required=True, metadata={"enum": ["new", "known", "wrong"]})
    field = fields.String(required=True)
    problem = fields.String(required=True)
    request_id = fields.Integer(required=True, allow_none=True)


class ListOut(Schema):
    """What became of a list."""

    stored = fields.Boolean(required=True)
    lines = fields.List(fields.Nested(LineOut), required=True)


@bp.post("/series")
@allow(*ASKERS)
@bp.input(SubmitHeaders, location="headers", arg_name="headers")
@bp.input(SeriesIn, arg_name="body")
@bp.output(page_of(RequestView), status_code=201)
@bp.doc(summary="Ask for several times at once, all or none")
def submit(headers: dict[str, Any], body: dict[str, Any]) -> Any:
    """One request for each slot; they share their `series`."""
    draft = draft_from(body["request"])
    slots = _slots(Window(draft.start_at, draft.end_at), body)
    with writing() as session:
        found = service.submit_series(
            session, actor(), draft, slots, now(), submit_key=headers["idempotency_key"]
        )
    return {"items": found}


def _slots(first: Window, body: dict[str, Any]) -> tuple[Window, ...]:
    if (body["rule"] is None) == (not body["slots"]):
        raise InputError("give either a rule or slots", field="rule")
    if body["rule"] is None:
        return tuple(Window(slot["start_at"], slot["end_at"]) for slot in body["slots"])
    without: list[date] = body["without"]
    return service.occurrences(body["rule"], first, without=frozenset(without))


@bp.get("/series/<series>")
@allow(*READERS)
@bp.output(page_of(RequestView))
@bp.doc(summary="The requests of a series by time")
def get_series(series: str) -> Any:
    """404 for another organisation's."""
    with reading() as session:
        return {"items": service.series_requests(session, actor(), series, now())}


@bp.post("/series/<series>/cancel")
@allow(*ASKERS)
@bp.input(CancelIn, arg_name="body")
@bp.output(page_of(RequestView))
@bp.doc(summary="Cancel what has not begun of a series")
def cancel_series(series: str, body: dict[str, Any]) -> Any:
    """What is under way goes on."""
    with writing() as session:
        return {"items": service.cancel_series(session, actor(), series, body["code"], now())}


@bp.post("/drafts")
@allow(*ASKERS)
@bp.input(KeptDraftIn, arg_name="body")
@bp.output(schema_of(RequestView), status_code=201)
@bp.doc(summary="Keep a draft")
def save_draft(body: dict[str, Any]) -> Any:
    """No clock runs, and nobody else sees it."""
    draft = draft_from(body, unfinished=True)
    with writing() as session:
        return service.save_draft(session, actor(), draft, now())


@bp.put("/drafts/<id:request_id>")
@allow(*ASKERS)
@bp.input(KeptDraftIn, arg_name="body")
@bp.output(schema_of(RequestView))
@bp.doc(summary="Replace a draft")
def replace_draft(request_id: int, body: dict[str, Any]) -> Any:
    """409 once it was submitted."""
    draft = draft_from(body, unfinished=True)
    with writing() as session:
        return service.save_draft(session, actor(), draft, now(), request_id=request_id)


@bp.post("/drafts/<id:request_id>/submit")
@allow(*ASKERS)
@bp.output(schema_of(RequestView))
@bp.doc(summary="Submit a draft")
def submit_draft(request_id: int) -> Any:
    """The clocks of the agreement run from now."""
    with writing() as session:
        return service.submit_draft(session, actor(), request_id, now())


@bp.post("/list")
@allow(*ASKERS)
@bp.input(ListIn, arg_name="body")
@bp.output(ListOut)
@bp.doc(summary="A week's requests as CSV, judged line by line")
def import_list(body: dict[str, Any]) -> Any:
    """`stored` says whether the new lines were submitted; a wrong line keeps all of them out."""
    with writing() as session:
        found = service.import_list(
            session,
            actor(),
            body["text"],
            now(),
            store=body["store"],
            partial=body["in_part"],
        )
    return {"stored": found.stored, "lines": found.lines}
