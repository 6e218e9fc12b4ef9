"""Records as they were: every version, and the state at a moment."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from apiflask import APIBlueprint, Schema, fields

from droneteam import versions
from droneteam.versions import Version
from droneteam.web.access import allow
from droneteam.web.api.shapes import schema_of
from droneteam.web.context import actor, now, reading

bp = APIBlueprint("api_records", __name__, url_prefix="/api/v1", tag="audit")


class AtQuery(Schema):
    """When; now where it is left out."""

    at = fields.AwareDateTime(load_default=None, default_timezone=UTC)


class RecordOut(Schema):
    """A record at a moment, and all its versions, the oldest first."""

    kind = fields.String(required=True)
    record = fields.String(required=True)
    whole = fields.Boolean(
        required=True, metadata={"description": "Whether the chain of hashes holds."}
    )
    held = fields.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "Column to value; null before it was and after it went."},
    )
    versions = fields.List(fields.Nested(schema_of(Version)), required=True)


@bp.get("/records/<kind>/<path:record>")
@allow(*versions.READERS)
@bp.input(AtQuery, location="query", arg_name="query")
@bp.output(RecordOut)
@bp.doc(summary="A record as it was")
def record_at(kind: str, record: str, query: dict[str, Any]) -> Any:
    """404 for a record that was never followed."""
    with reading() as session:
        known = versions.history_of(session, actor(), kind, record)
    held = known.at(query["at"] or now())
    return {
        "kind": kind,
        "record": record,
        "whole": known.whole,
        "held": held,
        "versions": known.versions,
    }
