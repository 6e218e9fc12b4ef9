"""Sorties, live states and announced flights as rows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import SYSTEM, Actor, require_role, scoped
from droneteam.db import WHOLE, Piece
from droneteam.errors import Conflict, DecodeError, InputError, NotFound
from droneteam.fleet import service as fleet
from droneteam.missions import models
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.runner import SortieResult
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.onboardlogs import (
    keep_onboard_log,
    onboard_log_views,
    read_stored,
    relative_path,
    trigger_from_json,
    trigger_to_json,
)
from droneteam.missions.planning import mission_row, mission_view, mission_window
from droneteam.missions.record.dataflash import OnboardLog
from droneteam.missions.record.journal import read_journal
from droneteam.missions.record.sortie import SortieLog, read_sortie
from droneteam.missions.views import (
    ChecklistItem,
    MissionState,
    OnboardLogView,
    RegisteredFlight,
    SortieView,
)

_AIRBORNE_STATES = (MissionState.APPROVED.value, MissionState.FLYING.value)


def record_sortie(
    session: Session, actor: Actor, result: SortieResult, data_dir: Path, now: datetime
) -> SortieView:
    """The sortie's row, made from how it ended and what its log says.

    The log stays where it is; its path is kept relative to ``data_dir``, its hash in the row.
    """
    require_role(actor, "pilot", "coordinator")
    mission = mission_row(session, actor, result.mission_id)
    onboard = read_stored(result.onboard_log)
    log = _log_or_none(result, mission.drone_name, onboard)
    ending, reason = _as_the_log_tells(result, log)
    row = models.SortieRow(
        organisation_id=mission.organisation_id,
        mission_id=mission.id,
        drone_id=mission.drone_id,
        ending=ending.value,
        reason=reason,
        started_at=result.started_at,
        ended_at=result.ended_at,
        took_off_at=log.took_off_at if log else None,
        landed_at=log.landed_at if log else None,
        log_path=relative_path(result.tlog_path, data_dir),
        log_sha256=_sha256(result.tlog_path),
        log_complete=log.complete if log else False,
        packets=log.packets if log else 0,
        distance_m=log.distance_m if log else 0.0,
        max_alt_home_m=log.max_alt_home_m if log else 0.0,
        triggers=[trigger_to_json(trigger) for trigger in log.triggers] if log else [],
    )
    session.add(row)
    session.flush()
    if isinstance(result.onboard_log, StoredLog) and onboard is not None:
        keep_onboard_log(session, row, result.onboard_log, onboard, data_dir, now)
    for entry in read_journal(result.journal_path):
        if entry.kind not in ("text", "item"):
            line = models.ChecklistRun(
                sortie_id=row.id, at=entry.at, kind=entry.kind[:20], detail=entry.said
            )
            session.add(line)
    _log_flight(session, actor, mission, row, now)
    _settle_mission(session, actor, mission, ending, now)
    facts = {"ending": row.ending, "photos": len(row.triggers), "log_sha256": row.log_sha256}
    audit.append(
        session, actor, action="sortie.record", subject=f"sortie:{row.id}", facts=facts, at=now
    )
    session.flush()
    return _sortie_view(session, row, data_dir)


def _as_the_log_tells(result: SortieResult, log: SortieLog | None) -> tuple[Ending, str]:
    """How it ended and why: a controller that came back after the landing saw no flight."""
    if result.ending is Ending.REFUSED and log is not None and log.took_off_at is not None:
        return Ending.RETURNED, f"landed while no controller watched; {result.reason}"
    return result.ending, result.reason


def _log_flight(
    session: Session, actor: Actor, mission: models.Mission, row: models.SortieRow, now: datetime
) -> None:
    """The flight in the fleet's logbook, where the log shows one from take-off to landing."""
    up, down = row.took_off_at, row.landed_at
    if up is None or down is None or down <= up:
        return
    assignment = fleet.get_assignment(session, actor, mission.assignment_id)
    entry = fleet.FlightEntry(
        key=f"log:{row.log_sha256}",
        sortie=f"sortie:{row.id}",
        drone_id=mission.drone_id,
        pilot_id=mission.pilot_id,
        took_off_at=up,
        landed_at=down,
        battery_ids=assignment.battery_ids,
        request_id=mission.request_id,
        remarks=f"mission {mission.id}: {row.ending}",
    )
    fleet.log_flight(session, actor, entry, max(now, down))


