"""Measurements from marks in photos, each with its 95 % interval.

`locate` gives the points with their joint covariance, `shapes` the formula; here the one is
carried through the other.  Where the photos do not determine a value (one photo, rays that
contradict each other, no scale, a depth that the honesty gate found open) the measurement says so
instead of giving a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from droneteam.photogrammetry.cameras.locate import Located, locate
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.measuring.shapes import Shape, shape_of
from droneteam.photogrammetry.scene import (
    CameraNetwork,
    FloatArray,
    Frame,
    MeasureKind,
    Measurement,
    MeasureMethod,
)

Kind = MeasureKind

OPEN_DEPTH = 0.03
"""A value that an undetermined depth changes by more than 3 % is itself undetermined."""
OPEN_DEPTH_DEG = 1.0
"""The same for angles."""
Z_95 = 1.959964
NEAR_ZERO = 2.4477
"""√χ²(95 %, 2): a slope's size below so many deviations may be none at all."""


def distance(
    network: CameraNetwork, marks: Sequence[Mark], a: str, b: str, *, name: str = ""
) -> Measurement:
    """The straight distance between two marked points, in metres."""
    return from_marks(network, marks, "distance", (a, b), name=name)


def height(
    network: CameraNetwork, marks: Sequence[Mark], low: str, high: str, *, name: str = ""
) -> Measurement:
    """How much higher the second point lies than the first, in metres."""
    return from_marks(network, marks, "height", (low, high), name=name)


def polyline(
    network: CameraNetwork, marks: Sequence[Mark], points: Sequence[str], *, name: str = ""
) -> Measurement:
    """The length along the points, in metres."""
    return from_marks(network, marks, "polyline", points, name=name)


def area(
    network: CameraNetwork, marks: Sequence[Mark], points: Sequence[str], *, name: str = ""
) -> Measurement:
    """The area of the polygon in its own mean plane, in square metres."""
    return from_marks(network, marks, "area", points, name=name)


def angle(
    network: CameraNetwork, marks: Sequence[Mark], a: str, vertex: str, b: str, *, name: str = ""
) -> Measurement:
    """The angle at the vertex between the directions to the two others, in degrees."""
    return from_marks(network, marks, "angle", (a, vertex, b), name=name)


def from_marks(
    network: CameraNetwork,
    marks: Sequence[Mark],
    kind: str,
    points: Sequence[str],
    *,
    name: str = "",
) -> Measurement:
    """Any kind of `shapes.SHAPES` between named points, each marked in two or more photos.

    Raises
    ------
    InputError
        The network was not adjusted, or the kind takes another number of points.
    """
    shape = shape_of(kind, len(points))
    return evaluate(
        network,
        lambda: locate(network, marks, points),
        shape,
        name or f"{kind} {'–'.join(points)}",
        "multi-ray",
    )


def evaluate(
    network: CameraNetwork,
    find: Callable[[], Located | str],
    shape: Shape,
    name: str,
    method: MeasureMethod,
) -> Measurement:
    """The shape's value of the points that `find` gives, or why it is not determined."""
    blank = Measurement(
        name=name,
        kind=shape.kind,
        value=math.nan,
        unit=shape.unit,
        ci95_low=math.nan,
        ci95_high=math.nan,
        method=method,
        frame=frame_statement(network.frame),
    )
    if shape.power > 0 and not network.frame.metric:
        why = "the scene has no scale: a scale bar, control points or camera positions give one"
        return undetermined(blank, why)
    located = find()
    if isinstance(located, str):
        return undetermined(blank, located)
    return _valued(network, located, shape, blank)


