"""The motion of many identified tracks, with measurements that come late put where they belong.

Each track lives in a plane about its own origin.  For every measurement that it absorbed, the bank
keeps what was believed right after it; a measurement that is older than the newest one is absorbed
by going back to before its time and absorbing the later ones again (replay buffer).  So the result
does not depend on the order of arrival, within REPLAY_S.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.detection import motion
from droneteam.detection.motion import Belief, FloatArray, IntArray, MotionModel
from droneteam.geo import MEAN_RADIUS_M

REPLAY_S = 5.0
HISTORY = 16
"""Measurements kept per track: REPLAY_S of three a second."""
MAX_OFFSET_M = 20_000.0
"""A track this far from its origin gets a new one: the plane is flat, the earth is not."""

_N_BELIEF = (motion.N_STATE + motion.N_PAIRS + 1) * motion.N_MODELS
_N_KEPT = _N_BELIEF + 2 * motion.N_STATE
_NEVER = -np.inf


@dataclass(frozen=True, slots=True)
class Fixes:
    """n measurements of tracks.

    row : (n,) the track's row; t_s : (n,) when it held; lat_deg, lon_deg : (n,) degrees;
    velocity_mps : (2, n) east and north; variance : (4, n) of place (m²) and velocity (m²/s²),
    infinite where not measured.
    """

    row: IntArray
    t_s: FloatArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    velocity_mps: FloatArray
    variance: FloatArray


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What became of n measurements.

    used : (n,) False where one was too old to be put in. surprise : (n,) squared Mahalanobis
    distance of those that came in order; NaN for the others.
    """

    used: NDArray[np.bool_]
    surprise: FloatArray


