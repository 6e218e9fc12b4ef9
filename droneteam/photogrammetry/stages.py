"""The six stages of a scene: what each reads, what decides its result, what it writes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.errors import SceneError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry import unmeasured
from droneteam.photogrammetry.area import corners_enu, crop
from droneteam.photogrammetry.cameras import sfm
from droneteam.photogrammetry.cameras.adjusting import adjusted_network
from droneteam.photogrammetry.cameras.georef import suspicious_positions
from droneteam.photogrammetry.cameras.placement import choose_heights, sfm_inputs
from droneteam.photogrammetry.cameras.sfm_files import load_sfm, save_sfm
from droneteam.photogrammetry.cameras.sfm_types import SfmParams
from droneteam.photogrammetry.dense.cloud import DenseParams, dense_cloud, load_cloud, save_cloud
from droneteam.photogrammetry.export.placement import transformer
from droneteam.photogrammetry.exporting import CLOUD_NAME, run_export
from droneteam.photogrammetry.ingest.mrk import mrk_paths
from droneteam.photogrammetry.ingest.photo_files import (
    load_photos,
    save_photos,
    working_paths,
    write_working_copy,
)
from droneteam.photogrammetry.ingest.photo_words import BETWEEN_FAULTS, told
from droneteam.photogrammetry.ingest.photos import PhotoSet, file_sha256, read_photos
from droneteam.photogrammetry.runner import SceneInput, Stage, StageContext
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from droneteam.photogrammetry.scene_control import read_scene_control
from droneteam.photogrammetry.scene_files import load_network, save_network
from droneteam.photogrammetry.scene_params import Preset, SceneParams
from droneteam.photogrammetry.surface.mesh import MeshParams, textured_mesh
from droneteam.photogrammetry.surface.ortho import orthophoto
from droneteam.photogrammetry.surface.overlap import coverage_map, summarise
from droneteam.photogrammetry.surface.rasters import (
    DsmParams,
    ground_sampling_m,
    rasterize_dsm,
    terrain,
)
from droneteam.photogrammetry.surface.surface_files import (
    Surface,
    save_coverage_summary,
    save_surface,
)

FILL_CELLS = 20.0
"""Widest gap that is filled in a surface without metres, in cells."""
MESH_VOXEL_CELLS = 2.0
SFM_PRESETS: Mapping[Preset, SfmParams] = {
    "preview": SfmParams(max_features=4096, max_image_px=1600),
    "normal": SfmParams(),
    "full": SfmParams(max_features=16384, max_image_px=6000),
}
"""How much of each photo is looked at for features."""


def run_photos(context: StageContext) -> None:
    """Read and judge every photo; write working copies of those that need one."""
    paths = [context.photos.paths[name] for name in sorted(context.photos.paths)]
    found = read_photos(paths, progress=lambda _, part, text: context.progress(0.9 * part, text))
    for photo in found.photos:
        if not photo.plain:
            context.progress(0.95, f"upright copy of {photo.name}")
            write_working_copy(photo, context.folder)
    save_photos(found, context.folder)


def run_sfm(context: StageContext) -> None:
    """Orient the photos among each other."""
    photos, working = _photos(context)
    heights = choose_heights([p.position for p in photos.photos if p.position is not None])
    inputs = sfm_inputs(photos.photos, working, context.params.camera, heights)
    params = replace(_sfm_params(context.params), threads=context.params.threads)
    result = sfm.reconstruct(
        inputs,
        context.scratch,
        params,
        lambda _, part, text: context.progress(part, text),
        context.executor,
    )
    if not result.groups:
        reasons = BETWEEN_FAULTS.join(told(result.unregistered))
        raise SceneError(
            "sfm",
            f"no three photos could be oriented ({reasons})",
            help="Photos of a scene must overlap by 60 % or more and show structure; take more "
            "photos, or leave out those of other places",
        )
    save_sfm(result, context.folder)


def run_adjust(context: StageContext) -> None:
    """Place the oriented photos on the earth and state how well they are known."""
    photos, working = _photos(context)
    heights = choose_heights([p.position for p in photos.photos if p.position is not None])
    inputs = sfm_inputs(photos.photos, working, context.params.camera, heights)
    result = load_sfm(context.earlier["sfm"], working)
    network = adjusted_network(
        result,
        inputs,
        read_scene_control(context.params),
        heights,
        photos.photos,
        lambda _, part, text: context.progress(part, text),
    )
    save_network(network, context.folder)


def run_dense(context: StageContext) -> None:
    """Every surface point that three photos agree on, or two where hardly any others look."""
    params = replace(DenseParams.preset(context.params.preset), workers=context.params.threads)
    network = _network(context)
    cloud = dense_cloud(
        network,
        context.scratch,
        params,
        lambda _, part, text: context.progress(part, text),
        context.executor,
    )
    if context.params.area is not None:
        cloud = crop(cloud, context.params.area, network.frame)
    save_cloud(cloud, context.folder / CLOUD_NAME)


def run_surface(context: StageContext) -> None:
    """Surface model, orthophoto, coverage, terrain and mesh."""
    network = _network(context)
    cloud = load_cloud(context.earlier["dense"] / CLOUD_NAME)
    preset = context.params.preset
    cell = cell_size(network, preset)
    metric = network.frame.metric
    context.progress(0.02, "surface model")
    dsm = rasterize_dsm(cloud, cell, DsmParams() if metric else DsmParams(fill_m=FILL_CELLS * cell))
    picture = orthophoto(
        network,
        dsm,
        lambda _, part, text: context.progress(0.05 + 0.5 * part, text),
        context.executor,
    )
    context.progress(0.56, "coverage")
    unplaced = _unplaced(context, network)
    seen = coverage_map(network, dsm, unplaced=unplaced, area=_asked_for(context.params, network))
    found = None
    if preset != "preview":
        params = MeshParams(voxel_m=MESH_VOXEL_CELLS * cell)
        found = textured_mesh(
            network,
            cloud,
            params,
            lambda _, part, text: context.progress(0.6 + 0.38 * part, text),
            picture.gains,
        )
    ground = terrain(dsm) if metric else None
    surface = Surface(dsm, picture, seen, ground, found)
    save_surface(surface, context.folder)
    save_coverage_summary(summarise(seen, metric=metric), context.folder)
    unmeasured.save(unmeasured.unmeasured(surface, metric=metric), context.folder)


def _asked_for(params: SceneParams, network: CameraNetwork) -> FloatArray | None:
    """(c, 2) corners of the stated area in the scene's frame; None without one."""
    return None if params.area is None else corners_enu(params.area, network.frame)


