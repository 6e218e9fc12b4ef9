"""Dense stereo on a rendered scene with exact cameras: CPU seconds, accuracy and completeness.

    python -m benchmarks.dense FOLDER [--preset normal] [--photos 40] [--workdir DIR]

FOLDER holds images/, camera.json, poses.csv and surface.npz as the simulated camera writes them.
A reference point counts as visible when at least three photos have it unhidden in their frame.
Distances from the cloud are measured to the reference's tangent planes, since the reference is
sampled more thinly than the cloud.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from droneteam.geo import GeoPoint
from droneteam.photogrammetry import dense, optics, surface
from droneteam.photogrammetry.scene import (
    Accuracy,
    Camera,
    CameraNetwork,
    DenseCloud,
    Frame,
    SparseCloud,
    View,
)

SPARSE_POINTS = 20_000
HIDDEN_CELL_M = 0.12
HIDDEN_DEPTH_M = 0.3
FACING_COS = 0.15
FOOTPRINT_M = 0.5


def exact_network(folder: Path, photos: int) -> CameraNetwork:
    """The network of a rendered folder, from its true poses and reference surface."""
    row = json.loads((folder / "camera.json").read_text())
    camera = Camera(row["model"], row["width"], row["height"], tuple(row["params"]))
    views = []
    with (folder / "poses.csv").open() as file:
        for pose in list(csv.DictReader(file))[:photos]:
            centre = np.array([float(pose[k]) for k in ("east_m", "north_m", "up_m")])
            rotation = np.array([[float(pose[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
            matrix = np.concatenate([rotation, (-rotation @ centre)[:, None]], axis=1)
            views.append(View(pose["photo"], folder / "images" / pose["photo"], camera, matrix))
    reference = np.load(folder / "surface.npz")
    return CameraNetwork(
        views=tuple(views),
        sparse=_tracks(reference["points_enu_m"].astype(np.float64), reference["normals"], views),
        frame=Frame("enu", GeoPoint(50.8197, 4.3908, 100.0), "WGS84 ellipsoid", True),
        accuracy=Accuracy(0.3, "gcp", True),
    )


def _tracks(points: np.ndarray, normals: np.ndarray, views: list[View]) -> SparseCloud:
    rng = np.random.default_rng(0)
    seen = np.stack([visible(points, normals, view) for view in views])
    chosen = rng.permutation(np.flatnonzero(seen.sum(axis=0) >= 2))[:SPARSE_POINTS]
    seen = seen[:, chosen]
    columns, rows = np.nonzero(seen.T)
    pixels = np.zeros((len(columns), 2))
    for index, view in enumerate(views):
        mine = rows == index
        pixels[mine] = optics.project(points[chosen][columns[mine]], view)[0]
    return SparseCloud(
        points_enu_m=points[chosen],
        colors=np.full((len(chosen), 3), 128, np.uint8),
        track_offsets=np.concatenate([[0], np.cumsum(seen.sum(axis=0))]).astype(np.int64),
        track_views=rows.astype(np.int32),
        track_pixels=pixels,
    )


def visible(points: np.ndarray, normals: np.ndarray, view: View) -> np.ndarray:
    """Which reference points the view has in frame, facing it, with nothing before them.

    The reference is a thin sample: what hides is looked for in cells wider than its spacing.
    """
    away = view.centre_enu_m - points
    pixels, depth = optics.project(points, view)
    ok = optics.inside(pixels, view.camera)
    ok &= np.sum(away * normals, axis=1) > FACING_COS * np.linalg.norm(away, axis=1)
    cell_px = max(2, round(HIDDEN_CELL_M * view.camera.focal_px[0] / np.median(depth[ok])))
    framed = optics.inside(pixels, view.camera)
    cell = np.full(len(points), -1)
    width = view.camera.width_px // cell_px + 1
    cell[framed] = (pixels[framed, 1] // cell_px).astype(int) * width
    cell[framed] += (pixels[framed, 0] // cell_px).astype(int)
    nearest = np.full(width * (view.camera.height_px // cell_px + 1), np.inf)
    np.minimum.at(nearest, cell[framed], depth[framed])
    ok[ok] = depth[ok] < nearest[cell[ok]] + HIDDEN_DEPTH_M
    return ok


def within(cloud: DenseCloud, points: np.ndarray) -> DenseCloud:
    """The part of the cloud over ground that the reference covers; elsewhere is no truth."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    shape = np.ceil((high - low) / FOOTPRINT_M).astype(int) + 1
    covered = np.zeros(shape, np.uint8)
    covered[tuple(((points[:, :2] - low) / FOOTPRINT_M).astype(int).T)] = 1
    covered = cv2.erode(covered, np.ones((3, 3), np.uint8), borderValue=0)
    cell = ((cloud.points_enu_m[:, :2] - low) / FOOTPRINT_M).astype(int)
    ok = np.all((cell >= 0) & (cell < shape), axis=1)
    ok[ok] = covered[tuple(cell[ok].T)] == 1
    return DenseCloud(
        cloud.points_enu_m[ok],
        cloud.normals[ok],
        cloud.colors[ok],
        cloud.sigma_m[ok],
        cloud.n_views[ok],
    )


