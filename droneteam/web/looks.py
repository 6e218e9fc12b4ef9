"""Who looked at operators' places, when and why: kept in the audit log, as the law asks.

Directive (EU) 2016/680, article 25, asks for logs of consultation with its justification, time and
identity.  A look is noted once for each person, purpose and track within NOTED_FOR: an open map
would otherwise fill the log with itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request, session
from flask_babel import lazy_gettext as _l
from sqlalchemy import Engine

from droneteam import audit
from droneteam.accounts import Actor
from droneteam.db import session_scope
from droneteam.detection.service import SEES_OPERATORS, TrackView

ACTION = "operator.look"
NOTED_FOR = timedelta(minutes=15)
MAX_NOTED = 20_000
MAX_REFERENCE = 80
_KEY = "look"

PURPOSES: Mapping[str, object] = {
    "flight_safety": _l("safety of own flights"),
    "intervention": _l("intervention with the operator"),
    "investigation": _l("criminal investigation"),
    "administration": _l("operation of the service"),
}
_BY_ROLE = (
    ("pilot", "flight_safety"),
    ("coordinator", "flight_safety"),
    ("investigator", "investigation"),
    ("administrator", "administration"),
)
"""What a role looks for while it has not said otherwise."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why somebody looks; reference : a case or report number, may be empty."""

    code: str
    reference: str = ""

    @property
    def reason(self) -> str:
        """As it is kept."""
        return f"{self.code}: {self.reference}" if self.reference else self.code


def purpose_of(actor: Actor) -> Purpose:
    """What the actor has said, or else what the role's work is.

    Programs say it in the header X-Purpose.
    """
    said = request.headers.get("X-Purpose", "")
    kept = session.get(_KEY) or {}
    code, reference = kept.get("purpose", ""), kept.get("reference", "")
    if said:
        code, _, reference = (part.strip() for part in said.partition(":"))
    if code not in PURPOSES:
        code = next((one for role, one in _BY_ROLE if actor.has_role(role)), "flight_safety")
    return Purpose(code, str(reference)[:MAX_REFERENCE])


def keep_purpose(purpose: Purpose) -> None:
    """Remember what the actor says, until the session ends."""
    session[_KEY] = {"purpose": purpose.code, "reference": purpose.reference}


class LookBook:
    """Notes looks in the audit log; knows which it has noted a short while ago."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._noted: dict[tuple[int, str, int], datetime] = {}
        self._lock = threading.Lock()

    def note(
        self, actor: Actor, purpose: Purpose, tracks: Iterable[int], way: str, now: datetime
    ) -> None:
        """The tracks whose operators were shown; way : the page, stream or interface."""
        fresh = self._fresh(actor, purpose, tracks, now)
        if not fresh:
            return
        noted = False
        try:
            with session_scope(self._engine) as writing:
                audit.append(
                    writing,
                    actor,
                    action=ACTION,
                    subject=f"operators:{way}",
                    at=now,
                    reason=purpose.reason,
                    facts={"tracks": fresh},
                )
            noted = True
        finally:
            if not noted:  # what was not written must be noted at the next look
                self._forget(actor, purpose, fresh)

    def _fresh(
        self, actor: Actor, purpose: Purpose, tracks: Iterable[int], now: datetime
    ) -> list[int]:
        with self._lock:
            if len(self._noted) > MAX_NOTED:
                self._noted = {k: at for k, at in self._noted.items() if now - at < NOTED_FOR}
            fresh = []
            for track in sorted(set(tracks)):
                key = (actor.user_id, purpose.reason, track)
                noted = self._noted.get(key)
                if noted is None or now - noted >= NOTED_FOR:
                    self._noted[key] = now
                    fresh.append(track)
            return fresh

    def _forget(self, actor: Actor, purpose: Purpose, tracks: Iterable[int]) -> None:
        with self._lock:
            for track in tracks:
                self._noted.pop((actor.user_id, purpose.reason, track), None)


def with_operator(tracks: Iterable[TrackView]) -> list[int]:
    """The tracks that show their operator's place or registration."""
    return [
        row.id for row in tracks if row.operator_lat_deg is not None or row.operator_id is not None
    ]


def rows_with_operator(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """The same for rows of the live feed."""
    return [int(row["id"]) for row in rows if row.get("operator_lat_deg") is not None]


def sees(actor: Actor) -> bool:
    """Whether the actor's roles are shown operators at all."""
    return actor.has_role(*SEES_OPERATORS)


def noted_stream(
    blocks: Iterator[bytes],
    shown: Callable[[], frozenset[int]],
    note: Callable[[Iterable[int]], None],
) -> Iterator[bytes]:
    """The blocks of a stream; whom they show is noted before they leave."""
    before: frozenset[int] = frozenset()
    try:
        for block in blocks:
            now_shown = shown()
            if now_shown is not before:
                note(now_shown)
                before = now_shown
            yield block
    finally:
        blocks.close()  # type: ignore[attr-defined]  # streams are generators
