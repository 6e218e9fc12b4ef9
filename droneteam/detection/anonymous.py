"""Tracks of what does not say who it is: radar, camera and direction-finding plots, scan by scan.

Each scan: predict (IMM, `motion`), gate and associate (`jpda`), correct each model with the
weighed plots of its gate (JPDA with IMM; Bar-Shalom, Willett, Tian: Tracking and Data Fusion,
2011, 6.2), and judge by a score.  The score is a track's probability to exist (integrated PDA;
Musicki, Evans, Stanska, IEEE T-AC 39(6), 1994, in its joint form): every plot that nobody claims
starts a track of little probability, detections raise it, misses lower it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from droneteam.detection import jpda, motion
from droneteam.detection.jpda import Association, Pairs
from droneteam.detection.motion import FloatArray, IntArray, MotionModel
from droneteam.errors import InputError


@dataclass(frozen=True, slots=True)
class SensorModel:
    """What a sensor sees.

    sigma_m : of a plot, per axis. detection : probability that it sees an aircraft in a scan.
    clutter_m2 : false plots per m² and scan. birth_m2 : new aircraft per m² and scan.
    """

    sigma_m: float
    detection: float = 0.9
    clutter_m2: float = 1e-7
    birth_m2: float = 1e-8

    def __post_init__(self) -> None:
        if not self.sigma_m > 0.0:
            raise InputError(f"sigma_m {self.sigma_m} must be above 0", field="sigma_m")
        if not 0.0 < self.detection < 1.0:
            raise InputError(f"detection {self.detection} outside (0, 1)", field="detection")
        if not (self.clutter_m2 > 0.0 and self.birth_m2 > 0.0):
            raise InputError("clutter_m2 and birth_m2 must be above 0", field="clutter_m2")


@dataclass(frozen=True, slots=True)
class ScoreRules:
    """When a track counts, and when it ends: probabilities that it exists."""

    confirm: float = 0.6
    keep: float = 0.3
    drop: float = 0.01
    survival_per_s: float = 0.998
    start_speed_mps: float = 10.0
    gate: float = 13.8
    """Squared Mahalanobis distance that holds 99.9 % of a track's own plots."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """The confirmed tracks: ids (n,), place and velocity (4, n), covariance (10, n), score (n,)."""

    id: IntArray
    state: FloatArray
    covariance: FloatArray
    score: FloatArray


