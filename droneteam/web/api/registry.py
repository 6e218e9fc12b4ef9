"""The registry: read, written one by one or whole, carried in and out; what ends soon."""

from __future__ import annotations

import json
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length
from flask import Response
from marshmallow import INCLUDE

from droneteam.fleet import service
from droneteam.fleet.assets import records
from droneteam.fleet.assets.exchange import EXPORTERS, IMPORTERS
from droneteam.fleet.assets.notices import SEERS
from droneteam.fleet.assets.upkeep import KEEPERS
from droneteam.web.access import TEAM, allow, takes_files
from droneteam.web.api.shapes import page_of, pieces_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.pieces import MAX_ITEMS, answer_piece, piece_query
from droneteam.web.views.registry import MAX_FILE_BYTES

bp = APIBlueprint("api_registry", __name__, url_prefix="/api/v1/registry", tag="registry")

_DOCUMENT: dict[int, Any] = {
    200: {
        "description": "The registry and the logbook as one document.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


class RecordIn(Schema):
    """A record with the members that it has in the export."""

    class Meta:
        """Its members depend on the part; the service checks them."""

        unknown = INCLUDE


class RegistryIn(Schema):
    """A registry as GET /api/v1/registry gives it."""

    class Meta:
        """Its parts are read by the format's own rules."""

        unknown = INCLUDE

    format = fields.String(required=True, validate=Length(1, 60))


@bp.get("")
@allow(*EXPORTERS)
@bp.doc(summary="The whole registry and logbook", responses=_DOCUMENT)
def export() -> Response:
    """Records name each other by what is written on things, so that it can be carried."""
    with reading() as session:
        registry = service.export_registry(session, actor())
    return Response(records.to_json(registry), mimetype="application/json")


@bp.post("/import")
@allow(*IMPORTERS)
@takes_files(MAX_FILE_BYTES)
@bp.input(RegistryIn, arg_name="body")
@bp.output(schema_of(service.Imported))
@bp.doc(summary="Read a registry back: whole or not at all")
def bring(body: dict[str, Any]) -> Any:
    """Adds and changes, never removes; history is not imported over."""
    registry = records.from_json(json.dumps(body))
    with writing() as session:
        return service.import_registry(session, actor(), registry, now())


@bp.put("/records/<part>")
@allow(*KEEPERS)
@bp.input(RecordIn, arg_name="body")
@bp.output(schema_of(service.Imported))
@bp.doc(summary="Add or change one record")
def save(part: str, body: dict[str, Any]) -> Any:
    """`part` is battery_types, batteries, drones, payloads or pilots; known by its key."""
    with writing() as session:
        return service.save_record(session, actor(), part, body, now())


@bp.get("/notices")
@allow(*TEAM)
@bp.output(page_of(service.NoticeView))
@bp.doc(summary="What ends or falls due soon and nobody has seen yet")
def notices() -> Any:
    """Each is told once."""
    with reading() as session:
        return {"items": service.list_notices(session, actor(), now())}


@bp.post("/notices/<id:notice_id>/seen")
@allow(*SEERS)
@bp.output({}, status_code=204)
@bp.doc(summary="A notice was seen")
def seen(notice_id: int) -> Any:
    """Off the board, with its reader on record."""
    with writing() as session:
        service.see_notice(session, actor(), notice_id, now())
    return ""


@bp.get("/flights")
@allow(*TEAM)
@bp.input(piece_query(MAX_ITEMS), location="query", arg_name="query")
@bp.output(pieces_of(service.FlightView))
@bp.doc(summary="The flights of the logbook")
def flights(query: dict[str, Any]) -> Any:
    """The latest to be written down first, with drone, pilot and packs as they were on the day."""
    with reading() as session:
        return answer_piece(
            query, lambda piece: service.list_flights(session, actor(), piece=piece)
        )
