"""Scenes: read, build, stop, download."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from droneteam.photogrammetry import service
from droneteam.photogrammetry.views import SceneView
from droneteam.web.access import allow
from droneteam.web.api.shapes import pieces_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.pieces import answer_piece, piece_query
from droneteam.web.views.scenes import READERS, get_scene, stop_build, take_product

_BYTES = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_FILE: Any = {
    200: {"description": "The file.", "content": _BYTES},
    206: {"description": "The part that was asked for.", "content": _BYTES},
    416: "There is no such part.",
}

bp = APIBlueprint("api_scenes", __name__, url_prefix="/api/v1/scenes", tag="scenes")


@bp.get("")
@allow(*READERS)
@bp.input(piece_query(50), location="query", arg_name="query")
@bp.output(pieces_of(SceneView))
@bp.doc(summary="The scenes that the caller may see")
def list_scenes(query: dict[str, Any]) -> Any:
    """Newest first, without photos and measurements."""
    settings = context().settings
    with reading() as session:
        return answer_piece(
            query, lambda piece: service.list_scenes(session, actor(), settings, piece)
        )


@bp.get("/<id:scene_id>")
@allow(*READERS)
@bp.output(schema_of(SceneView))
@bp.doc(summary="One scene with its photos, accuracy and measurements")
def scene(scene_id: int) -> Any:
    """`summary` is the scene.json of the last finished build; `job` the work under way."""
    return get_scene(scene_id)


@bp.post("/<id:scene_id>/build")
@allow(*service.BUILDERS)
@bp.output(schema_of(SceneView), status_code=202)
@bp.doc(summary="Build a scene")
def build(scene_id: int) -> Any:
    """Finished stages are reused; a build under way goes on."""
    with writing() as session:
        service.request_build(session, actor(), scene_id, now())
    return get_scene(scene_id)


@bp.post("/<id:scene_id>/cancel")
@allow(*service.BUILDERS)
@bp.output(schema_of(SceneView))
@bp.doc(summary="Stop a build")
def cancel(scene_id: int) -> Any:
    """What is finished stays."""
    stop_build(scene_id)
    return get_scene(scene_id)


@bp.get("/<id:scene_id>/products/<kind>")
@allow(*READERS)
@bp.doc(summary="A product's file", responses=_FILE)
def product(scene_id: int, kind: str) -> Response:
    """Ranges and conditional requests work; `kind` is one of summary.products."""
    return take_product(scene_id, kind)
