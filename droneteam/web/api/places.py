"""Places: what an address, a crossing, a name or coordinates in words may mean."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length

from droneteam.places import service
from droneteam.places.gazetteer import LONGEST_TEXT, Match
from droneteam.web.access import signed_in_only
from droneteam.web.api.shapes import page_of
from droneteam.web.context import reading
from droneteam.web.i18n import language
from droneteam.web.places import places_of_the_map

bp = APIBlueprint("api_places", __name__, url_prefix="/api/v1/places", tag="requests")


class Question(Schema):
    """What is looked for."""

    q = fields.String(
        required=True,
        validate=Length(1, LONGEST_TEXT),
        metadata={
            "description": "An address, two streets parted by / for their crossing, a name, or "
            "coordinates (degrees, Lambert 72, Lambert 2008)."
        },
    )


@bp.get("")
@signed_in_only
@bp.input(Question, location="query", arg_name="asked")
@bp.output(page_of(Match))
@bp.doc(summary="Where an address, a crossing or a name is")
def find(asked: dict[str, str]) -> dict[str, Any]:
    """Nothing fits: an empty list."""
    with reading() as session:
        return {"items": service.find_places(session, asked["q"], language(), places_of_the_map())}
