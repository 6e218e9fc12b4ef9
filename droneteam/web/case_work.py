"""How far a case's long work is, gathering, exporting and verifying, for pages and islands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import lazy_gettext as _l

from droneteam import jobs
from droneteam.evidence import checking, exporting, gathering
from droneteam.jobs import JobView

STAGE_NAMES: dict[str, object] = {
    "gather": _l("Files are taken in"),
    "bag": _l("Files are copied into the bag and hashed"),
    "pack": _l("The bag is packed for its download"),
    "check": _l("Files of the bag are hashed"),
    "compare": _l("The .zip is compared with the bag"),
}
_STAGES = {
    gathering.JOB_KIND: ("gather",),
    exporting.JOB_KIND: exporting.STAGES,
    checking.JOB_KIND: checking.STAGES,
}
MIN_DONE = 0.05
"""A time left that is said from less would jump."""


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of work under way; message : the file that it is at."""

    name: str
    fraction: float
    message: str

    @property
    def label(self) -> str:
        """The stage in the visitor's language."""
        return str(STAGE_NAMES[self.name])


@dataclass(frozen=True, slots=True)
class CaseWork:
    """The newest job of a kind that a case has, None before the first."""

    job: JobView | None

    @property
    def under_way(self) -> bool:
        """Whether it waits or runs."""
        return self.job is not None and self.job.state in jobs.OPEN_STATES

    @property
    def stages(self) -> list[StageRow]:
        """Every stage of work under way, with how far it is."""
        if self.job is None or not self.under_way:
            return []
        names = _STAGES[self.job.kind]
        here = names.index(self.job.stage) if self.job.stage in names else 0
        return [
            StageRow(
                name,
                1.0 if number < here else self.job.fraction if number == here else 0.0,
                self.job.message if number == here else "",
            )
            for number, name in enumerate(names)
        ]

    def left_s(self, now: datetime) -> float | None:
        """Seconds left at the pace so far, about; None before anything can be said."""
        job, rows = self.job, self.stages
        if job is None or job.started_at is None or not rows:
            return None
        done = sum(row.fraction for row in rows) / len(rows)
        elapsed_s = (now - job.started_at).total_seconds()
        return elapsed_s * (1.0 - done) / done if done >= MIN_DONE and elapsed_s > 0.0 else None
