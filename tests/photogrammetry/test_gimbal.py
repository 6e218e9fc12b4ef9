"""Gimbal angles level a scene where positions are too coarse, and never where they are wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import bundle, gimbal
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.adjust_setup import set_up
from droneteam.photogrammetry.cameras.bundle_problem import (
    NO_TAIL,
    Levels,
    Problem,
    State,
)
from droneteam.photogrammetry.cameras.bundle_rows import level_residuals, linearised
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.control import NO_CONTROL
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import ORIGIN, Network, control_of, photo_inputs, sfm_result

RTK = (0.015, 0.015, 0.03)
NOISE_RAD = np.radians([0.06, 0.06, 0.06])
TILT_RAD = 2.5e-3
"""Heights 2 cm too low in the west and too high in the east."""


@cache
def block() -> Network:
    """Strips to and fro, and a ring that looks at the middle."""
    poses = networks.block_poses(spacing_m=9.0) + networks.orbit_poses(6, radius_m=14.0)
    return networks.network(poses, n_points=90, relief_m=3.0, seed=4)


@cache
def one_heading() -> Network:
    poses = networks.block_poses(spacing_m=9.0)
    north = [
        networks.looking(-pose[:, :3].T @ pose[:, 3], 0.0, -90.0 + 0.3 * (i % 3))
        for i, pose in enumerate(poses)
    ]
    return networks.network(north, n_points=90, relief_m=3.0, seed=4)


def angles_of(cam_from_enu: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch, roll of a camera, in plain trigonometry: where it looks, and how it lies."""
    right, down, forward = cam_from_enu
    yaw = np.arctan2(forward[0], forward[1])
    roll = np.arctan2(-right[2], -down[2])
    yaw_deg, pitch_deg, roll_deg = np.degrees([yaw, np.arcsin(forward[2]), roll]).tolist()
    return yaw_deg, pitch_deg, roll_deg


def with_angles(
    photos: list[PhotoInput],
    truth: Network,
    *,
    seed: int,
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    tilt_deg: float = 0.0,
    noise_rad: FloatArray = NOISE_RAD,
) -> list[PhotoInput]:
    """The photos with noisy angles, turned about the camera's axes, and about the world's north."""
    rng = np.random.default_rng(seed)
    constant = Rotation.from_rotvec(np.radians(turn_deg)).as_matrix()
    world = Rotation.from_rotvec([0.0, np.radians(tilt_deg), 0.0]).as_matrix()
    stated = []
    for photo, view in zip(photos, truth.views, strict=True):
        noise = Rotation.from_rotvec(rng.normal(0.0, noise_rad)).as_matrix()
        stated.append(
            replace(
                photo, gimbal_deg=angles_of(noise @ constant @ view.cam_from_enu[:, :3] @ world.T)
            )
        )
    return stated


def tilted_positions(truth: Network, tilt_rad: float = TILT_RAD) -> list[PhotoInput]:
    """Exact positions but for heights that rise to the east: one draw of the receiver's noise."""
    enu, photos = EnuFrame(ORIGIN), photo_inputs(truth, sigma_m=RTK, seed=2, known=True)
    east = np.array([view.centre_enu_m[0] for view in truth.views])
    moved = []
    for photo, view, away in zip(photos, truth.views, east - east.mean(), strict=True):
        at = view.centre_enu_m + [0.0, 0.0, tilt_rad * away]
        place = GeoPoint(*map(float, enu.geodetic_from_enu(at)))
        moved.append(replace(photo, position=place))
    return moved


def solved(truth: Network, photos: list[PhotoInput]) -> CameraNetwork:
    return adjust(sfm_result(truth, noise_px=0.3, seed=1), photos)


def tilt_mrad(net: CameraNetwork, truth: Network) -> float:
    """How far the cameras are turned about the horizontal axes, all together."""
    turns = [
        (Rotation.from_matrix(t.cam_from_enu[:, :3]).inv()
         * Rotation.from_matrix(v.cam_from_enu[:, :3])).as_rotvec()
        for v, t in zip(net.views, truth.views, strict=True)
    ]  # fmt: skip
    return float(1e3 * np.linalg.norm(np.mean(turns, axis=0)[:2]))


def said(net: CameraNetwork) -> list[str]:
    return [w for w in net.accuracy.warnings if "gimbal" in w]


def test_a_tilt_that_position_noise_leaves_is_taken_out() -> None:
    truth = block()
    photos = tilted_positions(truth)
    bare, levelled = (solved(truth, p) for p in (photos, with_angles(photos, truth, seed=3)))
    assert 1.0 < tilt_mrad(bare, truth) < 2.0
    assert tilt_mrad(levelled, truth) < 0.6
    assert said(bare) == []
    (note,) = said(levelled)
    assert "level the scene" in note
    assert known(note)


def test_a_constant_error_of_the_angles_shows_over_headings_and_does_no_harm() -> None:
    truth = block()
    photos = with_angles(
        tilted_positions(truth), truth, seed=3, turn_deg=(0.7, -0.5, 0.4)
    )  # fmt: skip
    net = solved(truth, photos)
    assert "level the scene" in said(net)[0]
    assert tilt_mrad(net, truth) < 0.6


