"""Alerts of the detection: what was seen, what proves it, and who has seen it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from babel.numbers import format_decimal
from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from droneteam.detection import service
from droneteam.web import timefmt
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.words import FACTS, fact_code

bp = Blueprint("alerts", __name__, url_prefix="/alerts")

ACKNOWLEDGERS = ("pilot", "coordinator", "administrator")
TIMES = ("since", "last_heard")


@bp.get("/")
@allow(*service.VIEWERS)
def index() -> str:
    """Alerts, the newest first."""
    with reading() as session:
        alerts = service.list_alerts(session, actor())
    return render_template(
        "alerts.html", alerts=alerts, may_acknowledge=actor().has_role(*ACKNOWLEDGERS)
    )


@bp.get("/<id:alert_id>")
@allow(*service.VIEWERS)
def show(alert_id: int) -> str:
    """One alert with the track's way and the payloads that prove it."""
    me = actor()
    with reading() as session:
        alert = service.get_alert(session, me, alert_id)
        way = service.track_way(session, me, alert.track_id) if alert.track_id else []
        proof = me.has_role(*service.SEES_OPERATORS)
        messages = service.alert_messages(session, me, alert_id) if proof else []
    return render_template(
        "alert.html",
        alert=alert,
        facts=[(name, fact_text(name, alert.facts[name])) for name in _ordered(alert.facts)],
        way=way,
        messages=messages,
        may_acknowledge=me.has_role(*ACKNOWLEDGERS) and alert.acknowledged_at is None,
    )


def _ordered(facts: Mapping[str, object]) -> list[str]:
    """The names of the facts that say something, in the order of the words."""
    known = [name for name in FACTS if name in facts]
    rest = sorted(facts.keys() - FACTS.keys())
    return [name for name in (*known, *rest) if facts[name] not in (None, "")]


def fact_text(name: str, value: object) -> str:
    """A fact as a person reads it: a local time, a number with the digits that count, a word."""
    if name in TIMES:
        return timefmt.local_clock(datetime.fromisoformat(str(value)))
    if isinstance(value, int | float):
        return format_decimal(value, format="#,##0.##", locale=get_locale())
    return fact_code(value)


@bp.post("/<id:alert_id>/acknowledge")
@allow(*ACKNOWLEDGERS)
def acknowledge(alert_id: int) -> Response:
    """Seen by a person; the first one's name is kept."""
    with writing() as session:
        alert = service.acknowledge_alert(session, actor(), alert_id, now())
    flash(_("Acknowledged by %(who)s.", who=alert.acknowledged_by), "done")
    return redirect(url_for("alerts.show", alert_id=alert_id))
