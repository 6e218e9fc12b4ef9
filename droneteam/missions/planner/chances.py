"""Where a lost person may be: what the leader of a search knows, as chances on the ground.

Three kinds of knowledge, as searches on land are planned with them (probability of area):

* areas that were given weights, each with an even chance inside (Mattson's consensus; regions);
* rings about the place where the person was last known, within whose distances 25, 50, 75 and
  95 of 100 such persons were found (R. J. Koester, "Lost Person Behavior", 2008);
* a grid, from a raster that another program made.

What the map leaves to one hundred percent lies outside it ("rest of the world").
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, FloatArray, GeoPoint, check_lat_lon
from droneteam.missions.planner.patterns.search import ProbabilityMap
from droneteam.missions.planner.route import Ground, LatLon

Ring = tuple[LatLon, ...]

MAX_AREAS = 200
MAX_CORNERS = 500
MAX_CELLS = 2_500
MAX_RING_M = 50_000.0
FOUND_WITHIN = (0.25, 0.50, 0.75, 0.95)
"""Shares of found persons whose distances the tables of lost persons give."""
_POINTS_AN_AREA = 4_000
_FINE_CELLS = 16_000
_STEP = 0.19
"""Cells in strips: coarser ones, or a whole number to a strip, see lines at few offsets only."""
_BANDS = (0.25, 0.50, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class WeightedArea:
    """An area and the chance that the person is in it.

    outline : corners; holes : outlines inside it that do not belong to it.
    """

    name: str
    chance: float
    outline: Ring
    holes: tuple[Ring, ...] = ()

    def __post_init__(self) -> None:
        for ring in (self.outline, *self.holes):
            if not 3 <= len(ring) <= MAX_CORNERS:
                raise InputError(
                    "area {name!r}: {count} corners; 3 to {limit} are allowed",
                    field="chances",
                    name=self.name,
                    count=len(ring),
                    limit=MAX_CORNERS,
                )
            for lat_deg, lon_deg in ring:
                check_lat_lon(lat_deg, lon_deg)
        if not 0.0 <= self.chance <= 1.0:  # also rejects NaN
            raise InputError(
                "area {name!r}: chance {chance} outside [0, 1]",
                field="chances",
                name=self.name,
                chance=self.chance,
            )


@dataclass(frozen=True, slots=True)
class DistanceRings:
    """How far such persons were found from the place where they were last known.

    within_m : distances, growing; shares : of all such persons found within each, growing too;
    category : whose distances they are, in the words of whoever typed them.
    """

    place: LatLon
    within_m: tuple[float, ...]
    shares: tuple[float, ...] = FOUND_WITHIN
    category: str = ""

    def __post_init__(self) -> None:
        check_lat_lon(*self.place)
        if not 1 <= len(self.within_m) == len(self.shares) <= 10:
            raise InputError(
                "{distances} distances for {shares} shares: give one each, 1 to 10",
                field="chances",
                distances=len(self.within_m),
                shares=len(self.shares),
            )
        if not _grows((0.0, *self.within_m)) or not self.within_m[-1] <= MAX_RING_M:
            raise InputError(
                "distances {distances_m} m must grow, from above 0 to {limit:.0f} m",
                field="chances",
                distances_m=_listed(self.within_m),
                limit=MAX_RING_M,
            )
        steps = zip((0.0, *self.shares), (*self.shares, 1.0), strict=True)
        if not all(low <= high for low, high in steps) or not self.shares[-1] > 0.0:
            raise InputError(
                "shares {shares} must not fall, from 0 to 1",
                field="chances",
                shares=_listed(self.shares),
            )


@dataclass(frozen=True, slots=True)
class ChanceGrid:
    """Chances of cells of equal size in degrees, row by row from the south-west corner."""

    south_deg: float
    west_deg: float
    cell_lat_deg: float
    cell_lon_deg: float
    columns: int
    chance: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.chance) <= MAX_CELLS or not 1 <= self.columns <= len(self.chance):
            raise InputError(
                "a grid of {cells} cells in {columns} columns; 1 to {limit} cells are allowed",
                field="chances",
                cells=len(self.chance),
                columns=self.columns,
                limit=MAX_CELLS,
            )
        if len(self.chance) % self.columns:
            raise InputError(
                "{cells} cells are no whole rows of {columns}",
                field="chances",
                cells=len(self.chance),
                columns=self.columns,
            )
        if not (0.0 < self.cell_lat_deg <= 1.0 and 0.0 < self.cell_lon_deg <= 1.0):
            raise InputError("a grid's cells are larger than 0° and 1° at most", field="chances")
        check_lat_lon(self.south_deg, self.west_deg)
        check_lat_lon(
            self.south_deg + self.rows * self.cell_lat_deg,
            self.west_deg + self.columns * self.cell_lon_deg,
        )
        for number, value in enumerate(self.chance, start=1):
            if not 0.0 <= value <= 1.0:
                raise InputError(
                    "cell {number}: chance {value} outside [0, 1]",
                    field="chances",
                    number=number,
                    value=value,
                )

    @property
    def rows(self) -> int:
        """Rows, the southern one first."""
        return len(self.chance) // self.columns


@dataclass(frozen=True, slots=True)
class ChanceMap:
    """Where the person may be, by one of the three kinds of knowledge; source : in words."""

    source: str
    areas: tuple[WeightedArea, ...] = ()
    rings: DistanceRings | None = None
    grid: ChanceGrid | None = None

    def __post_init__(self) -> None:
        if (bool(self.areas), self.rings is not None, self.grid is not None).count(True) != 1:
            raise InputError(
                "a probability map has areas, rings or a grid: one of the three", field="chances"
            )
        if len(self.areas) > MAX_AREAS:
            raise InputError(
                "{count} areas; {limit} at most",
                field="chances",
                count=len(self.areas),
                limit=MAX_AREAS,
            )
        if not 0.0 < self.total <= 1.0 + 1e-6:
            raise InputError(
                "the chances add up to {total:.4g}; more than 0 and 1 at most is needed",
                field="chances",
                total=self.total,
            )

    @property
    def total(self) -> float:
        """The chance that the person is anywhere on the map."""
        if self.rings is not None:
            return self.rings.shares[-1]
        if self.grid is not None:
            return math.fsum(self.grid.chance)
        return math.fsum(area.chance for area in self.areas)


@dataclass(frozen=True, slots=True)
class RegionOutlook:
    """A named part of a map, and how much of its chance a flight finds.

    chance : that the person is there; found : that the person is there and found.
    """

    name: str
    chance: float
    area_m2: float
    lat_deg: float
    lon_deg: float
    found: float


@dataclass(frozen=True, slots=True)
class SearchOutlook:
    """What a search does with what is known of where the person may be.

    chances : None for the chance that the pattern itself supposes; over_time : seconds since
    take-off, in still air, and the chance of having found the person by then; regions : the
    map's parts; by_blocks : flown in blocks, the most rewarding first, not line by line.
    """

    chances: ChanceMap | None
    over_time: tuple[tuple[float, float], ...]
    regions: tuple[RegionOutlook, ...] = ()
    by_blocks: bool = False

    @property
    def half_s(self) -> float:
        """Seconds after which half of the chance of finding is used up."""
        wanted = 0.5 * self.over_time[-1][1]
        return next(at_s for at_s, chance in self.over_time if chance >= wanted)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a map as people name it: its chance, its size and where its middle is."""

    name: str
    chance: float
    area_m2: float
    lat_deg: float
    lon_deg: float


