"""Whole surveys of known truth: networks adjusted from noisy photos, surfaces, measurements.

Every survey draws its own noise of tie points, marks, positions, control and surface; what comes
back is each measurement beside the true value, to count how often the interval holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import LinearNDInterpolator, RegularGridInterpolator
from scipy.ndimage import uniform_filter

from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.triangulation import intersect, optics
from droneteam.photogrammetry.control import NO_CONTROL, Control, Mark, ScaleBar
from droneteam.photogrammetry.measuring import measure, surface_measure
from droneteam.photogrammetry.scene import Camera, CameraNetwork, FloatArray, Measurement
from droneteam.photogrammetry.surface.rasters import MEASURED, Grid, Raster
from tests.photogrammetry import networks
from tests.photogrammetry.networks import (
    ORIGIN,
    Network,
    control_of,
    marks_of,
    photo_inputs,
    project,
    sfm_result,
)

START = Camera("SIMPLE_RADIAL", networks.WIDTH_PX, networks.HEIGHT_PX, (1385.0, 800.0, 600.0, 0.0))
TIES = 110
CELL_M = 0.15
SURFACE_SIGMA_M = 0.008
HALF_M = 6.0
BASE_RADIUS_M = 4.5


@dataclass(frozen=True)
class Survey:
    """How a simulated network is made: its poses and what fixes its place and scale."""

    poses: Callable[[], list[FloatArray]]
    sigma_m: tuple[float, float, float] | None
    control: str
    known_lens: bool = False


def block_and_ring() -> list[FloatArray]:
    return networks.block_poses() + networks.orbit_poses()


def two_heights() -> list[FloatArray]:
    return networks.block_poses(side=4, spacing_m=7.0) + networks.block_poses(20.0, 6.0)


SURVEYS: Mapping[str, Survey] = {
    "nadir, RTK, lens given": Survey(
        lambda: networks.block_poses(side=4, spacing_m=7.0), (0.02, 0.02, 0.03), "none", True
    ),
    "nadir at two heights, RTK": Survey(two_heights, (0.02, 0.02, 0.03), "none"),
    "nadir and oblique, RTK": Survey(block_and_ring, (0.02, 0.02, 0.03), "none"),
    "nadir and oblique, GNSS, 6 GCP": Survey(block_and_ring, (2.0, 2.0, 4.0), "gcp"),
    "nadir, GNSS, 6 GCP": Survey(
        lambda: networks.block_poses(side=4, spacing_m=7.0), (2.0, 2.0, 4.0), "gcp"
    ),
    "nadir and oblique, 3 scale bars": Survey(block_and_ring, (2.0, 2.0, 4.0), "bars"),
}


def truth_of(survey: Survey, seed: int) -> Network:
    """A field of points; the ones that most photos see come first."""
    truth = networks.network(survey.poses(), seed=seed)
    order = np.argsort(-truth.visible.sum(axis=0), kind="stable")
    return replace(
        truth,
        points=truth.points[order],
        visible=truth.visible[:, order],
        pixels=truth.pixels[:, order],
    )


def surveyed(survey: Survey, truth: Network, seed: int) -> CameraNetwork:
    """The adjusted network of one flight; everything noisy, nothing known exactly."""
    rng = np.random.default_rng(seed)
    return adjust(
        sfm_result(
            truth,
            noise_px=float(rng.uniform(0.3, 0.6)),
            seed=seed + 1,
            start_camera=None if survey.known_lens else START,
            points=slice(0, TIES),
        ),
        photo_inputs(
            truth,
            sigma_m=survey.sigma_m,
            seed=seed + 2,
            focal_prior_px=float(1400.0 * (1.0 + rng.normal(0.0, 0.015))),
            known=survey.known_lens,
        ),
        _control(survey, truth, seed + 3),
    )


def _control(survey: Survey, truth: Network, seed: int) -> Control:
    match survey.control:
        case "gcp":
            return control_of(truth, [0, 1, 2, 3, 4, 5], seed=seed, mark_sigma_px=0.4)
        case "bars":
            return _bars(truth, seed)
    return NO_CONTROL


def _bars(truth: Network, seed: int) -> Control:
    rng = np.random.default_rng(seed)
    bars, marks = [], []
    for k in range(3):
        a, b = 2 * k, 2 * k + 1
        true_m = float(np.linalg.norm(truth.points[a] - truth.points[b]))
        length = true_m + float(rng.normal(0.0, 0.001))
        bars.append(ScaleBar(f"bar {k}", f"s{a}", f"s{b}", length))
        for index in (a, b):
            marks += marks_of(truth, index, f"s{index}", rng, 0.4)
    return Control((), tuple(bars), tuple(marks))


def marked(truth: Network, indices: list[int], rng: np.random.Generator) -> list[Mark]:
    """Marks of points, in three to seven photos each, with a deviation of 0.3 to 0.8 px."""
    sigma, found = float(rng.uniform(0.3, 0.8)), []
    for index in indices:
        marks = marks_of(truth, index, f"m{index}", rng, sigma)
        keep = rng.permutation(len(marks))[: int(rng.integers(3, 8))]
        found += [marks[i] for i in sorted(keep)]
    return found


TRUE_VALUES: Mapping[str, Callable[[FloatArray], float]] = {
    "distance": lambda p: float(np.linalg.norm(p[1] - p[0])),
    "horizontal": lambda p: float(np.hypot(*(p[1] - p[0])[:2])),
    "height": lambda p: float(p[1, 2] - p[0, 2]),
    "polyline": lambda p: float(np.linalg.norm(p[1] - p[0]) + np.linalg.norm(p[2] - p[1])),
    "area": lambda p: float(0.5 * np.linalg.norm(np.cross(p[1] - p[0], p[2] - p[0]))),
    "plan_area": lambda p: float(0.5 * abs(np.cross(p[1] - p[0], p[2] - p[0])[2])),
    "volume": lambda p: float(abs(np.linalg.det(p[1:] - p[0])) / 6.0),
    "angle": lambda p: float(
        np.degrees(
            np.arccos(
                (p[0] - p[1]) @ (p[2] - p[1])
                / np.linalg.norm(p[0] - p[1]) / np.linalg.norm(p[2] - p[1])
            )
        )
    ),
    "slope": lambda p: float(100.0 * (p[1, 2] - p[0, 2]) / np.hypot(*(p[1] - p[0])[:2])),
}  # fmt: skip
"""Written out for two points, a triangle or a tetrahedron, on their own."""
COUNTS = {"distance": 2, "horizontal": 2, "height": 2, "volume": 4, "slope": 2}


@dataclass(frozen=True)
class Outcome:
    """A measurement beside the truth."""

    survey: str
    kind: str
    measured: Measurement
    true: float

    @property
    def inside(self) -> bool:
        return self.measured.ci95_low <= self.true <= self.measured.ci95_high


def _own_seed(name: str, seed: int) -> int:
    """A seed of this network and flight alone, so that no two share their noise."""
    return 1000 * seed + list(SURVEYS).index(name)


def marked_outcomes(name: str, seed: int, rounds: int = 2) -> Iterator[Outcome]:
    """Every kind from marks, on one simulated survey."""
    survey, seed = SURVEYS[name], _own_seed(name, seed)
    truth = truth_of(survey, seed)
    net = surveyed(survey, truth, 10 * seed)
    rng = np.random.default_rng(seed + 77)
    for _ in range(rounds):
        for kind, formula in TRUE_VALUES.items():
            count = COUNTS.get(kind, 3)
            chosen = [int(i) for i in rng.choice(np.arange(10, 90), count, replace=False)]
            marks = marked(truth, chosen, rng)
            got = measure.from_marks(net, marks, kind, [f"m{i}" for i in chosen])
            yield Outcome(name, kind, got, formula(truth.points[chosen]))


def heap(east: FloatArray, north: FloatArray) -> FloatArray:
    """Height of the simulated ground: a heap of 1.2 m on a slope of 4 %."""
    r2 = (east - 0.4) ** 2 + (north + 0.3) ** 2
    return np.asarray(1.2 * np.exp(-r2 / 4.5) + 0.04 * east - 0.02 * north)


def on_heap(places: FloatArray) -> FloatArray:
    return np.column_stack([places, heap(places[:, 0], places[:, 1])])


@dataclass(frozen=True)
class Surveyor:
    """Where true points of the ground lie in a network's own surface and frame."""

    network: CameraNetwork
    raster: Raster
    moved: Callable[[FloatArray], FloatArray]


