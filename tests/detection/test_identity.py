"""No identified drone ever swaps its track with another: rotation, copies, clones, lies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from droneteam.detection import rid
from droneteam.detection.readings import UNKNOWN_SIGMA_M
from droneteam.detection.records import Plot, Received
from droneteam.detection.track import NO_TRACK, REFUSED, Tracker
from tests.detection.radio import START, Aircraft, fly, spoofed


def owners(receptions: Sequence[tuple[str, Received]]) -> dict[str, set[int]]:
    """The tracks that every aircraft's positions went to, after its first five seconds."""
    tracker = Tracker()
    found: dict[str, set[int]] = {}
    for name, received in sorted(receptions, key=lambda pair: pair[1].at):
        (track_id,) = tracker.observe_many([received])
        located = isinstance(rid.decode(received.payload).messages[0], rid.Location)
        if located and received.at > START + timedelta(seconds=6):
            found.setdefault(name, set()).add(track_id)
    return found


def told(name: str, receptions: Iterable[Received]) -> list[tuple[str, Received]]:
    return [(name, received) for received in receptions]


def test_a_copied_serial_far_away_takes_nothing_over() -> None:
    real = Aircraft()
    fake = spoofed(real, "02:00:00:00:00:66", east_m=4000.0, course_deg=200.0)
    found = owners(told("real", fly(real)) + told("fake", fly(fake)))
    assert len(found["real"]) == len(found["fake"]) == 1
    assert found["real"] != found["fake"]


def test_a_copied_serial_that_flies_through_takes_nothing_over() -> None:
    real = Aircraft(east_m=-300.0, course_deg=90.0)
    fake = spoofed(real, "02:00:00:00:00:66", east_m=0.0, north_m=-300.0, course_deg=0.0)
    found = owners(told("real", fly(real)) + told("fake", fly(fake)))
    assert len(found["real"]) == len(found["fake"]) == 1
    assert found["real"] != found["fake"]


def test_a_cloned_address_and_serial_gives_each_place_its_track() -> None:
    real = Aircraft()
    fake = replace(real, east_m=5000.0, course_deg=180.0)
    found = owners(told("real", fly(real)) + told("fake", fly(fake)))
    assert len(found["real"]) == len(found["fake"]) == 1
    assert found["real"] != found["fake"]


