"""`droneteam scene` once a scene is built: measure, change, remeasure, diagram, report."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from droneteam.errors import InputError
from droneteam.photogrammetry import reporting
from droneteam.photogrammetry.control import Mark, read_marks
from droneteam.photogrammetry.export.numbers import DIAGRAM_SCALES
from droneteam.photogrammetry.measuring import measurement_file, surface_measure
from droneteam.photogrammetry.measuring.measurement_file import Retaken
from droneteam.photogrammetry.measuring.requests import (
    SURFACE_KINDS,
    AnyRequest,
    MeasureRequest,
    SurfaceRequest,
    measurement_document,
    places_en,
)
from droneteam.photogrammetry.scene import Measurement
from droneteam.photogrammetry.scene_params import LANGUAGES
from droneteam.photogrammetry.scene_store import load_scene

EXIT_UNDETERMINED = 2
"""The photos do not determine what was asked for."""
LOCAL_HEADER, GEOGRAPHIC_HEADER = ("point", "east_m", "north_m"), ("point", "lat_deg", "lon_deg")


def configure(commands: Any) -> None:
    """Add the actions to the subparsers of `droneteam scene`."""
    _configure_measure(commands.add_parser("measure", help="measure in a scene"))
    _configure_change(commands.add_parser("change", help="volume between two scenes"))
    _configure_remeasure(
        commands.add_parser("remeasure", help="measure again after a scene was rebuilt")
    )
    _configure_diagram(commands.add_parser("diagram", help="draw the scene to scale, PDF or DXF"))
    _configure_report(commands.add_parser("report", help="write the report with measurements"))


def _configure_measure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Measures between points that are marked in two or more photos (--marks: a CSV with the "
        "header photo,point,x_px,y_px; pixels of the upright photo, from its top-left corner), or "
        "on the surface model (--places: a CSV with the header point,east_m,north_m or "
        "point,lat_deg,lon_deg). A volume on the surface may stand on marked points: --marks "
        "with --on-surface."
    )
    parser.set_defaults(act=_measure)
    parser.add_argument("scene", type=Path, metavar="SCENE", help="folder of a built scene")
    parser.add_argument("kind", choices=SURFACE_KINDS)
    parser.add_argument("points", nargs="+", metavar="POINT", help="names in the file")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--marks", type=Path, metavar="FILE.csv", help="points marked in photos")
    where.add_argument("--places", type=Path, metavar="FILE.csv", help="places on the surface")
    parser.add_argument("--on-surface", action="store_true", help="a volume above marked points")
    parser.add_argument("--follow", action="store_true", help="base through its points, no plane")
    parser.add_argument("--step", type=float, metavar="M", help="between stations of a profile")
    parser.add_argument("--width", type=float, metavar="M", help="of a section's band of points")
    parser.add_argument("--name", default="", help="what the measurement is called")
    parser.add_argument("--save", action="store_true", help="keep it in SCENE/measurements.json")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a profile's stations")
    parser.add_argument("--json", action="store_true", help="print every field as JSON")


def _measure(args: argparse.Namespace) -> int:
    request = _request(args)
    scene = load_scene(args.scene.absolute())
    measured = measurement_file.measure_in(scene, request)
    if args.save:
        measurement_file.keep(scene, request, measured)
    if args.csv is not None and measured.determined:
        surface_measure.write_series(measured, args.csv)
    if args.json:
        print(json.dumps(measurement_document(measured), ensure_ascii=False))
    else:
        print(measurement_line(measured))
    return 0 if measured.determined else EXIT_UNDETERMINED


def _request(args: argparse.Namespace) -> AnyRequest:
    points = tuple(args.points)
    marks: tuple[Mark, ...] = () if args.marks is None else read_marks(args.marks)
    if args.marks is not None and not args.on_surface:
        return MeasureRequest(args.kind, points, marks, args.name)
    places, geographic = ((), False) if args.places is None else read_places(args.places, points)
    return SurfaceRequest(
        args.kind,
        places=places,
        geographic=geographic,
        place_names=() if args.places is None else points,
        points=points if args.places is None else (),
        marks=marks,
        follow=args.follow,
        step_m=args.step,
        width_m=args.width,
        name=args.name,
    )


def read_places(path: Path, points: Sequence[str]) -> tuple[tuple[tuple[float, float], ...], bool]:
    """The places of the named points, and whether they are latitude and longitude.

    Raises
    ------
    InputError
        The file cannot be read, or lacks a point; names the line.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", field="places") from error
    header = tuple(cell.strip() for cell in rows[0]) if rows else ()
    if header not in (LOCAL_HEADER, GEOGRAPHIC_HEADER):
        wanted = " or ".join(",".join(h) for h in (LOCAL_HEADER, GEOGRAPHIC_HEADER))
        raise InputError(f"{path.name} must begin with the header {wanted}", field="places")
    found: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        try:
            name, first, second = row
            found[name.strip()] = (float(first), float(second))
        except ValueError as error:
            wanted = ",".join(header)
            raise InputError(f"{path.name} line {number}: {wanted} expected") from error
    missing = [name for name in points if name not in found]
    if missing:
        raise InputError(f"{path.name} has no point {', '.join(missing)}", field="points")
    return tuple(found[name] for name in points), header == GEOGRAPHIC_HEADER


