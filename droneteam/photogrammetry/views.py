"""What the outside sees of scenes, photos and measurements: dataclasses without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from droneteam.jobs import JobView
from droneteam.photogrammetry.models import MeasurementRow, PhotoRow
from droneteam.photogrammetry.scene import Measurement


@dataclass(frozen=True, slots=True)
class PhotoView:
    """A photo of a scene, detached from the database."""

    name: str
    path: Path
    sha256: str
    taken_at: datetime | None
    lat_deg: float | None
    lon_deg: float | None
    verdict: str
    findings: tuple[Mapping[str, str], ...]
    trigger_index: int | None
    residual_s: float | None
    residual_m: float | None


@dataclass(frozen=True, slots=True)
class MeasurementView:
    """A stored measurement, detached from the database.

    request : the question as `measuring.request_document` writes it; None in old rows.
    supersedes : the id of the measurement that this one repeats, or None.
    """

    id: int
    scene_id: int
    measurement: Measurement
    marks: tuple[Mapping[str, Any], ...]
    adjust_digest: str
    measured_at: datetime
    request: Mapping[str, Any] | None = None
    supersedes: int | None = None

    @property
    def points(self) -> tuple[str, ...]:
        """The names of the marked points that it was made from, in order."""
        return tuple(self.request["points"]) if self.request is not None else ()


@dataclass(frozen=True, slots=True)
class SceneView:
    """A scene, detached from the database.

    state : "new", or that of its newest job: queued, running, done, failed, cancelled.
    summary : scene.json of the last finished build, None before it.
    products : kind to file, of the last finished build.
    """

    id: int
    organisation_id: int
    mission_id: int | None
    sortie_id: int | None
    name: str
    state: str
    job: JobView | None
    created_at: datetime
    built_at: datetime | None
    folder: Path
    photos_folder: Path
    summary: Mapping[str, Any] | None
    products: Mapping[str, Path]
    photos: tuple[PhotoView, ...]
    measurements: tuple[MeasurementView, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before trusting the scene."""
        return () if self.summary is None else tuple(self.summary["warnings"])

    @property
    def stages(self) -> tuple[Mapping[str, Any], ...]:
        """The finished stages and what each cost."""
        return () if self.summary is None else tuple(self.summary["stages"])

    @property
    def accuracy(self) -> Mapping[str, Any] | None:
        """Residuals, scale source and the statement on the vertical scale."""
        return None if self.summary is None else self.summary.get("accuracy")


def photo_view(row: PhotoRow, folder: Path) -> PhotoView:
    """The row, detached; folder : the scene's folder of photos."""
    return PhotoView(
        name=row.name,
        path=folder / row.file,
        sha256=row.sha256,
        taken_at=row.taken_at,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        verdict=row.verdict,
        findings=tuple(row.findings),
        trigger_index=row.trigger_index,
        residual_s=row.residual_s,
        residual_m=row.residual_m,
    )


def measurement_view(row: MeasurementRow) -> MeasurementView:
    """The row, detached."""
    nan = float("nan")
    measurement = Measurement(
        name=row.name,
        kind=row.kind,  # type: ignore[arg-type]
        value=nan if row.value is None else row.value,
        unit=row.unit,
        ci95_low=nan if row.ci95_low is None else row.ci95_low,
        ci95_high=nan if row.ci95_high is None else row.ci95_high,
        method=row.method,  # type: ignore[arg-type]
        photos=tuple(row.photos),
        determined=row.determined,
        note=row.note,
        points_enu_m=tuple((e, n, u) for e, n, u in row.points_enu_m),
        photos_rejected=tuple(row.photos_rejected or ()),
        frame=row.frame,
        series=tuple((s, up, low, high) for s, up, low, high in row.series or ()),
    )
    return MeasurementView(
        id=row.id,
        scene_id=row.scene_id,
        measurement=measurement,
        marks=tuple(row.marks),
        adjust_digest=row.adjust_digest,
        measured_at=row.measured_at,
        request=row.request,
        supersedes=row.supersedes_id,
    )
