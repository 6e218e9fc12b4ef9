"""The planning form's part about where a lost person may be: reading it, and drawing it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from flask_babel import gettext as _

from droneteam.errors import DecodeError, InputError
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.missions.formats.chancemap import read_chance_map
from droneteam.missions.planner.chances import (
    ChanceGrid,
    ChanceMap,
    DistanceRings,
    RegionOutlook,
    SearchOutlook,
    density_per_m2,
)
from droneteam.missions.planner.lostpersons import CATEGORIES
from droneteam.missions.planner.route import LatLon
from droneteam.web.forms import FormReader
from droneteam.web.refusals import said
from droneteam.web.timefmt import decimal

CHANCE_DEFAULTS: dict[str, Any] = {
    "chances": "",
    "chance_category": "",
    "chance_within_m": "",
    "last_known": "",
}
STEP_SHARES = (1.0 / 2.0, 1.0 / 8.0, 1.0 / 32.0)
"""Shares of the highest density at which the map's colour changes, the darkest first."""
_CIRCLE = 72


def chance_field_names() -> dict[str, str]:
    """The fields as the form labels them."""
    return {
        "chances": _("Probability map"),
        "chance_category": _("Kind of lost person"),
        "chance_within_m": _("Found within (m): 25, 50, 75 and 95 percent"),
        "last_known": _("Where the person was last known"),
    }


def read_chances(form: FormReader, *, starts_at_a_place: bool) -> ChanceMap | None:
    """The map that was typed or loaded, or rings; None where neither was given or a problem noted.

    starts_at_a_place : the first place of the search is where the person was last known, unless
    another one is written.
    """
    typed = form.raw("chances")
    if typed:
        try:
            return read_chance_map(typed, "typed")
        except (DecodeError, InputError) as error:
            form.fail("chances", said(error))
            return None
    category = form.choice("chance_category", ["", *CATEGORIES], fallback="")
    distances = form.raw("chance_within_m")
    if not category and not distances:
        return None
    place = _last_known(form, starts_at_a_place)
    within_m = _distances(form, distances) if distances else CATEGORIES[category].within_m
    if place is None or within_m is None:
        return None
    try:
        rings = DistanceRings(place, within_m, category=category)
    except InputError as error:
        form.fail("chance_within_m", said(error))
        return None
    return ChanceMap(category or _("typed"), rings=rings)


def _last_known(form: FormReader, starts_at_a_place: bool) -> LatLon | None:
    places = form.polygon("last_known", at_least=1)
    if not places and starts_at_a_place:
        places = form.polygon("polygon", at_least=1)[:1]
    if len(places) != 1:
        form.fail("last_known", _("Write the one place: latitude, longitude."))
        return None
    return places[0]


def _distances(form: FormReader, typed: str) -> tuple[float, ...] | None:
    parts = typed.replace(";", ",").replace(" ", ",").split(",")
    try:
        found = tuple(float(part) for part in parts if part)
    except ValueError:
        found = ()
    if len(found) != 4:
        form.fail(
            "chance_within_m", _("Write four distances in metres, such as 300, 1000, 2400, 12800.")
        )
        return None
    return found


def drawn_chances(outlook: SearchOutlook | None) -> dict[str, Any]:
    """A search's map as the layer draws it, and its parts as the table tells them."""
    if outlook is None or outlook.chances is None:
        return {"chances": [], "chanceRows": []}
    return {
        "chances": chance_shapes(outlook.chances),
        "chanceRows": [list(row) for row in chance_rows(outlook.regions)],
    }


def chance_rows(regions: Sequence[RegionOutlook]) -> list[tuple[str, str, str, str, str]]:
    """Each part: its name, chance, size, the chance found there, and how well it is searched."""
    return [
        (
            one.name,
            f"{decimal(one.chance * 100, 1)}\u00a0%",
            f"{decimal(one.area_m2 / 1e4, 1)}\u00a0ha",
            f"{decimal(one.found * 100, 1)}\u00a0%",
            f"{one.found / one.chance * 100:.0f}\u00a0%",
        )
        for one in regions
    ]


def chance_shapes(chances: ChanceMap) -> list[dict[str, Any]]:
    """Polygons with holes, (lat, lon) corners, each with the step of its density: 0 is darkest."""
    shapes = _shapes(chances)
    if not shapes:
        return []
    highest = max(density for _, density in shapes)
    return [
        {"rings": [[list(corner) for corner in ring] for ring in rings], "step": _step(d, highest)}
        for rings, d in shapes
        if d > 0.0
    ]


