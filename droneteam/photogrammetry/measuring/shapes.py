"""What is measured between points: each kind's formula, unit and number of points; pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from droneteam.errors import InputError
from droneteam.photogrammetry.scene import FloatArray, MeasureKind


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One kind of measurement: its value as a function of (k, 3) points, east, north, up.

    most : None for any number of points; power : of the frame's unit in the value, 0 for what
    needs no scale; needs_up : whether the value depends on what "up" is; size : True where the
    value is a magnitude that cannot be negative.
    """

    kind: MeasureKind
    unit: str
    value: Callable[[FloatArray], float]
    least: int
    most: int | None
    power: int = 1
    needs_up: bool = False
    size: bool = True


def path_length(points: FloatArray) -> float:
    """The length along the points."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def plan_length(points: FloatArray) -> float:
    """The length along the points as seen from above."""
    return path_length(points[:, :2])


def rise(points: FloatArray) -> float:
    """How much higher the last point lies than the first."""
    return float(points[-1, 2] - points[0, 2])


def vector_area(points: FloatArray) -> float:
    """The area of the polygon in its own mean plane."""
    return 0.5 * float(np.linalg.norm(_doubled_area(points)))


def plan_area(points: FloatArray) -> float:
    """The area of the polygon as seen from above."""
    return 0.5 * abs(float(_doubled_area(points)[2]))


def angle_deg(points: FloatArray) -> float:
    """The angle at the second point between the directions to the first and the third."""
    u, v = points[0] - points[1], points[2] - points[1]
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(u, v))), float(u @ v)))


def slope_percent(points: FloatArray) -> float:
    """Rise over run: signed from the first to the second of two points, else of the mean plane."""
    if len(points) == 2:
        return 100.0 * rise(points) / plan_length(points)
    return 100.0 * float(np.hypot(*mean_plane(points)[1:]))


def mean_plane(points: FloatArray) -> FloatArray:
    """(3,) height at the origin and its change by east and by north, least squares in height."""
    design = np.column_stack([np.ones(len(points)), points[:, :2]])
    return np.asarray(np.linalg.lstsq(design, points[:, 2], rcond=None)[0])


def hull_volume(points: FloatArray) -> float:
    """The volume of the convex hull."""
    try:
        return float(ConvexHull(points - points.mean(axis=0)).volume)
    except QhullError as error:
        raise InputError("a volume needs points that do not lie in one plane") from error


def _doubled_area(points: FloatArray) -> FloatArray:
    """(3,) twice the polygon's area vector (Newell's sum)."""
    centred = points - points.mean(axis=0)
    return np.asarray(np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0))


_TABLE = (
    Shape("distance", "m", path_length, 2, 2),
    Shape("horizontal", "m", plan_length, 2, 2, needs_up=True),
    Shape("height", "m", rise, 2, 2, needs_up=True, size=False),
    Shape("polyline", "m", path_length, 2, None),
    Shape("area", "m²", vector_area, 3, None, power=2),
    Shape("plan_area", "m²", plan_area, 3, None, power=2, needs_up=True),
    Shape("volume", "m³", hull_volume, 4, None, power=3),
    Shape("angle", "°", angle_deg, 3, 3, power=0),
    Shape("slope", "%", slope_percent, 2, None, power=0, needs_up=True, size=False),
    Shape("profile", "m", rise, 2, None, needs_up=True, size=False),
)
SHAPES: Mapping[str, Shape] = {shape.kind: shape for shape in _TABLE}


def shape_of(kind: str, count: int) -> Shape:
    """The kind's formula, when it takes so many points.

    Raises
    ------
    InputError
        Unknown kind or wrong number of points; says what is allowed.
    """
    shape = SHAPES.get(kind)
    if shape is None:
        known = ", ".join(SHAPES)
        raise InputError(f"cannot measure {kind!r}; known: {known}", field="kind")
    if count < shape.least or (shape.most is not None and count > shape.most):
        wanted = str(shape.least) if shape.least == shape.most else f"at least {shape.least}"
        raise InputError(f"{kind} takes {wanted} points, {count} are given", field="points")
    return shape