def surface_of(truth: Network, net: CameraNetwork, seed: int) -> Surveyor:
    """The heap as the network's cameras would reconstruct it, with noise alike over nine cells."""
    ticks = np.linspace(-HALF_M, HALF_M, 9)
    lattice = on_heap(np.array([(e, n) for e in ticks for n in ticks]))
    shift = np.array([_seen_at(truth, net, p) for p in lattice]) - lattice
    field = RegularGridInterpolator((ticks, ticks), shift.reshape(9, 9, 3), method="cubic")
    moved = lambda points: points + field(points[:, :2])  # noqa: E731
    fine = np.linspace(-HALF_M, HALF_M, 90)
    ground = moved(on_heap(np.array([(e, n) for e in fine for n in fine])))
    inner = ground[:, :2].mean(axis=0)
    size = int(2.0 * (HALF_M - 0.6) / CELL_M)
    corner = inner + np.array([-1.0, 1.0]) * (HALF_M - 0.6)
    grid = Grid(float(corner[0]), float(corner[1]), CELL_M, size, size)
    east, north = grid.centres()
    at = np.column_stack([a.ravel() for a in np.meshgrid(east, north)])
    up = LinearNDInterpolator(ground[:, :2], ground[:, 2])(at).reshape(size, size)
    white = np.random.default_rng(seed).normal(size=up.shape)
    noise = SURFACE_SIGMA_M * 9.0 * uniform_filter(white, 9, mode="wrap")
    height = (up + noise).astype(np.float32)
    mask = np.where(np.isfinite(height), MEASURED, 0).astype(np.uint8)
    sigma = np.full_like(height, SURFACE_SIGMA_M)
    return Surveyor(net, Raster(grid, height, mask, sigma), moved)


