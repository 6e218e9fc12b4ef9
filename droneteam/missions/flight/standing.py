"""What keeps approved missions on the ground: looked up again until the drone is armed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.missions import models
from droneteam.missions.flight.arming import clearance
from droneteam.missions.flight.turns import Turn, TurnBar, turn_bars
from droneteam.missions.planner.sharing import Separation
from droneteam.missions.planning import mission_row, share_of_row
from droneteam.missions.views import MissionState


def standing_bars(
    session: Session, mission_ids: Iterable[int], now: datetime
) -> dict[int, tuple[str, ...]]:
    """Mission → why it must not be armed now, one sentence each; empty where nothing bars."""
    return {
        one: (*_checklist(session, one, now), *map(str, turns(session, one, now)))
        for one in mission_ids
    }


def _checklist(session: Session, mission_id: int, now: datetime) -> tuple[str, ...]:
    bars = clearance(session, SYSTEM, mission_id, now).bars
    return tuple(f"the crew's checklist: {bar}" for bar in bars)


def turns(session: Session, mission_id: int, now: datetime) -> tuple[TurnBar, ...]:
    """Which drones of an area that is shared by time a mission waits for, and why."""
    row = mission_row(session, SYSTEM, mission_id)
    own = _turn(session, row)
    if own is None:
        return ()
    query = select(models.Mission).where(
        models.Mission.request_id == row.request_id,
        models.Mission.id != row.id,
        models.Mission.drone_id != row.drone_id,
        models.Mission.state != MissionState.CANCELLED.value,
    )
    found = (_turn(session, one) for one in session.scalars(query.order_by(models.Mission.id)))
    return turn_bars(own, [one for one in found if one is not None], now)


def _turn(session: Session, row: models.Mission) -> Turn | None:
    """The mission's part of an area that is shared by time; None for any other mission."""
    share = share_of_row(row)
    if share is None or share.separation is not Separation.TIME or share.of == 1:
        return None
    state = session.get(models.VehicleState, row.drone_id)
    own = state if state is not None and state.mission_id == row.id else None
    landed = select(models.SortieRow.landed_at).where(models.SortieRow.mission_id == row.id)
    return Turn(
        row.id,
        row.drone_name,
        share,
        MissionState(row.state),
        own.at if own else None,
        bool(own and own.armed),
        bool(own and own.phase == "ended"),
        max((at for at in session.scalars(landed) if at is not None), default=None),
    )
