"""What a scene diagram shows, and where it lies on paper; the PDF of it.

A diagram is measured points and what was measured between them, over the scene's outline or its
orthophoto, at a round scale on the smallest sheet that holds it.  `Diagram` is the content in
metres, `Sheet` the paper; `dxf` draws the same content in metres.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typst

from droneteam.errors import InputError
from droneteam.photogrammetry.export import figures
from droneteam.photogrammetry.export.labels import LETTER_MM, LINE_MM, corners, spread
from droneteam.photogrammetry.export.moments import day_of, moment_words
from droneteam.photogrammetry.export.numbers import (
    DIAGRAM_SCALES,
    Language,
    check_language,
    number,
    value_text,
)
from droneteam.photogrammetry.export.sentences import translated
from droneteam.photogrammetry.scene import FloatArray, Frame, Measurement
from droneteam.photogrammetry.surface.ortho import Ortho
from droneteam.photogrammetry.surface.rasters import NO_DATA, Grid, Raster

PAPERS_MM = {
    "a4": (297, 210),
    "a3": (420, 297),
    "a2": (594, 420),
    "a1": (841, 594),
    "a0": (1189, 841),
}
"""ISO 216, lying."""
PREFERRED_PAPER = "a3"
MARGIN_MM = 12.0
BLOCK_MM = 36.0
"""Height of the title block."""
GRID_MM = 18.0
"""Least spacing of grid lines on paper."""
GRID_STEPS_M = (1, 2, 5, 10, 20, 50, 100)
AROUND_M = 1.0
"""Ground shown around what was measured, at least; else a tenth of its size."""
MAX_PICTURE_PX = 3500
LENGTHS = ("distance", "horizontal", "height", "slope")
RISES = ("height", "slope")
"""Kinds whose value is not the length of their line in plan."""
NAME_ASIDE_MM, NAME_UP_MM = 1.3, -2.2
"""Of a point's name from its cross."""
AREAS = ("area", "plan_area", "volume")
SAMPLED = ("profile", "section")
"""Kinds whose points are stations along a line, not places that someone chose."""


@dataclass(frozen=True, slots=True)
class DiagramPoint:
    """A named point, east, north, up in metres."""

    name: str
    enu_m: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Diagram:
    """The content of a scene diagram, in metres in the scene's frame.

    outline : (k, 2) rings around what the photos show; ortho : drawn beneath when given.
    scale : denominator, None for the largest that fits A3.
    caveats : English sentences that every reader of a length must know, such as an open depth.
    camera_clock : made_at is the clock of a camera that does not state its zone.
    """

    title: str
    language: Language
    made_at: datetime | None
    frame: Frame
    points: tuple[DiagramPoint, ...]
    measurements: tuple[Measurement, ...]
    outline: tuple[FloatArray, ...] = ()
    ortho: Ortho | None = None
    scale: int | None = None
    caveats: tuple[str, ...] = ()
    camera_clock: bool = False

    def __post_init__(self) -> None:
        check_language(self.language)
        if not self.frame.metric:
            raise InputError("the scene has no scale: a diagram to scale cannot be drawn")
        if self.scale is not None and self.scale not in DIAGRAM_SCALES:
            raise InputError(f"scale 1:{self.scale} is not one of {DIAGRAM_SCALES}", field="scale")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of paper and the ground on it.

    west_m, north_m : of the drawing's upper left corner; width_m, height_m : of the ground.
    """

    paper: str
    width_mm: float
    height_mm: float
    scale: int
    west_m: float
    north_m: float
    width_m: float
    height_m: float

    def mm(self, east_north_m: FloatArray) -> FloatArray:
        """(k, 2) millimetres right of and below the drawing's upper left corner."""
        at = np.atleast_2d(np.asarray(east_north_m, dtype=np.float64))
        offset = np.column_stack([at[:, 0] - self.west_m, self.north_m - at[:, 1]])
        return np.asarray(1e3 * offset / self.scale)

    @property
    def grid_m(self) -> int:
        """Spacing of the grid lines."""
        fits = (step for step in GRID_STEPS_M if 1e3 * step / self.scale >= GRID_MM)
        return next(fits, GRID_STEPS_M[-1])


