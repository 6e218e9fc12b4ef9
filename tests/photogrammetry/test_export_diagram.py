"""A scene diagram is to scale, in PDF and in DXF, and says what its numbers are."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import ezdxf
import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.export import diagram, dxf, numbers
from droneteam.photogrammetry.export.diagram import Diagram, DiagramPoint
from droneteam.photogrammetry.export.labels import LETTER_MM, LINE_MM, corners, meet
from droneteam.photogrammetry.export.numbers import value_text
from droneteam.photogrammetry.scene import Accuracy, Frame, Measurement
from droneteam.photogrammetry.scene_document import scale_statement
from droneteam.photogrammetry.surface.rasters import MEASURED, NO_DATA, Grid, Raster
from tests.photogrammetry.networks import ORIGIN
from tests.photogrammetry.test_export_report import text_of

FRAME = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
A, B, C, TOP = (2.0, 1.0, 0.1), (12.0, 1.0, 0.2), (12.0, 6.0, 0.2), (12.0, 6.0, 1.7)
NAN = float("nan")


def measured(
    kind: str, value: float, points: tuple[tuple[float, float, float], ...]
) -> Measurement:
    unit = {"area": "m²", "angle": "°"}.get(kind, "m")
    return Measurement(
        f"{kind} 1", kind, value, unit, value - 0.012, value + 0.012, "multi-ray",  # type: ignore[arg-type]
        ("a.jpg", "b.jpg"), points_enu_m=points,
    )  # fmt: skip


MEASURED_VALUES = (
    measured("distance", 10.0004, (A, B)),
    measured("horizontal", 5.0, (B, C)),
    measured("height", 1.5, (C, TOP)),
    measured("area", 25.0, (A, B, C)),
    measured("angle", 90.0, (A, B, C)),
    replace(measured("distance", NAN, ()), name="lost", determined=False),
)


def make(**changes: object) -> Diagram:
    plan = Diagram(
        title="Junction, 14 May",
        language="en",
        made_at=datetime(2026, 5, 14, 9, 30, tzinfo=UTC),
        frame=FRAME,
        points=tuple(
            DiagramPoint(name, at) for name, at in zip("ABCT", (A, B, C, TOP), strict=True)
        ),
        measurements=MEASURED_VALUES,
        outline=(np.array([[-5.0, -5.0], [25.0, -5.0], [25.0, 15.0], [-5.0, 15.0]]),),
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


def test_paper_millimetres_are_ground_metres_over_the_scale() -> None:
    plan = make(scale=50)
    sheet = diagram.sheet_of(plan)
    a, b, c = sheet.mm(np.array([A[:2], B[:2], C[:2]]))
    assert b[0] - a[0] == pytest.approx(1e3 * 10.0 / 50)
    assert b[1] - c[1] == pytest.approx(1e3 * 5.0 / 50)
    assert b[1] == pytest.approx(a[1])


@pytest.mark.parametrize("scale", numbers.DIAGRAM_SCALES)
def test_everything_measured_lies_on_the_sheet(scale: int) -> None:
    sheet = diagram.sheet_of(make(scale=scale))
    at = sheet.mm(np.array([A[:2], B[:2], C[:2]]))
    assert (at > 0.0).all()
    assert (at < [1e3 * sheet.width_m / scale, 1e3 * sheet.height_m / scale]).all()
    assert 1e3 * sheet.grid_m / scale >= diagram.GRID_MM
    width, height = diagram.PAPERS_MM[sheet.paper]
    assert 1e3 * sheet.width_m / scale == pytest.approx(width - 2 * diagram.MARGIN_MM)
    assert 1e3 * sheet.height_m / scale < height


def test_the_largest_scale_that_fits_a3_is_taken() -> None:
    assert diagram.sheet_of(make()).scale == 50
    far = DiagramPoint("far", (90.0, 1.0, 0.0))
    sheet = diagram.sheet_of(make(points=(*make().points, far)))
    assert (sheet.paper, sheet.scale) == ("a3", 500) or sheet.scale in (250, 500)
    assert 1e3 * 88.0 / sheet.scale < 400.0
    scales = numbers.DIAGRAM_SCALES
    assert 1e3 * 88.0 * 1.2 / scales[scales.index(sheet.scale) - 1] > 396.0


def test_too_much_for_a0_is_refused_with_what_would_help() -> None:
    far = DiagramPoint("far", (900.0, 1.0, 0.0))
    with pytest.raises(InputError, match="does not fit A0 at 1:50"):
        diagram.sheet_of(make(points=(*make().points, far), scale=50))
    with pytest.raises(InputError, match="not one of"):
        make(scale=75)
    with pytest.raises(InputError, match="no scale"):
        make(frame=Frame("local", None, "none", metric=False))
    with pytest.raises(InputError, match="nothing to draw"):
        diagram.sheet_of(make(points=(), measurements=(), outline=()))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Scene diagram", "1:100", "distance 1: 10.000 m ± 0.012", "heights above: WGS84"]),
        (
            "nl",
            [
                "Situatieschets",
                "1:100",
                "distance 1: 10,000 m ± 0,012",
                "hoogten boven: WGS84-ellipsoïde",
            ],
        ),
        (
            "fr",
            [
                "Plan de situation",
                "1:100",
                "10,000 m ± 0,012",
                "hauteurs au-dessus de : ellipsoïde WGS84",
            ],
        ),
    ],
)
def test_the_pdf_says_it_in_the_language(
    language: diagram.Language, expected: list[str], tmp_path: Path
) -> None:
    diagram.write_diagram(make(language=language, scale=100), tmp_path / "d.pdf")
    text = " ".join(text_of(tmp_path / "d.pdf").split())
    for phrase in expected:
        assert phrase in text
    assert "50,8000000° N" in text or "50.8000000° N" in text
    assert diagram.words(language)["not_determined"] in text


@pytest.mark.parametrize("name", ["scene_diagram.json", "scene_report.json"])
def test_french_texts_never_break_a_line_before_a_colon(name: str) -> None:
    texts = json.loads((Path(diagram.__file__).parent / name).read_text())
    french = [entry["fr"] for entry in texts.values()]
    assert len(french) > 30
    assert [text for text in french if re.search(r"(^|[^\u00a0\d])[:;?!](\s|$)", text)] == []
    assert [text for text in french if re.search(r"\w'\w", text)] == [], "typewriter's apostrophes"


def test_the_pdf_is_to_scale_on_its_paper(tmp_path: Path) -> None:
    """The distance between two point labels on the page, in points of 1/72 inch."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is missing")
    sheet = diagram.write_diagram(make(scale=100), tmp_path / "d.pdf")
    command = ["pdftotext", "-bbox", "-f", "1", "-l", "1", str(tmp_path / "d.pdf"), "-"]
    html = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    place = {}
    for line in html.splitlines():
        for name in ("A", "B", "C"):
            if line.strip().endswith(f">{name}</word>"):
                place.setdefault(name, float(line.split('xMin="')[1].split('"')[0]))
    assert (place["B"] - place["A"]) / 72.0 * 25.4 == pytest.approx(100.0, abs=0.3)
    width_pt = float(html.split('<page width="')[1].split('"')[0])
    assert width_pt / 72.0 * 25.4 == pytest.approx(sheet.width_mm, abs=0.01)


