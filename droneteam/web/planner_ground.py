"""The planning form's part about ground, air, sharing and accuracy: fields, defaults, reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from droneteam.errors import InputError
from droneteam.missions.airspace.volumes import BufferRule, RiskParams
from droneteam.missions.planner.accuracy import RECEIVERS, PredictedAccuracy, in_gsd
from droneteam.missions.planner.camera import camera_named
from droneteam.missions.planner.estimate import Wind
from droneteam.missions.planner.route import LatLon
from droneteam.missions.planner.sharing import MAX_DRONES, Separation, Share
from droneteam.missions.planner.surveyaccuracy import accuracy_of
from droneteam.missions.views import MissionPreview, MissionSpec
from droneteam.web.forms import FormReader
from droneteam.web.refusals import said
from droneteam.web.terrains import LEVEL
from droneteam.web.timefmt import decimal

DEFAULTS: dict[str, Any] = {
    "terrain": LEVEL,
    "wind_mps": "0",
    "wind_from_deg": "",
    "gust_mps": "8",
    "latency_s": "0.5",
    "buffer_rule": BufferRule.LARGER.value,
    "people": "",
    "assemblies": "",
    "share_part": "1",
    "share_of": "1",
    "separation": Separation.AREA.value,
    "receiver": "rtk",
    "control": "",
    "override_reason": "",
}


@dataclass(frozen=True, slots=True)
class GroundPart:
    """What this part of the form asks for; accuracy's receiver and control points beside it."""

    terrain: str
    wind: Wind
    risk: RiskParams
    people: tuple[LatLon, ...]
    assemblies: tuple[LatLon, ...]
    share: Share | None
    override_reason: str | None


def read_ground(form: FormReader) -> GroundPart | None:
    """The form's part; None when a problem was noted."""
    wind_mps = form.number("wind_mps", 0.0, 14.0, fallback=0.0)
    wind_from = form.optional_number("wind_from_deg", 0.0, 360.0)
    gust = form.number("gust_mps", 0.0, 40.0, fallback=8.0)
    latency = form.number("latency_s", 0.0, 10.0, fallback=0.5)
    rule = BufferRule(form.choice("buffer_rule", list(BufferRule), fallback=BufferRule.LARGER))
    people = form.polygon("people", at_least=1)
    assemblies = form.polygon("assemblies", at_least=1)
    terrain = form.text("terrain", max_length=40)
    reason = form.text("override_reason", max_length=500)
    share = _share(form)
    if form.problems:
        return None
    risk = RiskParams(rule, latency_s=latency, gust_mps=gust)
    wind = Wind(wind_mps, wind_from)
    return GroundPart(terrain, wind, risk, people, assemblies, share, reason or None)


def _share(form: FormReader) -> Share | None:
    of = form.whole("share_of", 1, MAX_DRONES, fallback=1)
    part = form.whole("share_part", 1, MAX_DRONES, fallback=1)
    kept = Separation(form.choice("separation", list(Separation), fallback=Separation.AREA))
    if of == 1:
        return None
    if part > of:
        form.fail("share_part", _("Between %(low)s and %(high)s.", low=1, high=of))
        return None
    return Share(part, of, kept)


def ground_field_names() -> dict[str, str]:
    """The fields as the form labels them."""
    return {
        "terrain": _("Terrain below"),
        "wind_mps": _("Wind for time and packs (m/s)"),
        "wind_from_deg": _("Wind from (°)"),
        "gust_mps": _("Strongest gust for the buffer (m/s)"),
        "latency_s": _("Delay of the control link (s)"),
        "buffer_rule": _("Ground-risk buffer"),
        "people": _("Uninvolved persons nearby"),
        "assemblies": _("Assemblies of people nearby"),
        "share_part": _("This drone flies part"),
        "share_of": _("Drones that share the area"),
        "separation": _("Kept apart by"),
        "receiver": _("Positions of the photos"),
        "control": _("Control points"),
        "override_reason": _("Why a no-go is lifted"),
    }


def drawn_ground(made: MissionPreview) -> dict[str, Any]:
    """The volumes and the profile as the map and the chart draw them."""
    return {
        "volumes": [
            {"role": role, "ring": [list(corner) for corner in ring]}
            for role, ring in made.volumes.named
        ],
        "profile": [
            [point.distance_m, point.alt_home_m, point.ground_home_m, point.clearance_m]
            for point in made.plan.profile
        ],
    }


def drawn_accuracy(made: MissionPreview, spec: MissionSpec, form: FormReader) -> dict[str, Any]:
    """The predicted accuracy as a layer and as facts; why there is none where there is none."""
    receiver = form.choice("receiver", RECEIVERS, fallback="rtk")
    control = form.polygon("control", at_least=1)
    camera = camera_named(spec.camera)
    plan = made.plan
    if not plan.photo_positions or form.problems:
        return {"accuracy": [], "accuracyFacts": []}
    try:
        found = accuracy_of(
            plan, camera, RECEIVERS[receiver], control=control, terrain=made.terrain
        )
    except InputError as error:
        return {"accuracy": [], "accuracyFacts": [[_("Predicted accuracy"), said(error)]]}
    rows = [
        [round(lat, 7), round(lon, 7), round(h, 4), round(v, 4)]
        for (lat, lon), h, v in zip(
            found.lat_lon.tolist(),
            found.accuracy.horizontal_m.tolist(),
            found.accuracy.vertical_m.tolist(),
            strict=True,
        )
    ]
    one = found.accuracy
    return {
        "accuracy": rows,
        "accuracyFacts": [
            [
                _("Predicted accuracy, horizontal"),
                _bounded(one, _sigma(one.median_horizontal_m, one.worst_horizontal_m, one.gsd_m)),
            ],
            [
                _("Predicted accuracy, height"),
                _bounded(one, _sigma(one.median_vertical_m, one.worst_vertical_m, one.gsd_m)),
            ],
        ],
    }


def _bounded(accuracy: PredictedAccuracy, text: str) -> str:
    """The figures, said to be upper bounds where they come from parts of the photos."""
    return _("at most %(sigma)s", sigma=text) if accuracy.bound else text


def _sigma(typical_m: float, worst_m: float, gsd_m: float) -> str:
    share = f" ({decimal(in_gsd(typical_m, gsd_m), 1)} GSD)" if gsd_m > 0.0 else ""
    worst = _("worst %(m)s", m=f"{worst_m * 1000:.0f} mm")
    return f"{typical_m * 1000:.0f} mm{share}, {worst}"
