"""Personal data of the sky: how long it is kept, what was erased, who looked at operators."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from droneteam import audit
from droneteam.detection import retention
from droneteam.web import looks
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.forms import FormReader

bp = Blueprint("privacy", __name__, url_prefix="/privacy")

SHOWN = 200


@bp.get("/")
@allow(*retention.READERS)
def show() -> str:
    """Settings, erasures and looks."""
    return _page({}, {})


@bp.post("/")
@allow("administrator")
def keep() -> Response | tuple[str, int]:
    """How long each kind is kept from now on."""
    form = FormReader(request.form)
    hours = {
        kind: form.number(
            kind, retention.LEAST / retention.HOUR, rule.most / retention.HOUR, fallback=None
        )
        for kind, rule in retention.KINDS.items()
    }
    if form.problems:
        return _page(dict(request.form), form.problems), 422
    kept = retention.Retention(**{kind: timedelta(hours=value) for kind, value in hours.items()})
    with writing() as session:
        retention.set_retention(session, actor(), kept, now())
    flash(_("Kept. What is past its time goes with the next erasing."), "done")
    return redirect(url_for("privacy.show"))


def _page(values: dict[str, str], problems: dict[str, str]) -> str:
    with reading() as session:
        rules = retention.list_rules(session, actor())
        erased = audit.entries(session, action="detection.erase", limit=20)
        looked = audit.entries(session, action=looks.ACTION, limit=SHOWN)
    hours = {kind: f"{rule.keep / retention.HOUR:g}" for kind, rule in rules.items()}
    return render_template(
        "privacy.html",
        kinds=retention.KINDS,
        values=values or hours,
        problems=problems,
        rules=rules,
        erased=erased,
        looked=looked,
        hour=retention.HOUR,
        least=retention.LEAST / retention.HOUR,
        may_set=actor().has_role("administrator"),
    )
