"""Marking points in photos: a page that works by typing, and the tiles its island shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.errors import InputError, NotFound
from droneteam.photogrammetry import marks
from droneteam.photogrammetry.marking import Prediction
from droneteam.photogrammetry.marks import MarkView, NewMark, Sheet
from droneteam.photogrammetry.measuring.requests import KINDS
from droneteam.photogrammetry.views import SceneView
from droneteam.web import phototiles
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.files import file_response
from droneteam.web.forms import FormReader
from droneteam.web.refusals import said
from droneteam.web.scene_files import is_metric
from droneteam.web.views.scenes import READERS, get_scene
from droneteam.web.words import MEASURE_KINDS, named

bp = Blueprint("marking", __name__, url_prefix="/scenes")

_DAY_S = 86_400
PAGE_ROWS = 25
"""Of the table of photos: a point in the middle of a block is seen by a hundred."""


@bp.get("/<id:scene_id>/marks")
@allow(*READERS)
def page(scene_id: int) -> str:
    """The points, and one of them with the photos that show it."""
    return _page(scene_id, request.args.get("point", "").strip(), {})


@bp.post("/<id:scene_id>/marks")
@allow(*marks.MARKERS)
def place(scene_id: int) -> Any:
    """A mark that was typed."""
    form = FormReader(request.form)
    point = form.text("point", required=True, max_length=marks.MAX_NAME)
    photo = form.text("photo", required=True, max_length=255)
    x_px = form.number("x_px", 0.0, 1e6)
    y_px = form.number("y_px", 0.0, 1e6)
    if not form.problems:
        try:
            with writing() as session:
                new = NewMark(point, photo, x_px, y_px)
                marks.place(session, actor(), scene_id, new, context().settings, now())
        except InputError as error:
            form.fail(error.field or "photo", said(error))
    if form.problems:
        return _page(scene_id, point, form.problems), 422
    flash(_("Marked."), "done")
    return redirect(url_for("marking.page", scene_id=scene_id, point=point))


@bp.post("/<id:scene_id>/marks/remove")
@allow(*marks.MARKERS)
def take_away(scene_id: int) -> Any:
    """A mark taken away; it stays in the audit."""
    point, photo = request.form.get("point", ""), request.form.get("photo", "")
    with writing() as session:
        marks.take_away(session, actor(), scene_id, point, photo, now())
    flash(_("The mark was taken away."), "done")
    return redirect(url_for("marking.page", scene_id=scene_id, point=point))


@bp.get("/<id:scene_id>/photos/<photo>/tiles/<int:level>/<int:column>/<int:row>.jpg")
@allow(*READERS)
def tile(scene_id: int, photo: str, level: int, column: int, row: int) -> Response:
    """A piece of a photo."""
    path, size_px = _photo(scene_id, photo)
    piece = phototiles.tile(path, size_px, (level, column, row), cache_dir(scene_id))
    return file_response(piece, media_type="image/jpeg", keep_s=_DAY_S)


@bp.get("/<id:scene_id>/photos/<photo>/cut.png")
@allow(*READERS)
def cut(scene_id: int, photo: str) -> Response:
    """The photo's own pixels around a place."""
    form = FormReader(request.args)
    x_px, y_px = form.number("x", -1e6, 1e6), form.number("y", -1e6, 1e6)
    side_px = form.number("side", 8, phototiles.MAX_CUT_PX, fallback=64)
    if form.problems:
        raise InputError(f"the address needs x and y: {form.problems}")
    path, size_px = _photo(scene_id, photo)
    at = (int(x_px), int(y_px))
    content = phototiles.cut(path, size_px, at, int(side_px), cache_dir(scene_id))
    return _kept(content, "image/png")


@bp.get("/<id:scene_id>/photos/<photo>/preview.jpg")
@allow(*READERS)
def preview(scene_id: int, photo: str) -> Response:
    """What lies around a place of the photo's overview."""
    form = FormReader(request.args)
    x_px, y_px = form.number("x", -1e6, 1e6), form.number("y", -1e6, 1e6)
    if form.problems:
        raise InputError(f"the address needs x and y: {form.problems}")
    path, size_px = _photo(scene_id, photo)
    content = phototiles.preview(path, size_px, (int(x_px), int(y_px)), cache_dir(scene_id))
    return _kept(content, "image/jpeg")


@bp.get("/<id:scene_id>/photos/<photo>/thumb.jpg")
@allow(*READERS)
def thumb(scene_id: int, photo: str) -> Response:
    """A small picture of the whole photo."""
    with reading() as session:
        path = marks.photo_path(session, actor(), scene_id, photo, context().settings)
    small = phototiles.thumb(path, cache_dir(scene_id))
    return file_response(small, media_type="image/jpeg", keep_s=_DAY_S)


def cache_dir(scene_id: int) -> Path:
    """Where pieces of a scene's photos are kept."""
    folder = context().settings.blob_dir("cache") / f"scene-{scene_id}" / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _kept(content: bytes, media_type: str) -> Response:
    """A picture that the browser keeps for a day: a photo never changes."""
    response = Response(content, mimetype=media_type)
    response.headers["Cache-Control"] = f"private, max-age={_DAY_S}"
    return response


def _photo(scene_id: int, photo: str) -> tuple[Path, tuple[int, int]]:
    settings = context().settings
    with reading() as session:
        path = marks.photo_path(session, actor(), scene_id, photo, settings)
        size = marks.photo_sizes(session, actor(), scene_id, settings).get(photo)
    if size is None:
        raise NotFound("photo with a place", photo)
    return path, size


