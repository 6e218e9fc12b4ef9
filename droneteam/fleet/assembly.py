"""Rows → Problem: what the allocator must know, read once and frozen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from droneteam.db import once, rows_of
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreement, agreements, version_at
from droneteam.fleet.agreement.entitlement import Entitlement
from droneteam.fleet.agreement.lending import accounts_now
from droneteam.fleet.agreement.sla import Sla
from droneteam.fleet.airspace import clearances
from droneteam.fleet.allocation.candidates import PrepRule
from droneteam.fleet.assets.inventory import (
    capabilities,
    drone_records,
    pack_records,
    pilot_records,
)
from droneteam.fleet.assets.registry import (
    CURRENCY_FLIGHTS,
    drone_readiness,
    is_current,
    pack_readiness,
)
from droneteam.fleet.daylight import daylight
from droneteam.fleet.demand import (
    FREE_AIRSPACE,
    Clearance,
    Demand,
    Standing,
    job_of,
    prep_rule,
)
from droneteam.fleet.forecasts import forecasts_in_force
from droneteam.fleet.head import read_head
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.problem import (
    Assigned,
    Claim,
    Drone,
    Job,
    Pack,
    PackType,
    Pilot,
    Place,
    Placement,
    Problem,
    SpeedTable,
    Visit,
)
from droneteam.fleet.requirements import requirement
from droneteam.fleet.speeds import speed_at
from droneteam.fleet.terms import Reason, RequestKind, RequestState, Window

REST_MEMORY = timedelta(hours=36)
"""Work that ended longer ago than the longest duty and its rest no longer binds anybody."""
OVERRUN = timedelta(minutes=15)
"""A mission that should be over but still flies is taken to go on at least this long."""
_ANY_WEATHER = (None, None)


@dataclass(frozen=True, slots=True)
class Situation:
    """The problem, and what stands beside it.

    standing : the published plan's assignments that may still be moved
    frozen : those that have started and stay as they are, by row id
    """

    problem: Problem
    standing: tuple[Assigned, ...]
    frozen: tuple[int, ...]
    accounts: Mapping[int, Entitlement]
    sla: Sla
    base_plan_id: int | None
    revision: int


def prep_of(situation: Situation, job: Job) -> PrepRule:
    """The crew's preparation before the job, by when it starts, under the agreement of now."""
    problem = situation.problem
    return prep_rule(
        situation.sla.hours,
        job.place,
        dict.fromkeys(drone.base for drone in problem.drones),
        problem.speed,
        emergency=job.emergency,
        setup_min=job.setup_min,
    )


LOOKED_AHEAD = timedelta(days=62)
"""What the board looks at; whoever asks for as much in one reading session shares what was read."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An assignment's row whose drone, crew and packs are taken, and until when."""

    row: models.Assignment
    window: Window


def load_situation(
    session: Session, now: datetime, horizon: timedelta, *, only: int | None = None
) -> Situation:
    """Everything that bears on the allocation from now until the horizon.

    only : the one request to be placed; of the others, those alone are read that hold something
    """
    key = ("situation", now, horizon, only)
    return once(session, key, lambda: _read_situation(session, now, horizon, only))


def _read_situation(
    session: Session, now: datetime, horizon: timedelta, only: int | None
) -> Situation:
    base_plan_id, revision = read_head(session)
    current = _current_rows(session, base_plan_id)
    held = _held(session, current, now)
    held_requests = {one.row.request_id for one in held}
    movable = [
        row
        for row, request in current
        if RequestState(request.state) in PLANNABLE
        and row.taken_at > now
        and row.request_id not in held_requests
    ]
    drones = _drones(session, held, now)
    sla = agreement(version_at(session, now))
    accounts = accounts_now(session, sla, now)
    wanted = None if only is None else {only, *(row.request_id for row in movable)}
    until = now + horizon
    speed = speed_at(session, now)
    rows = _open_requests(session, held_requests, now, until, wanted)
    jobs = _jobs(session, rows, drones, movable, now, speed)
    problem = Problem(
        now=now,
        drones=drones,
        pilots=_pilots(session, held, now),
        packs=_packs(session, held),
        pack_types=pack_types(session),
        jobs=jobs,
        claims=tuple(
            Claim(account.organisation_id, account.weight, account.remaining_min)
            for account in accounts.values()
        ),
        speed=speed,
        forecasts=forecasts_in_force(session, now, until),
        daylight=_daylight(drones, now, until),
    )
    return Situation(
        problem=problem,
        standing=tuple(assigned_of(row) for row in movable),
        frozen=tuple(one.row.id for one in held if one.row.plan_id == base_plan_id),
        accounts=accounts,
        sla=sla,
        base_plan_id=base_plan_id,
        revision=revision,
    )


