"""measurements.json: the measurements of a scene's folder; rows are added, never changed.

A measurement taken again after the scene was rebuilt stands beside the one that it supersedes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.errors import DecodeError, NotFound
from droneteam.photogrammetry import workdir
from droneteam.photogrammetry.cloud_file import mapped_cloud
from droneteam.photogrammetry.measuring.measure import undetermined
from droneteam.photogrammetry.measuring.requests import (
    AnyRequest,
    MeasureRequest,
    SurfaceRequest,
    measurement_document,
    measurement_of,
    placed,
    request_document,
    request_of,
    take,
    take_on_surface,
)
from droneteam.photogrammetry.runner import StageRecord
from droneteam.photogrammetry.scene import CameraNetwork, Measurement
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.surface.rasters import Raster
from droneteam.photogrammetry.surface.surface_files import mapped_raster

FILE_NAME = "measurements.json"
FORMAT = "droneteam-measurements-1"
CLOUD_NAME = "cloud.npz"


@dataclass(frozen=True, slots=True)
class KeptMeasurement:
    """A stored measurement, what was asked, and the cameras and software that it rests on.

    supersedes : the number of the one that it repeats, or None.
    """

    number: int
    measurement: Measurement
    request: AnyRequest
    adjust_digest: str
    software: Mapping[str, str]
    supersedes: int | None = None


@dataclass(frozen=True, slots=True)
class Retaken:
    """A measurement before and after the scene was built again."""

    old: KeptMeasurement
    new: KeptMeasurement

    @property
    def change(self) -> float:
        """New minus old value; NaN when either is not determined."""
        return self.new.measurement.value - self.old.measurement.value

    @property
    def agrees(self) -> bool | None:
        """Whether each value lies in the other's interval; None when either has none."""
        a, b = self.old.measurement, self.new.measurement
        if not (a.determined and b.determined):
            return None
        return a.ci95_low <= b.value <= a.ci95_high and b.ci95_low <= a.value <= b.ci95_high


def measure_in(scene: Scene, request: AnyRequest) -> Measurement:
    """What is asked for, in a scene's folder.

    Raises
    ------
    NotFound
        The scene has not been built as far as the request needs.
    """
    network = network_of(scene)
    if isinstance(request, MeasureRequest):
        return take(network, request)
    cloud = None
    if request.kind == "section" or request.heights_m:
        cloud = mapped_cloud(_stage(scene, "dense") / CLOUD_NAME)
    measured = take_on_surface(network, surface_model(scene), cloud, request)
    return _believed(scene, measured)


def _believed(scene: Scene, measured: Measurement) -> Measurement:
    """The measurement; not determined where it touches a place without a surface to believe."""
    points = np.array(measured.points_enu_m, dtype=np.float64).reshape(-1, 3)
    if not measured.determined or not len(points):
        return measured
    for place in scene.unmeasured:
        if place.touches(points[:, :2], enclosed=measured.kind == "volume"):
            return undetermined(measured, place.said)
    return measured


def network_of(scene: Scene) -> CameraNetwork:
    """The scene's cameras; NotFound before they are adjusted."""
    if scene.network is None:
        raise NotFound("adjusted cameras in", scene.folder)
    return scene.network


def surface_model(scene: Scene) -> Raster:
    """The scene's surface model; NotFound before it is made."""
    return mapped_raster(_stage(scene, "surface") / "dsm.npz")


def keep(scene: Scene, request: AnyRequest, measured: Measurement) -> KeptMeasurement:
    """The measurement as it is now stored in the scene's folder."""
    if isinstance(request, SurfaceRequest):
        request = placed(request, network_of(scene).frame)
    kept = kept_measurements(scene.folder)
    row = _row(scene, len(kept) + 1, request, measured, None)
    _write(scene.folder, [*kept, row])
    return row


def retake(scene: Scene) -> tuple[Retaken, ...]:
    """Every measurement that rests on other cameras than the scene's now, taken again.

    The new ones are stored beside the old ones.
    """
    kept = kept_measurements(scene.folder)
    repeated = {row.supersedes for row in kept}
    now = _adjust_digest(scene)
    pairs: list[Retaken] = []
    for row in kept:
        if row.number in repeated or row.adjust_digest == now:
            continue
        number = len(kept) + len(pairs) + 1
        measured = measure_in(scene, row.request)
        pairs.append(Retaken(row, _row(scene, number, row.request, measured, row.number)))
    if pairs:
        _write(scene.folder, [*kept, *(pair.new for pair in pairs)])
    return tuple(pairs)


def current(kept: Sequence[KeptMeasurement]) -> tuple[Measurement, ...]:
    """The measurements that no later one supersedes, in their order."""
    repeated = {row.supersedes for row in kept}
    return tuple(row.measurement for row in kept if row.number not in repeated)


def kept_measurements(folder: Path) -> list[KeptMeasurement]:
    """The measurements stored in a scene's folder; none when there is no file.

    Raises
    ------
    DecodeError
        The file is not what this version writes.
    """
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise DecodeError(f"{path} is of another format")
        return [_kept_of(row) for row in document["measurements"]]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{path} is not a list of measurements: {error}") from error


def _row(
    scene: Scene,
    number: int,
    request: AnyRequest,
    measured: Measurement,
    supersedes: int | None,
) -> KeptMeasurement:
    software = dict(_record(scene).manifest.software)
    return KeptMeasurement(number, measured, request, _adjust_digest(scene), software, supersedes)


def _write(folder: Path, kept: Sequence[KeptMeasurement]) -> None:
    rows = [
        {
            "number": row.number,
            "supersedes": row.supersedes,
            "measurement": measurement_document(row.measurement),
            "request": request_document(row.request),
            "adjust_digest": row.adjust_digest,
            "software": dict(row.software),
        }
        for row in kept
    ]
    workdir.write_json(folder / FILE_NAME, {"format": FORMAT, "measurements": rows})


def _kept_of(row: Mapping[str, Any]) -> KeptMeasurement:
    return KeptMeasurement(
        number=row["number"],
        measurement=measurement_of(row["measurement"]),
        request=request_of(row["request"]),
        adjust_digest=row["adjust_digest"],
        software=row["software"],
        supersedes=row["supersedes"],
    )


def _record(scene: Scene) -> StageRecord:
    for record in scene.stages:
        if record.manifest.stage == "adjust":
            return record
    raise NotFound("adjusted cameras in", scene.folder)


def _adjust_digest(scene: Scene) -> str:
    return _record(scene).manifest.digest


def _stage(scene: Scene, name: str) -> Path:
    for record in scene.stages:
        if record.manifest.stage == name:
            return record.folder
    raise NotFound(f"{name} stage in", scene.folder)
