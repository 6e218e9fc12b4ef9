"""The demonstration's middle: the survey planned, approved and flown, while others fly too."""

from __future__ import annotations

import json
import socket
import time
import uuid
from datetime import timedelta

from droneteam.commands.demo_stage import Stage, Step
from droneteam.detection import service as detection
from droneteam.errors import InputError
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.fieldlog import CHECKS, FieldKind, NewEntry
from droneteam.missions.views import MissionSpec, RegisteredFlight

ALERT_TIMEOUT_S = 30.0
WANTED_GSD_M = 0.012
MAX_PHOTOS = 30
ORBIT_PHOTOS = 10
REGISTERED_SERIAL = "THRDA0000000001"
"""The simulator's third party; somebody announced this flight."""


def plan(stage: Stage) -> None:
    """The pilot plans nadir cross-hatch and oblique orbit from the zone's polygon."""
    _refused_in_a_forbidden_zone(stage)
    world = stage.world()
    spec = MissionSpec(
        params=missions.SurveyParams(
            gsd_m=WANTED_GSD_M, max_photos=MAX_PHOTOS, orbit_photos=ORBIT_PHOTOS
        ),
        home_alt_amsl_m=world["home"]["alt_ellipsoid_m"] - world["geoid_undulation_m"],
    )
    with stage.acting("pilot") as (session, actor):
        view = missions.plan_mission(session, actor, stage.assignment_id, spec, stage.now())
        for finding in view.findings:
            stage.say(f"{finding.severity}: {finding.text}")
        reason = "scene closed by the zone, crew briefed"
        missions.approve_mission(session, actor, view.id, stage.now(), reason=reason)
    stage.mission_id = view.id
    stage.say(
        f"mission {view.id} for {view.drone_name}: {view.n_photos} photos at "
        f"{view.plan.gsd_m * 1000:.1f} mm, every point in at least {view.plan.min_views}, "
        f"{view.plan.length_m:.0f} m, {view.duration_s / 60:.1f} min, {view.plan.packs} pack(s)"
    )
    stage.require(view.plan.gsd_m <= WANTED_GSD_M * 1.05, f"GSD {view.plan.gsd_m} m")


def _refused_in_a_forbidden_zone(stage: Stage) -> None:
    """A zone that forbids the place stops the plan; then the authority lifts it."""
    world = stage.world()
    corners = [[p["lon_deg"], p["lat_deg"]] for p in world["survey_polygon"]]
    ring = [*corners, corners[0]]
    document = {"title": "demo", "features": [_forbidden(ring, "PROHIBITED")]}
    with stage.acting("coordinator") as (session, actor):
        missions.load_geozones(session, actor, document, "demo", stage.now())
    try:
        with stage.acting("pilot") as (session, actor):
            spec = MissionSpec(params=missions.SurveyParams(gsd_m=WANTED_GSD_M))
            missions.plan_mission(session, actor, stage.assignment_id, spec, stage.now())
    except InputError as error:
        stage.say(f"refused inside a forbidden zone: {error}")
    else:
        stage.require(False, "a mission inside a forbidden zone was accepted")
    document["features"] = [_forbidden(ring, "NO_RESTRICTION")]
    with stage.acting("coordinator") as (session, actor):
        missions.load_geozones(session, actor, document, "demo", stage.now())


def _forbidden(ring: list[list[float]], restriction: str) -> dict[str, object]:
    """One zone in ED-269's words."""
    return {
        "identifier": "DEMO001",
        "country": "BEL",
        "name": "Demonstration zone",
        "type": "COMMON",
        "restriction": restriction,
        "reason": ["SENSITIVE"],
        "applicability": [{"permanent": "YES"}],
        "zoneAuthority": [{"name": "demo", "purpose": "AUTHORIZATION"}],
        "geometry": [
            {
                "uomDimensions": "M",
                "lowerLimit": 0,
                "lowerVerticalReference": "AGL",
                "upperLimit": 120,
                "upperVerticalReference": "AGL",
                "horizontalProjection": {"type": "Polygon", "coordinates": [ring]},
            }
        ],
    }


def announce(stage: Stage) -> None:
    """A third party registers a flight; another one takes off unannounced."""
    home = stage.world()["home"]
    lat, lon = home["lat_deg"], home["lon_deg"]
    now = stage.now()
    flight = RegisteredFlight(
        reference="THIRD-PARTY-1",
        operator_id="BELthirdparty001",
        uas_ids=frozenset({REGISTERED_SERIAL}),
        starts_at=now - timedelta(minutes=10),
        ends_at=now + timedelta(hours=2),
        polygon=tuple((lat + a, lon + b) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))),
        max_height_m=120.0,
    )
    with stage.acting("coordinator") as (session, actor):
        missions.register_flight(session, actor, flight, now)
    stage.say(f"registered: {flight.reference}, {REGISTERED_SERIAL}")
    for kind in ("registered", "unregistered"):
        _tell_simulator(stage, {"cmd": "beacon", "kind": kind})
    stage.say("in the air: the registered flight, and one that nobody announced")


