"""What is said of weak networks: ``python -m benchmarks.weak_networks [--draws N] [--only TEXT]``.

Simulated flights that leave something open or nearly so: a facade from one line or two, a strip
with control at one end, a ring without photos from above, five photos, one height with RTK and an
unknown lens, control on one line, scale bars alone.  Every draw has noise of its own in tie points,
marks, positions, angles, focal length and control.  Prints, per network, for how many draws the
depth was called determined, how many measurements had a value, the share of their 95 % intervals
that hold the truth, the median half-width, and the same of coordinates in the scene's frame.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras import locate
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.control import NO_CONTROL, Control, ScaleBar
from droneteam.photogrammetry.measuring import measure
from droneteam.photogrammetry.scene import Camera, CameraNetwork, FloatArray, View
from tests.photogrammetry import networks
from tests.photogrammetry.networks import ORIGIN, Network
from tests.photogrammetry.simulated import START, TRUE_VALUES, marked

RTK, GNSS = (0.015, 0.015, 0.03), (2.0, 2.0, 4.0)
GIMBAL_DEG, MOUNTING_DEG = 0.1, 0.4
NOISE_PX, FOCAL_SIGMA = (0.3, 0.6), 0.02
PRINCIPAL_PX, RADIAL, TANGENTIAL = 5.0, (0.08, 0.03), 4e-4
"""Deviations of the drawn lenses from a plain one: a network that leaves its lens to what lenses
usually are is judged fairly by lenses that differ."""
POINTS = 220
KINDS = ("distance", "horizontal", "height")
ROUNDS = 6
"""Measurements of each kind per draw."""
Z_95 = 1.96


@dataclass(frozen=True)
class Weak:
    """A network: its poses, what they look at, and what fixes place and scale.

    control : (network, seed) to control points and bars; angles : gimbal angles are stated;
    wind_deg : how far each photo is turned at random.
    """

    poses: Callable[[], list[FloatArray]]
    points: Callable[[np.random.Generator], FloatArray]
    sigma_m: tuple[float, float, float] | None
    control: Callable[[Network, int], Control] = lambda truth, seed: NO_CONTROL
    angles: bool = True
    wind_deg: float = 0.0


def field(rng: np.random.Generator, half_m: tuple[float, float] = (14.0, 14.0)) -> FloatArray:
    """Rough ground."""
    return rng.uniform(-1.0, 1.0, (POINTS, 3)) * [*half_m, 0.75]


def strip_of_ground(rng: np.random.Generator) -> FloatArray:
    return field(rng, (40.0, 9.0))


def wall(rng: np.random.Generator) -> FloatArray:
    """A facade 24 m long and 8 m high that faces south, with sills and doors of 0.3 m."""
    return rng.uniform([-12.0, -0.15, 0.0], [12.0, 0.15, 8.0], (POINTS, 3))


def wall_and_ground(rng: np.random.Generator) -> FloatArray:
    """The same with bays of 1 m and the pavement before it."""
    points = rng.uniform([-12.0, -0.6, 0.0], [12.0, 0.6, 8.0], (POINTS, 3))
    points[::4] = rng.uniform([-12.0, -5.0, -0.1], [12.0, -0.6, 0.1], (len(points[::4]), 3))
    return points


def along_the_wall(*lines: tuple[float, float], photos: int = 8) -> list[FloatArray]:
    """Lines 12 m before the wall, each at a height with a pitch in degrees."""
    return [
        networks.looking(np.array([east, -12.0, up]), 0.0, pitch)
        for up, pitch in lines
        for east in np.linspace(-10.0, 10.0, photos)
    ]


def line(n: int = 12, step_m: float = 6.0) -> list[FloatArray]:
    ticks = step_m * (np.arange(n) - (n - 1) / 2.0)
    return [networks.looking(np.array([e, 0.0, 30.0 + 0.3 * (i % 3)]), 90.0, -90.0)
            for i, e in enumerate(ticks)]  # fmt: skip


def five() -> list[FloatArray]:
    """Four photos about a place, slightly turned towards it, and one from above."""
    around = [
        networks.looking(np.array([8.0 * np.sin(a), 8.0 * np.cos(a), 22.0]),
                         np.degrees(a) + 180.0, -72.0)
        for a in 0.5 * np.pi * np.arange(4)
    ]  # fmt: skip
    return [*around, networks.looking(np.array([0.5, -0.3, 26.0]), 10.0, -90.0)]


def nadir() -> list[FloatArray]:
    return networks.block_poses(side=4, spacing_m=7.0)


def block_and_ring() -> list[FloatArray]:
    return networks.block_poses() + networks.orbit_poses()


def at_one_end(truth: Network, seed: int) -> Control:
    """Four control points below the first photos of a strip."""
    return networks.control_of(truth, _most_seen(truth, truth.points[:, 0] < -20.0)[:4], seed=seed)


def nearly_on_a_line(truth: Network, seed: int) -> Control:
    """Five control points within 1 m of a line."""
    near = _most_seen(truth, np.abs(truth.points[:, 1] - 0.2 * truth.points[:, 0]) < 1.0)
    return networks.control_of(truth, near[:5], seed=seed)


def one_bar(truth: Network, seed: int) -> Control:
    """One scale bar between two points some metres apart, known to a millimetre."""
    rng = np.random.default_rng(seed)
    first, *rest = _most_seen(truth, np.ones(len(truth.points), bool))[:30]
    apart = [float(np.linalg.norm(truth.points[i] - truth.points[first])) for i in rest]
    ends = {"a": first, "b": rest[int(np.argmin(np.abs(np.array(apart) - 4.0)))]}
    true_m = float(np.linalg.norm(truth.points[ends["a"]] - truth.points[ends["b"]]))
    marks = [m for name, i in ends.items() for m in networks.marks_of(truth, i, name, rng, 0.4)]
    bar = ScaleBar("bar", "a", "b", true_m + float(rng.normal(0.0, 0.001)))
    return Control((), (bar,), tuple(marks))


def _most_seen(truth: Network, among: np.ndarray) -> list[int]:
    seen = np.where(among, truth.visible.sum(axis=0), -1)
    return [int(i) for i in np.argsort(-seen, kind="stable") if seen[i] > 2]


WEAK = {
    "facade, one line, RTK": Weak(lambda: along_the_wall((3.0, 0.0)), wall, RTK),
    "facade, two lines 3 m apart, RTK": Weak(
        lambda: along_the_wall((2.5, 0.0), (5.5, 0.0)), wall, RTK
    ),
    "the same in wind of 1°": Weak(
        lambda: along_the_wall((2.5, 0.0), (5.5, 0.0)), wall, RTK, wind_deg=1.0
    ),
    "the same in wind of 3°": Weak(
        lambda: along_the_wall((2.5, 0.0), (5.5, 0.0)), wall, RTK, wind_deg=3.0
    ),
    "bays and pavement, wind of 3°, six a line": Weak(
        lambda: along_the_wall((2.5, 0.0), (5.5, 0.0), photos=6), wall_and_ground, RTK,
        wind_deg=3.0,
    ),
    "the upper line looks 15° down": Weak(
        lambda: along_the_wall((2.5, 0.0), (5.5, -15.0)), wall, RTK, wind_deg=1.0
    ),
    "strip, control at one end, GNSS": Weak(line, strip_of_ground, GNSS, at_one_end),
    "ring without photos from above, RTK": Weak(networks.orbit_poses, field, RTK),
    "ring without photos from above, GNSS": Weak(networks.orbit_poses, field, GNSS),
    "five photos, RTK": Weak(five, field, RTK),
    "nadir at one height, RTK": Weak(nadir, field, RTK),
    "nadir and oblique, control on a line, GNSS": Weak(
        block_and_ring, field, GNSS, nearly_on_a_line
    ),
    "nadir and oblique, control on a line, alone": Weak(
        block_and_ring, field, None, nearly_on_a_line
    ),
    "nadir and oblique, one scale bar": Weak(block_and_ring, field, None, one_bar),
    "nadir, one scale bar": Weak(nadir, field, None, one_bar),
}  # fmt: skip


@dataclass
class Found:
    """What was counted over a network's draws."""

    draws: int = 0
    determined: int = 0
    asked: int = 0
    valued: int = 0
    inside: int = 0
    at: int = 0
    at_inside: int = 0

    def __post_init__(self) -> None:
        self.half_m: list[float] = []
        self.off_m: list[float] = []
        self.stated_m: list[float] = []