def report(cloud: DenseCloud, network: CameraNetwork, folder: Path) -> None:
    """Prints precision, completeness and F-score, overall and per material."""
    reference = np.load(folder / "surface.npz")
    points, normals = reference["points_enu_m"].astype(np.float64), reference["normals"]
    gsd = surface.ground_sampling_m(network)
    seen = np.sum([visible(points, normals, view) for view in network.views], axis=0) >= 3
    tree = cKDTree(points)
    cloud = within(cloud, points)
    far, nearest = tree.query(cloud.points_enu_m, workers=2)
    offset = cloud.points_enu_m - points[nearest]
    to_plane = np.abs(np.sum(offset * normals[nearest], axis=1))
    local = tree.query(points, k=5, workers=2)[0][:, 4]
    spacing = np.median(local) / 2.0
    aside = np.sqrt(np.maximum(far**2 - to_plane**2, 0.0))
    to_plane = np.where(aside < 1.5 * local[nearest], to_plane, far)
    to_cloud, _ = cKDTree(cloud.points_enu_m).query(points, workers=2)
    print(
        f"GSD {1e3 * gsd:.1f} mm, reference {len(points)} points {1e3 * spacing:.0f} mm apart, "
        f"{100 * seen.mean():.0f} % visible to 3 photos; cloud {len(cloud.points_enu_m)} points"
    )
    print(
        f"distance to surface: median {np.median(to_plane) / gsd:.3f} GSD; "
        f"over its own sigma: median {np.median(to_plane / cloud.sigma_m):.2f} (0.67 is ideal)"
    )
    print(f"{'surface':12} {'points':>8} " + "".join(f"complete@{k:<5}" for k in (0.9, 1.7, 4.0)))
    for k in (0.9, 1.7):
        p, c = np.mean(to_plane < k * gsd), np.mean(to_cloud[seen] < k * gsd)
        print(
            f"at {k} GSD: precision {100 * p:.1f} %, completeness {100 * c:.1f} %, "
            f"F {200 * p * c / (p + c):.1f} %"
        )
    for label, name in enumerate(reference["label_names"]):
        mine = seen & (reference["labels"] == label)
        if mine.sum() > 20:
            on = reference["labels"][nearest] == label
            print(
                f"{name!s:12} {mine.sum():8d} "
                + "".join(
                    f"{100 * np.mean(to_cloud[mine] < k * gsd):13.1f} " for k in (0.9, 1.7, 4.0)
                )
                + f"  precision@0.9 {100 * np.mean(to_plane[on] < 0.9 * gsd):.1f}"
                f" @1.7 {100 * np.mean(to_plane[on] < 1.7 * gsd):.1f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="normal", choices=("preview", "normal", "full"))
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--workdir", type=Path)
    options = parser.parse_args()
    network = exact_network(options.folder, options.photos)
    workdir = options.workdir or Path(tempfile.mkdtemp())
    params = dense.DenseParams.preset(options.preset)
    started, wall = time.process_time(), time.monotonic()
    cloud = dense.dense_cloud(network, workdir, params, lambda *_: None)
    cpu, wall = time.process_time() - started, time.monotonic() - wall
    pixels = sum(v.camera.width_px * v.camera.height_px for v in network.views) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(network.views)} photos, {pixels:.1f} Mpx: {cpu:.1f} CPU s ({wall:.1f} s wall), "
        f"{cpu / pixels:.2f} CPU s per Mpx, peak {peak:.0f} MB"
    )
    report(cloud, network, options.folder)
    if options.workdir is None:
        shutil.rmtree(workdir)


if __name__ == "__main__":
    main()
