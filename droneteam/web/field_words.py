"""The names of what a crew looks at and writes down beside the drone."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

FIELD_CHECKS: dict[str, object] = {
    "weather": _l("Weather: wind, rain, visibility and temperature are within limits"),
    "airspace": _l("Airspace: permission is there, other traffic was looked for"),
    "drone_inspected": _l("Drone: frame, propellers, payload and lens looked at"),
    "batteries": _l("Batteries: charged, undamaged, warm enough, locked in"),
    "storage": _l("Memory card: in, empty enough, the clock is right"),
    "take_off_area": _l("Take-off area: level, free, fenced off"),
    "people_clear": _l("People: nobody uninvolved in the area, distances kept"),
    "crew_briefed": _l("Crew: tasks, signs and emergency procedure said aloud"),
    "return_height": _l("Return height: above every obstacle between here and there"),
}

FIELD_TIMES: dict[str, object] = {
    "left_base": _l("Left the base"),
    "on_site": _l("On site"),
    "take_off": _l("Take-off"),
    "landing": _l("Landing"),
    "left_site": _l("Left the site"),
    "back_at_base": _l("Back at the base"),
}

FIELD_KINDS: dict[str, object] = {
    "check": _l("check"),
    "time": _l("time"),
    "defect": _l("defect"),
    "note": _l("note"),
}
