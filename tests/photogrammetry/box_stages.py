"""The box world's exact result as the stages of a build, in real stage files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from droneteam.photogrammetry.dense.cloud import save_cloud
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.runner import Stage, StageContext
from droneteam.photogrammetry.scene import CameraNetwork, Frame, NetworkCovariance
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.scene_files import save_network
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.photogrammetry.surface import ortho
from droneteam.photogrammetry.surface import rasters as surface
from droneteam.photogrammetry.surface.overlap import coverage_map
from droneteam.photogrammetry.surface.surface_files import Surface, save_surface
from tests.photogrammetry.box_world import box_scene
from tests.photogrammetry.fake_stages import fake_table
from tests.photogrammetry.networks import ORIGIN
from tests.photogrammetry.pictures import Tags, noise, write_jpeg

CORNERS = {"a": (-3.0, -2.0, 0.0), "b": (3.0, -2.0, 0.0), "c": (3.0, 2.0, 0.0)}


def box_network(paths: dict[str, Path]) -> CameraNetwork:
    """The box world's cameras under the photos' names, placed on the earth, known to 1 mm."""
    network = box_scene().network
    views = tuple(
        replace(view, name=name, path=path)
        for view, (name, path) in zip(network.views, sorted(paths.items()), strict=False)
    )
    n = len(views)
    covariance = NetworkCovariance(
        matrix=np.diag(np.tile([1e-10] * 3 + [1e-6] * 3, n)),
        pose_columns=np.arange(0, 6 * n, 6),
        intrinsics_columns=np.full((n, 12), -1),
    )
    frame = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
    warned = replace(
        network.accuracy,
        warnings=("the check points lie 1.7 times farther off than predicted; all intervals are "
                  "widened by that",),
    )  # fmt: skip
    return replace(network, views=views, covariance=covariance, frame=frame, accuracy=warned)


def _adjust(context: StageContext) -> None:
    save_network(box_network(dict(context.photos.paths)), context.folder)


def _dense(context: StageContext) -> None:
    save_cloud(box_scene().cloud, context.folder / "cloud.npz")


def _surface(context: StageContext) -> None:
    scene = box_scene()
    dsm = surface.rasterize_dsm(scene.cloud, 2 * scene.gsd_m)
    picture = ortho.orthophoto(scene.network, dsm, lambda *_: None)
    save_surface(Surface(dsm, picture, coverage_map(scene.network, dsm)), context.folder)


def table() -> tuple[Stage, ...]:
    """The real ingest, and stages that write the box world's exact result."""
    runs: dict[str, Callable[[StageContext], None]] = {
        "adjust": _adjust, "dense": _dense, "surface": _surface,
    }  # fmt: skip
    return tuple(
        replace(stage, run=runs[stage.name]) if stage.name in runs else stage
        for stage in fake_table()
    )


def build_box(folder: Path, params: SceneParams) -> Scene:
    """The box world built below the folder, from photos in `in` to a scene in `out`."""
    for index in range(len(box_scene().network.views)):
        write_jpeg(folder / "in" / f"{index:02d}.jpg", noise(seed=index), Tags())
    return build_scene(folder / "in", folder / "out", params, stages=table())