def weighted(areas: Sequence[tuple[str, float, Ring, tuple[Ring, ...]]], source: str) -> ChanceMap:
    """The map of areas with weights.

    Weights that add up to one at most are chances as they are; larger ones are shares of one.

    Raises
    ------
    InputError
        A weight is negative or no number, or all are zero.
    """
    for name, weight, _outline, _holes in areas:
        if not 0.0 <= weight < math.inf:
            raise InputError(
                "area {name!r}: weight {weight} must be 0 or more",
                field="chances",
                name=name,
                weight=weight,
            )
    total = math.fsum(weight for _, weight, _, _ in areas)
    scale = 1.0 if total <= 1.0 + 1e-9 else 1.0 / total
    made = tuple(
        WeightedArea(name, weight * scale, outline, holes) for name, weight, outline, holes in areas
    )
    return ChanceMap(source, made)


def cells_near(
    chances: ChanceMap, ground: Ground, path_m: FloatArray, sweep_width_m: float
) -> ProbabilityMap:
    """The chances as cells, fine enough to tell what a swept strip covers and what it leaves.

    path_m : (n, 2) around which cells are needed; farther ones may be left out.
    """
    if chances.areas:
        return _sampled(chances.areas, ground, sweep_width_m)
    low = path_m.min(axis=0) - sweep_width_m
    high = path_m.max(axis=0) + sweep_width_m
    size_m = min(_STEP * sweep_width_m, _finest_m(chances))
    size_m = max(size_m, math.sqrt(float(np.prod(high - low)) / _FINE_CELLS))
    counts = np.ceil((high - low) / size_m).astype(int)
    east, north = (low[axis] + size_m * (np.arange(counts[axis]) + 0.5) for axis in (0, 1))
    centres = np.column_stack([axis.ravel() for axis in np.meshgrid(east, north)])
    chance = density_per_m2(chances, ground.lat_lon(centres)) * size_m**2
    known = chance > 0.0
    return ProbabilityMap(centres[known], chance[known], size_m**2)


