"""Drawings of the report that are lines, not pictures: the camera network and profiles, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from droneteam.photogrammetry.export.numbers import Language, number
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Measurement

WIDTH_MM, PLAN_MM, SIDE_MM, PLOT_MM = 170.0, 110.0, 45.0, 70.0
MARGIN_MM = 12.0
RAY_SHARE = 0.35
"""Length of a viewing direction, as a share of the cameras' median height above the ground."""
MAX_TIES = 1500
FONT = "Libertinus Serif"
TICKS = 5


@dataclass(slots=True)
class _Canvas:
    """SVG elements in millimetres."""

    width_mm: float
    height_mm: float
    parts: list[str] = field(default_factory=list)

    def line(self, a: Sequence[float], b: Sequence[float], colour: str, width: float) -> None:
        self.parts.append(
            f'<line x1="{a[0]:.2f}" y1="{a[1]:.2f}" x2="{b[0]:.2f}" y2="{b[1]:.2f}" '
            f'stroke="{colour}" stroke-width="{width}"/>'
        )

    def dot(self, at: Sequence[float], radius: float, colour: str) -> None:
        self.parts.append(
            f'<circle cx="{at[0]:.2f}" cy="{at[1]:.2f}" r="{radius}" fill="{colour}"/>'
        )

    def text(
        self, at: Sequence[float], text: str, *, size: float = 2.6, anchor: str = "start"
    ) -> None:
        self.parts.append(
            f'<text x="{at[0]:.2f}" y="{at[1]:.2f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-family="{FONT}">{escape(text)}</text>'
        )

    def polygon(self, points: FloatArray, colour: str) -> None:
        corners = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        self.parts.append(f'<polygon points="{corners}" fill="{colour}" stroke="none"/>')

    def write(self, path: Path) -> None:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width_mm}mm" '
            f'height="{self.height_mm}mm" viewBox="0 0 {self.width_mm} {self.height_mm}">'
        )
        path.write_text("\n".join([head, *self.parts, "</svg>"]), encoding="utf-8")


def write_network_figure(
    network: CameraNetwork, path: Path, language: Language
) -> tuple[float, float]:
    """The cameras with their viewing directions from above and from the south; its size in mm."""
    canvas = _Canvas(WIDTH_MM, PLAN_MM + SIDE_MM)
    centres = np.array([v.centre_enu_m for v in network.views])
    forward = np.array([v.cam_from_enu[2, :3] for v in network.views])
    ties = network.sparse.points_enu_m
    ties = ties[:: max(1, len(ties) // MAX_TIES)]
    ground = float(np.median(ties[:, 2])) if len(ties) else float(centres[:, 2].min())
    reach = RAY_SHARE * max(1e-6, float(np.median(centres[:, 2]) - ground))
    tips = centres + reach * forward
    for axis, top, height in ((1, 0.0, PLAN_MM), (2, PLAN_MM, SIDE_MM)):
        axes = [0, axis]
        everything = np.concatenate([centres, tips, ties])[:, axes]
        to_mm = _fit(everything, top, height)
        for point in to_mm(ties[:, axes]):
            canvas.dot(point, 0.25, "#b0b0b0")
        for a, b in zip(to_mm(centres[:, axes]), to_mm(tips[:, axes]), strict=True):
            canvas.line(a, b, "#0b5394", 0.35)
            canvas.dot(a, 0.9, "#0b5394")
        _scale_bar(canvas, to_mm, everything, top + height - 3.0, language, network.frame.metric)
    canvas.write(path)
    return canvas.width_mm, canvas.height_mm


class _Fit:
    """Metres to millimetres, alike in both directions, centred in a box."""

    def __init__(self, low: FloatArray, per_m: float, corner: FloatArray, height: float) -> None:
        self.low, self.per_m, self.corner, self.height = low, per_m, corner, height

    def __call__(self, points: FloatArray) -> FloatArray:
        at = (points - self.low) * self.per_m
        return np.column_stack([self.corner[0] + at[:, 0], self.corner[1] + self.height - at[:, 1]])


def _fit(points: FloatArray, top_mm: float, height_mm: float) -> _Fit:
    low, high = np.quantile(points, (0.0, 1.0), axis=0)
    room = np.array([WIDTH_MM - 2 * MARGIN_MM, height_mm - 2 * MARGIN_MM])
    per_m = float((room / np.maximum(high - low, 1e-9)).min())
    used = (high - low) * per_m
    corner = np.array([MARGIN_MM, top_mm + MARGIN_MM]) + 0.5 * (room - used)
    return _Fit(low, per_m, corner, float(used[1]))


def _scale_bar(
    canvas: _Canvas,
    to_mm: _Fit,
    points: FloatArray,
    y_mm: float,
    language: Language,
    metric: bool,
) -> None:
    if not metric:
        return
    length = _round_below(0.3 * float(np.ptp(points[:, 0])) + 1e-9)
    start, end = (MARGIN_MM, y_mm), (MARGIN_MM + length * to_mm.per_m, y_mm)
    canvas.line(start, end, "black", 0.6)
    digits = 0 if length >= 1.0 else 1
    canvas.text((end[0] + 1.5, y_mm + 0.9), f"{number(length, digits, language)} m")


def write_profile_figure(
    measured: Measurement, path: Path, language: Language
) -> tuple[float, float]:
    """A profile's heights over its stations with the band of their 95 % interval; size in mm."""
    rows = np.array(measured.series)
    station, up, low, high = rows.T
    canvas = _Canvas(WIDTH_MM, PLOT_MM)
    span = (float(low.min()), max(float(high.max()), float(low.min()) + 1e-3))
    width, height = WIDTH_MM - 2 * MARGIN_MM, PLOT_MM - 2 * MARGIN_MM

    def place(s: FloatArray, z: FloatArray) -> FloatArray:
        x = MARGIN_MM + width * s / max(float(station[-1]), 1e-9)
        y = PLOT_MM - MARGIN_MM - height * (z - span[0]) / (span[1] - span[0])
        return np.column_stack([x, y])

    band = np.concatenate([place(station, high), place(station, low)[::-1]])
    canvas.polygon(band, "#cfe2f3")
    _axes(canvas, place, float(station[-1]), span, language)
    line = place(station, up)
    for a, b in pairwise(line):
        canvas.line(a, b, "#0b5394", 0.4)
    canvas.write(path)
    return canvas.width_mm, canvas.height_mm


Place = Callable[[FloatArray, FloatArray], FloatArray]


def _axes(
    canvas: _Canvas,
    place: Place,
    length_m: float,
    span: tuple[float, float],
    language: Language,
) -> None:
    for value in _ticks(0.0, length_m):
        x = place(np.array([value]), np.array([span[0]]))[0]
        canvas.line(x, (x[0], x[1] + 1.2), "black", 0.25)
        canvas.text((x[0], x[1] + 4.5), f"{number(value, 1, language)} m", anchor="middle")
    for value in _ticks(*span):
        y = place(np.array([0.0]), np.array([value]))[0]
        canvas.line(y, (WIDTH_MM - MARGIN_MM, y[1]), "#d0d0d0", 0.2)
        canvas.text((y[0] - 1.0, y[1] + 0.9), f"{number(value, 2, language)} m", anchor="end")


def _ticks(low: float, high: float) -> list[float]:
    step = _round_below((high - low) / (TICKS - 1) + 1e-12)
    first = int(np.ceil(low / step - 1e-9))
    return [k * step for k in range(first, int(np.floor(high / step + 1e-9)) + 1)]


def _round_below(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= value * (1 + 1e-9))
