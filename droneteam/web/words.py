"""The names of codes in the visitor's language: roles, kinds, states, stages, severities.

A code without a word here is shown as it is; a test walks the enums of the services so that
none is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from flask import Flask
from flask_babel import format_date
from flask_babel import lazy_gettext as _l

from droneteam.accounts import OrganisationView
from droneteam.web.custody import ITEM_KINDS, source_words
from droneteam.web.field_words import FIELD_CHECKS, FIELD_KINDS, FIELD_TIMES
from droneteam.web.looks import PURPOSES
from droneteam.web.registry_words import (
    ABSENCES,
    AIRSPACE,
    CAPABILITIES,
    CREDENTIALS,
    MAINTENANCE,
    TOLD,
    VERDICTS,
)
from droneteam.web.sky_words import (
    ADVICE,
    ALERT_KINDS,
    BANDS,
    CONFORMANCE,
    EVIDENCE,
    FACT_CODES,
    FACTS,
    KEPT_KINDS,
    MATCHES,
    RECEIVER_STATES,
    RESTRICTIONS,
)
from droneteam.web.states import readiness, scene_state, tone

_Words = dict[str, object]

ROLES: _Words = {
    "requester": _l("requester of a zone"),
    "coordinator": _l("coordinator"),
    "pilot": _l("pilot"),
    "investigator": _l("investigator"),
    "manager": _l("manager"),
    "auditor": _l("auditor"),
    "administrator": _l("administrator"),
}

KINDS: _Words = {
    "event": _l("event"),
    "demonstration": _l("demonstration"),
    "search": _l("search for a person"),
    "photogrammetry": _l("photogrammetry of a scene"),
    "reconnaissance": _l("reconnaissance"),
    "plantation": _l("search for a plantation"),
    "training": _l("training"),
}

PRIORITIES: _Words = {
    "P0": _l("P0: a life is in danger"),
    "P1": _l("P1: urgent, a scene that cannot wait"),
    "P2": _l("P2: important, on a fixed time"),
    "P3": _l("P3: planned"),
    "P4": _l("P4: training and routine"),
}

REQUEST_STATES: _Words = {
    "draft": _l("draft"),
    "submitted": _l("submitted"),
    "acknowledged": _l("received"),
    "triaged": _l("assessed"),
    "planned": _l("planned"),
    "waitlisted": _l("on the waiting list"),
    "refused": _l("refused"),
    "confirmed": _l("confirmed"),
    "displaced": _l("taken out of the plan"),
    "in_progress": _l("in progress"),
    "fulfilled": _l("done"),
    "partly": _l("partly done"),
    "cancelled": _l("cancelled"),
    "expired": _l("expired"),
}

CANCEL_REASONS: _Words = {
    "requester_withdrew": _l("withdrawn by the requester"),
    "event_cancelled": _l("the event does not take place"),
    "weather": _l("weather"),
    "airspace_refused": _l("the airspace was refused"),
    "team_unavailable": _l("the team is not available"),
}

EXCLUSIONS: _Words = {
    "weather": _l("weather"),
    "airspace_refused": _l("the airspace was refused"),
    "scene_unsafe": _l("the scene is not safe"),
}

CLOCKS: _Words = {
    "acknowledge": _l("Acknowledgement"),
    "decision": _l("Decision"),
    "on_scene": _l("On scene"),
}

PAYLOADS: _Words = {
    "": _l("as the team decides"),
    "rgb": _l("colour camera"),
    "thermal": _l("thermal camera"),
    "zoom": _l("zoom camera"),
}

MISSION_STATES: _Words = {
    "draft": _l("draft"),
    "approved": _l("approved"),
    "flying": _l("flying"),
    "flown": _l("flown"),
    "failed": _l("failed"),
    "cancelled": _l("cancelled"),
}

PATTERNS: _Words = {
    "survey": _l("survey of an area"),
    "corridor": _l("corridor along a road"),
    "facade": _l("façade"),
    "expanding_square": _l("search, expanding square"),
    "sector": _l("search by sectors"),
    "parallel_track": _l("search by parallel tracks"),
    "overwatch": _l("overwatch"),
    "free": _l("free waypoints"),
}

LEFT_OUT: _Words = {
    "fence": _l("The file's fence is not taken: the plan gets its own."),
    "rally": _l(
        "The file's rally points are not taken: the way home is checked as a straight line."
    ),
    "ellipsoid": _l("The file's heights are above the ellipsoid and are not taken."),
    "intervals": _l("The file's photos by time or distance are not taken."),
    "curves": _l("The file's curves are not taken: the drone flies to each corner."),
    "aim": _l("The file's point of interest is not taken: set where the camera looks."),
    "commands": _l("The file's camera and other commands are not taken, its places are."),
}

LOST_PERSONS: _Words = {
    "dementia_town": _l("dementia, in town"),
    "dementia_flat": _l("dementia, flat country"),
    "despondent_town": _l("despondent, in town"),
    "despondent_flat": _l("despondent, flat country"),
    "child_1_3_town": _l("child of 1 to 3, in town"),
    "child_1_3_flat": _l("child of 1 to 3, flat country"),
    "child_4_6_town": _l("child of 4 to 6, in town"),
    "child_4_6_flat": _l("child of 4 to 6, flat country"),
    "child_7_9_town": _l("child of 7 to 9, in town"),
    "child_7_9_flat": _l("child of 7 to 9, flat country"),
    "hiker_flat": _l("hiker, flat country"),
}

TERRAIN_KINDS: _Words = {
    "dsm": _l("surface with buildings and trees"),
    "dtm": _l("bare ground"),
}

DATUMS: _Words = {
    "geoid": _l("mean sea level"),
    "taw": _l("TAW (second general levelling)"),
    "ellipsoid": _l("WGS84 ellipsoid"),
    "unknown": _l("unknown"),
}

HEIGHT_KINDS: _Words = {
    "home": _l("the take-off point"),
    "agl": _l("the ground below (needs a terrain)"),
    "amsl": _l("sea level"),
}

BUFFER_RULES: _Words = {
    "one_to_one": _l("as wide as the flight is high (1:1)"),
    "ballistic": _l("as far as a falling drone flies"),
    "larger": _l("the larger of both"),
}

SEPARATIONS: _Words = {
    "area": _l("place: strips side by side"),
    "height": _l("height: one above the other"),
    "time": _l("time: one after the other"),
}

VOLUMES: _Words = {
    "flight_geography": _l("flight geography"),
    "contingency_volume": _l("contingency volume"),
    "ground_risk_buffer": _l("ground-risk buffer"),
}

SEVERITIES: _Words = {
    "pass": _l("go"),
    "unchecked": _l("not checked"),
    "warn": _l("with care"),
    "stop": _l("no go"),
}

READINESS: _Words = {
    "ready": _l("ready"),
    "limited": _l("ready, with a warning"),
    "not_ready": _l("not ready"),
}

PLAN_STATES: _Words = {
    "draft": _l("draft"),
    "published": _l("in force"),
    "superseded": _l("replaced"),
    "discarded": _l("put aside"),
}

CHANGE_KINDS: _Words = {
    "lost": _l("loses its drone"),
    "won": _l("gets a drone"),
    "drone": _l("another drone"),
    "crew": _l("another crew"),
    "time": _l("another time"),
}

STAGES: _Words = {
    "photos": _l("Reading the photos"),
    "sfm": _l("Finding the cameras"),
    "adjust": _l("Adjusting and georeferencing"),
    "dense": _l("Dense matching"),
    "surface": _l("Surface and orthophoto"),
    "export": _l("Writing the products"),
}

ORGANISATION_KINDS: _Words = {
    "zone": _l("police zone"),
    "federal": _l("federal unit"),
    "crisis_centre": _l("crisis centre"),
    "drone_team": _l("drone team"),
}

JOB_STATES: _Words = {
    "new": _l("not built yet"),
    "queued": _l("waiting"),
    "running": _l("running"),
    "done": _l("finished"),
    "failed": _l("failed"),
    "cancelled": _l("cancelled"),
}

MEASURE_KINDS: _Words = {
    "distance": _l("distance"),
    "horizontal": _l("horizontal distance"),
    "height": _l("height"),
    "polyline": _l("polyline"),
    "area": _l("area"),
    "plan_area": _l("area in plan"),
    "volume": _l("volume"),
    "angle": _l("angle"),
    "slope": _l("slope"),
    "profile": _l("profile (rise)"),
    "section": _l("section (rise)"),
    "point": _l("point"),
}

POINT_ROLES: _Words = {
    "control": _l("control point"),
    "check": _l("check point"),
    "bar": _l("end of a scale bar"),
    "own": _l("own point"),
}

MARK_SOURCES: _Words = {
    "hand": _l("set by hand"),
    "file": _l("from the control file"),
    "checkerboard": _l("centre of a checkerboard"),
    "cross": _l("centre of a cross"),
    "circle": _l("centre of a circle"),
    "coded": _l("centre of a coded target"),
}

UPLOAD_STATES: _Words = {
    "open": _l("not complete"),
    "done": _l("received and checked"),
    "refused": _l("not accepted"),
}

PHOTO_VERDICTS: _Words = {
    "use": _l("good"),
    "warn": _l("usable, with care"),
    "skip": _l("left out"),
}

MEASURE_METHODS: _Words = {
    "multi-ray": _l("marks in photos"),
    "surface": _l("surface model"),
}

PRODUCTS: _Words = {
    "coverage": _l("Photos per place"),
    "coverage_map": _l("Map of the photos per place"),
    "orthophoto": _l("Orthophoto"),
    "orthophoto_sources": _l("Source photo of each orthophoto pixel"),
    "dsm": _l("Surface model"),
    "dsm_mask": _l("Surface model: where it was measured"),
    "dtm": _l("Terrain model"),
    "cloud": _l("Point cloud"),
    "cloud_copc": _l("Point cloud, cloud-optimised"),
    "cloud_ply": _l("Point cloud (PLY)"),
    "mesh": _l("Textured mesh"),
    "mesh_ply": _l("Mesh (PLY)"),
    "mesh_3dtiles": _l("Mesh (3D Tiles)"),
    "diagram": _l("Scene diagram"),
    "diagram_dxf": _l("Scene diagram (DXF)"),
    "report": _l("Report"),
    "cameras": _l("Camera positions"),
}

ITEM_WORDS: _Words = {**ITEM_KINDS, **PRODUCTS}
"""What a case holds: records and files, and what a scene was made into."""

ENDINGS: _Words = {
    "completed": _l("completed"),
    "returned": _l("returned early"),
    "refused": _l("did not take off"),
    "handed over": _l("taken over by the pilot"),
    "link gone": _l("link lost"),
}

SCALE_SOURCES: _Words = {
    "gcp": _l("ground control points"),
    "scale_bar": _l("scale bars"),
    "rtk": _l("RTK positions of the photos"),
    "gnss": _l("GNSS positions of the photos (metres)"),
    "none": _l("nothing: the model has no scale"),
}

EVENT_SOURCES: _Words = {
    "vehicle": _l("drone"),
    "controller": _l("controller"),
    "watch": _l("watch of the air"),
}

TIME_SOURCES: _Words = {
    "calendar": _l("the drone's satellite time"),
    "timesync": _l("compared with this machine's clock"),
    "receipt": _l("time of receipt"),
}


def named(words: _Words) -> Callable[[object], str]:
    """A function from a code to its word; an unknown code is shown as it is."""

    def name(code: object) -> str:
        text = str(getattr(code, "value", code) if code is not None else "")
        return str(words.get(text, text))

    return name


fact_code = named(FACT_CODES | CONFORMANCE | ADVICE)


def organisation_option(view: OrganisationView, language: str) -> tuple[str, str]:
    """An organisation as a choice in a form."""
    return str(view.id), view.name(language)


def twice(code: str) -> tuple[str, str]:
    """A choice in a form whose code is its word."""
    return code, code


FILTERS = {
    "role_name": named(ROLES),
    "kind_name": named(KINDS),
    "priority_name": named(PRIORITIES),
    "request_state": named(REQUEST_STATES),
    "clock_name": named(CLOCKS),
    "told_name": named(TOLD),
    "exclusion_name": named(EXCLUSIONS),
    "verdict_name": named(VERDICTS),
    "credential_name": named(CREDENTIALS),
    "absence_name": named(ABSENCES),
    "maintenance_name": named(MAINTENANCE),
    "airspace_name": named(AIRSPACE),
    "capability_name": named(CAPABILITIES),
    "twice": twice,
    "day_name": format_date,
    "payload_name": named(PAYLOADS),
    "mission_state": named(MISSION_STATES),
    "severity_name": named(SEVERITIES),
    "pattern_name": named(PATTERNS),
    "lost_person": named({**LOST_PERSONS, "typed": _l("typed")}),
    "terrain_kind": named(TERRAIN_KINDS),
    "datum_name": named(DATUMS),
    "volume_name": named(VOLUMES),
    "readiness_name": named(READINESS),
    "plan_state": named(PLAN_STATES),
    "change_kind": named(CHANGE_KINDS),
    "alert_kind": named(ALERT_KINDS),
    "readiness": readiness,
    "match_name": named(MATCHES),
    "evidence_name": named(EVIDENCE),
    "fact_name": named(FACTS | EVIDENCE),
    "conformance_name": named(CONFORMANCE),
    "receiver_state": named(RECEIVER_STATES),
    "stage_name": named(STAGES),
    "scene_state": scene_state,
    "job_state": named(JOB_STATES),
    "organisation_kind": named(ORGANISATION_KINDS),
    "measure_kind": named(MEASURE_KINDS),
    "measure_method": named(MEASURE_METHODS),
    "point_role": named(POINT_ROLES),
    "mark_source": named(MARK_SOURCES),
    "upload_state": named(UPLOAD_STATES),
    "photo_verdict": named(PHOTO_VERDICTS),
    "product_name": named(PRODUCTS),
    "item_kind": named(ITEM_WORDS),
    "item_source": source_words,
    "ending_name": named(ENDINGS),
    "event_source": named(EVENT_SOURCES),
    "scale_source": named(SCALE_SOURCES),
    "time_source_name": named(TIME_SOURCES),
    "organisation_option": organisation_option,
    "band_name": named(BANDS),
    "kept_kind": named(KEPT_KINDS),
    "restriction_name": named(RESTRICTIONS),
    "advice_name": named(ADVICE),
    "field_kind": named(FIELD_KINDS),
    "field_item": named(FIELD_CHECKS | FIELD_TIMES),
    "purpose_name": named(dict(PURPOSES)),
    "tone": tone,
}


def init_words(app: Flask) -> None:
    """The words as template filters."""
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.tests["finite"] = math.isfinite


def options(words: _Words, codes: list[str] | None = None) -> list[tuple[str, str]]:
    """Codes with their words, for a choice in a form."""
    return [(code, str(words[code])) for code in (codes or list(words))]
