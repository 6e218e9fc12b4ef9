"""The crew's page of a mission: everything that is needed beside the drone, also without network.

The page is complete without scripts.  With them it is kept on the device together with the map,
the files and the mission's own page (`frontend/src/sw.ts`), and what is written down waits there
until the server has it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as BaseResponse

from droneteam.errors import NotFound
from droneteam.fleet import service as fleet
from droneteam.missions import service
from droneteam.missions.fieldlog import CHECKS, TIMES, FieldEntry, FieldKind, FieldLog, NewEntry
from droneteam.missions.views import MissionView
from droneteam.web.access import allow, public
from droneteam.web.assets import DIST, island
from droneteam.web.chance_form import chance_rows, growth_chart
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.field_words import FIELD_CHECKS, FIELD_KINDS, FIELD_TIMES
from droneteam.web.forms import FormReader
from droneteam.web.mission_files import PACK_WRITERS, WRITERS
from droneteam.web.mission_map import map_data, waypoints
from droneteam.web.timefmt import iso
from droneteam.web.views.missions import PLANNERS, READERS

bp = Blueprint("field", __name__)


@bp.get("/sw.js")
@public
def worker() -> Response:
    """The script that answers for kept pages; from the root, so that it may answer for all."""
    built = island("sw")
    if built is None:
        raise NotFound("service worker", "sw")
    path = DIST / built.script.removeprefix("/static/dist/")
    response = Response(path.read_bytes(), mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    return response


@bp.get("/missions/<id:mission_id>/field")
@allow(*READERS)
def show(mission_id: int) -> str:
    """Checks, times, defects and notes of one mission, with its map."""
    return _page(mission_id, {})


@bp.get("/missions/<id:mission_id>/field/log.json")
@allow(*READERS)
def log(mission_id: int) -> Response:
    """What everybody wrote down, and the token that sending takes; for a page from the device."""
    with reading() as session:
        found = service.field_log(session, actor(), mission_id)
    answer = jsonify(log=plain(found), csrf=generate_csrf(), user=actor().user_id)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/missions/<id:mission_id>/field")
@allow(*PLANNERS)
def write(mission_id: int) -> Any:
    """Written down, without scripts; the key in the form makes a second click harmless."""
    form = FormReader(request.form)
    kind = form.choice("kind", [one.value for one in FieldKind], fallback="note")
    value = form.text("value", max_length=2_000)
    if kind in ("defect", "note") and not value:
        form.fail(f"{kind}-text", _("Fill this in."))
    if kind == "time" and value == "now":
        value = iso(now())
    if form.problems:
        return _page(mission_id, form.problems), 422
    entry = NewEntry(
        key=form.raw("key"),
        kind=FieldKind(kind),
        item=form.raw("item"),
        value=value,
        at=now(),
        base=form.raw("base")[:36],
    )
    with writing() as session:
        service.record_entries(session, actor(), mission_id, [entry], now())
    return _back(mission_id)


def plain(log: FieldLog) -> dict[str, Any]:
    """The log for JSON."""
    return {
        "entries": [_plain(one) for one in log.entries],
        "current": [_plain(one) for one in log.current],
        "differences": [
            {**asdict(one), "holds": _plain(one.holds), "other": _plain(one.other)}
            for one in log.differences
        ],
    }


def _plain(entry: FieldEntry) -> dict[str, Any]:
    return {**asdict(entry), "at": iso(entry.at), "received_at": iso(entry.received_at)}


def _page(mission_id: int, problems: Mapping[str, str]) -> str:
    me = actor()
    with reading() as session:
        mission = service.get_mission(session, me, mission_id)
        asked = fleet.get_request(session, me, mission.request_id, now())
        found = service.field_log(session, me, mission_id)
        zones = service.stored_geozones(session)
    packs = _pack_files(mission)
    return render_template(
        "field.html",
        mission=mission,
        asked=asked,
        log=found,
        current={(one.kind, one.item): one for one in found.current},
        checks=CHECKS,
        times=TIMES,
        waypoints=waypoints(mission.plan),
        formats=list(WRITERS),
        packs=packs,
        growth=growth_chart(mission.plan.search),
        chance_rows=chance_rows(mission.plan.search.regions) if mission.plan.search else [],
        may_write=me.has_role(*PLANNERS),
        problems=problems,
        new_key=lambda: str(uuid.uuid4()),
        map_data=map_data(mission, zones),
        island_data=_island_data(mission_id, found, packs),
    )


def _pack_files(mission: MissionView) -> list[list[tuple[str, str]]]:
    """For each battery pack after a swap: the kinds of its files and where they are.

    Empty where one pack flies it all.
    """
    if len(mission.plan.parts) < 2:
        return []
    return [
        [
            (kind, url_for("missions.download_pack", mission_id=mission.id, number=n, kind=kind))
            for kind in PACK_WRITERS
        ]
        for n in range(1, len(mission.plan.parts) + 1)
    ]


def _island_data(
    mission_id: int, found: FieldLog, packs: list[list[tuple[str, str]]]
) -> dict[str, Any]:
    words = {code: str(text) for code, text in (FIELD_CHECKS | FIELD_TIMES | FIELD_KINDS).items()}
    here = url_for("field.show", mission_id=mission_id)
    files = [url_for("missions.download", mission_id=mission_id, kind=kind) for kind in WRITERS]
    return {
        "mission": mission_id,
        "user": actor().user_id,
        "timeZone": context().settings.time_zone,
        "mayWrite": actor().has_role(*PLANNERS),
        "log": plain(found),
        "logUrl": url_for("field.log", mission_id=mission_id),
        "sendUrl": url_for("api_field.record", mission_id=mission_id),
        "signInUrl": url_for("account.sign_in_form", next=here),
        "worker": url_for("field.worker"),
        "pack": [
            here,
            url_for("missions.show", mission_id=mission_id),
            url_for("static", filename="basemap.geojson"),
        ],
        "files": [*files, *(address for pack in packs for _kind, address in pack)],
        "words": words | {"yes": _("yes"), "no": _("no")},
        "texts": {
            "kept": _("Kept on this device at {time}: the page works without network."),
            "keeping": _("Being kept on this device …"),
            "notKept": _("This browser cannot keep the page: without network it will not open."),
            "sent": _("Everything is with the server."),
            "waitingOne": _("One entry waits on this device for the network."),
            "waiting": _("{n} entries wait on this device for the network."),
            "signIn": _("Sign in again to send what waits; nothing is lost."),
            "refused": _("The server refused an entry, which stays here: {why}"),
            "waits": _("waits"),
            "behind": _("differs"),
            "difference": _("{item}: {by} wrote {holds}, you wrote {other}. Which one holds?"),
            "mine": _("Mine: {value}"),
            "theirs": _("Theirs: {value}"),
            "takenBack": _("taken back"),
            "fill": _("Fill this in."),
            "noRoom": _("This device has no room to keep it: {why}"),
            "signInLink": _("Sign in"),
            "missing": _("Not in these formats, which cannot hold it: {names}."),
            "away": _("No network"),
            "awayText": _("This page needs the network. These are kept on this device:"),
        },
    }


def _back(mission_id: int) -> BaseResponse:
    return redirect(url_for("field.show", mission_id=mission_id) + "#log")
