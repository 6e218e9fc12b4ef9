"""A tiny world with exactly known geometry, photographed by ray casting in numpy.

Ground plane at height 0 (or tilted) and axis-aligned boxes on it, with smooth random texture.
Nothing here uses the code under test: rays are intersected in closed form, and the only shared
thing is the data types.
"""

from __future__ import annotations

import atexit
import fcntl
import pickle
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from droneteam.geo import GeoPoint
from droneteam.photogrammetry.dense.cloud import DenseParams, dense_cloud
from droneteam.photogrammetry.scene import (
    Accuracy,
    Camera,
    CameraNetwork,
    DenseCloud,
    Frame,
    SparseCloud,
    View,
)

TEXTURE_SIZE = 1024


@dataclass(frozen=True)
class BoxWorld:
    """boxes : rows of x0, x1, y0, y1, z0, z1 in metres; texel_m : size of one texture cell."""

    boxes: tuple[tuple[float, ...], ...] = ((-1.0, 1.0, -0.5, 0.5, 0.0, 0.8),)
    texel_m: float = 0.02
    slope: tuple[float, float] = (0.0, 0.0)
    seed: int = 1
    textures: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        for _ in range(6):
            total = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE, 3))
            for octave, weight in ((1, 0.5), (2, 0.7), (4, 0.8), (16, 1.0), (64, 1.2)):
                small = rng.normal(size=(TEXTURE_SIZE // octave,) * 2 + (1,))
                tint = 1.0 + 0.2 * rng.normal(size=3)
                tiled = np.pad(small, ((0, 1), (0, 1), (0, 0)), mode="wrap")
                grid = np.arange(TEXTURE_SIZE, dtype=np.float32) / octave
                gx, gy = np.meshgrid(grid, grid)
                noise = cv2.remap(tiled[..., 0].astype(np.float32), gx, gy, cv2.INTER_LINEAR)
                total += weight * noise[..., None] * tint
            total = cv2.GaussianBlur(total, (0, 0), 0.7, borderType=cv2.BORDER_REFLECT)
            self.textures.append(np.clip(120 + 30 * total, 8, 247).astype(np.float32))

    def ground(self, x, y):
        return self.slope[0] * x + self.slope[1] * y

    def height(self, x, y):
        """The top surface's height, an oracle for a DSM."""
        z = self.ground(x, y)
        for x0, x1, y0, y1, _, z1 in self.boxes:
            z = np.where((x > x0) & (x < x1) & (y > y0) & (y < y1), np.maximum(z, z1), z)
        return z

    def trace(self, origin: np.ndarray, directions: np.ndarray):
        """Distances t (n,) along the rays and colours (n, 3); the ground always ends a ray."""
        d, n = directions, np.array([-self.slope[0], -self.slope[1], 1.0])
        with np.errstate(divide="ignore", invalid="ignore"):
            t = -(origin @ n) / (d @ n)
            t = np.where(t > 0, t, np.inf)
            face = np.zeros(len(d), dtype=int)
            for box in self.boxes:
                low, high = np.array(box[0::2]), np.array(box[1::2])
                a, b = (low - origin) / d, (high - origin) / d
                near, far = np.minimum(a, b), np.maximum(a, b)
                enter, leave = near.max(axis=1), far.min(axis=1)
                hit = (enter < leave) & (enter > 0) & (enter < t)
                t = np.where(hit, enter, t)
                face = np.where(hit, 1 + near.argmax(axis=1), face)
        points = origin + np.where(np.isfinite(t), t, 0.0)[:, None] * d
        colours = np.zeros((len(d), 3))
        for index in range(4):
            chosen = face == index
            u_axis, v_axis = ((0, 1), (1, 2), (0, 2), (0, 1))[index]
            u = (points[chosen][:, u_axis] / self.texel_m) % (TEXTURE_SIZE - 1)
            v = (points[chosen][:, v_axis] / self.texel_m) % (TEXTURE_SIZE - 1)
            colours[chosen] = _bilinear(self.textures[index], u, v)
        return t, colours

    def photograph(self, view: View, gain: float = 1.0, noise: float = 0.0):
        """The photo as (h, w, 3) uint8 and its true depth along the optical axis.

        One ray per pixel: the texture is coarser than the pixels, so nothing aliases but edges.
        """
        w, h = view.camera.width_px, view.camera.height_px
        x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
        directions = pixel_rays(view.camera, x.ravel(), y.ravel()) @ view.cam_from_enu[:, :3]
        depth, colours = self.trace(view.centre_enu_m, directions)
        image = colours.reshape(h, w, 3) * gain
        image += np.random.default_rng(self.seed).normal(scale=noise, size=image.shape)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8), depth.reshape(h, w)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distances (n,) of points to the nearest surface of the world (level ground only)."""
        x, y, z = points.T
        hidden = np.zeros(len(points), dtype=bool)
        nearest = np.full(len(points), np.inf)
        for box in self.boxes:
            low, high = np.array(box[0::2]), np.array(box[1::2])
            below = low - [0.0, 0.0, 1e3]
            outside = np.linalg.norm(
                np.maximum(np.maximum(below - points, points - high), 0), axis=1
            )
            inside = np.minimum(points - below, high - points).min(axis=1)
            nearest = np.minimum(nearest, np.where(outside > 0, outside, np.abs(inside)))
            hidden |= (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
        return np.minimum(nearest, np.where(hidden, np.inf, np.abs(z)))


def _bilinear(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    iu, iv = u.astype(int), v.astype(int)
    fu, fv = (u - iu)[:, None], (v - iv)[:, None]
    a, b = texture[iv, iu], texture[iv, iu + 1]
    c, d = texture[iv + 1, iu], texture[iv + 1, iu + 1]
    return (a * (1 - fu) + b * fu) * (1 - fv) + (c * (1 - fu) + d * fu) * fv


def pixel_rays(camera: Camera, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ray directions with z = 1 by OpenCV, whose array convention is half a pixel off ours."""
    matrix = camera.matrix
    if not camera.distortion.any():
        ones = np.ones_like(x)
        return np.stack(
            [(x - matrix[0, 2]) / matrix[0, 0], (y - matrix[1, 2]) / matrix[1, 1], ones], axis=1
        )
    pixels = np.stack([x, y], axis=-1)[:, None, :].astype(np.float64)
    flat = cv2.undistortPoints(pixels, matrix, camera.distortion, criteria=(3, 25, 1e-13))[:, 0]
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)


