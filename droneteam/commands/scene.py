"""`droneteam scene`: build a scene from photos and measure in it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from droneteam.commands import scene_results
from droneteam.photogrammetry import cluster
from droneteam.photogrammetry.area import read_area
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene_document import Scene, scale_statement
from droneteam.photogrammetry.scene_files import camera_from_file
from droneteam.photogrammetry.scene_params import (
    LANGUAGES,
    PRESETS,
    STAGES,
    SceneParams,
)
from droneteam.photogrammetry.surface.overlap import few_words

BAR_WIDTH = 24
LINE_PERIOD_S = 5.0
"""How often a plain line is written where there is no terminal."""
SHOWN_WARNINGS = 12


def configure(parser: argparse.ArgumentParser) -> None:
    """Add `build`, `measure` and what is made of measurements."""
    parser.set_defaults(needs_settings=False)
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _configure_build(commands.add_parser("build", help="build a scene from a folder of photos"))
    scene_results.configure(commands)


def run(args: argparse.Namespace) -> int:
    """The exit status of the chosen action."""
    status: int = args.act(args)
    return status


def _configure_build(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Builds a scene from a folder of photos. Run the same command again after an "
        "interruption: finished stages are taken over."
    )
    parser.set_defaults(act=_build)
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="folder with the photos")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the scene")
    parser.add_argument(
        "--camera", type=Path, metavar="FILE.json", help="known calibration, taken as exact"
    )
    parser.add_argument("--gcp", type=Path, metavar="FILE", help="control points, gcp_list.txt")
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="points kept out of the adjustment, same format"
    )
    parser.add_argument("--scale-bars", type=Path, metavar="FILE", help="known lengths")
    parser.add_argument(
        "--area", type=Path, metavar="FILE.geojson", help="polygon that the products are cut to"
    )
    parser.add_argument("--until", choices=STAGES, default="export", help="last stage to run")
    parser.add_argument("--preset", choices=PRESETS, default="normal")
    parser.add_argument(
        "--epsg", type=int, help="of the products; default: 3812 in Belgium, UTM elsewhere"
    )
    parser.add_argument("--title", help="of the report; default: the name of the output folder")
    parser.add_argument("--lang", choices=LANGUAGES, default="fr", help="of the report")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)


def _build(args: argparse.Namespace) -> int:
    params = SceneParams(
        preset=args.preset,
        camera=None if args.camera is None else camera_from_file(args.camera),
        gcp_path=args.gcp,
        check_path=args.check,
        scale_bars_path=args.scale_bars,
        until=args.until,
        epsg=args.epsg,
        language=args.lang,
        title=args.title or args.out.absolute().name,
        threads=args.threads,
        area=None if args.area is None else read_area(args.area),
    )
    workers = cluster.executor(os.environ.get(cluster.VARIABLE), params.threads)
    with workers as executor, ProgressDisplay(sys.stderr) as progress:
        scene = build_scene(args.photos, args.out, params, progress=progress, executor=executor)
    print(summary(scene))
    return 0


class ProgressDisplay:
    """A bar per stage on a terminal; elsewhere a line when a stage starts, ends, or every 5 s."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._stage = ""
        self._written_at = -LINE_PERIOD_S
        self._terminal = stream.isatty()

    def __enter__(self) -> Callable[[str, float, str], None]:
        return self.show

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._stage:
            self._stream.write("\n")

    def show(self, stage: str, fraction: float, message: str) -> None:
        """Show how far a stage is."""
        (self._bar if self._terminal else self._line)(stage, fraction, message)
        self._stage = stage

    def _bar(self, stage: str, fraction: float, message: str) -> None:
        if self._stage and stage != self._stage:
            self._stream.write("\n")
        filled = round(BAR_WIDTH * fraction)
        bar = "█" * filled + "·" * (BAR_WIDTH - filled)
        self._stream.write(f"\r\x1b[K{stage:8s} {bar} {fraction:4.0%} {message[:60]}")
        self._stream.flush()

    def _line(self, stage: str, fraction: float, message: str) -> None:
        now = self._clock()
        due = now - self._written_at >= LINE_PERIOD_S
        if stage != self._stage or fraction >= 1.0 or due:
            self._stream.write(f"{stage} {fraction:.0%} {message}\n")
            self._stream.flush()
            self._written_at = now


def summary(scene: Scene) -> str:
    """What was built, how good it is, what it cost and where it lies."""
    lines = [f"{len(scene.photos.photos)} usable photos"]
    if scene.network is not None:
        accuracy, frame = scene.network.accuracy, scene.network.frame
        lines = [f"{scene.n_registered}/{len(scene.photos.photos)} photos registered"]
        lines.append(f"reprojection {accuracy.reprojection_px:.2f} px")
        if scene.gsd_m is not None:
            lines.append(f"ground sampling distance {scene.gsd_m * 1000.0:.1f} mm")
        lines.append(f"heights: {frame.vertical_datum}")
        lines.append(scale_statement(accuracy, frame))
    if scene.coverage is not None and scene.advice is not None:
        lines.append(f"coverage: {few_words(scene.coverage)}")
        lines.append(scene.advice.statement)
        said = few_words(scene.coverage)
        remarks = [remark for remark in scene.advice.remarks if remark != said]
        lines += [f"before leaving: {remark}" for remark in remarks]
    lines.append(f"{'stage':10s}{'wall s':>9s}{'CPU s':>9s}{'peak MB':>9s}")
    for record in scene.stages:
        usage = record.manifest.usage
        peak = "-" if usage.peak_memory_bytes is None else f"{usage.peak_memory_bytes / 1e6:.0f}"
        reused = "  (taken over)" if record.state == "reused" else ""
        lines.append(
            f"{record.manifest.stage:10s}{usage.wall_s:9.1f}{usage.cpu_s:9.1f}{peak:>9s}{reused}"
        )
    lines += [f"{product.kind}: {scene.folder / product.path}" for product in scene.products]
    lines += [f"note: {warning}" for warning in scene.warnings[:SHOWN_WARNINGS]]
    if len(scene.warnings) > SHOWN_WARNINGS:
        lines.append(f"… and {len(scene.warnings) - SHOWN_WARNINGS} more in scene.json")
    return "\n".join(lines)
