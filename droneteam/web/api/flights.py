"""What the pilot of a flying mission asks of its controller, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf

from droneteam.missions import service
from droneteam.web.access import allow
from droneteam.web.api.shapes import schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.recorded_words import sortie_words
from droneteam.web.views.missions import PLANNERS, READERS

bp = APIBlueprint("api_flights", __name__, url_prefix="/api/v1", tag="missions")

MAX_KEY = 64


class AskIn(Schema):
    """What the drone shall do; what comes again under the same `key` counts once."""

    what = fields.String(required=True, validate=OneOf(service.WISHES))
    key = fields.String(load_default="", validate=Length(max=MAX_KEY))


@bp.get("/missions/<id:mission_id>/asks")
@allow(*READERS)
@bp.output(schema_of(service.FlightRecord))
@bp.doc(summary="What was asked of a flight, and what came of it")
def show(mission_id: int) -> Any:
    """Newest first; `handed_over` says why the controller commands nothing any more."""
    return record(mission_id)


@bp.post("/missions/<id:mission_id>/asks")
@allow(*PLANNERS)
@bp.input(AskIn, arg_name="body")
@bp.output(schema_of(service.FlightRecord))
@bp.doc(summary="Ask the controller of a flying mission: return, land, hold, turn the camera")
def ask(mission_id: int, body: dict[str, str]) -> Any:
    """403 for all but the assigned pilot, 409 when it does not fly."""
    put(mission_id, body["what"], body["key"])
    return record(mission_id)


def put(mission_id: int, what: str, key: str) -> None:
    """Ask for whoever is signed in."""
    folder = context().settings.blob_dir("logs")
    with writing() as session:
        service.ask_flight(session, actor(), mission_id, what, folder, now(), key=key)


def record(mission_id: int) -> service.FlightRecord:
    """The flight's record as of now, in the language that was asked for."""
    folder = context().settings.blob_dir("logs")
    with reading() as session:
        found = service.flight_asks(session, actor(), mission_id, folder, now())
    why = found.handed_over
    return replace(
        found,
        asks=tuple(replace(one, detail=sortie_words(one.detail)) for one in found.asks),
        notices=tuple(replace(one, detail=sortie_words(one.detail)) for one in found.notices),
        handed_over=None if why is None else sortie_words(why),
    )
