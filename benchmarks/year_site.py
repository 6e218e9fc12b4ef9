"""A database as it stands after a year of work, or several, for benchmarks of the web application.

313 missions of the golden year's generator (`tests/fleet/year_events.py`) with their events,
flights, sorties, plans and ledger, moved so that the year ends now; what was followed in the sky,
alerts, scenes, cases and a sealed audit chain beside them; and what is open today.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, inspect, select
from sqlalchemy.orm import Session

from benchmarks.booking import SECRET
from droneteam import accounts, audit, db, schema
from droneteam.accounts import ROLES, SYSTEM
from droneteam.detection.models import AlertRow, Sighting, TrackRow
from droneteam.evidence.models import Case, CustodyEvent, EvidenceItem
from droneteam.fleet import models as fleet_models
from droneteam.fleet import service as fleet
from droneteam.fleet.performance.journeys import Step
from droneteam.fleet.performance.yearly import Flown, year_bounds
from droneteam.fleet.terms import RequestState
from droneteam.missions import service as missions
from droneteam.missions.models import Mission, SortieRow
from droneteam.missions.views import MissionSpec
from droneteam.photogrammetry.models import MeasurementRow, SceneRow
from droneteam.settings import Settings
from droneteam.web.app import create_app
from tests.fleet.year_events import Year, year_events
from tests.web import worlds
from tests.web.conftest import Clock, Site

YEAR, MISSIONS, PHOTOGRAMMETRIES = 2027, 313, 27
TRACKS, SIGHTINGS, ALERTS, AUDITED = 1_500, 40, 300, 12_000
OPEN_REQUESTS = 14
ZONES = ("5339", "5340", "5341", "5342", "5343", "5344")
PASSWORD = "only for this benchmark"
_REACHED = {
    RequestState.ACKNOWLEDGED: "acknowledged_at",
    RequestState.PLANNED: "decided_at",
    RequestState.REFUSED: "decided_at",
    RequestState.WAITLISTED: "decided_at",
    RequestState.IN_PROGRESS: "on_scene_at",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """What the year left behind, by number, and who may sign in."""

    site: Site
    logins: tuple[str, ...]
    requests: int
    missions: int
    scenes: int
    cases: int


def filled_site(folder: Path, url: str, clients: int, seed: int = 1, years: int = 1) -> Filled:
    """An application on a database of whole years; as many users as clients.

    url : of an empty database; the files lie below folder.
    """
    settings = Settings(data_dir=folder / "data", database_url=url, secret_key=SECRET)
    engine = db.make_engine(url)
    schema.upgrade(engine)
    clock = Clock(datetime.now(UTC))
    with db.session_scope(engine) as session:
        fleet.seed_reference(session, clock())
        logins = _people(session, clients)
    site = Site(create_app(settings, engine, clock=clock), engine, settings, clock)
    rng = random.Random(seed)
    with db.session_scope(engine) as session:
        requests = _requests(session, rng, _worked(seed, years, clock()))
        _sky(session, rng, clock(), years)
        _audited(session, rng, clock(), years)
    _today(site)
    _flown_missions(engine, site)
    scenes, cases = _scenes(site, years), _cases(site, years)
    return Filled(site, logins, requests, years * MISSIONS, scenes, cases)


def _worked(seed: int, years: int, now: datetime) -> Year:
    """The years one after the other, the last of them just over; the oldest numbers first."""
    whole = Year([], {}, [])
    for age in reversed(range(years)):
        made = _moved(year_events(seed + age, *_GOLDEN), now - age * timedelta(days=365))
        before = max(whole.asked, default=0)
        whole.asked |= {before + number: asked for number, asked in made.asked.items()}
        whole.steps += [replace(one, request_id=before + one.request_id) for one in made.steps]
        for one in made.flights:
            number, _dash, turn = one.sortie.partition("-")
            whole.flights.append(replace(one, sortie=f"{before + int(number)}-{turn}"))
    return whole


_GOLDEN = (YEAR, MISSIONS, PHOTOGRAMMETRIES)
SHARES: Mapping[str, int] = {
    "requester": 16,
    "coordinator": 8,
    "pilot": 9,
    "investigator": 7,
    "manager": 4,
    "auditor": 3,
    "administrator": 3,
}
"""Of 50 people who are signed in at a time; six zones and one team."""


def _people(session: Session, clients: int) -> tuple[str, ...]:
    """One login named as each role, then "role-number" as SHARES has it."""
    assert set(SHARES) == set(ROLES)
    turns = [role for role, share in SHARES.items() for _ in range(share)]
    roles = [*SHARES, *random.Random(0).sample(turns, len(turns))]
    logins = []
    for number in range(clients):
        role = roles[number % len(roles)]
        login = role if number < len(SHARES) else f"{role}-{number}"
        code = ZONES[number % len(ZONES)] if role == "requester" else "DRONE"
        person = accounts.NewUser(login, f"{role} {number}", code, (role,), PASSWORD)
        accounts.add_user(session, person)
        logins.append(login)
    return tuple(logins)


def _moved(made: Year, now: datetime) -> Year:
    """The year as if it had just ended; what would lie ahead of now is left out."""
    shift = now - timedelta(days=2) - year_bounds(YEAR)[1]
    made.steps = sorted(
        (
            Step(one.request_id, one.at + shift, one.state, one.facts)
            for one in made.steps
            if one.at + shift < now - timedelta(hours=1)
        ),
        key=lambda one: one.at,
    )
    begun = {one.request_id for one in made.steps if one.state == RequestState.SUBMITTED}
    made.steps = [one for one in made.steps if one.request_id in begun]
    for number in list(made.asked):
        if number not in begun:
            del made.asked[number]
    made.flights = [
        Flown(one.sortie, one.drone_id, one.took_off_at + shift, one.landed_at + shift)
        for one in made.flights
        if int(one.sortie.split("-")[0]) in begun and one.landed_at + shift < now
    ]
    return made


def _requests(session: Session, rng: random.Random, made: Year) -> int:
    """The year's requests with events, ledger and flights; how many."""
    zones = [accounts.organisation_by_code(session, code).id for code in ZONES]
    ways: dict[int, list[Step]] = {}
    for step in made.steps:
        ways.setdefault(step.request_id, []).append(step)
    for number, asked in sorted(made.asked.items()):
        shift = ways[number][0].at - asked.start_at + timedelta(hours=3)
        session.add(
            fleet_models.Request(
                id=number,
                organisation_id=zones[asked.organisation_id - 1],
                sla_version_id=1,
                state=ways[number][-1].state.value,
                kind=asked.kind.value,
                title=f"{asked.kind.value.capitalize()} {number}, chaussée d'Alsemberg",
                priority=asked.priority,
                start_at=asked.start_at + shift,
                end_at=asked.end_at + shift,
                lat_deg=50.82 + rng.uniform(-0.05, 0.05),
                lon_deg=4.36 + rng.uniform(-0.06, 0.06),
                polygon=[list(corner) for corner in worlds.AREA],
                legal_basis="CPP 44/11",
                contact="officer 3",
                sensitive=False,
                low_noise=False,
                notes="",
                **_times(ways[number]),
            )
        )
    session.flush()
    zone_of = {number: zones[asked.organisation_id - 1] for number, asked in made.asked.items()}
    for step in made.steps:
        facts = {**step.facts}
        if "organisation_id" in facts:
            facts["organisation_id"] = zone_of[step.request_id]
        row = fleet_models.RequestEvent(
            request_id=step.request_id, at=step.at, state=step.state.value, facts=facts
        )
        session.add(row)
        if step.state == RequestState.IN_PROGRESS:
            session.add(_debit(step, zone_of[step.request_id], made))
    for number, flight in enumerate(made.flights):
        session.add(_flight(number, flight))
    return max(made.asked)


