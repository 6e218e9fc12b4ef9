"""Any record as it was at any time: what it held, what changed since, who changed it and why."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request

from droneteam import versions
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading
from droneteam.web.forms import FormReader
from droneteam.web.timefmt import local

bp = Blueprint("records", __name__, url_prefix="/records")


@bp.get("/<kind>/<path:record>")
@allow(*versions.READERS)
def show(kind: str, record: str) -> str:
    """The record at a moment beside what it is now, and every change of it."""
    with reading() as session:
        known = versions.history_of(session, actor(), kind, record)
    form = FormReader(request.args)
    typed = form.optional_time("at", fallback=now())
    # A second that somebody names holds all that happened within it.
    moment = now() if typed is None else typed.replace(microsecond=999_999)
    then, today = known.at(moment), known.at(now())
    return render_template(
        "record.html",
        known=known,
        moment=moment,
        problems=form.problems,
        typed=request.args.get("at", ""),
        columns=_compared(then, today),
        existed=then is not None,
        exists=today is not None,
        changes=[(one, _texts(one.changed)) for one in reversed(known.versions)],
    )


def _compared(
    then: dict[str, Any] | None, today: dict[str, Any] | None
) -> list[tuple[str, str, str, bool]]:
    """(column, value then, value today, whether they differ) of every column ever held."""
    names = dict.fromkeys((*(then or {}), *(today or {})))
    return [
        (
            name,
            value_text((then or {}).get(name)),
            value_text((today or {}).get(name)),
            (then or {}).get(name) != (today or {}).get(name),
        )
        for name in names
    ]


def _texts(changed: dict[str, Any] | None) -> dict[str, str]:
    return {name: value_text(value) for name, value in (changed or {}).items()}


_SHOWN = 400
"""Characters of a value that a page shows; the API gives all of it."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
"""A time as a version keeps it; a page shows it as every page does, the API in UTC."""


def value_text(value: Any) -> str:
    """A value as a page shows it: its own letters, times of the place, no more than a glance."""
    if value is None:
        return "–"
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return local(datetime.fromisoformat(value), "EEE d MMM yyyy HH:mm:ss")
    whole = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}…"
