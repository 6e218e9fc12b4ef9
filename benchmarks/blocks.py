"""What joining blocks and adjusting everything at once costs, on synthetic networks of known truth.

    python -m benchmarks.blocks [--side 22] [--points 60000] [--block 150]

side × side photos of 2 MP over a rough field, cut into overlapping blocks that are each bent and
in a frame of their own.  Prints CPU seconds and peak memory of the cut, the joining, the one
adjustment and the metrology adjustment with camera positions, and the camera centres' errors.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import blocks
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.block_mapping import adjusted
from droneteam.photogrammetry.cameras.georef import Similarity, fit_similarity
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup, SfmResult
from droneteam.photogrammetry.scene import Camera, FloatArray, SparseCloud, View

T = TypeVar("T")
HEIGHT_M, SPACING_M, NOISE_PX, BEND = 30.0, 8.0, 0.5, 5e-4
CAMERA = Camera("SIMPLE_RADIAL", 1600, 1200, (1420.0, 800.0, 600.0, -0.02))
START = Camera("SIMPLE_RADIAL", 1600, 1200, (1400.0, 800.0, 600.0, 0.0))
ORIGIN = GeoPoint(50.8, 4.4, 100.0)
RTK_SIGMA_M = (0.02, 0.02, 0.03)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """True views and points; observations as rows (view, point) and (x, y), sorted by point."""

    views: tuple[View, ...]
    points: FloatArray
    rows: NDArray[np.int64]
    pixels: FloatArray


def main() -> int:
    args = _arguments()
    truth = field(args.side, args.points)
    print(
        f"{len(truth.views)} photos, {len(truth.rows)} observations of {len(truth.points)} points"
    )
    print(f"{'step':28s}{'CPU s':>8s}{'wall s':>8s}{'peak MB':>9s}")
    names = [view.name for view in truth.views]
    parts = _timed("cut", lambda: blocks.partition(len(names), _links(truth), args.block))
    mapped = [_block(truth, part, number) for number, part in enumerate(parts)]
    print(f"  {len(parts)} blocks of {min(map(len, parts))} to {max(map(len, parts))} photos")
    groups = _timed("join", lambda: blocks.join(mapped, names))
    joined = groups[0]
    print(f"  {len(groups)} group(s); centres before: {_errors(joined.views, truth)}")
    photos = _photos(truth)
    done = _timed("one adjustment", lambda: adjusted(joined, photos))
    print(f"  centres: {_errors(done.views, truth)}; reprojection {done.reprojection_px:.2f} px")
    network = _timed("metrology adjustment", lambda: adjust(SfmResult((done,), ()), photos))
    print(f"  centres with RTK positions: {_errors(network.views, truth)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=22)
    parser.add_argument("--points", type=int, default=60_000)
    parser.add_argument("--block", type=int, default=150)
    return parser.parse_args()


def _timed(name: str, step: Callable[[], T]) -> T:
    cpu, wall = time.process_time(), time.perf_counter()
    result = step()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000.0
    print(f"{name:28s}{cpu:8.1f}{wall:8.1f}{peak_mb:9.0f}", flush=True)
    return result


def field(side: int, n_points: int, seed: int = 0) -> Field:
    """A square of nadir photos, every fifth one oblique, over relief of a few metres."""
    rng = np.random.default_rng(seed)
    half = 0.5 * SPACING_M * side
    points = rng.uniform(-1.0, 1.0, (n_points, 3)) * [half, half, 3.0]
    views, rows, pixels = [], [], []
    for index in range(side * side):
        at = SPACING_M * (np.array(divmod(index, side)) - (side - 1) / 2)
        pitch = -65.0 if index % 5 == 0 else -90.0
        pose = _looking(np.array([*at, HEIGHT_M]), 90.0 * (index % 4), pitch)
        name = f"{index:04d}.jpg"
        views.append(View(name, Path(name), CAMERA, pose))
        seen, xy = _project(pose, points)
        rows.append(np.column_stack([np.full(len(seen), index), seen]))
        pixels.append(xy + rng.normal(0.0, NOISE_PX, xy.shape))
    table, xy = np.concatenate(rows), np.concatenate(pixels)
    order = np.lexsort((table[:, 0], table[:, 1]))
    return Field(tuple(views), points, table[order], xy[order])


def _looking(centre: FloatArray, yaw_deg: float, pitch_deg: float) -> FloatArray:
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    forward = np.array([np.cos(pitch) * np.sin(yaw), np.cos(pitch) * np.cos(yaw), np.sin(pitch)])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    return np.column_stack([rotation, -rotation @ centre])


def _project(pose: FloatArray, points: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Which points lie in the photo, and at what pixels; from the camera model's formula alone."""
    f, cx, cy, k = CAMERA.params
    local = points @ pose[:, :3].T + pose[:, 3]
    x, y = local[:, 0] / local[:, 2], local[:, 1] / local[:, 2]
    radial = f * (1.0 + k * (x * x + y * y))
    xy = np.column_stack([radial * x + cx, radial * y + cy])
    inside = (local[:, 2] > 0) & (xy > 0).all(axis=1) & (xy < [1600, 1200]).all(axis=1)
    seen = np.flatnonzero(inside)
    return seen, xy[seen]


