"""Calendar feeds: make one, end one, and the secret address that calendar programs read."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam import accounts
from droneteam.fleet import service
from droneteam.web.access import allow, public
from droneteam.web.context import actor, full_address, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.limiter import limiter

bp = Blueprint("calendars", __name__, url_prefix="/calendars")

MAKERS = ("requester", "pilot", "coordinator")


@bp.get("/")
@allow(*MAKERS)
def index() -> str:
    """The actor's feeds, and what can be made into one."""
    return _page("")


def _page(address: str) -> str:
    me = actor()
    with reading() as session:
        feeds = service.list_feeds(session, me)
        zones = [
            (f"zone-{view.id}", view.name(me.language))
            for view in accounts.organisations(session)
            if me.has_role("coordinator") or view.id == me.organisation_id
        ]
        team = me.has_role("pilot", "coordinator")
        drones = service.list_drones(session, me, now()) if team else []
        pilots = service.list_pilots(session, me, now()) if team else []
    choices = [
        *zones,
        *((f"drone-{row.id}", row.name) for row in drones),
        *(
            (f"pilot-{row.id}", row.name)
            for row in pilots
            if me.has_role("coordinator") or row.user_id == me.user_id
        ),
    ]
    return render_template("calendars.html", feeds=feeds, choices=choices, address=address)


@bp.post("/")
@allow(*MAKERS)
def make() -> str:
    """The page with the new feed's address, which is shown this once."""
    kind, _dash, number = FormReader(request.form).raw("of").partition("-")
    subject_id = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    with writing() as session:
        _view, token = service.make_feed(session, actor(), kind, subject_id, now())  # type: ignore[arg-type]
    return _page(full_address(url_for("calendars.read", token=token)))


@bp.post("/<id:feed_id>/end")
@allow(*MAKERS)
def end(feed_id: int) -> Any:
    """The address answers nobody any more."""
    with writing() as session:
        service.end_feed(session, actor(), feed_id, now())
    flash(_("The calendar's address is closed."), "done")
    return redirect(url_for("calendars.index"))


@bp.get("/<token>.ics")
@limiter.limit("120 per minute")
@public
def read(token: str) -> Response:
    """The calendar; whoever knows the address may read it."""
    with reading() as session:
        text = service.feed_text(session, token, now())
    answer = Response(text, mimetype="text/calendar; charset=utf-8")
    answer.headers["Cache-Control"] = "private, max-age=300"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
