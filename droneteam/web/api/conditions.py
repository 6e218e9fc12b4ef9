"""What a plan must reckon with: the weather ahead and the speed table."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, Range

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.forecasts import WRITERS
from droneteam.fleet.problem import SpeedTable
from droneteam.fleet.speeds import MAX_BANDS
from droneteam.fleet.speeds import WRITERS as SPEED_WRITERS
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import MAX_GUST_MPS, MAX_PERIODS, MAX_RAIN_MM_H, MAX_SOURCE, Period
from droneteam.web.access import TEAM, allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.views.weather import AHEAD

bp = APIBlueprint("api_conditions", __name__, url_prefix="/api/v1", tag="conditions")


class PeriodIn(Schema):
    """The weather that is expected in one stretch of time."""

    start_at = fields.AwareDateTime(required=True, format="iso")
    end_at = fields.AwareDateTime(required=True, format="iso")
    gust_mps = fields.Float(required=True, validate=Range(0, MAX_GUST_MPS))
    rain_mm_h = fields.Float(required=True, validate=Range(0, MAX_RAIN_MM_H))


class ForecastIn(Schema):
    """A forecast: who issued it, when, and what it says."""

    source = fields.String(
        required=True, validate=Length(1, MAX_SOURCE), metadata={"pattern": r"\S"}
    )
    issued_at = fields.AwareDateTime(required=True, format="iso")
    periods = fields.List(fields.Nested(PeriodIn), required=True, validate=Length(1, MAX_PERIODS))


class SpeedsIn(Schema):
    """A speed table and from when it holds."""

    bands = fields.List(
        fields.List(fields.Float(), validate=Length(equal=2)),
        required=True,
        validate=Length(1, MAX_BANDS),
        metadata={"description": "[up to km, km/h] by rising distance; the last holds beyond."},
    )
    detour = fields.Float(required=True, validate=Range(1, 5))
    emergency_factor = fields.Float(required=True, validate=Range(1, 3))
    effective_from = fields.AwareDateTime(required=True, format="iso")
    reason = fields.String(required=True, validate=Length(1, 500), metadata={"pattern": r"\S"})


@bp.get("/weather")
@allow(*TEAM)
@bp.output(page_of(service.ForecastView))
@bp.doc(summary="Forecasts ahead, as they were issued")
def forecasts() -> Any:
    """The newest first."""
    with reading() as session:
        return {"items": service.list_forecasts(session, actor(), now())}


@bp.get("/weather/expected")
@allow(*TEAM)
@bp.output(page_of(service.ExpectedView))
@bp.doc(summary="The weather that plans reckon with in the coming fortnight")
def expected() -> Any:
    """Without overlaps: the forecast issued last holds. What is missing forbids nothing."""
    with reading() as session:
        at = now()
        return {"items": service.expected_weather(session, actor(), at, at + AHEAD)}


@bp.post("/weather")
@allow(*WRITERS)
@bp.input(ForecastIn, arg_name="body")
@bp.output(page_of(service.ForecastView), status_code=201)
@bp.doc(summary="Enter a forecast, all its periods or none")
def add_forecast(body: dict[str, Any]) -> Any:
    """The same forecast again changes nothing; a correction takes a later time of issue."""
    try:
        periods = [
            Period(
                body["source"],
                body["issued_at"],
                Window(one["start_at"], one["end_at"]),
                one["gust_mps"],
                one["rain_mm_h"],
            )
            for one in body["periods"]
        ]
    except OverflowError as error:  # times at the edge of the calendar
        raise InputError(f"a time cannot be used: {error}", field="periods") from error
    with writing() as session:
        return {"items": service.add_forecasts(session, actor(), periods, now())}


@bp.get("/plans/current/conflicts")
@allow(*TEAM)
@bp.output(page_of(service.ConflictView))
@bp.doc(summary="What the plan in force promises and can no longer be kept")
def conflicts() -> Any:
    """Since a forecast, an airspace, a licence or a drone changed; the earliest first."""
    with reading() as session:
        return {"items": service.plan_conflicts(session, actor(), now())}


@bp.get("/speeds")
@allow(*TEAM)
@bp.output(page_of(service.SpeedView))
@bp.doc(summary="Speed tables, the newest first")
def speeds() -> Any:
    """The built-in one stands last."""
    with reading() as session:
        return {"items": service.list_speeds(session, actor())}


@bp.post("/speeds")
@allow(*SPEED_WRITERS)
@bp.input(SpeedsIn, arg_name="body")
@bp.output(schema_of(service.SpeedView), status_code=201)
@bp.doc(summary="Set the speed table from a time on")
def set_speeds(body: dict[str, Any]) -> Any:
    """Past plans keep theirs."""
    bands = tuple((up_to, kmh) for up_to, kmh in body["bands"])
    table = SpeedTable(bands, body["detour"], body["emergency_factor"])
    with writing() as session:
        return service.set_speeds(
            session, actor(), table, body["effective_from"], body["reason"], now()
        )
