"""Cameras on real and rendered photos: ``python -m benchmarks.cameras DATA [--rendered DIR …]``.

DATA holds fountain-P11 (photos and gt_dense_cameras) and brighton_beach; what is absent is left
out and said.  Each DIR is a folder as the simulated camera writes it (images, gcp_list.txt,
check_list.txt, marks.csv, poses.csv, world.json); make several with `python -m sitl.camera` and
different worlds and seeds.  Prints, per case, CPU and wall seconds of structure from motion and of
the adjustment, the peak memory, and the errors against the truth beside what is asked.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import locate, sfm
from droneteam.photogrammetry.cameras.adjust import AdjustParams, adjust
from droneteam.photogrammetry.cameras.georef import fit_similarity
from droneteam.photogrammetry.cameras.placement import choose_heights, sfm_inputs
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmParams
from droneteam.photogrammetry.control import (
    NO_CONTROL,
    Control,
    ScaleBar,
    merge,
    read_control,
    read_marks,
)
from droneteam.photogrammetry.ingest.photos import read_folder
from droneteam.photogrammetry.measuring import measure
from droneteam.photogrammetry.scene import Camera, CameraNetwork, FloatArray

T = TypeVar("T")
Case = tuple[Path, Callable[[Path, Path, SfmParams], None]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step took."""

    cpu_s: float
    wall_s: float


GIVEN_LIMIT_MM, ESTIMATED_LIMIT_MM, SFM_LIMIT_S = 2.7, 5.0, 60.0
CONTROL_LIMIT_GSD, POSITIONS_LIMIT_GSD = (1.0, 1.5), (2.0, 3.0)
"""Asked of check points, in plan and up: with control, and with RTK positions alone."""
LENGTH_SHARE = 0.001
"""Asked of a length, beside one ground pixel."""


def beside(value: float, limit: float) -> str:
    """A figure and what is asked of it."""
    return f"{value:.2f} ({'≤' if value <= limit else 'MISSES'} {limit:g})"


def measured(step: Callable[[], T]) -> tuple[T, Cost]:
    """The step's result and cost, worker processes included."""
    wall, cpu = time.perf_counter(), _cpu_s()
    result = step()
    return result, Cost(_cpu_s() - cpu, time.perf_counter() - wall)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _peak_mb() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(w).ru_maxrss for w in who) / 1024.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rendered", type=Path, nargs="*", default=[])
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    params = SfmParams(threads=asked.threads)
    print("{:34}{:>9}{:>9}{:>9}{:>9}{:>9}  {}".format(
        "case", "photos", "sfm CPU", "wall", "adj CPU", "peak MB", "result"))  # fmt: skip
    cases: list[Case] = [
        (asked.data / "fountain-P11", fountain),
        (asked.data / "brighton_beach", brighton),
        *((folder, rendered) for folder in asked.rendered),
    ]
    for folder, run in cases:
        if asked.only not in folder.name:
            continue
        if not folder.is_dir():
            print(f"{folder.name:34} left out: {folder} is not there")
            continue
        with tempfile.TemporaryDirectory() as workdir:
            run(folder, Path(workdir), params)


def _row(case: str, net: CameraNetwork, photos: int, sfm_cost: Cost, adj: Cost, said: str) -> None:
    print(
        f"{case:34}{len(net.views):>5}/{photos:<3}{sfm_cost.cpu_s:>9.1f}{sfm_cost.wall_s:>9.1f}"
        f"{adj.cpu_s:>9.1f}{_peak_mb():>9.0f}  {said}",
        flush=True,
    )


def inputs_of(folder: Path, known: Camera | None = None) -> tuple[list[PhotoInput], AdjustParams]:
    """The photos of a folder as structure from motion takes them, and their heights' datum."""
    found = read_folder(folder)
    heights = choose_heights([p.position for p in found.photos if p.position is not None])
    paths = {photo.name: photo.path for photo in found.photos}
    inputs = sfm_inputs(found.photos, paths, known, heights)
    return inputs, AdjustParams(vertical_datum=heights.datum, datum_note=heights.note)