def _page(scene_id: int, point: str, problems: dict[str, str]) -> str:
    scene = get_scene(scene_id)
    settings = context().settings
    with reading() as session:
        points = marks.points(session, actor(), scene_id, settings)
        sizes = marks.photo_sizes(session, actor(), scene_id, settings)
        sheet = marks.sheet(session, actor(), scene_id, point, settings) if point else None
    may_mark = actor().has_role(*marks.MARKERS)
    return render_template(
        "marking.html",
        scene=scene,
        points=points,
        sheet=sheet,
        point=point,
        residuals=_residuals(sheet),
        rows=None if sheet is None else _rows(sheet, request.args.get("from", 1, type=int)),
        photo_options=lambda names: [(name, name) for name in names],
        kind_options=lambda codes: [(code, named(MEASURE_KINDS)(code)) for code in codes],
        photos=list(sizes),
        problems=problems,
        values=request.form,
        may_mark=may_mark,
        kinds=list(KINDS),
        metric=is_metric(scene),
        data=_island(scene, point, sizes, may_mark),
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """A photo's line in the table: what is expected in it and what was marked."""

    photo: str
    prediction: Prediction | None
    mark: MarkView | None


@dataclass(frozen=True, slots=True)
class _Rows:
    """A piece of the table of photos: rows from `first` (of 1) on; earlier, later : where to go."""

    shown: Sequence[_Shown]
    first: int
    total: int
    earlier: int | None
    later: int | None


def _rows(sheet: Sheet, asked: int) -> _Rows:
    """The rows from the asked number on, a page of them."""
    rows = _shown_photos(sheet)
    first = min(max(asked, 1), max(len(rows), 1))
    return _Rows(
        shown=rows[first - 1 : first - 1 + PAGE_ROWS],
        first=first,
        total=len(rows),
        earlier=max(1, first - PAGE_ROWS) if first > 1 else None,
        later=first + PAGE_ROWS if first + PAGE_ROWS <= len(rows) else None,
    )


def _shown_photos(sheet: Sheet) -> list[_Shown]:
    """The photos with marks, then those that should show the point, the most useful first."""
    marked = {mark.photo: mark for mark in sheet.marks}
    expected = [_Shown(p.photo, p, marked.pop(p.photo, None)) for p in sheet.predictions]
    besides = [_Shown(photo, None, mark) for photo, mark in marked.items()]
    return sorted([*expected, *besides], key=lambda row: row.mark is None)


def _residuals(sheet: Sheet | None) -> dict[str, Any]:
    if sheet is None or sheet.located is None:
        return {}
    return {row.photo: row for row in sheet.located.residuals}


def _island(scene: SceneView, point: str, sizes: Any, may_mark: bool) -> dict[str, Any]:
    """What the island needs; it asks the API for everything that changes."""
    base = f"/api/v1/scenes/{scene.id}"
    tile_url = url_for(
        "marking.tile", scene_id=scene.id, photo="PHOTO", level=0, column=0, row=0
    ).replace("/0/0/0.jpg", "/{z}/{x}/{y}.jpg")
    return {
        "point": point,
        "mayMark": may_mark,
        "metric": is_metric(scene),
        "sheetUrl": f"{base}/sheet",
        "markUrl": f"{base}/marks",
        "removeUrl": f"{base}/marks/remove",
        "targetUrl": f"{base}/targets",
        "measureUrl": f"{base}/measure",
        "tileUrl": tile_url,
        "cutUrl": url_for("marking.cut", scene_id=scene.id, photo="PHOTO"),
        "previewUrl": url_for("marking.preview", scene_id=scene.id, photo="PHOTO"),
        "thumbUrl": url_for("marking.thumb", scene_id=scene.id, photo="PHOTO"),
        "tilePx": phototiles.TILE_PX,
        "photos": {name: phototiles.facts(*size) for name, size in sizes.items()},
        "texts": _texts(),
    }


def _texts() -> dict[str, str]:
    return {
        "zoomIn": _("Zoom in"),
        "zoomOut": _("Zoom out"),
        "marked": _("marked"),
        "expected": _("expected within {px} px"),
        "showing": _("{photo}: tap the point."),
        "saved": _("Saved: {x}, {y} px in {photo}."),
        "refined": _("Set on the centre of a target ({kind}, ± {sigma} px)."),
        "noTarget": _("No target was found near that place; the mark stays where you set it."),
        "saving": _("Saving …"),
        "failed": _("Not saved: {why}"),
        "removed": _("The mark was taken away."),
        "undone": _("The last step was taken back."),
        "nothingToUndo": _("There is nothing to take back."),
        "position": _("East {e} ± {ce} m, north {n} ± {cn} m, up {u} ± {cu} m (95 %)"),
        "survey": _("Surveyed minus marked: {e}, {n}, {u} m"),
        "outlier": _("The mark in {photo} contradicts the others: look at it again."),
        "disagree": _(
            "The marks contradict each other and it cannot be told which one is wrong: mark the "
            "point in another photo."
        ),
        "residual": _("off by {px} px"),
        "more": _("Show {n} more photos"),
        "count": _("Marks: {marked}; photos that should show it: {seen}"),
        "checkerboard": _("checkerboard"),
        "cross": _("cross"),
        "circle": _("circle"),
        "coded": _("coded target"),
    }
