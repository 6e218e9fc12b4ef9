"""Measurements from marks in photos, each with its 95 % interval.

A point marked in two or more photos is the intersection of its rays.  Its covariance has two
parts: the marks' own noise, and the cameras' joint covariance carried through the intersection.
All points of a measurement are carried through together, because the cameras' errors are shared:
a length on the ground is far better known than the place of its ends.

Where the photos do not determine a value (one photo, nearly parallel rays, no scale, a depth that
the honesty gate found open) the measurement says so instead of giving a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import chi2

from droneteam.errors import InputError
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Measurement, NetworkCovariance
from droneteam.photogrammetry.triangulation import Intersection, Optics, intersect, optics

Kind = Literal["distance", "height", "polyline", "area", "angle", "point"]

MIN_RAY_ANGLE_DEG = 2.0
"""Below this angle between its rays a point's depth is worth no statement (Förstner & Wrobel
2016, §13.3: depth deviation over base angle)."""
OPEN_DEPTH = 0.03
"""A value that an undetermined depth changes by more than 3 % is itself undetermined."""
OPEN_DEPTH_DEG = 1.0
"""The same for angles."""
Z_95 = 1.959964
MARKS_DISAGREE = 0.99
"""Marks whose residuals exceed this quantile widen the interval by what they show."""


@dataclass(frozen=True, slots=True, eq=False)
class _Located:
    """Points of one measurement.

    points : (k, 3); covariance : (3k, 3k); mode : (3k,) change for an open depth, zeros when the
    depth is determined.
    """

    points: FloatArray
    covariance: FloatArray
    mode: FloatArray
    photos: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """A measurement's kind, unit and formula: value of the (k, 3) points."""

    kind: Kind
    unit: str
    value: Callable[[FloatArray], float]
    needs_up: bool = False


def distance(
    network: CameraNetwork, marks: Sequence[Mark], a: str, b: str, *, name: str = ""
) -> Measurement:
    """The straight distance between two marked points, in metres."""
    shape = _Shape("distance", "m", _length)
    return _measured(network, marks, (a, b), shape, name or f"{a}–{b}")


def height(
    network: CameraNetwork, marks: Sequence[Mark], low: str, high: str, *, name: str = ""
) -> Measurement:
    """How much higher the second point lies than the first, in metres."""
    shape = _Shape("height", "m", lambda p: float(p[1, 2] - p[0, 2]), needs_up=True)
    return _measured(network, marks, (low, high), shape, name or f"height {low}–{high}")


def polyline(
    network: CameraNetwork, marks: Sequence[Mark], points: Sequence[str], *, name: str = ""
) -> Measurement:
    """The length along the points, in metres."""
    _at_least(points, 2, "a polyline")
    return _measured(network, marks, points, _Shape("polyline", "m", _length), name or "polyline")


def area(
    network: CameraNetwork, marks: Sequence[Mark], points: Sequence[str], *, name: str = ""
) -> Measurement:
    """The area of the polygon in its own mean plane, in square metres."""
    _at_least(points, 3, "an area")
    return _measured(network, marks, points, _Shape("area", "m²", _vector_area), name or "area")


def angle(
    network: CameraNetwork, marks: Sequence[Mark], a: str, vertex: str, b: str, *, name: str = ""
) -> Measurement:
    """The angle at the vertex between the directions to the two others, in degrees."""
    shape = _Shape("angle", "°", _angle_deg)
    return _measured(network, marks, (a, vertex, b), shape, name or f"angle {a}–{vertex}–{b}")


def position(
    network: CameraNetwork, marks: Sequence[Mark], point: str
) -> tuple[FloatArray, FloatArray] | None:
    """A marked point (3,) and its covariance (3, 3) in the network's frame; None if undetermined.

    The covariance includes the frame's own uncertainty.
    """
    located = _locate(network, marks, (point,))
    if isinstance(located, str):
        return None
    return located.points[0], located.covariance + np.outer(located.mode, located.mode)


def _at_least(points: Sequence[str], number: int, what: str) -> None:
    if len(points) < number:
        raise InputError(f"{what} needs at least {number} points, not {len(points)}")


def _length(points: FloatArray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _vector_area(points: FloatArray) -> float:
    centred = points - points.mean(axis=0)
    return float(0.5 * np.linalg.norm(np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0)))


def _angle_deg(points: FloatArray) -> float:
    u, v = points[0] - points[1], points[2] - points[1]
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(u, v))), float(u @ v)))


def _measured(
    network: CameraNetwork,
    marks: Sequence[Mark],
    points: Sequence[str],
    shape: _Shape,
    name: str,
) -> Measurement:
    if shape.kind != "angle" and not network.frame.metric:
        why = "the scene has no scale: a scale bar, control points or camera positions give one"
        return _undetermined(shape, name, why)
    located = _locate(network, marks, points)
    if isinstance(located, str):
        return _undetermined(shape, name, located)
    value = shape.value(located.points)
    gradient = _gradient(shape.value, located.points)
    open_change = abs(float(gradient @ located.mode))
    limit = OPEN_DEPTH_DEG if shape.kind == "angle" else OPEN_DEPTH * abs(value)
    if open_change > limit:
        why = (
            "the photos do not determine the depth (a focal length 10 % away fits as well and "
            f"changes this by {open_change:.3g} {shape.unit}): a control point, a vertical scale "
            "bar or a ring of oblique photos would"
        )
        return _undetermined(shape, name, why, located)
    sigma = math.sqrt(float(gradient @ located.covariance @ gradient) + open_change**2)
    return Measurement(
        name=name,
        kind=shape.kind,
        value=value,
        unit=shape.unit,
        ci95_low=value - Z_95 * sigma,
        ci95_high=value + Z_95 * sigma,
        method="multi-ray",
        photos=located.photos,
        note=_note(network, shape),
        points_enu_m=_tuples(located.points),
    )


