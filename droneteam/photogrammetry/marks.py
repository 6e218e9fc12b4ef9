"""Marks of points in photos as rows: set, moved, taken away, and what they amount to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError, NotFound
from droneteam.photogrammetry import marking, targets
from droneteam.photogrammetry.cameras.adjust_setup import target
from droneteam.photogrammetry.control import (
    MARK_SIGMA_PX,
    Control,
    Mark,
    SurveyPoint,
    write_marks,
)
from droneteam.photogrammetry.ingest import imagefile
from droneteam.photogrammetry.marking import Located, Prediction
from droneteam.photogrammetry.models import MarkRow, SceneRow
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from droneteam.photogrammetry.scene_cache import built
from droneteam.photogrammetry.scene_control import read_scene_control
from droneteam.photogrammetry.scene_params import SceneParams, params_of
from droneteam.photogrammetry.scene_rows import found_path, kept_file, scene_row
from droneteam.settings import Settings

MARKERS = ("investigator", "pilot", "coordinator")
MAX_NAME = 100
MARKS_NAME = "marks.csv"
HAND, FILE = "hand", "file"
Role = Literal["control", "check", "bar", "own"]


@dataclass(frozen=True, slots=True)
class NewMark:
    """Where somebody marked a point: pixels of the upright photo from its top-left corner.

    source : "hand", or the kind of target that the place was refined on.
    """

    point: str
    photo: str
    x_px: float
    y_px: float
    sigma_px: float = MARK_SIGMA_PX
    source: str = HAND

    def __post_init__(self) -> None:
        name = self.point
        if (
            not name.strip()
            or name != name.strip()
            or len(name) > MAX_NAME
            or not name.isprintable()
        ):
            raise InputError(
                f"a point's name has 1 to {MAX_NAME} printable characters", field="point"
            )
        if any(c in name for c in ',;"'):
            raise InputError("a point's name has no comma, semicolon or quote", field="point")
        if not (math.isfinite(self.x_px) and math.isfinite(self.y_px)):
            raise InputError("x_px and y_px must be numbers", field="x_px")
        if not 0.01 <= self.sigma_px <= 20.0:
            raise InputError(f"sigma_px {self.sigma_px} outside [0.01, 20]", field="sigma_px")
        if self.source not in (HAND, *targets.KINDS):
            raise InputError(f"source {self.source!r} is not known", field="source")


@dataclass(frozen=True, slots=True)
class MarkView:
    """A mark that holds; marked_at is None for one of the control file."""

    point: str
    photo: str
    x_px: float
    y_px: float
    sigma_px: float
    source: str
    marked_at: datetime | None


@dataclass(frozen=True, slots=True)
class PointView:
    """A point of a scene and how far its marking is."""

    name: str
    role: Role
    n_marks: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is known about a point.

    predicted_from : "marks", "survey", "one mark", or "" where nothing is known yet.
    located : None, and `note` says why, until two marks cross.  survey_minus_marks_m : east,
    north, up.
    """

    point: PointView
    marks: tuple[MarkView, ...]
    predicted_from: str
    predictions: tuple[Prediction, ...]
    located: Located | None
    note: str
    survey_minus_marks_m: tuple[float, float, float] | None


def points(
    session: Session, actor: Actor, scene_id: int, settings: Settings
) -> tuple[PointView, ...]:
    """The surveyed points and those that somebody marked, in the order of their names."""
    row = scene_row(session, actor, scene_id)
    control = _control(row, settings)
    counts: dict[str, int] = {}
    for mark in _merged(session, row, control):
        counts[mark.point] = counts.get(mark.point, 0) + 1
    names = {name: counts.get(name, 0) for name in (*_roles(control), *counts)}
    return tuple(
        PointView(name, _role(control, name), count)
        for name, count in sorted(names.items(), key=lambda item: _natural(item[0]))
    )


