"""Our reader and pymavlink's agree on the simulator's log; damage is counted, never fatal."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.missions.record.dataflash import DataFlashReader, read_onboard_log
from tests.sitl.bench import BOOT_AT
from tests.sitl.test_blackbox import flown, read


def whole() -> bytes:
    return flown().station.blackbox.logs[0].data


def same(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9) or (ours != ours != theirs)
    return ours == theirs


def test_every_field_of_every_message_is_what_pymavlink_reads(tmp_path: Path) -> None:
    reader = DataFlashReader(whole())
    ours = list(reader.rows())
    theirs = [one for one in read(tmp_path, whole()) if one.get_type() != "FMT"]
    assert len(ours) == len(theirs)
    for row, other in zip(ours, theirs, strict=True):
        assert row.name == other.get_type()
        for label, value in row.fields.items():
            assert same(value, getattr(other, label)), (row.name, label)
    assert (reader.skipped_bytes, reader.cut_bytes) == (0, 0)


def test_only_the_asked_names_are_read() -> None:
    rows = list(DataFlashReader(whole()).rows(frozenset({"CAM"})))
    assert {row.name for row in rows} == {"CAM"}
    assert len(rows) == len(flown().shots)


def test_the_logs_clock_is_bound_to_utc_within_its_stated_uncertainty() -> None:
    log = read_onboard_log(whole())
    assert log.time is not None
    error_s = abs((log.time.zero_at - BOOT_AT).total_seconds())
    assert error_s <= log.time.uncertainty_s <= 0.25
    assert log.began_at is not None
    assert log.began_at - BOOT_AT == pytest.approx(timedelta(seconds=42), abs=timedelta(seconds=2))
    assert log.ended_at is not None
    assert timedelta(seconds=20) < log.ended_at - log.began_at < timedelta(seconds=200)


def test_the_photos_are_those_that_were_taken() -> None:
    log = read_onboard_log(whole())
    for photo, shot in zip(log.photos, flown().shots, strict=True):
        assert photo.index == shot.index
        assert abs(photo.at - shot.at) < timedelta(milliseconds=2)
        assert photo.lat_deg == pytest.approx(shot.lat_deg, abs=2e-7)
        assert photo.alt_home_m == pytest.approx(shot.alt_home_m, abs=0.02)
    assert log.note == ""


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_log_cut_anywhere_is_read_up_to_the_cut(data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, 40_000))
    reader = DataFlashReader(whole()[:cut])
    rows = sum(1 for _ in reader.rows())
    everything = DataFlashReader(whole())
    at_most = sum(1 for _ in everything.rows())
    assert rows <= at_most
    assert reader.skipped_bytes == 0
    assert reader.cut_bytes < 256
    log = read_onboard_log(whole()[:cut])
    assert (log.note != "") == (reader.cut_bytes > 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(5_000, 60_000), st.binary(min_size=1, max_size=200))
def test_damage_in_the_middle_costs_little_more_than_itself(at: int, dirt: bytes) -> None:
    log = whole()
    damaged = log[:at] + dirt + log[at + len(dirt) :]
    rows = sum(1 for _ in DataFlashReader(damaged).rows())
    # The damage itself, and at worst a description that it hid: those stand in the first 5 kB.
    assert sum(1 for _ in DataFlashReader(log).rows()) - rows <= len(dirt) / 20 + 6


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_bytes_that_are_no_log_are_an_empty_one(data: bytes) -> None:
    log = read_onboard_log(data)
    assert log.rows == 0
    assert log.time is None
    assert log.began_at is None
