"""What the API takes where a mission is planned, and the planner's own values of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import Schema, fields
from apiflask.validators import Length, OneOf, Range

from droneteam.errors import InputError
from droneteam.geo import check_lat_lon
from droneteam.missions.airspace.volumes import BufferRule, RiskParams
from droneteam.missions.formats.chancemap import chance_map_from_json
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.accuracy import RECEIVERS
from droneteam.missions.planner.camera import CAMERAS, SIMULATED
from droneteam.missions.planner.chances import MAX_AREAS, MAX_CELLS, MAX_CORNERS, MAX_RING_M
from droneteam.missions.planner.estimate import CALM, Wind
from droneteam.missions.planner.plan import SurveyParams
from droneteam.missions.planner.sharing import MAX_DRONES, Separation, Share
from droneteam.missions.planner.task_params import (
    CorridorParams,
    FacadeParams,
    FreeParams,
    OverwatchParams,
    SearchParams,
    TaskParams,
)
from droneteam.missions.views import MissionSpec


def _place(**options: Any) -> Any:
    return fields.List(fields.Float(), validate=Length(equal=2), **options)


class ParamsIn(Schema):
    """How the area is to be photographed; what is left out takes the planner's default."""

    gsd_m = fields.Float(validate=Range(0.001, 0.5))
    forward_overlap = fields.Float(validate=Range(0.55, 0.95))
    side_overlap = fields.Float(validate=Range(0.30, 0.95))
    angle_deg = fields.Float(allow_none=True, validate=Range(-360, 360))
    crosshatch = fields.Boolean()
    cross_spacing = fields.Float(validate=Range(1, 4))
    orbit = fields.Boolean()
    orbit_pitch_deg = fields.Float(validate=Range(-80, -15))
    orbit_photos = fields.Integer(strict=True, validate=Range(6, 200))
    orbit_offset_m = fields.Float(validate=Range(0, 200))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    max_photos = fields.Integer(allow_none=True, strict=True, validate=Range(4, 100_000))
    min_views = fields.Integer(strict=True, validate=Range(1, 50))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class CorridorIn(Schema):
    """Photos along a road; the places are its axis."""

    width_m = fields.Float(validate=Range(1, 500))
    gsd_m = fields.Float(validate=Range(0.001, 0.5))
    forward_overlap = fields.Float(validate=Range(0.55, 0.95))
    side_overlap = fields.Float(validate=Range(0.30, 0.95))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    min_views = fields.Integer(strict=True, validate=Range(1, 50))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class FacadeIn(Schema):
    """Photos of a wall; the places are its foot, the drone stays on its left."""

    gsd_m = fields.Float(validate=Range(0.0005, 0.05))
    bottom_m = fields.Float(validate=Range(2, 120))
    top_m = fields.Float(validate=Range(2, 120))
    forward_overlap = fields.Float(validate=Range(0.55, 0.95))
    side_overlap = fields.Float(validate=Range(0.30, 0.95))
    speed_mps = fields.Float(validate=Range(0.5, 5))
    min_views = fields.Integer(strict=True, validate=Range(1, 50))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class AreaIn(Schema):
    """An area and the chance that the person is in it; places are [lat_deg, lon_deg]."""

    name = fields.String(required=True, validate=Length(max=80))
    chance = fields.Float(required=True, validate=Range(0, 1))
    outline = fields.List(_place(), required=True, validate=Length(3, MAX_CORNERS))
    holes = fields.List(
        fields.List(_place(), validate=Length(3, MAX_CORNERS)),
        load_default=list,
        validate=Length(max=20),
    )


class RingsIn(Schema):
    """Distances from the place where the person was last known, and the shares found within."""

    place = _place(required=True)
    within_m = fields.List(
        fields.Float(validate=Range(0, MAX_RING_M)), required=True, validate=Length(1, 10)
    )
    shares = fields.List(
        fields.Float(validate=Range(0, 1)), load_default=list, validate=Length(max=10)
    )
    category = fields.String(load_default="", validate=Length(max=80))


