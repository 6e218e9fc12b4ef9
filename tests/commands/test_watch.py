"""The watch raises what is due, survives interruptions and leaves an idle database alone."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from droneteam import db
from droneteam.accounts import SYSTEM
from droneteam.commands.watch import watch_loop, watch_once
from droneteam.db import read_scope, session_scope
from droneteam.fleet import service
from tests.fleet.conftest import DEMONSTRATION, NOW, seed

PATIENCE_S = 60.0


def test_the_watch_escalates_and_expires_each_thing_once(sqlite_engine: Engine) -> None:
    actors = seed(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        made = service.submit_request(
            session, actors["north"], replace(DEMONSTRATION, priority="P0"), NOW
        )
    assert watch_once(sqlite_engine, NOW) == 0
    assert watch_once(sqlite_engine, NOW + timedelta(seconds=31)) == 1
    assert watch_once(sqlite_engine, NOW + timedelta(seconds=31)) == 0
    over = DEMONSTRATION.end_at
    assert watch_once(sqlite_engine, over) > 1
    assert watch_once(sqlite_engine, over + timedelta(days=1)) == 0
    with read_scope(sqlite_engine) as session:
        assert service.get_request(session, SYSTEM, made.id, over).state == "expired"


def test_the_loop_raises_what_time_makes_due_until_it_is_stopped(sqlite_engine: Engine) -> None:
    actors = seed(sqlite_engine)
    now = datetime.now(UTC)
    urgent = replace(DEMONSTRATION, priority="P0", start_at=now, end_at=now + timedelta(hours=4))
    with session_scope(sqlite_engine) as session:
        submitted = now - timedelta(minutes=2)
        service.submit_request(session, actors["north"], urgent, submitted)
    stop = threading.Event()
    watcher = threading.Thread(target=watch_loop, args=(sqlite_engine, stop))
    watcher.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        found: list[service.EscalationView] = []
        while not found and time.monotonic() < deadline:
            time.sleep(0.05)
            with read_scope(sqlite_engine) as session:
                found = service.list_escalations(session, actors["manager"])
    finally:
        stop.set()
        watcher.join(timeout=PATIENCE_S)
    assert not watcher.is_alive()
    assert {"coordinator", "crisis_centre"} <= {view.told for view in found}


def test_a_database_that_does_not_answer_does_not_end_the_watch(tmp_path: Path) -> None:
    engine = db.make_engine(f"sqlite:///{tmp_path / 'empty.db'}")  # no tables at all
    stop = threading.Event()
    watcher = threading.Thread(target=watch_loop, args=(engine, stop))
    watcher.start()
    watcher.join(timeout=1.0)
    assert watcher.is_alive()
    stop.set()
    watcher.join(timeout=PATIENCE_S)
    assert not watcher.is_alive()
    engine.dispose()
