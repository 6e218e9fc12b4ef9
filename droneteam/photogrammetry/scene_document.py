"""scene.json: what a scene is, from what, how well it is known, and what it cost to make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.photogrammetry.ingest.photo_words import MANY_LOST, ONE_LOST, shortened, told
from droneteam.photogrammetry.ingest.photos import PhotoSet
from droneteam.photogrammetry.manifest import plain
from droneteam.photogrammetry.products import PRODUCTS_FOLDER, Product
from droneteam.photogrammetry.runner import StageRecord
from droneteam.photogrammetry.scene import Accuracy, CameraNetwork, Frame
from droneteam.photogrammetry.scene_files import finite_or_none
from droneteam.photogrammetry.scene_params import STAGES, SceneParams, params_document
from droneteam.photogrammetry.surface.overlap import Advice, Coverage, advise, few_words
from droneteam.photogrammetry.unmeasured import Place, words

SCENE_FORMAT = "droneteam-scene-1"
SCALE_WARNING = "vertical scale not determined"
"""How the adjustment's own, more exact warning begins."""
SCALE_REMEDIES = (
    "a ground control point or a scale bar in the scene, or an oblique ring of photos around it"
)
NO_SCALE_REMEDIES = (
    "a scale bar in the scene, three ground control points, or photos with usable positions"
)
"""Of a scene without metres: no photo, however oblique, tells how large what it shows is."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a build ended before its last stage."""

    stage: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A scene as far as it has been built; the folder holds its files.

    network : None before the adjust stage; gsd_m : None before it, or in a frame without metres;
    coverage : None before the surface stage; unmeasured : places without a surface that can be
    believed; stopped : None while nothing went wrong.
    control_files : parameter and file name of the control that it was built with, where the scene
    was read from its folder: the files themselves may be gone.
    """

    folder: Path
    params: SceneParams
    photos: PhotoSet
    network: CameraNetwork | None
    stages: tuple[StageRecord, ...]
    products: tuple[Product, ...]
    gsd_m: float | None
    warnings: tuple[str, ...]
    coverage: Coverage | None = None
    unmeasured: tuple[Place, ...] = ()
    stopped: Stop | None = None
    control_files: tuple[tuple[str, str], ...] = ()

    @property
    def advice(self) -> Advice | None:
        """Whether to fly again; None before the surface stage."""
        if self.coverage is None or self.network is None:
            return None
        return advise(
            self.coverage,
            n_photos=len(self.photos.photos),
            n_placed=self.n_registered,
            other_groups=len(self.network.groups),
            scale_open=self.network.accuracy.vertical_scale_determined is False,
        )

    @property
    def complete(self) -> bool:
        """Whether every stage is done."""
        return len(self.stages) == len(STAGES)

    @property
    def n_registered(self) -> int:
        """How many photos have a place in the scene."""
        return 0 if self.network is None else len(self.network.views)


def ground_sampling_distance_m(network: CameraNetwork) -> float | None:
    """The median size of a pixel on the surface, over all tie point observations.

    None in a frame without metres or without tie points.
    """
    sparse = network.sparse
    if not network.frame.metric or not len(sparse.track_views):
        return None
    lengths = np.diff(sparse.track_offsets)
    points = np.repeat(sparse.points_enu_m, lengths, axis=0)
    forward = np.stack([view.cam_from_enu[2] for view in network.views])[sparse.track_views]
    depths_m = np.einsum("ij,ij->i", forward[:, :3], points) + forward[:, 3]
    focals_px = np.array([np.mean(view.camera.focal_px) for view in network.views])
    sizes_m = depths_m / focals_px[sparse.track_views]
    return float(np.median(sizes_m[depths_m > 0.0])) if (depths_m > 0.0).any() else None


def scale_statement(accuracy: Accuracy, frame: Frame) -> str:
    """What may be said about heights, and what would help where little may be said."""
    if not frame.metric:
        return f"The scene has no scale: lengths are not in metres. Helps: {NO_SCALE_REMEDIES}."
    match accuracy.vertical_scale_determined:
        case True:
            return "The vertical scale is determined by the photos and control."
        case False:
            return (
                "The vertical scale is NOT determined: cameras that fit the photos equally well "
                f"differ in height by more than 3 %. Helps: {SCALE_REMEDIES}."
            )
    return "Whether the vertical scale is determined could not be tested."


def scene_warnings(
    photos: PhotoSet, network: CameraNetwork | None, places: Sequence[Place] = ()
) -> tuple[str, ...]:
    """Everything that a reader must know before trusting the scene, most serious first.

    places : without a surface that can be believed.
    """
    warnings: list[str] = []
    if network is not None:
        found = network.accuracy.warnings
        warnings += [text for text in found if text.startswith(SCALE_WARNING)]
        open_scale = network.accuracy.vertical_scale_determined is False
        if not network.frame.metric or (open_scale and not warnings):
            warnings.append(scale_statement(network.accuracy, network.frame))
        warnings += words(places)
        warnings += [text for text in found if text not in warnings]
        warnings += [_group_warning(names) for names in network.groups]
        warnings += told(network.unregistered, ONE_LOST, MANY_LOST)
    warnings += [problem.message for problem in photos.problems]
    warnings += told((p.name, finding.message) for p in photos.photos for finding in p.findings)
    return tuple(warnings)


def _group_warning(names: Sequence[str]) -> str:
    return (
        f"{len(names)} photos show another place or do not overlap with the rest and were "
        f"reconstructed apart: {shortened(names)}. Build them as a scene of their own, or add "
        "photos that link the two"
    )


def scene_document(scene: Scene) -> dict[str, Any]:
    """The content of scene.json."""
    return {
        "format": SCENE_FORMAT,
        "state": "complete" if scene.complete else "partial",
        "last_stage": scene.stages[-1].manifest.stage if scene.stages else None,
        "stopped": plain(scene.stopped),
        "params": params_document(scene.params),
        "total": len(scene.photos.photos) + len(scene.photos.problems),
        "registered": scene.n_registered,
        "photos": _photos(scene),
        **(_geometry(scene.network) if scene.network is not None else {}),
        "gsd_m": finite_or_none(scene.gsd_m),
        "coverage": _coverage(scene),
        "unmeasured": plain(scene.unmeasured),
        "warnings": list(scene.warnings),
        "stages": [_stage(record, scene.folder) for record in scene.stages],
        "products": plain(scene.products),
        "earlier_products": [] if scene.products else _earlier_products(scene.folder),
    }


def _earlier_products(folder: Path) -> list[str]:
    """What an earlier run left in the products' folder: not of these parameters."""
    files = (folder / PRODUCTS_FOLDER).glob("*")
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _photos(scene: Scene) -> dict[str, Any]:
    usable = scene.photos.photos
    return {
        "total": len(usable) + len(scene.photos.problems),
        "usable": len(usable),
        "registered": scene.n_registered,
        "unregistered": []
        if scene.network is None
        else [{"photo": name, "reason": why} for name, why in scene.network.unregistered],
        "other_groups": [] if scene.network is None else plain(scene.network.groups),
        "problems": plain(scene.photos.problems),
        "files": [
            {
                "name": photo.name,
                "path": str(photo.path),
                "sha256": photo.sha256,
                "verdict": photo.verdict,
                "findings": plain(photo.findings),
            }
            for photo in usable
        ],
    }