def _unplaced(context: StageContext, network: CameraNetwork) -> FloatArray:
    """(k, 2) where the photos that have no place in the network say they were taken."""
    photos, working = _photos(context)
    if network.frame.kind != "enu" or network.frame.origin is None:
        return np.zeros((0, 2))
    heights = choose_heights([p.position for p in photos.photos if p.position is not None])
    inputs = sfm_inputs(photos.photos, working, context.params.camera, heights)
    placed = {view.name for view in network.views}
    wrong = suspicious_positions(inputs)
    missing = [p.position for p in inputs if p.name not in placed and p.name not in wrong]
    at = [(p.lat_deg, p.lon_deg, p.alt_ellipsoid_m) for p in missing if p is not None]
    enu = EnuFrame(network.frame.origin).enu_from_geodetic(np.array(at).reshape(-1, 3))
    return np.asarray(enu[:, :2])


def check_params(params: SceneParams) -> None:
    """Nothing, when control and reference system can be used: found out before the long work.

    Raises
    ------
    InputError, SetupError
        Names the file and line, or the system and the grid file that is missing.
    """
    read_scene_control(params)
    if params.epsg is not None:
        transformer(params.epsg)


def cell_size(network: CameraNetwork, preset: Preset) -> float:
    """The surface's cell, in the frame's unit: a pixel of the photos as dense stereo saw them.

    A finer cell would hold fewer than one depth sample.
    """
    reductions = [
        max(1.0, v.camera.width_px * v.camera.height_px / DenseParams.preset(preset).max_pixels)
        for v in network.views
    ]
    return ground_sampling_m(network) * math.sqrt(min(reductions))


