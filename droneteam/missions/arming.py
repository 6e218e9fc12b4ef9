"""Who lets a drone take off: two people sign for exactly one plan, shortly before it flies.

The assigned pilot signs, and a second person who may plan missions.  A signature counts for
fifteen minutes and for the plan's hash: a changed plan or a long wait asks for new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import SYSTEM, Actor, require_role
from droneteam.errors import Conflict, NotAllowed
from droneteam.fleet import service as fleet
from droneteam.missions import models
from droneteam.missions.items import mission_hash, wire_mission
from droneteam.missions.planjson import findings_from_json, findings_to_json
from droneteam.missions.planning import (
    PLAN_AGAIN,
    PLANNERS,
    found_since,
    mission_row,
    mission_view,
)
from droneteam.missions.rules import RulesUnmet
from droneteam.missions.views import MissionState, MissionView

VALID_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's word that this plan may take off now."""

    user_id: int
    at: datetime
    as_pilot: bool


@dataclass(frozen=True, slots=True)
class Clearance:
    """How far a mission is cleared for take-off.

    signatures : those that count now; missing : "pilot", "second person"; until : when the
    first of a complete pair runs out.
    """

    signatures: tuple[Signature, ...]
    missing: tuple[str, ...]
    until: datetime | None

    @property
    def complete(self) -> bool:
        """Whether the drone may be armed."""
        return not self.missing


def sign_arming(session: Session, actor: Actor, mission_id: int, now: datetime) -> Clearance:
    """Signs for take-off and says what is still missing.

    Raises
    ------
    NotAllowed
        The actor may not plan missions, or is nobody: a program cannot sign.
    Conflict
        The mission is not approved.
    """
    require_role(actor, *PLANNERS)
    if not actor.user_id:
        raise NotAllowed("a signature needs a person: sign in")
    row = mission_row(session, actor, mission_id)
    if row.state != MissionState.APPROVED:
        raise Conflict(f"mission {mission_id} is {row.state}: only an approved one is signed for")
    session.add(
        models.ArmingSignature(
            mission_id=row.id, mission_hash=row.mission_hash, user_id=actor.user_id, at=now
        )
    )
    session.flush()
    facts = {"hash": row.mission_hash}
    audit.append(
        session, actor, action="mission.sign", subject=f"mission:{row.id}", facts=facts, at=now
    )
    return clearance(session, actor, mission_id, now)


def clearance(session: Session, actor: Actor, mission_id: int, now: datetime) -> Clearance:
    """Who has signed for the mission's plan as it is, and who is missing."""
    row = mission_row(session, actor, mission_id)
    query = select(models.ArmingSignature).where(
        models.ArmingSignature.mission_id == row.id,
        models.ArmingSignature.mission_hash == row.mission_hash,
        models.ArmingSignature.at > now - VALID_FOR,
        models.ArmingSignature.at <= now,
    )
    latest = {
        one.user_id: one.at for one in session.scalars(query.order_by(models.ArmingSignature.at))
    }
    pilot = pilot_user(session, row.pilot_id)
    return _clearance(latest, pilot)


def require_clearance(session: Session, actor: Actor, mission_id: int, now: datetime) -> None:
    """Raises NotAllowed, naming who has to sign, unless two people have."""
    found = clearance(session, actor, mission_id, now)
    if not found.complete:
        minutes = int(VALID_FOR.total_seconds() // 60)
        raise NotAllowed(
            f"mission {mission_id} is not cleared for take-off: the signature of the "
            f"{' and of the '.join(found.missing)} is missing or older than {minutes} minutes"
        )


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


def _clearance(latest: dict[int, datetime], pilot: int | None) -> Clearance:
    signatures = tuple(
        Signature(user_id, at, user_id == pilot) for user_id, at in sorted(latest.items())
    )
    missing = []
    if pilot is not None and pilot not in latest:
        missing.append("assigned pilot")
    others = [one for one in signatures if not one.as_pilot]
    if len(others) < (2 if pilot is None else 1):
        missing.append("second person")
    until = min((one.at for one in signatures), default=None)
    return Clearance(
        signatures, tuple(missing), until + VALID_FOR if until and not missing else None
    )


def pilot_user(session: Session, pilot_id: int) -> int | None:
    """The user who is the assigned pilot; None while nobody signs in as that pilot."""
    pilots = fleet.list_pilots(session, SYSTEM)
    return next((one.user_id for one in pilots if one.id == pilot_id), None)
