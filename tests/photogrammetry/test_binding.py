"""Photos find the triggers that took them, whatever the camera's clock says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.photogrammetry.binding import Shot, bind

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
LAT, LON = 50.8197, 4.3908
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Fired:
    index: int
    at: datetime
    lat_deg: float
    lon_deg: float


def strip(count: int, interval_s: float = 2.0, step_m: float = 8.0) -> list[Fired]:
    """Triggers at a constant interval along a line to the north."""
    return [
        Fired(
            i, START + timedelta(seconds=interval_s * i), LAT + step_m * i / METRES_PER_DEGREE, LON
        )
        for i in range(count)
    ]


def photo(trigger: Fired, clock_s: float = 0.0, north_m: float = 0.0) -> Shot:
    at = trigger.at + timedelta(seconds=clock_s)
    return Shot(f"{trigger.index:04d}", at, trigger.lat_deg + north_m / METRES_PER_DEGREE, LON)


def indices(shots: list[Shot], triggers: list[Fired]) -> list[int | None]:
    return [binding.trigger_index for binding in bind(shots, triggers).bindings]


@pytest.mark.parametrize("clock_s", [0.0, 0.4, 7200.0, -3600.0, 7203.7])
def test_a_constant_clock_error_does_not_matter(clock_s: float) -> None:
    triggers = strip(12)
    result = bind([photo(t, clock_s) for t in triggers], triggers)
    assert [b.trigger_index for b in result.bindings] == list(range(12))
    assert result.clock_offset_s == pytest.approx(clock_s)
    assert all(abs(b.residual_s or 0.0) < 1e-6 for b in result.bindings)


def test_a_missing_first_photo_does_not_shift_the_others() -> None:
    """With a constant interval, times alone fit one trigger off as well; positions do not."""
    triggers = strip(12)
    shots = [photo(t, 7200.0) for t in triggers[1:]]
    result = bind(shots, triggers)
    assert [b.trigger_index for b in result.bindings] == list(range(1, 12))
    assert result.missing_triggers == (0,)


def test_hovering_photos_are_told_apart_by_time() -> None:
    triggers = strip(6, step_m=0.0)
    assert indices([photo(t) for t in triggers], triggers) == list(range(6))


def test_photos_without_a_time_are_told_apart_by_position() -> None:
    triggers = strip(6)
    shots = [Shot(str(t.index), None, t.lat_deg, t.lon_deg) for t in triggers]
    result = bind(shots, triggers)
    assert [b.trigger_index for b in result.bindings] == list(range(6))
    assert result.bindings[0].residual_s is None


def test_photos_without_a_position_are_told_apart_by_time() -> None:
    triggers = strip(6)
    shots = [Shot(str(t.index), t.at + timedelta(seconds=0.2), None, None) for t in triggers]
    assert indices(shots, triggers) == list(range(6))


def test_a_photo_from_elsewhere_is_bound_to_nothing() -> None:
    triggers = strip(6)
    far = Shot("far", triggers[2].at, LAT + 0.1, LON)
    result = bind([*[photo(t) for t in triggers], far], triggers)
    assert result.bindings[-1].trigger_index is None
    assert result.missing_triggers == ()


def test_a_photo_that_says_nothing_is_bound_to_nothing() -> None:
    triggers = strip(3)
    assert indices([Shot("x", None, None, None)], triggers) == [None]


def test_no_triggers_bind_nothing() -> None:
    assert indices([photo(t) for t in strip(2)], []) == [None, None]
    assert bind([], strip(2)).missing_triggers == (0, 1)


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(3, 25),
    clock_s=st.floats(-50_000, 50_000),
)
def test_noise_and_gaps_leave_the_binding_right(seed: int, count: int, clock_s: float) -> None:
    """Consumer noise (1.5 m, 0.15 s), a third of the photos lost, order shuffled."""
    rng = np.random.default_rng(seed)
    triggers = strip(count)
    kept = [t for t in triggers if rng.random() > 1 / 3] or triggers[:1]
    shots = [
        photo(t, clock_s + float(rng.normal(0, 0.15)), float(np.clip(rng.normal(0, 1.5), -3, 3)))
        for t in kept
    ]
    order = rng.permutation(len(shots))
    result = bind([shots[i] for i in order], triggers)
    assert [b.trigger_index for b in result.bindings] == [kept[i].index for i in order]