def measurement_line(measured: Measurement) -> str:
    """One line for people: value, 95 % interval, what it rests on."""
    if not measured.determined:
        return f"{measured.name}: {measured.note}"
    unit, note = measured.unit, f" ({measured.note})" if measured.note else ""
    return (
        f"{measured.name}: {measured.value:.4f} {unit}, 95 % interval "
        f"{measured.ci95_low:.4f} to {measured.ci95_high:.4f} {unit}, "
        f"{measured.method} from {len(measured.photos)} photos{note}"
    )


def _configure_change(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "What was added between two scenes inside a polygon (negative: taken away). Both lie on "
        "the earth, with heights above the same datum."
    )
    parser.set_defaults(act=_change)
    parser.add_argument("scene", type=Path, metavar="AFTER", help="folder of the later scene")
    parser.add_argument("before", type=Path, metavar="BEFORE", help="folder of the earlier scene")
    parser.add_argument("points", nargs="+", metavar="POINT", help="corners, names in the file")
    parser.add_argument("--places", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--name", default="", help="what the measurement is called")
    parser.add_argument("--json", action="store_true", help="print every field as JSON")


def _change(args: argparse.Namespace) -> int:
    places, geographic = read_places(args.places, args.points)
    after, before = (
        (measurement_file.network_of(scene), measurement_file.surface_model(scene))
        for scene in (load_scene(args.scene.absolute()), load_scene(args.before.absolute()))
    )
    request = SurfaceRequest("volume", places=places, geographic=geographic)
    corners = places_en(after[0].frame, after[1], request)
    measured = surface_measure.volume_change(before, after, corners, name=args.name)
    if args.json:
        print(json.dumps(measurement_document(measured), ensure_ascii=False))
    else:
        print(measurement_line(measured))
    return 0 if measured.determined else EXIT_UNDETERMINED


def _configure_remeasure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Takes every kept measurement again that rests on other cameras than the scene's now, "
        "and shows old and new side by side. Nothing is overwritten."
    )
    parser.set_defaults(act=_remeasure)
    parser.add_argument("scene", type=Path, metavar="SCENE", help="folder of a built scene")


def _remeasure(args: argparse.Namespace) -> int:
    pairs = measurement_file.retake(load_scene(args.scene.absolute()))
    if not pairs:
        print("nothing to measure again: every measurement rests on the scene's cameras")
    for pair in pairs:
        print(retaken_line(pair))
    return 0


def retaken_line(pair: Retaken) -> str:
    """Old and new value, their difference, and whether their intervals allow both."""
    old, new = pair.old.measurement, pair.new.measurement
    if pair.agrees is None:
        return f"{new.name}: before {_short(old)}; now {_short(new)}"
    verdict = "in agreement" if pair.agrees else "OUTSIDE each other's 95 % interval"
    return (
        f"{new.name}: before {_short(old)}; now {_short(new)}; "
        f"change {pair.change:+.4f} {new.unit}, {verdict}"
    )


def _short(measured: Measurement) -> str:
    if not measured.determined:
        return measured.note
    half = 0.5 * (measured.ci95_high - measured.ci95_low)
    return f"{measured.value:.4f} ± {half:.4f} {measured.unit}"


def _configure_diagram(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Draws the kept measurements to scale over the orthophoto or the scene's outline; the "
        "file's name decides between PDF and DXF."
    )
    parser.set_defaults(act=_diagram)
    parser.add_argument("scene", type=Path, metavar="SCENE", help="folder of a built scene")
    parser.add_argument("-o", "--out", type=Path, action="append", metavar="FILE.pdf|FILE.dxf")
    parser.add_argument(
        "--scale", type=int, choices=DIAGRAM_SCALES, help="default: largest that fits A3"
    )
    parser.add_argument("--no-ortho", action="store_true", help="draw on white")
    _add_document_options(parser)


def _diagram(args: argparse.Namespace) -> int:
    scene = load_scene(args.scene.absolute())
    drawn = reporting.diagram_of(
        reporting.scene_parts(scene, args.title),
        reporting.named_measurements(scene.folder),
        language=args.lang,
        scale=args.scale,
        with_ortho=not args.no_ortho,
        made_at=_date(args.date),
    )
    for path in args.out or [scene.folder / "diagram.pdf", scene.folder / "diagram.dxf"]:
        reporting.write_scene_diagram(drawn, path)
        print(path)
    return 0


def _configure_report(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the scene's report again, with the measurements kept since. The same inputs give "
        "the same bytes."
    )
    parser.set_defaults(act=_report)
    parser.add_argument("scene", type=Path, metavar="SCENE", help="folder of a built scene")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE.pdf")
    _add_document_options(parser)


def _report(args: argparse.Namespace) -> int:
    scene = load_scene(args.scene.absolute())
    path = args.out or scene.folder / "report.pdf"
    named = reporting.named_measurements(scene.folder)
    reporting.write_scene_report(
        scene,
        path,
        title=args.title,
        measurements=[row.measurement for row in named],
        language=args.lang,
        made_at=_date(args.date),
    )
    print(path)
    return 0


def _add_document_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", choices=LANGUAGES, help="default: the scene's")
    parser.add_argument("--title", help="default: the scene's")
    parser.add_argument(
        "--date", metavar="ISO8601", help="with time zone; default: when the last photo was taken"
    )


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a date such as 2026-05-14T09:30+02:00") from error
    if found.tzinfo is None:
        raise InputError(f"{text!r} lacks its time zone, such as +02:00", field="date")
    return found
