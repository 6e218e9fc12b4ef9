"""Dense stereo and surface models on rendered scenes with exact cameras.

    python -m benchmarks.dense FOLDER [--preset normal] [--photos 40] [--area EAST NORTH HALF]

Prints CPU seconds per megapixel of photo, precision, completeness and F-score of the cloud (per
kind of surface too), whether the stated 1-sigma is honest, and the surface model against truth.
A reference point counts when at least three photos see it.  `--area` cuts the photos down to a
square of ground, metres, for quick comparisons; `--set match.paths=8way` changes a parameter.
`--exact` takes who sees what from the world itself, which this version must still build alike.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks import matching
from benchmarks.rendered import Area, Reference, load
from droneteam.photogrammetry.dense import cloud as dense
from droneteam.photogrammetry.dense.cloud import DenseParams
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, FloatArray
from droneteam.photogrammetry.surface import rasters as surface

SAMPLE_POINTS = 400_000
FOOTPRINT_M = 0.5
STEPS_GSD = (0.9, 1.7, 4.0)
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """How far the cloud is from the truth and the truth from the cloud, in GSD.

    to_surface, sigma : (m,) of a sample of the cloud, whose nearest reference points are
    `nearest`; to_cloud : (n,) of each reference point; seen : (n,) by three photos.
    """

    to_surface: FloatArray
    sigma: FloatArray
    nearest: NDArray[np.int64]
    to_cloud: FloatArray
    seen: Flags


def measure(cloud: DenseCloud, reference: Reference, gsd_m: float) -> Distances:
    """Distances both ways; over ground that the reference does not cover nothing is judged."""
    points = cloud.points_enu_m
    covered = np.flatnonzero(_covered(points, reference.points_enu_m))
    rng = np.random.default_rng(0)
    sample = covered
    if len(covered) > SAMPLE_POINTS:
        sample = np.sort(rng.choice(covered, SAMPLE_POINTS, replace=False))
    to_cloud = cKDTree(points).query(reference.points_enu_m)[0]
    to_surface, nearest = reference.distances(points[sample])
    return Distances(
        to_surface=to_surface / gsd_m,
        sigma=cloud.sigma_m[sample].astype(np.float64) / gsd_m,
        nearest=nearest,
        to_cloud=to_cloud / gsd_m,
        seen=reference.visible.sum(axis=0) >= 3,
    )


def _covered(points: FloatArray, reference: FloatArray) -> Flags:
    """Which points stand over cells of ground in which there is reference, and all around."""
    low = reference[:, :2].min(axis=0)
    shape = np.ceil((reference[:, :2].max(axis=0) - low) / FOOTPRINT_M).astype(int) + 3
    has = np.zeros(shape, bool)
    has[tuple((((reference[:, :2] - low) / FOOTPRINT_M).astype(int) + 1).T)] = True
    inner = has.copy()
    for east in (-1, 0, 1):
        for north in (-1, 0, 1):
            inner &= np.roll(has, (east, north), axis=(0, 1))
    cell = np.floor((points[:, :2] - low) / FOOTPRINT_M).astype(int) + 1
    ok = np.all((cell >= 0) & (cell < shape), axis=1)
    ok[ok] = inner[tuple(cell[ok].T)]
    return ok


def print_cloud(found: Distances, reference: Reference) -> None:
    """Precision, completeness and F-score, overall and per kind of surface."""
    for step in STEPS_GSD[:2]:
        p = float(np.mean(found.to_surface < step))
        c = float(np.mean(found.to_cloud[found.seen] < step))
        print(
            f"at {step} GSD: precision {100 * p:.1f} %, completeness {100 * c:.1f} %, "
            f"F {200 * p * c / max(p + c, 1e-9):.1f} %"
        )
    normalised = found.to_surface / found.sigma
    inside = [100 * np.mean(normalised < k) for k in (1.0, 2.0, 3.0)]
    print(
        f"distance to surface: median {np.median(found.to_surface):.3f} GSD; within 1, 2, 3 of "
        f"its own sigma: {inside[0]:.1f}, {inside[1]:.1f}, {inside[2]:.1f} % (normal: 68, 95, 99.7)"
    )
    print("surface          points  complete at 0.9  1.7  4.0   precision at 0.9  1.7   in 2 sigma")
    for label, name in enumerate(reference.names):
        mine = found.seen & (reference.labels == label)
        if mine.sum() > 20:
            on = reference.labels[found.nearest] == label
            complete = [100 * np.mean(found.to_cloud[mine] < k) for k in STEPS_GSD]
            precise = [100 * _mean(found.to_surface[on] < k) for k in STEPS_GSD[:2]]
            print(
                f"{name:12} {mine.sum():10d} {complete[0]:12.1f} {complete[1]:5.1f} "
                f"{complete[2]:5.1f} {precise[0]:14.1f} {precise[1]:5.1f} "
                f"{100 * _mean(normalised[on] < 2.0):9.1f}"
            )


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else float("nan")


def print_surface(
    cloud: DenseCloud, network: CameraNetwork, reference: Reference, cell_m: float
) -> None:
    """Surface and terrain models against the truth at the same cells."""
    dsm = surface.rasterize_dsm(cloud, cell_m)
    ground = surface.terrain(dsm)
    seen = _seen_cells(reference, dsm.grid)
    for name, raster, truth in (("DSM", dsm, reference.dsm_m), ("DTM", ground, reference.dtm_m)):
        error, known, measured = _errors(raster, truth, reference, seen)
        spread = 1.4826 * np.median(np.abs(error - np.median(error))) / cell_m
        print(
            f"{name}: NMAD {spread:.2f} GSD, median {np.median(error) / cell_m:+.2f} GSD, "
            f"within 3 GSD {100 * np.mean(np.abs(error) < 3 * cell_m):.1f} %, measured "
            f"{100 * measured:.1f} % and known {100 * known:.1f} % of {seen.sum()} visible cells"
        )


def _seen_cells(reference: Reference, grid: surface.Grid) -> Flags:
    """Cells of the truth whose surface three photos see, by the reference points in them."""
    points = reference.points_enu_m[reference.visible.sum(axis=0) >= 3]
    column, row = (
        np.floor((points[:, :2] - reference.dsm_corner_m) / reference.dsm_cell_m).astype(int).T
    )
    rows, columns = reference.dsm_m.shape
    ok = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    top = np.zeros(len(points), bool)
    top[ok] = np.abs(reference.dsm_m[row[ok], column[ok]] - points[ok, 2]) < 0.05
    seen = np.zeros(reference.dsm_m.shape, bool)
    seen[row[top], column[top]] = True
    return seen


def _errors(
    raster: surface.Raster, truth: NDArray[np.float32], reference: Reference, seen: Flags
) -> tuple[FloatArray, float, float]:
    """Height errors at measured cells among those seen, shares of known and of measured cells."""
    row, column = np.nonzero(seen)
    east = reference.dsm_corner_m[0] + (column + 0.5) * reference.dsm_cell_m
    north = reference.dsm_corner_m[1] + (row + 0.5) * reference.dsm_cell_m
    x, y = (np.floor(v).astype(int) for v in raster.grid.cell_of(east, north))
    inside = (x >= 0) & (y >= 0) & (x < raster.grid.width) & (y < raster.grid.height)
    mask = np.zeros(len(row), np.uint8)
    mask[inside] = raster.mask[y[inside], x[inside]]
    measured = mask == surface.MEASURED
    heights = raster.height_m[y[measured], x[measured]].astype(np.float64)
    error = heights - truth[row[measured], column[measured]]
    return error, _mean(mask > surface.NO_DATA), _mean(measured)


def _seen_exactly(reference: Reference, network: CameraNetwork, folder: Path) -> Reference:
    """The reference with what photos really show, except under cars and in hedges."""
    visible = matching.exactly_visible(
        matching.world_of(folder), network.views, reference.points_enu_m, reference.normals
    )
    return replace(reference, visible=visible & reference.open_to_sky)


def with_changes(params: DenseParams, changes: list[str]) -> DenseParams:
    """The parameters with `name=value` or `match.name=value` changed, in their own types."""
    for change in changes:
        name, _, text = change.partition("=")
        inner = name.removeprefix("match.")
        owner: Any = params.match if inner != name else params
        value = type(getattr(owner, inner))(text)
        owner = replace(owner, **{inner: value})
        params = replace(params, match=owner) if inner != name else owner
    return params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="normal", choices=("preview", "normal", "full"))
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--area", type=float, nargs=3, metavar=("EAST", "NORTH", "HALF"))
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--workdir", type=Path)
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        area = None if options.area is None else Area(*options.area)
        network, reference = load(options.folder, Path(scratch), options.photos, area)
        params = with_changes(DenseParams.preset(options.preset), options.changes)
        workdir = options.workdir or Path(scratch) / "work"
        started, wall = time.process_time(), time.monotonic()
        cloud = dense.dense_cloud(network, workdir, params, lambda *_: None)
        cpu, wall = time.process_time() - started, time.monotonic() - wall
    pixels = sum(v.camera.width_px * v.camera.height_px for v in network.views) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    gsd_m = surface.ground_sampling_m(network)
    print(
        f"{options.folder.name}: {len(network.views)} photos, {pixels:.1f} Mpx, "
        f"GSD {1e3 * gsd_m:.1f} mm: {cpu:.1f} CPU s ({wall:.1f} s wall), "
        f"{cpu / pixels:.2f} CPU s per Mpx, peak {peak:.0f} MB; {len(cloud.points_enu_m)} points"
    )
    if options.exact:
        reference = _seen_exactly(reference, network, options.folder)
    print_cloud(measure(cloud, reference, gsd_m), reference)
    print_surface(cloud, network, reference, gsd_m)


if __name__ == "__main__":
    main()