def _finest_m(chances: ChanceMap) -> float:
    """A quarter of the smallest thing that the map tells apart."""
    if chances.rings is not None:
        return 0.25 * float(np.diff((0.0, *chances.rings.within_m)).min())
    assert chances.grid is not None
    return 0.5 * math.sqrt(_cell_m2(chances.grid, chances.grid.south_deg))


def _sampled(areas: Sequence[WeightedArea], ground: Ground, sweep_width_m: float) -> ProbabilityMap:
    """Every area by places spread evenly over it, however small it is beside the swept strip."""
    centres, chance = [], []
    for area in areas:
        shape = _shape(area, ground)
        size_m = min(_STEP * sweep_width_m, math.sqrt(shape.area / 25.0))
        size_m = max(size_m, math.sqrt(shape.area / _POINTS_AN_AREA))
        inside = _inside(shape, size_m)
        centres.append(inside)
        chance.append(np.full(len(inside), area.chance / len(inside)))
    return ProbabilityMap(np.concatenate(centres), np.concatenate(chance), sweep_width_m**2 / 4.0)


def _inside(shape: shapely.Polygon, size_m: float) -> FloatArray:
    """(n, 2) middles of cells that lie in a shape; one place where none does."""
    left, low, right, high = shape.bounds
    east = np.arange(left + 0.5 * size_m, right, size_m)
    north = np.arange(low + 0.5 * size_m, high, size_m)
    places = np.column_stack([axis.ravel() for axis in np.meshgrid(east, north)])
    inside = places[shapely.contains_xy(shape, places[:, 0], places[:, 1])]
    if len(inside):
        return np.asarray(inside)
    return np.asarray(shapely.get_coordinates(shape.representative_point()))


def _shape(area: WeightedArea, ground: Ground) -> shapely.Polygon:
    shape = shapely.Polygon(
        ground.metres(area.outline), [ground.metres(hole) for hole in area.holes]
    )
    if not shape.is_valid or shape.area < 1.0:
        raise InputError(
            "area {area!r}: its outline crosses itself or is empty", field="chances", area=area.name
        )
    return shape


def density_per_m2(chances: ChanceMap, lat_lon: FloatArray) -> FloatArray:
    """(n,) chance per square metre at (n, 2) places in degrees."""
    if chances.rings is not None:
        return _ring_density(chances.rings, lat_lon)
    if chances.grid is not None:
        return _grid_density(chances.grid, lat_lon)
    found = np.zeros(len(lat_lon))
    for area in chances.areas:
        ground = _ground(area.outline)
        shape = _shape(area, ground)
        places = _metres(ground, lat_lon)
        inside = shapely.contains_xy(shape, places[:, 0], places[:, 1])
        found += inside * (area.chance / shape.area)
    return found


def _ground(places: Sequence[LatLon]) -> Ground:
    lat_deg, lon_deg = np.mean(np.array(places), axis=0).tolist()
    return Ground(EnuFrame(GeoPoint(lat_deg, lon_deg)), np.zeros(2))


def _metres(ground: Ground, lat_lon: FloatArray) -> FloatArray:
    """(n, 2) metres of (n, 2) degrees."""
    geodetic = np.column_stack([lat_lon, np.zeros(len(lat_lon))])
    return np.asarray(ground.frame.enu_from_geodetic(geodetic)[:, :2])


def _ring_density(rings: DistanceRings, lat_lon: FloatArray) -> FloatArray:
    """Even between two distances: the tables tell no more."""
    places = _metres(_ground([rings.place]), lat_lon)
    away_m = np.hypot(places[:, 0], places[:, 1])
    ring = np.searchsorted(np.array(rings.within_m), away_m, side="left")
    within = np.array((0.0, *rings.within_m))
    density = np.diff((0.0, *rings.shares)) / (math.pi * np.diff(within**2))
    return np.append(density, 0.0)[ring]


def _grid_density(grid: ChanceGrid, lat_lon: FloatArray) -> FloatArray:
    row = np.floor((lat_lon[:, 0] - grid.south_deg) / grid.cell_lat_deg).astype(int)
    column = np.floor((lat_lon[:, 1] - grid.west_deg) / grid.cell_lon_deg).astype(int)
    known = (row >= 0) & (row < grid.rows) & (column >= 0) & (column < grid.columns)
    chance = np.array(grid.chance)[np.where(known, row * grid.columns + column, 0)]
    return np.where(known, chance / _cell_m2(grid, lat_lon[:, 0]), 0.0)


def _cell_m2(grid: ChanceGrid, lat_deg: FloatArray | float) -> FloatArray:
    """The size of a cell at a latitude: a degree's lengths on the WGS84 ellipsoid, as series."""
    lat = np.radians(lat_deg)
    north_m = 111_132.954 - 559.822 * np.cos(2.0 * lat) + 1.175 * np.cos(4.0 * lat)
    east_m = 111_412.84 * np.cos(lat) - 93.5 * np.cos(3.0 * lat)
    return np.asarray(grid.cell_lat_deg * grid.cell_lon_deg * north_m * east_m)