def test_an_address_that_changes_every_ten_seconds_is_one_track() -> None:
    receptions = []
    for received in fly(Aircraft(identity_from_s=0.0), seconds=60):
        period = int((received.at - START).total_seconds() // 10)
        receptions.append(replace(received, transmitter=f"02:00:00:00:01:{period:02x}"))
    tracker = Tracker()
    for received in receptions:
        tracker.observe_many([received])
    (track,) = [track for track in tracker.tracks if track.uas_id is not None]
    assert track.started_at == START
    assert "duplicate_identity" not in track.flags


def test_two_transports_of_one_aircraft_are_one_track() -> None:
    wifi = Aircraft()
    ble = replace(wifi, transmitter="02:00:00:00:00:bb")
    found = owners(told("one", fly(wifi)) + told("one", fly(ble)))
    assert len(found["one"]) == 1


def test_a_crowd_with_spoofs_and_rotation_never_switches() -> None:
    generator = np.random.default_rng(6)
    receptions: list[tuple[str, Received]] = []
    for number in range(30):
        one = Aircraft(
            transmitter=f"02:00:00:00:02:{number:02x}",
            uas_id=f"SERIAL{number:04d}",
            east_m=float(generator.uniform(-1500, 1500)),
            north_m=float(generator.uniform(-1500, 1500)),
            course_deg=float(generator.uniform(0, 359)),
            latency_s=float(generator.uniform(0.9, 1.8)),
        )
        receptions += told(f"real {number}", fly(one, seconds=40))
        if number % 5 == 0:
            fake = spoofed(one, f"02:00:00:00:03:{number:02x}", east_m=one.east_m + 2500.0)
            receptions += told(f"fake {number}", fly(fake, seconds=40))
    found = owners(receptions)
    assert len(found) == 36
    assert all(len(tracks) == 1 for tracks in found.values())
    assert len(set.union(*found.values())) == 36


def test_batches_of_any_size_give_the_same_tracks() -> None:
    heard = list(fly(Aircraft(), Aircraft("02:00:00:00:00:02", "OTHER", north_m=500.0), seconds=30))
    one_by_one, at_once = Tracker(), Tracker()
    for received in heard:
        one_by_one.observe_many([received])
    at_once.observe_many(heard)
    for a, b in zip(one_by_one.tracks, at_once.tracks, strict=True):
        assert (a.uas_id, a.n_fixes, a.last_at) == (b.uas_id, b.n_fixes, b.last_at)
        assert (a.lat_deg, a.lon_deg) == pytest.approx((b.lat_deg, b.lon_deg), abs=1e-9)
        assert a.sigma_m == pytest.approx(b.sigma_m, rel=1e-6)


def test_a_refused_payload_among_others_is_told_apart() -> None:
    good = next(iter(fly(Aircraft())))
    nameless = replace(good, transmitter="x", payload=rid.encode(rid.SelfId(0, "hi")))
    ids = Tracker().observe_many([replace(good, payload=b"\xf0"), good, nameless])
    assert ids == [REFUSED, 1, NO_TRACK]


def test_an_unknown_accuracy_counts_as_wide() -> None:
    sharp, wide = (
        Aircraft().location(0.0),
        replace(Aircraft().location(0.0), horizontal_accuracy_m=None),
    )
    sigmas = []
    for location in (sharp, wide):
        tracker = Tracker()
        payload = rid.encode(location)
        tracker.observe(Received(START, "roof", "wifi-beacon", "a", payload))
        sigmas.append(tracker.tracks[0].sigma_m)
    assert sigmas[0] < 2.0
    assert sigmas[1] == pytest.approx(UNKNOWN_SIGMA_M, rel=0.01)


def test_a_clock_that_is_off_keeps_its_rhythm() -> None:
    """Receptions jitter by half a second; the sender's clock, 20 minutes slow, does not."""
    generator = np.random.default_rng(7)
    tracker = Tracker()
    aircraft = Aircraft(uas_id=None, speed_mps=20.0)
    for t_s in range(60):
        payload = rid.encode(replace(aircraft.location(float(t_s)), speed_mps=None))
        at = START + timedelta(minutes=20, seconds=t_s + float(generator.uniform(0.9, 1.8)))
        tracker.observe_many([Received(at, "roof", "wifi-beacon", "a", payload)])
    (track,) = tracker.tracks
    assert "clock_off" in track.flags
    assert track.speed_mps == pytest.approx(20.0, abs=0.5)


def test_a_message_without_a_time_is_dated_by_its_receivers_usual_delay() -> None:
    tracker = Tracker()
    for received in fly(Aircraft(latency_s=1.2), seconds=40):
        tracker.observe_many([received])
    quiet = replace(Aircraft(uas_id=None).location(0.0), second_of_hour_s=None)
    at = START + timedelta(seconds=50)
    tracker.observe_many([Received(at, "roof", "wifi-beacon", "b", rid.encode(quiet))])
    other = tracker.tracks[-1]
    assert (at - other.last_at).total_seconds() == pytest.approx(1.2, abs=0.05)


def test_poles_and_the_date_line_are_survived() -> None:
    for lat_deg, lon_deg in ((90.0, 0.1), (-90.0, 5.0), (89.9999, 180.0), (0.0, -180.0)):
        tracker = Tracker()
        for t_s in range(5):
            location = rid.Location(rid.Status.AIRBORNE, lat_deg, lon_deg, second_of_hour_s=t_s)
            at = START + timedelta(seconds=t_s)
            tracker.observe_many([Received(at, "r", "t", "a", rid.encode(location))])
        (track,) = tracker.tracks
        assert all(map(math.isfinite, (track.lat_deg, track.lon_deg, track.sigma_m)))
        assert track.lat_deg == pytest.approx(lat_deg, abs=1e-3)


def test_an_aircraft_with_a_transponder_is_a_track_of_its_own_kind() -> None:
    tracker = Tracker()
    plots = [
        Plot(
            START + timedelta(seconds=t),
            "roof",
            "ads-b",
            50.0 + t * 1e-3,
            4.0,
            30.0,
            identity="icao:44ce6f",
            manned=True,
            callsign="BEL7MG",
            speed_mps=111.0,
            course_deg=0.0,
        )
        for t in range(20)
    ]
    assert set(tracker.observe_plots(plots)) == {1}
    (track,) = tracker.tracks
    assert (track.manned, track.uas_id, track.registration) == (True, "icao:44ce6f", "BEL7MG")
    assert track.speed_mps == pytest.approx(111.0, abs=2.0)
