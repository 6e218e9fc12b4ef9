"""What a mission's crew wrote down: read it, add to it, late and twice if need be."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf

from droneteam.missions import service
from droneteam.missions.fieldlog import MAX_ENTRIES, FieldKind, FieldLog, NewEntry
from droneteam.web.access import allow
from droneteam.web.api.shapes import schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.views.missions import PLANNERS, READERS

bp = APIBlueprint("api_field", __name__, url_prefix="/api/v1", tag="missions")


class EntryIn(Schema):
    """`key` is a UUID of the sender's; `base` the key of the item's entry that the sender knew."""

    key = fields.String(required=True, validate=Length(36, 36))
    kind = fields.String(required=True, validate=OneOf([one.value for one in FieldKind]))
    item = fields.String(load_default="", validate=Length(max=40))
    value = fields.String(required=True, validate=Length(max=2000))
    at = fields.AwareDateTime(required=True)
    base = fields.String(load_default="", validate=Length(max=36))


class EntriesIn(Schema):
    """Entries in the order in which they were written."""

    entries = fields.List(fields.Nested(EntryIn), required=True, validate=Length(1, MAX_ENTRIES))


@bp.get("/missions/<id:mission_id>/log")
@allow(*READERS)
@bp.output(schema_of(FieldLog))
@bp.doc(summary="What the crew wrote down")
def show(mission_id: int) -> Any:
    """Every entry, what counts now, and where two people differ."""
    with reading() as session:
        return service.field_log(session, actor(), mission_id)


@bp.post("/missions/<id:mission_id>/log")
@allow(*PLANNERS)
@bp.input(EntriesIn, arg_name="body")
@bp.output(schema_of(FieldLog))
@bp.doc(summary="Write down checks, times, defects and notes")
def record(mission_id: int, body: dict[str, Any]) -> Any:
    """Safe to send again: a key counts once.  A defect grounds the drone."""
    entries = [NewEntry(**{**one, "kind": FieldKind(one["kind"])}) for one in body["entries"]]
    with writing() as session:
        return service.record_entries(session, actor(), mission_id, entries, now())
