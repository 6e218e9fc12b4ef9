"""From verified matches to oriented views: pycolmap's mappers, and which result to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras import features
from droneteam.photogrammetry.cameras.features import FeatureDatabase, VerifiedPair
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, Progress, SfmGroup, SfmParams
from droneteam.photogrammetry.scene import Camera, FloatArray, SparseCloud, View

MIN_GROUP = 3
"""Fewer views than this are not worth a group of their own."""
NEVER = 2**31 - 1
"""Residuals above which a bundle adjustment takes several threads.  With two threads Ceres sums in
another order on every run, and no two runs give the same cameras to the last bit (measured)."""
EPIPOLAR_TOLERANCE_PX = 2.0
"""A match farther from its epipolar line contradicts the cameras."""


def incremental_models(
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    params: SfmParams,
    progress: Progress,
    *,
    lenient: bool = False,
    only: Sequence[int] | None = None,
    name: str = "incremental",
) -> list[Any]:
    """Models of COLMAP's incremental mapper, the largest first.

    lenient : accept a weaker start (narrow angles, few matches), for small or flat sets on which
    the strict start finds none.  only : indices of the photos to map, None for all.  name : of the
    folder for the models.
    """
    features.quiet()
    options = _incremental_options(photos, store, params, lenient=lenient)
    if only is not None:
        options.image_names = [features.image_name(index) for index in only]
    registered, expected = 0, len(photos if only is None else only)

    def count() -> None:
        nonlocal registered
        registered += 1
        done = min(registered, expected)
        progress("sfm", 0.7 + 0.25 * done / expected, f"mapping {done} photos")

    models = pycolmap.incremental_mapping(
        str(store.path),
        str(store.path.parent),
        str(_output(store, name)),
        options,
        next_image_callback=count,
    )
    return _by_size(models)


def _incremental_options(
    photos: Sequence[PhotoInput], store: FeatureDatabase, params: SfmParams, *, lenient: bool
) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = params.threads
    options.ba_min_num_residuals_for_cpu_multi_threading = NEVER
    options.random_seed = params.seed
    options.min_num_matches = params.min_matches
    options.min_model_size = MIN_GROUP
    options.extract_colors = False
    options.ba_global_frames_ratio = 1.2
    options.ba_global_points_ratio = 1.2
    options.constant_cameras = _given_cameras(photos, store)
    if lenient:
        options.mapper.init_min_tri_angle = 4.0
        options.mapper.init_min_num_inliers = 40
        options.mapper.abs_pose_min_num_inliers = 15
    return options


def global_models(
    photos: Sequence[PhotoInput], store: FeatureDatabase, params: SfmParams
) -> list[Any]:
    """Models of COLMAP's global mapper, the largest first; none with a part of cameras given."""
    given = _given_cameras(photos, store)
    if given and given != set(store.camera_ids):
        return []
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads = 1  # as with NEVER: several threads would give another result every time
    options.random_seed = params.seed
    options.min_num_matches = params.min_matches
    bundle = options.mapper.bundle_adjustment
    bundle.refine_focal_length = bundle.refine_extra_params = not given
    models = pycolmap.global_mapping(
        str(store.path), str(store.path.parent), str(_output(store, "global")), options
    )
    return _by_size(models)


def _given_cameras(photos: Sequence[PhotoInput], store: FeatureDatabase) -> set[int]:
    return {
        camera_id
        for photo, camera_id in zip(photos, store.camera_ids, strict=True)
        if photo.known_camera is not None
    }


def _output(store: FeatureDatabase, name: str) -> Path:
    folder = store.path.parent / name
    folder.mkdir(exist_ok=True)
    return folder


def _by_size(models: dict[int, Any]) -> list[Any]:
    return sorted(models.values(), key=lambda m: (-m.num_reg_images(), -m.num_points3D()))


