"""Proposals to a pilot: never worse than going on, told again while they change."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.detection.advice import LEAST_GAIN, Manoeuvre, advise
from droneteam.detection.alert import AlertRules, Condition, step
from droneteam.detection.conflict import Mover, closest
from droneteam.detection.suspicion import SENTENCES, WEIGHTS
from tests.detection.radio import DEGREE_M, LAT_DEG, LON_DEG, START

LIMITS = {"within_m": 60.0, "vertical_m": 50.0, "horizon_s": 45.0}


def mover(east_m: float, north_m: float, east_mps: float, north_mps: float) -> Mover:
    scale = DEGREE_M * math.cos(math.radians(LAT_DEG))
    return Mover(
        "one",
        LAT_DEG + north_m / DEGREE_M,
        LON_DEG + east_m / scale,
        east_mps,
        north_mps,
        sigma_m=5.0,
        sigma_mps=1.0,
    )


def proposed(ours: Mover, other: Mover) -> Manoeuvre:
    return advise(ours, other, closest(ours, other, **LIMITS), **LIMITS).manoeuvre


def test_head_on_it_turns_to_the_right() -> None:
    assert proposed(mover(0, 0, 8, 0), mover(320, 0, -8, 0)) == "turn_right"


def test_what_crosses_ahead_is_let_past() -> None:
    # It will be where we go, in 20 s; staying or turning away are both right, going on is not.
    ours, other = mover(0, 0, 8, 0), mover(160, -160, 0, 8)
    assert proposed(ours, other) in ("turn_right", "turn_left", "turn_back", "stop")
    best = advise(ours, other, closest(ours, other, **LIMITS), **LIMITS)
    assert best.probability < 0.02


def test_a_drone_that_hovers_leaves_across_the_others_way() -> None:
    assert proposed(mover(0, 0, 0, 0), mover(300, 0, -10, 0)) in ("go_north", "go_south")
    assert proposed(mover(0, 0, 0, 0), mover(0, 300, 0, -10)) in ("go_east", "go_west")


def test_what_cannot_be_escaped_is_said_so() -> None:
    ours, other = mover(0, 0, 1.5, 0), mover(40, 0, -20, 0)
    assert proposed(ours, other) == "watch"


@given(
    st.tuples(*[st.floats(-400, 400)] * 2),
    st.tuples(*[st.floats(-15, 15)] * 4),
)
def test_a_proposal_takes_half_of_the_danger_away_or_is_none(
    at: tuple[float, float], rates: tuple[float, float, float, float]
) -> None:
    ours, other = mover(0, 0, *rates[:2]), mover(*at, *rates[2:])
    now = closest(ours, other, **LIMITS)
    found = advise(ours, other, now, **LIMITS)
    assert found.probability <= now.probability + 1e-9
    if found.manoeuvre == "watch":
        assert found.probability == now.probability
    else:
        assert found.probability <= (1 - LEAST_GAIN) * now.probability + 1e-9


@pytest.mark.parametrize("name", [n for n in get_args(Manoeuvre) if n.startswith("turn")])
def test_a_turn_is_a_turn_of_the_course(name: str) -> None:
    """By simulation: the other one stands exactly where that turn would not lead."""
    courses = {"turn_right": 180.0, "turn_left": 0.0, "turn_back": 270.0}  # flying east
    free = math.radians(courses[name])
    # Aircraft on every other course bar the way; the free one is the only good choice.
    ours = mover(0, 0, 10, 0)
    danger = {}
    for other_name, course_deg in {"keep": 90.0, **courses}.items():
        if other_name == name:
            continue
        course = math.radians(course_deg)
        other = mover(150 * math.sin(course), 150 * math.cos(course), 0, 0)
        moved = replace(ours, east_mps=10 * math.sin(free), north_mps=10 * math.cos(free))
        danger[other_name] = closest(moved, other, **LIMITS).probability
    assert max(danger.values()) < 0.05


def test_the_numbers_of_a_conflict_are_told_again_every_second() -> None:
    rules = AlertRules()
    book, told = {}, []
    for tick in range(100):
        now = START + timedelta(seconds=tick / 10)
        facts = (("in_s", round(40.0 - tick / 10, 1)),)
        book, changes = step(
            book, [Condition("conflict", "k", 1, ("heights_close",), facts)], now, rules
        )
        told += [(change.change, tick / 10) for change in changes]
    kinds = [kind for kind, _ in told]
    assert kinds == ["raised"] + ["updated"] * (len(told) - 1)
    gaps = np.diff([at for _, at in told])
    assert len(told) >= 7
    assert gaps == pytest.approx(1.0, abs=0.11)


def test_other_alerts_are_not_told_again_for_a_number() -> None:
    book, told = {}, []
    for tick in range(100):
        facts = (("probability", tick / 100),)
        condition = Condition("geozone_breach", "k", 1, ("zone_prohibited",), facts)
        now = START + timedelta(seconds=tick / 10)
        book, changes = step(book, [condition], now, AlertRules())
        told += [change.change for change in changes]
    assert told == ["raised"]


def test_every_sign_has_a_sentence() -> None:
    assert set(SENTENCES) == set(WEIGHTS) | {"counter_back"}