def _times(way: list[Step]) -> dict[str, datetime]:
    """The columns of a request that its events tell."""
    found = {"submitted_at": way[0].at}
    for step in way:
        if step.state in _REACHED:
            found[_REACHED[step.state]] = step.at
    last = way[-1]
    if last.state in (RequestState.FULFILLED, RequestState.PARTLY, RequestState.CANCELLED):
        found["closed_at"] = last.at
    return found


def _debit(step: Step, zone: int, made: Year) -> fleet_models.LedgerRow:
    return fleet_models.LedgerRow(
        organisation_id=zone,
        request_id=step.request_id,
        at=step.at,
        crew_min=90,
        priority=made.asked[step.request_id].priority,
    )


def _flight(number: int, flight: Flown) -> fleet_models.Flight:
    return fleet_models.Flight(
        key=f"year-{number}",
        sortie=flight.sortie,
        request_id=int(flight.sortie.split("-")[0]),
        drone_id=flight.drone_id,
        pilot_id=1 + number % 5,
        took_off_at=flight.took_off_at,
        landed_at=flight.landed_at,
        drone={"name": f"drone-{flight.drone_id:02d}"},
        pilot={"name": f"pilot {1 + number % 5}"},
        packs=[],
        remarks="",
    )


def _sky(session: Session, rng: random.Random, now: datetime, years: int) -> None:
    """Years of followed aircraft and alerts, all but a few of them over."""
    days, tracks, alerts = 365.0 * years, TRACKS * years, ALERTS * years
    for number in range(1, tracks + 1):
        at = now - timedelta(days=days * (1 - number / tracks))
        session.add(_track(rng, number, at, ended=number < tracks - 20))
    session.flush()
    for number in range(1, tracks + 1):
        at = now - timedelta(days=days * (1 - number / tracks))
        way = [
            {
                "track_id": number,
                "at": at - timedelta(seconds=SIGHTINGS - beat),
                "lat_deg": 50.82 + 1e-4 * beat,
                "lon_deg": 4.36,
                "height_m": 60.0,
            }
            for beat in range(SIGHTINGS)
        ]
        session.execute(insert(Sighting), way)
    for number in range(1, alerts + 1):
        at = now - timedelta(days=days * (1 - number / alerts))
        session.add(_alert(number, at, over=number < alerts - 5))


