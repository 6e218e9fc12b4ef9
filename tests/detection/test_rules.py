"""Suspicion, conformance and conflict, each against an independent computation or a known truth."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scipy.stats import norm

from droneteam.detection import conflict, rid
from droneteam.detection.conformance import (
    Conformance,
    ConformanceRules,
    Volume,
    accepted,
    containment,
    end,
    step,
)
from droneteam.detection.heights import Heights
from droneteam.detection.limit import BURST, RATE_PER_S, Limiter
from droneteam.detection.match import OwnDrone, RegisteredFlight
from droneteam.detection.motion import INDEX
from droneteam.detection.records import Alive, Plot, Received, Record, Signal, Track, Transmissions
from droneteam.detection.suspicion import WEIGHTS, Site, suspicion
from droneteam.detection.track import Tracker
from droneteam.detection.watch import Known, Moment, Watch
from tests.detection.radio import LAT_DEG, LON_DEG, START, Aircraft, fly, spoofed

DEGREE_M = 111_320.0


def track_at(east_m: float, north_m: float, sigma_m: float = 5.0, **change: object) -> Track:
    """A track beside LAT_DEG, LON_DEG with a round covariance."""
    tracker = Tracker()
    tracker.observe(next(iter(fly(Aircraft()))))
    covariance = [0.0] * 10
    covariance[INDEX[0, 0]] = covariance[INDEX[1, 1]] = sigma_m**2
    covariance[INDEX[2, 2]] = covariance[INDEX[3, 3]] = 1.0
    scale = math.cos(math.radians(LAT_DEG))
    place = {
        "lat_deg": LAT_DEG + north_m / DEGREE_M,
        "lon_deg": LON_DEG + east_m / (DEGREE_M * scale),
        "sigma_m": sigma_m,
        "covariance": tuple(covariance),
        "height_m": None,
    }
    return replace(tracker.tracks[0], **(place | change))


def box(half_m: float, **change: object) -> Volume:
    north, east = half_m / DEGREE_M, half_m / (DEGREE_M * math.cos(math.radians(LAT_DEG)))
    corners = tuple(
        (LAT_DEG + a * north, LON_DEG + b * east) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))
    )
    volume = Volume(corners, START - timedelta(hours=1), START + timedelta(hours=1))
    return replace(volume, **change)


RULES = ConformanceRules()


@pytest.mark.parametrize("east_m", [0.0, 90.0, 100.0, 105.0, 130.0])
@pytest.mark.parametrize("sigma_m", [2.0, 12.0])
def test_containment_is_the_integral_over_the_box(east_m: float, sigma_m: float) -> None:
    found = containment(track_at(east_m, 0.0, sigma_m), box(100.0), RULES)
    east = norm.cdf((100.0 - east_m) / sigma_m) - norm.cdf((-100.0 - east_m) / sigma_m)
    north = norm.cdf(100.0 / sigma_m) - norm.cdf(-100.0 / sigma_m)
    assert found[0] == pytest.approx(east * north, abs=0.01)
    assert found[0] <= found[1] <= found[2]


def test_a_height_at_its_limit_is_half_inside() -> None:
    track = track_at(0.0, 0.0, height_m=120.0, vertical_accuracy_m=10.0)
    assert containment(track, box(100.0, max_height_m=120.0), RULES)[0] == pytest.approx(0.5)
    higher = replace(track, height_m=125.0)
    expected = norm.cdf(-5.0 / (10.0 / 1.96))
    assert containment(higher, box(100.0, max_height_m=120.0), RULES)[0] == pytest.approx(expected)


def course(places: Iterable[float], volume: Volume | None = None) -> str:
    """The states' initials, one per second, of a track at these metres east."""
    state: Conformance = accepted(START)
    said = []
    for second, east_m in enumerate(places):
        at = START + timedelta(seconds=second)
        state = step(state, track_at(east_m, 0.0, 3.0, last_at=at), volume or box(100.0), RULES)
        said.append(state.state[0])
    return "".join(said)


