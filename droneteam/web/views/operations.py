"""How the installation does: database, disk, backups, jobs, receivers, what must be looked at."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, render_template
from flask_babel import gettext as _
from sqlalchemy.engine import make_url

from droneteam import audit, backup, jobs, schema, webhooks
from droneteam.detection import reception
from droneteam.detection.reception import ReceiverView
from droneteam.jobs import JobView
from droneteam.places.service import AddressSetView, current_addresses
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, software_version

bp = Blueprint("operations", __name__, url_prefix="/operations")

BACKUP_EVERY = timedelta(hours=26)
"""A daily backup, with some patience."""
FAILED_WITHIN = timedelta(days=7)
FREE_AT_LEAST = 0.10
_DEAF = frozenset({"failing", "silent", "stopped"})


@dataclass(frozen=True, slots=True)
class Backup:
    """A snapshot that was made."""

    name: str
    made_at: datetime
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Health:
    """How the installation does; disk sizes in bytes."""

    version: str
    revision: str
    database: str
    disk_free: int
    disk_total: int
    audit_entries: int
    backups: tuple[Backup, ...]
    jobs: tuple[JobView, ...]
    receivers: tuple[ReceiverView, ...]
    webhooks_failing: int
    addresses: AddressSetView | None
    checked_at: datetime

    @property
    def disk_low(self) -> bool:
        """Whether photos and logs will soon find no room."""
        return self.disk_free < FREE_AT_LEAST * self.disk_total

    @property
    def backup_due(self) -> bool:
        """Whether the last backup is too old, or there is none."""
        return not self.backups or self.checked_at - self.backups[0].made_at > BACKUP_EVERY

    @property
    def left_jobs(self) -> tuple[JobView, ...]:
        """Jobs that nobody works on: their worker is gone and no other has come."""
        return tuple(
            job
            for job in self.jobs
            if (job.state == "running" and (job.lease_until or self.checked_at) < self.checked_at)
            or (job.state == "queued" and self.checked_at - job.created_at > timedelta(minutes=10))
        )

    @property
    def failed_jobs(self) -> tuple[JobView, ...]:
        """Jobs of the last days that came to nothing."""
        return tuple(job for job in self.jobs if job.state == "failed")


@bp.get("/")
@allow("administrator", "auditor")
def show() -> str:
    """What must be looked at first, then everything."""
    health = look()
    return render_template("operations.html", health=health, concerns=_concerns(health))


def look() -> Health:
    """How the installation does now."""
    at, settings = now(), context().settings
    disk = shutil.disk_usage(settings.data_dir if settings.data_dir.is_dir() else "/")
    with reading() as session:
        made = audit.entries(session, action=backup.ACTION, limit=10)
        hooks = webhooks.failing(session)
        return Health(
            version=software_version(),
            revision=schema.newest_revision(),
            database=make_url(settings.database_url).get_backend_name(),
            disk_free=disk.free,
            disk_total=disk.total,
            audit_entries=audit.count(session),
            backups=tuple(
                Backup(
                    entry.subject.partition(":")[2],
                    entry.at,
                    int(entry.facts["files"]),
                    int(entry.facts["bytes"]),
                )
                for entry in made
            ),
            jobs=tuple(jobs.overview(session, at - FAILED_WITHIN)),
            receivers=tuple(reception.list_receivers(session, actor(), at)),
            webhooks_failing=hooks,
            addresses=current_addresses(session),
            checked_at=at,
        )


def _concerns(health: Health) -> list[str]:
    """What an administrator must look at, the gravest first."""
    lines = []
    if health.disk_low:
        lines.append(_("Little room is left for photos and logs."))
    if not health.backups:
        lines.append(_("No backup has been made yet: droneteam backup make FOLDER."))
    elif health.backup_due:
        lines.append(_("The last backup is more than a day old."))
    if health.left_jobs:
        lines.append(_("Jobs wait and nobody works on them: is droneteam work running?"))
    if health.failed_jobs:
        lines.append(_("Jobs have failed in the last seven days."))
    if any(row.state in _DEAF for row in health.receivers):
        lines.append(_("A receiver does not hear."))
    if health.webhooks_failing:
        lines.append(_("An address of a webhook does not answer."))
    return lines
