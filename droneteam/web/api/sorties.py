"""Flown sorties played back: one time line, thinned to a bound."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Range

from droneteam.missions import service
from droneteam.missions.record.replay import MAX_SAMPLES, MIN_SAMPLES
from droneteam.web.access import allow
from droneteam.web.api.shapes import schema_of
from droneteam.web.context import actor, context, reading
from droneteam.web.views.missions import READERS
from droneteam.web.views.sorties import alerts_during

bp = APIBlueprint("api_sorties", __name__, url_prefix="/api/v1", tag="missions")


class ReplayQuery(Schema):
    """How finely."""

    samples = fields.Integer(
        strict=False, load_default=600, validate=Range(MIN_SAMPLES, MAX_SAMPLES)
    )


@bp.get("/sorties/<id:sortie_id>/replay")
@allow(*READERS)
@bp.input(ReplayQuery, location="query", arg_name="query")
@bp.output(schema_of(service.Replay))
@bp.doc(summary="A sortie on one time line")
def replay(sortie_id: int, query: dict[str, int]) -> Any:
    """Series of equal lengths, null where nothing is known; t_s counts from take-off."""
    data_dir = context().settings.data_dir
    with reading() as session:
        sortie = service.get_sortie(session, actor(), sortie_id, data_dir)
        more = alerts_during(session, sortie)
        return service.sortie_replay(
            session, actor(), sortie_id, data_dir, samples=query["samples"], more=more
        )
