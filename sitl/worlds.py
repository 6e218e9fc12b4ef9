"""Building worlds: a recipe and a seed become geometry, marks and named truth.

The recipe says what there is; the seed draws cracks, debris, colours and every target's turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import EnuFrame
from sitl import props
from sitl.cars import car_mesh
from sitl.decals import Decal, DecalKind, indexed
from sitl.ground import Corridor, ground_mesh
from sitl.materials import Material
from sitl.mesh import FloatArray, Mesh, joined
from sitl.recipes import RECIPES, ParkedCar, Place, Recipe, strewn
from sitl.world import NamedLength, NamedPoint, World, ground_heights, named_area, named_length

WHITE = (0.62, 0.62, 0.60)
YELLOW = (0.70, 0.48, 0.03)
NEAR_M, FAR_M = 32.0, 150.0
GEOID_UNDULATION_M = 43.6
GCP_HALF_M, CHECK_HALF_M = 0.15, 0.10


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
    return build_world(strewn(RECIPES[name](), seed, rng), seed, rng)


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
