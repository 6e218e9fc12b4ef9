"""Sealed bags of a case: planned, written and packed without the database, then written down.

A big case's bag takes minutes.  On the server it is a job, like a build, so that nobody waits in a
request and no write lock is held; the command line and the demo do the same at once.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from droneteam import accounts, jobs
from droneteam.accounts import Actor, require_role
from droneteam.db import read_scope, session_scope
from droneteam.errors import Conflict, InputError
from droneteam.evidence import bag, blobs, checking, keys, manifest, service
from droneteam.evidence.models import Case, EvidenceItem, Export
from droneteam.evidence.service import CustodyView, ExportView
from droneteam.jobs import JobContext, JobView
from droneteam.photogrammetry.upload_files import require_room

JOB_KIND = "evidence.export"
EXPORTERS = ("investigator", "administrator")
STAGES = ("bag", "pack")
"""Copying and hashing every file into the bag; packing the bag as one .zip for its download."""


@dataclass(frozen=True, slots=True)
class BagPlan:
    """A bag that is to be written; at : when it was asked for, as its statement says."""

    case_id: int
    identifier: str
    at: datetime
    statement: manifest.CaseStatement
    files: tuple[bag.PayloadFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all its files together."""
        return sum(file.item.size_bytes for file in self.files)


def plan_bag(
    session: Session, actor: Actor, case_id: int, *, reason: str, store: Path, now: datetime
) -> BagPlan:
    """What a bag of everything that the case holds now is made of; writes nothing.

    Its statement tells the custody up to this export, which `keep_export` writes down.

    Raises
    ------
    InputError
        No reason is given, or the case holds nothing.
    """
    require_role(actor, *EXPORTERS)
    case = service.case_row(session, actor, case_id)
    if not reason.strip():
        raise InputError("say why the evidence is exported", field="reason")
    rows = [row for row in service.item_rows(session, case_id) if row.erased_at is None]
    if not rows:
        raise InputError(f"case {case_id} holds nothing to export")
    serial = session.scalar(select(func.count()).where(Export.case_id == case_id)) or 0
    identifier = f"droneteam-case-{case_id}-{serial + 1}"
    custody = [
        *service.custody_steps(session, case_id),
        CustodyView(now, actor.display_name, "export", reason, None),
    ]
    files = tuple(
        bag.PayloadFile(_bag_item(row), blobs.content_path(store, row.sha256)) for row in rows
    )
    statement = manifest.CaseStatement(
        case=_case_facts(case, identifier),
        items=tuple(file.item for file in files),
        custody=tuple(_plain_step(step) for step in custody),
        exported_at=now.astimezone(UTC).isoformat(),
        exported_by=actor.display_name,
        reason=reason,
        software={"droneteam": version("droneteam"), "python": platform.python_version()},
    )
    return BagPlan(case_id, identifier, now, statement, files)


def keep_export(
    session: Session, actor: Actor, plan: BagPlan, folder: Path, key: Ed25519PrivateKey
) -> ExportView:
    """The export of a bag that was written: a step of custody, and how to find the bag.

    Raises
    ------
    Conflict
        Another export of the case was written down since the plan was made.
    """
    taken = select(Export.id).where(Export.folder == plan.identifier)
    if session.scalar(taken.limit(1)) is not None:
        raise Conflict(f"{plan.identifier} was exported meanwhile; export the case again")
    reason = plan.statement.reason
    service.note(session, actor, plan.case_id, "export", reason, plan.at)
    row = Export(
        case_id=plan.case_id,
        at=plan.at,
        actor=actor.display_name,
        reason=reason,
        folder=plan.identifier,
        statement_sha256=bag.hash_file(folder / "statement.json")[0],
        key_id=manifest.key_id(key.public_key()),
        n_items=len(plan.files),
    )
    session.add(row)
    session.flush()
    return service.export_view(row)


def export_bag(
    session: Session,
    actor: Actor,
    case_id: int,
    *,
    reason: str,
    store: Path,
    out_dir: Path,
    key: Ed25519PrivateKey,
    now: datetime,
) -> ExportView:
    """A sealed bag with every item of the case, in a new folder below out_dir, at once.

    Raises
    ------
    InputError
        No reason is given, or the case holds nothing.
    Conflict
        A stored file is no longer what was accepted.
    """
    plan = plan_bag(session, actor, case_id, reason=reason, store=store, now=now)
    folder = bag.write_bag(out_dir / plan.identifier, plan.statement, plan.files, key, now)
    return keep_export(session, actor, plan, folder, key)