def sheet(session: Session, actor: Actor, scene_id: int, point: str, settings: Settings) -> Sheet:
    """What is known about a point, which need not be marked yet.

    Raises
    ------
    Conflict
        The scene has no cameras yet.
    """
    row = scene_row(session, actor, scene_id)
    network = _network(row, settings)
    control = _control(row, settings)
    marks = tuple(m for m in _merged(session, row, control) if m.point == point)
    plain_marks = [_plain(mark) for mark in marks]
    survey = _survey(control, point, network)
    guess = marking.estimate(network, plain_marks, survey)
    located = marking.locate(network, plain_marks)
    there = None if isinstance(located, str) else located
    off = None
    if survey is not None and there is not None and np.isfinite(survey[0]).all():
        east, north, up = (float(v) for v in survey[0] - np.array(there.position_enu_m))
        off = (east, north, up)
    return Sheet(
        point=PointView(point, _role(control, point), len(marks)),
        marks=marks,
        predicted_from="" if guess is None else guess.source,
        predictions=() if guess is None else marking.predictions(network, guess, plain_marks),
        located=there,
        note=located if isinstance(located, str) else "",
        survey_minus_marks_m=off,
    )


def place(
    session: Session, actor: Actor, scene_id: int, new: NewMark, settings: Settings, now: datetime
) -> None:
    """Sets or moves the mark of a point in a photo.

    Raises
    ------
    InputError
        No such photo with a place, or the mark lies outside it.
    """
    require_role(actor, *MARKERS)
    row = scene_row(session, actor, scene_id)
    camera = _camera_of(_network(row, settings), new.photo)
    if not (0.0 <= new.x_px <= camera[0] and 0.0 <= new.y_px <= camera[1]):
        raise InputError(
            f"({new.x_px:.1f}, {new.y_px:.1f}) lies outside the photo of {camera[0]} × "
            f"{camera[1]} pixels",
            field="x_px",
        )
    _write(session, actor, scene_id, new, now, away=False)


def take_away(
    session: Session, actor: Actor, scene_id: int, point: str, photo: str, now: datetime
) -> None:
    """Takes the mark of a point in a photo away, the control file's too."""
    require_role(actor, *MARKERS)
    scene_row(session, actor, scene_id)
    _write(session, actor, scene_id, NewMark(point, photo, 0.0, 0.0), now, away=True)


def find_target(
    session: Session, actor: Actor, scene_id: int, near: NewMark, settings: Settings
) -> targets.Target | None:
    """The survey target nearest to a place in a photo; None when there is none."""
    row = scene_row(session, actor, scene_id)
    path = photo_path(session, actor, scene_id, near.photo, settings)
    _camera_of(_network(row, settings), near.photo)
    gray = np.asarray(cv2.cvtColor(imagefile.decode_rgb(path), cv2.COLOR_RGB2GRAY), np.uint8)
    return targets.find_target(gray, near.x_px, near.y_px)


def photo_path(
    session: Session, actor: Actor, scene_id: int, photo: str, settings: Settings
) -> Path:
    """Where the original of a photo lies.

    Raises
    ------
    NotFound
        The scene has no such photo.
    """
    row = scene_row(session, actor, scene_id)
    files = (row.summary or {"photos": {"files": []}})["photos"].get("files", [])
    written = next((file["path"] for file in files if file["name"] == photo), None)
    path = None if written is None else kept_file(written, settings)
    if path is None or not path.is_file():
        raise NotFound("photo", photo)
    return path


def photo_sizes(
    session: Session, actor: Actor, scene_id: int, settings: Settings
) -> Mapping[str, tuple[int, int]]:
    """Width and height of every photo that has a place, by name."""
    network = _network(scene_row(session, actor, scene_id), settings)
    return {v.name: (v.camera.width_px, v.camera.height_px) for v in network.views}


def marks_of(
    session: Session, actor: Actor, scene_id: int, names: Sequence[str], settings: Settings
) -> tuple[Mark, ...]:
    """The marks of the named points, to measure with."""
    row = scene_row(session, actor, scene_id)
    wanted = set(names)
    merged = _merged(session, row, _control(row, settings))
    return tuple(_plain(mark) for mark in merged if mark.point in wanted)


def params_with_marks(session: Session, row: SceneRow, settings: Settings) -> SceneParams:
    """The scene's parameters, with the marks set in the browser written beside its stages."""
    params = _params(row, settings)
    rows = _newest(session, row.id)
    if not rows:
        return params
    folder = found_path(row.folder, settings)
    folder.mkdir(parents=True, exist_ok=True)
    marks = [_plain(_view(kept)) for kept in rows if kept.x_px is not None]
    gone = [(kept.point, kept.photo) for kept in rows if kept.x_px is None]
    write_marks(folder / MARKS_NAME, marks, gone)
    return replace(params, marks_path=folder / MARKS_NAME)


