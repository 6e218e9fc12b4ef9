"""Jobs survive their workers, report, and stop when asked."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from droneteam import jobs
from droneteam.db import session_scope
from droneteam.errors import InputError, NotFound
from droneteam.settings import Settings

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def enqueue(engine: Engine, **payload: object) -> int:
    with session_scope(engine) as session:
        return jobs.enqueue(session, "build", payload, at=NOW, subject="scene:1")


def view(engine: Engine, job_id: int) -> jobs.JobView:
    with session_scope(engine) as session:
        return jobs.get(session, job_id)


def test_a_job_runs_once_with_its_payload(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine, photos=3)
    seen = []
    assert jobs.run_once(engine, settings, {"build": lambda c: seen.append(c.payload)})
    assert not jobs.run_once(engine, settings, {"build": lambda c: seen.append(c.payload)})
    assert seen == [{"photos": 3}]
    assert view(engine, job_id).state == "done"


def test_a_kind_without_a_handler_waits(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)
    assert not jobs.run_once(engine, settings, {"other": lambda c: None})
    assert view(engine, job_id).state == "queued"


def test_progress_is_stored_when_the_stage_changes(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)

    def handler(context: jobs.JobContext) -> None:
        context.progress("sfm", 0.25, "matching")
        stored = view(engine, job_id)
        assert (stored.stage, stored.fraction, stored.message) == ("sfm", 0.25, "matching")

    jobs.run_once(engine, settings, {"build": handler})
    assert view(engine, job_id).error is None


def test_an_expected_error_fails_the_job_with_its_words(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)

    def handler(context: jobs.JobContext) -> None:
        raise InputError("two photos are too few")

    jobs.run_once(engine, settings, {"build": handler})
    assert view(engine, job_id).state == "failed"
    assert view(engine, job_id).error == "two photos are too few"


def test_a_dead_workers_job_is_taken_over(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)
    dead = jobs.claim(engine, settings, ["build"], "dead")
    assert dead is not None
    assert jobs.claim(engine, settings, ["build"], "early") is None
    expire(engine, job_id)
    assert jobs.run_once(engine, settings, {"build": lambda c: None})
    assert (view(engine, job_id).state, view(engine, job_id).attempts) == ("done", 2)
    with pytest.raises(jobs.LeaseLost):
        dead.progress("late", 1.0)


def expire(engine: Engine, job_id: int) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    with session_scope(engine) as session:
        session.execute(update(jobs.Job).where(jobs.Job.id == job_id).values(lease_until=past))


def test_a_job_that_kills_its_workers_fails_in_the_end(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)
    for _ in range(jobs.MAX_ATTEMPTS):
        assert jobs.claim(engine, settings, ["build"], "doomed") is not None
        expire(engine, job_id)
    assert jobs.claim(engine, settings, ["build"], "next") is None
    assert "died 3 times" in (view(engine, job_id).error or "")


def test_a_waiting_job_is_cancelled_at_once(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)
    with session_scope(engine) as session:
        assert jobs.cancel(session, job_id, at=NOW).state == "cancelled"
    assert not jobs.run_once(engine, settings, {"build": lambda c: None})


def test_a_running_job_stops_when_asked(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)

    def handler(context: jobs.JobContext) -> None:
        with session_scope(engine) as session:
            jobs.cancel(session, job_id, at=NOW)
        for step in range(1000):
            context.progress(f"step {step}", 0.0)
        raise AssertionError("never stopped")

    jobs.run_once(engine, settings, {"build": handler})
    assert view(engine, job_id).state == "cancelled"


def test_the_heartbeat_outlasts_the_lease(engine: Engine, settings: Settings) -> None:
    job_id = enqueue(engine)
    taken = []

    def handler(context: jobs.JobContext) -> None:
        time.sleep(settings.lease_s * 1.5)
        taken.append(jobs.claim(engine, settings, ["build"], "thief"))

    jobs.run_once(engine, settings, {"build": handler})
    assert taken == [None]
    assert view(engine, job_id).state == "done"


def test_two_workers_never_take_the_same_job(engine: Engine, settings: Settings) -> None:
    ids = [enqueue(engine, n=n) for n in range(20)]
    ran: list[int] = []
    lock = threading.Lock()

    def handler(context: jobs.JobContext) -> None:
        with lock:
            ran.append(context.job_id)

    def worker() -> None:
        while jobs.run_once(engine, settings, {"build": handler}):
            pass

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == ids


def test_an_unknown_job_is_not_found(sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as session, pytest.raises(NotFound):
        jobs.get(session, 99)


def test_the_newest_job_of_each_subject_is_found_at_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        for subject in ("scene:1", "scene:2", "scene:1", "scene:3"):
            jobs.enqueue(session, "build", {}, at=NOW, subject=subject)
    with session_scope(engine) as session:
        found = jobs.latest_of(session, ["scene:1", "scene:2", "scene:9"])
        assert {subject: job.id for subject, job in found.items()} == {"scene:1": 3, "scene:2": 2}
        assert jobs.latest(session, "scene:1") == found["scene:1"]
        assert jobs.latest(session, "scene:9") is None
        assert jobs.latest_of(session, []) == {}
