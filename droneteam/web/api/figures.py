"""The year's figures as JSON, and the yearly report as PDF and CSV."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf, Range
from flask import Response

from droneteam.fleet import service
from droneteam.fleet.performance.figures import READERS
from droneteam.fleet.performance.fleetsize import SizeOutcome
from droneteam.fleet.performance.flown import Flown
from droneteam.fleet.performance.sizing import LARGEST_FLEET, MAX_SIZES, SIZES
from droneteam.fleet.performance.yearly import FIRST_YEAR, LAST_YEAR, YearFigures
from droneteam.reports import yearly
from droneteam.web.access import allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, now, reading
from droneteam.web.i18n import language
from droneteam.web.views.statistics import report_file

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_CSV: Any = {200: {"description": "UTF-8 with its mark.", "content": {"text/csv": _BYTES}}}
_PDF: Any = {200: {"description": "PDF/UA-1.", "content": {"application/pdf": _BYTES}}}

bp = APIBlueprint("api_figures", __name__, url_prefix="/api/v1/figures", tag="figures")


class YearIn(Schema):
    """A local year."""

    year = fields.Integer(load_default=None, validate=Range(FIRST_YEAR, LAST_YEAR))


class ReportIn(YearIn):
    """A local year, and the report's language."""

    language = fields.String(load_default=None, validate=OneOf(yearly.LANGUAGES))


class SizesIn(YearIn):
    """A local year, and the sizes of the fleet."""

    drones = fields.List(
        fields.Integer(validate=Range(1, LARGEST_FLEET)),
        load_default=list,
        validate=Length(max=MAX_SIZES),
        metadata={"description": f"Repeat it for each size; {SIZES} by default."},
    )


def _year(query: dict[str, Any]) -> int:
    """The asked year; the latest with records by default."""
    if query["year"] is not None:
        return int(query["year"])
    with reading() as session:
        return service.recorded_years(session, actor(), now())[0]


@bp.get("")
@allow(*READERS)
@bp.input(YearIn, location="query", arg_name="query")
@bp.output(schema_of(YearFigures))
@bp.doc(summary="A year's figures, recomputed from its immutable events")
def figures(query: dict[str, Any]) -> Any:
    """Requests, missions, sorties and flights are counted apart; every share has its n."""
    with reading() as session:
        return service.yearly_figures(session, actor(), _year(query), now())


@bp.get("/places")
@allow(*READERS)
@bp.input(YearIn, location="query", arg_name="query")
@bp.output(schema_of(Flown))
@bp.doc(summary="Where the team flew in a year")
def places(query: dict[str, Any]) -> Any:
    """By request, the earliest first take-off first."""
    year = _year(query)
    with reading() as session:
        return service.flown_places(session, actor(), year)


@bp.get("/report.csv")
@allow(*READERS)
@bp.input(ReportIn, location="query", arg_name="query")
@bp.doc(summary="The yearly report's tables as CSV", responses=_CSV)
def csv(query: dict[str, Any]) -> Response:
    """In the asked language, else that of the caller."""
    return report_file(_year(query), "csv", query["language"] or language())


@bp.get("/report.pdf")
@allow(*READERS)
@bp.input(ReportIn, location="query", arg_name="query")
@bp.doc(summary="The yearly report as PDF", responses=_PDF)
def pdf(query: dict[str, Any]) -> Response:
    """In the asked language, else that of the caller."""
    return report_file(_year(query), "pdf", query["language"] or language())


@bp.get("/sizes")
@allow(*READERS)
@bp.input(SizesIn, location="query", arg_name="query")
@bp.output(page_of(SizeOutcome))
@bp.doc(summary="The year replayed with fleets of other sizes")
def sizes(query: dict[str, Any]) -> Any:
    """Read the differences between the rows."""
    asked = query["drones"] or list(SIZES)
    year = _year(query)
    with reading() as session:
        return {"items": service.simulate_year(session, actor(), year, now(), asked)}
