"""Recipes of worlds: where roads, cars, marks and furniture stand, in road coordinates.

A recipe says what there is; the seed jitters every place a little and draws cracks, debris and
colours.  `make_world` builds one by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, GeoPoint
from sitl import props
from sitl.cars import CarSpec, Crush, car_mesh
from sitl.decals import Decal, DecalKind, indexed
from sitl.ground import Corridor, Layout, ground_mesh
from sitl.materials import Material
from sitl.mesh import FloatArray, Mesh, joined
from sitl.world import NamedLength, NamedPoint, World, ground_heights, named_area, named_length

Place = tuple[float, float]
"""Road coordinates (s, t) in metres."""
WHITE = (0.62, 0.62, 0.60)
YELLOW = (0.70, 0.48, 0.03)
NEAR_M, FAR_M = 32.0, 150.0
GEOID_UNDULATION_M = 43.6
GCP_HALF_M, CHECK_HALF_M = 0.15, 0.10


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


@dataclass(slots=True)
class _Build:
    recipe: Recipe
    rng: np.random.Generator
    ground: Mesh
    stage: props.Stage = field(default_factory=props.Stage)
    decals: list[Decal] = field(default_factory=list)
    points: list[NamedPoint] = field(default_factory=list)
    lengths: list[NamedLength] = field(default_factory=list)
    scale_bars: list[NamedLength] = field(default_factory=list)

    def on_ground(self, place: Place) -> FloatArray:
        """(3,) ENU of the ground at road coordinates."""
        layout = self.recipe.layout
        spot = layout.enu_from_road(np.array(place[0]), np.array(place[1]), np.array(0.0))
        spot[2] = ground_heights(self.ground, spot[None, :2])[0]
        return np.asarray(spot)

    def yaw(self, from_road_deg: float) -> float:
        return self.recipe.layout.heading_rad + math.radians(from_road_deg)

    def name_point(self, name: str, kind: str, at: FloatArray) -> NamedPoint:
        point = NamedPoint(name, kind, (float(at[0]), float(at[1]), float(at[2])))
        self.points.append(point)
        return point

    def mark(
        self,
        kind: DecalKind,
        a: Place,
        b: Place,
        half_m: float,
        color: tuple[float, float, float] = (0.0, 0.0, 0.0),
        opacity: float = 1.0,
    ) -> None:
        """A decal between road coordinates."""
        ends = [
            self.recipe.layout.enu_from_road(np.array(p[0]), np.array(p[1]), np.array(0.0))
            for p in (a, b)
        ]
        (ax, ay, _), (bx, by, _) = ends
        self.decals.append(
            Decal(
                kind,
                (float(ax), float(ay)),
                (float(bx), float(by)),
                half_m,
                color,
                opacity,
                int(self.rng.integers(1, 9999)),
            )
        )


def make_world(name: str = "accident", seed: int = 1) -> World:
    """The named world.

    Raises
    ------
    InputError
        No recipe has that name.
    """
    if name not in RECIPES:
        raise InputError(
            f"world {name!r} is unknown; there are {', '.join(sorted(RECIPES))}", field="world"
        )
    rng = np.random.default_rng([seed, sum(name.encode())])
    return build_world(RECIPES[name](rng), seed, rng)


def build_world(recipe: Recipe, seed: int, rng: np.random.Generator) -> World:
    """A world from a recipe."""
    build = _Build(recipe, rng, ground_mesh(recipe.layout, NEAR_M, FAR_M))
    _surface_marks(build)
    _road_paint(build)
    _skids(build)
    _survey_marks(build)
    _cars(build)
    _furniture(build)
    _debris(build)
    area = [p for p in build.points if p.kind == "area"]
    survey = np.array([build.on_ground(p) for p in recipe.survey])
    home = build.on_ground(recipe.home)
    return World(
        name=recipe.name,
        seed=seed,
        frame=EnuFrame(recipe.origin),
        geoid_undulation_m=GEOID_UNDULATION_M,
        mesh=joined([build.ground, *build.stage.meshes]),
        parts=np.array(build.stage.parts),
        decals=indexed(build.decals),
        sun_azimuth_deg=recipe.sun_azimuth_deg,
        sun_elevation_deg=recipe.sun_elevation_deg,
        points=tuple(build.points),
        lengths=tuple(build.lengths),
        areas=(named_area("debris_field", area),),
        scale_bars=tuple(build.scale_bars),
        survey_polygon_enu_m=survey,
        home_enu_m=(float(home[0]), float(home[1]), float(home[2])),
    )


def _surface_marks(build: _Build) -> None:
    """Patches, tar seams, cracks, covers, stains of a road that has been used."""
    rng = build.rng
    for road in build.recipe.layout.corridors:
        half = 0.5 * road.width_m
        low, high = max(road.start_m, -60.0), min(road.end_m, 60.0)

        def at(along: float, across: float, road: Corridor = road) -> Place:
            pair = (along, road.centre_m + across)
            return pair if road.axis == "s" else (pair[1], pair[0])

        for _ in range(int((high - low) / 9.0)):
            x, y = rng.uniform(low, high), rng.uniform(-half + 0.8, half - 0.8)
            tone = rng.choice([0.055, 0.07, 0.135])
            build.mark(
                DecalKind.PATCH,
                at(x, y),
                at(x + rng.uniform(0.8, 3.5), y),
                rng.uniform(0.25, 0.7),
                (tone, tone, tone),
            )
        for _ in range(int((high - low) / 7.0)):
            _wander(
                build,
                DecalKind.TAR,
                at,
                rng.uniform(low, high),
                rng.uniform(-half, half),
                half,
                rng.uniform(0.012, 0.025),
                0.35,
            )
        for _ in range(int((high - low) / 2.2)):
            _wander(
                build,
                DecalKind.CRACK,
                at,
                rng.uniform(low, high),
                rng.uniform(-half, half),
                half,
                rng.uniform(0.0015, 0.0045),
                0.9,
            )
        for _ in range(int((high - low) / 4.0)):
            x, y = rng.uniform(low, high), rng.uniform(-half + 0.3, half - 0.3)
            build.mark(
                DecalKind.STAIN,
                at(x, y),
                at(x + rng.uniform(0.1, 0.5), y),
                rng.uniform(0.06, 0.25),
                (0.03, 0.03, 0.032),
                rng.uniform(0.2, 0.6),
            )
        for x in np.arange(low + 5.0, high, 23.0):
            y = rng.uniform(-0.4, 0.4)
            build.mark(DecalKind.COVER, at(float(x), y), at(float(x) + 0.3, y), 0.31)


def _wander(
    build: _Build,
    kind: DecalKind,
    at: Callable[[float, float], Place],
    x: float,
    y: float,
    half: float,
    width: float,
    turn: float,
) -> None:
    """A broken line that wanders over the road."""
    heading = build.rng.uniform(0.0, 2.0 * math.pi)
    for _ in range(int(build.rng.integers(3, 12))):
        step = build.rng.uniform(0.15, 0.5)
        heading += build.rng.normal(0.0, turn)
        nx, ny = x + step * math.cos(heading), y + step * math.sin(heading)
        if abs(ny) > half - 0.02:
            return
        build.mark(kind, at(x, y), at(nx, ny), width, opacity=build.rng.uniform(0.6, 0.95))
        x, y = nx, ny


def _road_paint(build: _Build) -> None:
    """Broken centre lines, solid edge lines; none across another road."""
    roads = build.recipe.layout.corridors
    for road in roads:
        others = [r for r in roads if r.axis != road.axis]

        def line(a: float, b: float, across: float, half: float, road: Corridor = road) -> None:
            y = road.centre_m + across
            ends = ((a, y), (b, y)) if road.axis == "s" else ((y, a), (y, b))
            build.mark(DecalKind.PAINT, ends[0], ends[1], half, WHITE, 0.92)

        def free(
            a: float,
            b: float,
            across: float,
            others: list[Corridor] = others,
            road: Corridor = road,
        ) -> bool:
            return all(
                b < r.centre_m - 0.5 * r.width_m - 1.0
                or a > r.centre_m + 0.5 * r.width_m + 1.0
                or not r.start_m <= road.centre_m + across <= r.end_m
                for r in others
            )

        low, high = max(road.start_m, -120.0), min(road.end_m, 120.0)
        for x in np.arange(low + 1.0, high, 5.5):
            if free(x, x + 2.5, 0.0):
                line(float(x), float(x) + 2.5, 0.0, 0.06)
        edge = 0.5 * road.width_m - 0.18
        for x in np.arange(low, high, 6.0):
            for side in (-edge, edge):
                if free(x, x + 6.0, side * 1.2):
                    line(float(x), float(x) + 6.0, side, 0.05)


def _skids(build: _Build) -> None:
    for skid in build.recipe.skids:
        points = [
            build.name_point(f"{skid.name}_{chr(ord('a') + k)}", "skid", build.on_ground(p))
            for k, p in enumerate(skid.path)
        ]
        for a, b in zip(skid.path[:-1], skid.path[1:], strict=True):
            build.mark(DecalKind.SKID, a, b, 0.095, opacity=skid.opacity)
        build.lengths.append(named_length(skid.name, points))


def _survey_marks(build: _Build) -> None:
    recipe = build.recipe
    for prefix, kind, places, half, color in (
        ("gcp", "gcp", recipe.gcps, GCP_HALF_M, (0.74, 0.74, 0.72)),
        ("cp", "check", recipe.checks, CHECK_HALF_M, (0.74, 0.60, 0.10)),
    ):
        for number, place in enumerate(places, start=1):
            turn = build.rng.uniform(0.0, math.pi)
            tip = (place[0] + 0.1 * math.cos(turn), place[1] + 0.1 * math.sin(turn))
            build.mark(DecalKind.TARGET, place, tip, half, color)
            build.name_point(f"{prefix}_{number}", kind, build.on_ground(place))
    for number, place in enumerate(recipe.area, start=1):
        for dx, dy in ((0.12, 0.0), (0.0, 0.12)):
            build.mark(
                DecalKind.PAINT,
                (place[0] - dx, place[1] - dy),
                (place[0] + dx, place[1] + dy),
                0.02,
                YELLOW,
            )
        build.name_point(f"area_{number}", "area", build.on_ground(place))
    for number, (place, yaw_deg, length_m) in enumerate(recipe.scale_bars, start=1):
        ends = props.scale_bar(build.stage, build.on_ground(place), build.yaw(yaw_deg), length_m)
        points = [
            build.name_point(f"bar_{number}_{end}", "scale_bar", at)
            for end, at in zip("ab", ends, strict=True)
        ]
        build.scale_bars.append(named_length(f"bar_{number}", points))


def _cars(build: _Build) -> None:
    for number, car in enumerate(build.recipe.cars, start=1):
        mesh, rows = car_mesh(car.spec, len(build.stage.parts))
        for row in rows:
            build.stage.part(*row)
        rotation, foot = _car_pose(build, car)
        placed = mesh.transformed(rotation, foot)
        build.stage.add(placed)
        nose, tail = _ends(placed, mesh)
        points = [
            build.name_point(f"car_{number}_front", "car", nose),
            build.name_point(f"car_{number}_rear", "car", tail),
        ]
        build.lengths.append(named_length(f"car_{number}", points))


def _car_pose(build: _Build, car: ParkedCar) -> tuple[FloatArray, FloatArray]:
    """Rotation and foot that set the four wheels on the ground's mean plane under them."""
    yaw = math.radians(car.yaw_deg)
    x = np.array([v for v in car.spec.wheel_x_m for _ in (0, 1)])
    y = 0.4 * car.spec.width_m * np.array([1.0, -1.0, 1.0, -1.0])
    s = car.at[0] + x * math.cos(yaw) - y * math.sin(yaw)
    t = car.at[1] + x * math.sin(yaw) + y * math.cos(yaw)
    spots = np.array([build.on_ground((float(a), float(b))) for a, b in zip(s, t, strict=True)])
    centre = build.on_ground(car.at)
    design = np.column_stack([spots[:, :2] - centre[:2], np.ones(4)])
    (gx, gy, z), *_ = np.linalg.lstsq(design, spots[:, 2], rcond=None)
    up = np.array([-gx, -gy, 1.0]) / math.sqrt(gx * gx + gy * gy + 1.0)
    ahead = build.recipe.layout.direction(yaw)
    ahead = ahead - up * (ahead @ up)
    ahead /= np.linalg.norm(ahead)
    return np.column_stack([ahead, np.cross(up, ahead), up]), np.array([*centre[:2], z])