def _note(network: CameraNetwork, shape: _Shape) -> str:
    """What a reader must know of the frame to use the value."""
    if shape.needs_up and network.frame.kind == "local" and network.accuracy.scale_source != "gcp":
        return "up is taken from gimbal angles or level horizons (2° in the interval)"
    return ""


def _undetermined(
    shape: _Shape, name: str, why: str, located: _Located | None = None
) -> Measurement:
    nan = math.nan
    return Measurement(
        name=name,
        kind=shape.kind,
        value=nan,
        unit=shape.unit,
        ci95_low=nan,
        ci95_high=nan,
        method="multi-ray",
        photos=() if located is None else located.photos,
        determined=False,
        note=f"not determined: {why}",
        points_enu_m=() if located is None else _tuples(located.points),
    )


def _tuples(points: FloatArray) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def _gradient(value: Callable[[FloatArray], float], points: FloatArray) -> FloatArray:
    """(3k,) derivative by central differences, with a step of a millionth of the extent."""
    step = 1e-6 * (float(np.ptp(points, axis=0).max()) + 1e-3)
    result = np.zeros(points.size)
    for i in range(points.size):
        shifted = points.copy()
        shifted.flat[i] += step
        ahead = value(shifted)
        shifted.flat[i] -= 2.0 * step
        result[i] = (ahead - value(shifted)) / (2.0 * step)
    return result


def _locate(network: CameraNetwork, marks: Sequence[Mark], names: Sequence[str]) -> _Located | str:
    """The points with their joint covariance, or why they are not determined.

    Raises
    ------
    InputError
        The network was not adjusted.
    """
    covariance = network.covariance
    if covariance is None:
        raise InputError("the network has no covariance: adjust it before measuring")
    arrays = optics(network.views)
    index_of = {view.name: i for i, view in enumerate(network.views)}
    points, carried, own, photos = [], [], [], []
    for name in names:
        found = _one_point(arrays, index_of, [m for m in marks if m.point == name], name)
        if isinstance(found, str):
            return found
        hit, used = found
        sensitivity, noise = _sensitivity(hit, used, index_of, covariance)
        points.append(hit.point)
        carried.append(sensitivity)
        own.append(noise)
        photos += [m.photo for m in used]
    sensitivities = np.concatenate(carried)
    total = sensitivities @ covariance.matrix @ sensitivities.T
    for k, noise in enumerate(own):
        total[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] += noise
    mode = np.zeros(3 * len(names))
    if covariance.depth_mode is not None:
        mode = sensitivities @ covariance.depth_mode
    return _Located(np.array(points), total, mode, tuple(sorted(set(photos))))


def _one_point(
    arrays: Optics, index_of: dict[str, int], marks: Sequence[Mark], name: str
) -> tuple[Intersection, list[Mark]] | str:
    """The intersection and the marks it rests on, or why there is none."""
    used = [m for m in marks if m.photo in index_of]
    if len(used) < 2:
        return f"{name} is marked in {len(used)} oriented photo(s); two or more are needed"
    found = intersect(
        arrays,
        np.array([index_of[m.photo] for m in used], dtype=np.int64),
        np.array([(m.x_px, m.y_px) for m in used]),
        np.array([m.sigma_px for m in used]),
    )
    if found is None:
        return f"the rays to {name} do not meet: check its marks"
    if found.angle_deg < MIN_RAY_ANGLE_DEG:
        return (
            f"the rays to {name} are nearly parallel ({found.angle_deg:.1f}°): mark it in photos "
            "taken from farther apart"
        )
    return found, used


def _sensitivity(
    hit: Intersection,
    marks: Sequence[Mark],
    index_of: dict[str, int],
    covariance: NetworkCovariance,
) -> tuple[FloatArray, FloatArray]:
    """(3, n) derivative of the point by the cameras' unknowns; (3, 3) noise of the marks.

    From J_point · dX + J_camera · dc = 0 in the least-squares sense (implicit function theorem).
    """
    weight = np.repeat([1.0 / m.sigma_px**2 for m in marks], 2)
    by_point = hit.jacobian[:, :, 18:].reshape(-1, 3)
    inverse = np.linalg.inv(hit.normal)
    pull = -inverse @ by_point.T * weight
    result = np.zeros((3, len(covariance.matrix)))
    for row, mark in enumerate(marks):
        view = index_of[mark.photo]
        part = pull[:, 2 * row : 2 * row + 2]
        columns = covariance.pose_columns[view] + np.arange(6)
        result[:, columns] += part @ hit.jacobian[row, :, :6]
        free = covariance.intrinsics_columns[view]
        moving = free >= 0
        np.add.at(result.T, free[moving], (part @ hit.jacobian[row, :, 6:18][:, moving]).T)
    return result, np.asarray(inverse * _disagreement(hit, weight))


def _disagreement(hit: Intersection, weight: FloatArray) -> float:
    """Factor on the marks' variance: above 1 only where their residuals are clearly too large."""
    freedom = hit.residuals.size - 3
    cost = float((weight * hit.residuals.ravel() ** 2).sum())
    if freedom < 1 or cost < float(chi2.ppf(MARKS_DISAGREE, freedom)):
        return 1.0
    return cost / freedom
