"""A mission while it flies: its drone, what comes near, and what the pilot could do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from droneteam.detection import service as detection
from droneteam.missions import service as missions
from droneteam.missions.views import MissionView
from droneteam.web import sky
from droneteam.web.access import allow
from droneteam.web.api import flights
from droneteam.web.context import actor, context, now, reading
from droneteam.web.flight_words import HINTS, NOTICES, OUTCOMES, PHASES, WISHES
from droneteam.web.forms import FormReader
from droneteam.web.live_state import drone_row
from droneteam.web.mission_map import waypoints
from droneteam.web.views.alerts import ACKNOWLEDGERS
from droneteam.web.views.live import columns, stream_data
from droneteam.web.views.missions import PLANNERS

bp = Blueprint("mission_live", __name__, url_prefix="/missions")

READERS = ("pilot", "coordinator", "manager", "auditor", "investigator")


@bp.get("/<id:mission_id>/live")
@allow(*READERS)
def show(mission_id: int) -> str:
    """The flight and its conflicts, as of now; scripts keep them current."""
    me = actor()
    with reading() as session:
        mission = missions.get_mission(session, me, mission_id)
        may_ask = me.has_role(*PLANNERS) and missions.may_ask(session, me, mission_id)
        folder = context().settings.blob_dir("logs")
        record = missions.flight_asks(session, me, mission_id, folder, now())
        states = missions.live_states(session)
        alerts = detection.list_alerts(session, me, open_only=True)
        zones = sky.all_zones(session)
    state = next((row for row in states if row.drone_id == mission.drone_id), None)
    shown = None if state is None else drone_row(state)
    conflicts = [
        alert
        for alert in alerts
        if alert.kind == "conflict" and alert.facts.get("drone") == mission.drone_name
    ]
    return render_template(
        "mission_live.html",
        mission=mission,
        state=shown,
        attitude_label=_attitude_label(shown),
        conflicts=conflicts,
        may_acknowledge=me.has_role(*ACKNOWLEDGERS),
        may_ask=may_ask and mission.state in ("approved", "flying"),
        record=record,
        key=uuid4().hex,
        wishes=WISHES,
        hints=HINTS,
        outcome_words=OUTCOMES,
        notice_words=NOTICES,
        island_data=_island_data(mission, sky.zone_outlines(zones, now())),
    )


@bp.post("/<id:mission_id>/ask")
@allow(*PLANNERS)
def ask(mission_id: int) -> BaseResponse:
    """What the pilot wants, put to the controller; the page then says what came of it."""
    form = FormReader(request.form)
    what = form.choice("what", WISHES, fallback="")
    key = form.text("key", max_length=flights.MAX_KEY)
    if form.problems:
        flash(next(iter(form.problems.values())), "wrong")
    else:
        flights.put(mission_id, what, key)
    return redirect(url_for("mission_live.show", mission_id=mission_id))


def _island_data(mission: MissionView, zones: list[dict[str, Any]]) -> dict[str, Any]:
    home = [mission.plan.home.lat_deg, mission.plan.home.lon_deg]
    path = [[item.lat_deg, item.lon_deg] for item in waypoints(mission.plan)]
    stream = stream_data()
    return {
        **sky.common_island(),
        **stream,
        "centre": {"latDeg": home[0], "lonDeg": home[1]},
        "drone": f"drone:{mission.drone_id}",
        "droneName": mission.drone_name,
        "path": [home, *path, home],
        "zones": zones,
        "columns": flight_columns(),
        "asksUrl": url_for("api_flights.show", mission_id=mission.id),
        "home": home,
        "homeMps": missions.speed_home_mps(missions.headwind_mps(mission.plan.wind.speed_mps)),
        "wishes": _texts(WISHES),
        "outcomes": _texts(OUTCOMES),
        "notices": _texts(NOTICES),
        "words": {**sky.island_words(), **_texts(PHASES)},
        "mayAcknowledge": actor().has_role(*ACKNOWLEDGERS),
        "acknowledgeUrl": "/api/v1/alerts/",
        "texts": {
            **stream["texts"],
            "closest": _("closest in {s} s, at {m} m"),
            "proposal": _("Proposal: {what}. You decide."),
            "meeting": _("Own drones that may come too close"),
            "meets": _("closest at {time}: {m} m across, {up} m in height, {how}"),
            "none": _("No conflict."),
            "seen": _("Seen"),
            "seenBy": _("seen by {who}"),
            "replay": _("replay"),
            "again": _("Tap again: {what}"),
            "controller": _("The controller is there."),
            "noController": _("The controller is not there: fly by transmitter."),
            "unknown": _("The server does not answer: fly by transmitter until it does."),
            "notFlying": _("No controller flies this mission now; the buttons wait for one."),
            "handedOver": _("We no longer command: {why}"),
            "wayHome": _("{m} m from home, {s} s against the wind"),
            "attitude": _("Roll {roll}°, pitch {pitch}°, heading {yaw}°"),
            "noAttitude": _("The attitude is not known"),
            "batteryLow": _("Battery at {left} %, the way home begins at {need} %."),
            "linkPoor": _("Only about {share} % of the radio packets arrive."),
            "silent": _(
                "The vehicle has not been heard for {s} s or more; what stands here is older."
            ),
            "noAsk": _("nothing was asked"),
            "noNotice": _("No warning."),
            "failed": _("It was not sent: {why}"),
        },
    }


def flight_columns() -> list[dict[str, Any]]:
    """What the page says of its drone: as the live map's table, and what the controller does."""
    own = {"name": "phase", "title": _("Controller"), "format": "word"}
    shared = {one["name"]: one for one in columns()["drone"]}
    return [
        own,
        shared["mode"],
        {**shared["alt_home_m"], "title": _("Height above take-off")},
        shared["speed_mps"],
        {"name": "yaw_deg", "title": _("Heading"), "unit": "°"},
        {"name": "roll_deg", "title": _("Roll, to the right +"), "unit": "°"},
        {"name": "pitch_deg", "title": _("Pitch, nose up +"), "unit": "°"},
        shared["battery_pct"],
        {"name": "home_battery_pct", "title": _("Turns home at"), "unit": " %"},
        {"name": "home_s", "title": _("Time home"), "format": "span"},
        {"name": "link_pct", "title": _("Radio packets that arrive"), "unit": " %"},
        {"name": "silent_s", "title": _("Not heard for"), "unit": " s"},
        *(shared[name] for name in ("lat_deg", "lon_deg", "at")),
    ]


def _attitude_label(state: Mapping[str, Any] | None) -> str:
    """The horizon's text twin; the island writes the same words."""
    known = state is not None and state["roll_deg"] is not None and state["pitch_deg"] is not None
    if state is None or not known:
        return str(_("The attitude is not known"))
    values = {name: round(state[f"{name}_deg"]) for name in ("roll", "pitch", "yaw")}
    return str(_("Roll {roll}°, pitch {pitch}°, heading {yaw}°")).format(**values)


def _texts(words: Mapping[str, object]) -> dict[str, str]:
    return {code: str(text) for code, text in words.items()}
