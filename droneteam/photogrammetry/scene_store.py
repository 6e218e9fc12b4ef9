"""A scene's folder as a whole: what the finished stages amount to, read and written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from droneteam.errors import DecodeError, NotFound
from droneteam.photogrammetry import unmeasured, workdir
from droneteam.photogrammetry.ingest.photo_files import load_photos, working_paths
from droneteam.photogrammetry.ingest.photos import PhotoSet
from droneteam.photogrammetry.manifest import read as read_manifest
from droneteam.photogrammetry.products import PRODUCTS_FOLDER, products_of
from droneteam.photogrammetry.runner import StageRecord
from droneteam.photogrammetry.scene_document import (
    Scene,
    ground_sampling_distance_m,
    scene_document,
    scene_warnings,
    stage_folders,
)
from droneteam.photogrammetry.scene_files import cameras_document, load_network
from droneteam.photogrammetry.scene_params import SceneParams, control_files, params_of
from droneteam.photogrammetry.surface.surface_files import load_coverage_summary

SCENE_NAME, CAMERAS_NAME = "scene.json", "cameras.json"


def load_scene(folder: Path, where: Callable[[str], Path] = Path) -> Scene:
    """The scene in a folder, as far as it was built; where : the place of a photo it names.

    Raises
    ------
    NotFound
        There is no scene in the folder.
    DecodeError
        scene.json or a stage that it names cannot be read.
    """
    path = folder / SCENE_NAME
    try:
        document = json.loads(path.read_text())
        paths = {row["name"]: where(row["path"]) for row in document["photos"]["files"]}
        params = params_of(document["params"], with_control=False)
        files = control_files(document["params"])
        records = [
            StageRecord(read_manifest(place), place, "reused")
            for place in stage_folders(document, folder).values()
        ]
    except FileNotFoundError as error:
        raise NotFound("scene", folder) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{path} is not a scene description: {error}") from error
    scene = assemble(folder, params, records, paths)
    return replace(scene, control_files=files)


def assemble(
    folder: Path,
    params: SceneParams,
    records: Sequence[StageRecord],
    paths: Mapping[str, Path],
) -> Scene:
    """What the finished stages amount to."""
    by_name = {record.manifest.stage: record for record in records}
    photos = (
        load_photos(by_name["photos"].folder, paths) if "photos" in by_name else PhotoSet((), ())
    )
    network = None
    if "adjust" in by_name:
        pixels = working_paths(photos, by_name["photos"].folder)
        network = load_network(by_name["adjust"].folder, pixels)
    exported, surface = by_name.get("export"), by_name.get("surface")
    places = () if surface is None else unmeasured.load(surface.folder)
    return Scene(
        folder=folder,
        params=params,
        photos=photos,
        network=network,
        stages=tuple(records),
        products=() if exported is None else products_of(exported.manifest),
        gsd_m=None if network is None else ground_sampling_distance_m(network),
        warnings=scene_warnings(photos, network, places),
        coverage=None if surface is None else load_coverage_summary(surface.folder),
        unmeasured=places,
    )


def write_documents(scene: Scene, records: Mapping[str, StageRecord]) -> None:
    """Bring scene.json, cameras.json and products/ up to the stages that are done."""
    if "export" in records:
        workdir.link_tree(records["export"].folder, scene.folder / PRODUCTS_FOLDER)
    if scene.network is not None:
        workdir.write_json(scene.folder / CAMERAS_NAME, cameras_document(scene.network))
    workdir.write_json(scene.folder / SCENE_NAME, scene_document(scene))
