"""Structure from motion of more photos than one mapping takes: blocks, joined, adjusted as one.

Each block is mapped by itself, in a process of its own or on a cluster's worker; `blocks` joins
them, and one bundle adjustment over all photos and all tracks removes what each block bent.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from droneteam.photogrammetry.cameras import blocks, bundle, mapping
from droneteam.photogrammetry.cameras.adjust_setup import sparse_cloud
from droneteam.photogrammetry.cameras.bundle_problem import (
    INTRINSICS,
    IntArray,
    Marks,
    Priors,
    Problem,
    State,
    TiePoints,
)
from droneteam.photogrammetry.cameras.features import FeatureDatabase, VerifiedPair
from droneteam.photogrammetry.cameras.sfm_files import load_sfm, save_sfm
from droneteam.photogrammetry.cameras.sfm_types import (
    PhotoInput,
    Progress,
    SfmGroup,
    SfmParams,
    SfmResult,
)
from droneteam.photogrammetry.cameras.triangulation import camera_from_row, intrinsics_row
from droneteam.photogrammetry.executor import Executor
from droneteam.photogrammetry.scene import Camera, FloatArray

FOCAL_SIGMA = 0.05
"""How far the blocks' focal lengths may lie from the one of all, relative."""
OUTLIER_SIGMA = 4.0
KEY_NAME = "key"
"""Written last: without it a block was not finished."""
FREE = ("f", "k1")
"""What a mapper's simple radial camera estimates."""


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What all blocks share."""

    photos: tuple[PhotoInput, ...]
    store: FeatureDatabase
    verified: tuple[VerifiedPair, ...]
    params: SfmParams


def map_in_blocks(
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    verified: Sequence[VerifiedPair],
    params: SfmParams,
    executor: Executor,
    progress: Progress,
) -> list[SfmGroup]:
    """Groups of oriented views, the largest first, each adjusted as a whole."""
    links = {(p.first, p.second): len(p.pixels_first) for p in verified}
    parts = blocks.partition(len(photos), links, params.block_photos)
    task = _Task(tuple(photos), store, tuple(verified), params)
    found: list[SfmGroup] = []
    mapped = executor.map(_map_block, task, list(enumerate(parts)), holds_lock=True)
    for done, groups in enumerate(mapped, start=1):
        found += groups
        progress("sfm", 0.7 + 0.2 * done / len(parts), f"block {done} of {len(parts)} mapped")
    progress("sfm", 0.92, "joining the blocks")
    joined = blocks.join(found, [photo.name for photo in photos])
    progress("sfm", 0.94, "adjusting all blocks together")
    return [_judged(adjusted(group, photos), photos, verified) for group in joined]


def _map_block(task: _Task, block: tuple[int, list[int]]) -> list[SfmGroup]:
    """The groups of one block's photos; kept beside the database for a run that resumes."""
    number, members = block
    folder = task.store.path.parent / f"block-{number:03d}"
    key = _block_key(task, members)
    if (folder / KEY_NAME).exists() and (folder / KEY_NAME).read_text() == key:
        paths = {photo.name: photo.path for photo in task.photos}
        return list(load_sfm(folder, paths).groups)
    shutil.rmtree(folder, ignore_errors=True)
    inside = set(members)
    verified = [p for p in task.verified if p.first in inside and p.second in inside]
    models = mapping.incremental_models(
        task.photos, task.store, task.params, _quiet, only=members, name=folder.name
    )
    groups = mapping.groups_from_models(models, task.photos, task.store, verified, "incremental")
    save_sfm(SfmResult(tuple(groups), ()), folder)
    (folder / KEY_NAME).write_text(key)
    return groups


def _block_key(task: _Task, members: Sequence[int]) -> str:
    """What a block's result depends on besides the database: who is in it and the parameters."""
    params = replace(task.params, threads=1)
    counts = [len(pair.pixels_first) for pair in task.verified]
    return hashlib.sha256(f"{list(members)} {params} {counts}".encode()).hexdigest()


def _quiet(stage: str, fraction: float, message: str) -> None:
    """A block's own progress is not shown: several run at once."""


