"""Figures from events: percentiles with their n, honest fulfilment, fairness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.fleet.performance import statistics
from droneteam.fleet.performance.statistics import Case, Event, Share
from droneteam.fleet.terms import RequestKind
from droneteam.fleet.terms import RequestState as S

T0 = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def case(number: int, *, zone: int = 1, breached: bool = False, served: int = 60) -> Case:
    return Case(number, zone, RequestKind.EVENT, "P3", breached, served_min=served, asked_min=60)


def events(number: int, *states: S) -> list[Event]:
    return [Event(number, T0 + timedelta(hours=hour), state) for hour, state in enumerate(states)]


def test_percentiles_are_observed_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [statistics.percentile(values, f).value for f in (0.5, 0.9, 0.95)] == [50, 90, 95]


def test_the_interval_of_the_median_of_100_spans_the_known_ranks() -> None:
    found = statistics.percentile([float(n) for n in range(1, 101)], 0.5)
    assert (found.low, found.high) == (40.0, 61.0)


def test_few_cases_give_no_interval_and_a_warning() -> None:
    found = statistics.percentile([3.0, 1.0, 2.0], 0.9)
    assert (found.value, found.low, found.high, found.small_n) == (3.0, 1.0, None, True)
    empty = statistics.percentile([], 0.5)
    assert (empty.n, empty.value) == (0, None)
    with pytest.raises(InputError):
        statistics.percentile([1.0], 1.0)


def test_wilson_matches_the_textbook_case() -> None:
    low, high = Share(1, 29).interval or (0.0, 0.0)
    assert (low, high) == pytest.approx((0.0061, 0.1718), abs=1e-4)  # Newcombe 1998, table I
    assert Share(0, 0).value is None
    assert Share(0, 0).interval is None
    with pytest.raises(InputError):
        Share(3, 2)


def test_a_cancellation_after_a_breach_counts_as_a_miss_and_before_it_does_not() -> None:
    log = [
        *events(1, S.SUBMITTED, S.PLANNED, S.IN_PROGRESS, S.FULFILLED),
        *events(2, S.SUBMITTED, S.CANCELLED),
        *events(3, S.SUBMITTED, S.CANCELLED),
        *events(4, S.SUBMITTED, S.EXPIRED),
        *events(5, S.SUBMITTED),
        *events(6, S.SUBMITTED, S.REFUSED),
    ]
    cases = [case(n, breached=n == 3) for n in range(1, 7)]
    found = statistics.fulfilment(cases, statistics.final_states(log))
    assert (found.raw.hits, found.raw.n) == (1, 2)
    assert (found.adjusted.hits, found.adjusted.n) == (1, 4)


def test_waits_run_from_the_first_start_to_the_first_end() -> None:
    log = [*events(1, S.SUBMITTED, S.ACKNOWLEDGED, S.PLANNED), *events(2, S.SUBMITTED)]
    waits = statistics.waits_s(reversed(log), S.SUBMITTED, frozenset({S.PLANNED}))
    assert waits == {1: 7200.0}


def test_equal_shares_are_fair_and_one_taker_is_not() -> None:
    assert statistics.jain_index([2.0, 2.0, 2.0]) == pytest.approx(1.0)
    assert statistics.jain_index([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert statistics.jain_index([]) == 1.0
    with pytest.raises(InputError):
        statistics.jain_index([-1.0])


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=20), st.floats(1e-2, 1e2))
def test_jain_lies_between_one_nth_and_one_and_ignores_the_unit(
    shares: list[float], unit: float
) -> None:
    found = statistics.jain_index(shares)
    assert 1 / len(shares) - 1e-9 <= found <= 1 + 1e-9
    assert statistics.jain_index([unit * share for share in shares]) == pytest.approx(found)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_percentile_lies_within_its_interval(values: list[float], fraction: float) -> None:
    found = statistics.percentile(values, fraction)
    assert found.value in values
    assert found.low is None or found.value is None or found.low <= found.value
    assert found.high is None or found.value is None or found.value <= found.high


def test_satisfaction_and_gap_compare_zones() -> None:
    cases = [case(1, zone=1), case(2, zone=2, served=30), case(3, zone=2, served=0)]
    shares = statistics.satisfaction(cases)
    assert shares == {1: 1.0, 2: 0.25}
    assert statistics.max_min_gap(shares.values()) == pytest.approx(0.75)


def test_displacements_count_for_the_zone_that_suffered_them() -> None:
    log = [*events(1, S.PLANNED, S.DISPLACED, S.PLANNED, S.DISPLACED), *events(2, S.PLANNED)]
    balance = statistics.displacement_balance(log, [case(1, zone=4), case(2, zone=5)])
    assert balance == {4: 2}


def test_fulfilled_requests_are_counted_by_kind_and_every_kind_is_named() -> None:
    log = events(1, S.IN_PROGRESS, S.FULFILLED)
    counts = statistics.fulfilled_by_kind([case(1), case(2)], statistics.final_states(log))
    assert counts[RequestKind.EVENT] == 1
    assert set(counts) == set(RequestKind)


def test_overlapping_use_counts_once() -> None:
    def at(hour: float) -> datetime:
        return T0 + timedelta(hours=hour)

    busy = [(at(-1), at(1)), (at(0.5), at(2)), (at(9), at(12))]
    assert statistics.utilisation(busy, at(0), at(10)) == pytest.approx(0.3)
    with pytest.raises(InputError):
        statistics.utilisation([], at(1), at(1))
    assert statistics.is_chronological(events(1, S.SUBMITTED, S.PLANNED))
