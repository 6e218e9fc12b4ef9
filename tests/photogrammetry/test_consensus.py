"""A wrong mark or a misplaced photo is found and named; where it cannot be, nothing is stated."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from droneteam.photogrammetry.cameras.consensus import agreeing
from droneteam.photogrammetry.cameras.triangulation import intersect, optics
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.measuring import measure
from droneteam.photogrammetry.scene import (
    Accuracy,
    CameraNetwork,
    Frame,
    NetworkCovariance,
    View,
)
from tests.photogrammetry import networks
from tests.photogrammetry.networks import ORIGIN, looking, orbit_poses, project

POINTS = {"a": np.array([1.0, -2.0, 0.3]), "b": np.array([-3.0, 1.5, 0.1])}
SIGMA_PX = 0.5


def ring(n: int) -> CameraNetwork:
    """Cameras around the points, known to 2 mm and 10 microradians, every one on its own."""
    views = tuple(
        View(f"p{i:02d}", Path(f"p{i:02d}"), networks.CAMERA, pose)
        for i, pose in enumerate(orbit_poses(n))
    )
    covariance = NetworkCovariance(
        matrix=np.diag(np.tile([1e-10] * 3 + [4e-6] * 3, n)),
        pose_columns=np.arange(0, 6 * n, 6),
        intrinsics_columns=np.full((n, 12), -1),
    )
    frame = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
    sparse = networks.sfm_result(
        networks.network(orbit_poses(2), n_points=5), noise_px=0.1, seed=0
    ).groups[0].sparse  # fmt: skip
    return CameraNetwork(views, sparse, frame, Accuracy(0.3, "gcp", True), covariance=covariance)


def marks_in(net: CameraNetwork, seed: int, names: str = "ab") -> list[Mark]:
    rng = np.random.default_rng(seed)
    found = []
    for name in names:
        for view in net.views:
            x, y = project(view, POINTS[name][None])[0] + rng.normal(0.0, SIGMA_PX, 2)
            found.append(Mark(name, view.name, float(x), float(y), SIGMA_PX))
    return found


def shifted(marks: list[Mark], point: str, photo: str, by: tuple[float, float]) -> list[Mark]:
    return [
        replace(m, x_px=m.x_px + by[0], y_px=m.y_px + by[1])
        if (m.point, m.photo) == (point, photo)
        else m
        for m in marks
    ]


TRUE_M = float(np.linalg.norm(POINTS["a"] - POINTS["b"]))


@settings(max_examples=60, deadline=None)
@example(n=4, seed=6993, wrong=0, off_px=40.0, direction=0.0)
@given(
    n=st.integers(4, 9),
    seed=st.integers(0, 10_000),
    wrong=st.integers(0, 8),
    off_px=st.floats(40.0, 3000.0),
    direction=st.floats(0.0, 2.0 * math.pi),
)
def test_one_wrong_mark_among_four_or_more_never_bends_a_point(
    n: int, seed: int, wrong: int, off_px: float, direction: float
) -> None:
    net = ring(n)
    photo = net.views[wrong % n].name
    marks = marks_in(net, seed)
    by = (off_px * math.cos(direction), off_px * math.sin(direction))
    got = measure.distance(net, shifted(marks, "a", photo, by), "a", "b")
    without = [m for m in marks if (m.point, m.photo) != ("a", photo)]
    best = measure.distance(net, without, "a", "b")
    assert got.determined
    assert got.value == pytest.approx(best.value, abs=1e-9)
    assert got.ci95_high == pytest.approx(best.ci95_high, abs=1e-9)
    assert got.photos_rejected == (photo,)
    assert f"{photo}: mark of a is {off_px:.0f} px off" in got.note or "px off" in got.note
    assert abs(got.value - TRUE_M) < 0.08


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), wrong=st.integers(0, 2), along=st.booleans())
def test_one_wrong_mark_among_three_is_found_or_nothing_is_stated(
    seed: int, wrong: int, along: bool
) -> None:
    """Along another photo's epipolar line a wrong mark makes a false pair: then no number."""
    net = ring(3)
    photo, other = net.views[wrong], net.views[(wrong + 1) % 3]
    centre = other.centre_enu_m
    false = centre + 1.2 * (POINTS["a"] - centre)
    x, y = project(photo, false[None])[0]
    rng = np.random.default_rng(seed)
    if not along:
        x, y = x + rng.uniform(60, 900), y - rng.uniform(60, 900)
    marks = [
        replace(m, x_px=float(x), y_px=float(y)) if (m.point, m.photo) == ("a", photo.name) else m
        for m in marks_in(net, seed)
    ]
    got = measure.distance(net, marks, "a", "b")
    if along:
        assert not got.determined
        assert "check the marks in p00, p01, p02" in got.note
    else:
        assert not got.determined or abs(got.value - TRUE_M) < 0.08