def test_the_same_diagram_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        diagram.write_diagram(make(), tmp_path / f"{name}.pdf")
        dxf.write_dxf(make(), tmp_path / f"{name}.dxf")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert (tmp_path / "a.dxf").read_bytes() == (tmp_path / "b.dxf").read_bytes()


def test_the_dxf_does_not_depend_on_the_order_of_a_set(tmp_path: Path) -> None:
    """Strings hash differently in every process; the two seeds once gave two files."""
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.photogrammetry.test_export_diagram import dxf, make\n"
        "dxf.write_dxf(make(), Path(sys.argv[1]))"
    )
    for seed in ("0", "12345"):
        path = tmp_path / f"{seed}.dxf"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=True)
    assert (tmp_path / "0.dxf").read_bytes() == (tmp_path / "12345.dxf").read_bytes()


@pytest.fixture
def drawing(tmp_path: Path) -> ezdxf.document.Drawing:
    dxf.write_dxf(make(scale=100), tmp_path / "d.dxf")
    return ezdxf.readfile(tmp_path / "d.dxf")


def test_the_dxf_is_sound_and_in_metres(drawing: ezdxf.document.Drawing) -> None:
    audit = drawing.audit()
    assert not audit.has_errors
    assert drawing.units == ezdxf.units.M
    assert set(dxf.LAYERS) <= {layer.dxf.name for layer in drawing.layers}
    properties = dict(drawing.header.custom_vars.properties)
    assert "50.8000000°, 4.4000000°, 100.00 m" in properties["COORDINATE_SYSTEM"]
    assert properties["VERTICAL_DATUM"] == "WGS84 ellipsoid"