def request_export(
    session: Session, actor: Actor, case_id: int, reason: str, store: Path, now: datetime
) -> int:
    """The id of the job that seals and packs a bag of the case.

    Raises
    ------
    InputError
        No reason is given, or the case holds nothing.
    Conflict
        An export of the case is under way.
    """
    running = exporting(session, case_id)
    if running is not None and running.state in jobs.OPEN_STATES:
        service.get_case(session, actor, case_id)
        raise Conflict(f"an export of case {case_id} is under way; wait for its end or stop it")
    plan_bag(session, actor, case_id, reason=reason, store=store, now=now)
    payload = {"case_id": case_id, "user_id": actor.user_id, "reason": reason}
    return jobs.enqueue(
        session, JOB_KIND, payload, at=now, subject=_subject(case_id), user_id=actor.user_id
    )


def exporting(session: Session, case_id: int) -> JobView | None:
    """The newest job that exports the case; None before the first."""
    return jobs.latest(session, _subject(case_id))


def stop_export(session: Session, actor: Actor, case_id: int, now: datetime) -> bool:
    """Whether there was an export to stop; what it had written is thrown away."""
    require_role(actor, *EXPORTERS)
    service.get_case(session, actor, case_id)
    running = exporting(session, case_id)
    if running is None or running.state not in jobs.OPEN_STATES:
        return False
    jobs.cancel(session, running.id, at=now)
    return True


def export_job(context: JobContext) -> None:
    """The handler of "evidence.export": the bag is there whole and in the custody, or not at all.

    A try whose worker died began anew: nothing that it left was written down.  The bag is then read
    back from the disk by a job of its own.
    """
    settings, wanted = context.settings, context.payload
    key = keys.own_key(settings.data_dir)
    with read_scope(context.engine) as session:
        actor = accounts.actor_for_id(session, int(wanted["user_id"]))
        plan = plan_bag(
            session,
            actor,
            int(wanted["case_id"]),
            reason=str(wanted["reason"]),
            store=settings.blob_dir("evidence"),
            now=datetime.now(UTC),
        )
    folder = settings.blob_dir("bags") / plan.identifier
    _discard(folder)
    require_room(folder.parent, 2 * plan.size_bytes)
    bag.write_bag(folder, plan.statement, plan.files, key, plan.at, _told(context, "bag"))
    try:
        bag.zip_bag(folder, _told(context, "pack"))
        with session_scope(context.engine) as session:
            kept = keep_export(session, actor, plan, folder, key)
            checking.request_check(session, actor, kept.id, datetime.now(UTC))
    except jobs.LeaseLost:
        raise  # the folder is its next worker's
    except BaseException:
        _discard(folder)
        raise


def _told(context: JobContext, stage: str) -> Callable[[float, str], None]:
    def progress(fraction: float, name: str) -> None:
        context.progress(stage, fraction, name)

    return progress


def _discard(folder: Path) -> None:
    """A bag that is in nobody's custody is gone, with its .zip and what a dead worker left."""
    shutil.rmtree(folder, ignore_errors=True)
    for left in folder.parent.glob(f".{folder.name}-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    bag.zip_path(folder).unlink(missing_ok=True)


def _subject(case_id: int) -> str:
    return f"case-export:{case_id}"


def _case_facts(case: Case, identifier: str) -> dict[str, object]:
    return {
        "id": case.id,
        "identifier": identifier,
        "title": case.title,
        "legal_basis": case.legal_basis,
        "request_id": case.request_id,
        "opened_at": case.opened_at.isoformat(),
    }


def _plain_step(step: CustodyView) -> dict[str, object]:
    return {
        "at": step.at.isoformat(),
        "actor": step.actor,
        "action": step.action,
        "reason": step.reason,
        "item": step.item_path,
    }


def _bag_item(row: EvidenceItem) -> manifest.BagItem:
    return manifest.BagItem(
        path=row.path,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        kind=row.kind,
        source=row.source,
        added_at=row.added_at.isoformat(),
        added_by=row.added_by,
        facts=row.facts,
    )


HANDLERS: Mapping[str, jobs.Handler] = {JOB_KIND: export_job}