@pytest.mark.parametrize(
    ("places", "states"),
    [
        ([0.0] * 3, "aaa"),
        ([0.0] + [120.0] * 5 + [0.0] * 3, "aaaaaaaaa"),  # an excursion shorter than the limit
        ([0.0] + [120.0] * 7, "aaaaaa" + "nn"),
        ([0.0] + [120.0] * 7 + [0.0] * 12, "aaaaaa" + "nn" + "n" * 10 + "aa"),
        ([0.0] + [120.0] * 7 + [102.0] * 12, "aaaaaa" + "n" * 14),  # the edge is no return
        ([0.0] + [120.0] * 70, "aaaaaa" + "n" * 55 + "c" * 10),
        ([0.0] + [300.0] * 8 + [0.0] * 20, "aaaaaa" + "n" + "c" * 22),
    ],
)
def test_states_follow_the_standard(places: list[float], states: str) -> None:
    assert course(places) == states


def test_a_flight_outside_its_time_does_not_conform() -> None:
    early = box(100.0, starts_at=START + timedelta(hours=1), ends_at=START + timedelta(hours=2))
    assert course([0.0] * 8, early) == "aaaaa" + "nnn"


def test_an_ended_flight_stays_ended() -> None:
    done = end(accepted(START), START)
    assert done.state == "ended"
    assert step(done, track_at(0.0, 0.0), box(100.0), RULES) == done
    assert end(done, START + timedelta(hours=1)) == done


@pytest.mark.parametrize("distance_m", [0.0, 20.0, 60.0, 150.0, 5000.0])
@pytest.mark.parametrize("sigma_m", [0.001, 10.0, 60.0])
def test_the_probability_of_a_conflict_is_what_sampling_finds(
    distance_m: float, sigma_m: float
) -> None:
    generator = np.random.default_rng(8)
    points = generator.normal(0.0, sigma_m, (2, 200_000))
    points[0] += distance_m
    expected = float(np.mean(np.hypot(*points) < 50.0))
    found = conflict.within_probability(distance_m, sigma_m, 50.0)
    assert found == pytest.approx(expected, abs=0.004)


OURS = conflict.Mover("ours", LAT_DEG, LON_DEG, 0.0, 0.0, 5.0, 1.0, Heights(100.0))


def closest(other: conflict.Mover) -> conflict.Conflict:
    return conflict.closest(OURS, other, within_m=60.0, vertical_m=50.0, horizon_s=45.0)


def test_heights_are_compared_only_above_the_same_reference() -> None:
    found = closest(replace(OURS, name="b", heights=Heights(120.0)))
    assert (found.vertical, found.probability > 0.99) == ("close", True)
    found = closest(replace(OURS, name="b", heights=Heights(400.0)))
    assert (found.vertical, found.probability) == ("separated", 0.0)
    found = closest(replace(OURS, name="b", heights=Heights()))
    assert (found.vertical, found.probability > 0.99) == ("not_comparable", True)


def test_what_flies_away_is_no_conflict() -> None:
    away = replace(OURS, name="b", lat_deg=LAT_DEG + 500.0 / DEGREE_M, north_mps=15.0)
    assert closest(away).in_s == 0.0
    assert closest(away).probability < 1e-6
    towards = replace(away, north_mps=-15.0)
    assert closest(towards).in_s == pytest.approx(500.0 / 15.0, abs=0.1)
    assert 0.3 < closest(towards).probability <= 1.0


def constant(n: int, dbm: int = -60, spread: int = 0) -> tuple[Signal, ...]:
    return tuple(
        Signal("roof", dbm + spread * (i % 5), LAT_DEG + i * 30.0 / DEGREE_M, LON_DEG)
        for i in range(n)
    )


