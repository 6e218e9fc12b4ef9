"""The sky: live state, its event stream, tracks and alerts."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, Range
from flask import Response

from droneteam.detection import coverage, history, reception, service
from droneteam.detection.coverage import MANNED_BAND, CoverageView
from droneteam.detection.history import Cursor, PathPoint, Span
from droneteam.detection.proof import Proof, alert_proof
from droneteam.detection.reception import ReceiverView
from droneteam.detection.service import SEES_OPERATORS, VIEWERS, AlertView, TrackView
from droneteam.web import looks
from droneteam.web.access import allow
from droneteam.web.api.shapes import page_of, pieces_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.looking import note_looks
from droneteam.web.pieces import MAX_ITEMS, answer_piece, piece_query
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


class TrackQuery(piece_query(MAX_ITEMS)):  # type: ignore[misc]  # made from the number
    """Which tracks."""

    ended = fields.Boolean(load_default=False)


class AlertQuery(piece_query(100)):  # type: ignore[misc]  # a class made for this list
    """Which alerts."""

    open_only = fields.Boolean(load_default=False)


class SpanQuery(Schema):
    """From when to when, RFC 3339, 24 hours at most; `cursor` is the `next` of the piece before."""

    since = fields.AwareDateTime(required=True, default_timezone=UTC)
    until = fields.AwareDateTime(required=True, default_timezone=UTC)
    cursor = fields.String(load_default="", validate=Length(max=60))


class PieceOut(Schema):
    """Points in the order of time; `next` is null when these were the last of the span."""

    items = fields.List(fields.Nested(schema_of(PathPoint)), required=True)
    next = fields.String(required=True, allow_none=True)


class CoverageQuery(Schema):
    """Which receiver, which band of height; all without."""

    receiver = fields.String(load_default=None, validate=Length(max=80))
    band = fields.Integer(load_default=None, validate=Range(0, MANNED_BAND))


@bp.get("/live")
@allow(*VIEWERS)
@bp.output(LiveOut)
@bp.doc(summary="Own drones, tracks and open alerts now")
def state() -> Any:
    """For programs that poll."""
    number, rows = live.feed().snapshot()
    note_looks(looks.rows_with_operator(rows), "api")
    return {"id": number, "set": rows}


@bp.get("/live/events")
@allow(*VIEWERS)
@bp.doc(summary="The same as an event stream", responses=_STREAM)
def events() -> Response:
    """Ends after ten minutes; connect again with Last-Event-ID.

    A change holds the key of each object and what is other than before; `gone` holds keys.
    """
    return live.events()


@bp.get("/tracks")
@allow(*VIEWERS)
@bp.input(TrackQuery, location="query", arg_name="query")
@bp.output(pieces_of(TrackView))
@bp.doc(summary="Tracks of what broadcasts")
def tracks(query: dict[str, Any]) -> Any:
    """Living ones, or with `ended` the others too; the latest to appear first."""
    with reading() as session:
        found = answer_piece(
            query,
            lambda piece: service.list_tracks(session, actor(), ended=query["ended"], piece=piece),
        )
    note_looks(looks.with_operator(found["items"]), "api")
    return found


@bp.get("/tracks/points")
@allow(*VIEWERS)
@bp.input(SpanQuery, location="query", arg_name="query")
@bp.output(PieceOut)
@bp.doc(summary="Where tracks were during a span, in pieces")
def points(query: dict[str, Any]) -> Any:
    """At most 5,000 points; ask again with `cursor` for the next ones."""
    span = Span(query["since"], query["until"])
    cursor = Cursor.parse(query["cursor"]) if query["cursor"] else None
    with reading() as session:
        piece = history.points_between(session, actor(), span, cursor)
    following = piece.following
    return {"items": piece.points, "next": None if following is None else str(following)}


@bp.get("/coverage")
@allow(*VIEWERS)
@bp.input(CoverageQuery, location="query", arg_name="query")
@bp.output(page_of(CoverageView))
@bp.doc(summary="Where receivers have really heard something")
def heard(query: dict[str, Any]) -> Any:
    """Counts on a grid and reach by direction, beside the declared range."""
    with reading() as session:
        return {"items": coverage.list_coverage(session, actor(), **query)}


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
@bp.output(pieces_of(AlertView))
@bp.doc(summary="Alerts")
def alerts(query: dict[str, Any]) -> Any:
    """Newest first."""
    open_only = query["open_only"]
    with reading() as session:
        return answer_piece(
            query,
            lambda piece: service.list_alerts(session, actor(), open_only=open_only, piece=piece),
        )


@bp.get("/alerts/<id:alert_id>")
@allow(*VIEWERS)
@bp.output(schema_of(AlertView))
@bp.doc(summary="One alert")
def alert(alert_id: int) -> Any:
    """With what proves it."""
    with reading() as session:
        return service.get_alert(session, actor(), alert_id)


@bp.get("/alerts/<id:alert_id>/evidence")
@allow(*SEES_OPERATORS)
@bp.output(schema_of(Proof))
@bp.doc(summary="The messages that caused an alert, with hashes")
def evidence(alert_id: int) -> Any:
    """Payloads as received and what they decode to; the digest can be computed again."""
    with reading() as session:
        found = alert_proof(session, actor(), alert_id)
    if found.track is not None:
        note_looks([found.track.id], "api")
    return found


@bp.post("/alerts/<id:alert_id>/acknowledge")
@allow(*ACKNOWLEDGERS)
@bp.output(schema_of(AlertView))
@bp.doc(summary="Acknowledge an alert")
def acknowledge(alert_id: int) -> Any:
    """The first acknowledgement counts."""
    with writing() as session:
        return service.acknowledge_alert(session, actor(), alert_id, now())
