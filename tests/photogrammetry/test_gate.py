"""The honesty gate is right on both sides: open where a depth is open, silent where it is not.

A focal length and a depth can be traded for each other exactly when every camera looks the same
way (x = f X / Z).  Whether something else holds one of the two is what each network here varies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.control import NO_CONTROL, Control, ScaleBar
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.networks import Network, control_of, marks_of, photo_inputs, sfm_result

GNSS = (3.0, 3.0, 6.0)
RTK = (0.02, 0.02, 0.03)
Sigma = tuple[float, float, float]


@dataclass(frozen=True)
class Flight:
    """A network and what is known of it."""

    poses: tuple[FloatArray, ...]
    relief_m: float = 0.05
    sigma_m: Sigma | None = GNSS
    known: bool = False
    control: str = "none"
    focal_prior_px: float | None = 1400.0


def nadir() -> tuple[FloatArray, ...]:
    return tuple(networks.block_poses(side=4, spacing_m=7.0))


def two_heights() -> tuple[FloatArray, ...]:
    return (*nadir(), *networks.block_poses(height_m=18.0, side=3, spacing_m=7.0))


def with_ring() -> tuple[FloatArray, ...]:
    return (*networks.block_poses(), *networks.orbit_poses())


def few_with_ring() -> tuple[FloatArray, ...]:
    """Six photos from above, alternately turned, and six from around, as of one small object."""
    above = [
        networks.looking(np.array([e, n, 30.0]), 40.0 * i, -90.0)
        for i, (e, n) in enumerate((e, n) for n in (-4.0, 4.0) for e in (-7.5, 0.0, 7.5))
    ]
    return (*above, *networks.orbit_poses(n=6))


OPEN = {
    "flat ground straight from above": Flight(nadir()),
    "the same without any position": Flight(nadir(), sigma_m=None),
    "relief straight from above": Flight(nadir(), relief_m=5.0),
    "RTK straight from above": Flight(nadir(), sigma_m=RTK),
    "control in one plane": Flight(nadir(), sigma_m=None, control="plane"),
    "a scale bar on the ground": Flight(nadir(), sigma_m=None, control="bar on the ground"),
    "an upright scale bar and nothing across": Flight(nadir(), sigma_m=None, control="upright bar"),
}
DETERMINED = {
    "a ring of oblique photos": Flight(with_ring(), relief_m=1.0),
    "a ring and no position": Flight(with_ring(), relief_m=1.0, sigma_m=None),
    "a ring around flat ground and an unknown lens": Flight(
        few_with_ring(), sigma_m=None, focal_prior_px=None
    ),
    "RTK at two heights": Flight(two_heights(), sigma_m=RTK),
    "RTK and control in one datum": Flight(nadir(), sigma_m=RTK, control="plane"),
    "control at different heights": Flight(nadir(), relief_m=4.0, sigma_m=None, control="heights"),
    "RTK and an upright scale bar": Flight(nadir(), sigma_m=RTK, control="upright bar"),
    "a calibrated camera": Flight(nadir(), known=True),
}


def built(flight: Flight, seed: int = 1) -> tuple[CameraNetwork, Network]:
    truth = networks.network(
        list(flight.poses), n_points=130, relief_m=flight.relief_m, seed=5 + seed
    )
    truth, control = _control(truth, flight.control)
    photos = photo_inputs(
        truth,
        sigma_m=flight.sigma_m,
        seed=2 + seed,
        known=flight.known,
        focal_prior_px=flight.focal_prior_px,
    )
    return adjust(sfm_result(truth, noise_px=0.4, seed=seed), photos, control), truth


def _control(truth: Network, kind: str) -> tuple[Network, Control]:
    most_seen = [int(i) for i in np.argsort(-truth.visible.sum(axis=0), kind="stable")]
    if kind == "none":
        return truth, NO_CONTROL
    if kind == "plane":
        return truth, control_of(truth, most_seen[:6], seed=3)
    if kind == "heights":
        by_height = sorted(most_seen[:40], key=lambda i: truth.points[i, 2])
        chosen = [*_apart(truth, by_height[:10]), *_apart(truth, by_height[-10:])]
        return truth, control_of(truth, chosen, seed=3)
    foot = truth.points[most_seen[0]]
    head = foot + ([0.0, 0.0, 2.0] if kind == "upright bar" else [2.0, 0.0, 0.0])
    truth = _with_point(truth, head)
    rng = np.random.default_rng(3)
    ends = (most_seen[0], len(truth.points) - 1)
    marks = [
        m for i, name in zip(ends, "ab", strict=True) for m in marks_of(truth, i, name, rng, 0.3)
    ]
    return truth, Control(bars=(ScaleBar("bar", "a", "b", 2.0),), marks=tuple(marks))


def _apart(truth: Network, candidates: list[int]) -> list[int]:
    """Three of the points that lie far from each other, as a surveyor would choose them.

    Points that happen to lie together leave it to a tilt of the whole block to explain a height.
    """
    chosen = candidates[:1]
    for _ in range(2):
        gaps = np.linalg.norm(
            truth.points[candidates][:, None, :2] - truth.points[chosen][None, :, :2], axis=2
        ).min(axis=1)
        chosen.append(candidates[int(np.argmax(gaps))])
    return chosen


def _with_point(truth: Network, point: FloatArray) -> Network:
    points = np.vstack([truth.points, point])
    pixels = np.array([networks.project(view, points) for view in truth.views])
    return replace(truth, points=points, pixels=pixels, visible=np.isfinite(pixels[..., 0]))


def said(net: CameraNetwork) -> bool:
    return any(w.startswith("vertical scale not determined") for w in net.accuracy.warnings)


QUICK = (
    "flat ground straight from above",
    "RTK straight from above",
    "control in one plane",
    "a ring of oblique photos",
    "a ring around flat ground and an unknown lens",
    "RTK at two heights",
    "control at different heights",
)
"""Tried by default; the others with the slow tests."""


def quick_or_slow(names: Iterable[str]) -> list[object]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", quick_or_slow(OPEN))
def test_an_open_depth_is_said(name: str) -> None:
    net, _ = built(OPEN[name])
    assert net.accuracy.vertical_scale_determined is False
    assert said(net)
    assert net.covariance is not None
    assert net.covariance.depth_mode is not None


@pytest.mark.parametrize("name", quick_or_slow(DETERMINED))
def test_a_depth_that_is_held_is_not_called_open(name: str) -> None:
    net, truth = built(DETERMINED[name])
    assert net.accuracy.vertical_scale_determined is True
    assert not said(net)
    focal = net.views[0].camera.focal_px[0]
    true = truth.views[0].camera.focal_px[0]
    assert abs(focal / true - 1.0) < 0.02  # a gate that is silent must be right to be


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("name", [*OPEN, *DETERMINED])
def test_other_noise_and_ground_change_no_answer(name: str, seed: int) -> None:
    flight = {**OPEN, **DETERMINED}[name]
    net, _ = built(flight, seed)
    assert net.accuracy.vertical_scale_determined is (name in DETERMINED)


@pytest.mark.parametrize("focal_prior_px", [1250.0, pytest.param(1550.0, marks=pytest.mark.slow)])
def test_a_wrong_focal_prior_does_not_silence_it(focal_prior_px: float) -> None:
    truth = networks.network(list(nadir()), n_points=130, relief_m=0.05, seed=6)
    photos: list[PhotoInput] = photo_inputs(
        truth, sigma_m=GNSS, seed=3, focal_prior_px=focal_prior_px
    )
    net = adjust(sfm_result(truth, noise_px=0.4, seed=1), photos)
    assert net.accuracy.vertical_scale_determined is False
