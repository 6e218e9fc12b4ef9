"""The agreement's versions, the zones' shares, and surplus that is lent."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, Range

from droneteam.accounts import ROLES
from droneteam.fleet import service
from droneteam.fleet.agreement.agreements import VersionView
from droneteam.web.access import allow
from droneteam.web.api.door import missing
from droneteam.web.api.shapes import page_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.routing import MAX_ID
from droneteam.web.views.agreement import LENDERS, WRITERS

bp = APIBlueprint("api_agreement", __name__, url_prefix="/api/v1/agreement", tag="agreement")


class VersionIn(Schema):
    """A version of the agreement and from when it holds."""

    document = fields.Dict(
        required=True, metadata={"description": "As GET gives it; docs/fleet.md names the members."}
    )
    effective_from = fields.AwareDateTime(required=True, format="iso")


class AgreementTextIn(Schema):
    """The text of a version that nobody has used yet."""

    document = fields.Dict(required=True)


class NumberOut(Schema):
    """The number of a version."""

    number = fields.Integer(required=True)


class LoanIn(Schema):
    """Crew-minutes of one organisation's surplus for another."""

    lender_id = fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=Range(1, MAX_ID),
        metadata={"description": "The caller's own organisation where it is left out."},
    )
    borrower_id = fields.Integer(required=True, strict=True, validate=Range(1, MAX_ID))
    crew_min = fields.Integer(required=True, strict=True, validate=Range(1, 1_000_000))
    reason = fields.String(required=True, validate=Length(1, 500), metadata={"pattern": r"\S"})


@bp.get("/versions")
@allow(*ROLES)
@bp.output(page_of(VersionView))
@bp.doc(summary="The agreement's versions, the newest first")
def versions() -> Any:
    """`used` versions are never edited."""
    with reading() as session:
        return {"items": service.list_versions(session)}


@bp.post("/versions")
@allow(*WRITERS)
@bp.input(VersionIn, arg_name="body")
@bp.output(NumberOut, status_code=201)
@bp.doc(summary="Add a version")
def add(body: dict[str, Any]) -> Any:
    """It never holds from the past on."""
    with writing() as session:
        number = service.add_version(
            session, actor(), body["document"], body["effective_from"], now()
        )
    return {"number": number}


@bp.put("/versions/<id:number>")
@allow(*WRITERS)
@bp.input(AgreementTextIn, arg_name="body")
@bp.output(NumberOut)
@bp.doc(summary="Replace the text of a version that nobody has used")
def edit(number: int, body: dict[str, Any]) -> Any:
    """409 once a request runs on it: add a new version."""
    with writing() as session:
        service.edit_version(session, actor(), number, body["document"], now())
    return {"number": number}


@bp.get("/shares")
@allow(*ROLES)
@bp.output(page_of(service.ShareView))
@bp.doc(summary="Shares of the rolling year, in crew-minutes")
def shares() -> Any:
    """A zone sees its own, the team all."""
    with reading() as session:
        return {"items": service.list_shares(session, actor(), now())}


@bp.post("/loans")
@allow(*LENDERS)
@bp.input(LoanIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(
    summary="Lend a part of a surplus for a year",
    responses=missing("No such organisation."),
)
def lend(body: dict[str, Any]) -> Any:
    """A zone lends its own; a manager on a zone's word."""
    me = actor()
    lender = body["lender_id"] or me.organisation_id
    with writing() as session:
        service.lend_minutes(
            session, me, lender, body["borrower_id"], body["crew_min"], body["reason"], now()
        )
    return ""
