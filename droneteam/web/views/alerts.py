"""Alerts of the detection: what was seen, what proves it, and who has seen it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from droneteam.detection import service
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading, writing

bp = Blueprint("alerts", __name__, url_prefix="/alerts")

ACKNOWLEDGERS = ("pilot", "coordinator", "administrator")


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
        way=way,
        messages=messages,
        may_acknowledge=me.has_role(*ACKNOWLEDGERS) and alert.acknowledged_at is None,
    )


@bp.post("/<id:alert_id>/acknowledge")
@allow(*ACKNOWLEDGERS)
def acknowledge(alert_id: int) -> Response:
    """Seen by a person; the first one's name is kept."""
    with writing() as session:
        alert = service.acknowledge_alert(session, actor(), alert_id, now())
    flash(_("Acknowledged by %(who)s.", who=alert.acknowledged_by), "done")
    return redirect(url_for("alerts.show", alert_id=alert_id))
