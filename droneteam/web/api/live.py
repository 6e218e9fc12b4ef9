"""The sky: live state, its event stream, tracks and alerts."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from flask import Response

from droneteam.detection import reception, service
from droneteam.detection.reception import ReceiverView
from droneteam.detection.service import VIEWERS, AlertView, TrackView
from droneteam.web.access import allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.views import live
from droneteam.web.views.alerts import ACKNOWLEDGERS

bp = APIBlueprint("api_live", __name__, url_prefix="/api/v1", tag="live")


_STREAM: Any = {
    200: {
        "description": "Server-sent events: one snapshot, then changes. Last-Event-ID resumes.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class LiveOut(Schema):
    """Everything in the air now; `id` goes on as Last-Event-ID of the stream."""

    id = fields.String(required=True)
    set = fields.List(fields.Dict(keys=fields.String()), required=True)


class TrackQuery(Schema):
    """Which tracks."""

    ended = fields.Boolean(load_default=False)


class AlertQuery(Schema):
    """Which alerts."""

    open_only = fields.Boolean(load_default=False)


@bp.get("/live")
@allow(*VIEWERS)
@bp.output(LiveOut)
@bp.doc(summary="Own drones, tracks and open alerts now")
def state() -> Any:
    """For programs that poll."""
    number, rows = live.feed().snapshot()
    return {"id": number, "set": rows}


@bp.get("/live/events")
@allow(*VIEWERS)
@bp.doc(summary="The same as an event stream", responses=_STREAM)
def events() -> Response:
    """Ends after ten minutes; connect again with Last-Event-ID."""
    return live.events()


@bp.get("/tracks")
@allow(*VIEWERS)
@bp.input(TrackQuery, location="query", arg_name="query")
@bp.output(page_of(TrackView))
@bp.doc(summary="Tracks of what broadcasts")
def tracks(query: dict[str, bool]) -> Any:
    """Living ones, or with `ended` the others too."""
    with reading() as session:
        return {"items": service.list_tracks(session, actor(), ended=query["ended"])}


@bp.get("/receivers")
@allow(*VIEWERS)
@bp.output(page_of(ReceiverView))
@bp.doc(summary="Receivers and how each of them is")
def receivers() -> Any:
    """A receiver that was ever heard of, with its counts since the watch began."""
    with reading() as session:
        return {"items": reception.list_receivers(session, actor(), now())}


@bp.get("/alerts")
@allow(*VIEWERS)
@bp.input(AlertQuery, location="query", arg_name="query")
@bp.output(page_of(AlertView))
@bp.doc(summary="Alerts")
def alerts(query: dict[str, bool]) -> Any:
    """Newest first."""
    with reading() as session:
        return {"items": service.list_alerts(session, actor(), open_only=query["open_only"])}


@bp.get("/alerts/<id:alert_id>")
@allow(*VIEWERS)
@bp.output(schema_of(AlertView))
@bp.doc(summary="One alert")
def alert(alert_id: int) -> Any:
    """With what proves it."""
    with reading() as session:
        return service.get_alert(session, actor(), alert_id)


@bp.post("/alerts/<id:alert_id>/acknowledge")
@allow(*ACKNOWLEDGERS)
@bp.output(schema_of(AlertView))
@bp.doc(summary="Acknowledge an alert")
def acknowledge(alert_id: int) -> Any:
    """The first acknowledgement counts."""
    with writing() as session:
        return service.acknowledge_alert(session, actor(), alert_id, now())
