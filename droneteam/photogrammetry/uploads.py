"""Photos sent to a scene, chunk by chunk: rows, rights, and the audit of what came in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit, jobs
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.photogrammetry import upload_files
from droneteam.photogrammetry.control import read_control
from droneteam.photogrammetry.models import SceneRow, UploadRow
from droneteam.photogrammetry.scene_params import SceneParams, params_document
from droneteam.photogrammetry.scene_rows import found_path, scene_row, stored_path
from droneteam.photogrammetry.upload_files import NewUpload
from droneteam.settings import Settings

SENDERS = ("pilot", "investigator", "coordinator", "administrator")
MAX_PHOTOS = 5_000
MAX_CONTROL_BYTES = 1_000_000
OPEN, DONE, REFUSED = "open", "done", "refused"
CONTROL_KINDS = {"control": "gcp_path", "check": "check_path", "bars": "scale_bars_path"}


@dataclass(frozen=True, slots=True)
class UploadView:
    """A file that is coming in or came in; `received_bytes` is where to go on."""

    id: int
    name: str
    size_bytes: int
    sha256: str
    received_bytes: int
    state: str


def open_scene(
    session: Session,
    actor: Actor,
    name: str,
    organisation_id: int,
    params: SceneParams,
    settings: Settings,
    now: datetime,
) -> int:
    """The id of a new scene without photos, which are then sent to it."""
    require_role(actor, *SENDERS)
    if not name.strip() or len(name) > 200:
        raise InputError("a scene needs a name of 1 to 200 characters", field="name")
    row = SceneRow(
        organisation_id=organisation_id,
        name=name.strip(),
        photos_folder="",
        params=params_document(params),
        created_at=now,
        created_by=actor.user_id or None,
    )
    session.add(row)
    session.flush()
    folder = settings.blob_dir("photos") / _own_folder(row.id)
    folder.mkdir(exist_ok=True)
    row.photos_folder = stored_path(folder, settings)
    row.folder = stored_path(settings.blob_dir("scenes") / f"scene-{row.id:06d}", settings)
    audit.append(session, actor, action="scene.create", subject=f"scene:{row.id}", at=now)
    return row.id


def takes_photos(row_photos_folder: Path, scene_id: int) -> bool:
    """Whether photos can be sent to a scene: not to one that was made of a sortie's card."""
    return row_photos_folder.name == _own_folder(scene_id)


def uploads(
    session: Session, actor: Actor, scene_id: int, settings: Settings
) -> tuple[UploadView, ...]:
    """What is coming in and what came in, in the order of announcing."""
    scene_row(session, actor, scene_id)
    query = select(UploadRow).where(UploadRow.scene_id == scene_id).order_by(UploadRow.id)
    return tuple(_view(kept, settings) for kept in session.scalars(query))


def start(
    session: Session,
    actor: Actor,
    scene_id: int,
    new: NewUpload,
    settings: Settings,
    now: datetime,
) -> UploadView:
    """The upload of a file, new or the one that was begun; "done" for one that is here already.

    Raises
    ------
    Conflict
        A build is under way, or the scene takes no photos.
    SceneError
        The disk has no room for the file.
    """
    require_role(actor, *SENDERS)
    _open_for_photos(session, actor, scene_id, settings)
    own = (UploadRow.scene_id == scene_id, UploadRow.sha256 == new.sha256)
    kept = session.scalar(select(UploadRow).where(*own))
    if kept is None:
        count = session.query(UploadRow).where(UploadRow.scene_id == scene_id).count()
        if count >= MAX_PHOTOS:
            raise Conflict(f"scene {scene_id} has {MAX_PHOTOS} photos, which is the most")
        kept = UploadRow(
            scene_id=scene_id,
            name=upload_files.safe_name(new.name),
            size_bytes=new.size_bytes,
            sha256=new.sha256,
            state=OPEN,
            started_by=actor.user_id or None,
            started_at=now,
        )
        session.add(kept)
        session.flush()
    if kept.state == REFUSED:
        kept.state, kept.size_bytes = OPEN, new.size_bytes
    view = _view(kept, settings)
    if view.state == OPEN:
        upload_files.require_room(settings.data_dir, new.size_bytes - view.received_bytes)
    return view


def require_room(
    session: Session, actor: Actor, scene_id: int, size_bytes: int, settings: Settings
) -> None:
    """Nothing, when the disk has room for all that somebody is about to send to the scene.

    Raises
    ------
    Conflict
        A build is under way, or the scene takes no photos.
    SceneError
        States what is needed and what is free.
    """
    require_role(actor, *SENDERS)
    _open_for_photos(session, actor, scene_id, settings)
    upload_files.require_room(settings.data_dir, size_bytes)