def _network(context: StageContext) -> CameraNetwork:
    _, working = _photos(context)
    return load_network(context.earlier["adjust"], working)


def _photos(context: StageContext) -> tuple[PhotoSet, dict[str, Path]]:
    folder = context.earlier["photos"]
    photos = load_photos(folder, context.photos.paths)
    return photos, working_paths(photos, folder)


def _sfm_params(params: SceneParams) -> SfmParams:
    return SFM_PRESETS[params.preset]


def _without_threads(params: Any) -> dict[str, Any]:
    """The fields that decide a result; how many cores were used does not."""
    return {
        f.name: getattr(params, f.name)
        for f in fields(params)
        if f.name not in ("threads", "workers")
    }


def _nothing(photos: SceneInput, params: SceneParams) -> dict[str, str]:
    return {}


def _photo_hashes(photos: SceneInput, params: SceneParams) -> dict[str, str]:
    """The photos' digests, and those of the receiver's logs beside them."""
    logs = {f"mrk:{path.name}": file_sha256(path) for path in mrk_paths(photos.paths.values())}
    return {**{f"photo:{name}": digest for name, digest in photos.hashes.items()}, **logs}


def _control_hashes(photos: SceneInput, params: SceneParams) -> dict[str, str]:
    named = {
        "gcp": params.gcp_path,
        "check": params.check_path,
        "bars": params.scale_bars_path,
        "marks": params.marks_path,
    }
    return {name: file_sha256(path) for name, path in named.items() if path is not None}


STAGE_TABLE: tuple[Stage, ...] = (
    Stage(
        name="photos",
        run=run_photos,
        needs=(),
        decides=lambda params: {},
        outside=_photo_hashes,
        module="droneteam.photogrammetry.ingest.photo_files",
        libraries=("pillow", "opencv-python-headless"),
    ),
    Stage(
        name="sfm",
        run=run_sfm,
        needs=("photos",),
        decides=lambda params: {
            "sfm": _without_threads(_sfm_params(params)),
            "camera": params.camera,
        },
        outside=_nothing,
        module="droneteam.photogrammetry.cameras.sfm",
        libraries=("pycolmap", "opencv-python-headless", "numpy"),
        disk_bytes_per_pixel=2.0,
    ),
    Stage(
        name="adjust",
        run=run_adjust,
        needs=("photos", "sfm"),
        decides=lambda params: {},
        outside=_control_hashes,
        module="droneteam.photogrammetry.cameras.adjusting",
        libraries=("numpy", "scipy", "numba"),
    ),
    Stage(
        name="dense",
        run=run_dense,
        needs=("photos", "adjust"),
        decides=lambda params: {
            "dense": _without_threads(DenseParams.preset(params.preset)),
            "area": params.area,
        },
        outside=_nothing,
        module="droneteam.photogrammetry.dense.cloud",
        libraries=("numpy", "numba", "opencv-python-headless"),
        disk_bytes_per_pixel=12.0,
    ),
    Stage(
        name="surface",
        run=run_surface,
        needs=("photos", "adjust", "dense"),
        decides=lambda params: {"preset": params.preset, "area": params.area},
        outside=_nothing,
        module="droneteam.photogrammetry.unmeasured",
        libraries=("numpy", "numba", "opencv-python-headless", "open3d", "scipy"),
        disk_bytes_per_pixel=4.0,
    ),
    Stage(
        name="export",
        run=run_export,
        needs=("photos", "sfm", "adjust", "dense", "surface"),
        decides=lambda params: {
            "epsg": params.epsg,
            "language": params.language,
            "title": params.title,
        },
        outside=_nothing,
        module="droneteam.photogrammetry.exporting",
        libraries=(
            "numpy",
            "pyproj",
            "rasterio",
            "rio-cogeo",
            "laspy",
            "lazrs",
            "copclib",
            "typst",
        ),
        disk_bytes_per_pixel=8.0,
    ),
)
