"""What other packages may ask of the missions: plan, approve, look up, fly, announce.

Services take the session and the actor first and never commit; `fly_missions` is the exception
that proves the rule: it opens its own short transactions, because a flight outlives any.
"""

from __future__ import annotations

from droneteam.missions.airspace.rules import Finding
from droneteam.missions.fieldlog import (
    FieldEntry,
    FieldKind,
    FieldLog,
    NewEntry,
    field_log,
    record_entries,
)
from droneteam.missions.flight.arming import Clearance, clearance, sign_arming
from droneteam.missions.flight.asks import ask_flight, flight_asks, may_ask
from droneteam.missions.flight.checklist import CheckBar, CheckFault, ChecklistUnmet
from droneteam.missions.flight.flying import MissionLink, fly_mission, fly_missions
from droneteam.missions.flight.intruders import Intruder
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.neighbours import Meeting, air_meetings
from droneteam.missions.flight.outcomes import FlightRecord
from droneteam.missions.flight.pilot import WISHES
from droneteam.missions.flight.reserve import headwind_mps, speed_home_mps
from droneteam.missions.flight.standing import turns
from droneteam.missions.flight.turns import TurnBar
from droneteam.missions.lines import mission_lines, planned_assignments
from droneteam.missions.onboardlogs import fetch_onboard_log
from droneteam.missions.planner.plan import MissionPlan, SurveyParams
from droneteam.missions.planning import (
    OVERRIDERS,
    approve_mission,
    approved_by_this_form,
    cancel_mission,
    get_mission,
    list_missions,
    plan_mission,
    planned_for,
    preview_mission,
)
from droneteam.missions.playback import sortie_log, sortie_replay, sortie_report, sortie_track
from droneteam.missions.record.replay import Replay, ReplayEvent
from droneteam.missions.record.sortie import SortieLog, Trigger, read_sortie
from droneteam.missions.replanning import REPLACEABLE, form_of, supersede
from droneteam.missions.rivals import PlannedMeanwhile
from droneteam.missions.sorties import (
    get_sortie,
    list_registered_flights,
    list_sorties,
    live_states,
    own_uas_ids,
    record_sortie,
    register_flight,
    sorties_of,
    update_live_states,
)
from droneteam.missions.terrains import TerrainView, add_terrain, list_terrains, terrain_file
from droneteam.missions.views import (
    ChecklistItem,
    MissionPreview,
    MissionSpec,
    MissionState,
    MissionView,
    OnboardLogView,
    RegisteredFlight,
    SortieView,
)
from droneteam.missions.zonestore import (
    StoredZone,
    list_zones,
    load_geozones,
    publish_zones,
    stored_geozones,
    withdraw_zone,
)

__all__ = [
    "OVERRIDERS",
    "REPLACEABLE",
    "WISHES",
    "CheckBar",
    "CheckFault",
    "ChecklistItem",
    "ChecklistUnmet",
    "Clearance",
    "FieldEntry",
    "FieldKind",
    "FieldLog",
    "Finding",
    "FlightRecord",
    "Intruder",
    "LiveState",
    "Meeting",
    "MissionLink",
    "MissionPlan",
    "MissionPreview",
    "MissionSpec",
    "MissionState",
    "MissionView",
    "NewEntry",
    "OnboardLogView",
    "PlannedMeanwhile",
    "RegisteredFlight",
    "Replay",
    "ReplayEvent",
    "SortieLog",
    "SortieView",
    "StoredZone",
    "SurveyParams",
    "TerrainView",
    "Trigger",
    "TurnBar",
    "add_terrain",
    "air_meetings",
    "approve_mission",
    "approved_by_this_form",
    "ask_flight",
    "cancel_mission",
    "clearance",
    "fetch_onboard_log",
    "field_log",
    "flight_asks",
    "fly_mission",
    "fly_missions",
    "form_of",
    "get_mission",
    "get_sortie",
    "headwind_mps",
    "list_missions",
    "list_registered_flights",
    "list_sorties",
    "list_terrains",
    "list_zones",
    "live_states",
    "load_geozones",
    "may_ask",
    "mission_lines",
    "own_uas_ids",
    "plan_mission",
    "planned_assignments",
    "planned_for",
    "preview_mission",
    "publish_zones",
    "read_sortie",
    "record_entries",
    "record_sortie",
    "register_flight",
    "sign_arming",
    "sortie_log",
    "sortie_replay",
    "sortie_report",
    "sortie_track",
    "sorties_of",
    "speed_home_mps",
    "stored_geozones",
    "supersede",
    "terrain_file",
    "turns",
    "update_live_states",
    "withdraw_zone",
]
