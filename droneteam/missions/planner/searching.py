"""A search for a person laid on the ground, and what it makes of where the person may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import shapely

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.planner import estimate
from droneteam.missions.planner.chances import RegionOutlook, SearchOutlook, cells_near, regions
from droneteam.missions.planner.coverage import sample_points
from droneteam.missions.planner.patterns import search
from droneteam.missions.planner.patterns.effort import Sweep, growth, ordered
from droneteam.missions.planner.patterns.survey import (
    LineSpacing,
    longest_direction_deg,
    nearest_start_first,
    survey_lines,
)
from droneteam.missions.planner.route import Ground
from droneteam.missions.planner.task_params import SearchParams

_CELLS = 2000


@dataclass(frozen=True, slots=True)
class SearchLayout:
    """A search's path in metres.

    where : the cells that its chance is counted on; shape : what is searched; by_blocks : whether
    it goes from block to block; sweep_m : width of the strip that the camera sees.
    """

    path_m: FloatArray
    where: search.ProbabilityMap
    shape: shapely.Polygon
    by_blocks: bool
    sweep_m: float


def reach_of(limit_s: float, height_m: float, speed_mps: float) -> float:
    """The length of way that a time in the air allows, climb and descent taken off."""
    upright_s = estimate.takeoff_duration_s(height_m) + estimate.landing_duration_s(height_m)
    return max(0.0, limit_s - upright_s) * speed_mps


def lay_search(
    places_m: FloatArray, ground: Ground, params: SearchParams, sweep_m: float, reach_m: float
) -> SearchLayout:
    """The path of a search.

    places_m : (n, 2) the place where the person was last seen, or the area's corners.

    Raises
    ------
    InputError
        The area's outline is none, or nothing of it lies in reach.
    """
    if params.starts_at_a_place:
        return _about(places_m[0], ground, params, sweep_m)
    shape = shapely.Polygon(places_m)
    if not shape.is_valid or shape.area < 1.0:
        raise InputError("the area's outline crosses itself or is empty", field="polygon")
    lines = _lines(places_m, sweep_m)
    where = _where_in(shape, lines, ground, params, sweep_m)
    if params.chances is None and not math.isfinite(reach_m):
        path = nearest_start_first(lines, ground.home_m).reshape(-1, 2)
        return SearchLayout(path, where, shape, False, sweep_m)
    sweep = Sweep(sweep_m, params.speed_mps, params.detection, reach_m)
    order = ordered(lines, ground.home_m, where, sweep)
    if len(order.path_m) == 0:
        raise InputError(
            "no part of the area is searched and left in {max_minutes:g} min: take off "
            "nearer, or allow more",
            field="max_minutes",
            max_minutes=params.max_minutes,
        )
    return SearchLayout(order.path_m, where, shape, order.by_blocks, sweep_m)


def _about(
    datum_m: FloatArray, ground: Ground, params: SearchParams, sweep_m: float
) -> SearchLayout:
    """A pattern about a place; it begins there."""
    path = (
        search.sector(datum_m, params.radius_m, params.turns)
        if params.pattern == "sector"
        else search.expanding_square(datum_m, sweep_m, params.radius_m)
    )
    where = (
        search.last_seen(datum_m, params.sigma_m)
        if params.chances is None
        else cells_near(params.chances, ground, path, sweep_m)
    )
    shape = shapely.Point(datum_m).buffer(params.radius_m)
    return SearchLayout(path, where, shape, False, sweep_m)


def _lines(corners_m: FloatArray, sweep_m: float) -> FloatArray:
    spacing = LineSpacing(sweep_m, 1.0)
    lead = LineSpacing(-0.5 * sweep_m, 0.0)
    return survey_lines(corners_m, spacing, longest_direction_deg(corners_m), lead)


def _where_in(
    shape: shapely.Polygon,
    lines_m: FloatArray,
    ground: Ground,
    params: SearchParams,
    sweep_m: float,
) -> search.ProbabilityMap:
    """The map's cells, or the even chance of finding somebody anywhere in the area."""
    if params.chances is not None:
        return cells_near(params.chances, ground, lines_m.reshape(-1, 2), sweep_m)
    corners = shapely.get_coordinates(shape.exterior)[:-1]
    inside = sample_points(corners, _CELLS)[len(corners) :]
    return search.evenly(inside, shape.area / len(inside))


def outlook_of(
    laid: SearchLayout, ground: Ground, params: SearchParams, height_m: float
) -> SearchOutlook:
    """The chance of finding over time, and what is found of each part of the map."""
    sweep = Sweep(laid.sweep_m, params.speed_mps, params.detection)
    rows = growth(laid.path_m, ground.home_m, laid.where, sweep)
    at_s = estimate.takeoff_duration_s(height_m) + rows[:, 0] / params.speed_mps
    over_time = tuple(
        (round(second, 1), round(chance, 5))
        for second, chance in zip(at_s.tolist(), rows[:, 1].tolist(), strict=True)
    )
    if params.chances is None:
        return SearchOutlook(None, over_time)
    parts = []
    for region, alone in regions(params.chances):
        cells = cells_near(alone, ground, laid.path_m, laid.sweep_m)
        found = search.chance_of_finding(laid.path_m, laid.sweep_m, cells, params.detection)
        parts.append(
            RegionOutlook(
                region.name,
                region.chance,
                region.area_m2,
                region.lat_deg,
                region.lon_deg,
                round(found, 5),
            )
        )
    return SearchOutlook(params.chances, over_time, tuple(parts), laid.by_blocks)