def _settle_mission(
    session: Session, actor: Actor, mission: models.Mission, ending: Ending, now: datetime
) -> None:
    if ending is Ending.COMPLETED:
        mission.state = MissionState.FLOWN.value
        request = fleet.get_request(session, actor, mission.request_id)
        if request.state == fleet.RequestState.IN_PROGRESS:
            fleet.mark_request_state(session, actor, mission.request_id, "fulfilled", now)
    else:
        mission.state = MissionState.FAILED.value


def _log_or_none(result: SortieResult, drone: str, onboard: OnboardLog | None) -> SortieLog | None:
    photos = onboard.photos if onboard is not None else ()
    path, number = result.tlog_path, result.mission_id
    try:
        return read_sortie(path, mission_id=number, drone=drone, photos=photos)
    except DecodeError:
        return None  # nothing was ever heard: the row says so by its zero packets


def list_sorties(
    session: Session, actor: Actor, data_dir: Path = Path(), piece: Piece = WHOLE
) -> list[SortieView]:
    """Sorties that the actor may see, newest first; log paths lie below ``data_dir``."""
    query = scoped(select(models.SortieRow), actor, models.SortieRow.organisation_id)
    rows = session.scalars(piece.of(query, models.SortieRow.id)).all()
    return _sortie_views(session, rows, data_dir)


def sorties_of(session: Session, actor: Actor, mission_id: int) -> list[SortieView]:
    """The mission's sorties that the actor may see, newest first."""
    query = scoped(select(models.SortieRow), actor, models.SortieRow.organisation_id)
    query = query.where(models.SortieRow.mission_id == mission_id)
    rows = session.scalars(query.order_by(models.SortieRow.id.desc())).all()
    return _sortie_views(session, rows, Path())


def get_sortie(
    session: Session, actor: Actor, sortie_id: int, data_dir: Path = Path()
) -> SortieView:
    """The sortie, its log path below ``data_dir``; NotFound for another organisation's."""
    query = scoped(select(models.SortieRow), actor, models.SortieRow.organisation_id)
    row = session.scalar(query.where(models.SortieRow.id == sortie_id))
    if row is None:
        raise NotFound("sortie", sortie_id)
    return _sortie_view(session, row, data_dir)


def update_live_states(session: Session, states: Iterable[LiveState]) -> None:
    """Store the latest state of each drone; an older one never replaces a newer one."""
    for state in states:
        row = session.get(models.VehicleState, state.drone_id)
        if row is None:
            session.add(models.VehicleState(**asdict(state)))
        elif row.at <= state.at:
            for name, value in asdict(state).items():
                setattr(row, name, value)


def live_states(session: Session) -> list[LiveState]:
    """The latest state of every drone that has been heard, by drone."""
    rows = session.scalars(select(models.VehicleState).order_by(models.VehicleState.drone_id))
    fields = LiveState.__dataclass_fields__
    return [LiveState(**{name: getattr(row, name) for name in fields}) for row in rows]


def register_flight(
    session: Session, actor: Actor, flight: RegisteredFlight, now: datetime
) -> None:
    """Keep a flight that somebody announced; Conflict when the reference is taken."""
    require_role(actor, "coordinator", "administrator")
    if flight.ends_at <= flight.starts_at:
        raise InputError("the flight ends before it starts", field="ends_at")
    if not flight.uas_ids:
        raise InputError("a registered flight names at least one UAS id", field="uas_ids")
    taken = select(models.RegisteredFlightRow.id).where(
        models.RegisteredFlightRow.reference == flight.reference
    )
    if session.scalar(taken) is not None:
        raise Conflict(f"flight {flight.reference} is already registered")
    session.add(
        models.RegisteredFlightRow(
            reference=flight.reference,
            operator_id=flight.operator_id,
            uas_ids=sorted(flight.uas_ids),
            starts_at=flight.starts_at,
            ends_at=flight.ends_at,
            polygon=[list(corner) for corner in flight.polygon],
            max_height_m=flight.max_height_m,
        )
    )
    session.flush()
    audit.append(
        session, actor, action="flight.register", subject=f"flight:{flight.reference}", at=now
    )