def _seen_at(truth: Network, net: CameraNetwork, point: FloatArray) -> FloatArray:
    """Where the estimated cameras put a point that the true ones see, without mark noise."""
    pixels = np.array([project(view, point[None])[0] for view in truth.views])
    seen = np.flatnonzero(np.isfinite(pixels[:, 0]))
    hit = intersect(optics(net.views), seen, pixels[seen], np.ones(len(seen)))
    assert hit is not None
    return hit.point


def in_frame(net: CameraNetwork, points: FloatArray) -> FloatArray:
    """True points (about ORIGIN) in the network's frame, for what the frame alone changes."""
    assert net.frame.origin is not None
    geodetic = EnuFrame(ORIGIN).geodetic_from_enu(points)
    return EnuFrame(net.frame.origin).enu_from_geodetic(geodetic)


def ring_of(count: int, radius_m: float, rng: np.random.Generator) -> FloatArray:
    """(count, 2) places around the heap."""
    turn = 2.0 * np.pi * (np.arange(count) + rng.uniform(0.0, 0.5, count)) / count
    return radius_m * np.column_stack([np.cos(turn), np.sin(turn)])


def true_volume(corners: FloatArray) -> float:
    """The heap's volume above the mean plane of points on it, by a fine sum."""
    fine = np.arange(-HALF_M, HALF_M, 0.02) + 0.01
    east, north = (a.ravel() for a in np.meshgrid(fine, fine))
    inside = np.ones(len(east), dtype=bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (b[0] - a[0]) * (north - a[1]) - (b[1] - a[1]) * (east - a[0]) > 0.0
    design = np.column_stack([np.ones(len(corners)), corners])
    plane = np.linalg.lstsq(design, heap(corners[:, 0], corners[:, 1]), rcond=None)[0]
    base = plane[0] + plane[1] * east + plane[2] * north
    return float((heap(east, north) - base)[inside].sum() * 0.02**2)


def surface_outcomes(name: str, seed: int) -> Iterator[Outcome]:
    """Lengths, heights, areas, slopes, profiles and a volume on a simulated surface."""
    survey, seed = SURVEYS[name], _own_seed(name, seed)
    truth = truth_of(survey, seed)
    net = surveyed(survey, truth, 10 * seed)
    site = surface_of(truth, net, seed + 5)
    rng = np.random.default_rng(seed + 6)
    for kind in ("distance", "horizontal", "height", "area", "slope"):
        places = rng.uniform(-4.0, 4.0, (COUNTS.get(kind, 3), 2))
        true = on_heap(places)
        picked = site.moved(true)[:, :2] + rng.normal(0.0, 0.5 * CELL_M, (len(places), 2))
        got = surface_measure.from_surface(net, site.raster, kind, picked)
        yield Outcome(name, f"surface {kind}", got, TRUE_VALUES[kind](true))
    yield _profile_outcome(name, site, rng)
    corners = ring_of(8, BASE_RADIUS_M, rng)
    base = site.moved(on_heap(corners))[:, :2]
    got = surface_measure.volume(net, site.raster, base)
    yield Outcome(name, "surface volume", got, true_volume(corners))


def _profile_outcome(name: str, site: Surveyor, rng: np.random.Generator) -> Outcome:
    """The rise between two fixed map positions, against the true ground there.

    The positions are the map's own, so the cameras' plan error counts as an error of height.
    """
    ends = on_heap(rng.uniform(-4.0, 4.0, (2, 2)))
    line = site.moved(ends)[:, :2]
    got = surface_measure.profile(site.network, site.raster, line, step_m=0.5)
    return Outcome(name, "surface profile", got, float(ends[1, 2] - ends[0, 2]))


def coverage_of(outcomes: list[Outcome]) -> float:
    """Share of the determined measurements whose interval holds the truth."""
    determined = [o for o in outcomes if o.measured.determined]
    return float(np.mean([o.inside for o in determined])) if determined else float("nan")