def groups_from_models(
    models: Sequence[Any],
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    verified: Sequence[VerifiedPair],
    mapper: Literal["incremental", "global"],
) -> list[SfmGroup]:
    """Groups without a photo in common; a smaller model keeps what the larger ones lack."""
    taken: set[int] = set()
    groups = []
    for model in models:
        indices = [i for i, image_id in enumerate(store.image_ids) if _has_pose(model, image_id)]
        fresh = [i for i in indices if i not in taken]
        if len(fresh) < MIN_GROUP:
            continue
        taken.update(fresh)
        groups.append(_group(model, fresh, photos, store, verified, mapper))
    return groups


def _has_pose(model: Any, image_id: int) -> bool:
    return bool(model.exists_image(image_id) and model.image(image_id).has_pose)


def _group(
    model: Any,
    indices: Sequence[int],
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    verified: Sequence[VerifiedPair],
    mapper: Literal["incremental", "global"],
) -> SfmGroup:
    views = tuple(_view(model, photos[i], store.image_ids[i]) for i in indices)
    sparse, errors = _sparse(model, [store.image_ids[i] for i in indices], views)
    agreeing, total = agreement(dict(zip(indices, views, strict=True)), verified)
    return SfmGroup(
        views=views,
        sparse=sparse,
        reprojection_px=float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan"),
        agreeing_matches=agreeing,
        verified_matches=total,
        mapper=mapper,
    )


def _view(model: Any, photo: PhotoInput, image_id: int) -> View:
    image = model.image(image_id)
    camera = model.camera(image.camera_id)
    return View(
        name=photo.name,
        path=photo.path,
        camera=Camera(
            camera.model_name, camera.width, camera.height, tuple(map(float, camera.params))
        ),
        cam_from_enu=np.array(image.cam_from_world().matrix(), dtype=np.float64),
    )


def _sparse(
    model: Any, image_ids: Sequence[int], views: Sequence[View]
) -> tuple[SparseCloud, FloatArray]:
    """The points seen by at least two of the views, and each observation's error in pixels."""
    index_of = {image_id: index for index, image_id in enumerate(image_ids)}
    points2d = {i: np.array([p.xy for p in model.image(i).points2D]) for i in image_ids}
    points: list[FloatArray] = []
    lengths: list[int] = []
    track_views: list[int] = []
    track_pixels: list[FloatArray] = []
    for point_id in sorted(model.point3D_ids()):
        point = model.point3D(point_id)
        seen = [(e.image_id, e.point2D_idx) for e in point.track.elements]
        kept = [(i, k) for i, k in seen if i in index_of]
        if len({i for i, _ in kept}) < 2:
            continue
        points.append(point.xyz)
        lengths.append(len(kept))
        track_views.extend(index_of[i] for i, _ in kept)
        track_pixels.extend(points2d[i][k] for i, k in kept)
    xyz = np.array(points, dtype=np.float64).reshape(-1, 3)
    pixels = np.array(track_pixels, dtype=np.float64).reshape(-1, 2)
    cloud = SparseCloud(
        points_enu_m=xyz,
        colors=np.full((len(xyz), 3), 128, dtype=np.uint8),
        track_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        track_views=np.array(track_views, dtype=np.int32),
        track_pixels=pixels,
    )
    return _coloured(cloud, views), observation_errors(cloud, views)


def observation_errors(cloud: SparseCloud, views: Sequence[View]) -> FloatArray:
    """(m,) pixels between each observation and its projected point."""
    errors = np.zeros(len(cloud.track_views))
    owner = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    for index, view in enumerate(views):
        rows = np.flatnonzero(cloud.track_views == index)
        pixels = project(view, cloud.points_enu_m[owner[rows]])
        errors[rows] = np.linalg.norm(pixels - cloud.track_pixels[rows], axis=1)
    return errors


