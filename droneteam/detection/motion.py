"""How aircraft move: an interacting multiple model filter for many tracks at once.

Two models of nearly constant velocity (white noise acceleration; Bar-Shalom, Li, Kirubarajan:
Estimation with Applications to Tracking and Navigation, 2001, 6.2.2) run side by side: one for
straight flight, one for manoeuvres, mixed by the IMM recursion (same book, 11.6.6).  Switching is
a Markov chain in continuous time, so that two steps of half a second equal one of a second as far
as the models' probabilities go, and a step of no time changes nothing.

State: east, north (m), and their rates (m/s), in a plane of the caller's.  Everything is a
structure of arrays with the track as the last axis, and covariances keep their ten different
elements only: ten thousand tracks are some hundred operations on long arrays.

A measurement's four components are absorbed one after the other (independent noise, so this is
the exact Kalman update); a component that was not measured has an infinite variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

N_STATE = 4
N_MODELS = 2
PAIRS = np.array([(a, b) for a in range(N_STATE) for b in range(a, N_STATE)])
"""(10, 2): row and column of each kept element of a covariance."""
N_PAIRS = len(PAIRS)
_FIRST, _SECOND = PAIRS.T
INDEX = np.zeros((N_STATE, N_STATE), dtype=np.intp)
"""(4, 4): which kept element stands at a row and column."""
INDEX[_FIRST, _SECOND] = INDEX[_SECOND, _FIRST] = np.arange(N_PAIRS)


@dataclass(frozen=True, slots=True)
class MotionModel:
    """What the two models assume.

    density_low, density_high : spectral density of the acceleration, m²/s³ per axis; a change of
    velocity over a second has its square root as sigma. manoeuvre_every_s : mean time of straight
    flight; manoeuvre_for_s : mean time of a manoeuvre.
    """

    density_low: float = 0.1
    density_high: float = 10.0
    manoeuvre_every_s: float = 20.0
    manoeuvre_for_s: float = 5.0

    def __post_init__(self) -> None:
        if not 0.0 < self.density_low < self.density_high:
            raise InputError(
                f"densities {self.density_low}, {self.density_high}: 0 < low < high is needed"
            )
        if not (self.manoeuvre_every_s > 0.0 and self.manoeuvre_for_s > 0.0):
            raise InputError("manoeuvre_every_s and manoeuvre_for_s must be above 0")

    @property
    def densities(self) -> FloatArray:
        """(2,) m²/s³."""
        return np.array([self.density_low, self.density_high])

    def stationary(self) -> FloatArray:
        """(2,) the models' long-run probabilities."""
        total_s = self.manoeuvre_every_s + self.manoeuvre_for_s
        return np.array([self.manoeuvre_every_s, self.manoeuvre_for_s]) / total_s

    def transition(self, dt_s: FloatArray) -> FloatArray:
        """(2, 2, n) probability of the second index's model after dt_s, given the first's."""
        fade = np.exp(-dt_s * (1.0 / self.manoeuvre_every_s + 1.0 / self.manoeuvre_for_s))
        stationary = self.stationary()
        chain = np.empty((N_MODELS, N_MODELS, len(dt_s)))
        for before in range(N_MODELS):
            for after in range(N_MODELS):
                chain[before, after] = stationary[after] * (1.0 - fade) + (before == after) * fade
        return chain


@dataclass(slots=True)
class Belief:
    """What is believed of n tracks.

    state : (4, 2, n), component, model, track; covariance : (10, 2, n), PAIRS' elements;
    weight : (2, n), the models' probabilities.
    """

    state: FloatArray
    covariance: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return int(self.state.shape[-1])

    def take(self, rows: IntArray | NDArray[np.bool_]) -> Belief:
        """A copy of some tracks."""
        return Belief(
            self.state[..., rows], self.covariance[..., rows], np.asarray(self.weight[..., rows])
        )

    def put(self, rows: IntArray | slice, other: Belief) -> None:
        """Overwrite some tracks."""
        self.state[..., rows] = other.state
        self.covariance[..., rows] = other.covariance
        self.weight[..., rows] = other.weight

    def joined(self, other: Belief) -> Belief:
        """These tracks and the other ones behind them."""
        return Belief(
            np.concatenate([self.state, other.state], axis=-1),
            np.concatenate([self.covariance, other.covariance], axis=-1),
            np.concatenate([self.weight, other.weight], axis=-1),
        )