def list_registered_flights(session: Session) -> tuple[RegisteredFlight, ...]:
    """Announced flights of others, and the team's own approved and flying missions."""
    rows = session.scalars(
        select(models.RegisteredFlightRow).order_by(models.RegisteredFlightRow.starts_at)
    )
    others = [
        RegisteredFlight(
            reference=row.reference,
            operator_id=row.operator_id,
            uas_ids=frozenset(row.uas_ids),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            polygon=tuple((lat, lon) for lat, lon in row.polygon),
            max_height_m=row.max_height_m,
        )
        for row in rows
    ]
    return (*others, *_own_flights(session))


def _own_flights(session: Session) -> list[RegisteredFlight]:
    drones = {drone.id: drone for drone in fleet.list_drones(session, SYSTEM)}
    rows = session.scalars(
        select(models.Mission)
        .where(models.Mission.state.in_(_AIRBORNE_STATES))
        .order_by(models.Mission.id)
    )
    flights = []
    for row in rows:
        view = mission_view(row)
        drone = drones[row.drone_id]
        starts_at, ends_at = mission_window(view)
        heights = [item.alt_home_m for item in view.plan.items if item.alt_home_m is not None]
        flights.append(
            RegisteredFlight(
                reference=f"mission-{row.id}",
                operator_id=drone.operator_registration,
                uas_ids=frozenset({drone.remote_id_serial}),
                starts_at=starts_at,
                ends_at=ends_at,
                polygon=view.polygon,
                max_height_m=max(heights, default=None),
                own=True,
            )
        )
    return flights


def own_uas_ids(session: Session) -> dict[str, str]:
    """Remote ID serial number → name of every drone of the team."""
    return {drone.remote_id_serial: drone.name for drone in fleet.list_drones(session, SYSTEM)}


def _sortie_view(session: Session, row: models.SortieRow, data_dir: Path) -> SortieView:
    return _sortie_views(session, [row], data_dir)[0]


def _sortie_views(
    session: Session, rows: Sequence[models.SortieRow], data_dir: Path
) -> list[SortieView]:
    """The rows with their checklists and onboard logs, which are read all at once."""
    ids = [row.id for row in rows]
    lines: defaultdict[int, list[ChecklistItem]] = defaultdict(list)
    query = select(models.ChecklistRun).where(models.ChecklistRun.sortie_id.in_(ids))
    for line in session.scalars(query.order_by(models.ChecklistRun.id)):
        lines[line.sortie_id].append(ChecklistItem(line.at, line.kind, line.detail))
    onboard = onboard_log_views(session, ids, data_dir)
    return [_one_view(row, data_dir, tuple(lines[row.id]), onboard.get(row.id)) for row in rows]


def _one_view(
    row: models.SortieRow,
    data_dir: Path,
    checklist: tuple[ChecklistItem, ...],
    onboard_log: OnboardLogView | None,
) -> SortieView:
    return SortieView(
        id=row.id,
        organisation_id=row.organisation_id,
        mission_id=row.mission_id,
        drone_id=row.drone_id,
        ending=row.ending,
        reason=row.reason,
        started_at=row.started_at,
        ended_at=row.ended_at,
        took_off_at=row.took_off_at,
        landed_at=row.landed_at,
        log_path=data_dir / row.log_path,
        log_sha256=row.log_sha256,
        log_complete=row.log_complete,
        packets=row.packets,
        distance_m=row.distance_m,
        max_alt_home_m=row.max_alt_home_m,
        triggers=tuple(trigger_from_json(one) for one in row.triggers),
        checklist=checklist,
        onboard_log=onboard_log,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