def _ends(placed: Mesh, car: Mesh) -> tuple[FloatArray, FloatArray]:
    """The foremost and rearmost vertices of the (damaged) body."""
    used = np.unique(car.triangles[car.materials == Material.CAR_BODY])
    x = car.points_enu_m[used, 0]
    return placed.points_enu_m[used[np.argmax(x)]], placed.points_enu_m[used[np.argmin(x)]]


def _furniture(build: _Build) -> None:
    recipe, stage = build.recipe, build.stage
    for place, yaw_deg, size in recipe.houses:
        tone = build.rng.uniform(0.8, 1.2)
        color = (0.26 * tone, 0.115 * tone, 0.075 * tone)
        foot = build.on_ground(place) - [0.0, 0.0, 0.4]
        props.building(stage, foot, build.yaw(yaw_deg), size, color)
    for place, yaw_deg, length_m, height_m in recipe.walls:
        foot = build.on_ground(place) - [0.0, 0.0, 0.15]
        props.garden_wall(stage, foot, build.yaw(yaw_deg), length_m, height_m)
    for place, yaw_deg, length_m in recipe.hedges:
        props.hedge(stage, build.on_ground(place), build.yaw(yaw_deg), length_m, build.rng)
    for place, height_m in recipe.trees:
        props.tree(stage, build.on_ground(place), height_m, build.rng)
    for place in recipe.posts:
        props.post(stage, build.on_ground(place), 0.055, 1.0, 0.2)
    for place in recipe.cones:
        props.cone(stage, build.on_ground(place))
    for place, arm_deg in recipe.lamps:
        arm = recipe.layout.direction(math.radians(arm_deg))
        props.lamp_post(stage, build.on_ground(place), arm)


