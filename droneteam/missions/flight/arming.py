"""Who lets a drone take off: two people sign for exactly one plan, shortly before it flies.

The assigned pilot signs, and a second person who may plan missions.  A signature counts for
fifteen minutes and for the plan's hash: a changed plan or a long wait asks for new ones.

Nobody signs while the crew's checklist bars (`checklist.py`), and what comes to bar afterwards bars
the arming.  A coordinator may sign in spite of it with a reason: that lifts the bars that stand
then, for as long as the signature counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import SYSTEM, Actor, require_role
from droneteam.errors import Conflict, NotAllowed
from droneteam.fleet import service as fleet
from droneteam.missions import models
from droneteam.missions.airspace.rules import RulesUnmet
from droneteam.missions.fieldlog import field_log
from droneteam.missions.flight.checklist import CheckBar, CheckFault, ChecklistUnmet, checklist_bars
from droneteam.missions.items import mission_hash, wire_mission
from droneteam.missions.planjson import findings_from_json, findings_to_json
from droneteam.missions.planning import (
    OVERRIDERS,
    PLAN_AGAIN,
    PLANNERS,
    found_since,
    mission_row,
    mission_view,
)
from droneteam.missions.views import MissionState, MissionView

VALID_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's word that this plan may take off now.

    reason, lifted : why it was given in spite of the checklist, and which bars it lifts.
    """

    user_id: int
    at: datetime
    as_pilot: bool
    reason: str = ""
    lifted: tuple[CheckBar, ...] = ()


