"""Verifying a sealed bag as a job; its verdict is kept in the audit chain.

Every byte of a bag is read: minutes for a big case, and therefore nothing that a page or an answer
waits for.  A verdict tells of the moment when it was found and of nothing later: what was changed
since is found by verifying again.  It is an entry of the chain and not a file beside the bag, so
that whoever can change the bag cannot change what was found about it unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from droneteam import accounts, audit, jobs
from droneteam.accounts import Actor
from droneteam.audit import EntryView
from droneteam.db import read_scope, session_scope
from droneteam.evidence import bag, keys, manifest, service
from droneteam.evidence.bag import BagReport, Problem
from droneteam.evidence.service import ExportView
from droneteam.jobs import JobContext, JobView

JOB_KIND = "evidence.verify"
ACTION = "evidence.verify"
STAGES = ("check", "compare")
"""Hashing every file of the bag; comparing the .zip that is handed out with it."""
MAX_PROBLEMS = 200
"""Kept by name; a bag with more is counted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying a bag found, and when.

    entry_id : its entry of the audit chain; tag_manifest_sha256 : of the file of the bag that
    names all others by their hashes, as it was read, None where there was none; packed : whether
    the .zip was there and was compared; n_problems : of which the first MAX_PROBLEMS are kept.
    """

    entry_id: int
    at: datetime
    actor: str
    intact: bool
    files_checked: int
    bytes_checked: int
    packed: bool
    signer: str | None
    tag_manifest_sha256: str | None
    n_problems: int
    problems: tuple[Problem, ...]


def request_check(session: Session, actor: Actor, export_id: int, now: datetime) -> int:
    """The id of the job that verifies the bag; the one under way if any.

    Raises
    ------
    NotFound
        There is no export that the actor may see.
    """
    service.get_export(session, actor, export_id)
    running = checking(session, export_id)
    if running is not None and running.state in jobs.OPEN_STATES:
        return running.id
    payload = {"export_id": export_id, "user_id": actor.user_id}
    return jobs.enqueue(
        session, JOB_KIND, payload, at=now, subject=_subject(export_id), user_id=actor.user_id
    )


def checking(session: Session, export_id: int) -> JobView | None:
    """The newest job that verifies the bag; None before the first."""
    return jobs.latest(session, _subject(export_id))


def last_verdict(session: Session, export_id: int) -> Verdict | None:
    """What verifying the bag found the last time; None before the first."""
    found = audit.entries(session, subject=_about(export_id), action=ACTION, limit=1)
    return _verdict(found[0]) if found else None


def keep_verdict(
    session: Session,
    actor: Actor,
    export: ExportView,
    report: BagReport,
    now: datetime,
    *,
    packed: bool,
) -> Verdict:
    """The verdict, now in the audit chain."""
    kept = report.problems[:MAX_PROBLEMS]
    facts = {
        "folder": export.folder,
        "intact": report.ok,
        "files": report.files_checked,
        "bytes": report.bytes_checked,
        "packed": packed,
        "signer": report.signer,
        "tag_manifest_sha256": report.tag_manifest_sha256,
        "n_problems": len(report.problems),
        "problems": [[problem.path, problem.text] for problem in kept],
    }
    entry = audit.append(
        session, actor, action=ACTION, subject=_about(export.id), facts=facts, at=now
    )
    return _verdict(entry)


def check_bag(
    folder: Path, own_key_id: str, progress: bag.Progress, compare: bag.Progress
) -> tuple[BagReport, bool]:
    """What is wrong with the bag and its .zip, and whether there was a .zip.

    progress, compare : told how far the hashing and the comparing are; may raise to stop.
    """
    if not folder.is_dir():
        missing = Problem(folder.name, "is missing")
        return BagReport(folder, (missing,), 0, 0, None, None), False
    report = bag.verify_bag(folder, own_key_id, progress)
    if not bag.zip_path(folder).is_file():  # packed when it is taken
        return report, False
    problems = (*report.problems, *bag.packed_problems(folder, compare))
    return replace(report, problems=problems), True


def check_job(context: JobContext) -> None:
    """The handler of "evidence.verify"; who asked for it must still be allowed to see the bag."""
    settings, wanted = context.settings, context.payload
    with read_scope(context.engine) as session:
        actor = accounts.actor_for_id(session, int(wanted["user_id"]))
        export = service.get_export(session, actor, int(wanted["export_id"]))

    def progress(fraction: float, name: str) -> None:
        context.progress("check", fraction, name)

    def compare(fraction: float, name: str) -> None:
        context.progress("compare", fraction, name)

    own = manifest.key_id(keys.own_key(settings.data_dir).public_key())
    folder = settings.blob_dir("bags") / export.folder
    report, packed = check_bag(folder, own, progress, compare)
    context.check()
    with session_scope(context.engine) as session:
        keep_verdict(session, actor, export, report, datetime.now(UTC), packed=packed)


def _verdict(entry: EntryView) -> Verdict:
    facts = entry.facts
    return Verdict(
        entry_id=entry.id,
        at=entry.at,
        actor=entry.actor,
        intact=facts["intact"],
        files_checked=facts["files"],
        bytes_checked=facts["bytes"],
        packed=facts["packed"],
        signer=facts["signer"],
        tag_manifest_sha256=facts["tag_manifest_sha256"],
        n_problems=facts["n_problems"],
        problems=tuple(Problem(path, text) for path, text in facts["problems"]),
    )


def _subject(export_id: int) -> str:
    return f"case-verify:{export_id}"


def _about(export_id: int) -> str:
    return f"export:{export_id}"


HANDLERS: Mapping[str, jobs.Handler] = {JOB_KIND: check_job}