def truth_of(weak: Weak, seed: int) -> Network:
    """The network of a seed, its most seen points first."""
    rng = np.random.default_rng([seed, 1])
    points, camera = weak.points(rng), lens(rng)
    views = tuple(
        View(f"photo_{i:03d}.jpg", Path(f"photo_{i:03d}.jpg"), camera, pose)
        for i, pose in enumerate(turned(pose, weak.wind_deg, rng) for pose in weak.poses())
    )
    pixels = np.array([networks.project(view, points) for view in views])
    visible = np.isfinite(pixels[..., 0])
    order = np.argsort(-visible.sum(axis=0), kind="stable")
    return Network(views, points[order], visible[:, order], pixels[:, order])


def lens(rng: np.random.Generator) -> Camera:
    """The true camera of one draw; the focal length is that of `flown`'s prior, give or take."""
    cx, cy = np.array([800.0, 600.0]) + rng.normal(0.0, PRINCIPAL_PX, 2)
    k1, k2 = rng.normal(0.0, RADIAL)
    p1, p2 = rng.normal(0.0, TANGENTIAL, 2)
    params = tuple(float(v) for v in (1400.0, 1400.0, cx, cy, k1, k2, p1, p2))
    return Camera("OPENCV", networks.WIDTH_PX, networks.HEIGHT_PX, params)


def turned(pose: FloatArray, by_deg: float, rng: np.random.Generator) -> FloatArray:
    """The pose turned at random about its own centre."""
    turn = Rotation.from_rotvec(np.radians(rng.normal(0.0, by_deg, 3))).as_matrix()
    return np.asarray(turn @ pose)