def test_its_points_are_where_they_were_measured(drawing: ezdxf.document.Drawing) -> None:
    found = [tuple(p.dxf.location) for p in drawing.modelspace().query("POINT")]
    assert found == [pytest.approx(at) for at in (A, B, C, TOP)]
    names = {t.dxf.text for t in drawing.modelspace().query('TEXT[layer=="POINT_NAMES"]')}
    assert names == {"A", "B", "C", "T"}


def test_its_dimensions_are_real_and_carry_the_measured_value(
    drawing: ezdxf.document.Drawing,
) -> None:
    dimensions = list(drawing.modelspace().query("DIMENSION"))
    assert [d.dxf.layer for d in dimensions] == ["DIMENSIONS", "DIMENSIONS"]
    assert dimensions[0].get_measurement() == pytest.approx(10.0)
    assert dimensions[1].get_measurement() == pytest.approx(5.0)
    assert dimensions[0].dxf.text == value_text(MEASURED_VALUES[0], "en") == "10.000 m ± 0.012"
    ends = {tuple(d.dxf.defpoint2)[:2] for d in dimensions}
    assert (2.0, 1.0) in {(round(x, 6), round(y, 6)) for x, y in ends}


@pytest.mark.parametrize(
    ("language", "said", "moment"),
    [
        ("nl", "hoogten boven", "14 mei 2026 om 11:30 CEST"),
        ("fr", "hauteurs au-dessus", "14 mai 2026 à 11:30 CEST"),
        ("en", "heights above", "14 May 2026 at 11:30 CEST"),
    ],
)
def test_the_drawings_own_words_are_in_its_language_and_its_time_is_local(
    language: str, said: str, moment: str, tmp_path: Path
) -> None:
    dxf.write_dxf(make(language=language), tmp_path / "d.dxf")
    texts = [
        entity.dxf.text for entity in ezdxf.readfile(tmp_path / "d.dxf").modelspace().query("TEXT")
    ]
    assert sum(moment in text for text in texts) == 1
    (frame,) = [text for text in texts if "WGS84" in text]
    assert said in frame


def test_areas_and_lines_have_layers_of_their_own(drawing: ezdxf.document.Drawing) -> None:
    space = drawing.modelspace()
    (area,) = space.query('POLYLINE[layer=="AREAS"]')
    assert area.is_closed
    assert [tuple(v.dxf.location) for v in area.vertices] == [pytest.approx(p) for p in (A, B, C)]
    assert len(space.query('POLYLINE[layer=="LINES"]')) == 2  # height and angle
    (ring,) = space.query('LWPOLYLINE[layer=="OUTLINE"]')
    assert ring.closed
    texts = " ".join(t.dxf.text for t in space.query("TEXT"))
    assert "heights above: WGS84 ellipsoid" in texts
    assert "lost" not in texts


def test_grid_lines_lie_on_whole_coordinates(drawing: ezdxf.document.Drawing) -> None:
    step = diagram.sheet_of(make(scale=100)).grid_m
    for line in drawing.modelspace().query('LINE[layer=="GRID"]'):
        start, end = line.dxf.start, line.dxf.end
        fixed = start.x if math.isclose(start.x, end.x) else start.y
        assert fixed / step == pytest.approx(round(fixed / step), abs=1e-9)


def test_the_outline_runs_around_the_known_cells() -> None:
    mask = np.full((60, 80), NO_DATA, np.uint8)
    mask[10:50, 20:70] = MEASURED
    height = np.where(mask == MEASURED, 0.0, np.nan).astype(np.float32)
    raster = Raster(Grid(100.0, 50.0, 0.1, 80, 60), height, mask, height)
    (ring,) = diagram.outline_of(raster)
    assert ring.min(axis=0) == pytest.approx([102.05, 45.05], abs=0.06)
    assert ring.max(axis=0) == pytest.approx([106.95, 48.95], abs=0.06)


