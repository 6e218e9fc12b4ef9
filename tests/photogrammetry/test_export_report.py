"""The scene report says what the scene holds, in three languages, to scale."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.export import figures, pdf
from droneteam.photogrammetry.export.pdf import PhotoFact, ProductFact, SceneReport
from droneteam.photogrammetry.scene import Accuracy, Measurement, ResidualRow
from droneteam.photogrammetry.surface import ortho
from droneteam.photogrammetry.surface import rasters as surface
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED, NO_DATA, Grid, Raster
from tests.photogrammetry.box_world import box_scene

ROWS = (
    ResidualRow("gcp 1", "control", (0.003, -0.004, 0.012), 9, 0.31),
    ResidualRow("gcp 2", "control", (0.5, 0.5, 0.5), 9, 4.0, rejected=True),
    ResidualRow("check 1", "check", (0.006, 0.008, -0.01), 7, 0.4),
)
MEASUREMENTS = (
    Measurement("skid 1", "distance", 13.2475, "m", 13.236, 13.259, "multi-ray", ("a", "b")),
    Measurement("height", "height", float("nan"), "m", float("nan"), float("nan"),
                "multi-ray", determined=False, note="seen in one photo only"),
)  # fmt: skip


def make_report(language: pdf.Language, **changes: object) -> SceneReport:
    scene = box_scene()
    network = replace(
        scene.network,
        accuracy=Accuracy(0.31, "gcp", False, ROWS, (0.004, 0.004, 0.009)),
        unregistered=(("lost.jpg", "no overlap"),),
    )
    dsm = surface.rasterize_dsm(scene.cloud, 2 * scene.gsd_m)
    report = SceneReport(
        title="Accident, kilometre 12",
        made_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        language=language,
        network=network,
        photos=(PhotoFact("photo_00.png", "ab" * 32, True),
                PhotoFact("lost.jpg", "cd" * 32, False, "no overlap")),
        products=(ProductFact("dsm.tif", 1_234_567, "ef" * 32),),
        versions=(("droneteam", "0.1.0"),),
        parameters=(("preset", "normal"),),
        gsd_m=scene.gsd_m,
        n_points=len(scene.cloud.points_enu_m),
        median_sigma_m=0.0034,
        epsg=3812,
        dsm=dsm,
        ortho=ortho.orthophoto(network, dsm, lambda *_: None),
        coverage=ortho.coverage(network, dsm),
        measurements=MEASUREMENTS,
    )  # fmt: skip
    return replace(report, **changes)  # type: ignore[arg-type]


def text_of(path: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is missing")
    command = ["pdftotext", "-layout", str(path), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Scene report", "0.31 px", "13.248 m", "13.236 – 13.259 m", "EPSG:3812"]),
        ("nl", ["Waarschuwingen", "0,31 px", "13,248 m", "13,236 – 13,259 m", "toets"]),
        ("fr", ["Avertissements", "0,31 px", "13,248 m", "points de contrôle", "rejeté"]),
    ],
)
def test_the_report_speaks_the_language(language, expected, tmp_path: Path) -> None:
    pdf.write_report(make_report(language), tmp_path / "r.pdf")
    text = text_of(tmp_path / "r.pdf")
    for phrase in expected:
        assert phrase in text
    assert "ab" * 32 in text
    assert "lost.jpg" in text
    assert "12 / 13" in text
    assert "n = 1" in text


def test_a_report_without_maps_and_measurements_is_complete(tmp_path: Path) -> None:
    report = make_report("en", dsm=None, ortho=None, coverage=None, measurements=())
    pdf.write_report(report, tmp_path / "r.pdf")
    assert "No measurements were taken." in text_of(tmp_path / "r.pdf")


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    report = make_report("en", dsm=None, ortho=None, coverage=None)
    pdf.write_report(report, tmp_path / "a.pdf")
    pdf.write_report(report, tmp_path / "b.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_every_word_exists_in_every_language() -> None:
    keys = {language: set(pdf.words(language)) for language in pdf.LANGUAGES}
    assert keys["nl"] == keys["fr"] == keys["en"]
    assert all(text.strip() for language in pdf.LANGUAGES for text in pdf.words(language).values())


def test_rejected_points_are_listed_but_not_counted(tmp_path: Path) -> None:
    data = pdf.report_data(make_report("en", dsm=None, ortho=None, coverage=None), tmp_path)
    assert len(data["residuals"]) == 3
    control = dict(data["rms"])["control, RMS, n = 1"]
    assert control.startswith("EN 5.0 mm")  # hypot(3, 4)
    assert "U 12.0 mm" in control


def test_control_points_left_out_in_turn_stand_beside_their_flattering_residuals(
    tmp_path: Path,
) -> None:
    rows = (
        ResidualRow("gcp 1", "control", (0.001, 0.002, 0.002), 9, 0.3,
                    left_out_enu_m=(0.03, 0.04, 0.12)),
        ResidualRow("gcp 2", "control", (0.001, 0.0, 0.0), 9, 0.3,
                    left_out_enu_m=(-0.06, 0.0, 0.04)),
        ResidualRow("gcp 3", "control", (0.5, 0.5, 0.5), 9, 4.0, rejected=True),
        ResidualRow("check 1", "check", (0.006, 0.008, -0.01), 7, 0.4),
    )  # fmt: skip
    report = make_report("en", dsm=None, ortho=None, coverage=None)
    report = replace(
        report,
        network=replace(
            report.network, accuracy=Accuracy(0.31, "gcp", True, rows, (0.004, 0.004, 0.009))
        ),
    )
    data = pdf.report_data(report, tmp_path)
    assert [row[5:7] for row in data["residuals"]] == [
        ["3.0", "130.0"],  # √(1 + 4 + 4) and √(30² + 40² + 120²)
        ["1.0", "72.1"],
        ["866.0", "–"],
        ["14.1", "–"],
    ]
    left_out = dict(data["rms"])["control points, each left out in turn, RMS, n = 2"]
    assert left_out.startswith("EN 55.2 mm")  # √((50² + 60²) / 2)
    assert "U 89.4 mm" in left_out  # √((120² + 40²) / 2)
    pdf.write_report(report, tmp_path / "r.pdf")
    text = " ".join(text_of(tmp_path / "r.pdf").split())
    assert "130.0" in text
    assert "each left out in turn, RMS, n = 2" in text
    assert "its own residual flatters" in text


def test_without_points_left_out_the_report_says_nothing_of_them(tmp_path: Path) -> None:
    report = make_report("en", dsm=None, ortho=None, coverage=None)
    data = pdf.report_data(report, tmp_path)
    assert not data["left_out"]
    assert {row[6] for row in data["residuals"]} == {"–"}
    assert not any("left out" in name for name, _ in data["rms"])


def test_an_undetermined_value_is_said_not_shown(tmp_path: Path) -> None:
    data = pdf.report_data(make_report("en", dsm=None, ortho=None, coverage=None), tmp_path)
    row = data["measurements"][1]
    assert row[2] == "not determined"
    assert row[3] == "–"
    assert row[6] == "seen in one photo only"


@pytest.mark.parametrize(
    ("language", "expected"),
    [("nl", ["2,5 kB", "1,2 MB"]), ("fr", ["2,5 ko", "1,2 Mo"]), ("en", ["2.5 kB", "1.2 MB"])],
)
def test_sizes_are_written_as_the_language_does(
    language: pdf.Language, expected: list[str], tmp_path: Path
) -> None:
    files = (ProductFact("a.tif", 2_500, "0" * 64), ProductFact("b.laz", 1_230_000, "0" * 64))
    data = pdf.report_data(make_report(language, products=files), tmp_path)
    assert [row[1] for row in data["products"]] == expected


def test_maps_fit_the_page_at_a_round_scale() -> None:
    for width_m, height_m in ((8.0, 3.0), (30.0, 200.0), (900.0, 50.0)):
        scale = pdf.map_scale(width_m, height_m)
        assert 1e3 * width_m / scale <= pdf.MAP_WIDTH_MM
        assert 1e3 * height_m / scale <= pdf.MAP_HEIGHT_MM
        assert scale in pdf.SCALES
    assert pdf.map_scale(8.0, 3.0) == 50


@pytest.mark.parametrize(("width_m", "bar_m"), [(10.0, 2.0), (17.0, 5.0), (0.8, 0.2), (400, 100)])
def test_the_scale_bar_is_round_and_shorter_than_the_map(width_m, bar_m) -> None:
    assert pdf.bar_length(width_m) == pytest.approx(bar_m)


def test_a_report_knows_its_time_zone_and_language() -> None:
    with pytest.raises(InputError, match="language"):
        make_report("de")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="time zone"):
        make_report("en", made_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_filled_and_unknown_cells_look_different_from_measured_ones(tmp_path: Path) -> None:
    height = np.full((60, 60), 1.0, np.float32)
    mask = np.full((60, 60), MEASURED, np.uint8)
    mask[20:40, 20:40] = FILLED
    mask[:10] = NO_DATA
    height[:10] = np.nan
    raster = Raster(Grid(0, 6, 0.1, 60, 60), height, mask, height)
    figure, _ = figures.write_relief_figure(raster, tmp_path)
    image = cv2.imread(str(tmp_path / figure.file))[..., ::-1].astype(int)
    assert (figure.width_m, figure.height_m) == pytest.approx((6.0, 6.0))
    assert (image[5, 30] == 255).all()
    filled, measured = image[30, 30], image[50, 50]
    assert filled[0] - filled[1] > measured[0] - measured[1] + 50
