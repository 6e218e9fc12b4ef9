"""Large synthetic networks of known truth, and what mapping them block by block would hand over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from droneteam.photogrammetry.cameras.georef import Similarity
from droneteam.photogrammetry.cameras.sfm_types import SfmGroup
from droneteam.photogrammetry.scene import Camera, FloatArray, SparseCloud
from tests.photogrammetry import networks
from tests.photogrammetry.networks import Network, looking

START_CAMERA = Camera("SIMPLE_RADIAL", 1600, 1200, (1400.0, 800.0, 600.0, 0.0))
TRUE_CAMERA = Camera("SIMPLE_RADIAL", 1600, 1200, (1420.0, 800.0, 600.0, -0.02))


def field(side: int, n_points: int, seed: int = 0) -> Network:
    """side × side nadir photos 8 m apart from 30 m, over a rough field; every fifth one oblique."""
    spacing_m = 8.0
    poses = networks.block_poses(height_m=30.0, spacing_m=spacing_m, side=side)
    for index in range(0, len(poses), 5):
        centre = -poses[index][:, :3].T @ poses[index][:, 3]
        poses[index] = looking(centre, 90.0 * (index % 4), -65.0)
    return networks.network(
        poses,
        n_points=n_points,
        half_width_m=0.5 * spacing_m * side,
        relief_m=6.0,
        camera=TRUE_CAMERA,
        seed=seed,
    )


def observed(truth: Network, noise_px: float, seed: int) -> FloatArray:
    """(views, points, 2) pixels with noise: the same for every block, as one detector gives."""
    return truth.pixels + np.random.default_rng(seed).normal(0.0, noise_px, truth.pixels.shape)


def links(truth: Network) -> dict[tuple[int, int], int]:
    """Common points of every pair that has at least 15."""
    common = truth.visible.astype(np.int32) @ truth.visible.T.astype(np.int32)
    i, j = np.nonzero(np.triu(common, 1) >= 15)
    return {(int(a), int(b)): int(common[a, b]) for a, b in zip(i, j, strict=True)}


def similarity(seed: int) -> Similarity:
    """A frame of its own for a block."""
    rng = np.random.default_rng(seed)
    turn = looking(np.zeros(3), rng.uniform(0, 360), rng.uniform(-80, 80))[:, :3]
    return Similarity(float(rng.uniform(0.1, 2.0)), turn, rng.uniform(-50, 50, 3))


def block(
    truth: Network,
    pixels: FloatArray,
    members: Sequence[int],
    *,
    seed: int,
    bend: float = 0.0,
    camera: Camera = START_CAMERA,
) -> SfmGroup:
    """What mapping these photos gives: tracks seen twice, a frame of its own, a bent block.

    bend : how much of the square of the distance from the middle heights are off, in 1 / m.
    """
    rng = np.random.default_rng(seed)
    frame = similarity(seed)
    rows = np.array(members)
    seen = truth.visible[rows]
    points = np.flatnonzero(seen.sum(axis=0) >= 2)
    middle = truth.points[points].mean(axis=0)
    place = lambda xyz: frame.points(_bent(xyz, middle, bend))  # noqa: E731
    views, offsets, pix = [], [0], []
    for point in points:
        local = np.flatnonzero(seen[:, point])
        views.extend(local)
        pix.extend(pixels[rows[local], point])
        offsets.append(len(views))
    posed = []
    for index in rows:
        view = truth.views[index]
        rotation = view.cam_from_enu[:, :3] @ frame.rotation.T
        centre = place(view.centre_enu_m[None])[0]
        pose = np.column_stack([rotation, -rotation @ centre])
        posed.append(replace(view, cam_from_enu=pose, camera=camera))
    xyz = place(truth.points[points] + rng.normal(0.0, 0.02, (len(points), 3)))
    cloud = SparseCloud(
        points_enu_m=xyz,
        colors=np.full((len(points), 3), 90, np.uint8),
        track_offsets=np.array(offsets, np.int64),
        track_views=np.array(views, np.int32),
        track_pixels=np.array(pix).reshape(-1, 2),
    )
    return SfmGroup(tuple(posed), cloud, 0.6, len(views), len(views), "incremental")


def _bent(xyz: FloatArray, middle: FloatArray, bend: float) -> FloatArray:
    out = np.array(xyz, dtype=np.float64)
    out[:, 2] += bend * ((out[:, :2] - middle[:2]) ** 2).sum(axis=1)
    return out


def centre_rms_m(group: SfmGroup, truth: Network) -> float:
    """RMS distance of the camera centres from the truth after the best similarity."""
    true = {view.name: view.centre_enu_m for view in truth.views}
    target = np.array([true[view.name] for view in group.views])
    return aligned_rms(np.array([view.centre_enu_m for view in group.views]), target)


def aligned_rms(found: FloatArray, target: FloatArray) -> float:
    """RMS distance after the best similarity (Umeyama 1991), in the target's unit."""
    s, t = found - found.mean(axis=0), target - target.mean(axis=0)
    u, d, vt = np.linalg.svd(t.T @ s)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (d * sign).sum() / (s**2).sum()
    return float(np.sqrt(((scale * s @ ((u * sign) @ vt).T - t) ** 2).sum(axis=1).mean()))
