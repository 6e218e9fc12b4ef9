"""Intervals of 95 % hold the truth in 90 to 98 of 100 simulated measurements, of every kind."""

from __future__ import annotations

import pytest

from tests.photogrammetry.simulated import (
    SURVEYS,
    TRUE_VALUES,
    Outcome,
    coverage_of,
    marked_outcomes,
    surface_outcomes,
)


def outcomes(names: list[str], seeds: range) -> list[Outcome]:
    found: list[Outcome] = []
    for name in names:
        for seed in seeds:
            found += marked_outcomes(name, seed, rounds=5)
            found += surface_outcomes(name, seed)
    return found


def test_a_few_surveys_of_each_sort_hold_what_they_state() -> None:
    names = ["nadir, RTK, lens given", "nadir and oblique, 3 scale bars"]
    taken = outcomes(names, range(40, 41))
    known = [o for o in taken if o.measured.determined]
    assert len(taken) == 2 * (5 * len(TRUE_VALUES) + 7)
    assert len(known) >= 0.9 * len(taken)
    assert 0.89 <= coverage_of(taken) <= 0.99


@pytest.mark.slow
def test_a_thousand_measurements_hold_what_they_state() -> None:
    taken = outcomes(list(SURVEYS), range(60, 66))
    known = [o for o in taken if o.measured.determined]
    assert len(known) >= 1000
    assert 0.90 <= coverage_of(taken) <= 0.98
    for name in SURVEYS:
        assert 0.86 <= coverage_of([o for o in taken if o.survey == name]) <= 1.0
    for kind in TRUE_VALUES:
        assert 0.86 <= coverage_of([o for o in taken if o.kind == kind]) <= 1.0
