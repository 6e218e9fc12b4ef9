"""The ground under a mission in its own metres: level, or a terrain; and paths that follow it.

Heights are above the take-off point throughout.  Over a terrain they are differences of two
heights of one raster, so that its vertical datum cancels out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.route import Ground
from droneteam.missions.planner.terrain import Terrain, required

Flags = NDArray[np.bool_]
FOLLOW_SHARE = 0.02
"""How far, as a share of the height, a flown leg may lie off the ground's parallel: with the
ground's own bumps inside a photo it keeps the ground sampling distance within 5 %."""
SIDE_M = 2.0
"""Whatever stands this near beside the path counts as below it: GPS error of the team's drones."""
_SMOOTH_SHARE = 0.15
"""Standard deviation, in heights, of the smoothing: a photo looks at a patch 1.1 heights wide."""
_STEP_SHARE = 0.1
"""Distance between the stations at which the ground is read, in heights."""


class Relief(Protocol):
    """The ground under a mission."""

    @property
    def level(self) -> bool:
        """Whether it has one height everywhere."""
        ...

    def ground_home_m(self, points_m: FloatArray) -> FloatArray:
        """(n,) height of the ground at (n, 2) places, above the take-off point."""
        ...

    def followed_home_m(self, points_m: FloatArray, height_m: float) -> FloatArray:
        """(n,) height of the ground as a flight at ``height_m`` above it should follow it."""
        ...

    def top_home_m(self, points_m: FloatArray) -> FloatArray:
        """(n,) height of whatever stands within SIDE_M of (n, 2) places."""
        ...


@dataclass(frozen=True, slots=True)
class LevelGround:
    """Ground of one height, on which nothing is known to stand."""

    alt_home_m: float = 0.0

    @property
    def level(self) -> bool:
        """It is."""
        return True

    def ground_home_m(self, points_m: FloatArray) -> FloatArray:
        """The one height."""
        return np.full(len(points_m), self.alt_home_m)

    def followed_home_m(self, points_m: FloatArray, height_m: float) -> FloatArray:
        """The one height."""
        del height_m
        return np.full(len(points_m), self.alt_home_m)

    def top_home_m(self, points_m: FloatArray) -> FloatArray:
        """The one height."""
        return np.full(len(points_m), self.alt_home_m)


@dataclass(slots=True, eq=False)
class TerrainRelief:
    """A terrain under a mission; reading it outside of its values is an error that says where."""

    terrain: Terrain
    ground: Ground
    home: HomePoint
    _home_m: float = 0.0
    _smooth: tuple[float, Terrain] | None = None

    def __post_init__(self) -> None:
        place = np.array([[self.home.lat_deg, self.home.lon_deg]])
        self._home_m = float(required(self.terrain, place)[0])

    @property
    def level(self) -> bool:
        """It is not."""
        return False

    def ground_home_m(self, points_m: FloatArray) -> FloatArray:
        """The raster's mean layer."""
        return required(self.terrain, self.ground.lat_lon(points_m)) - self._home_m

    def followed_home_m(self, points_m: FloatArray, height_m: float) -> FloatArray:
        """The same, smoothed to what a photo from that height averages over."""
        cell_m = self.terrain.cell_m(self.home.lat_deg, self.home.lon_deg)
        if self._smooth is None or self._smooth[0] != height_m:
            sigma = max(0.5, _SMOOTH_SHARE * height_m / cell_m)
            self._smooth = (height_m, self.terrain.smoothed(sigma))
        return required(self._smooth[1], self.ground.lat_lon(points_m)) - self._home_m

    def top_home_m(self, points_m: FloatArray) -> FloatArray:
        """The raster's top layer."""
        cell_m = self.terrain.cell_m(self.home.lat_deg, self.home.lon_deg)
        radius = int(min(20, max(1, np.ceil(SIDE_M / cell_m - 0.1))))
        lat_lon = self.ground.lat_lon(points_m)
        required(self.terrain, lat_lon)
        return self.terrain.top_within_m(lat_lon, radius) - self._home_m


