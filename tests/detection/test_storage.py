"""Storing keeps nobody waiting, loses nothing that was accepted, and survives a full disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text

from droneteam.accounts import SYSTEM
from droneteam.db import read_scope, session_scope
from droneteam.detection import reception, service
from droneteam.detection import storage as storage_module
from droneteam.detection.alert import AlertChange, Condition, OpenAlert
from droneteam.detection.gathered import Gathered, Raised
from droneteam.detection.listen import STORAGE, Listener, batches
from droneteam.detection.match import Match
from droneteam.detection.models import RidMessage, Sighting, TrackRow
from droneteam.detection.records import Received, Track
from droneteam.detection.storage import SLICE_ROWS, Storage
from tests.detection.radio import START, Aircraft, fly
from tests.detection.test_rules import track_at
from tests.detection.test_service import nothing_known

PATIENCE_S = 60.0
UNKNOWN = Match("unknown", None, ("no_identity",))


def wait_until(holds: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def some(n_tracks: int, n_heard: int = 0, first_id: int = 1) -> Gathered:
    """Tracks, a point of each, and receptions that belong to them in turn."""
    tracks: dict[int, tuple[Track, Match]] = {}
    base = track_at(0.0, 0.0)
    for number in range(first_id, first_id + n_tracks):
        tracks[number] = (replace(base, id=number), UNKNOWN)
    heard = [
        (Received(START, "roof", "t", f"{number}", b"\x12"), first_id + number % n_tracks)
        for number in range(n_heard)
    ]
    gathered = Gathered(tracks=tracks, heard=list(heard))
    gathered.close({})
    return gathered


def an_alert(track_id: int) -> Raised:
    condition = Condition("unregistered_flight", f"track:{track_id}", track_id, ("no_identity",))
    change = AlertChange("raised", OpenAlert(condition, START, START, START), START)
    return Raised((change,), ((replace(track_at(0.0, 0.0), id=track_id), UNKNOWN),))


def count(engine: Engine, model: type[Any]) -> int:
    with read_scope(engine) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


@contextmanager
def started(engine: Engine, **change: int) -> Iterator[Storage]:
    storage = Storage(engine, **change)
    storage.start()
    try:
        yield storage
    finally:
        storage.stop()


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Nobody else writes meanwhile."""
    with engine.connect() as other:
        other.exec_driver_sql("SELECT 1")  # begins a transaction that holds the lock
        yield
        other.rollback()


def test_everything_that_is_handed_over_is_stored_in_slices(engine: Engine) -> None:
    with started(engine) as storage:
        storage.store(some(700, 2600), {})
        storage.store(some(700, 100, first_id=500), {})
    assert count(engine, TrackRow) == 1199
    assert count(engine, RidMessage) == 2700
    assert count(engine, Sighting) == 1400
    assert (storage.failures, storage.lost, storage.problem) == (0, 0, "")


@pytest.mark.parametrize("rows", [1, 7, 100, 10_000])
def test_slices_hold_everything_once_and_tracks_before_what_refers_to_them(rows: int) -> None:
    whole = some(40, 90)
    whole.ended, parts = {3, 4}, []
    while whole:
        parts.append(whole.slice(rows))
    assert [number for part in parts for number in part.tracks] == list(range(1, 41))
    assert sum(len(part.heard) for part in parts) == 90
    assert sum(len(part.points) for part in parts) == 40
    assert set().union(*(part.ended for part in parts)) == {3, 4}
    last_track = max(index for index, part in enumerate(parts) if part.tracks)
    first_other = min(i for i, part in enumerate(parts) if part.points or part.heard or part.ended)
    assert last_track <= first_other
    assert max(map(len, parts)) <= 2 * rows + 2


def test_an_alert_is_stored_before_what_was_there_first(sqlite_engine: Engine) -> None:
    order = []

    class Told(Storage):
        def _write(self, raised: Raised | None, part: Gathered, errands: Any) -> None:
            super()._write(raised, part, errands)
            order.append("alert" if raised else len(part))

    storage = Told(sqlite_engine)
    storage.start()
    with locked(sqlite_engine):
        storage.store(some(3 * SLICE_ROWS), {})
        wait_until(lambda: len(storage._gathered) < 3 * SLICE_ROWS * 2)  # a slice is being stored
        storage.store_alerts(an_alert(9))
    storage.stop()
    assert order.index("alert") <= 1
    assert len(order) >= 4
    assert count(sqlite_engine, TrackRow) == 3 * SLICE_ROWS