def _valued(
    network: CameraNetwork, located: Located, shape: Shape, blank: Measurement
) -> Measurement:
    filled = replace(
        blank,
        photos=located.photos,
        photos_rejected=located.rejected,
        points_enu_m=tuples(located.points),
    )
    value, sigma, open_change = spread(located, shape.value)
    if open_change > _open_limit(shape, value):
        return undetermined(filled, open_depth(open_change, shape.unit))
    low, high = value - Z_95 * sigma, value + Z_95 * sigma
    if shape.kind == "slope" and len(located.points) > 2 and value < NEAR_ZERO * sigma:
        low = 0.0
    return replace(
        filled,
        value=value,
        ci95_low=max(0.0, low) if shape.size else low,
        ci95_high=high,
        note="; ".join((*located.remarks, *_up_note(network, shape))),
        series=_series(located) if shape.kind in ("profile", "section") else (),
    )


def spread(located: Located, value: Callable[[FloatArray], float]) -> tuple[float, float, float]:
    """The value of the points, its 1-sigma, and what an open depth changes it by."""
    gradient = gradient_of(value, located.points)
    open_change = abs(float(gradient @ located.mode))
    variance = float(gradient @ located.covariance @ gradient)
    return value(located.points), math.sqrt(max(0.0, variance) + open_change**2), open_change


def _open_limit(shape: Shape, value: float) -> float:
    return OPEN_DEPTH_DEG if shape.kind == "angle" else OPEN_DEPTH * abs(value)


def open_depth(change: float, unit: str) -> str:
    """Why a value is not determined where the honesty gate found the depth open."""
    return (
        "the photos do not determine the depth (a focal length 10 % away fits as well and "
        f"changes this by {change:.3g} {unit}): a control point, a vertical scale "
        "bar or a ring of oblique photos would"
    )


def _series(located: Located) -> tuple[tuple[float, float, float, float], ...]:
    """Station along the points in plan and height above the first, with its interval.

    A height difference is linear in two of the points' coordinates, so that its variance is three
    entries of the joint covariance: as `spread` finds it, without trying every coordinate.
    """
    points, covariance = located.points, located.covariance
    steps = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)
    station = np.concatenate([[0.0], np.cumsum(steps)])
    rises = points[:, 2] - points[0, 2]
    ups = 3 * np.arange(len(points)) + 2
    own = covariance[ups, ups]
    variance = own + own[0] - 2.0 * covariance[ups, ups[0]]
    open_change = located.mode[ups] - located.mode[ups[0]]
    half = Z_95 * np.sqrt(np.maximum(variance, 0.0) + open_change**2)
    rows = np.column_stack([station, rises, rises - half, rises + half])
    return tuple((float(s), float(up), float(low), float(high)) for s, up, low, high in rows)


def _up_note(network: CameraNetwork, shape: Shape) -> tuple[str, ...]:
    """What a reader must know of the frame to use the value."""
    levelled = network.frame.kind == "local" and network.accuracy.scale_source != "gcp"
    if shape.needs_up and levelled:
        return ("up is taken from gimbal angles or level horizons (2° in the interval)",)
    return ()


def frame_statement(frame: Frame) -> str:
    """Which frame a value is in, in words: lengths are on the ground, never on a map grid."""
    if frame.origin is None:
        unit = "in metres" if frame.metric else "without scale"
        return f"local frame {unit}; heights: {frame.vertical_datum}"
    at = frame.origin
    return (
        f"east, north, up in metres on the ground about {at.lat_deg:.7f}°, {at.lon_deg:.7f}°, "
        f"{at.alt_ellipsoid_m:.2f} m; heights above {frame.vertical_datum}"
    )


def undetermined(measured: Measurement, why: str) -> Measurement:
    """The same measurement without a value, and why."""
    nan = math.nan
    return replace(
        measured,
        value=nan,
        ci95_low=nan,
        ci95_high=nan,
        determined=False,
        note=f"not determined: {why}",
    )


def tuples(points: FloatArray) -> tuple[tuple[float, float, float], ...]:
    """(k, 3) points as plain numbers."""
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def gradient_of(value: Callable[[FloatArray], float], points: FloatArray) -> FloatArray:
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
