"""Gathering a case as a job: photos and products of gigabytes are copied while pages are served."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from droneteam import accounts, jobs
from droneteam.accounts import Actor, require_role
from droneteam.db import read_scope, session_scope
from droneteam.errors import Conflict
from droneteam.evidence import gather, service
from droneteam.jobs import JobContext, JobView

JOB_KIND = "evidence.gather"


def request_gather(session: Session, actor: Actor, case_id: int, now: datetime) -> int:
    """The id of the job that takes in what the case's request led to; the one under way if any.

    Raises
    ------
    Conflict
        The case is closed or belongs to no request.
    """
    require_role(actor, *service.WRITERS)
    case = service.get_case(session, actor, case_id)
    if case.closed_at is not None:
        raise Conflict(f"case {case_id} is closed; open a new one")
    if case.request_id is None:
        raise Conflict(f"case {case_id} belongs to no request; add its files one by one")
    running = gathering(session, case_id)
    if running is not None and running.state in jobs.OPEN_STATES:
        return running.id
    payload = {"case_id": case_id, "user_id": actor.user_id}
    return jobs.enqueue(
        session, JOB_KIND, payload, at=now, subject=_subject(case_id), user_id=actor.user_id
    )


def gathering(session: Session, case_id: int) -> JobView | None:
    """The newest job that gathers the case; None before the first."""
    return jobs.latest(session, _subject(case_id))


def gather_job(context: JobContext) -> None:
    """The handler of "evidence.gather".

    Files are copied and hashed while nobody waits for the database, and written down at the end
    in one step: a case holds a gathering whole or not at all.
    """
    case_id, user_id = int(context.payload["case_id"]), int(context.payload["user_id"])

    def progress(fraction: float, name: str) -> None:
        context.progress("gather", fraction, name)

    with read_scope(context.engine) as session:
        actor = accounts.actor_for_id(session, user_id)
        found = gather.collect(session, actor, case_id, context.settings, progress)
    context.check()
    with session_scope(context.engine) as session:
        gather.register(session, actor, case_id, found, datetime.now(UTC))


def _subject(case_id: int) -> str:
    return f"case:{case_id}"


HANDLERS: Mapping[str, jobs.Handler] = {JOB_KIND: gather_job}
