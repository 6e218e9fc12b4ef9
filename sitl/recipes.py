"""Recipes of worlds: where roads, cars, marks and furniture stand, in road coordinates.

A recipe says what there is; `strewn` turns the street and moves crash and marks by a seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from droneteam.geo import GeoPoint
from sitl.cars import CarSpec, Crush
from sitl.ground import Corridor, Layout

Place = tuple[float, float]
"""Road coordinates (s, t) in metres."""
GOLDEN_ANGLE_DEG = 137.508


@dataclass(frozen=True, slots=True)
class ParkedCar:
    """A car and where it came to rest; yaw is counter-clockwise from the road's direction."""

    spec: CarSpec
    at: Place
    yaw_deg: float


@dataclass(frozen=True, slots=True)
class Skid:
    """A tyre mark through road coordinates, of a tyre's width."""

    name: str
    path: tuple[Place, ...]
    opacity: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a world is made of, before its seed."""

    name: str
    origin: GeoPoint
    layout: Layout
    heading_deg: tuple[float, float]
    """Range of the main road's direction, counter-clockwise from east, for seed 1."""
    cars: tuple[ParkedCar, ...]
    skids: tuple[Skid, ...]
    gcps: tuple[Place, ...]
    checks: tuple[Place, ...]
    area: tuple[Place, ...]
    scale_bars: tuple[tuple[Place, float, float], ...]
    """Middle, yaw from the road in degrees, length in metres."""
    houses: tuple[tuple[Place, float, tuple[float, float, float]], ...]
    walls: tuple[tuple[Place, float, float, float], ...]
    """Middle, yaw from the road in degrees, length, height."""
    hedges: tuple[tuple[Place, float, float], ...]
    trees: tuple[tuple[Place, float], ...]
    """Place and height."""
    posts: tuple[Place, ...]
    cones: tuple[Place, ...]
    lamps: tuple[tuple[Place, float], ...]
    survey: tuple[Place, ...]
    home: Place
    sun_azimuth_deg: float
    sun_elevation_deg: float
    debris_at: Place
    debris_count: int = 26


def _jittered(
    rng: np.random.Generator, places: tuple[Place, ...], by_m: float
) -> tuple[Place, ...]:
    moved = np.asarray(places) + rng.uniform(-by_m, by_m, (len(places), 2))
    return tuple((float(s), float(t)) for s, t in moved)


def strewn(recipe: Recipe, seed: int, rng: np.random.Generator) -> Recipe:
    """The recipe with the crash, its traces and the street as this seed has them.

    The crash as a whole moves along the street; cars turn and skid marks start elsewhere.
    Successive seeds turn the whole by the golden angle, so that no two lie alike.
    """
    heading_deg = float(rng.uniform(*recipe.heading_deg)) + GOLDEN_ANGLE_DEG * (seed - 1)
    along = float(rng.uniform(-1.2, 1.2))

    def moved(place: Place, spread_m: float = 0.0) -> Place:
        s, t = rng.uniform(-spread_m, spread_m, 2) * [1.0, 0.2]
        return place[0] + along + float(s), place[1] + float(t)

    cars = tuple(
        replace(c, at=moved(c.at, 0.1), yaw_deg=c.yaw_deg + float(rng.uniform(-4.0, 4.0)))
        for c in recipe.cars
    )
    skids = tuple(
        replace(k, path=(moved(k.path[0], 0.6), *(moved(p) for p in k.path[1:])))
        for k in recipe.skids
    )
    return replace(
        recipe,
        layout=replace(recipe.layout, heading_rad=math.radians(heading_deg)),
        cars=cars,
        skids=skids,
        gcps=_jittered(rng, recipe.gcps, 0.25),
        checks=_jittered(rng, recipe.checks, 0.25),
        area=tuple(moved(p, 0.1) for p in recipe.area),
        debris_at=moved(recipe.debris_at),
        sun_azimuth_deg=recipe.sun_azimuth_deg + float(rng.uniform(-25.0, 25.0)),
    )


