"""A scene diagram as DXF (R2010, ASCII): metres in the scene's frame, dimensions as DIMENSION.

Every kind of content has its layer.  The frame is written into the drawing and into its custom
properties, because DXF has no reference system of its own.  A dimension's text is the measured
value with its interval: the drawing alone would show the length in plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ezdxf
import numpy as np
from ezdxf import units
from ezdxf.document import Drawing
from ezdxf.enums import TextEntityAlignment
from ezdxf.filemanagement import new
from ezdxf.layouts.layout import Modelspace

from droneteam.photogrammetry.export.diagram import (
    AREAS,
    Diagram,
    Sheet,
    caveat_words,
    frame_words,
    made_words,
    rise_sign,
    sheet_of,
    words,
)
from droneteam.photogrammetry.export.numbers import value_text
from droneteam.photogrammetry.measuring.measure import frame_statement
from droneteam.photogrammetry.scene import Measurement

LAYERS = {
    "OUTLINE": 8,
    "GRID": 9,
    "POINTS": 7,
    "POINT_NAMES": 7,
    "DIMENSIONS": 1,
    "LINES": 3,
    "AREAS": 5,
    "TEXT": 7,
    "NORTH": 7,
}
"""Layer to AutoCAD colour index."""
DIMENSIONED = ("distance", "horizontal")
TEXT_MM = 2.5
"""Height of text on paper at the diagram's scale."""
STYLE = "SCENE"


def write_dxf(diagram: Diagram, path: Path) -> None:
    """The diagram in metres; the same diagram gives the same bytes."""
    sheet = sheet_of(diagram)
    text_m = 1e-3 * TEXT_MM * sheet.scale
    document = _document(diagram, sheet, text_m)
    space = document.modelspace()
    _outline_and_grid(space, diagram, sheet, text_m)
    _points(space, diagram, text_m)
    for measured in diagram.measurements:
        _measurement(space, diagram, measured, text_m)
    _statements(space, diagram, sheet, text_m)
    partial = path.with_name(path.name + ".part")
    for name in sorted(document.entitydb.dxf_types_in_use()):
        document.classes.add_class(name)  # ezdxf would add them in the order of a set of strings
    with _repeatable():
        document.saveas(partial)
    partial.replace(path)


def _document(diagram: Diagram, sheet: Sheet, text_m: float) -> Drawing:
    with _repeatable():
        document = new("R2010", units=units.M)
    document.header["$MEASUREMENT"] = 1
    for name, colour in LAYERS.items():
        document.layers.add(name, color=colour)
    style = document.dimstyles.new(STYLE)
    style.dxf.dimtxt, style.dxf.dimasz = text_m, 0.8 * text_m
    style.dxf.dimexo, style.dxf.dimexe = 0.3 * text_m, 0.5 * text_m
    style.dxf.dimgap, style.dxf.dimtad, style.dxf.dimdec = 0.3 * text_m, 1, 3
    properties = {
        "TITLE": diagram.title,
        "COORDINATE_SYSTEM": frame_statement(diagram.frame),
        "VERTICAL_DATUM": diagram.frame.vertical_datum,
        "SCALE": f"1:{sheet.scale}",
        "CAVEATS": " ".join(caveat_words(diagram)),
        "STATE_OF": _state_of(diagram),
    }
    for name, value in properties.items():
        document.header.custom_vars.append(name, value)
    return document


def _state_of(diagram: Diagram) -> str:
    """RFC 3339 for machines; without an offset where a camera's clock did not state one."""
    if diagram.made_at is None:
        return ""
    made = diagram.made_at.replace(tzinfo=None) if diagram.camera_clock else diagram.made_at
    return made.isoformat()


