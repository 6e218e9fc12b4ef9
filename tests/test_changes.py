"""Whoever waits for the database is told of every commit, and of nothing else."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from droneteam.db import Changes, make_engine, read_scope, session_scope
from droneteam.detection import service
from droneteam.detection.models import ReceiverRow

PATIENCE_S = 60.0
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def write(engine: Engine, name: str) -> None:
    with session_scope(engine) as session:
        session.add(
            ReceiverRow(
                name=name, kind="", state="quiet", problem="", received=0, dropped=0, updated_at=NOW
            )
        )


def test_a_commit_is_told_once(engine: Engine) -> None:
    changes = Changes(engine)
    changes.wait(0.0)  # what was there before it began to wait
    assert not changes.wait(0.0)
    write(engine, "a")
    assert changes.wait(PATIENCE_S)
    assert not changes.wait(0.0)
    changes.close()


def test_a_commit_while_nobody_waits_is_told_at_the_next_wait(engine: Engine) -> None:
    changes = Changes(engine)
    changes.wait(0.0)
    write(engine, "a")
    write(engine, "b")
    time.sleep(0.05)
    assert changes.wait(PATIENCE_S)
    changes.close()


def test_a_commit_of_another_engine_wakes_who_waits(sqlite_engine: Engine) -> None:
    other = make_engine(sqlite_engine.url.render_as_string(hide_password=False))
    changes = Changes(sqlite_engine)
    changes.wait(0.0)
    writer = threading.Timer(0.1, write, (other, "a"))
    began_s = time.monotonic()
    writer.start()
    assert changes.wait(PATIENCE_S)
    assert time.monotonic() - began_s < PATIENCE_S / 2
    writer.join()
    changes.close()
    other.dispose()


def test_reading_and_what_was_rolled_back_are_no_changes(engine: Engine) -> None:
    changes = Changes(engine)
    changes.wait(0.0)
    with read_scope(engine) as session:
        service.next_track_id(session)
    with pytest.raises(ZeroDivisionError), session_scope(engine) as session:
        session.add(ReceiverRow(name="x", kind="", state="", received=1 // 0))
    assert not changes.wait(0.2)
    changes.close()


def test_a_database_that_is_away_may_have_changed(
    sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    changes = Changes(sqlite_engine)
    changes.wait(0.0)
    changes._connection.close()
    assert changes.wait(0.01)
    assert "looking anyway" in caplog.text
    assert changes.wait(0.01)  # connected anew: it cannot know what it missed
    assert not changes.wait(0.01)
    changes.close()