def _current_rows(
    session: Session, plan_id: int | None
) -> list[tuple[models.Assignment, models.Request]]:
    query = (
        select(models.Assignment, models.Request)
        .join(models.Request, models.Assignment.request_id == models.Request.id)
        .where(models.Assignment.plan_id == plan_id)
        .order_by(models.Assignment.id)
    )
    return [(row, request) for row, request in session.execute(query)]


def _held(
    session: Session, current: Iterable[tuple[models.Assignment, models.Request]], now: datetime
) -> list[_Held]:
    """What has started or was flown lately, each request once, under its newest assignment."""
    flown = (
        select(models.Assignment, models.Request)
        .join(models.Request, models.Assignment.request_id == models.Request.id)
        .join(models.Plan, models.Assignment.plan_id == models.Plan.id)
        .where(
            models.Plan.state != "draft",
            models.Request.on_scene_at.is_not(None),
            or_(models.Request.closed_at.is_(None), models.Request.closed_at > now - REST_MEMORY),
        )
        .order_by(models.Assignment.id)
    )
    newest = {row.request_id: (row, request) for row, request in session.execute(flown)}
    for row, request in current:
        left = row.taken_at <= now < row.free_at
        if left and RequestState(request.state) in PLANNABLE:
            newest[row.request_id] = (row, request)
    return [_Held(row, _held_window(row, request, now)) for row, request in newest.values()]


def _held_window(row: models.Assignment, request: models.Request, now: datetime) -> Window:
    """From the crew's call to its real or expected return."""
    if request.closed_at is not None:
        homeward = row.free_at - row.end_at
        end_at = min(row.free_at, request.closed_at + homeward)
        return Window(row.taken_at, max(end_at, row.taken_at + timedelta(minutes=1)))
    if request.state == RequestState.IN_PROGRESS:
        return Window(row.taken_at, max(row.free_at, now + OVERRUN))
    return Window(row.taken_at, row.free_at)


def _drones(session: Session, held: Iterable[_Held], now: datetime) -> tuple[Drone, ...]:
    records, able, limits = drone_records(session), capabilities(session), _limits(session)
    busy: defaultdict[int, list[Window]] = defaultdict(list)
    for one in held:
        busy[one.row.drone_id].append(one.window)
    return tuple(
        Drone(
            id=row.id,
            name=row.name,
            capabilities=able[row.id],
            pack_type=row.pack_type,
            base=Place(row.base_lat_deg, row.base_lon_deg),
            busy=tuple(busy[row.id]),
            blocks=drone_readiness(records[row.id], now).blocks,
            max_gust_mps=limits.get(row.model, _ANY_WEATHER)[0],
            max_rain_mm_h=limits.get(row.model, _ANY_WEATHER)[1],
        )
        for row in rows_of(session, models.Drone)
        if not row.retired
    )


def _limits(session: Session) -> dict[str, tuple[float | None, float | None]]:
    """(strongest gust in m/s, hardest rain in mm/h) of each model whose limits are known."""
    return {
        row.name: (row.max_gust_mps, row.max_rain_mm_h)
        for row in rows_of(session, models.DroneModel)
    }


def _pilots(session: Session, held: Iterable[_Held], now: datetime) -> tuple[Pilot, ...]:
    worked: defaultdict[int, list[Window]] = defaultdict(list)
    for one in held:
        for pilot_id in one.row.crew_ids:
            worked[pilot_id].append(one.window)
    return tuple(
        Pilot(
            id=record.id,
            name=record.name,
            credentials=record.credentials,
            absences=record.absences,
            worked=tuple(worked[record.id]),
            blocks=()
            if is_current(record.flown_on, now)
            else (
                Reason("pilot.not_current", {"pilot": record.name, "flights": CURRENCY_FLIGHTS}),
            ),
        )
        for record in sorted(pilot_records(session, now).values(), key=lambda record: record.id)
        if record.active
    )


