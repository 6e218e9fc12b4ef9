"""Webhooks: which addresses are told what happened, and how that goes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from droneteam import webhooks
from droneteam.errors import InputError
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.refusals import said
from droneteam.web.words import named

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")

ADMINISTRATORS = ("administrator",)

TOPICS: dict[str, object] = {
    "request": _l("Requests: sent, assessed, booked, escalated, refused, cancelled, done"),
    "plan": _l("Plans: made, published, put aside, overridden"),
    "mission": _l("Missions: planned, approved, signed, flown, cancelled"),
    "sortie": _l("Flights: recorded, with their logs"),
    "scene": _l("Scenes: photos in, built, measured"),
    "alert": _l("Alerts of the sky: acknowledged, escalated"),
    "drone": _l("Drones: grounded, released, serviced"),
    "escalation": _l("Escalations of the clocks: seen by a coordinator"),
}
"""What each of the topics tells of."""
topic_name = named(TOPICS)


@bp.get("/")
@allow(*ADMINISTRATORS)
def index() -> str:
    """Every webhook with its state, and the form for another."""
    return _page()


def _page(secret: str = "", problems: dict[str, str] | None = None) -> str:
    with reading() as session:
        found = webhooks.list_webhooks(session, actor(), now())
    return render_template(
        "webhooks.html",
        webhooks=found,
        actions=[(code, topic_name(code)) for code in webhooks.ACTIONS],
        topic_name=topic_name,
        secret=secret,
        problems=problems or {},
        values={} if secret else request.form,
    )


@bp.post("/")
@allow(*ADMINISTRATORS)
def add() -> Any:
    """The page with the secret of the new webhook, which is shown this once."""
    form = FormReader(request.form)
    name = form.text("name", required=True, max_length=120)
    url = form.text("url", required=True, max_length=500)
    actions = [one for one in webhooks.ACTIONS if form.flag(f"action_{one}")]
    if not actions:
        form.fail("actions", _("Choose at least one."))
    if form.problems:
        return _page(problems=form.problems), 422
    key = context().settings.secret_key
    try:
        with writing() as session:
            _view, secret = webhooks.add_webhook(session, actor(), name, url, actions, key, now())
    except InputError as error:
        return _page(problems={error.field or "url": said(error)}), 422
    return _page(secret)


@bp.post("/<id:webhook_id>/test")
@allow(*ADMINISTRATORS)
def test(webhook_id: int) -> Response:
    """A test message is on its way."""
    with writing() as session:
        webhooks.send_test(session, actor(), webhook_id, now())
    return _back(_("The test is sent within seconds; look here for how it went."))


@bp.post("/<id:webhook_id>/resume")
@allow(*ADMINISTRATORS)
def resume(webhook_id: int) -> Response:
    """Tried again at once."""
    with writing() as session:
        webhooks.resume_webhook(session, actor(), webhook_id, now())
    return _back(_("It is tried again at once."))


@bp.post("/<id:webhook_id>/end")
@allow(*ADMINISTRATORS)
def end(webhook_id: int) -> Response:
    """Told of nothing any more."""
    with writing() as session:
        webhooks.end_webhook(session, actor(), webhook_id, now())
    return _back(_("Its address is told of nothing any more."))


def _back(text: str) -> Response:
    flash(text, "done")
    return redirect(url_for("webhooks.index"))
