"""Alerts of the detection: what was seen, what proves it, and who has seen it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from babel.numbers import format_decimal
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import Response as PlainResponse
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from droneteam.db import WHOLE
from droneteam.detection import proof, service
from droneteam.evidence import gather, lines
from droneteam.web import timefmt
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.kept import own_path
from droneteam.web.looking import note_looks
from droneteam.web.pieces import page_piece
from droneteam.web.routing import MAX_ID
from droneteam.web.sky_words import FACTS, SIGNS
from droneteam.web.words import fact_code

bp = Blueprint("alerts", __name__, url_prefix="/alerts")

ACKNOWLEDGERS = ("pilot", "coordinator", "administrator")
PROVERS = service.SEES_OPERATORS
TAKERS = ("coordinator", "investigator", "administrator")
"""Who sees operators, reads cases and adds to them."""
TIMES = ("since", "last_heard")


@bp.get("/")
@allow(*service.VIEWERS)
def index() -> str:
    """Alerts, the newest first."""
    with reading() as session:
        alerts, older = page_piece(lambda piece: service.list_alerts(session, actor(), piece=piece))
    return render_template(
        "alerts.html", alerts=alerts, older=older, may_acknowledge=actor().has_role(*ACKNOWLEDGERS)
    )


@bp.get("/<id:alert_id>")
@allow(*service.VIEWERS)
def show(alert_id: int) -> str:
    """One alert with the track's way and the payloads that prove it."""
    me = actor()
    with reading() as session:
        alert = service.get_alert(session, me, alert_id)
        way = service.track_way(session, me, alert.track_id) if alert.track_id else []
        proves, takes = me.has_role(*PROVERS), me.has_role(*TAKERS)
        messages = service.alert_messages(session, me, alert_id) if proves else []
        cases = lines.case_lines(session, me, WHOLE, open_only=True) if takes else []
    if messages and alert.track_id is not None:
        note_looks([alert.track_id], "alert")
    return render_template(
        "alert.html",
        alert=alert,
        may_prove=proves,
        cases=cases,
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
    if isinstance(value, Mapping):
        return sign_text(name, value)
    if name in TIMES:
        return timefmt.local_clock(datetime.fromisoformat(str(value)))
    if isinstance(value, int | float):
        return format_decimal(value, format="#,##0.##", locale=get_locale())
    return fact_code(value)


def sign_text(name: str, numbers: Mapping[str, object]) -> str:
    """What a sign of a false identity rests on, in the visitor's language."""
    sentence = "counter_back" if "backsteps" in numbers else name
    written = {key: fact_text(key, value) for key, value in numbers.items()}
    try:
        return str(SIGNS.get(sentence, "")).format(**written)
    except KeyError:  # kept by a release whose sentence had other numbers
        return written.get("said", "")


@bp.get("/<id:alert_id>/evidence.json")
@allow(*PROVERS)
def evidence(alert_id: int) -> Response:
    """The alert with the messages that caused it, as one file that can be checked."""
    with reading() as session:
        found = proof.alert_proof(session, actor(), alert_id)
    if found.track is not None:
        note_looks([found.track.id], "evidence")
    text = json.dumps(proof.plain(found), indent=2, sort_keys=True, ensure_ascii=False)
    answer = PlainResponse(text + "\n", mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="alert-{alert_id}.json"'
    return answer


@bp.post("/<id:alert_id>/case")
@allow(*TAKERS)
def take(alert_id: int) -> Response:
    """The alert's evidence in a case: from there it goes into the case's sealed bag."""
    form = FormReader(request.form)
    case_id = int(form.number("case_id", 1, MAX_ID, fallback=0))
    if case_id == 0:
        flash(_("Choose a case."), "wrong")
        return redirect(url_for("alerts.show", alert_id=alert_id))
    with writing() as session:
        item = gather.add_alert(session, actor(), case_id, alert_id, context().settings, now())
        track_id = service.get_alert(session, actor(), alert_id).track_id
    if track_id is not None:
        note_looks([track_id], "evidence")
    flash(_("Taken into the case as %(path)s.", path=item.path), "done")
    return redirect(url_for("cases.show", case_id=case_id))


@bp.post("/<id:alert_id>/acknowledge")
@allow(*ACKNOWLEDGERS)
def acknowledge(alert_id: int) -> Response:
    """Seen by a person; the first one's name is kept."""
    with writing() as session:
        alert = service.acknowledge_alert(session, actor(), alert_id, now())
    flash(_("Acknowledged by %(who)s.", who=alert.acknowledged_by), "done")
    back = request.form.get("next", "")
    return redirect(own_path(back) if back else url_for("alerts.show", alert_id=alert_id))