def test_a_mark_1700_px_off_is_named_and_moves_nothing() -> None:
    net = ring(6)
    marks = marks_in(net, 1)
    good = measure.distance(net, [m for m in marks if m.photo != "p03"], "a", "b")
    bad = shifted(shifted(marks, "a", "p03", (1700.0, 0.0)), "b", "p03", (0.0, 1700.0))
    got = measure.distance(net, bad, "a", "b")
    assert got.value == pytest.approx(good.value, abs=1e-9)
    assert got.photos_rejected == ("p03",)
    assert "p03" not in got.photos
    assert "p03: mark of a is 1700 px off; not used" in got.note


def test_a_photo_placed_two_metres_off_is_left_out() -> None:
    net = ring(7)
    marks = marks_in(net, 2)
    view = net.views[4]
    moved = looking(view.centre_enu_m + [2.0, 0.0, 0.0], np.degrees(2 * np.pi * 4 / 7) + 180, -45.0)
    views = tuple(replace(v, cam_from_enu=moved) if v is view else v for v in net.views)
    got = measure.distance(replace(net, views=views), marks, "a", "b")
    assert got.photos_rejected == ("p04",)
    assert got.ci95_low < TRUE_M < got.ci95_high
    assert abs(got.value - TRUE_M) < 0.05


def test_two_rays_that_miss_each_other_determine_nothing() -> None:
    net = ring(6)
    two = [m for m in marks_in(net, 3) if m.photo in ("p00", "p02")]
    assert measure.distance(net, two, "a", "b").determined
    along, across = 0, 0
    for step in range(12):
        turn = math.pi * step / 6
        by = (300.0 * math.cos(turn), 300.0 * math.sin(turn))
        got = measure.distance(net, shifted(two, "a", "p02", by), "a", "b")
        if got.determined:
            along += 1
            assert "two photos" in got.note
        else:
            across += 1
            assert math.isnan(got.value)
            assert "p00" in got.note
            assert "p02" in got.note
    assert across >= 10
    assert along <= 2


def test_half_of_the_marks_wrong_determines_nothing() -> None:
    net = ring(6)
    marks = marks_in(net, 4)
    for i, photo in enumerate(("p01", "p03", "p05")):
        marks = shifted(marks, "a", photo, (400.0 + 170.0 * i, -300.0 + 260.0 * i))
    got = measure.distance(net, marks, "a", "b")
    assert not got.determined
    assert "only 3 of the 6 marks of a agree" in got.note


def test_the_same_photo_marked_twice_is_one_photo() -> None:
    net = ring(4)
    marks = [m for m in marks_in(net, 5) if m.photo == "p00"]
    got = measure.distance(net, [*marks, *marks], "a", "b")
    assert not got.determined
    assert "a is marked in 1 oriented photo" in got.note


def test_an_honest_scatter_widens_and_rejects_nobody() -> None:
    net = ring(9)
    rng = np.random.default_rng(6)
    loose = [
        replace(m, x_px=m.x_px + rng.normal(0, 3.0), y_px=m.y_px + rng.normal(0, 3.0))
        for m in marks_in(net, 6)
    ]
    stated = measure.distance(net, marks_in(net, 6), "a", "b")
    got = measure.distance(net, loose, "a", "b")
    assert got.photos_rejected == ()
    assert "scatter by" in got.note
    ratio = (got.ci95_high - got.ci95_low) / (stated.ci95_high - stated.ci95_low)
    assert 3.0 < ratio < 9.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n_wrong=st.integers(0, 2))
def test_the_consensus_is_the_largest_subset_that_fits(seed: int, n_wrong: int) -> None:
    """Against every subset of the marks, solved by least squares on its own."""
    net = ring(6)
    rng = np.random.default_rng(seed)
    arrays = optics(net.views)
    pixels = np.array([project(v, POINTS["a"][None])[0] for v in net.views])
    pixels += rng.normal(0.0, SIGMA_PX, pixels.shape)
    for i in rng.choice(6, n_wrong, replace=False):
        pixels[i] += rng.choice([-1, 1], 2) * rng.uniform(60, 500, 2)
    views, sigma = np.arange(6), np.full(6, SIGMA_PX)
    found = agreeing(arrays, views, pixels, sigma)
    assert found is not None
    largest: tuple[int, ...] = ()
    for size in range(6, 1, -1):
        for subset in combinations(range(6), size):
            rows = np.array(subset)
            hit = intersect(arrays, views[rows], pixels[rows], sigma[rows])
            if hit is not None and np.linalg.norm(hit.residuals, axis=1).max() < 4.0:
                largest = subset
                break
        if largest:
            break
    assert tuple(found.kept) == largest
    assert len(found.rejected) == n_wrong
