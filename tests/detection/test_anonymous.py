"""Association against enumeration, and tracks against known truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from droneteam.detection import jpda, motion
from droneteam.detection.anonymous import AnonymousTracker, SensorModel
from droneteam.detection.jpda import Pairs
from droneteam.errors import InputError


def enumerated(odds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact marginals of an (n, m) table, by going through every joint event."""
    n, m = odds.shape
    pair, missed, alone, total = np.zeros((n, m)), np.zeros(n), np.zeros(m), 0.0
    for event in itertools.product(range(-1, m), repeat=n):
        taken = [plot for plot in event if plot >= 0]
        if len(taken) != len(set(taken)):
            continue
        weight = float(np.prod([odds[i, j] for i, j in enumerate(event) if j >= 0]))
        total += weight
        for track, plot in enumerate(event):
            if plot >= 0:
                pair[track, plot] += weight
            else:
                missed[track] += weight
        for plot in set(range(m)) - set(taken):
            alone[plot] += weight
    return pair / total, missed / total, alone / total


def associated(odds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, m = odds.shape
    track, plot = np.nonzero(odds > 0.0)
    found = jpda.associate(Pairs(track, plot), odds[track, plot], n, m)
    pair = np.zeros((n, m))
    pair[track, plot] = found.pair
    return pair, found.missed, found.alone


@pytest.mark.parametrize(
    "odds",
    [
        [[3.0]],
        [[3.0, 0.5]],
        [[3.0], [0.7]],
        [[3.0, 0.5, 0.0], [0.0, 2.0, 0.0], [0.0, 4.0, 9.0]],
    ],
)
def test_without_loops_the_association_is_exact(odds: list[list[float]]) -> None:
    table = np.array(odds)
    for found, expected in zip(associated(table), enumerated(table), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_small_clusters_are_close_to_enumeration() -> None:
    generator = np.random.default_rng(4)
    worst = []
    for _ in range(150):
        n, m = generator.integers(1, 5, 2)
        table = np.exp(generator.normal(0.0, 2.5, (n, m))) * (generator.random((n, m)) < 0.7)
        differences = [
            np.abs(found - expected).max()
            for found, expected in zip(associated(table), enumerated(table), strict=True)
        ]
        worst.append(max(differences))
    assert np.median(worst) < 0.02
    assert max(worst) < 0.25
    assert max(worst) > 1e-4  # it is an approximation: agreement to the last digit is a mistake


def test_probabilities_are_complete() -> None:
    generator = np.random.default_rng(5)
    table = np.exp(generator.normal(0.0, 2.0, (30, 40))) * (generator.random((30, 40)) < 0.1)
    pair, missed, alone = associated(table)
    np.testing.assert_allclose(pair.sum(axis=1) + missed, 1.0, atol=1e-9)
    np.testing.assert_allclose(pair.sum(axis=0) + alone, 1.0, atol=5e-3)


def test_the_gate_finds_what_brute_force_finds() -> None:
    generator = np.random.default_rng(6)
    places, plots = generator.uniform(0, 400, (2, 80)), generator.uniform(0, 400, (2, 120))
    roots = generator.normal(0, 8, (80, 2, 2))
    spreads = roots @ roots.transpose(0, 2, 1) + 9.0 * np.eye(2)
    flat = np.array([spreads[:, 0, 0], spreads[:, 0, 1], spreads[:, 1, 1]])
    found = jpda.gate(places, flat, plots, 9.0)
    expected = set()
    for i, spread in enumerate(spreads):
        for j in range(120):
            miss = plots[:, j] - places[:, i]
            if miss @ np.linalg.solve(spread, miss) <= 9.0:
                expected.add((i, j))
    assert set(zip(found.track.tolist(), found.plot.tolist(), strict=True)) == expected
    assert len(expected) > 60


def test_clusters_part_what_does_not_compete() -> None:
    pairs = Pairs(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 2]))
    first, second, third, fourth = jpda.clusters(pairs, 4, 3)
    assert first == second
    assert len({first, third, fourth}) == 3


SENSOR = SensorModel(sigma_m=5.0, detection=0.9, clutter_m2=1e-6, birth_m2=2e-7)