class Bank:
    """Beliefs of many tracks as arrays that grow; a row stays a track's until it is freed."""

    def __init__(self, model: MotionModel, speed_mps: float) -> None:
        self._model = model
        self._speed_mps = speed_mps
        self._free: list[int] = []
        self._size = 0
        self.t_s: FloatArray = np.empty(0)
        self._origin_deg: FloatArray = np.empty((2, 0))
        self._belief = motion.prior(model, np.empty((2, 0)), np.empty(0), speed_mps)
        self._kept: FloatArray = np.empty((0, HISTORY, _N_KEPT))
        self._at_s: FloatArray = np.empty((0, HISTORY))
        self._allocate(64)

    def _allocate(self, capacity: int) -> None:
        """Make room, keeping what is there."""
        n = self._size
        t_s, origin_deg, belief = self.t_s, self._origin_deg, self._belief
        kept, at_s = self._kept, self._at_s
        self.t_s = np.zeros(capacity)
        self._origin_deg = np.zeros((2, capacity))
        self._belief = Belief(
            np.zeros((motion.N_STATE, motion.N_MODELS, capacity)),
            np.zeros((motion.N_PAIRS, motion.N_MODELS, capacity)),
            np.zeros((motion.N_MODELS, capacity)),
        )
        self._kept = np.zeros((capacity, HISTORY, _N_KEPT))
        self._at_s = np.full((capacity, HISTORY), _NEVER)
        self.t_s[:n], self._origin_deg[:, :n] = t_s[:n], origin_deg[:, :n]
        self._belief.put(slice(0, n), belief.take(np.arange(n)))
        self._kept[:n], self._at_s[:n] = kept[:n], at_s[:n]

    def start(self, t_s: float, lat_deg: float, lon_deg: float) -> int:
        """The row of a new track at a place, its velocity unknown."""
        if not self._free:
            if self._size == len(self.t_s):
                self._allocate(2 * self._size)
            self._free.append(self._size)
            self._size += 1
        row = self._free.pop()
        rows = np.array([row])
        self.t_s[row] = t_s
        self._origin_deg[:, row] = lat_deg, lon_deg
        # The place itself comes with the first measurement, whose accuracy counts.
        belief = motion.prior(self._model, np.zeros((2, 1)), np.array([1e4]), self._speed_mps)
        self._belief.put(rows, belief)
        self._at_s[row] = _NEVER
        nothing = np.full((motion.N_STATE, 1), np.inf)
        self._keep(rows, np.array([t_s]), np.zeros((motion.N_STATE, 1)), nothing)
        return row

    def free(self, row: int) -> None:
        """Give a row back."""
        self._free.append(row)

    def absorb(self, fixes: Fixes) -> Absorbed:
        """Take measurements in, in the order of their times, whatever the order they came in."""
        self._recentre(np.unique(fixes.row))
        used = fixes.t_s >= self.t_s[fixes.row] - REPLAY_S
        late = fixes.t_s < self.t_s[fixes.row]
        if late.any():
            used &= self._reaches_back(fixes, late)
        value = np.concatenate([self._local(fixes), fixes.velocity_mps])
        kept = np.flatnonzero(used)
        batch = fixes.row[kept], fixes.t_s[kept], value[:, kept], fixes.variance[:, kept]
        replayed = self._go_back(batch[0][late[kept]], batch[1][late[kept]])
        rows, t_s, values, variances = (
            np.concatenate([new, old], axis=-1) for new, old in zip(batch, replayed, strict=True)
        )
        surprises = self._in_rounds(rows, t_s, values, variances)[: len(kept)]
        surprise = np.full(len(used), np.nan)
        surprise[kept] = np.where(late[kept], np.nan, surprises)
        return Absorbed(used, surprise)

    def _reaches_back(self, fixes: Fixes, late: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each late measurement has a kept belief before it."""
        times = self._at_s[fixes.row]
        before = (times <= fixes.t_s[:, None]) & (times > _NEVER)
        return ~late | before.any(axis=1)

    def _go_back(
        self, late_rows: IntArray, late_s: FloatArray
    ) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        """Take tracks back to before their late times; returns what must be absorbed again."""
        rows, group = np.unique(late_rows, return_inverse=True)
        earliest = np.full(len(rows), np.inf)
        np.minimum.at(earliest, group, late_s)
        times = self._at_s[rows]
        known = times > _NEVER
        before = known & (times <= earliest[:, None])
        base = np.argmax(np.where(before, times, _NEVER), axis=1)
        each = np.arange(len(rows))
        again, slot = np.nonzero(known & ~before)
        packed = self._kept[rows[again], slot].T
        replayed = (
            rows[again],
            times[again, slot],
            packed[_N_BELIEF : _N_BELIEF + motion.N_STATE],
            packed[_N_BELIEF + motion.N_STATE :],
        )
        self._belief.put(rows, _unpacked(self._kept[rows, base].T))
        self.t_s[rows] = times[each, base]
        self._at_s[rows[again], slot] = _NEVER
        return replayed

    def _in_rounds(
        self, rows: IntArray, t_s: FloatArray, value: FloatArray, variance: FloatArray
    ) -> FloatArray:
        """Absorb each track's measurements in the order of time; returns their surprise."""
        order = np.lexsort((t_s, rows))
        starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
        counts = np.diff(starts, append=len(order))
        surprise = np.empty(len(rows))
        for turn in range(counts.max(initial=0)):
            now = order[starts[counts > turn] + turn]
            surprise[now] = self._step(rows[now], t_s[now], value[:, now], variance[:, now])
        return surprise

    def _step(
        self, rows: IntArray, t_s: FloatArray, value: FloatArray, variance: FloatArray
    ) -> FloatArray:
        predicted = motion.predict(self._belief.take(rows), t_s - self.t_s[rows], self._model)
        belief, surprise = motion.update(predicted, value, variance)
        self._belief.put(rows, belief)
        self.t_s[rows] = t_s
        self._keep(rows, t_s, value, variance)
        return surprise

    def _keep(
        self, rows: IntArray, t_s: FloatArray, value: FloatArray, variance: FloatArray
    ) -> None:
        """Remember what is believed now, in place of what is oldest."""
        slot = np.argmin(self._at_s[rows], axis=1)
        belief = self._belief.take(rows)
        n = len(rows)
        packed = [belief.state.reshape(-1, n), belief.covariance.reshape(-1, n), belief.weight]
        self._kept[rows, slot] = np.concatenate([*packed, value, variance]).T
        self._at_s[rows, slot] = t_s

    def _local(self, fixes: Fixes) -> FloatArray:
        """(2, n) metres east and north of each track's origin."""
        lat_deg, lon_deg = self._origin_deg[:, fixes.row]
        turn_deg = (fixes.lon_deg - lon_deg + 180.0) % 360.0 - 180.0
        east_m = np.radians(turn_deg) * MEAN_RADIUS_M * _scale(lat_deg)
        return np.stack([east_m, np.radians(fixes.lat_deg - lat_deg) * MEAN_RADIUS_M])

    def _recentre(self, rows: IntArray) -> None:
        """Move the origins of tracks that have gone far; kept beliefs from before are dropped."""
        place_m = self._belief.state[:2, 0, rows]
        far = rows[np.abs(place_m).max(axis=0, initial=0.0) > MAX_OFFSET_M]
        if not len(far):
            return
        mean, _ = motion.combined(self._belief.take(far))
        self._origin_deg[:, far] = _geodetic(self._origin_deg[:, far], mean[:2])
        self._belief.state[:2, :, far] -= mean[:2, None]
        self._at_s[far] = _NEVER
        nothing = np.full((motion.N_STATE, len(far)), np.inf)
        self._keep(far, self.t_s[far], np.zeros((motion.N_STATE, len(far))), nothing)

    def estimate(self, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(2, n) lat_deg and lon_deg, (2, n) east and north rates, (10, n) covariance (PAIRS)."""
        mean, covariance = motion.combined(self._belief.take(rows))
        return _geodetic(self._origin_deg[:, rows], mean[:2]), mean[2:], covariance


def _scale(lat_deg: FloatArray) -> FloatArray:
    """How much shorter a degree of longitude is than one of latitude; not 0 at the poles."""
    return np.maximum(np.cos(np.radians(lat_deg)), 1e-6)


def _geodetic(origin_deg: FloatArray, place_m: FloatArray) -> FloatArray:
    lat_deg = origin_deg[0] + np.degrees(place_m[1] / MEAN_RADIUS_M)
    lon_deg = origin_deg[1] + np.degrees(place_m[0] / (MEAN_RADIUS_M * _scale(origin_deg[0])))
    return np.stack([np.clip(lat_deg, -90.0, 90.0), (lon_deg + 180.0) % 360.0 - 180.0])


def _unpacked(packed: FloatArray) -> Belief:
    """The beliefs in (_N_KEPT, n) columns."""
    n = packed.shape[1]
    state, covariance, weight = np.split(
        packed[:_N_BELIEF],
        [motion.N_STATE * motion.N_MODELS, (motion.N_STATE + motion.N_PAIRS) * motion.N_MODELS],
    )
    shape = (motion.N_MODELS, n)
    return Belief(
        state.reshape(motion.N_STATE, *shape),
        covariance.reshape(motion.N_PAIRS, *shape),
        weight.reshape(shape),
    )
