"""Maps and charts of a sortie in millimetres on paper; pure.

x runs right and y runs down, as on the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.geo import EnuFrame, FloatArray, GeoPoint

Place = tuple[float, float]
Chain = tuple[Place, ...]
MAP_WIDTH_MM, MAP_HEIGHT_MM = 170.0, 120.0
MARGIN_MM = 8.0
CHART_WIDTH_MM, CHART_HEIGHT_MM = 155.0, 32.0
LEAST_SPAN_M = 20.0
"""A sortie that stayed on its place still gets a map of this size."""


@dataclass(frozen=True, slots=True)
class SketchMap:
    """A map; bar_mm : length of the scale bar; scale : 1 to how much."""

    width_mm: float
    height_mm: float
    path: Chain
    fence: Chain
    photos: Chain
    home: Place | None
    bar_mm: float
    bar_text: str
    scale: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: lines with gaps where nothing is known, limits across, ticks with their words."""

    title: str
    alt: str
    width_mm: float
    height_mm: float
    lines: tuple[Chain, ...]
    limits: tuple[float, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def sketch_map(
    path: Sequence[Place], fence: Sequence[Place], photos: Sequence[Place], home: Place | None
) -> SketchMap | None:
    """The map of places (latitude, longitude); None without any."""
    everything = [*path, *fence, *photos, *(() if home is None else (home,))]
    if not everything:
        return None
    frame = EnuFrame(GeoPoint(*everything[0]))
    metres = _metres(frame, everything)
    low, high = metres.min(axis=0), metres.max(axis=0)
    middle, span = 0.5 * (low + high), np.maximum(high - low, LEAST_SPAN_M)
    room = np.array([MAP_WIDTH_MM, MAP_HEIGHT_MM]) - 2.0 * MARGIN_MM
    mm_per_m = float(np.min(room / span))

    def on_paper(places: Sequence[Place]) -> Chain:
        if not places:
            return ()
        offset = (_metres(frame, places) - middle) * mm_per_m * [1.0, -1.0]
        paper = offset + [0.5 * MAP_WIDTH_MM, 0.5 * MAP_HEIGHT_MM]
        return tuple((x, y) for x, y in np.round(paper, 2).tolist())

    bar_m = round_below(0.3 * MAP_WIDTH_MM / mm_per_m)
    return SketchMap(
        width_mm=MAP_WIDTH_MM,
        height_mm=MAP_HEIGHT_MM,
        path=on_paper(path),
        fence=on_paper(fence),
        photos=on_paper(photos),
        home=None if home is None else on_paper([home])[0],
        bar_mm=round(bar_m * mm_per_m, 2),
        bar_text=f"{bar_m:g} m",
        scale=1000.0 / mm_per_m,
    )


def _metres(frame: EnuFrame, places: Sequence[Place]) -> FloatArray:
    """(n, 2) metres east and north."""
    rows = np.array([(lat, lon, 0.0) for lat, lon in places], dtype=np.float64)
    return np.asarray(frame.enu_from_geodetic(rows)[:, :2])


def chart(
    title: str,
    alt: str,
    x: FloatArray,
    y: FloatArray,
    *,
    limits: Sequence[float] = (),
    y_top: float | None = None,
    decimal: str = ".",
) -> Chart:
    """A line of y over x, both (n,); NaN in y makes a gap; limits : of y, drawn across.

    y_top : the axis' upper end, None for a round number above everything; decimal : the sign
    between whole and parts.
    """
    known = np.isfinite(y)
    left = float(x.min()) if len(x) else 0.0
    right = max(float(x.max()), left + 1e-9) if len(x) else 1.0
    bottom = min(0.0, float(np.floor(y[known].min()))) if known.any() else 0.0
    step, top = _upper_end(y[known], limits, y_top)

    def at(a: float, b: float) -> Place:
        across = (a - left) / (right - left) * CHART_WIDTH_MM
        return round(across, 2), round((top - b) / (top - bottom) * CHART_HEIGHT_MM, 2)

    def text(mark: float) -> str:
        return f"{mark:g}".replace(".", decimal)

    return Chart(
        title=title,
        alt=alt,
        width_mm=CHART_WIDTH_MM,
        height_mm=CHART_HEIGHT_MM,
        lines=tuple(tuple(map(at, x[part].tolist(), y[part].tolist())) for part in _runs(known)),
        limits=tuple(at(left, limit)[1] for limit in limits),
        x_ticks=tuple((at(mark, top)[0], text(mark)) for mark in _marks(left, right)),
        y_ticks=tuple(
            (at(left, n * step)[1], text(n * step))
            for n in range(math.floor(top / step + 1e-9) + 1)
        ),
    )


def _upper_end(
    known: FloatArray, limits: Sequence[float], y_top: float | None
) -> tuple[float, float]:
    """The step between marks and the upper end of the axis, above everything."""
    if y_top is not None:
        return y_top / 4.0, y_top
    highest = max([float(known.max()) if len(known) else 0.0, *limits, 1e-9])
    step = round_above(highest / 4.0)
    return step, step * math.ceil(highest / step + 1e-9)


def _upwards(step: float, top: float) -> list[float]:
    """0, one step, two steps, up to the end."""
    return [n * step for n in range(math.floor(top / step + 1e-9) + 1)]


def _marks(left: float, right: float) -> list[float]:
    """Round numbers across an axis, eight at most."""
    step = round_above((right - left) / 8.0)
    first, last = math.ceil(left / step - 1e-9), math.floor(right / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def _runs(known: np.ndarray) -> list[slice]:
    """Where values follow each other without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def round_above(value: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= value * (1 - 1e-9))


def round_below(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(k * power for k in (5, 2, 1) if k * power <= value * (1 + 1e-9))