def scans(
    ways: list[tuple[float, float, float, float]], seconds: int, seed: int, clutter: int
) -> list[np.ndarray]:
    """Plots of aircraft at (east, north, east rate, north rate), with misses and false plots."""
    generator = np.random.default_rng(seed)
    out = []
    for second in range(seconds):
        true = [
            (e + ve * second, n + vn * second)
            for e, n, ve, vn in ways
            if generator.random() < SENSOR.detection
        ]
        seen = np.array(true).reshape(-1, 2).T
        seen = seen + generator.normal(0, SENSOR.sigma_m, seen.shape)
        false = generator.uniform(-1000, 1000, (2, generator.poisson(clutter)))
        out.append(np.concatenate([seen, false], axis=1))
    return out


def test_an_aircraft_among_false_plots_is_one_track() -> None:
    tracker = AnonymousTracker()
    ids = []
    for second, plots in enumerate(scans([(-300.0, 0.0, 10.0, 2.0)], 60, 7, 4)):
        tracker.scan(float(second), plots, SENSOR)
        ids.append(tuple(tracker.estimates().id.tolist()))
    (same,) = set.intersection(*map(set, ids[10:]))
    assert sum(len(found) for found in ids[10:]) <= 70
    found = tracker.estimates()
    column = found.id.tolist().index(same)
    miss = found.state[:, column] - [290.0, 118.0, 10.0, 2.0]
    covariance = found.covariance[motion.INDEX, column]
    assert miss @ np.linalg.solve(covariance, miss) < 18.5  # holds 99.9 % of four dimensions
    assert np.sqrt(covariance[0, 0]) < 6.0


def test_false_plots_alone_make_no_track_for_long() -> None:
    tracker = AnonymousTracker()
    confirmed = []
    for second, plots in enumerate(scans([], 80, 8, 4)):
        tracker.scan(float(second), plots, SENSOR)
        confirmed.append(len(tracker.estimates().id))
    assert np.mean(confirmed) < 0.2
    assert len(tracker) < 60


def test_two_that_cross_keep_their_tracks() -> None:
    kept = 0
    for seed in range(10):
        tracker = AnonymousTracker()
        ways = [(-300.0, 0.0, 10.0, 0.0), (0.0, -300.0, 0.0, 10.0)]
        for second, plots in enumerate(scans(ways, 60, seed, 1)):
            tracker.scan(float(second), plots, SENSOR)
            if second == 15:
                before = owners(tracker)
        kept += owners(tracker) == before
    assert kept >= 8


def owners(tracker: AnonymousTracker) -> tuple[int, int]:
    """Which track goes east and which goes north."""
    found = tracker.estimates()
    return int(found.id[np.argmax(found.state[2])]), int(found.id[np.argmax(found.state[3])])


def test_a_track_that_is_seen_no_more_ends() -> None:
    tracker = AnonymousTracker()
    for second, plots in enumerate(scans([(0.0, 0.0, 5.0, 0.0)], 20, 9, 0)):
        tracker.scan(float(second), plots, SENSOR)
    assert len(tracker.estimates().id) == 1
    for second in range(20, 30):
        tracker.scan(float(second), np.zeros((2, 0)), SENSOR)
    assert len(tracker.estimates().id) == 0
    assert len(tracker) == 0


def test_plots_are_told_whose_they_are() -> None:
    tracker = AnonymousTracker()
    for second in range(10):
        owner = tracker.scan(
            float(second), np.array([[8.0 * second, 900.0], [0.0, 90.0 * second]]), SENSOR
        )
    assert owner[0] in tracker.estimates().id.tolist()


def test_a_scan_of_the_past_is_refused() -> None:
    tracker = AnonymousTracker()
    tracker.scan(5.0, np.zeros((2, 0)), SENSOR)
    with pytest.raises(InputError, match="older"):
        tracker.scan(4.0, np.zeros((2, 0)), SENSOR)


@pytest.mark.parametrize(
    "change", [{"sigma_m": 0.0}, {"detection": 1.0}, {"clutter_m2": 0.0}, {"birth_m2": -1.0}]
)
def test_a_sensor_that_makes_no_sense_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        SensorModel(**({"sigma_m": 5.0} | change))
