"""Calendar feeds: their secret addresses, made and closed."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import OneOf, Range
from flask import url_for

from droneteam.fleet import service
from droneteam.web.access import allow
from droneteam.web.api.door import missing
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, full_address, now, reading, writing
from droneteam.web.routing import MAX_ID
from droneteam.web.views.calendars import MAKERS

bp = APIBlueprint("api_calendars", __name__, url_prefix="/api/v1/calendars", tag="calendars")


class FeedIn(Schema):
    """Whose tasks the calendar shows."""

    kind = fields.String(required=True, validate=OneOf(["zone", "drone", "pilot"]))
    subject_id = fields.Integer(required=True, strict=True, validate=Range(1, MAX_ID))


class NewFeedOut(Schema):
    """A feed and its address, which is told this once."""

    feed = fields.Nested(schema_of(service.FeedView), required=True)
    address = fields.String(required=True)


@bp.get("")
@allow(*MAKERS)
@bp.output(page_of(service.FeedView))
@bp.doc(summary="The caller's calendar feeds")
def feeds() -> Any:
    """Without their addresses, of which only a hash is kept."""
    with reading() as session:
        return {"items": service.list_feeds(session, actor())}


@bp.post("")
@allow(*MAKERS)
@bp.input(FeedIn, arg_name="body")
@bp.output(NewFeedOut, status_code=201)
@bp.doc(
    summary="Make a calendar feed of a zone, a drone or a pilot",
    responses=missing("No such zone, drone or pilot."),
)
def make(body: dict[str, Any]) -> Any:
    """Whoever knows the address may read the calendar."""
    with writing() as session:
        view, token = service.make_feed(session, actor(), body["kind"], body["subject_id"], now())
    return {"feed": view, "address": full_address(url_for("calendars.read", token=token))}


@bp.post("/<id:feed_id>/end")
@allow(*MAKERS)
@bp.output({}, status_code=204)
@bp.doc(summary="Close a calendar feed")
def end(feed_id: int) -> Any:
    """Its address answers nobody any more."""
    with writing() as session:
        service.end_feed(session, actor(), feed_id, now())
    return ""
