"""A folder of rendered photos with its exact truth, whole or cut down to a small area.

FOLDER holds images/, camera.json, poses.csv and surface.npz as the simulated camera writes them.
Nothing else is asked, so that folders of earlier versions of the worlds keep their meaning.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from droneteam.geo import GeoPoint
from droneteam.photogrammetry import optics
from droneteam.photogrammetry.scene import (
    Accuracy,
    Camera,
    CameraNetwork,
    FloatArray,
    Frame,
    SparseCloud,
    View,
)

SPARSE_POINTS = 20_000
FACING_COS = 0.15
SPLAT_M = 0.04
"""Cells in which what hides is looked for; each reference point (6 cm apart) covers nine."""
HIDDEN_M = 0.05
"""Points this far behind their cell's nearest are hidden; more on surfaces seen grazing."""
LEAST_SKY = 0.1
"""Points that see less of the sky lie under a car or in a hedge (docs/world.md)."""
CROP_MARGIN_PX = 60
SMALLEST_CROP_PX = 200


@dataclass(frozen=True, slots=True)
class Area:
    """A square of ground: its middle and half its side, metres."""

    east_m: float
    north_m: float
    half_m: float

    def holds(self, points_enu_m: FloatArray) -> NDArray[np.bool_]:
        """Which of (n, 3) points stand in it."""
        away = np.abs(points_enu_m[:, :2] - [self.east_m, self.north_m])
        return np.asarray(np.all(away <= self.half_m, axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Points of the true surface.

    points_enu_m, normals : (n, 3); labels : (n,) index into names; visible : (views, n), seen
    unhidden, open to the sky and not grazing; open_to_sky : (n,), not under a car; dsm_m : (rows,
    columns), row 0 the southernmost, with dsm_corner_m and dsm_cell_m.
    """

    points_enu_m: FloatArray
    normals: FloatArray
    labels: NDArray[np.int16]
    names: tuple[str, ...]
    visible: NDArray[np.bool_]
    dsm_m: NDArray[np.float32]
    dtm_m: NDArray[np.float32]
    dsm_corner_m: FloatArray
    dsm_cell_m: float
    open_to_sky: NDArray[np.bool_]

    def distances(self, points_enu_m: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
        """(n,) distance of points from the true surface, and each one's nearest reference point.

        Measured to the reference's tangent planes, since it is a thinner sample than a cloud;
        beside the sample (an edge, or nothing there) to the nearest point itself.
        """
        tree = cKDTree(self.points_enu_m)
        local = tree.query(self.points_enu_m, k=5)[0][:, 4]
        far, nearest = tree.query(points_enu_m)
        offset = points_enu_m - self.points_enu_m[nearest]
        to_plane = np.abs(np.sum(offset * self.normals[nearest], axis=1))
        aside = np.sqrt(np.maximum(far**2 - to_plane**2, 0.0))
        return np.where(aside < 1.5 * local[nearest], to_plane, far), nearest


def load(
    folder: Path, scratch: Path, photos: int = 1000, area: Area | None = None
) -> tuple[CameraNetwork, Reference]:
    """The network with its true cameras, and the truth; with an area, photos cut down to it."""
    row = json.loads((folder / "camera.json").read_text())
    camera = Camera(row["model"], row["width"], row["height"], tuple(row["params"]))
    views = _views(folder, camera)[:photos]
    data = np.load(folder / "surface.npz")
    points, normals = data["points_enu_m"].astype(np.float64), data["normals"].astype(np.float64)
    keep = np.ones(len(points), bool) if area is None else area.holds(points)
    points, normals, labels = points[keep], normals[keep], data["labels"][keep]
    seen = np.stack([visible(points, normals, view) for view in views])
    if area is not None:
        cut = [_cropped(v, points[seen[i]], scratch) for i, v in enumerate(views)]
        seen = np.stack([s for s, v in zip(seen, cut, strict=True) if v is not None])
        views = [v for v in cut if v is not None]
    open_to_sky = data["sky"][keep] >= LEAST_SKY
    seen &= open_to_sky
    reference = Reference(
        points, normals, labels, tuple(map(str, data["label_names"])), seen, data["dsm_m"],
        data["dtm_m"], data["dsm_corner_m"], float(data["dsm_cell_m"]), open_to_sky,
    )  # fmt: skip
    network = CameraNetwork(
        views=tuple(views),
        sparse=_tracks(points, seen, views),
        frame=Frame("enu", GeoPoint(50.8197, 4.3908, 100.0), "WGS84 ellipsoid", True),
        accuracy=Accuracy(0.3, "gcp", True),
    )
    return network, reference


def _views(folder: Path, camera: Camera) -> list[View]:
    views = []
    with (folder / "poses.csv").open() as file:
        for pose in csv.DictReader(file):
            centre = np.array([float(pose[k]) for k in ("east_m", "north_m", "up_m")])
            rotation = np.array([[float(pose[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
            matrix = np.concatenate([rotation, (-rotation @ centre)[:, None]], axis=1)
            views.append(View(pose["photo"], folder / "images" / pose["photo"], camera, matrix))
    return views


def visible(points: FloatArray, normals: FloatArray, view: View) -> NDArray[np.bool_]:
    """Which reference points a photo shows: in frame, not grazing, nothing before them."""
    away = view.centre_enu_m - points
    pixels, depth = optics.project(points, view)
    framed = optics.inside(pixels, view.camera, margin_px=1.0)
    cosine = np.sum(away * normals, axis=1) / np.linalg.norm(away, axis=1)
    ok = framed & (cosine > FACING_COS)
    if not ok.any():
        return ok
    cell_px = max(1.0, SPLAT_M * view.camera.focal_px[0] / float(np.median(depth[ok])))
    cell = np.floor(pixels[framed] / cell_px).astype(int)
    size = (int(view.camera.height_px / cell_px) + 1, int(view.camera.width_px / cell_px) + 1)
    nearest = np.full(size, np.inf, np.float32)
    np.minimum.at(nearest, (cell[:, 1], cell[:, 0]), depth[framed].astype(np.float32))
    nearest = cv2.erode(nearest, np.ones((3, 3), np.uint8))
    column, row = np.floor(pixels[ok] / cell_px).astype(int).T
    slope = np.sqrt(1.0 / np.minimum(cosine[ok], 1.0) ** 2 - 1.0)
    ok[ok] = depth[ok] < nearest[row, column] + HIDDEN_M + 3.0 * SPLAT_M * slope
    return ok


def _cropped(view: View, points: FloatArray, scratch: Path) -> View | None:
    """The part of a photo that shows the points, as a photo of its own; None when too small."""
    if not len(points):
        return None
    pixels, _ = optics.project(points, view)
    size = np.array([view.camera.width_px, view.camera.height_px])
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - CROP_MARGIN_PX, 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + CROP_MARGIN_PX, size)
    if np.any(high - low < SMALLEST_CROP_PX):
        return None
    image: Any = cv2.imread(str(view.path))
    path = scratch / f"{Path(view.name).stem}.png"
    cv2.imwrite(str(path), image[low[1] : high[1], low[0] : high[0]])
    f, _, cx, cy, *lens = view.camera.params
    params = (f, f, cx - low[0], cy - low[1], *lens)
    camera = Camera(view.camera.model, int(high[0] - low[0]), int(high[1] - low[1]), params)
    return View(view.name, path, camera, view.cam_from_enu)


def _tracks(points: FloatArray, visible: NDArray[np.bool_], views: list[View]) -> SparseCloud:
    """A thin sample of the reference as if structure from motion had found it."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(np.flatnonzero(visible.sum(axis=0) >= 2))[:SPARSE_POINTS]
    seen = visible[:, chosen]
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
