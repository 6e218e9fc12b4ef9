"""What a person asks to be measured, from marks in photos, by name; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from droneteam.photogrammetry import measure as rays
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.manifest import plain
from droneteam.photogrammetry.scene import CameraNetwork, Measurement
from droneteam.photogrammetry.scene_files import finite_or_none
from droneteam.photogrammetry.shapes import SHAPES, shape_of

KINDS = tuple(SHAPES)
"""What can be measured from marks."""


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """What to measure: the named points, each marked in two or more photos."""

    kind: str
    points: tuple[str, ...]
    marks: tuple[Mark, ...]
    name: str = ""

    def __post_init__(self) -> None:
        shape_of(self.kind, len(self.points))


def take(network: CameraNetwork, request: MeasureRequest) -> Measurement:
    """The measurement in this network."""
    return rays.from_marks(
        network, request.marks, request.kind, request.points, name=request.name
    )


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
