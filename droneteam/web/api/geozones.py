"""Geographical zones: what is in force, a source's publication, withdrawals."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length

from droneteam.missions import service, zonestore
from droneteam.missions.airspace.checks import Restriction
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading, writing

bp = APIBlueprint("api_geozones", __name__, url_prefix="/api/v1/geozones", tag="missions")


class ZoneOut(Schema):
    """One zone in force."""

    id = fields.Integer(required=True)
    identifier = fields.String(required=True)
    name = fields.String(required=True)
    restriction = fields.Enum(Restriction, by_value=True, required=True)
    source = fields.String(required=True)
    loaded_at = fields.AwareDateTime(required=True)


class ZonesOut(Schema):
    """Every zone that missions are checked against."""

    items = fields.List(fields.Nested(ZoneOut), required=True)


class Publication(Schema):
    """All that a source publishes now."""

    source = fields.String(required=True, validate=Length(1, zonestore.MAX_SOURCE))
    document = fields.Dict(
        required=True, metadata={"description": "ED-269 JSON or ED-318 GeoJSON, whole."}
    )


class Published(Schema):
    """What the publication changed."""

    count = fields.Integer(required=True)
    withdrawn = fields.List(fields.String(), required=True)


class Reason(Schema):
    """Why the zone goes."""

    reason = fields.String(required=True, validate=Length(1, 500))


@bp.get("")
@allow(*zonestore.READERS)
@bp.output(ZonesOut)
@bp.doc(summary="Geographical zones in force")
def list_zones() -> Any:
    """By source and identifier."""
    with reading() as session:
        stored = service.list_zones(session, actor())
    items = [
        {
            "id": row.id,
            "identifier": row.zone.identifier,
            "name": row.zone.name,
            "restriction": row.zone.restriction,
            "source": row.source,
            "loaded_at": row.loaded_at,
        }
        for row in stored
    ]
    return {"items": items}


@bp.put("")
@allow(*zonestore.KEEPERS)
@bp.input(Publication, arg_name="body")
@bp.output(Published)
@bp.doc(summary="Load a source's publication; its other zones are withdrawn")
def publish(body: dict[str, Any]) -> Any:
    """422 names the zone that cannot be understood; everything stays as it was then."""
    with writing() as session:
        count, gone = service.publish_zones(
            session, actor(), body["document"], body["source"], now()
        )
    return {"count": count, "withdrawn": gone}


@bp.delete("/<id:zone_id>")
@allow(*zonestore.KEEPERS)
@bp.input(Reason, location="query", arg_name="query")
@bp.output({}, status_code=204)
@bp.doc(summary="Withdraw a zone")
def withdraw(zone_id: int, query: dict[str, Any]) -> Any:
    """Missions are checked against it no longer; why is on record."""
    with writing() as session:
        service.withdraw_zone(session, actor(), zone_id, query["reason"], now())
    return ""