def _outline_and_grid(space: Modelspace, diagram: Diagram, sheet: Sheet, text_m: float) -> None:
    for ring in diagram.outline:
        space.add_lwpolyline(ring.tolist(), close=True, dxfattribs={"layer": "OUTLINE"})
    step = sheet.grid_m
    east = (sheet.west_m, sheet.west_m + sheet.width_m)
    north = (sheet.north_m - sheet.height_m, sheet.north_m)
    layer = {"layer": "GRID"}
    for index in range(math.ceil(east[0] / step), math.floor(east[1] / step) + 1):
        x = float(index * step)
        space.add_line((x, north[0]), (x, north[1]), dxfattribs=layer)
        _text(space, f"E {x:.0f}", (x, north[0]), text_m, "GRID")
    for index in range(math.ceil(north[0] / step), math.floor(north[1] / step) + 1):
        y = float(index * step)
        space.add_line((east[0], y), (east[1], y), dxfattribs=layer)
        _text(space, f"N {y:.0f}", (east[0], y), text_m, "GRID")


def _points(space: Modelspace, diagram: Diagram, text_m: float) -> None:
    for point in diagram.points:
        space.add_point(point.enu_m, dxfattribs={"layer": "POINTS"})
        east, north, _ = point.enu_m
        radius = 0.25 * text_m
        space.add_circle((east, north), radius, dxfattribs={"layer": "POINTS"})
        place = (east + 2.0 * radius, north + 2.0 * radius)
        _text(space, point.name, place, text_m, "POINT_NAMES")


def _measurement(space: Modelspace, diagram: Diagram, measured: Measurement, text_m: float) -> None:
    if not (measured.determined and measured.points_enu_m):
        return
    value = value_text(measured, diagram.language)
    plan = [(east, north) for east, north, _ in measured.points_enu_m]
    apart = math.dist(plan[0], plan[-1]) > 1e-6
    if measured.kind in DIMENSIONED and len(plan) == 2 and apart:
        dimension = space.add_aligned_dim(
            p1=plan[0],
            p2=plan[1],
            distance=2.0 * text_m,
            text=value,
            dimstyle=STYLE,
            dxfattribs={"layer": "DIMENSIONS"},
        )
        dimension.render()
        return
    closed = measured.kind in AREAS
    layer = "AREAS" if closed else "LINES"
    space.add_polyline3d(measured.points_enu_m, close=closed, dxfattribs={"layer": layer})
    middle = np.mean(plan, axis=0)
    words_of = f"{measured.name}{words(diagram.language)['colon']}{rise_sign(measured)}{value}"
    _text(space, words_of, (float(middle[0]), float(middle[1])), text_m, layer)


def _statements(space: Modelspace, diagram: Diagram, sheet: Sheet, text_m: float) -> None:
    text = words(diagram.language)
    lines = [
        f"{text['diagram']}{text['colon']}{diagram.title}",
        f"{text['scale']} 1:{sheet.scale}; {text['made']} {made_words(diagram)}",
        frame_words(diagram.frame, diagram.language),
        text["interval_note"],
        *caveat_words(diagram),
    ]
    below = sheet.north_m - sheet.height_m
    for row, line in enumerate(lines):
        place = (sheet.west_m, below - (2.0 + 1.8 * row) * text_m)
        _text(space, line, place, text_m, "TEXT")
    if diagram.frame.origin is not None:
        _north_arrow(space, sheet, text_m, text["north"])


def _north_arrow(space: Modelspace, sheet: Sheet, text_m: float, letter: str) -> None:
    east = sheet.west_m + sheet.width_m - 4.0 * text_m
    tip = sheet.north_m - 2.0 * text_m
    tail = tip - 6.0 * text_m
    half = 1.2 * text_m
    shape = [(east, tip), (east + half, tail), (east, tail + half), (east - half, tail)]
    space.add_lwpolyline(shape, close=True, dxfattribs={"layer": "NORTH"})
    _text(space, letter, (east - 0.4 * text_m, tip + 0.3 * text_m), text_m, "NORTH")


def _text(
    space: Modelspace, text: str, place: tuple[float, float], height_m: float, layer: str
) -> None:
    entity = space.add_text(text, height=height_m, dxfattribs={"layer": layer})
    entity.set_placement(place, align=TextEntityAlignment.LEFT)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Files without the moment and the random numbers that ezdxf otherwise writes into them."""
    options = ezdxf.options  # type: ignore[attr-defined]
    before = options.write_fixed_meta_data_for_testing
    options.write_fixed_meta_data_for_testing = True
    try:
        yield
    finally:
        options.write_fixed_meta_data_for_testing = before
