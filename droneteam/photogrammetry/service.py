"""Scenes as rows: made, bound to a sortie, built by a job, read, measured; every door checked."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from droneteam import audit, jobs
from droneteam.accounts import SYSTEM, Actor, require_role, scoped
from droneteam.db import WHOLE, Piece, session_scope
from droneteam.errors import Conflict, DecodeError, InputError
from droneteam.jobs import JobContext, JobView
from droneteam.photogrammetry import binding
from droneteam.photogrammetry.binding import BindingResult, Shot, Trigger
from droneteam.photogrammetry.ingest import imagefile
from droneteam.photogrammetry.ingest.photos import Photo, find_photos, unique_names
from droneteam.photogrammetry.marks import params_with_marks
from droneteam.photogrammetry.measuring.measurement_service import (
    MEASURERS,
    RetakenView,
    measure,
    measure_and_record,
    record_measurement,
    retake_measurements,
)
from droneteam.photogrammetry.measuring.requests import MeasureRequest, SurfaceRequest
from droneteam.photogrammetry.models import MeasurementRow, PhotoRow, SceneRow
from droneteam.photogrammetry.report_service import write_diagram, write_report
from droneteam.photogrammetry.runner import SceneCancelled
from droneteam.photogrammetry.scene_document import Scene, scene_document
from droneteam.photogrammetry.scene_params import SceneParams, params_document
from droneteam.photogrammetry.scene_rows import found_path, scene_row, stored_path
from droneteam.photogrammetry.views import (
    MeasurementView,
    PhotoView,
    SceneView,
    measurement_view,
    photo_view,
)
from droneteam.settings import Settings

__all__ = [
    "BUILDERS",
    "HANDLERS",
    "MEASURERS",
    "BindingResult",
    "MeasureRequest",
    "MeasurementView",
    "NewScene",
    "PhotoView",
    "RetakenView",
    "SceneView",
    "SurfaceRequest",
    "bind_photos_to_sortie",
    "create_scene",
    "get_scene",
    "list_scenes",
    "measure",
    "measure_and_record",
    "photos_bound",
    "record_measurement",
    "request_build",
    "retake_measurements",
    "write_diagram",
    "write_report",
]

JOB_KIND = "scene.build"
BUILDERS = ("pilot", "investigator", "coordinator", "administrator")
LOCK_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class NewScene:
    """What a scene is made of.

    organisation_id : the zone that asked for it; the actor's own when None.
    """

    name: str
    photos_folder: Path
    params: SceneParams
    organisation_id: int | None = None
    mission_id: int | None = None
    sortie_id: int | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 200:
            raise InputError("a scene needs a name of 1 to 200 characters", field="name")


def create_scene(
    session: Session, actor: Actor, new: NewScene, settings: Settings, now: datetime
) -> int:
    """The id of the new scene; nothing is built yet.

    Raises
    ------
    InputError
        The folder holds no photos.
    """
    require_role(actor, *BUILDERS)
    count = len(find_photos(new.photos_folder))
    row = SceneRow(
        organisation_id=new.organisation_id or actor.organisation_id,
        mission_id=new.mission_id,
        sortie_id=new.sortie_id,
        name=new.name.strip(),
        photos_folder=stored_path(new.photos_folder, settings),
        params=params_document(replace(new.params, title=new.params.title or new.name.strip())),
        created_at=now,
        created_by=actor.user_id or None,
    )
    session.add(row)
    session.flush()
    row.folder = stored_path(settings.blob_dir("scenes") / f"scene-{row.id:06d}", settings)
    facts = {"mission": new.mission_id, "sortie": new.sortie_id, "photos": count}
    audit.append(
        session, actor, action="scene.create", subject=f"scene:{row.id}", at=now, facts=facts
    )
    return row.id


def request_build(session: Session, actor: Actor, scene_id: int, now: datetime) -> int:
    """The id of the job that builds the scene; the one under way when there is one."""
    require_role(actor, *BUILDERS)
    row = scene_row(session, actor, scene_id)
    running = jobs.latest(session, _subject(row.id))
    if running is not None and running.state in jobs.OPEN_STATES:
        return running.id
    subject = f"scene:{row.id}"
    job_id = jobs.enqueue(
        session, JOB_KIND, {"scene_id": row.id}, at=now, subject=subject, user_id=actor.user_id
    )
    audit.append(session, actor, action="scene.build", subject=subject, at=now)
    return job_id


def bind_photos_to_sortie(
    session: Session,
    actor: Actor,
    scene_id: int,
    sortie_id: int,
    triggers: Sequence[Trigger],
    settings: Settings,
    now: datetime,
) -> BindingResult:
    """Which trigger of the sortie took which photo; stored with each photo.

    Photos are read for the first time here when no build has read them yet; only their headers.
    """
    require_role(actor, *BUILDERS)
    row = scene_row(session, actor, scene_id)
    folder = found_path(row.photos_folder, settings)
    paths = find_photos(folder)
    by_name = dict(zip(unique_names(paths), paths, strict=True))
    shots = [_shot(path, name) for name, path in by_name.items()]
    result = binding.bind([shot for shot in shots if shot is not None], triggers)
    row.sortie_id = sortie_id
    stored = {photo.name: photo for photo in _photo_rows(session, scene_id)}
    for bound in result.bindings:
        file = by_name[bound.name].relative_to(folder)
        photo = stored.get(bound.name) or _new_photo(session, scene_id, bound.name, file)
        photo.sortie_id = sortie_id if bound.trigger_index is not None else None
        photo.trigger_index = bound.trigger_index
        photo.residual_s, photo.residual_m = bound.residual_s, bound.residual_m
    session.flush()
    facts = {
        "sortie": sortie_id,
        "photos": len(result.bindings),
        "bound": sum(b.trigger_index is not None for b in result.bindings),
        "clock_offset_s": result.clock_offset_s,
        "triggers_without_photo": list(result.missing_triggers),
    }
    audit.append(
        session, actor, action="scene.bind", subject=f"scene:{scene_id}", at=now, facts=facts
    )
    return result


def list_scenes(
    session: Session, actor: Actor, settings: Settings, piece: Piece = WHOLE
) -> list[SceneView]:
    """The scenes that the actor may see, the newest first, without photos and measurements."""
    query = scoped(select(SceneRow), actor, SceneRow.organisation_id)
    rows = session.scalars(piece.of(query, SceneRow.id)).all()
    found = jobs.latest_of(session, [_subject(row.id) for row in rows])
    return [_view(row, found.get(_subject(row.id)), settings) for row in rows]


def photos_bound(session: Session, actor: Actor, sortie_id: int) -> int | None:
    """How many photo files are bound to a sortie's triggers; None while it has no scene."""
    query = scoped(select(SceneRow.id), actor, SceneRow.organisation_id)
    scenes = session.scalars(query.where(SceneRow.sortie_id == sortie_id)).all()
    if not scenes:
        return None
    bound = select(PhotoRow.trigger_index).where(
        PhotoRow.scene_id.in_(scenes), PhotoRow.trigger_index.is_not(None)
    )
    return len(set(session.scalars(bound)))