def adjusted(group: SfmGroup, photos: Sequence[PhotoInput]) -> SfmGroup:
    """The group after one adjustment of all its views, its cameras' focal lengths and all tracks.

    Photos of one physical camera share one calibration from here on.
    """
    by_name = {photo.name: photo for photo in photos}
    rows, known = _cameras(group, by_name)
    problem, state = _problem(group, rows, known)
    solution = bundle.solve(problem, state, iterations=30, tol=1e-5)
    cleaned, start = bundle.without_outliers(problem, solution, OUTLIER_SIGMA)
    solution = bundle.solve(cleaned, start, iterations=30)
    final, end, kept, _ = bundle.adjust_points(
        problem, replace(solution.state, points=state.points), OUTLIER_SIGMA
    )
    residuals = bundle.residuals(final, end)
    views = tuple(
        replace(
            view,
            cam_from_enu=np.column_stack([end.rotations[i], -end.rotations[i] @ end.centres[i]]),
            camera=view.camera if known[rows[i]] else _camera(end.intrinsics[rows[i]], view.camera),
        )
        for i, view in enumerate(group.views)
    )
    return replace(
        group,
        views=views,
        sparse=sparse_cloud(final, end, group.sparse.colors[kept]),
        reprojection_px=float(np.sqrt(np.mean((residuals**2).sum(axis=1)))),
    )


def _cameras(
    group: SfmGroup, by_name: dict[str, PhotoInput]
) -> tuple[IntArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """(n,) row of intrinsics per view, and (g,) which rows were given as exact."""
    keys = []
    for view in group.views:
        photo = by_name[view.name]
        keys.append((photo.camera_key, photo.width_px, photo.height_px, photo.known_camera))
    order = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    rows = np.array([order[key] for key in keys], dtype=np.int64)
    return rows, np.array([key[3] is not None for key in order])


def _problem(
    group: SfmGroup, rows: IntArray, known: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[Problem, State]:
    """Tie points only: no place, direction or scale; the damping holds what is free."""
    each = np.array([intrinsics_row(view.camera) for view in group.views])
    start = np.array([np.median(each[rows == row], axis=0) for row in range(len(known))])
    free = np.zeros((len(known), len(INTRINSICS)), dtype=bool)
    for name in FREE:
        free[~known, INTRINSICS.index(name)] = True
    ties = TiePoints(
        group.sparse.track_offsets,
        group.sparse.track_views.astype(np.int64),
        np.ascontiguousarray(group.sparse.track_pixels),
    )
    problem = Problem(ties, Marks(), _priors(len(rows), start), rows, free, tie_sigma_px=1.0)
    poses = np.array([view.cam_from_enu for view in group.views])
    rotations = np.ascontiguousarray(poses[:, :, :3])
    state = State(
        rotations=rotations,
        centres=-np.einsum("nji,nj->ni", rotations, poses[:, :, 3]),
        intrinsics=start,
        points=np.ascontiguousarray(group.sparse.points_enu_m),
        kept=np.zeros((0, 3)),
        bias=np.zeros(3),
    )
    return problem, state


def _priors(n_views: int, intrinsics: FloatArray) -> Priors:
    sigma = np.full(intrinsics.shape, np.inf)
    sigma[:, 0] = FOCAL_SIGMA * intrinsics[:, 0]
    return Priors(
        centres=np.zeros((n_views, 3)),
        centre_sigma=np.full((n_views, 3), np.inf),
        bias_sigma=np.zeros(3),
        points=np.zeros((0, 3)),
        point_sigma=np.zeros((0, 3)),
        bars=np.zeros((0, 2), dtype=np.int64),
        bar_length=np.zeros(0),
        bar_sigma=np.zeros(0),
        intrinsics=intrinsics,
        intrinsics_sigma=sigma,
    )


def _camera(row: FloatArray, like: Camera) -> Camera:
    if like.model != "SIMPLE_RADIAL":
        return camera_from_row(row, like)
    return replace(like, params=(float(row[0]), float(row[2]), float(row[3]), float(row[4])))


def _judged(
    group: SfmGroup, photos: Sequence[PhotoInput], verified: Sequence[VerifiedPair]
) -> SfmGroup:
    """The group with how many of all verified matches its cameras explain."""
    by_name = {view.name: view for view in group.views}
    views = {i: by_name[p.name] for i, p in enumerate(photos) if p.name in by_name}
    agreeing, total = mapping.agreement(views, verified)
    return replace(group, agreeing_matches=agreeing, verified_matches=total)
