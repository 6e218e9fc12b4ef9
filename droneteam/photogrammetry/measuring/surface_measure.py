"""Measurements on the surface model and in the cloud: lengths, areas, volumes, profiles, sections.

Less exact than marks in photos, but anywhere on the surface; what the surface does not know (gaps,
filled cells, an undetermined depth) is said instead of bridged.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras.locate import Located, covariance_of, joined, locate
from droneteam.photogrammetry.cloud_file import blocks
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.measuring.measure import (
    OPEN_DEPTH,
    Z_95,
    evaluate,
    frame_statement,
    open_depth,
    undetermined,
)
from droneteam.photogrammetry.measuring.shapes import SHAPES, shape_of
from droneteam.photogrammetry.measuring.surface_points import located_on_surface, sensitivities
from droneteam.photogrammetry.measuring.volumes import Volume, volume_above, volume_between
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, FloatArray, Measurement
from droneteam.photogrammetry.surface.rasters import Raster

MAX_STATIONS = 400
"""Samples of a profile or section; a finer step is no better known."""
LEAST_IN_BIN = 3
"""Cloud points that a station of a section needs."""


def from_surface(
    network: CameraNetwork,
    raster: Raster,
    kind: str,
    places_en_m: FloatArray,
    *,
    name: str = "",
) -> Measurement:
    """A length, area, angle or slope between places of the surface.

    places_en_m : (k, 2) east, north, chosen on the map.

    Raises
    ------
    InputError
        The kind takes another number of points; volumes and profiles have their own functions.
    """
    shape = shape_of(kind, len(places_en_m))
    if kind in ("volume", "profile"):
        raise InputError(f"a {kind} on the surface is not made of points alone", field="kind")
    return evaluate(
        network,
        lambda: located_on_surface(network, raster, places_en_m),
        shape,
        name or kind,
        "surface",
    )


def profile(
    network: CameraNetwork,
    raster: Raster,
    line_en_m: FloatArray,
    *,
    step_m: float | None = None,
    name: str = "",
) -> Measurement:
    """Heights along a line over the surface, relative to its first point.

    line_en_m : (k, 2) corners; step_m : between stations, by default two cells.
    """
    places, _ = stations(line_en_m, step_m or 2.0 * raster.grid.gsd_m)
    return evaluate(
        network,
        lambda: located_on_surface(network, raster, places, picked=False),
        SHAPES["profile"],
        name or "profile",
        "surface",
    )


def section(
    network: CameraNetwork,
    cloud: DenseCloud,
    line_en_m: FloatArray,
    *,
    width_m: float,
    step_m: float,
    name: str = "",
) -> Measurement:
    """A cross-section of the cloud: the median height of the points beside a straight line.

    line_en_m : (2, 2) ends; width_m : of the band whose points count; step_m : between stations.
    Stations without points are left out.
    """
    if np.shape(line_en_m) != (2, 2):
        raise InputError("a section runs straight between two points", field="points")
    return evaluate(
        network,
        lambda: _located_in_cloud(network, cloud, line_en_m, width_m, step_m),
        replace(SHAPES["profile"], kind="section"),
        name or "section",
        "surface",
    )


def volume(
    network: CameraNetwork,
    raster: Raster,
    base: Sequence[str] | FloatArray,
    *,
    marks: Sequence[Mark] = (),
    follow: bool = False,
    name: str = "",
) -> Measurement:
    """The volume of the surface above a base: its mean plane, or (follow) triangles through it.

    base : names of marked points, or (k, 2) east, north of places on the surface, around the
    body in order.
    """

    def find() -> Volume | str:
        if isinstance(base, np.ndarray):
            located = located_on_surface(network, raster, base, edges=False)
        else:
            located = locate(network, marks, tuple(base))
        if isinstance(located, str):
            return located
        return volume_above(network, raster, located, follow=follow)

    return _volume_measurement(network, find, name or "volume")


def volume_change(
    before: tuple[CameraNetwork, Raster],
    after: tuple[CameraNetwork, Raster],
    corners_en_m: FloatArray,
    *,
    name: str = "",
) -> Measurement:
    """What was added between two surfaces inside a polygon (negative: taken away)."""

    def find() -> Volume | str:
        return volume_between(before, after, corners_en_m)

    return _volume_measurement(after[0], find, name or "volume change")


def _volume_measurement(
    network: CameraNetwork, find: Callable[[], Volume | str], name: str
) -> Measurement:
    nan = math.nan
    blank = Measurement(
        name, "volume", nan, "m³", nan, nan, "surface", frame=frame_statement(network.frame)
    )
    if not network.frame.metric:
        why = "the scene has no scale: a scale bar, control points or camera positions give one"
        return undetermined(blank, why)
    found = find()
    if isinstance(found, str):
        return undetermined(blank, found)
    filled = replace(blank, photos=found.photos)
    if found.open_change_m3 > OPEN_DEPTH * abs(found.net_m3):
        return undetermined(filled, open_depth(found.open_change_m3, "m³"))
    half = Z_95 * found.sigma_m3
    return replace(
        filled,
        value=found.net_m3,
        ci95_low=found.net_m3 - half,
        ci95_high=found.net_m3 + half,
        note="; ".join(found.remarks),
    )


def stations(line_en_m: FloatArray, step_m: float) -> tuple[FloatArray, FloatArray]:
    """(s, 2) places evenly along a line, its corners included, and their (s,) stations.

    Raises
    ------
    InputError
        Fewer than two corners, no length, or a step that is not positive.
    """
    line = np.asarray(line_en_m, dtype=np.float64)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1) if len(line) > 1 else np.zeros(1)
    total = float(lengths.sum())
    if not total > 0.0 or not math.isfinite(total):
        raise InputError("a profile needs two different points", field="points")
    if not step_m > 0.0:
        raise InputError(f"step_m {step_m} must be positive", field="step_m")
    count = min(MAX_STATIONS, math.ceil(total / step_m - 1e-9)) + 1
    corner = np.concatenate([[0.0], np.cumsum(lengths)])
    corner[-1] = total
    along = np.unique(np.concatenate([np.linspace(0.0, total, count), corner]))
    places = [np.interp(along, corner, line[:, axis]) for axis in (0, 1)]
    return np.column_stack(places), along


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """Cloud points beside a line: their station (m), height (m) and sigma (m)."""

    station: FloatArray
    up: FloatArray
    sigma: FloatArray


def _located_in_cloud(
    network: CameraNetwork, cloud: DenseCloud, line: FloatArray, width_m: float, step_m: float
) -> Located | str:
    places, along = stations(line, step_m)
    band = _band(cloud, np.asarray(line, dtype=np.float64), width_m)
    if isinstance(band, str):
        return band
    nearest = np.rint(band.station / (along[1] - along[0])).astype(np.int64)
    points, noises = [], []
    for index, place in enumerate(places):
        rows = nearest == index
        if np.count_nonzero(rows) < LEAST_IN_BIN:
            continue
        points.append((*place, float(np.median(band.up[rows]))))
        noises.append(np.diag([0.0, 0.0, _median_variance(band, rows)]))
    if len(points) < 2:
        return "the cloud holds too few points along the section: widen it or use a longer step"
    moved = sensitivities(network, np.array(points))
    if isinstance(moved, str):
        return moved
    missing = len(places) - len(points)
    remarks = (f"{missing} of {len(places)} stations have no points",) if missing else ()
    return joined(
        covariance_of(network),
        np.array(points),
        moved[0],
        noises,
        photos=moved[1],
        remarks=remarks,
    )


def _median_variance(band: _Band, rows: FloatArray) -> float:
    """Of a bin's median: its points err alike (no √n), plus half of their spread's own share."""
    up, sigma = band.up[rows], band.sigma[rows]
    spread = 1.4826 * float(np.median(np.abs(up - np.median(up))))
    return float(np.median(sigma)) ** 2 + math.pi / 2.0 * spread**2 / len(up)


def _band(cloud: DenseCloud, line: FloatArray, width_m: float) -> _Band | str:
    if not width_m > 0.0:
        raise InputError(f"width_m {width_m} must be positive", field="width_m")
    direction = line[1] - line[0]
    length = float(np.linalg.norm(direction))
    unit = direction / length
    across = np.array([-unit[1], unit[0]])
    parts: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for start, block in blocks(cloud.points_enu_m):
        offset = block[:, :2] - line[0]
        station = offset @ unit
        beside = (np.abs(offset @ across) <= 0.5 * width_m) & (station >= 0.0) & (station <= length)
        sigma = cloud.sigma_m[start : start + len(block)][beside]
        parts.append((station[beside], block[beside, 2], sigma.astype(np.float64)))
    if not any(len(station) for station, _, _ in parts):
        return "no point of the cloud lies beside the section"
    return _Band(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def write_series(measured: Measurement, path: Path) -> None:
    """A profile's or section's rows as CSV: station, height above the first, its 95 % interval.

    Raises
    ------
    InputError
        The measurement has no series.
    """
    if not measured.series:
        raise InputError(f"{measured.name} is a {measured.kind}; only profiles have a series")
    partial = path.with_name(path.name + ".part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["station_m", "height_m", "ci95_low_m", "ci95_high_m"])
        rows.writerows([f"{value:.4f}" for value in row] for row in measured.series)
    partial.replace(path)