class GridIn(Schema):
    """Chances of cells, row by row from the south-west corner."""

    south_deg = fields.Float(required=True, validate=Range(-90, 90))
    west_deg = fields.Float(required=True, validate=Range(-180, 180))
    cell_lat_deg = fields.Float(required=True, validate=Range(0, 1))
    cell_lon_deg = fields.Float(required=True, validate=Range(0, 1))
    columns = fields.Integer(required=True, strict=True, validate=Range(1, MAX_CELLS))
    chance = fields.List(
        fields.Float(validate=Range(0, 1)), required=True, validate=Length(1, MAX_CELLS)
    )


class ChanceMapIn(Schema):
    """Where the person may be: areas, rings or a grid, one of the three."""

    source = fields.String(load_default="API", validate=Length(1, 200))
    areas = fields.List(fields.Nested(AreaIn), load_default=list, validate=Length(max=MAX_AREAS))
    rings = fields.Nested(RingsIn, load_default=None, allow_none=True)
    grid = fields.Nested(GridIn, load_default=None, allow_none=True)


class SearchIn(Schema):
    """A search for a person; the place is where the person was last seen, or the area."""

    pattern = fields.String(validate=OneOf(["expanding_square", "sector", "parallel_track"]))
    gsd_m = fields.Float(validate=Range(0.001, 0.5))
    radius_m = fields.Float(validate=Range(10, 5000))
    sigma_m = fields.Float(validate=Range(1, 5000))
    overlap = fields.Float(validate=Range(0, 0.8))
    detection = fields.Float(validate=Range(0.05, 1))
    turns = fields.Integer(strict=True, validate=Range(1, 10))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))
    chances = fields.Nested(
        ChanceMapIn,
        allow_none=True,
        metadata={"description": "Where the person may be; POST /chance-maps reads files."},
    )
    max_minutes = fields.Float(
        allow_none=True,
        validate=Range(1, 600),
        metadata={"description": "In the air, for parallel tracks: the most likely parts first."},
    )


class OverwatchIn(Schema):
    """Hovering at places with the camera on a target."""

    target = fields.List(fields.Float(), required=True, validate=Length(equal=2))
    alt_home_m = fields.Float(validate=Range(5, 120))
    alt_agl_m = fields.Float(validate=Range(5, 120))
    alt_amsl_m = fields.Float(validate=Range(-100, 6000))
    stay_s = fields.Integer(strict=True, validate=Range(1, 3600))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class FreeIn(Schema):
    """Waypoints flown in the given order; heights of one kind, one for all or one each."""

    alt_home_m = fields.List(fields.Float(validate=Range(5, 120)), validate=Length(1, 500))
    alt_agl_m = fields.List(fields.Float(validate=Range(5, 120)), validate=Length(1, 500))
    alt_amsl_m = fields.List(fields.Float(validate=Range(-100, 6000)), validate=Length(1, 500))
    pitch_deg = fields.Float(validate=Range(-90, 0))
    stay_s = fields.Integer(strict=True, validate=Range(0, 3600))
    photo = fields.Boolean()
    speed_mps = fields.Float(validate=Range(0.5, 20))


TASKS: dict[str, Callable[..., TaskParams]] = {
    "corridor": CorridorParams,
    "facade": FacadeParams,
    "search": SearchParams,
    "overwatch": OverwatchParams,
    "free": FreeParams,
}
"""The kinds of mission that are no survey, by the field that asks for them."""


class HomeIn(Schema):
    """Where the drone takes off; without a height it is unknown, or the terrain's."""

    lat_deg = fields.Float(required=True, validate=Range(-90, 90))
    lon_deg = fields.Float(required=True, validate=Range(-180, 180))
    alt_amsl_m = fields.Float(load_default=None, allow_none=True, validate=Range(-500, 6000))


class WindIn(Schema):
    """What time and packs reckon with; without a direction it blows against every leg."""

    speed_mps = fields.Float(required=True, validate=Range(0, 14))
    from_deg = fields.Float(load_default=None, allow_none=True, validate=Range(-360, 360))


class RiskIn(Schema):
    """What the volumes are computed with."""

    rule = fields.String(validate=OneOf(list(BufferRule)))
    latency_s = fields.Float(validate=Range(0, 10))
    bank_deg = fields.Float(validate=Range(5, 45))
    span_m = fields.Float(validate=Range(0.1, 8))
    margin_m = fields.Float(validate=Range(1, 200))
    gust_mps = fields.Float(validate=Range(0, 40))