def test_in_one_heading_a_constant_error_passes_for_a_tilt_and_has_no_say() -> None:
    truth = one_heading()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2, known=True)
    bare = solved(truth, photos)
    net = solved(truth, with_angles(photos, truth, seed=3, turn_deg=(0.7, -0.5, 0.4)))
    assert said(net) == []
    np.testing.assert_array_equal(net.views[5].cam_from_enu, bare.views[5].cam_from_enu)


def test_angles_that_contradict_the_positions_are_named_and_not_used() -> None:
    truth = block()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2, known=True)
    bare = solved(truth, photos)
    net = solved(truth, with_angles(photos, truth, seed=3, tilt_deg=0.8))
    (note,) = said(net)
    assert "not used" in note
    assert known(note)
    np.testing.assert_array_equal(net.views[5].cam_from_enu, bare.views[5].cam_from_enu)


def test_wild_angles_of_some_photos_lose_their_weight() -> None:
    truth = block()
    photos = with_angles(tilted_positions(truth), truth, seed=3)
    for index in (1, 6, 11):
        yaw, pitch, roll = photos[index].gimbal_deg or (0.0, 0.0, 0.0)
        photos[index] = replace(photos[index], gimbal_deg=(yaw, pitch + 25.0, roll + 40.0))
    assert tilt_mrad(solved(truth, photos), truth) < 0.6


@pytest.mark.slow
def test_angles_without_sense_are_not_used() -> None:
    truth = block()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2, known=True)
    net = solved(truth, [replace(p, gimbal_deg=(0.0, 0.0, 0.0)) for p in photos])
    assert not any("level the scene" in note for note in said(net))
    assert tilt_mrad(net, truth) < 2.0


def test_a_plain_receivers_scene_is_levelled_by_its_angles() -> None:
    truth = block()
    photos = photo_inputs(truth, sigma_m=(1.5, 1.5, 3.0), seed=2, known=True)
    bare, net = (solved(truth, p) for p in (photos, with_angles(photos, truth, seed=3)))
    assert tilt_mrad(bare, truth) > 10.0
    assert tilt_mrad(net, truth) < 3.0


@pytest.mark.slow
def test_where_control_fixes_the_tilt_the_angles_are_not_asked() -> None:
    truth = block()
    photos = with_angles(
        photo_inputs(truth, sigma_m=RTK, seed=2, known=True), truth, seed=3, tilt_deg=0.8
    )
    control = control_of(truth, [0, 1, 2, 3, 4, 5], seed=4)
    net = adjust(sfm_result(truth, noise_px=0.3, seed=1), photos, control)
    assert said(net) == []


@pytest.mark.slow
def test_positions_that_fix_the_tilt_better_than_any_angle_are_left_alone() -> None:
    truth = block()
    photos = photo_inputs(truth, sigma_m=(0.002, 0.002, 0.002), seed=2, known=True)
    bare, net = (solved(truth, p) for p in (photos, with_angles(photos, truth, seed=3)))
    assert said(net) == []
    np.testing.assert_array_equal(net.views[5].cam_from_enu, bare.views[5].cam_from_enu)
    assert tilt_mrad(net, truth) < 0.3


def test_they_do_not_make_a_flat_blocks_heights_look_determined() -> None:
    truth = networks.network(networks.block_poses(), n_points=120, relief_m=0.3, seed=2)
    photos = photo_inputs(truth, sigma_m=(3.0, 3.0, 6.0), seed=2, focal_prior_px=1450.0)
    net = solved(truth, with_angles(photos, truth, seed=3))
    assert net.accuracy.vertical_scale_determined is False


def test_noise_is_found_and_drift_counts_for_more() -> None:
    rng, n = np.random.default_rng(5), 60
    levels = Levels(
        sigma_rad=np.full((n, 2), 0.02), gimbal=np.zeros(n, np.int64), ups=np.zeros((n, 3))
    )
    white = rng.normal(0.0, 2e-3, (n, 2))
    drift = np.cumsum(rng.normal(0.0, 5e-4, (n, 2)), axis=0)
    drift *= 2e-3 / drift.std(axis=0)
    found = gimbal.noise_rad(white, levels)
    assert 1.6e-3 < found.min() <= found.max() < 3.0e-3
    assert (gimbal.noise_rad(drift, levels)[0] > 2.0 * found[0]).all()


def test_no_noise_at_all_is_not_believed() -> None:
    levels = Levels(sigma_rad=np.full((20, 2), 0.02), gimbal=np.zeros(20, np.int64))
    assert gimbal.noise_rad(np.zeros((20, 2)), levels).min() == pytest.approx(np.radians(0.05))


def test_error_axes_are_perpendicular_to_up_and_to_each_other() -> None:
    rng = np.random.default_rng(1)
    ups = np.vstack([rng.normal(0, 1, (20, 3)), [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]])
    ups /= np.linalg.norm(ups, axis=1, keepdims=True)
    axes = gimbal.error_axes(ups)
    np.testing.assert_allclose(axes @ ups[:, :, None], 0.0, atol=1e-12)
    products = axes @ axes.transpose(0, 2, 1)
    np.testing.assert_allclose(products, np.tile(np.eye(2), (22, 1, 1)), atol=1e-12)


