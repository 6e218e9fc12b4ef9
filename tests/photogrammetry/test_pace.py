"""The time left is what it will be, as long as the work goes on as it went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.photogrammetry.pace import Pace


def after(*reports: tuple[float, float]) -> Pace:
    pace = Pace()
    for at_s, fraction in reports:
        pace.report(at_s, fraction)
    return pace


def even(total_s: float, until: float, steps: int = 40, start: float = 0.0) -> Pace:
    """Work at an even rate, reported up to a share."""
    done = [start + (until - start) * k / steps for k in range(steps + 1)]
    return after(*((total_s * (share - start), share) for share in done))


@given(total_s=st.floats(20.0, 1e5), until=st.floats(0.2, 0.95), start=st.floats(0.0, 0.1))
def test_even_work_ends_when_it_was_said_to(total_s: float, until: float, start: float) -> None:
    left = even(total_s, until, start=start).left_s()
    if left is not None:
        assert left[0] == pytest.approx(total_s * (1.0 - until), rel=1e-6)
        assert left[1] == pytest.approx(total_s * (1.0 - until), rel=1e-6)


@pytest.mark.parametrize("pace", [after(), after((0.0, 0.0)), after((0.0, 0.0), (60.0, 0.01)),
                                  after((0.0, 0.0), (1.0, 0.5))])  # fmt: skip
def test_too_little_is_no_ground_for_a_figure(pace: Pace) -> None:
    assert pace.left_s() is None
    assert pace.words() == ""


def test_what_an_earlier_run_finished_counts_for_no_rate() -> None:
    """Half was there at the start; then a tenth took 10 s: 40 s are left, not 8."""
    assert after((0.0, 0.5), (5.0, 0.55), (10.0, 0.6)).left_s() == pytest.approx((40.0, 40.0))


def test_work_that_has_become_faster_pulls_the_shorter_estimate_down() -> None:
    """100 s for the first half, then five times faster: 10 s are left in truth."""
    pace = after((0.0, 0.0), (50.0, 0.25), (100.0, 0.5), (104.0, 0.6), (110.0, 0.75))
    left = pace.left_s()
    assert left is not None
    assert left[1] == pytest.approx(0.25 * 110.0 / 0.75)
    assert 10.0 <= left[0] < 0.9 * left[1]


def test_a_recent_standstill_is_in_the_longer_estimate() -> None:
    pace = after((0.0, 0.0), (10.0, 0.5), (60.0, 0.51))
    left = pace.left_s()
    assert left is not None
    assert left[1] > 10.0 * left[0] or left[1] > 50.0


def test_another_measure_of_the_fraction_starts_anew() -> None:
    pace = after((0.0, 0.0), (10.0, 0.5), (11.0, 0.1))
    assert pace.left_s() is None


@pytest.mark.parametrize(
    ("total_s", "until", "words"),
    [
        (100.0, 0.5, "about 50 s left"),
        (20.0, 0.95, "about 5 s left"),
        (600.0, 0.5, "about 5 min left"),
        (36000.0, 0.5, "about 5 h left"),
    ],
)
def test_words_are_rounded_upwards(total_s: float, until: float, words: str) -> None:
    found = even(total_s, until).words()
    numbers = [float(part) for part in (found.split()[1], words.split()[1])]
    assert found.split()[2:] == words.split()[2:]
    assert numbers[1] <= numbers[0] <= 1.2 * numbers[1] + 1.0


def test_two_rates_are_said_as_a_range_in_one_unit() -> None:
    pace = after((0.0, 0.0), (100.0, 0.5), (200.0, 0.55))
    assert pace.words() == "3 to 15 min left"