def look_at(eye, target, up=(0.0, 0.0, 1.0)) -> np.ndarray:
    """(3, 4) cam_from_enu, OpenCV axes."""
    eye, target = np.asarray(eye, dtype=float), np.asarray(target, dtype=float)
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, up)
    if np.linalg.norm(x) < 1e-6:
        x = np.cross(z, [0.0, 1.0, 0.0])
    x /= np.linalg.norm(x)
    rotation = np.stack([x, np.cross(z, x), z])
    return np.concatenate([rotation, (-rotation @ eye)[:, None]], axis=1)


def nadir(eye, yaw_deg: float = 0.0) -> np.ndarray:
    yaw = np.radians(yaw_deg)
    return look_at(eye, np.asarray(eye) - [0, 0, 1.0], up=(np.sin(yaw), np.cos(yaw), 0.0))


def small_camera(distorted: bool = False) -> Camera:
    if distorted:
        return Camera(
            "OPENCV", 480, 360, (420.0, 424.0, 243.0, 176.0, -0.08, 0.03, 0.0006, -0.0004)
        )
    return Camera("PINHOLE", 480, 360, (420.0, 420.0, 240.0, 180.0))


def block_poses(height_m: float = 6.0) -> list[np.ndarray]:
    """Six nadir photos in two strips and six oblique ones around the origin."""
    poses = [nadir((x, y, height_m), 7.0 * x) for y in (-0.8, 0.8) for x in (-1.5, 0.0, 1.5)]
    for k in range(6):
        angle = 2 * np.pi * k / 6
        eye = (4.5 * np.cos(angle), 4.5 * np.sin(angle), 4.5)
        poses.append(look_at(eye, (0, 0, 0.2)))
    return poses


def strip_poses(height_m: float = 6.0) -> list[np.ndarray]:
    return [
        nadir((x, y, height_m), 5.0 * k)
        for k, (x, y) in enumerate([(-0.9, 0.0), (-0.1, 0.1), (0.8, -0.1), (0.0, 0.9)])
    ]


@dataclass(frozen=True)
class BoxScene:
    """The world, the photos of it and what the code under test makes of them."""

    world: BoxWorld
    network: CameraNetwork
    cloud: DenseCloud
    workdir: Path
    gsd_m: float


shared_folder: Path | None = None
"""Where the processes of one run leave the scene to each other; each makes its own without."""