def _tell_simulator(stage: Stage, command: dict[str, object]) -> None:
    with socket.create_connection(("127.0.0.1", stage.control_port), 5.0) as control:
        control.sendall(json.dumps(command).encode() + b"\n")
        answer = json.loads(control.makefile().readline())
    stage.require(bool(answer.get("ok")), f"the simulator refused {command}: {answer}")


def fly(stage: Stage) -> None:
    """The crew looks at everything, two sign; the mission is flown, logged and recorded."""
    with stage.acting("pilot") as (session, actor):
        answers = [
            NewEntry(str(uuid.uuid4()), FieldKind.CHECK, item, "yes", stage.now())
            for item in CHECKS
        ]
        missions.record_entries(session, actor, stage.mission_id, answers, stage.now())
    stage.say(f"the crew's checklist: {len(CHECKS)} of {len(CHECKS)} checks answered")
    for login in ("coordinator", "pilot"):
        with stage.acting(login) as (session, actor):
            mission = missions.get_mission(session, actor, stage.mission_id)
            cleared = missions.sign_arming(session, actor, mission.id, stage.now())
        stage.say(f"signed by the {login}: {'cleared' if cleared.complete else 'not yet cleared'}")
    link = missions.MissionLink(mission.id, stage.links[mission.drone_name])
    started_s = time.monotonic()
    shown: set[str] = set()

    def show(state: missions.LiveState) -> None:
        mark = f"{state.phase} {int(state.progress * 4) * 25} %"
        if mark not in shown:
            shown.add(mark)
            stage.say(f"{state.drone_name}: {mark}, {state.mode}, {state.alt_home_m:.1f} m")

    (sortie,) = missions.fly_missions(
        stage.engine, stage.settings, actor, [link], time_scale=stage.speedup, on_state=show
    )
    stage.sortie_id = sortie.id
    stage.say(
        f"sortie {sortie.id}: {sortie.ending}, {len(sortie.triggers)} of {mission.n_photos} "
        f"photos, {sortie.packets} packets logged, {time.monotonic() - started_s:.0f} s"
    )
    stage.require(sortie.ending == "completed", f"sortie ended {sortie.ending}: {sortie.reason}")
    stage.require(sortie.log_complete, "the log is not complete")
    off = abs(len(sortie.triggers) - mission.n_photos)
    stage.require(off <= max(2, 0.05 * mission.n_photos), f"{len(sortie.triggers)} photos")
    with stage.acting("ixelles") as (session, actor):
        request = fleet.get_request(session, actor, stage.requests["accident"])
    stage.say(f"request {request.id} is {request.state}")


def watch(stage: Stage) -> None:
    """One alert for the flight that nobody announced, none for any other."""
    deadline_s = time.monotonic() + ALERT_TIMEOUT_S
    while True:
        with stage.acting("coordinator") as (session, actor):
            alerts = detection.list_alerts(session, actor)
            tracks = detection.list_tracks(session, actor, ended=True)
        if alerts or time.monotonic() > deadline_s:
            break
        time.sleep(0.5)
    for track in tracks:
        subject = f" ({track.match_subject})" if track.match_subject else ""
        stage.say(f"track {track.id}: {track.uas_id}, {track.match_kind}{subject}")
    for alert in alerts:
        stage.say(f"alert {alert.id}: {alert.kind}, {alert.uas_id}, {', '.join(alert.evidence)}")
    kinds = {track.match_kind for track in tracks}
    stage.require(kinds == {"own", "registered", "unknown"}, f"tracks of {sorted(kinds)} only")
    stage.require(len(alerts) == 1, f"{len(alerts)} alerts instead of one")
    stage.require(alerts[0].kind == "unregistered_flight", f"alert {alerts[0].kind}")
    with stage.acting("coordinator") as (session, actor):
        detection.acknowledge_alert(session, actor, alerts[0].id, stage.now())


STEPS = (
    Step("Survey planned, checked against the airspace, approved", plan),
    Step("Other flights: one registered, one not", announce),
    Step("Mission uploaded, flown and logged over MAVLink", fly),
    Step("Detection: one alert", watch),
)
