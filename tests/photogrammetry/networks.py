"""Synthetic photo networks of exactly known truth, made with numpy alone.

The projection here is written out on its own (not the product's), so that the two check each
other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup, SfmResult
from droneteam.photogrammetry.control import Control, Mark, SurveyPoint
from droneteam.photogrammetry.scene import Camera, FloatArray, SparseCloud, View

ORIGIN = GeoPoint(50.8, 4.4, 100.0)
WIDTH_PX, HEIGHT_PX = 1600, 1200
CAMERA = Camera(
    "OPENCV", WIDTH_PX, HEIGHT_PX, (1400.0, 1400.0, 803.0, 596.0, -0.02, 0.01, 2e-4, -1e-4)
)


@dataclass(frozen=True)
class Network:
    """True views (frame: ENU about ORIGIN), true points and which view sees which at what pixel.

    visible : (n_views, n_points) bool; pixels : (n_views, n_points, 2), NaN where unseen.
    """

    views: tuple[View, ...]
    points: FloatArray
    visible: np.ndarray
    pixels: FloatArray


def project(view: View, points: FloatArray) -> FloatArray:
    """(n, 2) distorted pixels, straight from Brown's formulas; NaN behind or outside."""
    in_camera = points @ view.cam_from_enu[:, :3].T + view.cam_from_enu[:, 3]
    x, y = in_camera[:, 0] / in_camera[:, 2], in_camera[:, 1] / in_camera[:, 2]
    k1, k2, p1, p2 = view.camera.distortion[:4]
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2
    xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    yd = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    (fx, fy), (cx, cy) = view.camera.focal_px, view.camera.principal_px
    pixels = np.column_stack([fx * xd + cx, fy * yd + cy])
    outside = (
        (in_camera[:, 2] <= 0)
        | (pixels < 0).any(axis=1)
        | (pixels[:, 0] > view.camera.width_px)
        | (pixels[:, 1] > view.camera.height_px)
    )
    pixels[outside] = np.nan
    return pixels


def looking(centre: FloatArray, yaw_deg: float, pitch_deg: float) -> FloatArray:
    """(3, 4) cam_from_enu of a level-horizon camera."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    forward = np.array([np.cos(pitch) * np.sin(yaw), np.cos(pitch) * np.cos(yaw), np.sin(pitch)])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    return np.column_stack([rotation, -rotation @ centre])


def block_poses(height_m: float = 30.0, spacing_m: float = 9.0, side: int = 3) -> list[FloatArray]:
    """A square nadir block; neighbouring strips fly in opposite directions."""
    ticks = spacing_m * (np.arange(side) - (side - 1) / 2)
    return [
        looking(np.array([e, n, height_m + 0.3 * ((i + j) % 3)]), 180.0 * (i % 2), -90.0)
        for i, e in enumerate(ticks)
        for j, n in enumerate(ticks)
    ]


def orbit_poses(n: int = 8, radius_m: float = 22.0, height_m: float = 22.0) -> list[FloatArray]:
    """A ring of oblique photos looking at the middle."""
    pitch = -np.degrees(np.arctan2(height_m, radius_m))
    return [
        looking(np.array([radius_m * np.sin(a), radius_m * np.cos(a), height_m]),
                np.degrees(a) + 180.0, pitch)
        for a in 2 * np.pi * np.arange(n) / n
    ]  # fmt: skip


def network(
    poses: list[FloatArray],
    *,
    n_points: int = 250,
    half_width_m: float = 14.0,
    relief_m: float = 1.5,
    camera: Camera = CAMERA,
    seed: int = 0,
) -> Network:
    """Random points of a rough field seen by the cameras."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (n_points, 3)) * [half_width_m, half_width_m, relief_m / 2]
    views = tuple(
        View(f"photo_{i:03d}.jpg", Path(f"photo_{i:03d}.jpg"), camera, pose)
        for i, pose in enumerate(poses)
    )
    pixels = np.array([project(view, points) for view in views])
    return Network(views, points, np.isfinite(pixels[..., 0]), pixels)


