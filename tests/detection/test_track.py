"""Tracks hold together what belongs together, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from droneteam.detection import rid
from droneteam.detection.track import ENDED_AFTER_S, Received, Track, Tracker
from droneteam.errors import DecodeError
from droneteam.geo import great_circle_distance_m
from tests.detection.radio import LAT_DEG, LON_DEG, START, Aircraft, fly


def follow(receptions: Iterable[Received]) -> Tracker:
    tracker = Tracker()
    for received in receptions:
        tracker.observe(received)
    return tracker


def only(tracker: Tracker) -> Track:
    (track,) = tracker.tracks
    return track


def test_one_aircraft_is_one_track_with_its_course_and_speed() -> None:
    aircraft = Aircraft(course_deg=60.0)
    track = only(follow(fly(aircraft)))
    lat_deg, lon_deg = aircraft.position(59.0)
    assert great_circle_distance_m(track.lat_deg, track.lon_deg, lat_deg, lon_deg) < 2.0
    assert track.speed_mps == pytest.approx(10.0, abs=0.3)
    assert track.course_deg == pytest.approx(60.0, abs=2.0)
    assert track.uas_id == "1581F4BND2280"
    assert track.started_at == START


def test_nine_copies_count_once() -> None:
    assert only(follow(fly(Aircraft(), seconds=20, copies=9))).n_fixes == 20


def test_two_receivers_make_one_track() -> None:
    receptions = [
        received
        for t_s in range(10)
        for name in ("roof", "van")
        for received in Aircraft().receptions(float(t_s), receiver=name)
    ]
    track = only(follow(receptions))
    assert track.receivers == ("roof", "van")
    assert track.n_fixes == 10


def test_a_late_identity_names_the_track_without_restarting_it() -> None:
    tracker = follow(fly(Aircraft(identity_from_s=30.0), seconds=29))
    nameless = only(tracker)
    assert nameless.uas_id is None
    for received in fly(Aircraft(identity_from_s=30.0), seconds=45):
        if received.at > nameless.last_at + timedelta(seconds=2):
            tracker.observe(received)
    assert only(tracker).id == nameless.id
    assert only(tracker).uas_id == "1581F4BND2280"


def test_a_change_of_radio_address_keeps_the_track() -> None:
    first = Aircraft(identity_from_s=0.0)
    second = replace(first, transmitter="02:00:00:00:00:99")
    receptions = [r for r in fly(first, seconds=60) if r.at < START + timedelta(seconds=30)]
    receptions += [r for r in fly(second, seconds=60) if r.at >= START + timedelta(seconds=30)]
    tracker = follow(receptions)
    assert only(tracker).transmitters == (first.transmitter, second.transmitter)
    assert "duplicate_identity" not in only(tracker).flags


def test_two_aircraft_stay_two_tracks_when_they_cross() -> None:
    east = Aircraft(east_m=-300.0, course_deg=90.0)
    north = Aircraft("02:00:00:00:00:02", "OTHER", north_m=-300.0, course_deg=0.0)
    tracks = follow(fly(east, north)).tracks
    assert {track.uas_id for track in tracks} == {"1581F4BND2280", "OTHER"}
    assert {track.n_fixes for track in tracks} == {60}


def test_one_serial_in_two_places_is_two_flagged_tracks() -> None:
    real = Aircraft()
    fake = Aircraft("02:00:00:00:00:66", east_m=15_000.0)
    tracks = follow(fly(real, fake)).tracks
    assert len(tracks) == 2
    assert all("duplicate_identity" in track.flags for track in tracks)


def test_a_wrong_clock_is_set_aside_and_flagged() -> None:
    late = [replace(r, at=r.at + timedelta(minutes=20)) for r in fly(Aircraft())]
    track = only(follow(late))
    assert "clock_off" in track.flags
    assert track.last_at == late[-1].at or track.last_at == late[-2].at


def test_a_message_that_comes_late_does_not_bend_the_track() -> None:
    receptions = list(fly(Aircraft(uas_id=None), seconds=30))
    swapped = [*receptions[:20], *receptions[21:], receptions[20]]
    straight, bent = only(follow(receptions)), only(follow(swapped))
    assert bent.course_deg == pytest.approx(straight.course_deg, abs=1.0)
    assert bent.last_at == straight.last_at


def test_the_stated_sigma_holds_the_error() -> None:
    generator = np.random.default_rng(5)
    inside = 0
    for _ in range(200):
        tracker = Tracker()
        aircraft = Aircraft(uas_id=None)
        for t_s in range(15):
            location = aircraft.location(float(t_s))
            noise = generator.normal(0.0, 3.0 / 2.4477 / 111_320.0, 2)
            assert location.lat_deg is not None
            assert location.lon_deg is not None
            noisy = replace(
                location,
                lat_deg=location.lat_deg + noise[0],
                lon_deg=location.lon_deg + noise[1] / np.cos(np.radians(LAT_DEG)),
            )
            at = START + timedelta(seconds=t_s + 1.0)
            tracker.observe(Received(at, "roof", "wifi-beacon", "a", rid.encode(noisy)))
        track = only(tracker)
        lat_deg, lon_deg = aircraft.position(14.0)
        error_m = great_circle_distance_m(track.lat_deg, track.lon_deg, lat_deg, lon_deg)
        inside += error_m < 2.4477 * track.sigma_m
    assert 0.90 <= inside / 200 <= 1.0


def test_a_silent_track_ends_once() -> None:
    tracker = follow(fly(Aircraft(), seconds=5))
    last = only(tracker).last_at
    assert tracker.end_silent(last + timedelta(seconds=ENDED_AFTER_S)) == ()
    assert len(tracker.end_silent(last + timedelta(seconds=ENDED_AFTER_S + 1))) == 1
    assert tracker.tracks == ()
    assert tracker.end_silent(last + timedelta(hours=1)) == ()


def test_a_station_without_a_position_makes_no_track() -> None:
    tracker = Tracker()
    payload = rid.encode(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "A1"))
    assert tracker.observe(Received(START, "roof", "wifi-beacon", "a", payload)) is None
    assert tracker.tracks == ()


def test_an_undecodable_payload_changes_nothing() -> None:
    tracker = Tracker()
    with pytest.raises(DecodeError):
        tracker.observe(Received(START, "roof", "wifi-beacon", "a", b"\xf0"))
    assert tracker.tracks == ()


def test_the_operators_place_and_registration_are_kept() -> None:
    system = rid.System(LAT_DEG, LON_DEG, at=START)
    pack = rid.encode_pack((system, rid.OperatorId(0, "BELxxxx1"), Aircraft().location(0.0)))
    tracker = follow([Received(START, "roof", "wifi-beacon", "a", pack)])
    track = only(tracker)
    assert (track.operator_lat_deg, track.operator_id) == (LAT_DEG, "BELxxxx1")


def test_a_track_crosses_the_date_line() -> None:
    tracker = Tracker()
    for t_s, lon_deg in enumerate([179.9996, 179.9998, 180.0, -179.9998, -179.9996]):
        location = rid.Location(rid.Status.AIRBORNE, 10.0, lon_deg, second_of_hour_s=float(t_s))
        at = START + timedelta(seconds=t_s)
        tracker.observe(Received(at, "roof", "wifi-beacon", "a", rid.encode(location)))
    assert abs(only(tracker).lon_deg) > 179.9
    assert only(tracker).speed_mps < 60.0