def project(view: View, points_enu_m: FloatArray) -> FloatArray:
    """(n, 2) distorted pixels of (n, 3) points; NaN behind the camera."""
    if not len(points_enu_m):
        return np.zeros((0, 2))
    rotation, translation = view.cam_from_enu[:, :3], view.cam_from_enu[:, 3]
    pixels, _ = cv2.projectPoints(
        np.ascontiguousarray(points_enu_m), cv2.Rodrigues(rotation)[0], translation,
        view.camera.matrix, view.camera.distortion,
    )  # fmt: skip
    result = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    result[points_enu_m @ rotation[2] + translation[2] <= 0] = np.nan
    return result


def _coloured(cloud: SparseCloud, views: Sequence[View]) -> SparseCloud:
    """The cloud with each point's mean colour over the photos that see it."""
    owner = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    total = np.zeros((len(cloud.points_enu_m), 3))
    for index, view in enumerate(views):
        image = cv2.imread(str(view.path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        rows = np.flatnonzero(cloud.track_views == index)
        if image is None or not len(rows):
            continue
        column, row = np.floor(cloud.track_pixels[rows]).astype(int).T
        column = np.clip(column, 0, image.shape[1] - 1)
        row = np.clip(row, 0, image.shape[0] - 1)
        np.add.at(total, owner[rows], image[row, column, ::-1])
    lengths = np.maximum(np.diff(cloud.track_offsets), 1)[:, None]
    return SparseCloud(
        points_enu_m=cloud.points_enu_m,
        colors=np.clip(np.round(total / lengths), 0, 255).astype(np.uint8),
        track_offsets=cloud.track_offsets,
        track_views=cloud.track_views,
        track_pixels=cloud.track_pixels,
    )


def agreement(views: dict[int, View], verified: Sequence[VerifiedPair]) -> tuple[int, int]:
    """How many of the verified matches among the views their cameras explain, and of how many.

    A wrongly placed camera satisfies its own tracks (they were filtered with it) but not the
    matches that were dropped on its account; those still count here.
    """
    agreeing = total = 0
    for pair in verified:
        first, second = views.get(pair.first), views.get(pair.second)
        if first is None or second is None:
            continue
        distances = epipolar_distances(first, second, pair.pixels_first, pair.pixels_second)
        agreeing += int(np.count_nonzero(distances < EPIPOLAR_TOLERANCE_PX))
        total += len(distances)
    return agreeing, total


def epipolar_distances(
    first: View, second: View, pixels_first: FloatArray, pixels_second: FloatArray
) -> FloatArray:
    """(n,) Sampson distances in pixels (Hartley & Zisserman, 2nd ed., eq. 11.9)."""
    relative = second.cam_from_enu[:, :3] @ first.cam_from_enu[:, :3].T
    translation = second.cam_from_enu[:, 3] - relative @ first.cam_from_enu[:, 3]
    x, y, z = translation
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ relative
    rays_first, rays_second = rays(first.camera, pixels_first), rays(second.camera, pixels_second)
    lines_second, lines_first = rays_first @ essential.T, rays_second @ essential
    gradient = (lines_second[:, :2] ** 2).sum(axis=1) + (lines_first[:, :2] ** 2).sum(axis=1)
    value = np.abs((rays_second * lines_second).sum(axis=1))
    focal = 0.5 * (first.camera.focal_px[0] + second.camera.focal_px[0])
    return np.asarray(focal * value / np.sqrt(np.maximum(gradient, 1e-30)))


def rays(camera: Camera, pixels_px: FloatArray) -> FloatArray:
    """(n, 3) undistorted directions in camera axes with z = 1."""
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-12)
    points: NDArray[np.float64] = np.ascontiguousarray(pixels_px, dtype=np.float64)
    flat = cv2.undistortPoints(
        points.reshape(-1, 1, 2), camera.matrix, camera.distortion, criteria=criteria
    )
    return np.column_stack([np.asarray(flat).reshape(-1, 2), np.ones(len(points))])
