"""Two dates of a scene beside each other: a swipe, and what changed with its significance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.errors import DroneteamError, NotFound
from droneteam.photogrammetry import service
from droneteam.photogrammetry.service import SceneView
from droneteam.web import change_pictures
from droneteam.web.access import allow
from droneteam.web.change_pictures import PICTURES, PlaceRow
from droneteam.web.context import actor, context, reading
from droneteam.web.files import file_response, inside
from droneteam.web.recorded_words import scene_words
from droneteam.web.refusals import said
from droneteam.web.scene_looks import note_looks
from droneteam.web.views.scenes import READERS, get_scene

bp = Blueprint("comparison", __name__, url_prefix="/scenes")


@bp.get("/<id:scene_id>/compare")
@allow(*READERS)
def show(scene_id: int) -> Any:
    """The scene as it was at another date and as it is; `with` says which scene that is."""
    after = get_scene(scene_id)
    with reading() as session:
        scenes = service.list_scenes(session, actor(), context().settings)
    others = [one for one in scenes if one.id != scene_id and one.built_at is not None]
    wanted = request.args.get("with", "")
    before = next((one for one in others if str(one.id) == wanted), None)
    if before is None:
        if wanted:
            raise NotFound("scene", wanted)
        return _page(after, others, None, None, "", {})
    try:
        folder, found = change_pictures.compared(before, after, _cache())
    except DroneteamError as error:
        return _page(after, others, before, None, said(error), {}), 422
    if isinstance(found, str):
        return _page(after, others, before, None, scene_words(found), {}), 422
    urls = {
        name: url_for(
            "comparison.picture", scene_id=scene_id, other_id=before.id, name=name, v=folder.name
        )
        for name in PICTURES
        if (folder / f"{name}.png").is_file()
    }
    note_looks([before.id])
    places = change_pictures.kept_places(folder)
    return _page(after, others, get_scene(before.id), found, "", urls, places, folder)


@bp.get("/<id:scene_id>/compare/<id:other_id>/<name>.png")
@allow(*READERS)
def picture(scene_id: int, other_id: int, name: str) -> Response:
    """One of the pictures; they lie on one grid."""
    after, before = get_scene(scene_id), get_scene(other_id)
    if name not in PICTURES:
        raise NotFound("picture", name)
    folder, _found = change_pictures.compared(before, after, _cache())
    return file_response(inside(folder, f"{name}.png"), media_type="image/png")


def _page(
    after: SceneView,
    others: list[SceneView],
    before: SceneView | None,
    found: Any,
    problem: str,
    pictures: dict[str, str],
    places: Sequence[PlaceRow] = (),
    folder: Path | None = None,
) -> str:
    return render_template(
        "comparison.html",
        after=after,
        before=before,
        choices=[(str(one.id), f"{one.id} {one.name}") for one in others],
        found=found,
        problem=problem,
        pictures=pictures,
        places=places,
        size=(0, 0) if folder is None else change_pictures.size_px(folder),
        words={"before": _("Before"), "after": _("After"), "difference": _("What changed")},
    )


def _cache() -> Path:
    return context().settings.blob_dir("cache")
