"""Which points of the ground, or of a wall, a set of planned photos sees.

A pinhole without distortion, nothing in its way; enough to decide overlaps, not to predict
accuracy.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from droneteam.geo import FloatArray
from droneteam.missions.planner.camera import CameraSpec

_CHUNK = 2_000_000
"""Photo-point pairs looked at in one go (about 100 MB)."""


def sample_points(polygon_m: FloatArray, wanted: int) -> FloatArray:
    """About ``wanted`` points of a polygon: its corners, points on its edges and a grid inside.

    polygon_m : (n, 2).  Returns (k, 2); corners come first.
    """
    area = shapely.polygons(polygon_m)
    edge = area.exterior
    on_edge = shapely.line_interpolate_point(edge, np.linspace(0.0, edge.length, wanted // 4))
    left, low, right, high = area.bounds
    step = np.sqrt(max(area.area, 1e-6) / (wanted / 2.0))
    grid = np.stack(
        np.meshgrid(np.arange(left, right, step), np.arange(low, high, step)), axis=-1
    ).reshape(-1, 2)
    inside = grid[shapely.contains_xy(area, grid[:, 0], grid[:, 1])]
    return np.vstack([polygon_m, shapely.get_coordinates(on_edge), inside])


def views_per_point(
    points_m: FloatArray, positions_m: FloatArray, angles_deg: FloatArray, camera: CameraSpec
) -> NDArray[np.int64]:
    """How many photos see each point.

    points_m : (n, 2) on the ground, or (n, 3) with heights above it;
    positions_m : (k, 3) east, north, height above ground;
    angles_deg : (k, 2) yaw from north and pitch (-90 is straight down)
    Returns (n,).
    """
    counts = np.zeros(len(points_m), dtype=np.int64)
    step = max(1, _CHUNK // max(1, len(points_m)))
    for first in range(0, len(positions_m), step):
        part = slice(first, first + step)
        seen = seen_by(points_m, positions_m[part], angles_deg[part], camera)
        counts += seen.sum(axis=0)
    return counts


def camera_axes(angles_deg: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Right, down and ahead of cameras in ENU, (k, 3) each; angles_deg : (k, 2) yaw and pitch."""
    yaw, pitch = np.radians(angles_deg).T
    right = np.stack([np.cos(yaw), -np.sin(yaw), np.zeros_like(yaw)], axis=1)
    ahead = np.stack(
        [np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.sin(pitch)], axis=1
    )
    return right, np.cross(ahead, right), ahead


def seen_by(
    points_m: FloatArray, positions_m: FloatArray, angles_deg: FloatArray, camera: CameraSpec
) -> NDArray[np.bool_]:
    """(k, n) whether photo k sees point n."""
    right, down, forward = camera_axes(angles_deg)
    heights = points_m[:, 2:] if points_m.shape[1] == 3 else np.zeros((len(points_m), 1))
    ground = np.hstack([points_m[:, :2], heights])

    def component(axis: FloatArray) -> FloatArray:
        offset = np.sum(axis * positions_m, axis=1)
        return np.asarray(axis @ ground.T - offset[:, None])

    depth = component(forward)
    half_width = 0.5 * camera.width_px / camera.focal_px
    half_height = 0.5 * camera.height_px / camera.focal_px
    return np.asarray(
        (depth > 0.0)
        & (np.abs(component(right)) <= half_width * depth)
        & (np.abs(component(down)) <= half_height * depth)
    )
