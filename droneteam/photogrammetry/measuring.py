"""What a person asks to be measured, from marks in photos, by name; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from droneteam.errors import InputError
from droneteam.photogrammetry import measure as rays
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.manifest import plain
from droneteam.photogrammetry.scene import CameraNetwork, Measurement
from droneteam.photogrammetry.scene_files import finite_or_none

KINDS: Mapping[str, tuple[int, int | None]] = {
    "distance": (2, 2),
    "height": (2, 2),
    "polyline": (2, None),
    "area": (3, None),
    "angle": (3, 3),
}
"""How many points each kind takes: at least, at most."""


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """What to measure: the named points, each marked in two or more photos."""

    kind: str
    points: tuple[str, ...]
    marks: tuple[Mark, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            known = ", ".join(KINDS)
            raise InputError(f"cannot measure {self.kind!r}; known: {known}", field="kind")
        least, most = KINDS[self.kind]
        count = len(self.points)
        if count < least or (most is not None and count > most):
            wanted = str(least) if least == most else f"at least {least}"
            raise InputError(
                f"{self.kind} takes {wanted} points, {count} are given", field="points"
            )


def take(network: CameraNetwork, request: MeasureRequest) -> Measurement:
    """The measurement in this network."""
    points, marks, name = request.points, request.marks, request.name
    match request.kind:
        case "distance":
            return rays.distance(network, marks, points[0], points[1], name=name)
        case "height":
            return rays.height(network, marks, points[0], points[1], name=name)
        case "polyline":
            return rays.polyline(network, marks, points, name=name)
        case "area":
            return rays.area(network, marks, points, name=name)
        case "angle":
            return rays.angle(network, marks, points[0], points[1], points[2], name=name)
    raise InputError(f"cannot measure {request.kind!r}", field="kind")


def marks_document(request: MeasureRequest) -> list[dict[str, Any]]:
    """The marks that a measurement rests on, to be kept with it."""
    wanted = set(request.points)
    return [
        {
            "point": mark.point,
            "photo": mark.photo,
            "x_px": mark.x_px,
            "y_px": mark.y_px,
            "sigma_px": mark.sigma_px,
        }
        for mark in request.marks
        if mark.point in wanted
    ]


def measurement_document(measured: Measurement) -> dict[str, Any]:
    """Every field as JSON can hold it; a number that is not determined is null."""
    content: dict[str, Any] = plain(measured)
    for name in ("value", "ci95_low", "ci95_high"):
        content[name] = finite_or_none(content[name])
    return content