def _geometry(network: CameraNetwork) -> dict[str, Any]:
    frame, accuracy = network.frame, network.accuracy
    return {
        "frame": {
            "kind": frame.kind,
            "origin": plain(frame.origin),
            "metric": frame.metric,
            "note": frame.note,
        },
        "datum": {"vertical": frame.vertical_datum, "statement": frame.note},
        "reprojection_px": finite_or_none(accuracy.reprojection_px),
        "accuracy": {
            "scale_source": accuracy.scale_source,
            "vertical_scale": {
                "determined": accuracy.vertical_scale_determined,
                "statement": scale_statement(accuracy, frame),
            },
            "sigma_frame_m": plain(accuracy.sigma_frame_m),
            "n_control": sum(row.role == "control" for row in accuracy.rows),
            "n_check": sum(row.role == "check" for row in accuracy.rows),
            "check_rms_enu_m": check_rms_enu_m(accuracy),
            "left_out_rms_enu_m": left_out_rms_enu_m(accuracy),
            "rows": plain(accuracy.rows),
        },
    }


def _coverage(scene: Scene) -> dict[str, Any] | None:
    """What the photos cover, and the answer to "must we fly again?"."""
    coverage, advice = scene.coverage, scene.advice
    if coverage is None or advice is None:
        return None
    return {
        "fly_again": advice.fly_again,
        "statement": advice.statement,
        "reasons": list(advice.reasons),
        "remarks": list(advice.remarks),
        "overlap": few_words(coverage),
        **plain(coverage),
    }


def check_rms_enu_m(accuracy: Accuracy) -> list[float] | None:
    """RMS residual of the check points east, north and up; None without check points."""
    rows = [row.residual_enu_m for row in accuracy.rows if row.role == "check"]
    if not rows:
        return None
    return [float(value) for value in np.sqrt(np.mean(np.square(rows), axis=0))]


def left_out_rms_enu_m(accuracy: Accuracy) -> list[float] | None:
    """RMS of what each control point would show had it not been control; None with ten or more."""
    rows = [row.left_out_enu_m for row in accuracy.rows if row.left_out_enu_m is not None]
    if not rows:
        return None
    return [float(value) for value in np.sqrt(np.mean(np.square(rows), axis=0))]


def _stage(record: StageRecord, folder: Path) -> dict[str, Any]:
    made = record.manifest
    return {
        "name": made.stage,
        "state": record.state,
        "folder": record.folder.relative_to(folder).as_posix(),
        "key": made.key,
        "digest": made.digest,
        "wall_s": made.usage.wall_s,
        "cpu_s": made.usage.cpu_s,
        "peak_memory_mb": _megabytes(made.usage.peak_memory_bytes),
        "params": dict(made.params),
        "software": dict(made.software),
    }


def _megabytes(count: int | None) -> float | None:
    return None if count is None else round(count / 1e6, 1)


def stage_folders(document: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Where the finished stages of a scene.json lie."""
    stages: Sequence[Mapping[str, str]] = document["stages"]
    return {stage["name"]: folder / stage["folder"] for stage in stages}
