"""The names of what a crew looks at and writes down beside the drone."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l

from droneteam.missions.flight.checklist import CheckBar
from droneteam.missions.flight.turns import TurnBar
from droneteam.web.timefmt import local

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

CHECK_FAULTS: dict[str, object] = {
    "open": _l("nobody has looked at it"),
    "failed": _l("answered with no"),
    "disputed": _l("two people answered differently"),
    "stale": _l("looked at more than 12 hours ago"),
}


FAULTS_OF_SEVERAL: dict[str, object] = {
    "open": _l("nobody has looked at:"),
    "failed": _l("answered with no:"),
    "disputed": _l("answered differently by two people:"),
    "stale": _l("looked at more than 12 hours ago:"),
}


def bars_said(bars: Sequence[CheckBar]) -> list[tuple[str, list[str]]]:
    """What bars the take-off in the visitor's language: a check and why, or why and its checks."""
    found: list[tuple[str, list[str]]] = []
    for fault, said in CHECK_FAULTS.items():
        checks = [str(FIELD_CHECKS[bar.item]) for bar in bars if bar.fault == fault]
        if len(checks) == 1:
            found.append((f"{checks[0]}: {said}", []))
        elif checks:
            found.append((str(FAULTS_OF_SEVERAL[fault]), checks))
    return found


def bars_line(bars: Sequence[CheckBar]) -> str:
    """The same in one line, several checks by their subjects."""
    return "; ".join(
        f"{said} {', '.join(check.partition(':')[0].strip() for check in checks)}".strip()
        for said, checks in bars_said(bars)
    )


TURNS: dict[str, object] = {
    "in_air": _l("%(drone)s (mission %(mission)s) is in the air; it was heard last at %(time)s"),
    "goes_first": _l("%(drone)s (mission %(mission)s) goes first and has not landed"),
    "approved_first": _l(
        "%(drone)s (mission %(mission)s) goes first: let it fly, or withdraw its mission"
    ),
    "gap": _l("%(drone)s (mission %(mission)s) landed less than a minute ago"),
}


def turn_said(bar: TurnBar) -> str:
    """A drone that this one waits for and why, in the visitor's language."""
    facts = {
        "drone": bar.drone_name,
        "mission": bar.mission_id,
        "time": "–" if bar.at is None else local(bar.at, "HH:mm:ss"),
    }
    return str(TURNS[bar.wait]) % facts


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
