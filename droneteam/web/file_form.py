"""The planning form filled from a file of another program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import flash
from flask_babel import gettext as _

from droneteam.missions.formats.chancemap import chance_map_to_json
from droneteam.missions.formats.fileplaces import FilePlaces
from droneteam.web import words
from droneteam.web.forms import MAX_VERTICES, polygon_text
from droneteam.web.task_form import SURVEY

_AREAS = frozenset({SURVEY, "parallel_track"})
_TYPED = frozenset({"free", "overwatch"})
"""Patterns whose heights are asked for."""


def taken(found: FilePlaces, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The form's values with the file's places, and what the pilot must still say, by field.

    A path makes a survey one of free waypoints; heights keep what they are measured from.
    """
    if len(found.places) > MAX_VERTICES:
        text = _(
            "The file has %(n)s places; %(most)s are planned at once. Thin it out or divide it.",
            n=len(found.places),
            most=MAX_VERTICES,
        )
        return dict(values), {"file": text}
    filled = {**values, "polygon": polygon_text(found.places)}
    if found.chances is not None:
        filled["chances"] = json.dumps(chance_map_to_json(found.chances))
        flash(_("The file's probability map is taken too."), "note")
    for code in found.left_out:
        flash(str(words.LEFT_OUT[code]), "note")
    if found.shape == "area":
        return filled, {}
    if filled.get("pattern", SURVEY) in _AREAS:
        filled["pattern"] = "free"
        flash(_("The file holds a path: it is planned as free waypoints."), "note")
    if found.home is not None:
        filled["home_lat_deg"] = f"{found.home.lat_deg:.7f}"
        filled["home_lon_deg"] = f"{found.home.lon_deg:.7f}"
        # Programs that do not know the height write 0.
        filled["home_alt_amsl_m"] = f"{found.home.alt_amsl_m:g}" if found.home.alt_amsl_m else ""
        flash(_("The take-off point is the file's: its heights refer to it."), "note")
    if filled["pattern"] not in _TYPED:
        return filled, {}
    if found.kind is None:
        filled["alt_home_m"] = ""
        return filled, {"alt_home_m": _("The file gives no heights that can be flown: write one.")}
    filled["height_kind"] = found.kind.value
    heights = [f"{height:g}" for height in found.heights_m]
    filled["alt_home_m"] = heights[0] if len(set(heights)) == 1 else " ".join(heights)
    filled["photo"] = "1" if found.photo else ""
    return filled, {}
