"""The state that a record is shown in, as a code, and the colour beside its word."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

TONES = {
    **dict.fromkeys(
        (
            "ready",
            "approved",
            "own",
            "done",
            "met",
            "fulfilled",
            "confirmed",
            "pass",
            "go",
            "granted",
        ),
        "good",
    ),
    **dict.fromkeys(("flown", "registered", "planned", "running", "flying", "in_progress"), "info"),
    **dict.fromkeys(
        (
            "limited",
            "waitlisted",
            "displaced",
            "partly",
            "unchecked",
            "warn",
            "asked",
            "needed",
            "acknowledged",
            "in_use",
            "operator",
        ),
        "care",
    ),
    **dict.fromkeys(
        ("not_ready", "refused", "failed", "stop", "breached", "unknown", "suspect", "open"), "bad"
    ),
}
"""The colour beside a word; never the only sign."""


def tone(code: object) -> str:
    """The badge's tone for a code."""
    return TONES.get(str(getattr(code, "value", code)), "plain")


class _Built(Protocol):
    """A scene: the state of its job, and when it was built last."""

    @property
    def state(self) -> str: ...

    @property
    def built_at(self) -> datetime | None: ...


def scene_state(row: _Built) -> str:
    """The code of a scene's state; one that was built without a job is finished."""
    return "done" if row.state == "new" and row.built_at is not None else row.state


class _Judged(Protocol):
    """Anything with a readiness: a drone, a pilot, a battery."""

    @property
    def ready(self) -> bool: ...

    @property
    def warnings(self) -> tuple[object, ...]: ...


def readiness(row: _Judged) -> str:
    """The code of a readiness."""
    if not row.ready:
        return "not_ready"
    return "limited" if row.warnings else "ready"