def accident() -> Recipe:
    """A two-lane street; a hatchback ran into the side of a turning saloon."""
    red = CarSpec(
        "hatchback",
        4.08,
        1.76,
        1.47,
        (0.42, 0.025, 0.02),
        (
            Crush((2.0, 0.35, 0.55), (-0.52, -0.10, -0.05), 1.35),
            Crush((1.3, 0.3, 0.9), (-0.05, 0.0, 0.10), 0.75),
        ),
        11,
    )
    silver = CarSpec(
        "saloon",
        4.62,
        1.82,
        1.44,
        (0.25, 0.265, 0.285),
        (
            Crush((-0.3, 0.92, 0.60), (0.03, -0.34, 0.02), 0.95),
            Crush((-1.9, 0.85, 0.7), (0.05, -0.10, 0.0), 0.45),
        ),
        23,
    )
    return Recipe(
        name="accident",
        origin=GeoPoint(50.81970, 4.39080, 100.0),
        layout=Layout(
            (Corridor("s", 0.0, 7.0, -400.0, 400.0),), 0.0, 2.0, 0.025, 0.006, 0.22, 0.4, 5
        ),
        heading_deg=(20.0, 35.0),
        cars=(ParkedCar(red, (-2.15, -1.15), 17.0), ParkedCar(silver, (1.35, 0.75), -82.0)),
        skids=(
            Skid("skid_1", ((-17.6, -1.02), (-4.35, -1.02)), 0.72),
            Skid("skid_2", ((-15.9, -2.52), (-3.95, -2.52)), 0.66),
            Skid("skid_3", ((7.6, 2.05), (6.1, 2.2), (4.7, 2.55), (3.4, 3.05)), 0.5),
        ),
        gcps=(
            (-13.5, -2.7),
            (-13.0, 4.6),
            (13.2, -4.6),
            (13.0, 2.7),
            (0.3, -4.5),
            (0.8, 4.7),
            (-7.2, 0.6),
            (7.3, -0.6),
        ),
        checks=((-9.6, -4.4), (-9.2, 2.3), (9.6, -2.4), (9.0, 4.4), (4.6, -2.2), (-4.2, 2.4)),
        area=((-0.6, -2.9), (3.6, -2.75), (4.1, -0.6), (2.9, -1.55), (0.9, -1.75)),
        scale_bars=(((-5.6, -3.05), 3.0, 1.5), ((4.6, 1.2), 88.0, 1.2)),
        houses=(
            ((-13.0, 14.5), 0.0, (15.0, 9.0, 6.2)),
            ((6.5, 15.5), 0.0, (13.0, 9.0, 6.0)),
            ((26.0, 14.5), 0.0, (14.0, 9.0, 6.4)),
            ((-34.0, 15.0), 0.0, (16.0, 9.0, 6.2)),
            ((30.0, -19.0), 0.0, (14.0, 10.0, 5.8)),
            ((52.0, 15.0), 0.0, (18.0, 9.0, 6.3)),
        ),
        walls=(((-10.0, -8.2), 0.0, 16.0, 1.7), ((-26.0, -8.2), 0.0, 13.0, 1.4)),
        hedges=(((9.5, -8.0), 0.0, 18.0), ((-2.4, 9.0), 90.0, 5.0)),
        trees=(((-14.0, -7.0), 3.6), ((21.5, -7.2), 4.2), ((14.5, 7.6), 3.9), ((-9.5, 7.4), 3.2)),
        posts=((6.2, 3.85), (7.7, 3.85), (9.2, 3.85), (-6.0, -3.85), (-7.6, -3.85)),
        cones=((-11.0, -3.1), (-8.5, 0.2), (9.5, -3.0), (7.5, 0.4)),
        lamps=(((-3.4, 5.2), -90.0), ((17.0, 5.2), -90.0), ((-24.0, 5.2), -90.0)),
        survey=((-15.0, -5.5), (15.0, -5.5), (15.0, 5.5), (-15.0, 5.5)),
        home=(-19.0, 4.6),
        sun_azimuth_deg=152.0,
        sun_elevation_deg=47.0,
        debris_at=(1.3, -1.9),
    )