def sfm_result(
    truth: Network,
    *,
    noise_px: float,
    seed: int,
    start_camera: Camera | None = None,
    points: slice = slice(None),
) -> SfmResult:
    """What structure from motion would hand over: noisy, in a frame of its own.

    The views start from the truth in an arbitrary similarity frame, through `start_camera`.
    """
    rng = np.random.default_rng(seed)
    offsets, track_views, track_pixels, xyz = [0], [], [], []
    for index in range(len(truth.points))[points]:
        seen = np.flatnonzero(truth.visible[:, index])
        if len(seen) < 2:
            continue
        track_views.extend(seen)
        track_pixels.extend(truth.pixels[seen, index] + rng.normal(0, noise_px, (len(seen), 2)))
        offsets.append(len(track_views))
        xyz.append(truth.points[index])
    turn = looking(np.zeros(3), 40.0, 25.0)[:, :3]
    scale, shift = 0.13, np.array([3.0, -2.0, 5.0])
    views = []
    for view in truth.views:
        rotation = view.cam_from_enu[:, :3] @ turn.T
        centre = scale * turn @ view.centre_enu_m + shift
        pose = np.column_stack([rotation, -rotation @ centre])
        views.append(replace(view, cam_from_enu=pose, camera=start_camera or view.camera))
    cloud = SparseCloud(
        points_enu_m=scale * np.array(xyz) @ turn.T + shift,
        colors=np.full((len(xyz), 3), 128, np.uint8),
        track_offsets=np.array(offsets, np.int64),
        track_views=np.array(track_views, np.int32),
        track_pixels=np.array(track_pixels),
    )
    group = SfmGroup(tuple(views), cloud, noise_px, 1, 1, "incremental")
    return SfmResult((group,), ())


def photo_inputs(
    truth: Network,
    *,
    sigma_m: tuple[float, float, float] | None,
    seed: int,
    focal_prior_px: float | None = 1400.0,
    known: bool = False,
    bias_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> list[PhotoInput]:
    """The photos with noisy positions; None gives none."""
    rng = np.random.default_rng(seed)
    inputs = []
    for view in truth.views:
        position = None
        if sigma_m is not None:
            at = view.centre_enu_m + rng.normal(0, sigma_m) + bias_m
            position = GeoPoint(*(float(v) for v in EnuFrame(ORIGIN).geodetic_from_enu(at)))
        inputs.append(
            PhotoInput(
                name=view.name,
                path=view.path,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
                camera_key="one",
                focal_prior_px=focal_prior_px,
                position=position,
                position_sigma_m=sigma_m,
                known_camera=view.camera if known else None,
            )
        )
    return inputs


def control_of(
    truth: Network,
    indices: list[int],
    *,
    seed: int,
    checks: tuple[int, ...] = (),
    survey_sigma_m: float = 0.01,
    mark_sigma_px: float = 0.3,
) -> Control:
    """Points of the network as surveyed and marked control, in ENU about ORIGIN."""
    rng = np.random.default_rng(seed)
    enu = EnuFrame(ORIGIN)
    points, marks = [], []
    for index in indices:
        at = enu.geodetic_from_enu(truth.points[index] + rng.normal(0, survey_sigma_m, 3))
        points.append(
            SurveyPoint(
                name=f"gcp{index}",
                role="check" if index in checks else "control",
                position=GeoPoint(*(float(v) for v in at)),
                sigma_m=(survey_sigma_m, survey_sigma_m, survey_sigma_m),
            )
        )
        marks += marks_of(truth, index, f"gcp{index}", rng, mark_sigma_px)
    return Control(tuple(points), (), tuple(marks))


def marks_of(
    truth: Network, index: int, name: str, rng: np.random.Generator, sigma_px: float
) -> list[Mark]:
    """Noisy marks of a point in every view that sees it well inside its frame."""
    marks = []
    for view in np.flatnonzero(truth.visible[:, index]):
        x, y = truth.pixels[view, index] + rng.normal(0, sigma_px, 2)
        if 0 <= x <= WIDTH_PX and 0 <= y <= HEIGHT_PX:
            marks.append(Mark(name, truth.views[view].name, float(x), float(y), sigma_px))
    return marks
