"""What pilots ask of a controller that is flying: a file between two processes.

One JSON object per line is appended to ``mission-N.asks.jsonl`` beside the sortie's log, which
thereby keeps who asked for what and when.  The flight loop looks at the file's size every turn and
reads only what is new since it began: a wish put in before the controller started, or before it
was killed and started again, is never carried out late.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError
from droneteam.missions.flight_pilot import WISHES
from droneteam.missions.planning import PLANNERS, mission_row
from droneteam.missions.views import MissionState


def asks_path(log_dir: Path, mission_id: int) -> Path:
    """Where the wishes for a mission's flight are put."""
    return log_dir / f"mission-{mission_id}.asks.jsonl"


def ask_flight(
    session: Session, actor: Actor, mission_id: int, what: str, log_dir: Path, now: datetime
) -> None:
    """Ask the controller that flies a mission for one of `flight_pilot.WISHES`.

    Raises
    ------
    InputError
        There is no such wish; the message lists them.
    Conflict
        The mission is not flying: nobody would hear.
    """
    require_role(actor, *PLANNERS)
    if what not in WISHES:
        raise InputError(f"{what!r} is none of {', '.join(WISHES)}", field="what")
    row = mission_row(session, actor, mission_id)
    if row.state != MissionState.FLYING:
        raise Conflict(f"mission {mission_id} is {row.state}: no controller flies it")
    facts = {"what": what}
    subject = f"mission:{row.id}"
    audit.append(session, actor, action="mission.ask", subject=subject, facts=facts, at=now)
    put_ask(asks_path(log_dir, mission_id), what, actor.user_id, now)


def put_ask(path: Path, what: str, user_id: int | None, now: datetime) -> None:
    """Append one wish, in one write, so that two pilots' lines never mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"at": now.isoformat(), "user": user_id, "what": what}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class AskBox:
    """The wishes for one drone that came since the box was opened."""

    path: Path
    drone_id: int
    _read: int = -1

    def __post_init__(self) -> None:
        self._read = self._size()

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def take(self) -> list[tuple[int, str]]:
        """(drone_id, what) of the new whole lines; one that says nothing known is left out."""
        if self._size() <= self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        found = (_wish(line) for line in whole.splitlines())
        return [(self.drone_id, what) for what in found if what is not None]


def _wish(line: bytes) -> str | None:
    try:
        what = json.loads(line)["what"]
    except (ValueError, KeyError, TypeError):
        return None
    return what if what in WISHES else None