def get_upload(
    session: Session, actor: Actor, scene_id: int, upload_id: int, settings: Settings
) -> UploadView:
    """One upload of a scene.

    Raises
    ------
    NotFound
        The scene has none of that number.
    """
    scene_row(session, actor, scene_id)
    return _view(_upload(session, scene_id, upload_id), settings)


def part_path(settings: Settings, upload_id: int) -> Path:
    """Where a file lies until it is whole."""
    return settings.blob_dir("uploads") / f"upload-{upload_id:08d}.part"


def accept(
    session: Session, actor: Actor, scene_id: int, upload_id: int, settings: Settings, now: datetime
) -> UploadView:
    """A whole and checked file, taken into the scene's folder; once, however often it is asked."""
    require_role(actor, *SENDERS)
    row = _open_for_photos(session, actor, scene_id, settings)
    kept = _upload(session, scene_id, upload_id)
    if kept.state == OPEN:
        part, folder = part_path(settings, kept.id), found_path(row.photos_folder, settings)
        kept.name = upload_files.publish(part, folder, kept.name).name
        kept.state, kept.finished_at = DONE, now
        facts = {"file": kept.name, "sha256": kept.sha256, "size_bytes": kept.size_bytes}
        subject = f"scene:{scene_id}"
        audit.append(session, actor, action="scene.photo", subject=subject, at=now, facts=facts)
    return _view(kept, settings)


def refuse(
    session: Session, actor: Actor, scene_id: int, upload_id: int, settings: Settings
) -> None:
    """A file that is not what was announced, or no photo: thrown away, to be sent again."""
    scene_row(session, actor, scene_id)
    kept = _upload(session, scene_id, upload_id)
    if kept.state == OPEN:
        part_path(settings, kept.id).unlink(missing_ok=True)
        kept.state = REFUSED


def set_control(
    session: Session,
    actor: Actor,
    scene_id: int,
    kind: str,
    name: str,
    content: bytes,
    settings: Settings,
    now: datetime,
) -> int:
    """How many points or bars the file holds that is now the scene's control of that kind.

    kind : "control", "check" or "bars".  The former file stays beside it.

    Raises
    ------
    InputError
        Names the line and what is wrong with it; nothing is changed.
    """
    require_role(actor, *SENDERS)
    row = scene_row(session, actor, scene_id)
    if kind not in CONTROL_KINDS:
        raise InputError(f"{kind!r} is none of {', '.join(CONTROL_KINDS)}", field="kind")
    if not 0 < len(content) <= MAX_CONTROL_BYTES:
        raise InputError(f"a control file has 1 to {MAX_CONTROL_BYTES} bytes", field="file")
    suffix = ".csv" if name.lower().endswith(".csv") else ".txt"
    folder = settings.blob_dir("control") / f"scene-{scene_id:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}-{now:%Y%m%dT%H%M%S%f}{suffix}"
    path.write_bytes(content)
    try:
        control = read_control(path, role="check" if kind == "check" else "control")
        count = len(control.bars) if kind == "bars" else len(control.points)
        if not count:
            raise InputError(f"{name} holds no {'scale bars' if kind == 'bars' else 'points'}")
    except InputError as error:
        path.unlink()
        raise InputError(str(error).replace(path.name, name), field="file") from error
    names = {**row.params.get("control", {}), CONTROL_KINDS[kind]: path.absolute().as_posix()}
    row.params = {**(row.params or params_document(SceneParams())), "control": names}
    facts = {"kind": kind, "file": name, "points": count}
    audit.append(
        session, actor, action="scene.control", subject=f"scene:{scene_id}", at=now, facts=facts
    )
    return count


def _own_folder(scene_id: int) -> str:
    return f"scene-{scene_id:06d}"


def _open_for_photos(session: Session, actor: Actor, scene_id: int, settings: Settings) -> SceneRow:
    row = scene_row(session, actor, scene_id)
    if not takes_photos(found_path(row.photos_folder, settings), scene_id):
        raise Conflict(
            f"the photos of scene {scene_id} came from a sortie's card and stay as they are; make "
            "a new scene for others"
        )
    job = jobs.latest(session, f"scene:{scene_id}")
    if job is not None and job.state in jobs.OPEN_STATES:
        raise Conflict(f"scene {scene_id} is being built; stop the build or wait for its end")
    return row


def _upload(session: Session, scene_id: int, upload_id: int) -> UploadRow:
    own = (UploadRow.scene_id == scene_id, UploadRow.id == upload_id)
    kept = session.scalar(select(UploadRow).where(*own))
    if kept is None:
        raise NotFound("upload", upload_id)
    return kept


def _view(kept: UploadRow, settings: Settings) -> UploadView:
    here = upload_files.received(part_path(settings, kept.id))
    return UploadView(
        id=kept.id,
        name=kept.name,
        size_bytes=kept.size_bytes,
        sha256=kept.sha256,
        received_bytes=kept.size_bytes if kept.state == DONE else here,
        state=kept.state,
    )