def _track(rng: random.Random, number: int, at: datetime, *, ended: bool) -> TrackRow:
    return TrackRow(
        id=number,
        uas_id=f"1581F5BKD{number:09d}",
        transmitters=[f"02:{number:04x}"],
        receivers=["roof"],
        status=2,
        lat_deg=50.82 + rng.uniform(-0.05, 0.05),
        lon_deg=4.36 + rng.uniform(-0.05, 0.05),
        speed_mps=8.0,
        course_deg=rng.uniform(0, 360),
        sigma_m=3.0,
        height_m=60.0,
        height_reference=0,
        started_at=at - timedelta(seconds=SIGHTINGS),
        last_at=at,
        ended=ended,
        flags=[],
        match_kind="unknown",
        match_evidence=["identity_not_registered"],
    )


def _alert(number: int, at: datetime, *, over: bool) -> AlertRow:
    return AlertRow(
        kind="unregistered_flight",
        key=f"1581F5BKD{number:09d}",
        track_id=number * TRACKS // ALERTS,
        uas_id=f"1581F5BKD{number:09d}",
        lat_deg=50.82,
        lon_deg=4.36,
        evidence=["identity_not_registered"],
        facts={},
        raised_at=at,
        updated_at=at,
        cleared_at=at + timedelta(minutes=5) if over else None,
        acknowledged_at=at + timedelta(minutes=1) if over else None,
        acknowledged_by="coordinator" if over else None,
    )


def _audited(session: Session, rng: random.Random, now: datetime, years: int) -> None:
    """The chain as years of work leave it."""
    count = AUDITED * years
    last = select(audit.AuditEntry.hash).order_by(audit.AuditEntry.id.desc()).limit(1)
    rows, previous = [], session.scalar(last) or audit.GENESIS_HASH
    actions = ("request.submit", "plan.publish", "mission.approve", "scene.look", "signin.welcome")
    for number in range(count):
        entry = audit.EntryView(
            id=0,
            at=now - timedelta(days=365.0 * years * (1 - number / count)),
            user_id=None,
            organisation_id=None,
            actor=SYSTEM.display_name,
            action=actions[number % len(actions)],
            subject=f"request:{rng.randrange(1, years * MISSIONS)}",
            reason=None,
            facts={"number": number, "facts": "of what was done"},
            previous_hash=previous,
            hash="",
        )
        previous = audit.entry_hash(entry)
        row = asdict(replace(entry, hash=previous))
        del row["id"]
        rows.append(row)
    session.execute(insert(audit.AuditEntry), rows)


