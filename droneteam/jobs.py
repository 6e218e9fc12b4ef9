"""TABLE job: long work as durable rows with lease, heartbeat, progress and cancel.

A worker leases a job and renews the lease while it works.  A worker that dies stops renewing;
once the lease has run out, any worker may take the job again, and its handler goes on from the
files that it left (handlers are written to resume).  The row is the truth; processes come and go.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Engine, Float, ForeignKey, String, Text, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from droneteam.db import Base, UtcDateTime, session_scope
from droneteam.errors import Conflict, DroneteamError, NotFound
from droneteam.settings import Settings

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""A job whose worker died this often is failed: it probably kills its workers."""
POLL_S = 1.0
PROGRESS_PERIOD_S = 0.5

OPEN_STATES = ("queued", "running")


class Job(Base):
    """One piece of long work."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(200), index=True, default="")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(12), index=True, default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    stage: Mapped[str] = mapped_column(String(60), default="")
    fraction: Mapped[float] = mapped_column(Float, default=0.0)
    message: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job, detached from the database; fraction is of the current stage, 0 to 1."""

    id: int
    kind: str
    subject: str
    state: str
    attempts: int
    stage: str
    fraction: float
    message: str
    error: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    lease_until: datetime | None
    finished_at: datetime | None


class Cancelled(DroneteamError):
    """The job was cancelled; what its handler had finished stays."""


class LeaseLost(Conflict):
    """Another worker has the job now; this one must stop without storing anything."""


class JobContext:
    """What a handler gets: its payload, and the ways to report and to be stopped."""

    def __init__(
        self, job_id: int, payload: dict[str, Any], engine: Engine, settings: Settings, worker: str
    ) -> None:
        self.job_id = job_id
        self.payload = payload
        self.engine = engine
        self.settings = settings
        self._worker = worker
        self._lost = threading.Event()
        self._cancel = threading.Event()
        self._stopped = threading.Event()
        self._reported_at = datetime.min.replace(tzinfo=UTC)
        self._stage = ""

    def progress(self, stage: str, fraction: float, message: str = "") -> None:
        """Store how far the stage is; at most twice a second, always when the stage changes.

        Raises
        ------
        Cancelled, LeaseLost
            The handler must stop.
        """
        self.check()
        now = datetime.now(UTC)
        due = (now - self._reported_at).total_seconds() >= PROGRESS_PERIOD_S
        if not (due or stage != self._stage or fraction >= 1.0):
            return
        self._reported_at, self._stage = now, stage
        self._touch(stage=stage, fraction=min(max(fraction, 0.0), 1.0), message=message)
        self.check()

    def cancelled(self) -> bool:
        """Whether somebody asked for the job to stop."""
        return self._cancel.is_set()

    def check(self) -> None:
        """Nothing, while the job is still this worker's and wanted."""
        if self._lost.is_set():
            raise LeaseLost(f"job {self.job_id} is no longer worker {self._worker}'s")
        if self._cancel.is_set():
            raise Cancelled(f"job {self.job_id} was cancelled")

    def _touch(self, **values: Any) -> None:
        """Renew the lease, store the values and learn of a cancel."""
        lease_until = datetime.now(UTC) + timedelta(seconds=self.settings.lease_s)
        with session_scope(self.engine) as session:
            changed = session.execute(
                update(Job)
                .where(Job.id == self.job_id, Job.worker == self._worker, Job.state == "running")
                .values(lease_until=lease_until, **values)
                .returning(Job.cancel_requested)
            ).first()
        if changed is None:
            self._lost.set()
        elif changed.cancel_requested:
            self._cancel.set()

    def _heartbeat(self) -> None:
        while not self._stopped.wait(self.settings.lease_s / 4.0):
            try:
                self._touch()
            except Exception:  # a beat that fails is retried; the lease outlasts three of them
                logger.exception("job %d: heartbeat failed", self.job_id)
            if self._lost.is_set():
                return


Handler = Callable[[JobContext], None]


def enqueue(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    *,
    at: datetime,
    subject: str = "",
    user_id: int | None = None,
) -> int:
    """The id of the new job; it runs once the caller's transaction is committed."""
    row = Job(kind=kind, payload=payload, created_at=at, subject=subject, user_id=user_id or None)
    session.add(row)
    session.flush()
    return row.id


def get(session: Session, job_id: int) -> JobView:
    """The job; NotFound when there is none."""
    row = session.get(Job, job_id)
    if row is None:
        raise NotFound("job", job_id)
    return _view(row)


def latest(session: Session, subject: str) -> JobView | None:
    """The newest job about a subject, or None."""
    return latest_of(session, [subject]).get(subject)