def _write(
    session: Session, actor: Actor, scene_id: int, new: NewMark, now: datetime, *, away: bool
) -> None:
    row = MarkRow(
        scene_id=scene_id,
        point=new.point,
        photo=new.photo,
        x_px=None if away else new.x_px,
        y_px=None if away else new.y_px,
        sigma_px=new.sigma_px,
        source=new.source,
        marked_by=actor.user_id or None,
        marked_at=now,
    )
    session.add(row)
    session.flush()
    facts: dict[str, Any] = {"point": new.point, "photo": new.photo}
    if not away:
        facts |= {"x_px": new.x_px, "y_px": new.y_px, "source": new.source}
    action = "scene.unmark" if away else "scene.mark"
    audit.append(session, actor, action=action, subject=f"scene:{scene_id}", at=now, facts=facts)


def _newest(session: Session, scene_id: int) -> Sequence[MarkRow]:
    """The row that holds of each point in each photo."""
    newest = (
        select(func.max(MarkRow.id))
        .where(MarkRow.scene_id == scene_id)
        .group_by(MarkRow.point, MarkRow.photo)
    )
    query = select(MarkRow).where(MarkRow.id.in_(newest)).order_by(MarkRow.point, MarkRow.photo)
    return session.scalars(query).all()


def _merged(session: Session, row: SceneRow, control: Control) -> list[MarkView]:
    """The control file's marks, and over them those that people set or took away."""
    rows = _newest(session, row.id)
    views = {(m.point, m.photo): _of_file(m) for m in control.marks}
    for kept in rows:
        views.pop((kept.point, kept.photo), None)
        if kept.x_px is not None:
            views[kept.point, kept.photo] = _view(kept)
    return sorted(views.values(), key=lambda m: (m.point, m.photo))


def _view(row: MarkRow) -> MarkView:
    assert row.x_px is not None
    assert row.y_px is not None
    return MarkView(
        row.point, row.photo, row.x_px, row.y_px, row.sigma_px, row.source, row.marked_at
    )


def _of_file(mark: Mark) -> MarkView:
    return MarkView(mark.point, mark.photo, mark.x_px, mark.y_px, mark.sigma_px, FILE, None)


def _plain(mark: MarkView) -> Mark:
    return Mark(mark.point, mark.photo, mark.x_px, mark.y_px, mark.sigma_px)


def _network(row: SceneRow, settings: Settings) -> CameraNetwork:
    network = built(row, settings).network
    assert network is not None
    return network


def _camera_of(network: CameraNetwork, photo: str) -> tuple[int, int]:
    for view in network.views:
        if view.name == photo:
            return view.camera.width_px, view.camera.height_px
    raise InputError(f"{photo} has no place in the scene, so nothing can be marked in it")


def _control(row: SceneRow, settings: Settings) -> Control:
    """The surveyed points, bars and marks of the scene's files."""
    if not row.params:
        return Control()
    return read_scene_control(_params(row, settings))


def _params(row: SceneRow, settings: Settings) -> SceneParams:
    return params_of(row.params, where=partial(kept_file, settings=settings))


def _roles(control: Control) -> dict[str, Role]:
    roles: dict[str, Role] = {end: "bar" for bar in control.bars for end in (bar.a, bar.b)}
    roles.update({point.name: point.role for point in control.points})
    return roles


def _role(control: Control, point: str) -> Role:
    return _roles(control).get(point, "own")


def _survey(
    control: Control, point: str, network: CameraNetwork
) -> tuple[FloatArray, FloatArray] | None:
    """A surveyed point in the network's frame and its standard deviations."""
    known: SurveyPoint | None = next((p for p in control.points if p.name == point), None)
    if known is None:
        return None
    return target(known, network.frame), np.array(known.sigma_m)


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Names with their numbers in the order of counting: gcp_2 before gcp_10."""
    parts: list[tuple[int, int | str]] = []
    digits = ""
    for character in name + "\0":
        if character.isdigit() and character.isascii():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits)))
            digits = ""
        parts.append((1, character))
    return tuple(parts)


__all__ = [
    "MARKERS",
    "MarkView",
    "NewMark",
    "PointView",
    "Sheet",
    "find_target",
    "marks_of",
    "params_with_marks",
    "photo_path",
    "photo_sizes",
    "place",
    "points",
    "sheet",
    "take_away",
]