def _today(site: Site) -> None:
    """What is open: requests of all zones, the plan in force and missions for it."""
    zones = [login for login in _logins(site) if login.startswith("requester")]
    noon = site.clock().replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=1)
    for number in range(OPEN_REQUESTS):
        start_at = noon + timedelta(days=number // 3, hours=number % 3)
        worlds.ask(
            site,
            zones[number % len(zones)],
            title=f"Open {number}",
            start_at=start_at,
            end_at=start_at + timedelta(hours=2),
            priority=f"P{1 + number % 3}",
        )
    coordinator = site.actor("coordinator")
    plan = fleet.draft_plan(site.engine, coordinator, site.clock())
    with db.session_scope(site.engine) as session:
        fleet.publish_plan(session, coordinator, plan.id, plan.base_plan_id, site.clock())
    with db.session_scope(site.engine) as session:
        current = fleet.current_plan(session, coordinator)
        assert current is not None
        pilot = site.actor("pilot")
        for assignment in current.assignments[:3]:
            missions.plan_mission(session, pilot, assignment.id, MissionSpec(), site.clock())


def _logins(site: Site) -> list[str]:
    with db.read_scope(site.engine) as session:
        return list(session.scalars(select(accounts.User.login)))


def _flown_missions(engine: Engine, site: Site) -> None:
    """A mission and a sortie for each request that was flown; the plan is a real one's."""
    with db.session_scope(engine) as session:
        model = columns_of(session.scalars(select(Mission)).first())
        flown = select(fleet_models.Request).where(fleet_models.Request.on_scene_at.is_not(None))
        for asked in session.scalars(flown).all():
            row = Mission(
                **{
                    **model,
                    "organisation_id": asked.organisation_id,
                    "request_id": asked.id,
                    "state": "flown",
                    "start_at": asked.start_at,
                    "end_at": asked.end_at,
                    "created_at": asked.submitted_at,
                }
            )
            session.add(row)
            session.flush()
            session.add(_sortie(row, asked))


def _sortie(mission: Mission, asked: fleet_models.Request) -> SortieRow:
    up = asked.on_scene_at or asked.start_at
    return SortieRow(
        organisation_id=asked.organisation_id,
        mission_id=mission.id,
        drone_id=mission.drone_id,
        ending="completed",
        reason="",
        started_at=up,
        ended_at=up + timedelta(minutes=14),
        took_off_at=up + timedelta(minutes=1),
        landed_at=up + timedelta(minutes=13),
        log_path=f"sorties/{mission.id}.tlog",
        log_sha256="0" * 64,
        log_complete=True,
        packets=20_000,
        distance_m=2_400.0,
        max_alt_home_m=60.0,
        triggers=[],
    )


def _scenes(site: Site, years: int) -> int:
    """A built scene for each photogrammetry; they share one folder of products."""
    first = worlds.built_scene(site, "requester")
    with db.session_scope(site.engine) as session:
        model = columns_of(session.get_one(SceneRow, first))
        measured = columns_of(session.scalars(select(MeasurementRow)).first())
        for number in range(1, years * PHOTOGRAMMETRIES):
            row = SceneRow(**{**model, "name": f"Collision {number}"})
            session.add(row)
            session.flush()
            for count in range(10):
                own = {"scene_id": row.id, "name": f"skid {count}"}
                session.add(MeasurementRow(**{**measured, **own}))
    return years * PHOTOGRAMMETRIES


def _cases(site: Site, years: int) -> int:
    """A case with evidence for each photogrammetry."""
    now = site.clock()
    zone = site.actor("requester").organisation_id
    with db.session_scope(site.engine) as session:
        for number in range(1, years * PHOTOGRAMMETRIES + 1):
            at = now - timedelta(days=13 * number)
            case = Case(
                organisation_id=zone, title=f"Collision {number}", legal_basis="CPP", opened_at=at
            )
            session.add(case)
            session.flush()
            for count in range(60):
                session.add(
                    EvidenceItem(
                        case_id=case.id,
                        path=f"photos/{count:04d}.jpg",
                        kind="photo",
                        source=f"sortie:{number}",
                        sha256=f"{number:032x}{count:032x}",
                        size_bytes=9_000_000,
                        added_at=at,
                        added_by="investigator",
                        facts={},
                    )
                )
                session.add(
                    CustodyEvent(case_id=case.id, at=at, actor="pilot", action="added", reason="")
                )
    return years * PHOTOGRAMMETRIES


def columns_of(row: Any) -> dict[str, Any]:
    """What a row holds but its number, for another one like it."""
    mapper = inspect(row).mapper
    return {key: getattr(row, key) for key in mapper.columns.keys() if key != "id"}  # noqa: SIM118
