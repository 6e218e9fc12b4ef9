"""The yearly report as a page, PDF and CSV, and fleets of other sizes."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response, render_template, request

from droneteam.fleet import service
from droneteam.fleet.performance.figures import READERS
from droneteam.fleet.performance.sizing import SIZES
from droneteam.fleet.performance.statistics import SMALL_N, Share
from droneteam.fleet.performance.yearly import YearFigures
from droneteam.reports import yearly
from droneteam.web.access import allow
from droneteam.web.charts import Bars, Shares, bars, shares
from droneteam.web.context import actor, now, reading
from droneteam.web.i18n import language

bp = Blueprint("statistics", __name__, url_prefix="/statistics")


@bp.get("/")
@allow(*READERS)
def index() -> str:
    """This year's report so far."""
    with reading() as session:
        years = service.recorded_years(session, actor(), now())
    return year(years[0])


@bp.get("/<int:year>")
@allow(*READERS)
def year(year: int) -> str:
    """One year's report."""
    figures, parts = _report(year, language())
    with reading() as session:
        years = service.recorded_years(session, actor(), now())
        names = service.organisation_names(session, language())
    return render_template(
        "statistics.html",
        figures=figures,
        title=yearly.title(figures, language()),
        parts=parts,
        years=years,
        pictures=pictures(figures, names),
    )


@bp.get("/<int:year>/report.pdf")
@allow(*READERS)
def pdf(year: int) -> Response:
    """The report as an accessible PDF."""
    return report_file(year, "pdf", language())


@bp.get("/<int:year>/report.csv")
@allow(*READERS)
def csv(year: int) -> Response:
    """The report's tables as CSV."""
    return report_file(year, "csv", language())


def report_file(year: int, kind: Literal["pdf", "csv"], language: str) -> Response:
    """The year's report in the language, for a download."""
    figures, parts = _report(year, language)
    if kind == "pdf":
        made = yearly.yearly_pdf(figures, parts, now(), language)
        return _file(made, "application/pdf", f"droneteam-{year}.pdf")
    text = yearly.yearly_csv(figures, parts, language)
    return _file(text.encode("utf-8-sig"), "text/csv", f"droneteam-{year}.csv")


@bp.get("/<int:year>/sizes")
@allow(*READERS)
def sizes(year: int) -> str:
    """The year replayed with fleets of other sizes."""
    asked = request.args.getlist("drones", type=int) or list(SIZES)
    with reading() as session:
        found = service.simulate_year(session, actor(), year, now(), asked)
    return render_template("sizes.html", year=year, outcomes=found)


def _report(year: int, language: str) -> tuple[YearFigures, tuple[yearly.Section, ...]]:
    with reading() as session:
        figures = service.yearly_figures(session, actor(), year, now())
        names = service.organisation_names(session, language)
    return figures, yearly.sections(figures, names, language)


def _file(content: bytes, media_type: str, name: str) -> Response:
    answer = Response(content, mimetype=media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def pictures(figures: YearFigures, names: dict[int, str]) -> dict[str, Bars | Shares]:
    """The report's pictures by the section whose table holds the same."""
    on_scene = [row for row in figures.clocks if row.clock == "on_scene" and row.kept.n]
    zones, there = figures.zones, yearly.words(language())["on_scene"]
    return {
        "months": bars(
            list(
                zip(
                    yearly.month_names(language(), "abbreviated"),
                    figures.missions_by_month,
                    strict=True,
                )
            )
        ),
        "clocks": shares(
            [(f"{row.priority} · {there}", row.kept) for row in on_scene],
            [_share(row.kept) for row in on_scene],
        ),
        "zones": shares(
            [(names.get(row.organisation_id, ""), row.fulfilment.adjusted) for row in zones],
            [_share(row.fulfilment.adjusted) for row in zones],
        ),
    }


def _share(share: Share) -> str:
    """The share and its cases, marked where they are few."""
    if share.value is None:
        return "–"
    mark = "*" if share.n < SMALL_N else ""
    return f"{yearly.percent(share.value, language())} ({share.hits}/{share.n}){mark}"
