"""The demonstration's first steps: registry, people, processes, requests and their plan."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from droneteam import accounts, db
from droneteam.accounts import SYSTEM, NewUser
from droneteam.commands.demo_stage import Stage, Step
from droneteam.commands.supervise import Child, wait_for_file
from droneteam.errors import SetupError
from droneteam.fleet import service as fleet
from droneteam.fleet.explanations import explain
from droneteam.fleet.terms import RequestKind
from droneteam.fleet.views import RequestDraft

USERS = (
    ("ixelles", "Zone 5339 desk", "5339", ("requester",), "fr"),
    ("noord", "Zone 5344 desk", "5344", ("requester",), "nl"),
    ("midi", "Zone 5341 desk", "5341", ("requester",), "fr"),
    ("coordinator", "Coordinator", "DRONE", ("coordinator",), "fr"),
    ("pilot", "Pilot 1", "DRONE", ("pilot",), "nl"),
    ("investigator", "Investigator", "DRONE", ("investigator",), "fr"),
    ("manager", "Manager", "DRONE", ("manager",), "nl"),
    ("auditor", "Auditor", "DRONE", ("auditor",), "en"),
    ("admin", "Administrator", "DRONE", ("administrator",), "en"),
)
START_TIMEOUT_S = 240.0
FIRST_LIGHT_H, LAST_START_H = 9, 14
"""Local hours between which photos of a scene are worth taking in every season."""


def fill_registry(stage: Stage) -> None:
    """Ten drones, seven pilots, the zones, the agreement, and one user per role."""
    with db.session_scope(stage.engine) as session:
        fleet.seed_reference(session, stage.now())
        for login, name, organisation, roles, language in USERS:
            new = NewUser(login, name, organisation, roles, stage.password, language)
            accounts.add_user(session, new)
            stage.logins.append(login)
        drones = fleet.list_drones(session, SYSTEM)
        pilots = fleet.list_pilots(session, SYSTEM)
        packs = fleet.list_batteries(session, SYSTEM)
        zones = [o for o in accounts.organisations(session) if o.kind == "zone"]
        version, _ = fleet.current_document(session, stage.now())
    models = sorted({drone.model for drone in drones})
    stage.say(f"{len(drones)} drones ({', '.join(models)}), {len(packs)} battery packs")
    stage.say(f"{len(pilots)} pilots, {sum(p.ready for p in pilots)} ready to fly")
    stage.say(f"{len(zones)} zones, service level agreement version {version}")
    stage.require(len(drones) == 10, f"{len(drones)} drones instead of 10")
    stage.require(len(pilots) == 7, f"{len(pilots)} pilots instead of 7")


def start_processes(stage: Stage) -> None:
    """Simulator, web server, worker and the watch of the air."""
    folder = stage.settings.data_dir / "processes"
    ready = folder / "detect.json"
    detect = stage.processes.start(
        "detect",
        "droneteam",
        ["detect", "listen", "--udp", "127.0.0.1:0", "--own-time", "--ready", ready],
    )
    stage.processes.start("work", "droneteam", ["work"])
    serve = stage.processes.start("serve", "droneteam", ["serve", "--port", stage.settings.port])
    wait_for_file(ready, detect, START_TIMEOUT_S)
    heard = json.loads(ready.read_text())
    _start_simulator(stage, f"udp:{heard['host']}:{heard['port']}")
    _wait_for_server(stage, serve)
    stage.say(f"{len(stage.links)} simulated drones, the web server at {stage.url}")


def _start_simulator(stage: Stage, rid_out: str) -> None:
    with db.read_scope(stage.engine) as session:
        drones = fleet.list_drones(session, SYSTEM)
    roster = stage.settings.data_dir / "processes" / "roster.json"
    rows = [{"name": d.name, "remote_id_serial": d.remote_id_serial} for d in drones]
    roster.write_text(json.dumps(rows))
    endpoints = stage.settings.data_dir / "processes" / "endpoints.json"
    options = {
        "--drones": len(drones),
        "--roster": roster,
        "--speedup": stage.speedup,
        "--seed": stage.seed,
        "--world": "accident",
        "--card": stage.card,
        "--truth": stage.truth,
        "--rid-out": rid_out,
        "--endpoints": endpoints,
    }
    arguments = [part for option in options.items() for part in option]
    sitl = stage.processes.start("sitl", "sitl", arguments)
    wait_for_file(endpoints, sitl, START_TIMEOUT_S)
    served = json.loads(endpoints.read_text())
    stage.links = {drone["name"]: drone["link"] for drone in served["drones"]}
    stage.control_port = int(served["control"].rpartition(":")[2])


def _wait_for_server(stage: Stage, serve: Child) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        serve.require_running()
        try:
            with socket.create_connection((stage.settings.host, stage.settings.port), 1.0):
                break
        except OSError as error:
            if time.monotonic() > deadline_s:
                raise SetupError(f"the web server does not answer at {stage.url}") from error
            time.sleep(0.1)
    with urllib.request.urlopen(f"{stage.url}sign-in", timeout=30.0) as answer:
        stage.require(answer.status == 200, f"{stage.url}sign-in answered {answer.status}")


def ask(stage: Stage) -> None:
    """Two demonstrations are planned; then a zone asks for a photogrammetry of an accident."""
    start_at = _scene_start(stage.now())
    for login, title, place in (
        ("noord", "Betoging Noordstation", (50.8603, 4.3600)),
        ("midi", "Manifestation gare du Midi", (50.8357, 4.3365)),
    ):
        stage.requests[title] = _submit(
            stage,
            login,
            RequestDraft(
                kind=RequestKind.DEMONSTRATION,
                title=title,
                priority="P3",
                start_at=start_at,
                end_at=start_at + timedelta(hours=3),
                lat_deg=place[0],
                lon_deg=place[1],
                polygon=(),
                legal_basis="Loi sur la fonction de police, art. 22",
                contact="desk",
            ),
        )
    world = stage.world()
    polygon = tuple((p["lat_deg"], p["lon_deg"]) for p in world["survey_polygon"])
    draft = RequestDraft(
        kind=RequestKind.PHOTOGRAMMETRY,
        title="Accident avec blessés, boulevard Général Jacques",
        priority="P2",
        start_at=start_at,
        end_at=start_at + timedelta(hours=3),
        lat_deg=world["home"]["lat_deg"],
        lon_deg=world["home"]["lon_deg"],
        polygon=polygon,
        legal_basis="Code d'instruction criminelle, réquisition du parquet",
        contact="desk",
        payload="rgb",
    )
    with stage.acting("ixelles") as (session, actor):
        answer = fleet.instant_answer(session, actor, draft, stage.now())
    stage.say(f"the zone's instant answer before it submits: {answer.verdict}")
    for reason in answer.reasons:
        stage.say(f"  {explain.sentence(reason, 'en')}")
    stage.requests["accident"] = _submit(stage, "ixelles", draft)


def _submit(stage: Stage, login: str, draft: RequestDraft) -> int:
    with stage.acting(login) as (session, actor):
        view = fleet.submit_request(session, actor, draft, stage.now())
    start = view.start_at.astimezone(ZoneInfo(stage.settings.time_zone))
    stage.say(f"request {view.id} of {view.organisation_name}: {view.title}, {start:%a %H:%M}")
    return view.id


def _scene_start(now: datetime) -> datetime:
    """The next moment of daylight at least half an hour away."""
    local = (now + timedelta(minutes=30)).astimezone(ZoneInfo("Europe/Brussels"))
    if local.hour >= LAST_START_H:
        local = (local + timedelta(days=1)).replace(hour=FIRST_LIGHT_H, minute=0)
    elif local.hour < FIRST_LIGHT_H:
        local = local.replace(hour=FIRST_LIGHT_H, minute=0)
    return local.replace(second=0, microsecond=0)


def allocate(stage: Stage) -> None:
    """The coordinator acknowledges, solves and publishes; every request says why."""
    with stage.acting("coordinator") as (session, actor):
        for request_id in stage.requests.values():
            fleet.acknowledge_request(session, actor, request_id, stage.now())
    started_s = time.perf_counter()
    plan = fleet.draft_plan(stage.engine, actor, stage.now())
    solved_s = time.perf_counter() - started_s
    with stage.acting("coordinator") as (session, actor):
        published = fleet.publish_plan(session, actor, plan.id, plan.base_plan_id, stage.now())
    stage.say(f"plan {plan.id}: {plan.status} in {solved_s:.2f} s, gap {plan.gap:.1%}")
    for given in published.assignments:
        stage.say(
            f"request {given.request_id}: {given.drone_name}, {given.pilot_name}, "
            f"{given.start_at:%H:%M}–{given.end_at:%H:%M} UTC"
        )
        for reason in given.why:
            stage.say(f"    {explain.sentence(reason, 'en')}")
    mine = [g for g in published.assignments if g.request_id == stage.requests["accident"]]
    stage.require(len(mine) == 1, f"the accident was not served: {published.unserved}")
    stage.require(len(published.assignments) == 3, f"not all served: {published.unserved}")
    stage.assignment_id = mine[0].id


STEPS = (
    Step("Registry: drones, pilots, zones, agreement", fill_registry),
    Step("Simulator, web server, worker, watch of the air", start_processes),
    Step("Requests of the zones", ask),
    Step("Allocation, proven and explained", allocate),
)
