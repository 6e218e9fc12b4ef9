"""The planning form's part for missions that are no survey: its fields, defaults and reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_babel import gettext as _

from droneteam.errors import InputError
from droneteam.missions.planner.heights import HeightKind
from droneteam.missions.planner.task_params import (
    CorridorParams,
    FacadeParams,
    FreeParams,
    OverwatchParams,
    SearchParams,
    TaskParams,
)
from droneteam.web.chance_form import CHANCE_DEFAULTS, chance_field_names, read_chances
from droneteam.web.forms import FormReader
from droneteam.web.refusals import said

SURVEY = "survey"
PLACES_NEEDED = {
    SURVEY: 3,
    "corridor": 2,
    "facade": 2,
    "expanding_square": 1,
    "sector": 1,
    "parallel_track": 3,
    "overwatch": 1,
    "free": 1,
}
"""Patterns that can be asked for, and how many places each needs at least."""

DEFAULTS: dict[str, Any] = {
    "width_m": "12",
    "bottom_m": "3",
    "top_m": "10",
    "radius_m": "150",
    "sigma_m": "75",
    "turns": "1",
    "max_minutes": "",
    **CHANCE_DEFAULTS,
    "target": "",
    "alt_home_m": "60",
    "height_kind": "home",
    "stay_s": "300",
    "photo": False,
}


def read_task(form: FormReader, pattern: str, common: dict[str, Any]) -> TaskParams | None:
    """The parameters of a pattern; None when a problem was noted.

    common : gsd_m, forward_overlap, side_overlap and speed_mps as the survey's part read them.
    """
    readers: dict[str, Callable[[FormReader, dict[str, Any]], TaskParams]] = {
        "corridor": _corridor,
        "facade": _facade,
        "overwatch": _overwatch,
        "free": _free,
    }
    try:
        if pattern in readers:
            return readers[pattern](form, common)
        return _search(form, pattern, common)
    except InputError as error:
        form.fail(error.field or "pattern", said(error))
        return None


def _corridor(form: FormReader, common: dict[str, Any]) -> TaskParams:
    return CorridorParams(width_m=form.number("width_m", 1.0, 500.0, fallback=12.0), **common)


def _facade(form: FormReader, common: dict[str, Any]) -> TaskParams:
    bottom_m = form.number("bottom_m", 2.0, 120.0, fallback=3.0)
    top_m = form.number("top_m", 2.0, 120.0, fallback=10.0)
    slow = min(5.0, common["speed_mps"])
    return FacadeParams(bottom_m=bottom_m, top_m=top_m, **{**common, "speed_mps": slow})


def _search(form: FormReader, pattern: str, common: dict[str, Any]) -> TaskParams:
    return SearchParams(
        pattern=pattern,  # type: ignore[arg-type]
        chances=read_chances(form, starts_at_a_place=pattern != "parallel_track"),
        max_minutes=form.optional_number("max_minutes", 1.0, 600.0),
        gsd_m=common["gsd_m"],
        speed_mps=common["speed_mps"],
        radius_m=form.number("radius_m", 10.0, 5000.0, fallback=150.0),
        sigma_m=form.number("sigma_m", 1.0, 5000.0, fallback=75.0),
        turns=int(form.number("turns", 1.0, 10.0, fallback=1.0)),
    )


def _overwatch(form: FormReader, common: dict[str, Any]) -> TaskParams:
    target = form.polygon("target", at_least=1)
    if len(target) != 1:
        form.fail("target", _("Write the one place to look at: latitude, longitude."))
    kind, height_m = _height(form)
    return OverwatchParams(
        target=target[0] if target else (0.0, 0.0),
        **{kind: height_m},
        stay_s=int(form.number("stay_s", 1.0, 3600.0, fallback=300.0)),
        speed_mps=common["speed_mps"],
    )


def _free(form: FormReader, common: dict[str, Any]) -> TaskParams:
    kind, heights = _heights(form)
    typed: dict[str, Any] = {kind: heights}
    return FreeParams(
        **typed,
        stay_s=int(form.number("stay_s", 0.0, 3600.0, fallback=0.0)),
        photo=form.flag("photo"),
        speed_mps=common["speed_mps"],
    )


def _height(form: FormReader) -> tuple[str, float]:
    """The parameter that names what the height is measured from, and the height."""
    kind, low, high = _height_range(form)
    return f"alt_{kind.value}_m", form.number("alt_home_m", low, high, fallback=60.0)


def _heights(form: FormReader) -> tuple[str, tuple[float, ...]]:
    """The same with one height for all places, or one each, divided by spaces."""
    kind, low, high = _height_range(form)
    parts = form.raw("alt_home_m").replace(";", " ").split() or ["60"]
    each = [FormReader({"alt_home_m": part}) for part in parts]
    found = tuple(one.number("alt_home_m", low, high) for one in each)
    for number, one in enumerate(each, start=1):
        if one.problems:
            said = one.problems["alt_home_m"]
            form.fail("alt_home_m", said if len(each) == 1 else f"{number}: {said}")
            break
    return f"alt_{kind.value}_m", found


def _height_range(form: FormReader) -> tuple[HeightKind, float, float]:
    kind = HeightKind(form.choice("height_kind", list(HeightKind), fallback=HeightKind.HOME))
    low, high = (-100.0, 6000.0) if kind is HeightKind.AMSL else (5.0, 120.0)
    return kind, low, high


def task_field_names() -> dict[str, str]:
    """The fields as the form labels them."""
    return {
        "pattern": _("Pattern"),
        "width_m": _("Width of the corridor (m)"),
        "bottom_m": _("Lowest photo above the foot of the wall (m)"),
        "top_m": _("Highest photo above the foot of the wall (m)"),
        "radius_m": _("Radius of the search (m)"),
        "sigma_m": _("How far the person may have moved (standard deviation, m)"),
        "turns": _("Sets of three sectors"),
        "max_minutes": _("At most this many minutes in the air"),
        **chance_field_names(),
        "target": _("What is watched: latitude, longitude"),
        "alt_home_m": _("Height (m)"),
        "height_kind": _("Height measured from"),
        "stay_s": _("Time at each place (s)"),
    }