class AnonymousTracker:
    """Tracks in one plane, fed with scans; times in seconds, increasing."""

    def __init__(
        self,
        model: MotionModel | None = None,
        rules: ScoreRules | None = None,
        first_id: int = 1,
    ) -> None:
        self._model = model or MotionModel(density_low=0.3, density_high=8.0)
        self._rules = rules or ScoreRules()
        self._next_id = first_id
        self._belief = motion.prior(self._model, np.zeros((2, 0)), np.zeros(0), 1.0)
        self._id = np.empty(0, dtype=np.intp)
        self._score = np.empty(0)
        self._confirmed = np.empty(0, dtype=bool)
        self._at_s: float | None = None

    def __len__(self) -> int:
        return len(self._id)

    def scan(self, at_s: float, plots_m: FloatArray, sensor: SensorModel) -> IntArray:
        """The track's id that each of the (2, m) plots most probably belongs to; 0 for none.

        Raises
        ------
        InputError
            The scan is older than the one before.
        """
        dt_s = 0.0 if self._at_s is None else at_s - self._at_s
        if dt_s < 0.0:
            raise InputError(f"a scan {-dt_s} s older than the one before", field="at_s")
        self._at_s = at_s
        self._belief = motion.predict(self._belief, np.full(len(self), dt_s), self._model)
        self._score = self._score * self._rules.survival_per_s**dt_s
        pairs, likelihoods = self._pairs(plots_m, sensor)
        found = self._associate(pairs, likelihoods, plots_m.shape[1], sensor)
        owner = self._owners(pairs, found, plots_m.shape[1])
        self._correct(pairs, likelihoods, found, plots_m, sensor)
        self._judge(found, sensor)
        self._begin(plots_m, found, sensor)
        return owner

    def _pairs(self, plots_m: FloatArray, sensor: SensorModel) -> tuple[Pairs, FloatArray]:
        """What may belong together, and (2, k) how likely each model makes it, per m²."""
        mean, covariance = motion.combined(self._belief)
        spread = _position_spread(covariance, sensor)
        pairs = jpda.gate(mean[:2], spread, plots_m, self._rules.gate)
        by_model = _position_spread(self._belief.covariance, sensor)[..., pairs.track]
        miss = plots_m[:, None, pairs.plot] - self._belief.state[:2, :, pairs.track]
        distance = jpda.distance_squared(miss[0], miss[1], by_model)
        area = by_model[0] * by_model[2] - by_model[1] ** 2
        return pairs, np.exp(-0.5 * distance) / (2.0 * np.pi * np.sqrt(area))

    def _associate(
        self, pairs: Pairs, likelihoods: FloatArray, n_plots: int, sensor: SensorModel
    ) -> Association:
        likelihood = (self._belief.weight[:, pairs.track] * likelihoods).sum(axis=0)
        seen = self._score * sensor.detection
        background = sensor.clutter_m2 + sensor.birth_m2
        odds = (seen / (1.0 - seen))[pairs.track] * likelihood / background
        return jpda.associate(pairs, odds, len(self), n_plots)

    def _owners(self, pairs: Pairs, found: Association, n_plots: int) -> IntArray:
        owner = np.zeros(n_plots, dtype=np.intp)
        sure = found.pair > 0.5
        owner[pairs.plot[sure]] = self._id[pairs.track[sure]]
        return owner

    def _correct(
        self,
        pairs: Pairs,
        likelihoods: FloatArray,
        found: Association,
        plots_m: FloatArray,
        sensor: SensorModel,
    ) -> None:
        """Move every model of every track towards its weighed plots."""
        weight = self._belief.weight
        mixed = (weight[:, pairs.track] * likelihoods).sum(axis=0)
        share = found.pair * likelihoods / np.maximum(mixed, 1e-300)  # (2, k), over the model's
        for model in range(motion.N_MODELS):
            detected = np.bincount(pairs.track, share[model], len(self))
            total = np.maximum(found.missed + detected, 1e-300)
            part = share[model] / total[pairs.track]
            self._correct_model(model, pairs, part, plots_m, sensor)
            weight[model] *= total
        weight /= weight.sum(axis=0)
        np.clip(weight, 1e-9, 1.0, out=weight)

    def _correct_model(
        self,
        model: int,
        pairs: Pairs,
        part: FloatArray,
        plots_m: FloatArray,
        sensor: SensorModel,
    ) -> None:
        """The PDA update: part (k,) is each plot's share, what is missing of 1 is a miss."""
        n = len(self)
        state, covariance = self._belief.state[:, model], self._belief.covariance[:, model]
        miss = plots_m[:, pairs.plot] - state[:2, pairs.track]
        detected = np.bincount(pairs.track, part, n)
        mean = np.stack([np.bincount(pairs.track, part * axis, n) for axis in miss])
        products = (miss[0] ** 2, miss[0] * miss[1], miss[1] ** 2)
        ee, en, nn = (np.bincount(pairs.track, part * product, n) for product in products)
        spread = _position_spread(covariance, sensor)
        gain = _gain(covariance, spread)
        state += np.einsum("abn,bn->an", gain, mean)
        # What the plots' disagreement adds, less what their information takes away.
        change = np.stack(
            [
                ee - mean[0] ** 2 - detected * spread[0],
                en - mean[0] * mean[1] - detected * spread[1],
                nn - mean[1] ** 2 - detected * spread[2],
            ]
        )
        a, b = motion.PAIRS.T
        covariance += gain[a, 0] * (change[0] * gain[b, 0] + change[1] * gain[b, 1]) + gain[
            a, 1
        ] * (change[1] * gain[b, 0] + change[2] * gain[b, 1])

    def _judge(self, found: Association, sensor: SensorModel) -> None:
        """Raise and lower the scores; forget the tracks that are hardly there."""
        unseen = self._score * (1.0 - sensor.detection) / (1.0 - self._score * sensor.detection)
        self._score = np.clip(1.0 - found.missed * (1.0 - unseen), 0.0, 1.0 - 1e-9)
        self._confirmed |= self._score >= self._rules.confirm
        self._confirmed &= self._score >= self._rules.keep
        self._select(self._score >= self._rules.drop)

    def _select(self, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        self._belief = self._belief.take(kept)
        self._id, self._score = self._id[kept], self._score[kept]
        self._confirmed = self._confirmed[kept]

    def _begin(self, plots_m: FloatArray, found: Association, sensor: SensorModel) -> None:
        """A track for every plot that is probably nobody's."""
        newborn = sensor.birth_m2 / (sensor.birth_m2 + sensor.clutter_m2)
        score = found.alone * newborn
        fresh = np.flatnonzero(score >= self._rules.drop)
        n = len(fresh)
        speed_mps = self._rules.start_speed_mps
        sigma_m = np.full(n, sensor.sigma_m)
        born = motion.prior(self._model, plots_m[:, fresh], sigma_m, speed_mps)
        self._belief = self._belief.joined(born)
        self._id = np.concatenate([self._id, np.arange(self._next_id, self._next_id + n)])
        self._next_id += n
        self._score = np.concatenate([self._score, score[fresh]])
        self._confirmed = np.concatenate([self._confirmed, np.zeros(n, dtype=bool)])

    def estimates(self) -> Estimates:
        """The confirmed tracks as of the last scan."""
        which = np.flatnonzero(self._confirmed)
        state, covariance = motion.combined(self._belief.take(which))
        return Estimates(self._id[which], state, covariance, self._score[which])


def _position_spread(covariance: FloatArray, sensor: SensorModel) -> FloatArray:
    """(3, ...) covariance of the innovation: east-east, east-north, north-north."""
    noise = sensor.sigma_m**2
    ee, en, nn = (covariance[motion.INDEX[a, b]] for a, b in ((0, 0), (0, 1), (1, 1)))
    return np.stack([ee + noise, en, nn + noise])


def _gain(covariance: FloatArray, spread: FloatArray) -> FloatArray:
    """(4, 2, n) Kalman gain of a position."""
    ee, en, nn = spread
    area = ee * nn - en**2
    rows = covariance[motion.INDEX[:, :2]]  # (4, 2, n): state with east and with north
    east = (rows[:, 0] * nn - rows[:, 1] * en) / area
    north = (rows[:, 1] * ee - rows[:, 0] * en) / area
    return np.stack([east, north], axis=1)