def fountain(folder: Path, workdir: Path, params: SfmParams) -> None:
    """Camera centres after a similarity, with the given and with an estimated calibration."""
    k = np.loadtxt(folder / "images" / "K.txt")
    known = Camera("PINHOLE", 3072, 2048, (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
    given, _ = inputs_of(folder / "images", known)
    free = [replace(p, known_camera=None, focal_prior_px=0.98 * k[0, 0]) for p in given]
    for name, photos in (("fountain-P11, given lens", given), ("fountain-P11, estimated", free)):
        result, sfm_cost = measured(
            lambda p=photos, n=name: sfm.reconstruct(p, workdir / n, params)
        )
        net, cost = measured(lambda r=result, p=photos: adjust(r, p))
        errors = fountain_errors_m(net, folder)
        rms_mm = 1e3 * float(np.sqrt((errors**2).mean()))
        limit_mm = GIVEN_LIMIT_MM if photos is given else ESTIMATED_LIMIT_MM
        said = (
            f"centres RMS {beside(rms_mm, limit_mm)} mm, worst {1e3 * errors.max():.2f} mm; "
            f"reprojection {net.accuracy.reprojection_px:.3f} px; "
            f"structure from motion {beside(sfm_cost.cpu_s, SFM_LIMIT_S)} CPU s"
        )
        _row(name, net, len(photos), sfm_cost, cost, said)


def fountain_errors_m(net: CameraNetwork, folder: Path) -> FloatArray:
    """(n,) metres between the network's centres and the true ones, after a similarity."""
    centres = np.array([v.centre_enu_m for v in net.views])
    true = np.array(
        [
            np.loadtxt(folder / "gt_dense_cameras" / f"{v.name}.camera", skiprows=7, max_rows=1)
            for v in net.views
        ]
    )
    errors = fit_similarity(centres, true).points(centres) - true
    return np.asarray(np.linalg.norm(errors, axis=1))


def brighton(folder: Path, workdir: Path, params: SfmParams) -> None:
    """A flat nadir block with consumer GNSS: all oriented, and the gate must fire."""
    photos, adjusting = inputs_of(folder / "images")
    result, sfm_cost = measured(lambda: sfm.reconstruct(photos, workdir, params))
    net, cost = measured(lambda: adjust(result, photos, params=adjusting))
    fired = net.accuracy.vertical_scale_determined is False
    said = (
        f"gate {'fires' if fired else 'DOES NOT FIRE'}; focal "
        f"{net.views[0].camera.focal_px[0]:.0f} px, height {height_above_m(net):.1f} m, "
        f"reprojection {net.accuracy.reprojection_px:.3f} px"
    )
    _row("brighton_beach", net, len(photos), sfm_cost, cost, said)


def height_above_m(net: CameraNetwork) -> float:
    """Median camera height above the median tie point."""
    up = float(np.median([v.centre_enu_m[2] for v in net.views]))
    return up - float(np.median(net.sparse.points_enu_m[:, 2]))


def rendered(folder: Path, workdir: Path, params: SfmParams) -> None:
    """Check points and lengths with control, and without any but the camera positions."""
    photos, adjusting = inputs_of(folder / "images")
    result, sfm_cost = measured(lambda: sfm.reconstruct(photos, workdir, params))
    control = read_control(folder / "gcp_list.txt")
    checks = read_control(folder / "check_list.txt", role="check")
    five = replace(control, points=control.points[:5])
    cases = {
        f"{folder.name}, {len(control.points)} control points": merge(control, checks),
        f"{folder.name}, 5 control points": merge(five, checks),
        f"{folder.name}, positions only": checks,
    }
    for name, used in cases.items():
        net, cost = measured(lambda u=used: adjust(result, photos, u, adjusting))
        limits = POSITIONS_LIMIT_GSD if used is checks else CONTROL_LIMIT_GSD
        _row(name, net, len(photos), sfm_cost, cost, said_of_truth(net, folder, limits))
    bare = [replace(p, position=None, position_sigma_m=None) for p in photos]
    net, cost = measured(lambda: adjust(result, bare, bars_of(folder)))
    said = lengths_said(net, folder)
    _row(f"{folder.name}, scale bars only", net, len(photos), sfm_cost, cost, said)


def bars_of(folder: Path) -> Control:
    """The world's scale bars with their marks."""
    world = json.loads((folder / "world.json").read_text())
    bars = tuple(
        ScaleBar(name, *_ends(bar), bar["length_m"]) for name, bar in world["scale_bars"].items()
    )
    return replace(NO_CONTROL, bars=bars, marks=read_marks(folder / "marks.csv"))


def _ends(entry: dict[str, object]) -> tuple[str, str]:
    points = entry["points"]
    assert isinstance(points, list)
    return str(points[0]), str(points[-1])


def said_of_truth(net: CameraNetwork, folder: Path, limits: tuple[float, float]) -> str:
    """Errors of cameras and named points against the world, in ground pixels and millimetres.

    limits : what is asked of the points in plan and up, in ground pixels.
    """
    world = json.loads((folder / "world.json").read_text())
    at = world["frame"]["origin"]
    there = EnuFrame(GeoPoint(at["lat_deg"], at["lon_deg"], at["alt_ellipsoid_m"]))
    assert net.frame.origin is not None
    here = EnuFrame(net.frame.origin)
    marks = read_marks(folder / "marks.csv")
    errors = []
    for name, point in world["points"].items():
        found = locate.position(net, marks, name)
        if found is not None:
            moved = there.enu_from_geodetic(here.geodetic_from_enu(found[0]))
            errors.append(moved - point["enu_m"])
    east, north, up = np.sqrt(np.mean(np.square(errors), axis=0))
    gsd_m = height_above_m(net) / net.views[0].camera.focal_px[0]
    centres = camera_errors_m(net, folder, there, here)
    return (
        f"points {beside(np.hypot(east, north) / gsd_m, limits[0])} GSD plan, "
        f"{beside(up / gsd_m, limits[1])} up (n={len(errors)}, GSD {1e3 * gsd_m:.1f} mm); cameras "
        f"{1e3 * np.sqrt((centres**2).mean()):.1f} mm; {lengths_said(net, folder)}"
    )


def camera_errors_m(
    net: CameraNetwork, folder: Path, there: EnuFrame, here: EnuFrame
) -> FloatArray:
    """(n, 3) of the centres against poses.csv."""
    with (folder / "poses.csv").open() as file:
        poses = {row["photo"]: row for row in csv.DictReader(file)}
    true = [[float(poses[v.name][k]) for k in ("east_m", "north_m", "up_m")] for v in net.views]
    centres = np.array([v.centre_enu_m for v in net.views])
    return there.enu_from_geodetic(here.geodetic_from_enu(centres)) - np.array(true)


def lengths_said(net: CameraNetwork, folder: Path) -> str:
    """Each named length: its error beside what is asked, and whether its interval holds it."""
    world = json.loads((folder / "world.json").read_text())
    marks = read_marks(folder / "marks.csv")
    gsd_m = height_above_m(net) / net.views[0].camera.focal_px[0]
    said = []
    for name, length in world["lengths"].items():
        got = measure.polyline(net, marks, length["points"], name=name)
        if not got.determined:
            said.append(f"{name} not determined")
            continue
        true_m = length["length_m"]
        holds = got.ci95_low <= true_m <= got.ci95_high
        error = 1e3 * (got.value - true_m)
        limit = 1e3 * (LENGTH_SHARE * true_m + gsd_m)
        missed = "" if abs(error) <= limit else f" MISSES {limit:.1f}"
        said.append(f"{name} {error:+.1f} mm{missed}{'' if holds else ' OUTSIDE ITS INTERVAL'}")
    return ", ".join(said)


if __name__ == "__main__":
    main()
