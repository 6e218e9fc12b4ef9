"""What is played back is what was flown, thinned without losing what matters."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import json
from datetime import datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.formats import track as tracks
from droneteam.missions.mavlink.channels import LinkCount, vehicle_time
from droneteam.missions.mavlink.framing import Frame
from droneteam.missions.record import replay as replaying
from droneteam.missions.record.replay import Replay, ReplayEvent, replay, thinned
from droneteam.missions.record.sortie import SortieLog, sortie_from_bytes
from tests.missions import flown


@functools.cache
def log() -> SortieLog:
    return sortie_from_bytes(flown.packet_log(), drone="drone-01")


def played(samples: int = 300) -> Replay:
    return replay(log(), flown.journal(), samples=samples)


def test_the_series_have_equal_lengths_and_stay_within_the_bound() -> None:
    for samples in (2, 3, 50, 5000):
        found = played(samples)
        lengths = {
            len(getattr(found, name))
            for name in ("t_s", "lat_deg", "lon_deg", "alt_home_m", "alt_amsl_m", "speed_mps",
                         "yaw_deg", "roll_deg", "pitch_deg", "battery_pct", "lost")
        }  # fmt: skip
        assert lengths == {min(samples, found.n_track)} or lengths == {len(found.t_s)}
        assert 2 <= len(found.t_s) <= samples
        assert found.t_s[-1] == pytest.approx(float(log().track.t_s[-1]), abs=1e-3)
        assert list(found.t_s) == sorted(found.t_s)


def test_the_highest_point_survives_any_thinning() -> None:
    for samples in (3, 10, 100):
        assert max(played(samples).alt_home_m) == pytest.approx(log().max_alt_home_m, abs=0.01)


@given(st.lists(st.floats(0.001, 10.0), min_size=1, max_size=300), st.integers(2, 60))
def test_thinning_keeps_both_ends_and_rises(steps: list[float], most: int) -> None:
    t_s = np.cumsum(np.array(steps))
    height = np.sin(t_s)
    kept = thinned(t_s, height, most)
    assert len(kept) <= most
    assert (kept[0], kept[-1]) == (0, len(t_s) - 1)
    assert all(a < b for a, b in itertools.pairwise(kept.tolist()))
    if most > 2:
        assert int(np.argmax(height)) in kept


def test_a_bound_out_of_range_is_refused_with_the_range() -> None:
    for samples in (1, 5001):
        with pytest.raises(InputError, match=r"outside \[2, 5000\]"):
            replay(log(), samples=samples)


def test_photos_modes_and_heights_lie_where_they_were_flown() -> None:
    found = played(5000)
    shots = flown._bench().shots
    assert [photo.index for photo in found.photos] == [shot.index for shot in shots]
    assert found.zero_at is not None
    for photo, shot in zip(found.photos, shots, strict=True):
        assert found.zero_at + timedelta(seconds=photo.t_s) == pytest.approx(
            shot.at, abs=timedelta(seconds=0.05)
        )
        height = np.interp(photo.t_s, found.t_s, found.alt_home_m)
        assert height == pytest.approx(shot.alt_home_m, abs=0.5)
    names = [name for _, name in found.modes]
    assert (names[0], names[-1]) == ("STABILIZE", "AUTO")
    assert all(0.0 <= one <= 100.0 for one in found.battery_pct if one is not None)
    pitched = [one for one in found.pitch_deg if one is not None]
    assert min(pitched) == pytest.approx(float(log().channels.pitch_deg.min()), abs=1.5)
    assert max(pitched) == pytest.approx(float(log().channels.pitch_deg.max()), abs=1.5)


def test_attitude_lies_on_the_same_time_line_as_the_track() -> None:
    """A multicopter that speeds up northwards or eastwards pitches its nose down first."""
    found, channels = played(5000), log().channels
    assert channels.attitude_t_s[0] == pytest.approx(found.t_s[0], abs=0.5)
    assert channels.attitude_t_s[-1] == pytest.approx(found.t_s[-1], abs=0.5)
    speed, t_s = np.array(found.speed_mps), np.array(found.t_s)
    rising = t_s[int(np.argmax(np.diff(speed)))]
    near = np.abs(channels.attitude_t_s - rising) < 1.0
    assert float(channels.pitch_deg[near].min()) < -2.0


def test_the_controllers_notes_stand_on_the_vehicles_time_line_in_spite_of_its_clock() -> None:
    found = played()
    assert found.zero_at is not None
    ours = [event for event in found.events if event.source == "controller"]
    assert [event.kind for event in ours] == ["contact", "check", "link", "returning"]
    noted = {entry.kind: entry.at for entry in flown.journal()}
    for event in ours:
        true_at = noted[event.kind] - timedelta(seconds=flown.CLOCK_AHEAD_S)
        assert event.at == pytest.approx(true_at, abs=timedelta(seconds=0.3))
    times = [event.t_s for event in found.events]
    assert times == sorted(times)
    assert {event.source for event in found.events} == {"controller", "vehicle"}


def test_others_may_add_what_they_know() -> None:
    at = flown.first_heard() + timedelta(seconds=15)
    alert = ReplayEvent(0.0, at, "watch", "alert", "unregistered_flight")
    found = replay(log(), more=[alert])
    (told,) = [event for event in found.events if event.source == "watch"]
    assert told.t_s != 0.0
    assert told.detail == "unregistered_flight"


def test_events_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "MAX_EVENTS", 3)
    assert len(played().events) == 3


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_log_cut_anywhere_plays_back_as_far_as_it_goes(data: st.DataObject) -> None:
    whole = flown.packet_log()
    cut = data.draw(st.integers(2000, len(whole) - 1))
    part = sortie_from_bytes(whole[:cut])
    found = replay(part, flown.journal(), samples=100)
    assert len(found.t_s) <= 100
    assert found.n_track <= played().n_track
    assert found.complete == (found.note == "")


# The link


def frames(numbers: list[int], component: int = 1) -> LinkCount:
    count = LinkCount()
    for place, number in enumerate(numbers):
        raw = bytes((0xFD, 0, 0, 0, number, 1, component, 0, 0, 0))
        count.take(Frame(raw, 1, component, 0), 1000.0 + 0.01 * place)
    return count


def test_gaps_in_the_numbers_are_lost_packets_and_late_ones_are_not() -> None:
    assert sum(frames([1, 2, 3, 4]).gaps) == 0
    assert sum(frames([1, 2, 5, 6]).gaps) == 2
    assert sum(frames([254, 255, 0, 2]).gaps) == 1
    assert sum(frames([1, 3, 2, 2, 4]).gaps) == 1  # 2 came late and twice: told once, as lost


def test_a_perfect_line_lost_nothing_and_a_thinned_one_what_was_taken_out() -> None:
    assert log().channels.lost_share == 0.0
    whole = flown.packet_log()
    records = list(cut_up(whole))
    kept = b"".join(record for place, record in enumerate(records) if place % 4)
    share = sortie_from_bytes(kept).channels.lost_share
    assert share == pytest.approx(0.25, abs=0.02)


def cut_up(data: bytes) -> list[bytes]:
    records, at = [], 0
    while at < len(data):
        length = 8 + data[at + 9] + (12 if data[at + 8] == 0xFD else 8)
        records.append(data[at : at + length])
        at += length
    return records


@given(st.floats(0.5, 20.0), st.integers(2, 50))
def test_times_of_receipt_become_the_vehicles_at_any_pace(pace: float, n: int) -> None:
    received = 1e6 + np.arange(n, dtype=float)
    t_s = pace * np.arange(n, dtype=float) - 5.0
    asked = np.array([received[0] - 2.0, received[0] + 0.5, received[-1] + 2.0])
    found = vehicle_time(asked, received, t_s)
    assert found == pytest.approx([t_s[0] - 2.0, t_s[0] + 0.5 * pace, t_s[-1] + 2.0], abs=1e-6)


# For other programs


def test_every_format_tells_the_same_track() -> None:
    n = len(log().track.t_s)
    rows = list(csv.DictReader(io.StringIO(tracks.track_to_csv(log(), "s").decode())))
    assert len(rows) == n
    highest = max(float(row["alt_home_m"]) for row in rows)
    assert highest == pytest.approx(log().max_alt_home_m, abs=0.01)
    features = json.loads(tracks.track_to_geojson(log(), "s"))["features"]
    line, photos = features[0], features[1:]
    assert len(line["geometry"]["coordinates"]) == n == len(line["properties"]["utc"])
    assert [one["properties"]["photo"] for one in photos] == [t.index for t in log().triggers]
    gpx = ElementTree.fromstring(tracks.track_to_gpx(log(), "s"))
    points = gpx.findall(f".//{{{tracks.GPX}}}trkpt")
    assert len(points) == n
    kml = ElementTree.fromstring(tracks.track_to_kml(log(), "s"))
    coords = kml.findall(f".//{{{tracks.GX}}}coord")
    assert len(coords) == n == len(kml.findall(f".//{{{tracks.KML}}}when"))
    for row, point, coord, place in zip(
        rows, points, coords, line["geometry"]["coordinates"], strict=True
    ):
        lat, lon = float(row["lat_deg"]), float(row["lon_deg"])
        assert (float(point.get("lat", "")), float(point.get("lon", ""))) == (lat, lon)
        assert place == pytest.approx([lon, lat], abs=1e-9)
        told = [float(value) for value in (coord.text or "").split()]
        assert told == pytest.approx([lon, lat, float(row["alt_amsl_m"])], abs=0.011)


def test_times_in_the_formats_are_utc() -> None:
    rows = list(csv.DictReader(io.StringIO(tracks.track_to_csv(log(), "s").decode())))
    boot_s = flown._bench().ap.t_s
    last = datetime.fromisoformat(rows[-1]["utc"])
    assert abs((last - flown.utc_of(boot_s)).total_seconds()) < 0.5