def levelled_problem(seed: int) -> tuple[Problem, State]:
    """A network with angles in it, at a state that no observation fits exactly."""
    truth = block()
    photos = with_angles(photo_inputs(truth, sigma_m=RTK, seed=seed), truth, seed=seed)
    setup = set_up(
        sfm_result(truth, noise_px=0.3, seed=seed), photos, NO_CONTROL,
        focal_sigma=0.025, vertical_datum="WGS84 ellipsoid", datum_note="",
    )  # fmt: skip
    levels = gimbal.stated_levels(setup.views, photos, setup.problem)
    assert levels is not None
    levels = replace(levels, sigma_rad=np.broadcast_to(NOISE_RAD[:2], (15, 2)))
    problem = replace(setup.problem, priors=replace(setup.problem.priors, levels=levels))
    state = replace(setup.state, mounting_rad=np.array([[1e-3, -2e-3, 1.5e-3]]),
                    plumb=np.array([2e-3, -1e-3]))  # fmt: skip
    return problem, state


def test_derivatives_of_the_levels_agree_with_differences() -> None:
    problem, state = levelled_problem(1)
    columns = bundle.layout(problem)
    rows = linearised(problem, columns, state)
    assert rows is not None
    # The angles' rows come last but for the priors of their own unknowns.
    mine = rows.jacobian.toarray()[-30 - 5 : -5]
    step, points = 1e-7, np.zeros_like(state.points)
    asked = [*range(6), *range(columns.level, columns.size)]
    for column in asked:
        change = np.zeros(columns.size)
        change[column] = step
        there = bundle.moved(state, columns, change, points)
        levels = problem.priors.levels
        moved = (level_residuals(levels, there) - level_residuals(levels, state)) / step
        np.testing.assert_allclose(mine[:, column], -moved.ravel(), atol=1.5e-3)


@pytest.mark.parametrize("draws", [25, pytest.param(150, marks=pytest.mark.slow)])
def test_the_tilt_scatters_as_its_covariance_says(draws: int) -> None:
    """Every observation redrawn by the noise that the adjustment is told of."""
    problem, state = levelled_problem(1)
    problem = replace(
        problem, tie_sigma_px=0.3, tie_tail=NO_TAIL, prior_tail=NO_TAIL,
        free=np.zeros_like(problem.free),
    )  # fmt: skip
    state = replace(
        bundle.solve(problem, state, iterations=30, tol=1e-9).state,
        mounting_rad=np.zeros((1, 3)), plumb=np.zeros(2), bias=np.zeros(3),
    )  # fmt: skip
    exact = exactly(problem, state)
    covariance = bundle.covariance(exact, bundle.solve(exact, state, iterations=1))
    tilt = gimbal.tilt_covariance(exact, state, covariance)
    rng, distances = np.random.default_rng(9), []
    for _ in range(draws):
        found = bundle.solve(disturbed(exact, state, rng), state, iterations=8).state
        off = gimbal.tilt_between(state, found)
        distances.append(float(off @ np.linalg.solve(tilt, off)))
    low, high = chi2.ppf([0.001, 0.999], 2 * draws)
    assert low < sum(distances) < high


def exactly(problem: Problem, state: State) -> Problem:
    """The problem whose every observation is what the state says."""
    levels, ties = problem.priors.levels, problem.ties
    ups = np.array([r[:, 2] for r in state.rotations])
    priors = replace(
        problem.priors,
        centres=state.centres,
        levels=replace(levels, ups=ups, axes=gimbal.error_axes(ups)),
    )
    pixels = ties.pixels - bundle.residuals(problem, state)
    return replace(problem, ties=replace(ties, pixels=pixels), priors=priors)


def disturbed(problem: Problem, state: State, rng: np.random.Generator) -> Problem:
    """With noise on pixels, positions, angles, the mounting and the plumb line."""
    priors, levels = problem.priors, problem.priors.levels
    turn = Rotation.from_rotvec(rng.normal(0.0, levels.mounting_sigma_rad, 3)).as_matrix()
    up = np.array([*rng.normal(0.0, levels.plumb_sigma_rad, 2), 1.0])
    ups = state.rotations @ up @ turn.T
    noise = rng.normal(0.0, 1.0, levels.sigma_rad.shape) * levels.sigma_rad
    axes = gimbal.error_axes(ups)
    ups = ups + np.einsum("na,nai->ni", noise, axes)
    shift = rng.normal(0.0, priors.bias_sigma)
    centres = priors.centres + shift + rng.normal(0.0, priors.centre_sigma)
    pixels = problem.ties.pixels + rng.normal(0.0, problem.tie_sigma_px, problem.ties.pixels.shape)
    return replace(
        problem,
        ties=replace(problem.ties, pixels=pixels),
        priors=replace(priors, centres=centres, levels=replace(levels, ups=ups, axes=axes)),
    )