class ShareIn(Schema):
    """Which part of an area this drone flies."""

    part = fields.Integer(required=True, strict=True, validate=Range(1, MAX_DRONES))
    of = fields.Integer(required=True, strict=True, validate=Range(1, MAX_DRONES))
    separation = fields.String(load_default=Separation.AREA.value, validate=OneOf(list(Separation)))


def places_field() -> Any:
    """A list of places that may be empty."""
    return fields.List(
        fields.List(fields.Float(), validate=Length(equal=2)),
        load_default=[],
        validate=Length(max=500),
        metadata={"description": "Places as [lat_deg, lon_deg]."},
    )


class SpecIn(Schema):
    """What the planner is asked for; polygon and home default to the request's.

    One of corridor, facade, search, overwatch and free makes it that kind of mission; without
    one it is a survey with `params`.
    """

    params = fields.Nested(ParamsIn, load_default=dict)
    corridor = fields.Nested(CorridorIn, load_default=None, allow_none=True)
    facade = fields.Nested(FacadeIn, load_default=None, allow_none=True)
    search = fields.Nested(SearchIn, load_default=None, allow_none=True)
    overwatch = fields.Nested(OverwatchIn, load_default=None, allow_none=True)
    free = fields.Nested(FreeIn, load_default=None, allow_none=True)
    camera = fields.String(load_default=SIMULATED.name, validate=OneOf(sorted(CAMERAS)))
    home = fields.Nested(HomeIn, load_default=None, allow_none=True)
    polygon = fields.List(
        fields.List(fields.Float(), validate=Length(equal=2)),
        load_default=None,
        allow_none=True,
        validate=Length(min=1, max=500),
        metadata={
            "description": "Corners of the area, axis, wall or places, as [lat_deg, lon_deg]."
        },
    )
    terrain = fields.String(
        load_default="level",
        validate=Length(max=40),
        metadata={"description": "level, terrain:NUMBER or scene:NUMBER."},
    )
    wind = fields.Nested(WindIn, load_default=None, allow_none=True)
    risk = fields.Nested(RiskIn, load_default=dict)
    people = places_field()
    assemblies = places_field()
    share = fields.Nested(ShareIn, load_default=None, allow_none=True)
    override_reason = fields.String(load_default=None, allow_none=True, validate=Length(max=500))


class AccuracyIn(SpecIn):
    """A mission, the receiver of its photos' positions, and control points."""

    receiver = fields.String(load_default="rtk", validate=OneOf(sorted(RECEIVERS)))
    control = places_field()


def mission_spec(body: dict[str, Any]) -> MissionSpec:
    """What a checked body asks the planner for; the terrain is the caller's to find."""
    home, polygon = body["home"], body["polygon"]
    wind, share, risk = body["wind"], body["share"], dict(body["risk"])
    if "rule" in risk:
        risk["rule"] = BufferRule(risk["rule"])
    return MissionSpec(
        params=_params(body),
        camera=body["camera"],
        home=None if home is None else HomePoint(**home),
        polygon=None if polygon is None else pairs(polygon, "polygon"),
        wind=CALM if wind is None else Wind(**wind),
        risk=RiskParams(**risk),
        people=pairs(body["people"], "people"),
        assemblies=pairs(body["assemblies"], "assemblies"),
        share=None
        if share is None
        else Share(share["part"], share["of"], Separation(share["separation"])),
        override_reason=body["override_reason"],
    )


def pairs(rows: list[list[float]], field: str) -> tuple[tuple[float, float], ...]:
    """Places as the planner takes them; InputError with the number of one that is not on Earth."""
    for number, (lat, lon) in enumerate(rows, start=1):
        try:
            check_lat_lon(lat, lon)
        except InputError as error:
            raise InputError(
                "place {number}: {error}", field=field, number=number, error=error
            ) from error
    return tuple((lat, lon) for lat, lon in rows)


def _params(body: dict[str, Any]) -> TaskParams:
    asked = [name for name in TASKS if body[name] is not None]
    if len(asked) > 1:
        raise InputError(
            f"ask for one kind of mission, not for {' and '.join(asked)}", field=asked[1]
        )
    if not asked:
        return SurveyParams(**{"max_photos": 60, **body["params"]})
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in body[asked[0]].items()
    }
    if values.get("chances") is not None:
        values["chances"] = chance_map_from_json(values["chances"])
    return TASKS[asked[0]](**values)