def _debris(build: _Build) -> None:
    """Fragments round the point of impact, shards and leaked fluid."""
    rng, (s, t) = build.rng, build.recipe.debris_at
    for at, reach in (((s, t), (1.6, 1.0)), ((s + 0.9, t - 0.7), (0.8, 0.5))):
        build.mark(DecalKind.SHARDS, at, (at[0] + reach[0], at[1]), reach[1])
    build.mark(
        DecalKind.STAIN, (s - 0.3, t + 0.2), (s + 0.6, t + 0.5), 0.35, (0.02, 0.02, 0.021), 0.85
    )
    colors = [
        (0.02, 0.02, 0.02),
        *(c.spec.color for c in build.recipe.cars),
        (0.4, 0.4, 0.42),
        (0.45, 0.02, 0.02),
    ]
    for _ in range(build.recipe.debris_count):
        place = (s + rng.normal(0.0, 1.6), t + rng.normal(0.0, 1.0))
        size = float(np.exp(rng.uniform(math.log(0.05), math.log(0.35))))
        color = colors[int(rng.integers(len(colors)))]
        props.fragment(build.stage, build.on_ground(place), size, color, rng)


def _jittered(
    rng: np.random.Generator, places: tuple[Place, ...], by_m: float
) -> tuple[Place, ...]:
    moved = np.asarray(places) + rng.uniform(-by_m, by_m, (len(places), 2))
    return tuple((float(s), float(t)) for s, t in moved)