@cache
def box_scene() -> BoxScene:
    """Twelve photos through a distorting lens, matched and fused once per run of the tests."""
    if shared_folder is None:
        folder = Path(tempfile.mkdtemp(prefix="box_scene_"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return _made_scene(folder)
    folder, kept = shared_folder / "box_scene", shared_folder / "box_scene.pickle"
    with (shared_folder / "box_scene.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)
            kept.write_bytes(pickle.dumps(_made_scene(folder)))
    found = pickle.loads(kept.read_bytes())
    assert isinstance(found, BoxScene)
    return found


def _made_scene(folder: Path) -> BoxScene:
    world = BoxWorld()
    network = build_network(world, folder / "photos", block_poses(), small_camera(distorted=True))
    cloud = dense_cloud(network, folder / "dense", DenseParams(), lambda *_: None)
    return BoxScene(world, network, cloud, folder / "dense", 6.0 / 420.0)


def true_depth(world: BoxWorld, view: View) -> np.ndarray:
    """(h, w) depths on the view's pinhole grid, by closed-form ray casting."""
    (fx, fy), (cx, cy) = view.camera.focal_px, view.camera.principal_px
    camera = Camera("PINHOLE", view.camera.width_px, view.camera.height_px, (fx, fy, cx, cy))
    return world.photograph(View(view.name, view.path, camera, view.cam_from_enu))[1]


def build_network(
    world: BoxWorld,
    folder: Path,
    poses: list[np.ndarray],
    camera: Camera,
    *,
    gains: list[float] | None = None,
    noise: float = 1.0,
    placed: bool = True,
) -> CameraNetwork:
    """Photos written as PNG and the network that took them, with exact cameras."""
    views = []
    folder.mkdir(parents=True, exist_ok=True)
    for index, pose in enumerate(poses):
        view = View(f"photo_{index:02d}.png", folder / f"photo_{index:02d}.png", camera, pose)
        gain = 1.0 if gains is None else gains[index]
        image, _ = world.photograph(view, gain, noise)
        cv2.imwrite(str(view.path), image[..., ::-1])
        views.append(view)
    return CameraNetwork(
        views=tuple(views),
        sparse=sparse_of(world, views),
        frame=Frame("enu", GeoPoint(50.8197, 4.3908, 100.0), "WGS84 ellipsoid", True)
        if placed
        else Frame("local", None, "none", True),
        accuracy=Accuracy(0.3, "gcp", True),
    )


def sparse_of(world: BoxWorld, views: list[View], per_view: int = 250) -> SparseCloud:
    """Tracks as a reconstruction would give them: points seen in at least two photos."""
    rng = np.random.default_rng(world.seed)
    points = []
    for view in views:
        camera = view.camera
        x, y = (
            rng.uniform(5, camera.width_px - 5, per_view),
            rng.uniform(5, camera.height_px - 5, per_view),
        )
        d = pixel_rays(camera, x, y) @ view.cam_from_enu[:, :3]
        t, _ = world.trace(view.centre_enu_m, d)
        keep = np.isfinite(t)
        points.append(view.centre_enu_m + t[keep, None] * d[keep])
    cloud = np.concatenate(points)
    rows, keep = [], []
    for index, view in enumerate(views):
        local = cloud @ view.cam_from_enu[:, :3].T + view.cam_from_enu[:, 3]
        offset = cloud - view.centre_enu_m
        t, _ = world.trace(view.centre_enu_m, offset)
        pixel, _ = cv2.projectPoints(
            local, np.zeros(3), np.zeros(3), view.camera.matrix, view.camera.distortion
        )
        pixel = pixel[:, 0]
        seen = (local[:, 2] > 0) & (np.abs(t - 1.0) < 1e-3)
        seen &= np.all(
            (pixel > 2) & (pixel < [view.camera.width_px - 2, view.camera.height_px - 2]), 1
        )
        rows.extend((p, index, *pixel[p]) for p in np.flatnonzero(seen))
    rows.sort()
    table = np.array(rows)
    counts = np.bincount(table[:, 0].astype(int), minlength=len(cloud))
    keep = counts >= 2
    chosen = keep[table[:, 0].astype(int)]
    table = table[chosen]
    return SparseCloud(
        points_enu_m=cloud[keep],
        colors=np.full((int(keep.sum()), 3), 128, np.uint8),
        track_offsets=np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64),
        track_views=table[:, 1].astype(np.int32),
        track_pixels=table[:, 2:4].copy(),
    )