def relief_of(
    terrain: Terrain | None, ground: Ground, home: HomePoint, ground_alt_home_m: float
) -> Relief:
    """The terrain, or level ground where there is none.

    Raises
    ------
    InputError
        Both a terrain and a height of level ground were given.
    """
    if terrain is None:
        return LevelGround(ground_alt_home_m)
    if ground_alt_home_m != 0.0:
        raise InputError(
            "ground_alt_home_m {ground_alt_home_m:g} speaks of level ground, and a terrain "
            "was chosen: leave one of them out",
            field="ground_alt_home_m",
            ground_alt_home_m=ground_alt_home_m,
        )
    return TerrainRelief(terrain, ground, home)


@dataclass(frozen=True, slots=True, eq=False)
class FollowedPath:
    """A path with a height at each corner: path_m (n, 2), alts_home_m (n,)."""

    path_m: FloatArray
    alts_home_m: FloatArray

    def alts_at(self, points_m: FloatArray) -> FloatArray:
        """(k,) heights at places on the path, on its straight legs."""
        line = shapely.LineString(self.path_m)
        lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.path_m, axis=0).T))])
        along = shapely.line_locate_point(line, shapely.points(points_m))
        return np.asarray(np.interp(along, lengths, self.alts_home_m))


def followed(path_m: FloatArray, height_m: float, relief: Relief) -> FollowedPath:
    """The path at a height above the ground, with as few further corners as that takes."""
    return followed_all([path_m], height_m, relief)[0]


def followed_all(
    paths_m: Sequence[FloatArray], height_m: float, relief: Relief
) -> tuple[FollowedPath, ...]:
    """Paths at a height above the ground, the ground read once for all of them.

    Corners are added where a straight leg would leave the wished height by more than FOLLOW_SHARE
    of it (Douglas-Peucker on height over distance).
    """
    if relief.level:
        return tuple(FollowedPath(path, relief.ground_home_m(path) + height_m) for path in paths_m)
    cut = [_stations(path, max(1.0, _STEP_SHARE * height_m)) for path in paths_m]
    ground = relief.followed_home_m(np.vstack([stations for stations, _, _ in cut]), height_m)
    found, first = [], 0
    for stations, lengths, corner in cut:
        wished = ground[first : first + len(stations)] + height_m
        first += len(stations)
        kept = corner | _needed(lengths, wished, corner, FOLLOW_SHARE * height_m)
        found.append(FollowedPath(stations[kept], wished[kept]))
    return tuple(found)


def _stations(path_m: FloatArray, step_m: float) -> tuple[FloatArray, FloatArray, Flags]:
    """Places along a path, their lengths along it, and which are its corners."""
    legs = np.hypot(*np.diff(path_m, axis=0).T)
    counts = np.maximum(1, np.ceil(legs / step_m - 1e-9)).astype(np.int64)
    parts = [
        path_m[i] + (path_m[i + 1] - path_m[i]) * (np.arange(n)[:, None] / n)
        for i, n in enumerate(counts)
    ]
    stations = np.vstack([*parts, path_m[-1:]])
    corner = np.zeros(len(stations), dtype=bool)
    corner[np.concatenate([[0], np.cumsum(counts)])] = True
    steps = np.hypot(*np.diff(stations, axis=0).T)
    return stations, np.concatenate([[0.0], np.cumsum(steps)]), corner


def _needed(lengths: FloatArray, heights: FloatArray, corner: Flags, tolerance_m: float) -> Flags:
    """Which stations a line of heights cannot do without."""
    kept = np.zeros(len(lengths), dtype=bool)
    ends = np.nonzero(corner)[0]
    spans = list(itertools.pairwise(ends.tolist()))
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        inner = slice(first + 1, last)
        straight = np.interp(lengths[inner], lengths[[first, last]], heights[[first, last]])
        off = np.abs(heights[inner] - straight)
        worst = int(np.argmax(off))
        if off[worst] > tolerance_m:
            middle = first + 1 + worst
            kept[middle] = True
            spans += [(first, middle), (middle, last)]
    return kept
