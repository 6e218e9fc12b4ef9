"""The scene report: what was photographed, how sure the result is, and where it came from.

`scene_report.typ` lays it out and `scene_report.json` holds its words in Dutch, French and
English; this module turns a scene's facts into the data that the template shows.  Numbers are
written here, in the reader's language, so that the template only places them.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import typst
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.photogrammetry.export import figures
from droneteam.photogrammetry.export.figures import Figure
from droneteam.photogrammetry.export.moments import day_of, moment_words
from droneteam.photogrammetry.export.numbers import (
    LANGUAGES,
    Language,
    check_language,
    digits_of,
    length_text,
    number,
)
from droneteam.photogrammetry.export.sentences import translated
from droneteam.photogrammetry.export.svg import write_network_figure, write_profile_figure
from droneteam.photogrammetry.scene import CameraNetwork, Frame, Measurement, ResidualRow
from droneteam.photogrammetry.surface.ortho import Ortho
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED, Raster

__all__ = ["LANGUAGES", "Language", "PhotoFact", "ProductFact", "SceneReport", "write_report"]

MAP_WIDTH_MM, MAP_HEIGHT_MM = 170.0, 205.0
"""Largest map on an A4 page with margins of 20 mm and a caption."""
SCALES = (10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10000, 25000, 50000)
SCALE_WARNING = "vertical scale not determined"
"""How the adjustment's own warning begins, which is more exact than the report's."""
BAR_SHARE = 0.3
"""The scale bar's length is the largest round number below this share of the map's width."""


@dataclass(frozen=True, slots=True)
class PhotoFact:
    """A photo as the report lists it; note says why it was left out, when it was."""

    name: str
    sha256: str
    registered: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProductFact:
    """A file that belongs to the scene."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class SceneReport:
    """Everything the report says.

    coverage : photos per cell, as `ortho.coverage` gives it; gsd_m : of the photos on the
    surface; facts : further rows (name, value) of the first table, already in the language.
    made_at : the date of the report's facts, never the moment of writing; None when unknown.
    camera_clock : it is the clock of a camera that does not state its zone.
    unmeasured : sentences on places without a surface that can be believed.
    """

    title: str
    made_at: datetime | None
    language: Language
    network: CameraNetwork
    photos: tuple[PhotoFact, ...]
    products: tuple[ProductFact, ...]
    versions: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...]
    gsd_m: float
    n_points: int
    median_sigma_m: float
    epsg: int | None
    dsm: Raster | None = None
    ortho: Ortho | None = None
    coverage: NDArray[np.uint8] | None = None
    measurements: tuple[Measurement, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    camera_clock: bool = False
    unmeasured: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_language(self.language)
        if self.made_at is not None and self.made_at.tzinfo is None:
            raise InputError("made_at must know its time zone", field="made_at")


def write_report(report: SceneReport, path: Path) -> None:
    """The report as a tagged PDF (PDF/UA-1)."""
    package = resources.files("droneteam.photogrammetry.export")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("scene_report.typ", "scene_report.json"):
            with resources.as_file(package / file) as source:
                shutil.copyfile(source, folder / file)
        data = report_data(report, folder)
        (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        partial = path.with_name(path.name + ".part")
        typst.compile(
            folder / "scene_report.typ",
            output=partial,
            root=folder,
            format="pdf",
            pdf_standards=["ua-1"],
        )
    partial.replace(path)


def words(language: Language) -> dict[str, str]:
    """The report's words in a language."""
    package = resources.files("droneteam.photogrammetry.export")
    table = json.loads((package / "scene_report.json").read_text(encoding="utf-8"))
    return {key: row[language] for key, row in table.items()}


def _software_name(name: str, language: Language) -> str:
    """A library's name, or whose source it is in the language."""
    return translated(name, language) if " " in name else name


def report_data(report: SceneReport, folder: Path) -> dict[str, Any]:
    """What the template shows; pictures are written into `folder`."""
    text = words(report.language)
    made = report.made_at
    return {
        "language": report.language,
        "words": text,
        "title": report.title,
        "made_at": text["undated"] if made is None else _made_words(report, made),
        "date": None if made is None else day_of(made, camera_clock=report.camera_clock),
        "metric": report.network.frame.metric,
        "summary": _summary(report, text),
        "warnings": _warnings(report, text),
        "maps": _maps(report, text, folder),
        "residuals": [_residual(r, report.language, text) for r in report.network.accuracy.rows],
        "rms": _rms(report, text),
        "left_out": any(r.left_out_enu_m is not None for r in report.network.accuracy.rows),
        "gsd": length_text(report.gsd_m, report.language),
        "measurements": [_measured(m, report.language, text) for m in report.measurements],
        "profiles": _profiles(report, text, folder),
        "cameras": _cameras(report),
        "network": _network_figure(report, text, folder),
        "photos": [
            [p.name, _yes(p.registered, text), translated(p.note, report.language), p.sha256]
            for p in report.photos
        ],
        "products": [
            [p.name, _bytes(p.size_bytes, report.language), p.sha256] for p in report.products
        ],
        "versions": [
            [_software_name(name, report.language), version] for name, version in report.versions
        ],
        "parameters": [
            [text.get(f"param_{name}", name), text.get(f"{name}_{value}", value)]
            for name, value in report.parameters
        ],
    }


def _made_words(report: SceneReport, made: datetime) -> str:
    return moment_words(made, report.language, camera_clock=report.camera_clock)


def map_scale(width_m: float, height_m: float) -> int:
    """The largest round scale's denominator at which the ground fits the page."""
    needed = max(1e3 * width_m / MAP_WIDTH_MM, 1e3 * height_m / MAP_HEIGHT_MM)
    return next((scale for scale in SCALES if scale >= needed), math.ceil(needed))


def bar_length(width_m: float) -> float:
    """A round length (1, 2 or 5 times a power of ten) for the scale bar."""
    limit = BAR_SHARE * width_m
    power = 10.0 ** math.floor(math.log10(limit))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= limit)


def _summary(report: SceneReport, text: dict[str, str]) -> list[list[str]]:
    network, language = report.network, report.language
    frame, accuracy = network.frame, network.accuracy
    registered = f"{len(network.views)} / {len(network.views) + len(network.unregistered)}"
    rows = [
        [text["photos_registered"], registered],
        [text["gsd"], length_text(report.gsd_m, language) if frame.metric else text["no_scale"]],
        [text["reprojection"], f"{number(accuracy.reprojection_px, 2, language)} px"],
        [text["scale_source"], text["scale_" + accuracy.scale_source]],
        [text["vertical_scale"], _determined(accuracy.vertical_scale_determined, text)],
        [text["frame"], _frame(report, text)],
        [text["datum"], _datum(frame, language)],
        [text["points"], f"{report.n_points:,}".replace(",", "\u202f")],
    ]
    if frame.metric:
        rows.append([text["median_sigma"], length_text(report.median_sigma_m, language)])
    if accuracy.sigma_frame_m is not None:
        east, north, up = (length_text(v, language) for v in accuracy.sigma_frame_m)
        rows.append([text["sigma_frame"], f"E {east}; N {north}; U {up}"])
    if report.dsm is not None and frame.metric:
        cell = report.dsm.grid.gsd_m**2
        measured = float(np.sum(report.dsm.mask == MEASURED)) * cell
        filled = float(np.sum(report.dsm.mask == FILLED)) * cell
        rows.append([text["area_measured"], f"{number(measured, 1, language)} m²"])
        rows.append([text["area_filled"], f"{number(filled, 1, language)} m²"])
    return rows + [list(row) for row in report.facts]


def _datum(frame: Frame, language: Language) -> str:
    """What heights are above, and what is to be known of it."""
    stated = (translated(part, language) for part in (frame.vertical_datum, frame.note) if part)
    return " · ".join(stated)


def _frame(report: SceneReport, text: dict[str, str]) -> str:
    frame = report.network.frame
    if frame.origin is None:
        return text["frame_local"]
    origin = frame.origin
    place = (
        f"{text['frame_enu']} {number(origin.lat_deg, 7, report.language)}° N; "
        f"{number(origin.lon_deg, 7, report.language)}° E; "
        f"{number(origin.alt_ellipsoid_m, 2, report.language)}\u00a0m"
    )
    return place if report.epsg is None else f"{place}; {text['exported_in']} EPSG:{report.epsg}"


def _determined(value: bool | None, text: dict[str, str]) -> str:
    return text["unknown"] if value is None else text["determined" if value else "not_determined"]


def _warnings(report: SceneReport, text: dict[str, str]) -> list[str]:
    accuracy = report.network.accuracy
    told = (*report.unmeasured, *accuracy.warnings)
    ordered = sorted(told, key=lambda warning: not warning.startswith(SCALE_WARNING))
    found = [translated(warning, report.language) for warning in ordered]
    said = any(warning.startswith(SCALE_WARNING) for warning in accuracy.warnings)
    if accuracy.vertical_scale_determined is False and not said:
        found.append(text["warn_vertical_scale"])
    if not report.network.frame.metric:
        found.append(text["warn_no_scale"])
    if report.network.groups:
        found.append(_counted("warn_groups", len(report.network.groups), text))
    if report.network.unregistered:
        found.append(_counted("warn_unregistered", len(report.network.unregistered), text))
    return found


def _counted(key: str, count: int, text: dict[str, str]) -> str:
    """A sentence about one, or about several of something."""
    return text[f"{key}_one" if count == 1 else key].format(n=count)


def _maps(report: SceneReport, text: dict[str, str], folder: Path) -> list[dict[str, Any]]:
    """The pages with maps, each to a round scale."""
    maps = []
    if report.ortho is not None:
        figure = figures.write_ortho_figure(report.ortho, folder)
        maps.append(_map(figure, "ortho", text["ortho_note"], report, text))
    if report.dsm is not None:
        figure, heights = figures.write_relief_figure(report.dsm, folder)
        note = text["relief_note"].format(
            low=number(heights.low_m, 2, report.language),
            high=number(heights.high_m, 2, report.language),
        )
        maps.append(_map(figure, "relief", note, report, text))
        if report.coverage is not None:
            figure = figures.write_coverage_figure(
                report.coverage, report.dsm.grid, report.network, folder
            )
            page = _map(figure, "coverage", text["coverage_note"], report, text)
            page["legend"] = _coverage_legend()
            maps.append(page)
    return maps


def _map(
    figure: Figure, kind: str, note: str, report: SceneReport, text: dict[str, str]
) -> dict[str, Any]:
    scale = map_scale(figure.width_m, figure.height_m)
    metric = report.network.frame.metric
    bar = bar_length(figure.width_m)
    digits = 0 if bar >= 1.0 else max(1, -math.floor(math.log10(bar)))
    return {
        "title": text[kind],
        "note": note,
        "alt": text["map_alt"].format(title=text[kind], scale=scale),
        "file": figure.file,
        "width_mm": 1e3 * figure.width_m / scale,
        "height_mm": 1e3 * figure.height_m / scale,
        "scale": f"1:{scale}" if metric else text["no_scale"],
        "bar_mm": 1e3 * bar / scale,
        "bar": f"{number(bar, digits, report.language)} m" if metric else "",
        "north": report.network.frame.origin is not None,
        "legend": [],
    }


def _coverage_legend() -> list[list[str]]:
    steps = figures.COVERAGE_STEPS
    names = [str(low) if high == low + 1 else f"{low}–{high - 1}" for low, high in pairwise(steps)]
    names.append(f"≥ {steps[-1]}")
    return [
        [f"#{r:02x}{g:02x}{b:02x}", name]
        for (r, g, b), name in zip(figures.COVERAGE_COLOURS, names, strict=True)
    ]


def _residual(row: ResidualRow, language: Language, text: dict[str, str]) -> list[str]:
    residuals = [number(1e3 * v, 1, language) for v in row.residual_enu_m]
    left_out = row.left_out_enu_m
    return [
        row.name,
        text["role_" + row.role] + (f" ({text['rejected']})" if row.rejected else ""),
        *residuals,
        number(1e3 * math.hypot(*row.residual_enu_m), 1, language),
        "–" if left_out is None else number(1e3 * math.hypot(*left_out), 1, language),
        str(row.n_photos),
        number(row.reprojection_px, 2, language),
    ]


def _rms(report: SceneReport, text: dict[str, str]) -> list[list[str]]:
    """For each role the RMS of what was not rejected, with its n and in GSD."""
    used = [row for row in report.network.accuracy.rows if not row.rejected]
    groups = [
        (text["role_" + role], [row.residual_enu_m for row in used if row.role == role])
        for role in ("control", "check", "scale_bar")
    ]
    left_out = [row.left_out_enu_m for row in used if row.left_out_enu_m is not None]
    groups.insert(1, (text["left_out_rms"], left_out))
    return [
        [f"{name}, {text['rms_row']} {len(rows)}", _rms_of(rows, report)]
        for name, rows in groups
        if rows
    ]


def _rms_of(rows: Sequence[tuple[float, float, float]], report: SceneReport) -> str:
    """The RMS of residuals (n, 3) in metres, across and up."""
    squares = np.mean(np.square(rows), axis=0)
    horizontal, vertical = math.sqrt(squares[0] + squares[1]), math.sqrt(squares[2])
    return "; ".join(
        f"{name} {number(1e3 * value, 1, report.language)} mm "
        f"({number(value / report.gsd_m, 2, report.language)} GSD)"
        for name, value in (("EN", horizontal), ("U", vertical))
    )


def _measured(m: Measurement, language: Language, text: dict[str, str]) -> list[str]:
    kind = text["kind_" + m.kind]
    method = text["method_" + m.method.replace("-", "_")]
    if not m.determined:
        why = translated(m.note, language)
        return [m.name, kind, text["not_determined"], "–", method, _photo_count(m), why]
    digits = digits_of(m)
    interval = f"{number(m.ci95_low, digits, language)} – {number(m.ci95_high, digits, language)}"
    return [
        m.name,
        kind,
        f"{number(m.value, digits, language)} {m.unit}",
        f"{interval} {m.unit}",
        method,
        _photo_count(m),
        translated(m.note, language),
    ]


def _photo_count(m: Measurement) -> str:
    """How many photos a value rests on, and how many were marked but rejected."""
    left_out = f" (−{len(m.photos_rejected)})" if m.photos_rejected else ""
    return f"{len(m.photos)}{left_out}"


def _profiles(report: SceneReport, text: dict[str, str], folder: Path) -> list[dict[str, Any]]:
    """A plot for every profile and section."""
    plots = []
    for index, measured in enumerate(report.measurements):
        if len(measured.series) < 2:
            continue
        path = folder / f"profile-{index}.svg"
        size = write_profile_figure(measured, path, report.language)
        alt = text["profile_alt"].format(name=measured.name)
        plots.append({"title": measured.name, "file": path.name, "size_mm": size, "alt": alt})
    return plots


def _network_figure(report: SceneReport, text: dict[str, str], folder: Path) -> dict[str, Any]:
    path = folder / "network.svg"
    size = write_network_figure(report.network, path, report.language)
    return {"file": path.name, "size_mm": size, "alt": text["network_alt"]}


def _cameras(report: SceneReport) -> list[list[str]]:
    rows = []
    for view in report.network.views:
        east, north, up = (number(v, 3, report.language) for v in view.centre_enu_m)
        focal = number(view.camera.focal_px[0], 1, report.language)
        rows.append([view.name, east, north, up, f"{view.camera.model}, {focal} px"])
    return rows


def _yes(value: bool, text: dict[str, str]) -> str:
    return text["yes"] if value else text["no"]


def _bytes(size: int, language: Language) -> str:
    kilo, mega = ("ko", "Mo") if language == "fr" else ("kB", "MB")
    if size < 1_000_000:
        return f"{number(size / 1e3, 1, language)} {kilo}"
    return f"{number(size / 1e6, 1, language)} {mega}"
