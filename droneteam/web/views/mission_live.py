"""A mission while it flies: its drone, what comes near, and what the pilot could do about it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask_babel import gettext as _

from droneteam.detection import service as detection
from droneteam.missions import service as missions
from droneteam.missions.views import MissionView
from droneteam.web import sky
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading
from droneteam.web.live_state import drone_row
from droneteam.web.mission_map import waypoints
from droneteam.web.views.alerts import ACKNOWLEDGERS
from droneteam.web.views.live import columns, stream_data

bp = Blueprint("mission_live", __name__, url_prefix="/missions")

READERS = ("pilot", "coordinator", "manager", "auditor", "investigator")


@bp.get("/<id:mission_id>/live")
@allow(*READERS)
def show(mission_id: int) -> str:
    """The flight and its conflicts, as of now; scripts keep them current."""
    me = actor()
    with reading() as session:
        mission = missions.get_mission(session, me, mission_id)
        states = missions.live_states(session)
        alerts = detection.list_alerts(session, me, open_only=True)
        zones = sky.all_zones(session)
    state = next((row for row in states if row.drone_id == mission.drone_id), None)
    conflicts = [
        alert
        for alert in alerts
        if alert.kind == "conflict" and alert.facts.get("drone") == mission.drone_name
    ]
    return render_template(
        "mission_live.html",
        mission=mission,
        state=None if state is None else drone_row(state),
        conflicts=conflicts,
        may_acknowledge=me.has_role(*ACKNOWLEDGERS),
        island_data=_island_data(mission, sky.zone_outlines(zones, now())),
    )


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
        "columns": columns()["drone"],
        "mayAcknowledge": actor().has_role(*ACKNOWLEDGERS),
        "acknowledgeUrl": "/api/v1/alerts/",
        "texts": {
            **stream["texts"],
            "closest": _("closest in {s} s, at {m} m"),
            "proposal": _("Proposal: {what}. You decide."),
            "none": _("No conflict."),
            "seen": _("Seen"),
            "seenBy": _("seen by {who}"),
            "replay": _("replay"),
        },
    }
