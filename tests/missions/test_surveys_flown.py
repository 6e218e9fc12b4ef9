"""Planned surveys, flown by the controller in the simulator, hold what the plan promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.surveys import CASES, Case, flown

QUICK = ("L in 7 m/s of wind, gusts",)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=() if case.name in QUICK else pytest.mark.slow)
        for case in CASES
    ],
)
def test_every_point_lies_in_five_photos_of_the_planned_size_and_number(
    case: Case, tmp_path: Path
) -> None:
    got = flown(case, tmp_path)
    assert got.ending == "completed"
    assert got.fewest >= 5
    assert abs(got.taken - got.planned) <= 0.02 * got.planned
    assert 0.0 < got.worst_gsd <= 0.05
    assert got.held
    assert not replace(got, fewest=4).held
    assert not replace(got, taken=int(1.03 * got.planned) + 1).held
    assert not replace(got, worst_gsd=0.06).held