def get_scene(session: Session, actor: Actor, scene_id: int, settings: Settings) -> SceneView:
    """One scene with its photos and measurements; NotFound for one the actor may not see."""
    row = scene_row(session, actor, scene_id)
    folder = found_path(row.photos_folder, settings)
    photos = tuple(photo_view(photo, folder) for photo in _photo_rows(session, scene_id))
    query = select(MeasurementRow).where(
        MeasurementRow.scene_id == scene_id, MeasurementRow.removed_at.is_(None)
    )
    measurements = tuple(
        measurement_view(kept) for kept in session.scalars(query.order_by(MeasurementRow.id))
    )
    return _view(row, jobs.latest(session, _subject(scene_id)), settings, photos, measurements)


def build_job(context: JobContext) -> None:
    """The handler of "scene.build": builds, resuming what an earlier worker left, and stores.

    Raises
    ------
    jobs.Cancelled, jobs.LeaseLost
        The job was cancelled, or another worker has it.
    """
    scene_id = int(context.payload["scene_id"])
    with session_scope(context.engine) as session:
        row = scene_row(session, SYSTEM, scene_id)
        photos = found_path(row.photos_folder, context.settings)
        folder = found_path(row.folder, context.settings)
        params = params_with_marks(session, row, context.settings)
    try:
        scene = _build_when_free(context, photos, folder, params)
    except SceneCancelled as error:
        raise jobs.Cancelled(str(error)) from error
    context.check()
    with session_scope(context.engine) as session:
        _store_built(session, scene_id, scene, photos)


HANDLERS: Mapping[str, jobs.Handler] = {JOB_KIND: build_job}
"""The job kinds of this package, for the worker."""