@dataclass(frozen=True, slots=True)
class Clearance:
    """How far a mission is cleared for take-off.

    signatures : those that count now; missing : "pilot", "second person"; until : when the
    first of a complete pair runs out; bars : of the crew's checklist, without those that a
    signature lifts.
    """

    signatures: tuple[Signature, ...]
    missing: tuple[str, ...]
    until: datetime | None
    bars: tuple[CheckBar, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the drone may be armed."""
        return not self.missing and not self.bars


def sign_arming(
    session: Session,
    actor: Actor,
    mission_id: int,
    now: datetime,
    *,
    reason: str | None = None,
) -> Clearance:
    """Signs for take-off and says what is still missing.

    reason : why it may take off in spite of what bars on the crew's checklist; a coordinator's.

    Raises
    ------
    NotAllowed
        The actor may not plan missions, may not lift a bar, or is nobody: a program cannot sign.
    Conflict
        The mission is not approved.
    ChecklistUnmet
        The crew's checklist bars, and no reason was given.
    """
    require_role(actor, *PLANNERS)
    if not actor.user_id:
        raise NotAllowed("a signature needs a person: sign in")
    row = mission_row(session, actor, mission_id)
    if row.state != MissionState.APPROVED:
        raise Conflict(f"mission {mission_id} is {row.state}: only an approved one is signed for")
    why, bars = (reason or "").strip(), clearance(session, actor, mission_id, now).bars
    if bars and not why:
        raise ChecklistUnmet(mission_id, bars)
    if bars:
        require_role(actor, *OVERRIDERS)
    signature = models.ArmingSignature(
        mission_id=row.id, mission_hash=row.mission_hash, user_id=actor.user_id, at=now
    )
    signature.reason, signature.lifted = (why, _to_text(bars)) if bars else ("", "")
    session.add(signature)
    session.flush()
    facts = {"hash": row.mission_hash, "lifted": [str(one) for one in bars]}
    audit.append(
        session,
        actor,
        action="mission.sign",
        subject=f"mission:{row.id}",
        reason=why if bars else None,
        facts=facts,
        at=now,
    )
    return clearance(session, actor, mission_id, now)


def _to_text(bars: Sequence[CheckBar]) -> str:
    return " ".join(f"{one.item}:{one.fault.value}" for one in bars)


def _from_text(text: str) -> tuple[CheckBar, ...]:
    pairs = (word.split(":", 1) for word in text.split())
    return tuple(CheckBar(item, CheckFault(fault)) for item, fault in pairs)


def clearance(session: Session, actor: Actor, mission_id: int, now: datetime) -> Clearance:
    """Who has signed for the mission's plan as it is, who is missing, and what bars."""
    row = mission_row(session, actor, mission_id)
    query = select(models.ArmingSignature).where(
        models.ArmingSignature.mission_id == row.id,
        models.ArmingSignature.mission_hash == row.mission_hash,
        models.ArmingSignature.at > now - VALID_FOR,
        models.ArmingSignature.at <= now,
    )
    order = (models.ArmingSignature.at, models.ArmingSignature.id)
    rows = list(session.scalars(query.order_by(*order)))
    pilot = pilot_user(session, row.pilot_id)
    bars = checklist_bars(
        field_log(session, actor, mission_id),
        now,
        {bar for one in rows for bar in _from_text(one.lifted)},
    )
    return _clearance({one.user_id: one for one in rows}, pilot, bars)


def require_clearance(session: Session, actor: Actor, mission_id: int, now: datetime) -> None:
    """Raises NotAllowed or ChecklistUnmet, naming who has to sign or what bars."""
    found = clearance(session, actor, mission_id, now)
    if found.missing:
        minutes = int(VALID_FOR.total_seconds() // 60)
        raise NotAllowed(
            f"mission {mission_id} is not cleared for take-off: the signature of the "
            f"{' and of the '.join(found.missing)} is missing or older than {minutes} minutes"
        )
    if found.bars:
        raise ChecklistUnmet(mission_id, found.bars)


def begin_flight(session: Session, actor: Actor, mission_id: int, now: datetime) -> MissionView:
    """The mission, marked as flying; the plan is checked against the approved hash.

    A mission that is already flying may be taken up again: that is how a restarted controller
    adopts it.  The first time, two people must have signed for it.

    Raises
    ------
    NotAllowed
        It was not approved or signed for, or its plan is not the approved one.
    RulesUnmet
        A zone or a forecast that came since it was approved says stop.
    ChecklistUnmet
        The crew's checklist bars.
    """
    require_role(actor, *PLANNERS)
    row = mission_row(session, actor, mission_id)
    if row.state not in (MissionState.APPROVED, MissionState.FLYING):
        raise NotAllowed(f"mission {mission_id} is {row.state}: only an approved one may be flown")
    view = mission_view(row)
    if mission_hash(wire_mission(view.plan.items, view.plan.home)) != row.mission_hash:
        raise NotAllowed(f"the plan of mission {mission_id} is not the one that was approved")
    if row.state == MissionState.APPROVED:
        require_clearance(session, actor, mission_id, now)
        _require_same_world(session, actor, row, now)
        row.state = MissionState.FLYING.value
        fleet.mark_request_state(session, actor, row.request_id, "in_progress", now)
    audit.append(session, actor, action="mission.fly", subject=f"mission:{row.id}", at=now)
    return mission_view(row)


def _require_same_world(session: Session, actor: Actor, row: models.Mission, now: datetime) -> None:
    """Zones and forecasts are looked at once more, for the hour in which it really flies."""
    since = found_since(session, actor, row, now, now)
    bars = [one for one in since if one.severity == "stop"]
    if bars:
        raise RulesUnmet(PLAN_AGAIN, bars, field="plan")
    row.findings = findings_to_json((*findings_from_json(row.findings), *since))


def _clearance(
    latest: dict[int, models.ArmingSignature], pilot: int | None, bars: tuple[CheckBar, ...]
) -> Clearance:
    """latest : the newest signature of each person."""
    signatures = tuple(
        Signature(user_id, one.at, user_id == pilot, one.reason, _from_text(one.lifted))
        for user_id, one in sorted(latest.items())
    )
    missing = []
    if pilot is not None and pilot not in latest:
        missing.append("assigned pilot")
    others = [one for one in signatures if not one.as_pilot]
    if len(others) < (2 if pilot is None else 1):
        missing.append("second person")
    until = min((one.at for one in signatures), default=None)
    valid = until + VALID_FOR if until and not missing else None
    return Clearance(signatures, tuple(missing), valid, bars)


def pilot_user(session: Session, pilot_id: int) -> int | None:
    """The user who is the assigned pilot; None while nobody signs in as that pilot."""
    pilots = fleet.list_pilots(session, SYSTEM)
    return next((one.user_id for one in pilots if one.id == pilot_id), None)