def accident(rng: np.random.Generator) -> Recipe:
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
    heading = math.radians(float(rng.uniform(20.0, 35.0)))
    return Recipe(
        name="accident",
        origin=GeoPoint(50.81970, 4.39080, 100.0),
        layout=Layout(
            (Corridor("s", 0.0, 7.0, -400.0, 400.0),), heading, 2.0, 0.025, 0.006, 0.22, 0.4, 5
        ),
        cars=(ParkedCar(red, (-2.15, -1.15), 17.0), ParkedCar(silver, (1.35, 0.75), -82.0)),
        skids=(
            Skid("skid_1", ((-17.6, -1.02), (-4.35, -1.02)), 0.72),
            Skid("skid_2", ((-15.9, -2.52), (-3.95, -2.52)), 0.66),
            Skid("skid_3", ((7.6, 2.05), (6.1, 2.2), (4.7, 2.55), (3.4, 3.05)), 0.5),
        ),
        gcps=_jittered(
            rng,
            (
                (-13.5, -2.7),
                (-13.0, 4.6),
                (13.2, -4.6),
                (13.0, 2.7),
                (0.3, -4.5),
                (0.8, 4.7),
                (-7.2, 0.6),
                (7.3, -0.6),
            ),
            0.25,
        ),
        checks=_jittered(
            rng,
            ((-9.6, -4.4), (-9.2, 2.3), (9.6, -2.4), (9.0, 4.4), (4.6, -2.2), (-4.2, 2.4)),
            0.25,
        ),
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


def crossing(rng: np.random.Generator) -> Recipe:
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
    heading = math.radians(float(rng.uniform(-70.0, -50.0)))
    roads = (Corridor("s", 0.0, 6.4, -400.0, 400.0), Corridor("t", 1.0, 6.0, -400.0, 400.0))
    return Recipe(
        name="crossing",
        origin=GeoPoint(50.84110, 4.35320, 62.0),
        layout=Layout(roads, heading, 1.8, 0.02, 0.010, 0.35, 0.4, 9),
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
        gcps=_jittered(
            rng,
            (
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
            0.2,
        ),
        checks=_jittered(
            rng, ((-8.6, -2.5), (8.6, 2.4), (0.2, 6.8), (0.0, -6.6), (8.8, -4.2)), 0.2
        ),
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


RECIPES: dict[str, Callable[[np.random.Generator], Recipe]] = {
    "accident": accident,
    "crossing": crossing,
}