def crossing() -> Recipe:
    """A crossroads; a turning car was hit by one going straight on, a third stands parked."""
    blue = CarSpec(
        "saloon",
        4.50,
        1.80,
        1.45,
        (0.03, 0.07, 0.22),
        (Crush((2.2, -0.5, 0.5), (-0.45, 0.12, 0.0), 1.2),),
        41,
    )
    white = CarSpec(
        "hatchback",
        3.95,
        1.72,
        1.49,
        (0.66, 0.66, 0.64),
        (
            Crush((0.9, -0.9, 0.6), (-0.05, 0.32, 0.0), 0.9),
            Crush((2.0, -0.5, 0.6), (-0.2, 0.1, 0.0), 0.7),
        ),
        43,
    )
    green = CarSpec("hatchback", 4.20, 1.78, 1.50, (0.02, 0.09, 0.05), (), 47)
    roads = (Corridor("s", 0.0, 6.4, -400.0, 400.0), Corridor("t", 1.0, 6.0, -400.0, 400.0))
    return Recipe(
        name="crossing",
        origin=GeoPoint(50.84110, 4.35320, 62.0),
        layout=Layout(roads, 0.0, 1.8, 0.02, 0.010, 0.35, 0.4, 9),
        heading_deg=(-70.0, -50.0),
        cars=(
            ParkedCar(blue, (-0.9, -0.9), 12.0),
            ParkedCar(white, (2.9, 0.6), 118.0),
            ParkedCar(green, (-10.5, 2.1), 178.0),
        ),
        skids=(
            Skid("skid_1", ((-12.2, -0.55), (-3.1, -0.75)), 0.7),
            Skid("skid_2", ((-11.0, -2.0), (-2.7, -2.2)), 0.62),
            Skid("skid_3", ((2.6, -7.9), (2.75, -5.6), (3.1, -3.6), (3.9, -1.9)), 0.5),
        ),
        gcps=(
            (-11.5, -4.3),
            (-12.0, 4.2),
            (11.8, -2.4),
            (11.5, 4.2),
            (-3.0, 9.5),
            (3.0, -9.8),
            (5.0, 9.0),
            (-6.0, 0.9),
            (6.6, -0.8),
        ),
        checks=((-8.6, -2.5), (8.6, 2.4), (0.2, 6.8), (0.0, -6.6), (8.8, -4.2)),
        area=((-1.4, 1.6), (1.2, 1.5), (1.7, 2.7), (0.2, 3.0), (-1.2, 2.7)),
        scale_bars=(((-5.0, -2.6), -4.0, 1.5), ((6.2, 1.6), 75.0, 1.0)),
        houses=(
            ((-14.0, 12.0), 0.0, (12.0, 8.0, 6.0)),
            ((15.5, 12.5), 0.0, (12.0, 9.0, 6.5)),
            ((-15.0, -13.0), 0.0, (14.0, 9.0, 6.0)),
            ((18.0, -14.0), 0.0, (13.0, 9.0, 5.8)),
        ),
        walls=(((-12.5, -7.2), 0.0, 9.0, 1.5),),
        hedges=(((10.5, 7.2), 0.0, 7.0), ((11.0, -7.4), 0.0, 8.0)),
        trees=(((-9.0, 6.6), 3.4), ((8.0, -6.6), 3.9), ((-13.5, -6.2), 3.0)),
        posts=((-3.2, 3.7), (5.2, 3.7), (-3.0, -3.8), (5.4, -3.6)),
        cones=((-6.5, -2.4), (5.6, 2.2), (-5.0, 1.5), (0.5, 4.6)),
        lamps=(((-4.0, 4.6), -45.0), ((6.3, -4.6), 135.0)),
        survey=((-12.5, -8.0), (12.5, -8.0), (12.5, 8.0), (-12.5, 8.0)),
        home=(-9.0, 4.3),
        sun_azimuth_deg=235.0,
        sun_elevation_deg=38.0,
        debris_at=(0.9, 1.9),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "accident": accident,
    "crossing": crossing,
}
