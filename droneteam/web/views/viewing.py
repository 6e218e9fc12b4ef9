"""Files that the viewers read in parts: the same rights as the page, and one look in the chain.

A viewer asks for hundreds of parts of one file.  Each is a look at the scene, of which the chain
keeps one for an hour; whoever asks for the whole file, or for a part larger than a viewer needs,
takes the file away, and the chain says so each time.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from droneteam.errors import InputError, NotFound
from droneteam.photogrammetry import viewing
from droneteam.web import overlays
from droneteam.web.access import allow
from droneteam.web.context import actor, context, reading
from droneteam.web.files import file_response, inside
from droneteam.web.scene_looks import note_taken
from droneteam.web.views.scenes import READERS

bp = Blueprint("viewing", __name__, url_prefix="/scenes")

LARGEST_PART_BYTES = 8 << 20
"""A node of the project's own octree is a tenth of it."""
_DAY_S = 86_400


@bp.get("/<id:scene_id>/view/cloud.copc.laz")
@allow(*READERS)
def cloud(scene_id: int) -> Response:
    """A part of the cloud's octree."""
    return _part(scene_id, "cloud_copc")


@bp.get("/<id:scene_id>/view/mesh.glb")
@allow(*READERS)
def mesh(scene_id: int) -> Response:
    """The mesh as the viewer draws it: it has no parts, so the whole of it is a look."""
    return _sent(scene_id, "mesh", taken=False)


@bp.get("/<id:scene_id>/overlay-<name>/<int:level>/<int:column>/<int:row>.png")
@allow(*READERS)
def overlay(scene_id: int, name: str, level: int, column: int, row: int) -> Response:
    """A piece of what lies over the orthophoto: filled cells or the photos that it is made of."""
    if name not in overlays.OVERLAYS:
        raise NotFound("overlay", name)
    with reading() as session:
        folder, ortho = viewing.product_file(
            session, actor(), scene_id, "orthophoto", context().settings
        )
        _, over = viewing.product_file(
            session, actor(), scene_id, overlays.OVERLAYS[name], context().settings
        )
    at = (level, column, row)
    content = overlays.overlay_png(name, inside(folder, over), inside(folder, ortho), at)
    response = Response(content, mimetype="image/png")
    response.headers["Cache-Control"] = f"private, max-age={_DAY_S}"
    return response


def _part(scene_id: int, kind: str) -> Response:
    """A part of a product, or all of it with an entry that it was taken."""
    span = _asked_bytes()
    return _sent(scene_id, kind, taken=span is None or span > LARGEST_PART_BYTES)


def _sent(scene_id: int, kind: str, *, taken: bool) -> Response:
    with reading() as session:
        folder, name = viewing.product_file(session, actor(), scene_id, kind, context().settings)
    path = inside(folder, name)
    if taken:
        note_taken(scene_id, kind)
    keep_s = _DAY_S if "v" in request.args else 0
    return file_response(path, media_type="application/octet-stream", keep_s=keep_s)


def _asked_bytes() -> int | None:
    """How many bytes the one range asks for; None for the whole file or an open end.

    Raises
    ------
    InputError
        Several ranges: together they could be the file.
    """
    if request.range is None:
        return None
    if len(request.range.ranges) != 1:
        raise InputError("one range at a time", field="Range")
    first, end = request.range.ranges[0]
    if end is None:
        return None if first >= 0 else -first
    return end - first
