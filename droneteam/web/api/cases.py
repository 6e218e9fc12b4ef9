"""Cases, sealed bags and the audit chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, Range
from marshmallow import ValidationError

from droneteam import accounts, audit
from droneteam.audit import EntryView
from droneteam.errors import InputError
from droneteam.evidence import exporting, service
from droneteam.evidence.checking import Verdict
from droneteam.evidence.service import CaseDraft, CaseView, ExportView
from droneteam.jobs import JobView
from droneteam.web.access import allow
from droneteam.web.api.shapes import field_of, pieces_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.pieces import MAX_ITEMS, answer_piece, piece_query
from droneteam.web.routing import MAX_ID
from droneteam.web.views.cases import (
    EXPORTERS,
    OPENERS,
    READERS,
    bag_known,
    look_at,
    request_check,
    request_export,
)

bp = APIBlueprint("api_cases", __name__, url_prefix="/api/v1", tag="evidence")


class CaseIn(Schema):
    """A case to open."""

    organisation_id = fields.Integer(required=True, strict=True, validate=Range(1, MAX_ID))
    title = fields.String(required=True, validate=Length(1, 200))
    legal_basis = fields.String(required=True, validate=Length(1, 2000))


class ExportIn(Schema):
    """Why the evidence leaves the house."""

    reason = fields.String(required=True, validate=Length(1, 500))


class ExportsOut(Schema):
    """The sealed bags of a case, and the export under way or the last one."""

    job = field_of(JobView | None)
    items = field_of(tuple[ExportView, ...])


class BagOut(Schema):
    """A sealed bag, what verifying it found the last time, and the newest job that does so."""

    export = field_of(ExportView)
    verdict = field_of(Verdict | None)
    job = field_of(JobView | None)


def has_utc(at: datetime) -> None:
    """Nothing; an hour west or east of the calendar's edge lies in no year of UTC's."""
    try:
        at.astimezone(UTC)
    except OverflowError:
        raise ValidationError("Outside the years 1 to 9999 in UTC.") from None


class AuditQuery(Schema):
    """Which entries."""

    subject = fields.String(validate=Length(max=200))
    action = fields.String(validate=Length(max=80))
    who = fields.String(validate=Length(max=200))
    from_at = fields.AwareDateTime(format="iso", validate=has_utc)
    until = fields.AwareDateTime(format="iso", validate=has_utc)
    before_id = fields.Integer(validate=Range(1, MAX_ID))
    limit = fields.Integer(load_default=100, validate=Range(1, 1000))


class ChainOut(Schema):
    """Whether the audit chain holds."""

    entries = fields.Integer(required=True)
    broken_ids = fields.List(fields.Integer(), required=True)


@bp.get("/cases")
@allow(*READERS)
@bp.input(piece_query(10), location="query", arg_name="query")
@bp.output(pieces_of(CaseView))
@bp.doc(summary="The cases that the caller may see")
def list_cases(query: dict[str, Any]) -> Any:
    """Newest first; each with what it holds."""
    with reading() as session:
        return answer_piece(query, lambda piece: service.list_cases(session, actor(), piece))


@bp.post("/cases")
@allow(*OPENERS)
@bp.input(CaseIn, arg_name="body")
@bp.output(schema_of(CaseView), status_code=201)
@bp.doc(summary="Open a case")
def open_case(body: dict[str, Any]) -> Any:
    """Its custody begins now."""
    draft = CaseDraft(**body)
    with writing() as session:
        if draft.organisation_id not in {row.id for row in accounts.organisations(session)}:
            raise InputError("organisation_id names no organisation", field="organisation_id")
        return service.open_case(session, actor(), draft, now())


@bp.get("/cases/<id:case_id>")
@allow(*READERS)
@bp.output(schema_of(CaseView))
@bp.doc(summary="One case with its items, custody and exports")
def get_case(case_id: int) -> Any:
    """404 for another organisation's."""
    return look_at(case_id)


@bp.post("/cases/<id:case_id>/exports")
@allow(*EXPORTERS)
@bp.input(ExportIn, arg_name="body")
@bp.output(ExportsOut, status_code=202)
@bp.doc(summary="Export a sealed bag")
def export(case_id: int, body: dict[str, str]) -> Any:
    """BagIt 1.0 with a signed manifest, written by a worker: ask for the case's exports until
    `job` is `done`. 409 while another export of the case is under way."""
    request_export(case_id, body["reason"])
    return exports(case_id)


@bp.get("/cases/<id:case_id>/exports")
@allow(*READERS)
@bp.output(ExportsOut)
@bp.doc(summary="The sealed bags of a case, and how far an export is")
def list_exports(case_id: int) -> Any:
    """Oldest first; `job` is the newest export's, null before the first."""
    return exports(case_id)


@bp.post("/cases/<id:case_id>/exports/stop")
@allow(*EXPORTERS)
@bp.output(ExportsOut)
@bp.doc(summary="Stop the export under way")
def stop_export(case_id: int) -> Any:
    """What it had written is thrown away; nothing happens where none is under way."""
    with writing() as session:
        exporting.stop_export(session, actor(), case_id, now())
    return exports(case_id)


def exports(case_id: int) -> dict[str, Any]:
    """The case's bags and its newest export, where the actor may see the case."""
    found = look_at(case_id)
    with reading() as session:
        return {"job": exporting.exporting(session, case_id), "items": found.exports}


@bp.get("/exports/<id:export_id>")
@allow(*READERS)
@bp.output(BagOut)
@bp.doc(summary="A sealed bag and its last verdict")
def bag(export_id: int) -> Any:
    """`verdict` is of the time that it states, null before the first: what was changed since is
    found by verifying again."""
    return _bag(export_id)


@bp.post("/exports/<id:export_id>/verify")
@allow(*READERS)
@bp.output(BagOut, status_code=202)
@bp.doc(summary="Verify a sealed bag")
def verify(export_id: int) -> Any:
    """A worker reads every byte and checks every hash, the signature and the .zip: ask for the bag
    until `job` is `done`. One that is under way is not begun again."""
    request_check(export_id)
    return _bag(export_id)


def _bag(export_id: int) -> dict[str, Any]:
    found, verdict, job = bag_known(export_id)
    return {"export": found, "verdict": verdict, "job": job}


@bp.get("/audit")
@allow("auditor", "administrator", "manager")
@bp.input(AuditQuery, location="query", arg_name="query")
@bp.output(pieces_of(EntryView))
@bp.doc(summary="Audit entries")
def audit_entries(query: dict[str, Any]) -> Any:
    """Newest first; `next_before_id` is where the next piece begins."""
    wanted = {name: value for name, value in query.items() if name not in ("before_id", "limit")}
    with reading() as session:
        return answer_piece(
            query,
            lambda piece: audit.entries(
                session, **wanted, before_id=piece.before_id, limit=piece.limit or MAX_ITEMS
            ),
        )


@bp.get("/audit/chain")
@allow("auditor", "administrator", "manager")
@bp.output(ChainOut)
@bp.doc(summary="Whether the audit chain is whole")
def chain() -> Any:
    """Walks every entry."""
    with reading() as session:
        return {"entries": audit.count(session), "broken_ids": audit.verify(session)}