SITE = Site("roof", LAT_DEG, LON_DEG, 2000.0)
ONE_CUE: list[tuple[str, Track, Transmissions]] = [
    ("impossible_motion", track_at(0, 0), Transmissions(n_jumps=3)),
    ("constant_signal", track_at(0, 0), Transmissions(signals=constant(30))),
    ("out_of_range", track_at(0, 6000.0), Transmissions()),
    ("duplicate_serial", track_at(0, 0, flags=frozenset({"duplicate_identity"})), Transmissions()),
    ("replayed", track_at(0, 0), Transmissions(n_repeats=5)),
    ("replayed", track_at(0, 0), Transmissions(n_counter_backsteps=5)),
    ("many_serials", track_at(0, 0), Transmissions(serials=frozenset("abc"))),
    (
        "operator_far",
        track_at(0, 0, operator_lat_deg=LAT_DEG + 0.2, operator_lon_deg=LON_DEG),
        Transmissions(),
    ),
    ("clock_off", track_at(0, 0, flags=frozenset({"clock_off"})), Transmissions()),
]


@pytest.mark.parametrize(("name", "track", "sent"), ONE_CUE)
def test_a_single_cue_is_seen_and_never_enough(
    name: str, track: Track, sent: Transmissions
) -> None:
    found = suspicion(track, sent, {"roof": SITE})
    assert [cue.name for cue in found.cues] == [name]
    assert found.score == 0.0
    assert not found.suspect
    assert any(character.isdigit() for character in found.cues[0].evidence) or name in (
        "duplicate_serial",
        "clock_off",
    )


def test_an_honest_flight_has_no_cue() -> None:
    sent = Transmissions(signals=constant(30, spread=2), serials=frozenset({"a"}))
    assert suspicion(track_at(0, 0), sent, {"roof": SITE}).cues == ()


def test_a_constant_signal_over_a_short_way_is_no_cue() -> None:
    sent = Transmissions(signals=constant(30)[:9] * 3)
    assert suspicion(track_at(0, 0), sent, {"roof": SITE}).cues == ()


def test_two_cues_are_the_noisy_or_of_their_weights() -> None:
    sent = Transmissions(n_jumps=3, n_repeats=5)
    found = suspicion(track_at(0, 0), sent, {})
    expected = 1.0 - (1.0 - WEIGHTS["impossible_motion"]) * (1.0 - WEIGHTS["replayed"])
    assert found.score == pytest.approx(expected)
    assert found.suspect


def test_a_flood_is_held_back_and_the_others_never_notice() -> None:
    limiter = Limiter()
    passed = {"flood": 0, "quiet": 0}
    for tick in range(10_000):
        at = START + timedelta(milliseconds=tick)
        for name in ("flood", "quiet") if tick % 500 == 0 else ("flood",):
            passed[name] += limiter.allows(Received(at, "roof", "t", name, b"x"))
    assert passed["quiet"] == 20
    assert BURST + 9 * RATE_PER_S <= passed["flood"] <= BURST + 11 * RATE_PER_S
    assert limiter.dropped == {"roof": 10_000 - passed["flood"]}


def test_a_flood_of_addresses_is_held_back_and_the_known_never_notice() -> None:
    limiter = Limiter()
    known = Received(START, "roof", "t", "known", b"x")
    assert limiter.allows(known)
    new = passed = 0
    for tick in range(5000):
        at = START + timedelta(milliseconds=tick)
        new += limiter.allows(Received(at, "roof", "t", f"new{tick}", b"x"))
        if tick % 500 == 0:
            passed += limiter.allows(replace(known, at=at))
    assert passed == 10
    assert 900 <= new <= 1100


def moments(watching: Watch, records: Iterable[Record]) -> list[Moment]:
    return [moment for record in records if (moment := watching.feed(record)[1]) is not None]


def kinds(found: Iterable[Moment]) -> list[tuple[str, str]]:
    return [(change.change, change.alert.condition.kind) for one in found for change in one.changes]


def test_a_drone_that_flies_at_ours_raises_a_conflict_with_its_numbers() -> None:
    ours = OwnDrone("drone-01", "OURS", START, LAT_DEG, LON_DEG)
    flight = RegisteredFlight("F", frozenset({"1581F4BND2280"}), START, START, ())
    other = Aircraft(east_m=-500.0, speed_mps=12.0)
    watching = Watch(lambda at: Known((replace(ours, at=at),), (replace(flight, ends_at=at),)))
    changes = [c for m in moments(watching, fly(other, seconds=30)) for c in m.changes]
    (raised,) = [
        c for c in changes if c.alert.condition.kind == "conflict" and c.change == "raised"
    ]
    facts = dict(raised.alert.condition.facts)
    assert facts["drone"] == "drone-01"
    assert 0.2 <= float(facts["probability"]) <= 1.0
    assert 20.0 < float(facts["in_s"]) <= 45.0
    assert facts["vertical"] == "not_comparable"


