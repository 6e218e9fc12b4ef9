"""A scene with cameras of exactly known truth and photos that show painted targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pyproj

from droneteam import db
from droneteam.geo import EnuFrame
from droneteam.photogrammetry import pipeline, service, uploads
from droneteam.photogrammetry.dense.cloud import save_cloud
from droneteam.photogrammetry.export.glb import write_glb
from droneteam.photogrammetry.export.las import write_copc, write_laz
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.measuring.measurement_file import CLOUD_NAME
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.runner import StageContext
from droneteam.photogrammetry.scene import Camera, DenseCloud, Frame, View
from droneteam.photogrammetry.scene_files import save_network
from droneteam.photogrammetry.scene_params import SceneParams, params_of
from droneteam.photogrammetry.surface import surface_files
from droneteam.photogrammetry.surface.mesh import Mesh
from droneteam.photogrammetry.surface.rasters import MEASURED, Grid, Raster
from tests.photogrammetry.fake_stages import fake_table
from tests.photogrammetry.networks import ORIGIN, Network, block_poses, network, orbit_poses
from tests.photogrammetry.pictures import noise, write_jpeg
from tests.photogrammetry.test_marking import cameras_of
from tests.web import worlds
from tests.web.conftest import Site

CAMERA = Camera("PINHOLE", 800, 600, (700.0, 700.0, 400.0, 300.0))
TARGETS = ("gcp_1", "gcp_2", "cp_1", "own_1")
"""Points 0 to 3 of the network carry a painted checkerboard; the first three are surveyed."""
FINE = 5
REACH_M, CELL_M, RISE = 15.0, 0.05, 0.1
"""The ground: a square plane that rises by a tenth towards the east."""
HALF_BOARD_PX = 9
LOCAL = Placement(Frame("local", None, "none", metric=True), None)
"""A cloud about the scene's origin, without a reference system."""


@dataclass(frozen=True)
class World:
    """What a test knows about the scene."""

    scene_id: int
    truth: Network

    def pixel(self, point: str, view: int) -> tuple[float, float]:
        """Where a target's centre truly lies in a photo."""
        x, y = self.truth.pixels[view, TARGETS.index(point)]
        return float(x), float(y)

    def views_of(self, point: str) -> list[int]:
        """The photos that show a target with its whole board."""
        pixels = self.truth.pixels[:, TARGETS.index(point)]
        margin = 2 * HALF_BOARD_PX
        high = np.array([CAMERA.width_px, CAMERA.height_px]) - margin
        with np.errstate(invalid="ignore"):
            whole = ((pixels > margin) & (pixels < high)).all(axis=1)
        return [int(view) for view in np.flatnonzero(whole)]

    def photo(self, view: int) -> str:
        """A photo's name."""
        return self.truth.views[view].name


def marked_scene(site: Site, login: str = "requester") -> World:
    """A scene of the login's zone, built by the pipeline with the truth as its cameras."""
    truth = network([*block_poses(), *orbit_poses(4)], n_points=60, camera=CAMERA, seed=2)
    now, owner = site.clock(), site.actor(login)
    folder = site.settings.blob_dir("photos") / "painted"
    for index, view in enumerate(truth.views):
        write_jpeg(folder / view.name, painted(truth, index))
    control = site.settings.blob_dir("control") / "gcp.csv"
    control.write_text(survey(truth))
    with db.session_scope(site.engine) as session:
        new = service.NewScene(
            "Crossing, rue de la Loi", folder, SceneParams(gcp_path=control, language="en"),
            organisation_id=owner.organisation_id,
        )  # fmt: skip
        scene_id = service.create_scene(session, site.actor("pilot"), new, site.settings, now)
    rebuild(site, scene_id, truth)
    return World(scene_id, truth)


def rebuild(site: Site, scene_id: int, truth: Network, *, shift_m: float = 0.0) -> None:
    """The scene built again, its cameras moved together by a shift to the east."""

    def save_truth(context: StageContext) -> None:
        views = []
        for view in truth.views:
            rotation = view.cam_from_enu[:, :3]
            centre = view.centre_enu_m * (1.0 + shift_m)
            pose = np.column_stack([rotation, -rotation @ centre])
            path = context.photos.paths[view.name]
            views.append(View(view.name, path, view.camera, pose))
        save_network(replace(cameras_of(truth), views=tuple(views)), context.folder)

    runs = {
        "adjust": save_truth, "dense": save_dense, "surface": save_slope, "export": save_products
    }  # fmt: skip
    table = tuple(
        replace(stage, run=runs[stage.name], decides=lambda params: {"shift": shift_m})
        if stage.name in runs
        else stage
        for stage in fake_table()
    )
    with db.session_scope(site.engine) as session:
        row = session.get_one(SceneRow, scene_id)
        photos, out = (
            site.settings.data_dir / row.photos_folder,
            site.settings.data_dir / row.folder,
        )
        params = params_of(row.params)
    built = pipeline.build_scene(photos, out, params, stages=table)
    with db.session_scope(site.engine) as session:
        service._store_built(session, scene_id, built, photos)


def ground_and_wall() -> DenseCloud:
    """That ground as points, and a wall of 2 m that stands on it across, 2 m to the east."""
    rng = np.random.default_rng(4)
    ground = rng.uniform([-7.0, -4.5, 0.0], [7.0, 4.5, 0.0], (60_000, 3))
    ground[:, 2] = RISE * ground[:, 0]
    wall = rng.uniform([2.0, -4.5, 0.2], [2.0, 4.5, 2.2], (20_000, 3))
    points = np.vstack([ground, wall])
    count = len(points)
    colors = np.repeat(np.array([[95, 95, 95], [170, 60, 50]], np.uint8), [60_000, 20_000], axis=0)
    return DenseCloud(
        points, np.zeros((count, 3), np.float32), colors,
        np.full(count, 0.004, np.float32), np.full(count, 4, np.uint8),
    )  # fmt: skip