def flown(weak: Weak, truth: Network, seed: int) -> CameraNetwork:
    """The adjusted network of one draw."""
    rng = np.random.default_rng([seed, 2])
    sfm = networks.sfm_result(
        truth, noise_px=float(rng.uniform(*NOISE_PX)), seed=10 * seed + 1, start_camera=START
    )
    photos = networks.photo_inputs(
        truth, sigma_m=weak.sigma_m, seed=10 * seed + 2,
        focal_prior_px=float(1400.0 * (1.0 + rng.normal(0.0, FOCAL_SIGMA))),
    )  # fmt: skip
    if weak.angles:
        photos = with_angles(truth, photos, rng)
    return adjust(sfm, photos, weak.control(truth, 10 * seed + 3))


def with_angles(
    truth: Network, photos: Sequence[PhotoInput], rng: np.random.Generator
) -> list[PhotoInput]:
    """The photos with gimbal angles: noise of their own, and one constant error of the gimbal."""
    mounting = rng.normal(0.0, MOUNTING_DEG, 2)
    said = []
    for view, photo in zip(truth.views, photos, strict=True):
        forward, right = view.cam_from_enu[2, :3], view.cam_from_enu[0, :3]
        pitch = np.degrees(np.arcsin(np.clip(forward[2], -1.0, 1.0)))
        yaw = np.degrees(np.arctan2(forward[0], forward[1]))
        if abs(pitch) > 80.0:  # straight down, the photo's top tells where the nose points
            up = -view.cam_from_enu[1]
            yaw = np.degrees(np.arctan2(up[0], up[1]))
        across = np.array([np.cos(np.radians(yaw)), -np.sin(np.radians(yaw)), 0.0])
        lowered = np.cross(forward, across)
        roll = np.degrees(np.arctan2(right @ lowered, right @ across))
        turn = mounting + rng.normal(0.0, GIMBAL_DEG, 2)
        said.append(replace(photo, gimbal_deg=(float(yaw), pitch + turn[0], roll + turn[1])))
    return said


def counted(weak: Weak, seed: int, found: Found) -> None:
    """One more draw."""
    truth = truth_of(weak, seed)
    net = flown(weak, truth, seed)
    found.draws += 1
    found.determined += net.accuracy.vertical_scale_determined is not False
    rng = np.random.default_rng([seed, 3])
    often = int((truth.visible.sum(axis=0) >= 4).sum())
    for _ in range(ROUNDS):
        for kind in KINDS:
            chosen = [int(i) for i in rng.choice(often, 2, replace=False)]
            marks = marked(truth, chosen, rng)
            got = measure.from_marks(net, marks, kind, [f"m{i}" for i in chosen])
            found.asked += 1
            if got.determined:
                true = TRUE_VALUES[kind](truth.points[chosen])
                found.valued += 1
                found.inside += got.ci95_low <= true <= got.ci95_high
                found.half_m.append(0.5 * (got.ci95_high - got.ci95_low))
    if net.frame.origin is not None:
        _coordinates(net, truth, often, rng, found)


def _coordinates(
    net: CameraNetwork, truth: Network, often: int, rng: np.random.Generator, found: Found
) -> None:
    assert net.frame.origin is not None
    for index in rng.choice(often, 6, replace=False):
        at = locate.position(net, marked(truth, [int(index)], rng), f"m{index}")
        if at is None:
            continue
        geodetic = EnuFrame(ORIGIN).geodetic_from_enu(truth.points[index])
        off = at[0] - EnuFrame(net.frame.origin).enu_from_geodetic(geodetic)
        sigma = np.sqrt(np.diag(at[1]))
        found.at += 3
        found.at_inside += int((np.abs(off) <= Z_95 * sigma).sum())
        found.off_m.append(float(np.linalg.norm(off)))
        found.stated_m.append(float(np.linalg.norm(sigma)))


def row(name: str, found: Found) -> str:
    """A network's line of the table."""
    held = f"{found.inside / found.valued:.1%}" if found.valued else "–"
    half = f"{1e3 * np.median(found.half_m):.0f} mm" if found.half_m else "–"
    at = f"{found.at_inside / found.at:.1%}" if found.at else "–"
    off = (
        f"{1e3 * np.sqrt(np.mean(np.square(found.off_m))):.0f}/"
        f"{1e3 * np.sqrt(np.mean(np.square(found.stated_m))):.0f} mm"
        if found.at else "–"
    )  # fmt: skip
    return (
        f"{name:46}{found.determined:>4}/{found.draws:<4}{found.valued:>6}/{found.asked:<6}"
        f"{held:>8}{half:>10}{at:>9}{off:>16}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="networks whose name holds this text")
    asked = parser.parse_args()
    start = time.process_time()
    print(f"{'':46}{'determ.':>9}{'valued':>13}{'held':>8}{'± median':>10}"
          f"{'coord.':>9}{'off/stated':>16}")  # fmt: skip
    for name, weak in WEAK.items():
        if asked.only not in name:
            continue
        found = Found()
        for seed in range(asked.seed, asked.seed + asked.draws):
            counted(weak, seed, found)
        print(row(name, found), flush=True)
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
