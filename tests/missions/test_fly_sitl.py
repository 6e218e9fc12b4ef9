"""Whole sorties over real sockets against the embedded simulator."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from droneteam.db import session_scope
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.camera import SIMULATED
from droneteam.missions.flight_state import Ending
from droneteam.missions.fly import SortieOrder, fly
from droneteam.missions.link import LinkAddress
from droneteam.missions.live import LiveState
from droneteam.missions.plan import SurveyParams, plan_survey
from droneteam.missions.preflight import FlightOrder, flight_order
from droneteam.settings import Settings
from tests.missions.conftest import NOW, ORIGIN, PLACE, SCENE, SPEC, Office
from tests.missions.simulator import simulator

SPEEDUP = 20.0
SHORT = SurveyParams(
    gsd_m=0.010, crosshatch=False, orbit=False, forward_overlap=0.7, side_overlap=0.6
)


def short_order(mission_id: int = 1) -> FlightOrder:
    plan = plan_survey(SCENE, SIMULATED, SHORT, PLACE)
    return flight_order(mission_id, plan.items, PLACE, time_scale=SPEEDUP)


def test_an_assignment_becomes_a_sortie_whose_photos_lie_where_they_were_planned(
    office: Office, settings: Settings, tmp_path: Path
) -> None:
    with session_scope(office.engine) as session:
        mission = missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, NOW)
        reason = "the authority's map was consulted"
        missions.approve_mission(session, office.pilot, mission.id, NOW, reason=reason)
    seen: list[LiveState] = []
    with simulator(tmp_path, speedup=SPEEDUP) as sim:
        sortie = missions.fly_mission(
            office.engine,
            settings,
            office.pilot,
            mission.id,
            sim.links[0],
            time_scale=SPEEDUP,
            on_state=seen.append,
        )
        shots = sim.shots()
    assert sortie.ending == "completed"
    assert sortie.log_complete
    assert hashlib.sha256(sortie.log_path.read_bytes()).hexdigest() == sortie.log_sha256
    assert abs(len(shots) - mission.n_photos) <= 0.02 * mission.n_photos
    assert len(sortie.triggers) == len(shots)
    planned = np.array([[p.lat_deg, p.lon_deg, 0.0] for p in mission.plan.photo_positions])
    flown = np.array([[t.lat_deg, t.lon_deg, 0.0] for t in sortie.triggers])
    planned_m, flown_m = ORIGIN.enu_from_geodetic(planned), ORIGIN.enu_from_geodetic(flown)
    nearest = np.linalg.norm(flown_m[:, None, :2] - planned_m[None, :, :2], axis=2).min(axis=1)
    assert np.max(nearest) < 1.5
    pitches = np.array([t.pitch_deg for t in sortie.triggers])
    assert np.sum(np.abs(pitches + 90.0) < 1.0) == mission.n_photos - 16
    assert {"listening", "flying", "returning"} & {state.phase for state in seen}
    with session_scope(office.engine) as session:
        (live,) = missions.live_states(session)
        request = fleet.get_request(session, office.requester, office.request_id)
        found = missions.get_mission(session, office.pilot, mission.id)
        assert missions.get_sortie(session, office.pilot, sortie.id, settings.data_dir) == sortie
    assert live.drone_id == mission.drone_id
    assert request.state == fleet.RequestState.FULFILLED
    assert found.state == missions.MissionState.FLOWN
    assert any(line.kind == "arming" for line in sortie.checklist)


def run_short(tmp_path: Path, link: str, name: str = "drone-01") -> Ending:
    order = SortieOrder(short_order(), 1, name, LinkAddress.parse(link), tmp_path / "logs")
    (result,) = fly([order], time_scale=SPEEDUP)
    return result.ending


@pytest.mark.parametrize(
    "options",
    [("--loss", "0.1", "--delay", "0.002"), ("--reordering", "0.2", "--duplication", "0.2")],
)
def test_a_bad_link_still_gives_a_complete_sortie(tmp_path: Path, options: tuple[str, ...]) -> None:
    with simulator(tmp_path, *options, speedup=SPEEDUP) as sim:
        assert run_short(tmp_path, sim.links[0]) is Ending.COMPLETED