def densest(chances: ChanceMap) -> LatLon:
    """The place with the highest chance per square metre: where a search for the person begins."""
    if chances.rings is not None:
        return chances.rings.place
    if chances.grid is not None:
        middles = _middles(chances.grid)
        lat, lon = middles[int(np.argmax(_grid_density(chances.grid, middles)))].tolist()
        return lat, lon

    def per_m2(area: WeightedArea) -> float:
        return area.chance / float(_shape(area, _ground(area.outline)).area)

    area = max(chances.areas, key=per_m2)
    ground = _ground(area.outline)
    middle = shapely.get_coordinates(_shape(area, ground).representative_point())
    lat, lon = ground.lat_lon(middle)[0].tolist()
    return lat, lon


def _middles(grid: ChanceGrid) -> FloatArray:
    """(n, 2) degrees of the middle of each cell."""
    row, column = np.divmod(np.arange(len(grid.chance)), grid.columns)
    lat = grid.south_deg + (row + 0.5) * grid.cell_lat_deg
    return np.column_stack([lat, grid.west_deg + (column + 0.5) * grid.cell_lon_deg])


def regions(chances: ChanceMap) -> tuple[tuple[Region, ChanceMap], ...]:
    """The map's parts as a table tells them, each with a map of that part alone.

    Areas as they were named; rings from the inside out; of a grid, the densest cells that hold
    a quarter of the chance, then the next quarter, and so on.
    """
    if chances.rings is not None:
        return _ring_regions(chances.rings)
    if chances.grid is not None:
        return _grid_regions(chances.grid)
    found = []
    for area in chances.areas:
        ground = _ground(area.outline)
        shape = _shape(area, ground)
        middle = shapely.get_coordinates(shape.representative_point())
        lat, lon = ground.lat_lon(middle)[0].tolist()
        if area.chance > 0.0:
            region = Region(area.name, area.chance, float(shape.area), lat, lon)
            found.append((region, ChanceMap(area.name, (area,))))
    return tuple(found)


def _ring_regions(rings: DistanceRings) -> tuple[tuple[Region, ChanceMap], ...]:
    """Rings; one alone is what lies within its distance less what lies within the one before."""
    found = []
    inner_m, inner_share = 0.0, 0.0
    for within_m, share in zip(rings.within_m, rings.shares, strict=True):
        name = f"{inner_m:.0f} – {within_m:.0f} m"
        size = math.pi * (within_m**2 - inner_m**2)
        region = Region(name, share - inner_share, size, *rings.place)
        found.append((region, ChanceMap(name, rings=_only(rings, inner_m, within_m))))
        inner_m, inner_share = within_m, share
    return tuple(found)


def _only(rings: DistanceRings, inner_m: float, outer_m: float) -> DistanceRings:
    """One ring, with no chance in the hole in its middle."""
    shares = dict(zip((0.0, *rings.within_m), (0.0, *rings.shares), strict=True))
    chance = shares[outer_m] - shares[inner_m]
    if inner_m == 0.0:
        return DistanceRings(rings.place, (outer_m,), (chance,), rings.category)
    return DistanceRings(rings.place, (inner_m, outer_m), (0.0, chance), rings.category)


def _grid_regions(grid: ChanceGrid) -> tuple[tuple[Region, ChanceMap], ...]:
    middles = _middles(grid)
    chance, size = np.array(grid.chance), _cell_m2(grid, middles[:, 0])
    order = np.argsort(-chance / size, kind="stable")
    sums = np.cumsum(chance[order]) / chance.sum()
    found, start = [], 0
    for low, high in zip((0.0, *_BANDS), _BANDS, strict=False):
        end = int(np.searchsorted(sums, high - 1e-9)) + 1
        band = order[start:end]
        start = max(start, end)
        band = band[chance[band] > 0.0]
        if len(band) == 0:
            continue
        lat, lon = np.average(middles[band], axis=0, weights=chance[band]).tolist()
        name = f"{low * 100:.0f} – {high * 100:.0f} %"
        only = np.zeros(len(chance))
        only[band] = chance[band]
        region = Region(name, float(chance[band].sum()), float(size[band].sum()), lat, lon)
        alone = ChanceGrid(
            grid.south_deg,
            grid.west_deg,
            grid.cell_lat_deg,
            grid.cell_lon_deg,
            grid.columns,
            tuple(only.tolist()),
        )
        found.append((region, ChanceMap(name, grid=alone)))
    return tuple(found)


def _grows(values: Sequence[float]) -> bool:
    return all(low < high for low, high in itertools.pairwise(values))


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
