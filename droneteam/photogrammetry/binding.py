"""Which camera trigger took which photo; pure.

A trigger has the autopilot's time and position; a photo has the camera's.  A camera's clock may
be off by any time zone and some seconds, but by the same for all photos of a sortie, and
positions agree to some metres.  The clock's offset is therefore the time difference on which
most pairs that are near each other agree; then photos and triggers are assigned one to one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from droneteam.geo import EnuFrame, GeoPoint

FloatArray = NDArray[np.float64]

NEAR_M = 15.0
"""Farther apart, a photo and a trigger are not the same place: consumer GNSS, both receivers."""
TIME_GATE_S = 2.0
"""Largest difference after the clock's offset is taken out: EXIF without sub-seconds, delays."""
TIME_SIGMA_S = 0.5
POSITION_SIGMA_M = 3.0
_NO_MATCH = 1e6


class Trigger(Protocol):
    """A camera trigger as a sortie's log states it."""

    @property
    def index(self) -> int:
        """Which trigger of the sortie."""

    @property
    def at(self) -> datetime:
        """When the autopilot fired it."""

    @property
    def lat_deg(self) -> float:
        """Where it was, latitude."""

    @property
    def lon_deg(self) -> float:
        """Where it was, longitude."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A photo's own statement of when and where; either may be missing."""

    name: str
    taken_at: datetime | None
    lat_deg: float | None
    lon_deg: float | None


@dataclass(frozen=True, slots=True)
class Binding:
    """A photo and its trigger, or None; residuals are photo minus trigger, None where unknown."""

    name: str
    trigger_index: int | None
    residual_s: float | None = None
    residual_m: float | None = None


@dataclass(frozen=True, slots=True)
class BindingResult:
    """Every photo's binding, the camera clock's offset, and the triggers without a photo."""

    bindings: tuple[Binding, ...]
    clock_offset_s: float | None
    missing_triggers: tuple[int, ...]


def bind(shots: Sequence[Shot], triggers: Sequence[Trigger]) -> BindingResult:
    """The most plausible one-to-one assignment of photos to triggers."""
    if not shots or not triggers:
        unbound = tuple(Binding(shot.name, None) for shot in shots)
        return BindingResult(unbound, None, tuple(t.index for t in triggers))
    apart_m = _distances_m(shots, triggers)
    delta_s = _time_differences_s(shots, triggers)
    offset_s = _clock_offset_s(delta_s, apart_m)
    residual_s = delta_s - offset_s if offset_s is not None else np.full_like(delta_s, np.nan)
    chosen = _assign(residual_s, apart_m)
    bindings = tuple(
        _binding(shot.name, triggers[chosen[row]], residual_s[row, chosen[row]],
                 apart_m[row, chosen[row]])
        if row in chosen
        else Binding(shot.name, None)
        for row, shot in enumerate(shots)
    )  # fmt: skip
    taken = set(chosen.values())
    missing = tuple(t.index for column, t in enumerate(triggers) if column not in taken)
    return BindingResult(bindings, offset_s, missing)


def _binding(name: str, trigger: Trigger, residual_s: float, residual_m: float) -> Binding:
    return Binding(
        name,
        trigger.index,
        None if math.isnan(residual_s) else round(float(residual_s), 3),
        None if math.isnan(residual_m) else round(float(residual_m), 3),
    )


def _distances_m(shots: Sequence[Shot], triggers: Sequence[Trigger]) -> FloatArray:
    """(n, m) horizontal distances; NaN where a photo has no position."""
    frame = EnuFrame(GeoPoint(triggers[0].lat_deg, triggers[0].lon_deg))
    there = frame.enu_from_geodetic(np.array([(t.lat_deg, t.lon_deg, 0.0) for t in triggers]))
    stated = [
        (shot.lat_deg, shot.lon_deg, 0.0)
        if shot.lat_deg is not None and shot.lon_deg is not None
        else (math.nan, math.nan, 0.0)
        for shot in shots
    ]
    here = frame.enu_from_geodetic(np.array(stated))
    return np.asarray(np.linalg.norm((here[:, None] - there[None])[..., :2], axis=-1))


def _time_differences_s(shots: Sequence[Shot], triggers: Sequence[Trigger]) -> FloatArray:
    """(n, m) photo minus trigger; NaN where a photo has no time."""
    start = triggers[0].at
    fired_s = np.array([(trigger.at - start).total_seconds() for trigger in triggers])
    taken_s = np.array(
        [
            math.nan if shot.taken_at is None else (shot.taken_at - start).total_seconds()
            for shot in shots
        ]
    )
    return np.asarray(taken_s[:, None] - fired_s[None])


def _clock_offset_s(delta_s: FloatArray, apart_m: FloatArray) -> float | None:
    """The time difference that most nearby pairs share.

    Where two tie, the one whose pairs lie closer together, then the smaller one: with triggers
    at a constant interval, the next one fits the times as well.
    """
    near = ~(apart_m > NEAR_M) & np.isfinite(delta_s)
    if not near.any():
        return None
    order = np.argsort(delta_s[near])
    candidates, distances_m = delta_s[near][order], np.nan_to_num(apart_m[near][order])
    upper = np.searchsorted(candidates, candidates + 2.0 * TIME_SIGMA_S, side="right")
    votes = upper - np.arange(len(candidates))
    best = np.flatnonzero(votes == votes.max())
    scored = [
        (
            round(float(distances_m[i : upper[i]].mean()) / POSITION_SIGMA_M),
            abs(offset := float(np.median(candidates[i : upper[i]]))),
            offset,
        )
        for i in best
    ]
    return min(scored)[2]


def _assign(residual_s: FloatArray, apart_m: FloatArray) -> dict[int, int]:
    """Photo to trigger, by least summed squares of what is known, within the gates."""
    cost = np.nan_to_num(residual_s / TIME_SIGMA_S) ** 2
    cost += np.nan_to_num(apart_m / POSITION_SIGMA_M) ** 2
    unknown = np.isnan(residual_s) & np.isnan(apart_m)
    forbidden = (np.abs(residual_s) > TIME_GATE_S) | (apart_m > NEAR_M) | unknown
    cost[forbidden] = _NO_MATCH
    rows, columns = linear_sum_assignment(cost)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {row: column for row, column in pairs if not forbidden[row, column]}