def _links(truth: Field) -> dict[tuple[int, int], int]:
    seen = np.zeros((len(truth.views), len(truth.points)), np.float32)
    seen[truth.rows[:, 0], truth.rows[:, 1]] = 1.0
    common = np.triu((seen @ seen.T).astype(np.int64), 1)
    return {(int(i), int(j)): int(common[i, j]) for i, j in np.argwhere(common >= 30)}


def _block(truth: Field, members: Sequence[int], number: int) -> SfmGroup:
    """A bent block in a frame of its own, with the observations that every block shares."""
    rng = np.random.default_rng(number)
    local = np.full(len(truth.views), -1)
    local[list(members)] = np.arange(len(members))
    keep = local[truth.rows[:, 0]] >= 0
    rows, pixels = truth.rows[keep], truth.pixels[keep]
    counts = np.bincount(rows[:, 1], minlength=len(truth.points))
    used = np.flatnonzero(counts >= 2)
    keep = counts[rows[:, 1]] >= 2
    turn = _looking(np.zeros(3), rng.uniform(0, 360), rng.uniform(-80, 80))[:, :3]
    frame = Similarity(float(rng.uniform(0.1, 2.0)), turn, rng.uniform(-50, 50, 3))
    centres = np.array([truth.views[i].centre_enu_m for i in members])
    middle, sign = centres.mean(axis=0), (-1) ** number

    def placed(xyz: FloatArray) -> FloatArray:
        out = np.array(xyz)
        out[:, 2] += sign * BEND * ((out[:, :2] - middle[:2]) ** 2).sum(axis=1)
        return frame.points(out)

    views = []
    for index, centre in zip(members, placed(centres), strict=True):
        rotation = truth.views[index].cam_from_enu[:, :3] @ turn.T
        pose = np.column_stack([rotation, -rotation @ centre])
        views.append(replace(truth.views[index], cam_from_enu=pose, camera=START))
    cloud = SparseCloud(
        points_enu_m=placed(truth.points[used] + rng.normal(0.0, 0.02, (len(used), 3))),
        colors=np.full((len(used), 3), 90, np.uint8),
        track_offsets=np.concatenate([[0], np.cumsum(counts[used])]).astype(np.int64),
        track_views=local[rows[keep, 0]].astype(np.int32),
        track_pixels=pixels[keep],
    )
    return SfmGroup(tuple(views), cloud, NOISE_PX, 1, 1, "incremental")


def _photos(truth: Field) -> list[PhotoInput]:
    rng = np.random.default_rng(7)
    enu = EnuFrame(ORIGIN)
    photos = []
    for view in truth.views:
        at = enu.geodetic_from_enu(view.centre_enu_m + rng.normal(0.0, RTK_SIGMA_M))
        position = GeoPoint(*(float(value) for value in at))
        photos.append(
            PhotoInput(view.name, view.path, 1600, 1200, "one", 1400.0, position, RTK_SIGMA_M)
        )
    return photos


def _errors(views: Sequence[View], truth: Field) -> str:
    true = {view.name: view.centre_enu_m for view in truth.views}
    found = np.array([view.centre_enu_m for view in views])
    target = np.array([true[view.name] for view in views])
    off = np.linalg.norm(fit_similarity(found, target).points(found) - target, axis=1)
    rms_mm, largest_mm = 1000.0 * np.sqrt((off**2).mean()), 1000.0 * off.max()
    return f"{len(off)} photos, RMS {rms_mm:.1f} mm, largest {largest_mm:.1f} mm"


if __name__ == "__main__":
    raise SystemExit(main())