def prior(model: MotionModel, place_m: FloatArray, sigma_m: FloatArray, speed_mps: float) -> Belief:
    """Tracks at (2, n) places, with per-axis sigma (n,), of unknown velocity up to speed_mps."""
    n = place_m.shape[-1]
    state = np.zeros((N_STATE, N_MODELS, n))
    state[:2] = place_m[:, None]
    covariance = np.zeros((N_PAIRS, N_MODELS, n))
    covariance[INDEX[0, 0]] = covariance[INDEX[1, 1]] = sigma_m**2
    covariance[INDEX[2, 2]] = covariance[INDEX[3, 3]] = speed_mps**2
    return Belief(state, covariance, np.repeat(model.stationary()[:, None], n, axis=1))


def predict(belief: Belief, dt_s: FloatArray, model: MotionModel) -> Belief:
    """The belief dt_s (n,) later: the models mixed, then moved."""
    mixed = _mix(belief, model.transition(dt_s))
    state, cov = mixed.state, mixed.covariance
    state[:2] += dt_s * state[2:]
    ee, en, eve, evn, nn, nve, nvn, veve, vevn, vnvn = cov
    noise = model.densities[:, None] * dt_s
    ee += dt_s * (2.0 * eve + dt_s * veve) + noise * dt_s**2 / 3.0
    nn += dt_s * (2.0 * nvn + dt_s * vnvn) + noise * dt_s**2 / 3.0
    en += dt_s * (evn + nve + dt_s * vevn)
    eve += dt_s * veve + noise * dt_s / 2.0
    nvn += dt_s * vnvn + noise * dt_s / 2.0
    evn += dt_s * vevn
    nve += dt_s * vevn
    veve += noise
    vnvn += noise
    return mixed


def _mix(belief: Belief, chain: FloatArray) -> Belief:
    """Each model's start: a mixture of both, by how likely the switches were."""
    weight = np.einsum("in,ijn->jn", belief.weight, chain)
    share = belief.weight[1] * chain[1] / weight  # (2, n): of model 1 in each model's start
    apart = belief.state[:, 1] - belief.state[:, 0]
    state = belief.state[:, :1] + share * apart[:, None]
    first, second = belief.covariance[:, :1], belief.covariance[:, 1:]
    spread = (apart[_FIRST] * apart[_SECOND])[:, None]
    covariance = first + share * (second - first) + share * (1.0 - share) * spread
    return Belief(state, covariance, weight)


def update(belief: Belief, value: FloatArray, variance: FloatArray) -> tuple[Belief, FloatArray]:
    """The belief after a measurement of every track, and how surprising each was.

    value, variance : (4, n); a variance is infinite where nothing was measured (the value there
    must be finite).
    Returns the belief, and (n,) the squared Mahalanobis distance of the measurement, averaged
    over the models by their probability.
    """
    state, covariance = belief.state.copy(), belief.covariance.copy()
    log_likelihood = np.zeros_like(belief.weight)
    surprise = np.zeros_like(belief.weight)
    for component in range(N_STATE):
        if np.isinf(variance[component]).all():
            continue
        column = covariance[INDEX[component]]
        spread = column[component] + variance[component]
        known = np.isfinite(spread)
        innovation = value[component] - state[component]
        distance = innovation**2 / spread
        surprise += distance
        log_likelihood -= 0.5 * (distance + np.log(np.where(known, spread, 1.0)))
        gain = column / spread
        state += gain * innovation
        covariance -= gain[_FIRST] * column[_SECOND]
    expected = (belief.weight * surprise).sum(axis=0)
    return Belief(state, covariance, reweighted(belief.weight, log_likelihood)), expected


def reweighted(weight: FloatArray, log_likelihood: FloatArray) -> FloatArray:
    """(2, n) probabilities after the models' likelihoods; no model ever becomes impossible."""
    scaled = weight * np.exp(log_likelihood - log_likelihood.max(axis=0))
    scaled = np.maximum(scaled, 1e-12)
    return np.asarray(scaled / scaled.sum(axis=0))


def combined(belief: Belief) -> tuple[FloatArray, FloatArray]:
    """(4, n) mean and (10, n) covariance of each track over its models."""
    apart = belief.state[:, 1] - belief.state[:, 0]
    share = belief.weight[1]
    mean = belief.state[:, 0] + share * apart
    first, second = belief.covariance[:, 0], belief.covariance[:, 1]
    spread = apart[_FIRST] * apart[_SECOND]
    return mean, first + share * (second - first) + share * (1.0 - share) * spread