def test_every_word_of_the_diagram_exists_in_every_language() -> None:
    keys = {language: set(diagram.words(language)) for language in ("nl", "fr", "en")}  # type: ignore[arg-type]
    assert keys["nl"] == keys["fr"] == keys["en"]


def test_an_open_depth_stands_on_the_sheet_in_the_drawing_and_in_its_properties(
    tmp_path: Path,
) -> None:
    said = scale_statement(Accuracy(0.5, "gnss", False), FRAME)
    drawn = make(language="nl", scale=100, caveats=(said,))
    diagram.write_diagram(drawn, tmp_path / "d.pdf")
    dxf.write_dxf(drawn, tmp_path / "d.dxf")
    pages = " ".join(text_of(tmp_path / "d.pdf").split())
    assert pages.count("De verticale schaal is NIET bepaald") == 2  # on the sheet and by the list
    drawing = ezdxf.readfile(tmp_path / "d.dxf")
    assert "NIET bepaald" in dict(drawing.header.custom_vars.properties)["CAVEATS"]
    texts = [row.dxf.text for row in drawing.modelspace().query("TEXT")]
    assert any("NIET bepaald" in text for text in texts)


def test_texts_of_one_place_do_not_hide_each_other_and_places_have_their_cross(
    tmp_path: Path,
) -> None:
    drawn = make(measurements=(MEASURED_VALUES[3], replace(MEASURED_VALUES[3], name="again")))
    sheet = diagram.sheet_of(drawn)
    first, second = diagram.diagram_data(drawn, sheet, tmp_path)["shapes"]
    assert abs(first["at"][1] - second["at"][1]) > 3.0
    assert first["crosses"] == first["points"]
    profile = replace(drawn, measurements=(replace(MEASURED_VALUES[0], kind="profile"),))
    (shape,) = diagram.diagram_data(profile, sheet, tmp_path)["shapes"]
    assert shape["crosses"] == []


def test_points_carry_the_names_they_were_given_and_a_profile_names_its_ends() -> None:
    along = measured("profile", 1.0, (A, (5.0, 1.0, 0.1), (8.0, 1.0, 0.1), B))
    found = diagram.points_of(
        [
            (measured("distance", 10.0, (A, C)), ("a", "c")),
            (along, ("from", "to")),
            (measured("polyline", 10.0, (A, B, C)), ()),
            (measured("profile", 1.0, (A, B, C)), ("p", "q", "r")),
        ]
    )
    named = {point.name: point.enu_m for point in found}
    assert named == {"a": A, "c": C, "from": A, "to": B, "p": A, "q": B, "r": C}


def test_a_height_difference_is_not_drawn_as_a_length(tmp_path: Path) -> None:
    drawn = make(measurements=(measured("distance", 10.0, (A, B)), measured("height", 1.5, (A, B))))
    length, rise = diagram.diagram_data(drawn, diagram.sheet_of(drawn), tmp_path)["shapes"]
    assert (length["kind"], rise["kind"]) == ("length", "rise")
    assert "Δh" not in length["text"]
    assert "height 1: Δh 1.5" in rise["text"]


def test_names_of_close_points_and_texts_of_measurements_stay_apart(tmp_path: Path) -> None:
    close = tuple(DiagramPoint(f"area_{k}", (2.0 + 0.05 * k, 1.0, 0.0)) for k in range(4))
    drawn = make(points=close, measurements=(measured("distance", 0.2, (A, A)),))
    data = diagram.diagram_data(drawn, diagram.sheet_of(drawn), tmp_path)
    rows = [(point["label_at"], point["name"]) for point in data["points"]]
    rows += [(shape["at"], shape["text"]) for shape in data["shapes"]]
    boxes = [corners(np.array(at), LETTER_MM * len(text), LINE_MM, 0.0) for at, text in rows]
    assert len(boxes) == 5
    assert not any(meet(a, b) for a, b in itertools.combinations(boxes, 2))
