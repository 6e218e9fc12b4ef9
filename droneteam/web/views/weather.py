"""What a plan must reckon with outside the team: the weather ahead, and how fast crews drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from droneteam.accounts import display_names
from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.forecasts import WRITERS
from droneteam.fleet.problem import SpeedTable
from droneteam.fleet.speeds import WRITERS as SPEED_WRITERS
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import MAX_GUST_MPS, MAX_RAIN_MM_H, Period, read_periods
from droneteam.web.access import TEAM, allow, takes_files
from droneteam.web.context import actor, now, reading
from droneteam.web.forms import FormReader
from droneteam.web.sent import NOTHING, Sent, attempt
from droneteam.web.timefmt import for_input

bp = Blueprint("weather", __name__, url_prefix="/registry")

AHEAD = timedelta(days=14)
MAX_FILE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Outlook:
    """A stretch of the weather ahead, and the models that stay on the ground in it."""

    expected: service.ExpectedView
    grounded: tuple[str, ...]


def outlook(
    expected: Sequence[service.ExpectedView], models: Sequence[service.ModelView]
) -> list[Outlook]:
    """For each stretch, which models it keeps on the ground."""
    return [
        Outlook(
            one,
            tuple(
                model.name
                for model in models
                if _beyond(one.gust_mps, model.max_gust_mps)
                or _beyond(one.rain_mm_h, model.max_rain_mm_h)
            ),
        )
        for one in expected
    ]


def _beyond(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit


@bp.get("/weather")
@allow(*TEAM)
def show() -> str:
    """The weather ahead by model, and the forecasts as they were issued."""
    return _page(NOTHING)


def _page(sent: Sent) -> str:
    me, at = actor(), now()
    with reading() as session:
        expected = service.expected_weather(session, me, at, at + AHEAD)
        models = service.list_models(session, me)
        issued = service.list_forecasts(session, me, at)
        names = display_names(session)
        conflicts = service.plan_conflicts(session, me, at)
    return render_template(
        "weather.html",
        conflicts=conflicts,
        outlook=outlook(expected, models),
        models=models,
        issued=issued[:200],
        names=names,
        may_write=me.has_role(*WRITERS),
        issued_now=for_input(at),
        sent=sent,
    )


@bp.post("/weather")
@allow(*WRITERS)
def add() -> Any:
    """One period, typed."""
    form = FormReader(request.form)
    at = now()
    source = form.text("source", required=True, max_length=60)
    issued_at = form.time("issued_at", fallback=at)
    start_at, end_at = form.time("start_at", fallback=at), form.time("end_at", fallback=at)
    gust = form.number("gust_mps", 0.0, MAX_GUST_MPS)
    rain = form.number("rain_mm_h", 0.0, MAX_RAIN_MM_H, fallback=0.0)
    if not form.problems and end_at <= start_at:
        form.fail("end_at", _("The end must be after the start."))
    if not form.problems and issued_at > at:
        form.fail("issued_at", _("This lies in the future."))
    fields = ("source", "issued_at", "start_at", "end_at", "gust_mps", "rain_mm_h")
    wrong = attempt(
        "period",
        form,
        lambda session: service.add_forecasts(
            session,
            actor(),
            [Period(source, issued_at, Window(start_at, end_at), gust, rain)],
            at,
        ),
        fields,
    )
    if wrong is not None:
        return _page(wrong), wrong.status
    flash(_("Noted. Plans and answers reckon with it from now on."), "done")
    return redirect(url_for("weather.show"))


@bp.post("/weather/file")
@allow(*WRITERS)
@takes_files(MAX_FILE_BYTES)
def bring() -> Any:
    """A forecast as CSV or JSON: whole or not at all."""
    form = FormReader(request.form)
    at = now()
    source = form.text("source", max_length=60)
    issued_at = form.optional_time("issued_at", fallback=at)
    sent = request.files.get("file")
    content = b"" if sent is None else sent.read()
    if not content:
        form.fail("file", _("Choose a file."))
    count = 0

    def change(session: Any) -> None:
        nonlocal count
        periods = read_periods(_text(content), source=source, issued_at=issued_at)
        count = len(service.add_forecasts(session, actor(), periods, at))

    wrong = attempt("file", form, change, ("source", "issued_at", "file"))
    if wrong is not None:
        return _page(wrong), wrong.status
    flash(ngettext("%(num)s period read.", "%(num)s periods read.", count), "done")
    return redirect(url_for("weather.show"))


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the file is no text in UTF-8", field="file") from None


@bp.get("/travel")
@allow(*TEAM)
def travel() -> str:
    """How fast crews drive, and since when that was reckoned with."""
    return _travel(NOTHING)


def _travel(sent: Sent) -> str:
    me, at = actor(), now()
    with reading() as session:
        tables = service.list_speeds(session, me)
        names = display_names(session)
    held = next(row for row in tables if row.effective_from is None or row.effective_from <= at)
    return render_template(
        "travel.html",
        tables=tables,
        held=held,
        bands_text="\n".join(f"{up_to:g} {kmh:g}" for up_to, kmh in held.bands),
        names=names,
        may_write=me.has_role(*SPEED_WRITERS),
        from_text=for_input(at + timedelta(minutes=1)),
        sent=sent,
    )


@bp.post("/travel")
@allow(*SPEED_WRITERS)
def set_travel() -> Any:
    """A new speed table from a time on."""
    form = FormReader(request.form)
    at = now()
    bands = _bands(form)
    detour = form.number("detour", 1.0, 5.0)
    emergency = form.number("emergency_factor", 1.0, 3.0)
    from_at = form.time("effective_from", fallback=at)
    reason = form.text("reason", required=True, max_length=500)
    wrong = attempt(
        "speeds",
        form,
        lambda session: service.set_speeds(
            session, actor(), SpeedTable(bands, detour, emergency), from_at, reason, at
        ),
        ("bands", "detour", "emergency_factor", "effective_from", "reason"),
    )
    if wrong is not None:
        return _travel(wrong), wrong.status
    flash(_("Stored. Plans drive by it from then on."), "done")
    return redirect(url_for("weather.travel"))


def _bands(form: FormReader) -> tuple[tuple[float, float], ...]:
    """(up to km, km/h) of each line."""
    found = []
    for number, line in enumerate(form.raw("bands").splitlines(), start=1):
        parts = line.replace(",", ".").split()
        try:
            up_to, kmh = map(float, parts)
        except ValueError:
            form.fail("bands", _("Line %(n)s is not “km km/h”, such as 8 26.", n=number))
            return ()
        found.append((up_to, kmh))
    if not found:
        form.fail("bands", _("Fill this in."))
    return tuple(found)