def test_who_brings_too_much_waits_and_nothing_is_lost(sqlite_engine: Engine) -> None:
    with started(sqlite_engine, max_waiting=200) as storage:
        done = threading.Event()

        def bring() -> None:
            for turn in range(5):
                storage.store(some(10, 150, first_id=1 + 10 * turn), {})
            done.set()

        with locked(sqlite_engine):
            thread = threading.Thread(target=bring)
            thread.start()
            wait_until(lambda: len(storage._gathered.heard) > 200)
            assert not done.wait(0.2)
        thread.join(PATIENCE_S)
        assert done.is_set()
    assert storage.waited_s > 0.1
    assert (storage.lost, count(sqlite_engine, RidMessage)) == (0, 750)


def test_an_errand_is_done_after_the_rows_and_a_newer_one_replaces_it(engine: Engine) -> None:
    done = []

    def errand(name: str) -> Callable[[Any], None]:
        return lambda session: done.append((name, session.scalar(select(func.count(TrackRow.id)))))

    with started(engine) as storage, locked(engine):
        storage.store(some(900), {"health": errand("old")})
        storage.store(Gathered(), {"health": errand("new"), "other": errand("other")})
    assert {name for name, _ in done} >= {"new", "other"}
    assert all(stored == 900 for _, stored in done)


class Disk:
    """A database whose size is limited until the test makes room."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pages = 0
        event.listen(engine, "begin", self._limit)

    def _limit(self, connection: Any) -> None:
        raw = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA max_page_count = {self.pages or 1 << 30}")

    def fill(self) -> None:
        with self.engine.connect() as connection:
            self.pages = connection.scalar(text("PRAGMA page_count")) or 0

    def make_room(self) -> None:
        self.pages = 0


@pytest.fixture
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "RETRY_S", 0.02)


@pytest.mark.usefixtures("quick_retry")
def test_a_full_disk_is_named_and_survived_and_alerts_are_raised_meanwhile(
    sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(sqlite_engine, nothing_known, START)
    disk = Disk(sqlite_engine)
    disk.fill()
    listener.storage.start()
    caplog.set_level(logging.WARNING)
    for batch in batches(fly(Aircraft(), seconds=30, copies=9)):
        listener.hear(batch)
    listener.flush()
    wait_until(lambda: listener.storage.failures > 2)
    assert "full" in listener.storage.problem
    assert "alert raised" in caplog.text
    assert "the database refuses (database or disk is full)" in caplog.text
    assert count(sqlite_engine, RidMessage) < 9 * 40  # the last pages take a little
    disk.make_room()
    listener.pass_time(START + timedelta(seconds=40))
    wait_until(lambda: not listener.storage.problem)
    listener.pass_time(START + timedelta(seconds=46))
    listener.flush()
    listener.storage.stop()
    with session_scope(sqlite_engine) as session:
        (track,) = service.list_tracks(session, SYSTEM)
        (alert,) = service.list_alerts(session, SYSTEM, open_only=True)
        rows = reception.list_receivers(session, SYSTEM, START + timedelta(seconds=46))
        assert (alert.kind, alert.track_id) == ("unregistered_flight", track.id)
        assert len(service.alert_messages(session, SYSTEM, alert.id)) == 9 * 40
    assert listener.storage.lost == 0
    assert STORAGE in {row.name for row in rows}
    assert "stores again" in caplog.text


@pytest.mark.usefixtures("quick_retry")
def test_what_no_full_disk_can_hold_is_given_up_and_counted_but_no_alert_is(
    sqlite_engine: Engine,
) -> None:
    disk = Disk(sqlite_engine)
    disk.fill()
    with started(sqlite_engine, max_waiting=500) as storage:
        storage.store(some(20, 400), {})
        wait_until(lambda: storage.problem)
        for turn in range(10):
            storage.store(some(20, 400, first_id=1 + 20 * turn), {})
        waiting = len(storage._gathered.heard) + len(storage._gathered.points)
        assert waiting <= 500 + 2 * SLICE_ROWS  # and the slice that is being tried
        for turn in range(10):
            storage.store_alerts(an_alert(1 + 20 * turn))
        disk.make_room()
        wait_until(lambda: not storage.problem)
    assert storage.lost > 0
    with session_scope(sqlite_engine) as session:
        assert len(service.list_alerts(session, SYSTEM)) == 10
    assert count(sqlite_engine, TrackRow) == 200
    kept = count(sqlite_engine, RidMessage) + count(sqlite_engine, Sighting)
    assert kept + storage.lost == 11 * 420


@pytest.mark.usefixtures("quick_retry")
def test_stopping_while_the_disk_is_full_ends_and_says_what_is_not_stored(
    sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk(sqlite_engine)
    disk.fill()
    storage = Storage(sqlite_engine)
    storage.start()
    storage.store(some(20, 4000), {})
    wait_until(lambda: storage.problem)
    storage.stop()
    assert "4040 rows are not stored" in caplog.text
    assert count(sqlite_engine, RidMessage) == 0