def latest_of(session: Session, subjects: Iterable[str]) -> dict[str, JobView]:
    """The newest job about each of the subjects, where there is one."""
    newest = select(func.max(Job.id)).where(Job.subject.in_(list(subjects))).group_by(Job.subject)
    rows = session.scalars(select(Job).where(Job.id.in_(newest)))
    return {row.subject: _view(row) for row in rows}


def overview(session: Session, since: datetime, limit: int = 200) -> list[JobView]:
    """Jobs that wait or run, and those that failed since then; the newest first."""
    failed = (Job.state == "failed") & (Job.finished_at >= since)
    query = select(Job).where(or_(Job.state.in_(OPEN_STATES), failed))
    return [_view(row) for row in session.scalars(query.order_by(Job.id.desc()).limit(limit))]


def cancel(session: Session, job_id: int, *, at: datetime) -> JobView:
    """The job, cancelled at once when it waits, or asked to stop when it runs."""
    row = session.get(Job, job_id)
    if row is None:
        raise NotFound("job", job_id)
    if row.state == "queued":
        row.state, row.finished_at = "cancelled", at
    elif row.state == "running":
        row.cancel_requested = True
    session.flush()
    return _view(row)


def claim(engine: Engine, settings: Settings, kinds: list[str], worker: str) -> JobContext | None:
    """The oldest job that waits, or whose worker has died, now leased; None when there is none."""
    now = datetime.now(UTC)
    free = or_(Job.state == "queued", (Job.state == "running") & (Job.lease_until < now))
    query = (
        select(Job)
        .where(free, Job.kind.in_(kinds))
        .order_by(Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with session_scope(engine) as session:
        row = session.scalar(query)
        if row is None:
            return None
        if row.cancel_requested:
            _finish(row, "cancelled", None, now)
            return None
        if row.attempts >= MAX_ATTEMPTS:
            message = f"its worker died {row.attempts} times; the last stage was {row.stage!r}"
            _finish(row, "failed", message, now)
            return None
        row.state, row.worker, row.attempts = "running", worker, row.attempts + 1
        row.lease_until = now + timedelta(seconds=settings.lease_s)
        row.started_at = row.started_at or now
        return JobContext(row.id, row.payload, engine, settings, worker)


def run_once(engine: Engine, settings: Settings, handlers: Mapping[str, Handler]) -> bool:
    """Whether there was a job to run."""
    context = claim(engine, settings, sorted(handlers), _worker_name())
    if context is None:
        return False
    with session_scope(engine) as session:
        kind = get(session, context.job_id).kind
    beat = threading.Thread(target=context._heartbeat, name="job-heartbeat", daemon=True)
    beat.start()
    try:
        state, error = _run(handlers[kind], context)
    finally:
        context._stopped.set()
        beat.join()
    _store_end(context, state, error)
    return True


def work_loop(
    engine: Engine,
    settings: Settings,
    handlers: Mapping[str, Handler],
    stop: threading.Event,
) -> None:
    """Run jobs until `stop` is set; the current job is finished first."""
    while not stop.is_set():
        if not run_once(engine, settings, handlers):
            stop.wait(POLL_S)


def _run(handler: Handler, context: JobContext) -> tuple[str, str | None]:
    try:
        handler(context)
    except Cancelled:
        return "cancelled", None
    except LeaseLost:
        return "lost", None
    except DroneteamError as error:
        return "failed", str(error)
    except Exception as error:  # the worker's edge: the job fails, the worker lives
        logger.exception("job %d failed", context.job_id)
        return "failed", f"internal error: {type(error).__name__}: {error}"
    return "done", None


def _store_end(context: JobContext, state: str, error: str | None) -> None:
    if state == "lost":
        logger.warning("job %d: lease lost, result left to its new worker", context.job_id)
        return
    with session_scope(context.engine) as session:
        row = session.get(Job, context.job_id)
        if row is not None and row.worker == context._worker and row.state == "running":
            _finish(row, state, error, datetime.now(UTC))


def _finish(row: Job, state: str, error: str | None, at: datetime) -> None:
    row.state, row.error, row.finished_at, row.lease_until = state, error, at, None
    if state == "done":
        row.fraction = 1.0


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"


def _view(row: Job) -> JobView:
    return JobView(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        state=row.state,
        attempts=row.attempts,
        stage=row.stage,
        fraction=row.fraction,
        message=row.message,
        error=row.error,
        cancel_requested=row.cancel_requested,
        created_at=row.created_at,
        started_at=row.started_at,
        lease_until=row.lease_until,
        finished_at=row.finished_at,
    )