def _packs(session: Session, held: Iterable[_Held]) -> tuple[Pack, ...]:
    """The serviceable packs; those that are out are charged again after they come back."""
    charge = {kind.name: timedelta(minutes=kind.charge_min) for kind in pack_types(session)}
    back: dict[int, datetime] = {}
    for one in held:
        for pack_id in one.row.battery_ids:
            back[pack_id] = max(back.get(pack_id, one.window.end_at), one.window.end_at)
    records = pack_records(session)
    packs = []
    for row in rows_of(session, models.Battery):
        if pack_readiness(records[row.id]).ready:
            times = [at for at in (row.charged_at,) if at is not None]
            if row.id in back:
                times.append(back[row.id] + charge[row.type])
            packs.append(Pack(row.id, row.type, max(times, default=None)))
    return tuple(packs)


def pack_types(session: Session) -> tuple[PackType, ...]:
    """The kinds of battery pack, by name."""
    return tuple(
        PackType(row.name, row.endurance_min, row.charge_min, row.per_flight)
        for row in rows_of(session, models.BatteryType)
    )


def _daylight(drones: tuple[Drone, ...], now: datetime, until: datetime) -> tuple[Window, ...]:
    """The days' light in the middle of the bases; a region's edges differ by a minute or two."""
    if not drones:
        return ()
    lat_deg = sum(drone.base.lat_deg for drone in drones) / len(drones)
    lon_deg = sum(drone.base.lon_deg for drone in drones) / len(drones)
    return daylight(now, until + timedelta(days=1), Place(lat_deg, lon_deg))


def _open_requests(
    session: Session,
    held_requests: set[int],
    now: datetime,
    until: datetime,
    wanted: set[int] | None,
) -> list[models.Request]:
    """What may still be planned; wanted limits it to some requests."""
    query = (
        select(models.Request)
        .where(
            models.Request.state.in_([state.value for state in PLANNABLE]),
            models.Request.start_at < until,
            models.Request.end_at > now,
        )
        .order_by(models.Request.id)
    )
    if wanted is not None:
        query = query.where(models.Request.id.in_(wanted))
    return [row for row in session.scalars(query) if row.id not in held_requests]


def _jobs(
    session: Session,
    rows: list[models.Request],
    drones: tuple[Drone, ...],
    movable: Iterable[models.Assignment],
    now: datetime,
    speed: SpeedTable,
) -> tuple[Job, ...]:
    standing = {row.request_id: row for row in movable}
    parsed = agreements(session)
    cleared = clearances(session, [row.id for row in rows])
    bases = tuple(dict.fromkeys(drone.base for drone in drones))
    return tuple(
        job_of(
            demand_of(row, parsed[row.sla_version_id], cleared.get(row.id, FREE_AIRSPACE)),
            now=now,
            bases=bases,
            speed=speed,
            standing=_standing_of(standing.get(row.id)),
        )
        for row in rows
    )


def demand_of(row: models.Request, sla: Sla, clearance: Clearance = FREE_AIRSPACE) -> Demand:
    """The request's row as a demand."""
    return Demand(
        request_id=row.id,
        organisation_id=row.organisation_id,
        priority=row.priority,
        window=Window(row.start_at, row.end_at),
        place=Place(row.lat_deg, row.lon_deg),
        requirement=requirement(
            RequestKind(row.kind),
            payload=row.payload,
            sensitive=row.sensitive,
            low_noise=row.low_noise,
        ),
        submitted_at=row.submitted_at,
        sla=sla,
        daylight_only=row.kind in sla.hours.daylight_kinds,
        clearance=clearance,
    )


def _standing_of(row: models.Assignment | None) -> Standing | None:
    if row is None:
        return None
    return Standing(Placement(row.drone_id, tuple(row.crew_ids), row.start_at), row.end_at)


def assigned_of(row: models.Assignment) -> Assigned:
    """The assignment's row as the allocator's value."""
    return Assigned(
        request_id=row.request_id,
        drone_id=row.drone_id,
        pilot_ids=tuple(row.crew_ids),
        pack_ids=tuple(row.battery_ids),
        visit=Visit(
            taken_at=row.taken_at,
            depart_at=row.depart_at,
            arrive_at=row.arrive_at,
            start_at=row.start_at,
            end_at=row.end_at,
            free_at=row.free_at,
            travel_min=row.travel_min,
            late_min=row.late_min,
        ),
    )