def _step(density: float, highest: float) -> int:
    return sum(density < share * highest for share in STEP_SHARES)


_Shape = tuple[list[tuple[LatLon, ...]], float]


def _shapes(chances: ChanceMap) -> list[_Shape]:
    if chances.rings is not None:
        return _annuli(chances, chances.rings)
    if chances.grid is not None:
        return _cells(chances, chances.grid)
    found: list[_Shape] = []
    for area in chances.areas:
        alone = ChanceMap(area.name, (area,)) if area.chance > 0.0 else None
        if alone is not None:
            found.append(([area.outline, *area.holes], _typical(alone, area.outline)))
    return found


def _typical(alone: ChanceMap, outline: tuple[LatLon, ...]) -> float:
    """The density inside an area: its chance over its size."""
    corners = np.array(outline)
    low, high = corners.min(axis=0), corners.max(axis=0)
    axes = [np.linspace(low[k], high[k], 41) for k in (0, 1)]
    places = np.column_stack([axis.ravel() for axis in np.meshgrid(*axes)])
    return float(density_per_m2(alone, places).max())


def _annuli(chances: ChanceMap, rings: DistanceRings) -> list[_Shape]:
    frame = EnuFrame(GeoPoint(*rings.place))
    turn = np.linspace(0.0, 2.0 * math.pi, _CIRCLE, endpoint=False)
    circles, middles = [], []
    inner_m = 0.0
    for radius_m in rings.within_m:
        enu = radius_m * np.column_stack([np.sin(turn), np.cos(turn), 0.0 * turn])
        rows = frame.geodetic_from_enu(enu)[:, :2].round(6).tolist()
        circles.append(tuple((lat, lon) for lat, lon in rows))
        middle = frame.geodetic_from_enu(np.array([0.0, 0.5 * (inner_m + radius_m), 0.0]))
        middles.append(middle[:2])
        inner_m = radius_m
    density = density_per_m2(chances, np.array(middles)).tolist()
    holes: list[list[tuple[LatLon, ...]]] = [[], *([one] for one in circles[:-1])]
    return [([circle, *hole], d) for circle, hole, d in zip(circles, holes, density, strict=True)]


def _cells(chances: ChanceMap, grid: ChanceGrid) -> list[_Shape]:
    row, column = np.divmod(np.arange(len(grid.chance)), grid.columns)
    south = grid.south_deg + row * grid.cell_lat_deg
    west = grid.west_deg + column * grid.cell_lon_deg
    middle = np.column_stack([south + 0.5 * grid.cell_lat_deg, west + 0.5 * grid.cell_lon_deg])
    density = density_per_m2(chances, middle).tolist()
    north, east = south + grid.cell_lat_deg, west + grid.cell_lon_deg
    corners = np.stack([south, west, south, east, north, east, north, west], axis=1).round(6)
    return [
        ([tuple(zip(flat[::2], flat[1::2], strict=True))], d)
        for flat, d in zip(corners.tolist(), density, strict=True)
    ]


_CHART_LEFT, _CHART_RIGHT = 80, 712
"""Where the curve begins and ends in a picture 720 wide; left of it stand the percentages."""


def growth_chart(outlook: SearchOutlook | None) -> dict[str, Any] | None:
    """The chance over time as a polyline of a picture 720 by 180, and as rows of a table."""
    if outlook is None or len(outlook.over_time) < 2:
        return None
    points = outlook.over_time
    if points[0][0] > 0.0:  # on the way to the first line nothing is searched
        points = ((0.0, 0.0), *points)
    end_s, top = points[-1][0], max(0.05, points[-1][1])
    width = _CHART_RIGHT - _CHART_LEFT
    line = " ".join(
        f"{_CHART_LEFT + width * at_s / end_s:.1f},{160 - 144 * chance / top:.1f}"
        for at_s, chance in points
    )
    times, chances = np.array(points).T
    at = np.linspace(0.0, end_s, 13)
    rows = list(zip(at.tolist(), np.interp(at, times, chances).tolist(), strict=True))
    return {"left": _CHART_LEFT, "line": line, "top": top, "end_s": end_s, "rows": rows}