def save_dense(context: StageContext) -> None:
    """The cloud as measurements read it."""
    save_cloud(ground_and_wall(), context.folder / CLOUD_NAME)


def save_slope(context: StageContext) -> None:
    """A plane that rises towards the east, measured everywhere to 5 mm."""
    cells = round(2.0 * REACH_M / CELL_M)
    grid = Grid(-REACH_M, REACH_M, CELL_M, cells, cells)
    east = -REACH_M + CELL_M * (np.arange(cells) + 0.5)
    height = np.tile(RISE * east, (cells, 1)).astype(np.float32)
    raster = Raster(
        grid, height, np.full(height.shape, MEASURED, np.uint8), np.full_like(height, 0.005)
    )
    surface_files._save_raster(raster, context.folder / "dsm.npz")


def save_products(context: StageContext) -> None:
    """An orthophoto of that ground in UTM, and its cloud about the scene's origin."""
    to_utm = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32631", always_xy=True)
    east, north = to_utm.transform(ORIGIN.lon_deg, ORIGIN.lat_deg)
    worlds.write_ortho(context.folder / "orthophoto.tif", east - 7.0, north + 4.5)
    write_laz(ground_and_wall(), LOCAL, context.folder / "cloud.laz")


def add_octree(site: Site, scene_id: int) -> int:
    """The scene's cloud as COPC too; how many points it has."""
    with db.session_scope(site.engine) as session:
        row = session.get_one(SceneRow, scene_id)
        summary = dict(row.summary or {})
        plain = next(made for made in summary["products"] if made["kind"] == "cloud")
        folder = (site.settings.data_dir / row.folder / plain["path"]).parent
        path = folder / "cloud.copc.laz"
        write_copc(ground_and_wall(), LOCAL, path)
        name = f"{Path(plain['path']).parent.as_posix()}/{path.name}"
        added = {**plain, "kind": "cloud_copc", "path": name}
        row.summary = {**summary, "products": [*summary["products"], added]}
    return len(ground_and_wall().points_enu_m)


def add_mesh(site: Site, scene_id: int) -> None:
    """A flat mesh of 12 by 8 m over the ground: red in the west, green in the east."""
    square = np.array([[-6.0, -4, 1], [6, -4, 1], [6, 4, 1], [-6, 4, 1]])
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = (200, 30, 30), (30, 160, 60)
    mesh = Mesh(
        square, np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        np.tile(np.array([0, 0, 1], np.float32), (4, 1)), np.full((4, 3), 255, np.uint8),
        np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32), picture,
    )  # fmt: skip
    with db.session_scope(site.engine) as session:
        row = session.get_one(SceneRow, scene_id)
        summary = dict(row.summary or {})
        plain = next(made for made in summary["products"] if made["kind"] == "cloud")
        path = (site.settings.data_dir / row.folder / plain["path"]).with_name("mesh.glb")
        write_glb(mesh, path)
        name = f"{Path(plain['path']).parent.as_posix()}/{path.name}"
        added = {**plain, "kind": "mesh", "path": name}
        row.summary = {**summary, "products": [*summary["products"], added]}


def painted(truth: Network, view: int) -> np.ndarray:
    """A photo of gravel with a checkerboard at every target that it shows."""
    pixels = noise(CAMERA.width_px, CAMERA.height_px, seed=view) // 3 + 60
    for index in range(len(TARGETS)):
        x, y = truth.pixels[view, index]
        if np.isfinite(x):
            paint_board(pixels, float(x), float(y))
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.7))  # no lens is sharper than that


def paint_board(pixels: np.ndarray, x_px: float, y_px: float) -> None:
    """Two bright and two dark squares that meet at a place, averaged over each pixel."""
    left, top = int(x_px) - HALF_BOARD_PX, int(y_px) - HALF_BOARD_PX
    side = 2 * HALF_BOARD_PX + 1
    if left < 0 or top < 0 or left + side > pixels.shape[1] or top + side > pixels.shape[0]:
        return
    fine = (np.arange(side * FINE) + 0.5) / FINE
    u, v = np.meshgrid(left + fine - x_px, top + fine - y_px)
    inside = (abs(u) < HALF_BOARD_PX - 1) & (abs(v) < HALF_BOARD_PX - 1)
    board = np.where(inside, np.where(u * v > 0, 235.0, 15.0), 100.0)
    small = board.reshape(side, FINE, side, FINE).mean(axis=(1, 3))
    pixels[top : top + side, left : left + side] = small[:, :, None].astype(np.uint8)


def survey(truth: Network) -> str:
    """The surveyed targets as a control CSV, without marks."""
    enu = EnuFrame(ORIGIN)
    lines = ["crs,EPSG:4979"]
    for index, name in enumerate(TARGETS[:3]):
        lat, lon, height = (float(v) for v in enu.geodetic_from_enu(truth.points[index]))
        role = "check" if name.startswith("cp") else "control"
        lines.append(f"{role},{name},{lon!r},{lat!r},{height!r},0.01,0.015")
    return "\n".join(lines) + "\n"


def empty_scene(site: Site, login: str = "investigator") -> int:
    """A scene that waits for its photos."""
    zone = site.actor("requester").organisation_id
    with db.session_scope(site.engine) as session:
        return uploads.open_scene(
            session, site.actor(login), "From the phone", zone, SceneParams(), site.settings,
            site.clock(),
        )  # fmt: skip


def photo_file(folder: Path, name: str = "DJI_0001.JPG", seed: int = 1) -> bytes:
    """A photo's bytes."""
    return write_jpeg(folder / name, noise(seed=seed)).read_bytes()