def _build_when_free(context: JobContext, photos: Path, folder: Path, params: SceneParams) -> Scene:
    """The built scene.

    A worker whose lease ran out may still be writing; it notices within a lease, so that long
    the folder's lock is waited for.
    """
    from droneteam.photogrammetry import cluster, pipeline  # a web process never loads these

    deadline = time.monotonic() + 2.0 * context.settings.lease_s
    while True:
        try:
            with cluster.executor(context.settings.dask, params.threads) as executor:
                return pipeline.build_scene(
                    photos,
                    folder,
                    params,
                    progress=context.progress,
                    cancelled=context.cancelled,
                    executor=executor,
                )
        except jobs.LeaseLost:
            raise
        except Conflict:
            if time.monotonic() > deadline:
                raise
            context.progress("photos", 0.0, "waiting for an earlier worker to let go")
            time.sleep(LOCK_RETRY_S)


def _store_built(session: Session, scene_id: int, scene: Scene, folder: Path) -> None:
    row = session.get_one(SceneRow, scene_id)
    now = datetime.now(UTC)
    row.built_at, row.summary = now, json.loads(json.dumps(scene_document(scene)))
    names = {photo.name for photo in scene.photos.photos}
    gone = delete(PhotoRow).where(PhotoRow.scene_id == scene_id, PhotoRow.name.not_in(names))
    session.execute(gone)
    stored = {photo.name: photo for photo in _photo_rows(session, scene_id)}
    for photo in scene.photos.photos:
        file = photo.path.relative_to(folder)
        kept = stored.get(photo.name) or _new_photo(session, scene_id, photo.name, file)
        _fill(kept, photo)
    facts = {
        "registered": scene.n_registered,
        "photos": len(scene.photos.photos),
        "products": {product.path: product.sha256 for product in scene.products},
    }
    audit.append(
        session, SYSTEM, action="scene.built", subject=f"scene:{scene_id}", at=now, facts=facts
    )


def _fill(row: PhotoRow, photo: Photo) -> None:
    row.sha256, row.size_bytes = photo.sha256, photo.size_bytes
    row.taken_at, row.clock = photo.taken_at, photo.clock
    row.verdict = photo.verdict
    row.findings = [{"code": f.code, "message": f.message} for f in photo.findings]
    position = photo.position
    row.lat_deg = None if position is None else position.lat_deg
    row.lon_deg = None if position is None else position.lon_deg
    row.alt_ellipsoid_m = None if position is None else position.alt_ellipsoid_m
    row.alt_receiver_m = None if position is None else position.alt_receiver_m
    row.alt_home_m = None if position is None else position.alt_home_m


def _new_photo(session: Session, scene_id: int, name: str, file: Path) -> PhotoRow:
    row = PhotoRow(
        scene_id=scene_id,
        name=name,
        file=file.as_posix(),
        sha256="",
        size_bytes=0,
        clock="unzoned",
        verdict="use",
        findings=[],
    )
    session.add(row)
    return row


def _shot(path: Path, name: str) -> Shot | None:
    """When and where a photo says it was taken; None for one that cannot be read."""
    try:
        exif = imagefile.read_header(path).exif
    except DecodeError:
        return None
    return Shot(name, exif.taken_at, exif.lat_deg, exif.lon_deg)


def _photo_rows(session: Session, scene_id: int) -> Sequence[PhotoRow]:
    query = select(PhotoRow).where(PhotoRow.scene_id == scene_id).order_by(PhotoRow.name)
    return session.scalars(query).all()


def _subject(scene_id: int) -> str:
    """What jobs about the scene are about."""
    return f"scene:{scene_id}"


def _view(
    row: SceneRow,
    job: JobView | None,
    settings: Settings,
    photos: tuple[PhotoView, ...] = (),
    measurements: tuple[MeasurementView, ...] = (),
) -> SceneView:
    folder = found_path(row.folder, settings)
    products = () if row.summary is None else row.summary["products"]
    return SceneView(
        id=row.id,
        organisation_id=row.organisation_id,
        mission_id=row.mission_id,
        sortie_id=row.sortie_id,
        name=row.name,
        state="new" if job is None else job.state,
        job=job,
        created_at=row.created_at,
        built_at=row.built_at,
        folder=folder,
        photos_folder=found_path(row.photos_folder, settings),
        summary=row.summary,
        products={product["kind"]: folder / product["path"] for product in products},
        photos=photos,
        measurements=measurements,
    )
