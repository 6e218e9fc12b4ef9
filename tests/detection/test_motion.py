"""The filter over arrays against one written track by track with matrices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from droneteam.detection import motion
from droneteam.detection.bank import REPLAY_S, Bank, Fixes
from droneteam.detection.motion import Belief, MotionModel
from droneteam.errors import InputError
from droneteam.geo import MEAN_RADIUS_M

MODEL = MotionModel()


class Plain:
    """A textbook IMM of one track: 4 x 4 matrices, a joint update, determinants."""

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        self.means = [mean.copy(), mean.copy()]
        self.covariances = [covariance.copy(), covariance.copy()]
        total = MODEL.manoeuvre_every_s + MODEL.manoeuvre_for_s
        self.weights = np.array([MODEL.manoeuvre_every_s, MODEL.manoeuvre_for_s]) / total

    def predict(self, dt_s: float) -> None:
        rates = np.array([1.0 / MODEL.manoeuvre_every_s, 1.0 / MODEL.manoeuvre_for_s])
        generator = np.array([[-rates[0], rates[0]], [rates[1], -rates[1]]])
        values, vectors = np.linalg.eig(generator)
        chain = (vectors @ np.diag(np.exp(values * dt_s)) @ np.linalg.inv(vectors)).real
        after = self.weights @ chain
        means, covariances = [], []
        for model in range(2):
            share = self.weights * chain[:, model] / after[model]
            mean = share[0] * self.means[0] + share[1] * self.means[1]
            covariance = np.zeros((4, 4))
            for weight, m, c in zip(share, self.means, self.covariances, strict=True):
                covariance += weight * (c + np.outer(m - mean, m - mean))
            means.append(mean)
            covariances.append(covariance)
        move = np.eye(4)
        move[0, 2] = move[1, 3] = dt_s
        for model, density in enumerate((MODEL.density_low, MODEL.density_high)):
            block = density * np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]])
            noise = np.kron(block, np.eye(2))
            self.means[model] = move @ means[model]
            self.covariances[model] = move @ covariances[model] @ move.T + noise
        self.weights = after

    def update(self, value: np.ndarray, variance: np.ndarray) -> None:
        known = np.isfinite(variance)
        pick = np.eye(4)[known]
        likelihoods = []
        for model in range(2):
            mean, covariance = self.means[model], self.covariances[model]
            spread = pick @ covariance @ pick.T + np.diag(variance[known])
            miss = value[known] - pick @ mean
            gain = covariance @ pick.T @ np.linalg.inv(spread)
            self.means[model] = mean + gain @ miss
            self.covariances[model] = covariance - gain @ spread @ gain.T
            density = np.exp(-0.5 * miss @ np.linalg.solve(spread, miss))
            likelihoods.append(density / np.sqrt(np.linalg.det(2.0 * np.pi * spread)))
        self.weights = self.weights * np.array(likelihoods)
        self.weights /= self.weights.sum()

    def combined(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self.weights[0] * self.means[0] + self.weights[1] * self.means[1]
        covariance = np.zeros((4, 4))
        for weight, m, c in zip(self.weights, self.means, self.covariances, strict=True):
            covariance += weight * (c + np.outer(m - mean, m - mean))
        return mean, covariance


def full(kept: np.ndarray) -> np.ndarray:
    return kept[motion.INDEX]


def test_the_arrays_equal_a_filter_per_track() -> None:
    generator = np.random.default_rng(1)
    n = 25
    belief = motion.prior(MODEL, generator.normal(0, 5, (2, n)), generator.uniform(3, 30, n), 12.0)
    plain = [Plain(belief.state[:, 0, i], full(belief.covariance[:, 0, i])) for i in range(n)]
    for _ in range(30):
        dt_s = generator.choice([0.0, 0.2, 1.0, 3.7], n)
        value = generator.normal(0, 3, (4, n))
        variance = generator.uniform(0.5, 40, (4, n))
        variance[2:, generator.random(n) < 0.4] = np.inf
        belief, _ = motion.update(motion.predict(belief, dt_s, MODEL), value, variance)
        for i, one in enumerate(plain):
            one.predict(dt_s[i])
            one.update(value[:, i], variance[:, i])
        mean, covariance = motion.combined(belief)
        for i, one in enumerate(plain):
            expected_mean, expected_covariance = one.combined()
            np.testing.assert_allclose(mean[:, i], expected_mean, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(
                full(covariance[:, i]), expected_covariance, rtol=1e-9, atol=1e-9
            )
            np.testing.assert_allclose(belief.weight[:, i], one.weights, rtol=1e-9, atol=1e-12)


def test_no_time_changes_nothing() -> None:
    belief = Belief(*(np.array(a) for a in some_belief(3)))
    after = motion.predict(belief, np.zeros(3), MODEL)
    np.testing.assert_allclose(after.state, belief.state, atol=1e-12)
    np.testing.assert_allclose(after.covariance, belief.covariance, atol=1e-9)
    np.testing.assert_allclose(after.weight, belief.weight)


def some_belief(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    belief = motion.prior(MODEL, generator.normal(0, 9, (2, n)), np.full(n, 4.0), 10.0)
    value, variance = generator.normal(0, 9, (4, n)), np.full((4, n), 5.0)
    belief, _ = motion.update(motion.predict(belief, np.ones(n), MODEL), value, variance)
    return belief.state, belief.covariance, belief.weight


def test_a_manoeuvre_is_followed_and_then_believed() -> None:
    belief = motion.prior(MODEL, np.zeros((2, 1)), np.array([3.0]), 10.0)
    shares = []
    for second in range(1, 31):
        turned = max(0, second - 20)
        value = np.array([[10.0 * (second - turned)], [10.0 * turned], [0.0], [0.0]])
        variance = np.array([[4.0], [4.0], [np.inf], [np.inf]])
        belief, _ = motion.update(motion.predict(belief, np.ones(1), MODEL), value, variance)
        shares.append(float(belief.weight[1, 0]))
    assert shares[19] < 0.15
    assert max(shares[20:24]) > 0.8
    mean, _ = motion.combined(belief)
    assert mean[3, 0] == pytest.approx(10.0, abs=0.7)


@pytest.mark.parametrize("densities", [(0.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_a_model_that_makes_no_sense_is_refused(densities: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="densities"):
        MotionModel(*densities)


def fixes_of(times: list[float], rows: list[int], shift: float = 0.0) -> Fixes:
    t_s = np.array(times)
    n = len(times)
    lat_deg = 50.0 + np.degrees((8.0 * t_s + shift * np.sin(t_s)) / MEAN_RADIUS_M)
    return Fixes(
        row=np.array(rows),
        t_s=t_s,
        lat_deg=lat_deg,
        lon_deg=np.full(n, 4.0),
        velocity_mps=np.zeros((2, n)),
        variance=np.array([[4.0] * n] * 2 + [[np.inf] * n] * 2),
    )


def absorbed(order: list[float], at_once: bool) -> tuple[np.ndarray, ...]:
    bank = Bank(MODEL, 15.0)
    row = bank.start(0.0, 50.0, 4.0)
    if at_once:
        bank.absorb(fixes_of(order, [row] * len(order), 3.0))
    else:
        for t_s in order:
            bank.absorb(fixes_of([t_s], [row], 3.0))
    return bank.estimate(np.array([row]))


@pytest.mark.parametrize("order", list(itertools.permutations([1.0, 1.5, 2.5, 4.0])))
@pytest.mark.parametrize("at_once", [False, True])
def test_the_order_of_arrival_does_not_matter(order: tuple[float, ...], at_once: bool) -> None:
    expected = absorbed([1.0, 1.5, 2.5, 4.0], False)
    for found, wanted in zip(absorbed(list(order), at_once), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_what_is_older_than_the_replay_is_left_out() -> None:
    bank = Bank(MODEL, 15.0)
    row = bank.start(0.0, 50.0, 4.0)
    bank.absorb(fixes_of([1.0, 10.0], [row, row]))
    before = bank.estimate(np.array([row]))
    done = bank.absorb(fixes_of([10.0 - REPLAY_S - 0.1], [row]))
    assert not done.used[0]
    for found, wanted in zip(bank.estimate(np.array([row])), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_tracks_do_not_touch_each_other_when_some_come_late() -> None:
    together, apart = Bank(MODEL, 15.0), [Bank(MODEL, 15.0) for _ in range(100)]
    rows = [together.start(0.0, 50.0, 4.0) for _ in apart]
    for bank in apart:
        bank.start(0.0, 50.0, 4.0)
    generator = np.random.default_rng(3)
    for second in range(1, 9):
        times = [second - 3.0 * (generator.random() < 0.3) for _ in apart]
        times = [max(0.0, t) + 0.001 * i for i, t in enumerate(times)]
        together.absorb(fixes_of(times, rows, 2.0))
        for bank, t_s in zip(apart, times, strict=True):
            bank.absorb(fixes_of([t_s], [0], 2.0))
    place, rate, spread = together.estimate(np.array(rows))
    for index, bank in enumerate(apart):
        for all_of_them, one in zip(
            (place, rate, spread), bank.estimate(np.array([0])), strict=True
        ):
            np.testing.assert_allclose(all_of_them[:, index], one[:, 0], rtol=1e-9, atol=1e-9)


def test_a_far_flight_moves_its_plane_with_it() -> None:
    bank = Bank(MODEL, 15.0)
    row = bank.start(0.0, 50.0, 4.0)
    for second in range(1, 400):
        fix = fixes_of([float(second)], [row])
        far = np.degrees(250.0 * second / MEAN_RADIUS_M)
        bank.absorb(
            Fixes(
                fix.row,
                fix.t_s,
                50.0 + np.array([far]),
                *(getattr(fix, name) for name in ("lon_deg", "velocity_mps", "variance")),
            )
        )
    place, rate, _ = bank.estimate(np.array([row]))
    assert place[0, 0] == pytest.approx(50.0 + np.degrees(250.0 * 399 / MEAN_RADIUS_M), abs=2e-5)
    assert rate[1, 0] == pytest.approx(250.0, abs=1.0)
