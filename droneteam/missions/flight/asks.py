"""What pilots ask of a controller that is flying: a file between two processes.

One JSON object per line is appended to ``mission-N.asks.jsonl`` beside the sortie's log, which
thereby keeps who asked for what and when.  The flight loop looks at the file's size every turn and
reads only what is new since it began: a wish put in before the controller started, or before it
was killed and started again, is never carried out late.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError, NotAllowed
from droneteam.missions import models
from droneteam.missions.flight.arming import pilot_user
from droneteam.missions.flight.outcomes import Ask, FlightRecord, flight_record
from droneteam.missions.flight.pilot import WISHES, Wish
from droneteam.missions.planning import PLANNERS, mission_row
from droneteam.missions.record.journal import read_journal
from droneteam.missions.views import MissionState


def asks_path(log_dir: Path, mission_id: int) -> Path:
    """Where the wishes for a mission's flight are put."""
    return log_dir / f"mission-{mission_id}.asks.jsonl"


def journal_path(log_dir: Path, mission_id: int) -> Path:
    """Where a mission's controller writes what it does and why."""
    return log_dir / f"mission-{mission_id}.journal.jsonl"


def may_ask(session: Session, actor: Actor, mission_id: int) -> bool:
    """Whether the actor flies the mission: its assigned pilot, or the system itself.

    Any pilot where nobody signs in as the assigned one.
    """
    row = mission_row(session, actor, mission_id)
    if not actor.user_id:
        return True
    assigned = pilot_user(session, row.pilot_id)
    return actor.has_role("pilot") if assigned is None else assigned == actor.user_id


def ask_flight(
    session: Session,
    actor: Actor,
    mission_id: int,
    what: str,
    log_dir: Path,
    now: datetime,
    *,
    key: str = "",
) -> None:
    """Ask the controller that flies a mission for one of `pilot.WISHES`.

    key : counts once for a mission, so that a wish that is sent twice is one; empty always counts.

    Raises
    ------
    InputError
        There is no such wish; the message lists them.
    NotAllowed
        The actor is not the assigned pilot: two hands on one drone are one too many.
    Conflict
        The mission is not flying: nobody would hear.
    """
    require_role(actor, *PLANNERS)
    if what not in WISHES:
        raise InputError(f"{what!r} is none of {', '.join(WISHES)}", field="what")
    row = mission_row(session, actor, mission_id)
    if not may_ask(session, actor, mission_id):
        raise NotAllowed(f"mission {mission_id} is another pilot's: only its pilot may ask")
    if row.state != MissionState.FLYING:
        raise Conflict(f"mission {mission_id} is {row.state}: no controller flies it")
    # Two clicks may come at the same moment: the second waits here until the first is written.
    locked = select(models.Mission.id).where(models.Mission.id == row.id).with_for_update()
    session.execute(locked)
    path = asks_path(log_dir, mission_id)
    if key and any(one.key == key for one in read_asks(path)):
        return
    facts = {"what": what}
    subject = f"mission:{row.id}"
    audit.append(session, actor, action="mission.ask", subject=subject, facts=facts, at=now)
    put_ask(path, what, actor.user_id, now, key, roles=actor.roles)


def flight_asks(
    session: Session, actor: Actor, mission_id: int, log_dir: Path, now: datetime
) -> FlightRecord:
    """What was asked of a mission's flight and what came of it; NotFound outside the scope."""
    row = mission_row(session, actor, mission_id)
    state = session.get(models.VehicleState, row.drone_id)
    own = state if state is not None and state.mission_id == row.id else None
    record = flight_record(
        read_asks(asks_path(log_dir, mission_id)),
        read_journal(journal_path(log_dir, mission_id)),
        phase=own.phase if own else "",
        heard_at=own.at if own else None,
        now=now,
    )
    return replace(record, flying=row.state == MissionState.FLYING)


def who(user_id: int | None, roles: Iterable[str]) -> str:
    """A person as the journal names one: the user's number and roles, never a name."""
    if not user_id:
        return "the system"
    named = ", ".join(sorted(roles))
    return f"user {user_id} ({named})" if named else f"user {user_id}"


def put_ask(
    path: Path,
    what: str,
    user_id: int | None,
    now: datetime,
    key: str = "",
    *,
    roles: Iterable[str] = (),
) -> None:
    """Append one wish, in one write, so that two pilots' lines never mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {
        "at": now.isoformat(),
        "user": user_id,
        "roles": sorted(roles),
        "what": what,
        "key": key,
    }
    line = json.dumps(fields) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read_asks(path: Path) -> list[Ask]:
    """Every whole wish of a file, in order; empty when there is none."""
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            fields = json.loads(line)
            at = datetime.fromisoformat(fields["at"])
            found.append(Ask(at, str(fields["what"]), str(fields.get("key", ""))))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a line that was being written when the power went
    return found


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

    def take(self) -> list[Wish]:
        """The wishes in the new whole lines; one that says nothing known is left out."""
        if self._size() <= self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        found = (_wish(line, self.drone_id) for line in whole.splitlines())
        return [wish for wish in found if wish is not None]


def _wish(line: bytes, drone_id: int) -> Wish | None:
    try:
        fields = json.loads(line)
        what, user, roles = fields["what"], fields.get("user"), fields.get("roles", ())
        by = who(None if user is None else int(user), map(str, roles))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Wish(drone_id, what, by) if what in WISHES else None
