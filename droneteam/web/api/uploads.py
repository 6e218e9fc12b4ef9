"""Sending photos to a scene in chunks that can be resumed."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from flask import request
from marshmallow.validate import Length, Range, Regexp

from droneteam.errors import DecodeError, InputError
from droneteam.photogrammetry import upload_files, uploads
from droneteam.photogrammetry.upload_files import CHUNK_BYTES, MAX_FILE_BYTES, NewUpload
from droneteam.photogrammetry.uploads import UploadView
from droneteam.web.access import allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing

bp = APIBlueprint("api_uploads", __name__, url_prefix="/api/v1/scenes", tag="scenes")

MAX_TOTAL_BYTES = uploads.MAX_PHOTOS * MAX_FILE_BYTES
_CHUNK: Any = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


class UploadIn(Schema):
    """A photo that is going to be sent."""

    name = fields.String(required=True, validate=Length(1, 255))
    size_bytes = fields.Integer(required=True, strict=True, validate=Range(1, MAX_FILE_BYTES))
    sha256 = fields.String(required=True, validate=Regexp(r"^[0-9a-f]{64}$"))


class RoomIn(Schema):
    """All that is about to be sent, together."""

    size_bytes = fields.Integer(required=True, strict=True, validate=Range(1, MAX_TOTAL_BYTES))


class ChunkQuery(Schema):
    """Where the chunk begins."""

    offset = fields.Integer(required=True, validate=Range(0, MAX_FILE_BYTES))


@bp.get("/<id:scene_id>/uploads")
@allow(*uploads.SENDERS)
@bp.output(page_of(UploadView))
@bp.doc(summary="What was sent to a scene and what is still coming")
def list_uploads(scene_id: int) -> Any:
    """`received_bytes` is where a broken upload goes on."""
    with reading() as session:
        return {"items": uploads.uploads(session, actor(), scene_id, context().settings)}


@bp.post("/<id:scene_id>/uploads")
@allow(*uploads.SENDERS)
@bp.input(UploadIn, arg_name="body")
@bp.output(schema_of(UploadView), status_code=201)
@bp.doc(summary="Announce a photo, or find the upload that was begun")
def start(scene_id: int, body: dict[str, Any]) -> Any:
    """A photo with the same SHA-256 is taken once: its state is then `done` already."""
    with writing() as session:
        new = NewUpload(**body)
        return uploads.start(session, actor(), scene_id, new, context().settings, now())


@bp.post("/<id:scene_id>/uploads/room")
@allow(*uploads.SENDERS)
@bp.input(RoomIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Ask whether the disk has room for all photos, before the first is sent")
def ask_for_room(scene_id: int, body: dict[str, int]) -> str:
    """422 states how much is needed and how much is free."""
    with reading() as session:
        size_bytes = body["size_bytes"]
        uploads.require_room(session, actor(), scene_id, size_bytes, context().settings)
    return ""


@bp.put("/<id:scene_id>/uploads/<id:upload_id>")
@allow(*uploads.SENDERS)
@bp.input(ChunkQuery, location="query", arg_name="query")
@bp.output(schema_of(UploadView))
@bp.doc(summary="Send a chunk of a photo")
def send(scene_id: int, upload_id: int, query: dict[str, int]) -> Any:
    """At most 4 MiB, in order; the last one is answered when hash and content were checked.

    409 states where to go on; a chunk that was received before changes nothing.
    """
    request.max_content_length = CHUNK_BYTES
    chunk = request.get_data(cache=False)
    return receive(scene_id, upload_id, query["offset"], chunk)


def receive(scene_id: int, upload_id: int, offset: int, chunk: bytes) -> UploadView:
    """The upload after a chunk; the last chunk takes the file in, or throws it away.

    The file is written and hashed outside any transaction: nobody waits for it.
    """
    settings = context().settings
    with reading() as session:
        view = uploads.get_upload(session, actor(), scene_id, upload_id, settings)
    if view.state != uploads.OPEN:
        return view
    part = uploads.part_path(settings, view.id)
    if upload_files.append(part, offset, chunk, view.size_bytes) == view.size_bytes:
        try:
            upload_files.check(part, NewUpload(view.name, view.size_bytes, view.sha256))
        except (InputError, DecodeError):
            with writing() as session:
                uploads.refuse(session, actor(), scene_id, upload_id, settings)
            raise
        with writing() as session:
            return uploads.accept(session, actor(), scene_id, upload_id, settings, now())
    with reading() as session:
        return uploads.get_upload(session, actor(), scene_id, upload_id, settings)