def outline_of(dsm: Raster) -> tuple[FloatArray, ...]:
    """(k, 2) rings around the known cells, simplified to a cell; small islands left out."""
    known = (dsm.mask > NO_DATA).astype(np.uint8)
    rings, _ = cv2.findContours(known, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    kept = []
    for ring in rings:
        if cv2.contourArea(ring) < 0.01 * float(known.sum()):
            continue
        corners = cv2.approxPolyDP(ring, 1.0, True).reshape(-1, 2).astype(np.float64) + 0.5
        east = dsm.grid.east_m + corners[:, 0] * dsm.grid.gsd_m
        north = dsm.grid.north_m - corners[:, 1] * dsm.grid.gsd_m
        kept.append(np.column_stack([east, north]))
    return tuple(kept)


def sheet_of(diagram: Diagram) -> Sheet:
    """The sheet that holds the diagram.

    Raises
    ------
    InputError
        Nothing to draw, or too much for A0; names the scale that would do.
    """
    low, high = _extent(diagram)
    size = high - low
    if diagram.scale is None:
        for scale in DIAGRAM_SCALES:
            if (sheet := _fitting(PREFERRED_PAPER, scale, low, high)) is not None:
                return sheet
    for paper in PAPERS_MM:
        scale = diagram.scale or DIAGRAM_SCALES[-1]
        if (sheet := _fitting(paper, scale, low, high)) is not None:
            return sheet
    raise InputError(
        f"{size[0]:.0f} m x {size[1]:.0f} m does not fit A0 at 1:{scale}; "
        f"choose a smaller scale (1:{DIAGRAM_SCALES[-1]} at most) or fewer measurements",
        field="scale",
    )


def _extent(diagram: Diagram) -> tuple[FloatArray, FloatArray]:
    """South-west and north-east of what is drawn: what was measured, else the whole outline."""
    rows = [point.enu_m[:2] for point in diagram.points]
    rows += [point[:2] for m in diagram.measurements for point in m.points_enu_m]
    if len(rows) < 2:
        rows += [tuple(corner) for ring in diagram.outline for corner in ring]
    if len(rows) < 2:
        raise InputError("there is nothing to draw: measure something, or build the surface")
    at = np.array(rows)
    low, high = at.min(axis=0), at.max(axis=0)
    around = max(AROUND_M, 0.1 * float((high - low).max()))
    return low - around, high + around


def _fitting(paper: str, scale: int, low: FloatArray, high: FloatArray) -> Sheet | None:
    width_mm, height_mm = PAPERS_MM[paper]
    ground = np.array([width_mm - 2 * MARGIN_MM, height_mm - 2 * MARGIN_MM - BLOCK_MM])
    ground = ground * scale / 1e3
    if ((high - low) > ground).any():
        return None
    middle = 0.5 * (low + high)
    west, north = middle[0] - 0.5 * ground[0], middle[1] + 0.5 * ground[1]
    return Sheet(
        paper, width_mm, height_mm, scale,
        float(west), float(north), float(ground[0]), float(ground[1]),
    )  # fmt: skip


def write_diagram(diagram: Diagram, path: Path) -> Sheet:
    """The diagram as a tagged PDF (PDF/UA-1) to scale; the sheet that it lies on."""
    sheet = sheet_of(diagram)
    package = resources.files("droneteam.photogrammetry.export")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with resources.as_file(package / "scene_diagram.typ") as source:
            shutil.copyfile(source, folder / source.name)
        data = diagram_data(diagram, sheet, folder)
        (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        partial = path.with_name(path.name + ".part")
        typst.compile(
            folder / "scene_diagram.typ",
            output=partial,
            root=folder,
            format="pdf",
            pdf_standards=["ua-1"],
        )
    partial.replace(path)
    return sheet


def words(language: Language) -> dict[str, str]:
    """The diagram's words in a language."""
    package = resources.files("droneteam.photogrammetry.export")
    table = json.loads((package / "scene_diagram.json").read_text(encoding="utf-8"))
    return {key: row[language] for key, row in table.items()}


def made_words(diagram: Diagram) -> str:
    """When what the diagram shows was photographed."""
    if diagram.made_at is None:
        return words(diagram.language)["undated"]
    return moment_words(diagram.made_at, diagram.language, camera_clock=diagram.camera_clock)


def diagram_data(diagram: Diagram, sheet: Sheet, folder: Path) -> dict[str, Any]:
    """What the template draws, in millimetres; the picture is written into `folder`."""
    text, language = words(diagram.language), diagram.language
    made = diagram.made_at
    points = np.array([sheet.mm(np.array(p.enu_m[:2]))[0] for p in diagram.points]).reshape(-1, 2)
    names = _name_places(diagram, points)
    return {
        "language": language,
        "words": text,
        "title": diagram.title,
        "made_at": made_words(diagram),
        "date": None if made is None else day_of(made, camera_clock=diagram.camera_clock),
        "paper_mm": [sheet.width_mm, sheet.height_mm],
        "margin_mm": MARGIN_MM,
        "block_mm": BLOCK_MM,
        "ground_mm": [1e3 * sheet.width_m / sheet.scale, 1e3 * sheet.height_m / sheet.scale],
        "scale": f"1:{sheet.scale}",
        "bar": _bar(sheet, language),
        "north": diagram.frame.origin is not None,
        "frame": frame_words(diagram.frame, language),
        "grid": _grid(sheet, language),
        "picture": _picture(diagram, sheet, folder),
        "outline": [sheet.mm(ring).round(3).tolist() for ring in diagram.outline],
        "points": [
            {"name": point.name, "at": at.round(3).tolist(), "label_at": label.round(3).tolist()}
            for point, at, label in zip(diagram.points, points, names, strict=True)
        ],
        "shapes": _shapes(diagram, sheet, _boxes(diagram, names)),
        "caveats": caveat_words(diagram),
        "point_list": [
            [p.name, *(number(v, 3, language) for v in p.enu_m)] for p in diagram.points
        ],
        "measurements": [
            [m.name, text["kind_" + m.kind], value_text(m, language) or text["not_determined"],
             str(len(m.photos))]
            for m in diagram.measurements
        ],
    }  # fmt: skip


def caveat_words(diagram: Diagram) -> list[str]:
    """The caveats in the reader's language."""
    return [translated(caveat, diagram.language) for caveat in diagram.caveats]


def frame_words(frame: Frame, language: Language) -> str:
    """The frame and its vertical datum in the reader's language."""
    text, datum = words(language), translated(frame.vertical_datum, language)
    if frame.origin is None:
        return f"{text['frame_local']}{text['semicolon']}{text['heights_above']} {datum}"
    at = frame.origin
    return (
        f"{text['frame_enu']} {number(at.lat_deg, 7, language)}° N{text['semicolon']}"
        f"{number(at.lon_deg, 7, language)}° E{text['semicolon']}"
        f"{number(at.alt_ellipsoid_m, 2, language)}\u00a0m "
        f"(WGS84){text['semicolon']}{text['heights_above']} {datum}"
    )


def dimension_text(measured: Measurement, language: Language) -> str:
    """Value and half-width of the 95 % interval: 12.345 m ± 0.012; empty without a value."""
    return value_text(measured, language) or ""


def rise_sign(measured: Measurement) -> str:
    """What tells a height difference from a length: its line on the sheet is not what it says."""
    return "Δh " if measured.kind == "height" else ""


def _bar(sheet: Sheet, language: Language) -> dict[str, Any]:
    length = next((s for s in reversed(GRID_STEPS_M) if 1e3 * s / sheet.scale <= 60.0), 1)
    return {"mm": 1e3 * length / sheet.scale, "text": f"{number(length, 0, language)} m"}


def _grid(sheet: Sheet, language: Language) -> dict[str, Any]:
    """Where grid lines cross the drawing's edges, with their coordinates."""
    step = sheet.grid_m
    east = np.arange(math.ceil(sheet.west_m / step), sheet.west_m / step + sheet.width_m / step)
    south = sheet.north_m - sheet.height_m
    north = np.arange(math.ceil(south / step), sheet.north_m / step)
    return {
        "east": [
            [float(v), number(e * step, 0, language)]
            for e, v in zip(east, 1e3 * (east * step - sheet.west_m) / sheet.scale, strict=True)
        ],
        "north": [
            [float(v), number(n * step, 0, language)]
            for n, v in zip(north, 1e3 * (sheet.north_m - north * step) / sheet.scale, strict=True)
        ],
        "step": f"{step} m",
    }


def _name_places(diagram: Diagram, points_mm: FloatArray) -> FloatArray:
    """(k, 2) centres of the points' names: right of and above their crosses, beside each other."""
    wide = np.array([LETTER_MM * len(point.name) for point in diagram.points])
    beside = points_mm + np.column_stack(
        [NAME_ASIDE_MM + 0.5 * wide, np.full(len(wide), NAME_UP_MM)]
    )
    return spread(beside.tolist(), [p.name for p in diagram.points], [0.0] * len(wide))


def _boxes(diagram: Diagram, names_mm: FloatArray) -> list[FloatArray]:
    """What the points' names cover."""
    return [
        corners(at, LETTER_MM * len(point.name), LINE_MM, 0.0)
        for point, at in zip(diagram.points, names_mm, strict=True)
    ]


def _shapes(diagram: Diagram, sheet: Sheet, taken: Sequence[FloatArray]) -> list[dict[str, Any]]:
    """The measurements as they are drawn, with their texts beside each other and the names."""
    drawn = [_shape(measured, sheet, diagram.language) for measured in diagram.measurements]
    shapes = [shape for shape in drawn if shape is not None]
    places = spread(
        [shape["at"] for shape in shapes],
        [shape["text"] for shape in shapes],
        [shape["turn_deg"] for shape in shapes],
        taken,
    )
    return [{**row, "at": at} for row, at in zip(shapes, places.round(3).tolist(), strict=True)]


def _shape(measured: Measurement, sheet: Sheet, language: Language) -> dict[str, Any] | None:
    """A measurement as it is drawn; None for one without points or value."""
    if not (measured.determined and measured.points_enu_m):
        return None
    at = sheet.mm(np.array(measured.points_enu_m)[:, :2]).round(3)
    kind = "length" if measured.kind in LENGTHS else "path"
    if measured.kind in AREAS:
        kind = "area"
    if measured.kind in RISES:
        kind = "rise"
    value = f"{rise_sign(measured)}{dimension_text(measured, language)}"
    label = f"{measured.name}{words(language)['colon']}{value}"
    first, last = at[0], at[-1]
    turn = math.degrees(math.atan2(last[1] - first[1], last[0] - first[0]))
    return {
        "kind": kind,
        "points": at.tolist(),
        "crosses": [] if measured.kind in SAMPLED else at.tolist(),
        "text": label,
        "at": _label_place(measured, at).tolist(),
        "turn_deg": (turn + 90.0) % 180.0 - 90.0 if kind in ("length", "rise") else 0.0,
    }


def _label_place(measured: Measurement, at_mm: FloatArray) -> FloatArray:
    """Where a measurement's text stands: beside an angle's vertex, on a line, within an area."""
    if measured.kind in AREAS:
        return np.asarray(at_mm.mean(axis=0))
    if measured.kind in LENGTHS:
        return np.asarray(0.5 * (at_mm[0] + at_mm[-1]))
    return np.asarray(at_mm[len(at_mm) // 2] + [0.0, 4.0])


def _picture(diagram: Diagram, sheet: Sheet, folder: Path) -> dict[str, Any] | None:
    """The part of the orthophoto on the sheet, with its place; None without one."""
    if diagram.ortho is None:
        return None
    part = _cut(diagram.ortho, sheet)
    if part is None:
        return None
    figure = figures.write_ortho_figure(part, folder, MAX_PICTURE_PX)
    corner = sheet.mm(np.array([part.grid.east_m, part.grid.north_m]))[0]
    return {
        "file": figure.file,
        "at": corner.tolist(),
        "size": [1e3 * figure.width_m / sheet.scale, 1e3 * figure.height_m / sheet.scale],
    }


def _cut(ortho: Ortho, sheet: Sheet) -> Ortho | None:
    grid = ortho.grid
    column, row = grid.cell_of(
        np.array([sheet.west_m, sheet.west_m + sheet.width_m]),
        np.array([sheet.north_m, sheet.north_m - sheet.height_m]),
    )
    left, right = (int(np.clip(v, 0, grid.width)) for v in column)
    top, bottom = (int(np.clip(v, 0, grid.height)) for v in row)
    if right <= left or bottom <= top:
        return None
    window = (slice(top, bottom), slice(left, right))
    east, north = grid.east_m + left * grid.gsd_m, grid.north_m - top * grid.gsd_m
    return replace(
        ortho,
        grid=Grid(east, north, grid.gsd_m, right - left, bottom - top),
        rgb=ortho.rgb[window],
        mask=ortho.mask[window],
        source=ortho.source[window],
    )


def points_of(named: Sequence[tuple[Measurement, Sequence[str]]]) -> tuple[DiagramPoint, ...]:
    """The points of measurements under their names; a later place of a name counts.

    Of a profile along a line of places the ends are named: its other points are stations.
    """
    found: dict[str, DiagramPoint] = {}
    for measured, names in named:
        places = measured.points_enu_m
        if measured.kind == "profile" and 2 <= len(names) < len(places):
            names, places = (names[0], names[-1]), (places[0], places[-1])
        if len(names) != len(places):
            continue
        for name, at in zip(names, places, strict=True):
            found[name] = DiagramPoint(name, at)
    return tuple(found.values())