def test_a_receiver_that_stops_saying_that_it_works_is_an_alert() -> None:
    watching = Watch(lambda _at: Known())
    beats = [Alive(START + timedelta(seconds=10 * n), "roof") for n in range(4)]
    found = moments(watching, beats)
    later = [
        moment
        for second in range(30, 200)
        if (moment := watching.tick(START + timedelta(seconds=second))) is not None
    ]
    assert kinds(found) == []
    assert kinds(later) == [("raised", "silent_receiver")]
    back = [Alive(START + timedelta(seconds=200 + n), "roof") for n in range(20)]
    assert kinds(moments(watching, back)) == [("cleared", "silent_receiver")]


def radar(aircraft: Aircraft, seconds: int, seed: int) -> list[Plot]:
    generator = np.random.default_rng(seed)
    plots = []
    for t_s in range(seconds):
        lat_deg, lon_deg = aircraft.position(float(t_s))
        noise = generator.normal(0.0, 5.0 / DEGREE_M, 2)
        at = START + timedelta(seconds=t_s + 1.2)
        plots.append(Plot(at, "radar", "radar", lat_deg + noise[0], lon_deg + noise[1] * 1.58, 5.0))
    return plots


def test_what_a_radar_sees_and_nobody_announces_is_an_alert() -> None:
    watching = Watch(lambda _at: Known())
    found = moments(watching, radar(Aircraft(), 40, 1))
    assert kinds(found) == [("raised", "unregistered_flight")]
    ((track, match),) = found[-1].tracks
    assert (match.kind, match.evidence, track.receivers) == (
        "unknown",
        ("no_identity",),
        ("radar",),
    )
    lat_deg, _ = Aircraft().position(38.0)
    assert track.lat_deg == pytest.approx(lat_deg, abs=15.0 / DEGREE_M)
    assert track.speed_mps == pytest.approx(10.0, abs=4.0)


def test_the_radars_echo_of_an_identified_drone_is_no_second_track() -> None:
    flight = RegisteredFlight("F", frozenset({"1581F4BND2280"}), START, START, ())
    watching = Watch(lambda at: Known((), (replace(flight, ends_at=at),)))
    both: list[Record] = sorted(
        [*radar(Aircraft(), 40, 2), *fly(Aircraft(), seconds=40)], key=lambda one: one.at
    )
    found = moments(watching, both)
    assert kinds(found) == []
    assert {track.uas_id for track, _ in found[-1].tracks} == {"1581F4BND2280"}


def test_the_radars_echo_of_our_own_drone_is_ours() -> None:
    ours = Aircraft()

    def known(at: object) -> Known:
        t_s = (at - START).total_seconds()  # type: ignore[operator]
        lat_deg, lon_deg = ours.position(t_s)
        return Known((OwnDrone("drone-01", "X", at, lat_deg, lon_deg, 10.0, 90.0),))  # type: ignore[arg-type]

    found = moments(Watch(known), radar(ours, 40, 3))
    assert kinds(found) == []


def test_a_spoof_alert_names_its_cues() -> None:
    real = Aircraft()
    fake = spoofed(real, "02:00:00:00:00:66", east_m=8000.0)
    operator = rid.encode(rid.System(LAT_DEG + 0.3, LON_DEG))
    heard = sorted(
        [
            *fly(real),
            *fly(fake),
            *(replace(r, payload=operator) for r in fly(replace(fake, uas_id=None))),
        ],
        key=lambda one: one.at,
    )
    found = moments(Watch(lambda _at: Known()), heard)
    raised = [
        change.alert.condition
        for moment in found
        for change in moment.changes
        if change.alert.condition.kind == "suspected_spoof" and change.change == "raised"
    ]
    assert raised
    assert {"duplicate_serial", "operator_far"} <= set().union(*(c.evidence for c in raised))
