"""The planning form as a whole: what it asks the planner for, and how it labels its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from droneteam.errors import DecodeError, InputError
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.camera import CAMERAS, SIMULATED
from droneteam.missions.planner.plan import SurveyParams
from droneteam.missions.views import MissionSpec
from droneteam.web.forms import FormReader
from droneteam.web.planner_ground import ground_field_names, read_ground
from droneteam.web.task_form import PLACES_NEEDED, SURVEY, read_task, task_field_names

_COMMON = ("gsd_m", "forward_overlap", "side_overlap", "speed_mps")
_TICKS = frozenset({"crosshatch", "orbit", "photo"})
_SAID_ANEW = frozenset({"file", "chance_file", "override_reason"})
"""Fields that a changed plan does not begin with: why a rule is lifted holds for one plan."""


def read_spec(fields: Mapping[str, str]) -> tuple[MissionSpec | None, dict[str, str]]:
    """What the pilot asks the planner for, or None and what is wrong, by field."""
    form = FormReader(fields)
    camera = form.choice("camera", CAMERAS, fallback=SIMULATED.name)
    angle = form.number("angle_deg", 0.0, 360.0, fallback=-1.0)
    bound = int(form.number("max_photos", 4, 100_000, fallback=0))
    values: dict[str, Any] = {
        "gsd_m": form.number("gsd_mm", 1.0, 500.0, fallback=10.0) / 1000.0,
        "forward_overlap": form.number("forward_overlap_pct", 55.0, 95.0, fallback=80.0) / 100.0,
        "side_overlap": form.number("side_overlap_pct", 30.0, 95.0, fallback=70.0) / 100.0,
        "angle_deg": None if angle < 0.0 else angle,
        "crosshatch": form.flag("crosshatch"),
        "orbit": form.flag("orbit"),
        "orbit_pitch_deg": form.number("orbit_pitch_deg", -80.0, -15.0, fallback=-45.0),
        "speed_mps": form.number("speed_mps", 0.5, 20.0, fallback=5.0),
        "max_photos": bound or None,
    }
    home_lat = form.number("home_lat_deg", -90.0, 90.0)
    home_lon = form.number("home_lon_deg", -180.0, 180.0)
    home_alt = form.number_or_none("home_alt_amsl_m", -100.0, 3000.0)
    pattern = form.choice("pattern", PLACES_NEEDED, fallback=SURVEY)
    polygon = form.polygon("polygon", at_least=PLACES_NEEDED[pattern])
    if not polygon:
        form.fail("polygon", _("Draw the area or write its corners."))
    common = {name: values[name] for name in _COMMON}
    task = None if pattern == SURVEY else read_task(form, pattern, common)
    ground = read_ground(form)
    if form.problems or ground is None:
        return None, form.problems
    spec = MissionSpec(
        task or SurveyParams(**values),
        camera,
        HomePoint(home_lat, home_lon, home_alt),
        polygon=polygon,
        wind=ground.wind,
        risk=ground.risk,
        people=ground.people,
        assemblies=ground.assemblies,
        share=ground.share,
        override_reason=ground.override_reason,
    )
    return spec, {}


def typed_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """The form's own fields as they were typed, to begin a changed plan with."""
    names = (field_names().keys() | _TICKS) - _SAID_ANEW
    return {name: fields[name] for name in sorted(names) if fields.get(name)}


def field_names() -> dict[str, str]:
    """The form's fields as it labels them."""
    return {
        **task_field_names(),
        **ground_field_names(),
        "camera": _("Camera"),
        "gsd_mm": _("Ground sampling distance (mm)"),
        "forward_overlap_pct": _("Overlap along the line (percent)"),
        "side_overlap_pct": _("Overlap between lines (percent)"),
        "angle_deg": _("Direction of the lines (°)"),
        "orbit_pitch_deg": _("Pitch on the orbit (°)"),
        "speed_mps": _("Speed (m/s)"),
        "max_photos": _("At most this many photos"),
        "home_lat_deg": _("Take-off latitude"),
        "home_lon_deg": _("Take-off longitude"),
        "home_alt_amsl_m": _("Take-off height above sea level (m)"),
        "polygon": _("Area"),
        "file": _("Places from a file"),
        "chance_file": _("Probability map from a file"),
    }


def field_of(error: InputError | DecodeError) -> str:
    """The form's field for the planner's one."""
    names = {
        "gsd_m": "gsd_mm",
        "forward_overlap": "forward_overlap_pct",
        "side_overlap": "side_overlap_pct",
        "home.alt_amsl_m": "home_alt_amsl_m",
        "alt_agl_m": "alt_home_m",
        "alt_amsl_m": "alt_home_m",
    }
    if isinstance(error, DecodeError):
        return "terrain"
    field = error.field or "polygon"
    return names.get(field, field)
