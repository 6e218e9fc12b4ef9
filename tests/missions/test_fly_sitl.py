"""Whole sorties over real sockets against the embedded simulator."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from droneteam import cli
from droneteam.db import session_scope
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.flight.fly import FlightDeck, fly
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.preflight import FlightOrder, flight_order
from droneteam.missions.flight.runner import SortieOrder, SortieResult
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.fetching import fetch_log
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from droneteam.missions.record.dataflash import read_onboard_log
from droneteam.missions.record.journal import read_journal
from droneteam.missions.record.sortie import read_sortie
from droneteam.settings import Settings
from sitl.faults import FaultSpec
from sitl.modes import Mode
from tests.missions.conftest import NOW, ORIGIN, PLACE, SCENE, SPEC, Office, answer_checklist
from tests.missions.simulator import simulator
from tests.missions.test_separation import line_mission
from tests.missions.virtual import Air, Spell, fly_in, in_folder

SPEEDUP = 10.0
SHORT = SurveyParams(
    gsd_m=0.010, crosshatch=False, orbit=False, forward_overlap=0.7, side_overlap=0.6
)


def short_order(mission_id: int = 1) -> FlightOrder:
    plan = plan_survey(SCENE, SIMULATED, SHORT, PLACE)
    return flight_order(mission_id, plan.items, PLACE, time_scale=SPEEDUP)


def test_an_assignment_becomes_a_sortie_whose_photos_lie_where_they_were_planned(
    office: Office,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with session_scope(office.engine) as session:
        mission = missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, NOW)
        reason = "the authority's map was consulted"
        missions.approve_mission(session, office.pilot, mission.id, NOW, reason=reason)
        answer_checklist(session, office.pilot, mission.id, datetime.now(UTC))
        for person in (office.pilot, office.coordinator):
            missions.sign_arming(session, person, mission.id, datetime.now(UTC))
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
        with session_scope(office.engine) as session:
            stored = missions.get_sortie(session, office.pilot, sortie.id, settings.data_dir)
        assert stored == sortie
        monkeypatch.setenv("DRONETEAM_DATA", str(settings.data_dir))
        monkeypatch.setenv("DRONETEAM_DATABASE", settings.database_url)
        capsys.readouterr()
        link = ["--link", sim.links[0], "--time-scale", str(SPEEDUP)]
        assert cli.main(["logs", str(sortie.id), *link]) == 0
        fetched_again = capsys.readouterr().out
    assert sortie.ending == "completed"
    assert sortie.log_complete
    onboard = sortie.onboard_log
    assert onboard is not None
    assert hashlib.sha256(onboard.path.read_bytes()).hexdigest() == onboard.sha256
    assert (onboard.source, onboard.note) == ("LOG_DATA", "")
    assert onboard.sha256 in fetched_again
    photos = read_onboard_log(onboard.path.read_bytes()).photos
    assert [photo.index for photo in photos] == [trigger.index for trigger in sortie.triggers]
    assert not onboard.path.with_name(onboard.path.name + ".part").exists()
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
    assert live.drone_id == mission.drone_id
    assert request.state == fleet.RequestState.FULFILLED
    assert found.state == missions.MissionState.FLOWN
    assert any(line.kind == "arming" for line in sortie.checklist)


def virtual_order(folder: Path, number: int = 1) -> SortieOrder:
    """The short survey for a vehicle in simulated time, with its record in a folder."""
    plan = plan_survey(SCENE, SIMULATED, SHORT, PLACE)
    return in_folder(flight_order(number, plan.items, PLACE), number, folder)


@pytest.mark.parametrize(
    "faults",
    [FaultSpec(loss=0.1, delay_s=0.05), FaultSpec(reordering=0.2, duplication=0.2)],
)
def test_a_bad_link_still_gives_a_complete_sortie(tmp_path: Path, faults: FaultSpec) -> None:
    flown = fly_in(Air(), [virtual_order(tmp_path)], [Spell(0.0, faults)])
    assert flown.results[0].ending is Ending.COMPLETED


def test_a_link_cut_in_mid_mission_ends_landed_with_a_readable_log(tmp_path: Path) -> None:
    air = Air()
    cut = [Spell(0.0), Spell(85.0, cut=True), Spell(125.0)]
    aloft: list[bool] = []
    air.meddle = lambda now_s: aloft.append(air.vehicles[0].armed) if now_s >= 85.0 else None
    (result,) = fly_in(air, [virtual_order(tmp_path)], cut).results
    assert aloft[0]
    assert result.ending is Ending.RETURNED
    assert "GCS Failsafe" in result.reason or "link had been lost" in result.reason
    log = read_sortie(result.tlog_path)
    assert log.complete
    assert log.landed_at is not None
    notes = [entry.detail for entry in read_journal(result.journal_path) if entry.kind == "link"]
    assert notes[0].startswith("silent for")
    assert notes[-1] == "heard again"


def test_the_pilots_transmitter_wins_and_nothing_more_is_commanded(tmp_path: Path) -> None:
    air, taken = Air(), []

    def take_over(state: LiveState) -> None:
        if state.phase == "flying" and state.progress > 0.4 and not taken:
            air.vehicles[0].rc.sticks_us[2] = 1500.0
            air.vehicles[0].change_mode(Mode.LOITER)
            taken.append("LOITER")
        elif state.phase == "handed over" and taken == ["LOITER"]:
            air.vehicles[0].change_mode(Mode.LAND)
            taken.append("LAND")

    (result,) = fly_in(air, [virtual_order(tmp_path)], on_state=take_over).results
    assert result.ending is Ending.HANDED_OVER
    assert "LOITER" in result.reason
    entries = read_journal(result.journal_path)
    handed = next(index for index, entry in enumerate(entries) if entry.kind == "handed over")
    assert [entry for entry in entries[handed:] if entry.kind in ("intent", "arming")] == []


def deck(tmp_path: Path, link: str, on_state: Callable[[LiveState], None]) -> SortieResult:
    order = SortieOrder(short_order(), 1, "drone-01", LinkAddress.parse(link), tmp_path / "logs")
    (result,) = fly([order], time_scale=SPEEDUP, on_state=on_state)
    return result


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tests.missions.test_fly_sitl import deck
def on_state(state):
    print(state.phase, state.progress, flush=True)
deck(Path(sys.argv[1]), sys.argv[2], on_state)
"""


@pytest.mark.slow  # in simulated time: test_adoption; in earnest: benchmarks/kill.py
def test_a_controller_killed_in_mid_flight_is_taken_up_where_it_was(tmp_path: Path) -> None:
    with simulator(tmp_path, speedup=SPEEDUP) as sim:
        command = [sys.executable, "-c", CHILD, str(tmp_path), sim.links[0]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                phase, progress = line.rsplit(" ", 1)
                if phase == "flying" and float(progress) > 0.4:
                    break
            child.kill()
        logged = (tmp_path / "logs" / "mission-1.tlog").stat().st_size
        result = deck(tmp_path, sim.links[0], lambda state: None)
        status = sim.tell(cmd="status")
    assert result.ending in (Ending.COMPLETED, Ending.RETURNED)
    entries = read_journal(result.journal_path)
    adopted = next(index for index, entry in enumerate(entries) if entry.kind == "adopted")
    assert [entry for entry in entries[adopted:] if entry.kind in ("intent", "arming")] == []
    assert sum(entry.kind == "arming" for entry in entries) >= 1
    log = read_sortie(result.tlog_path)
    assert result.tlog_path.stat().st_size > logged > 0
    assert log.landed_at is not None
    assert status["ok"]


FETCHER = """
import sys, time
from pathlib import Path
from droneteam.missions import logstore
from tests.missions.test_fly_sitl import SPEEDUP, fly, one_with_log
logstore.SAVE_S = 0.0
plain = logstore.PartFile.save
def slow(self, have):
    plain(self, have)
    print(have[-1][1] if have else 0, flush=True)
    time.sleep(0.02)
logstore.PartFile.save = slow
fly([one_with_log(Path(sys.argv[1]), sys.argv[2])], time_scale=SPEEDUP)
"""


def one_with_log(tmp_path: Path, link: str) -> SortieOrder:
    address = LinkAddress.parse(link)
    hop = flight_order(1, line_mission(10.0, 0.0, 20.0), PLACE, time_scale=SPEEDUP)
    return SortieOrder(hop, 1, "drone-01", address, tmp_path / "logs", fetch_log=True)


@pytest.mark.slow
def test_a_controller_killed_while_it_fetches_the_log_goes_on_where_it_stopped(
    tmp_path: Path,
) -> None:
    with simulator(tmp_path, speedup=SPEEDUP) as sim:
        command = [sys.executable, "-c", FETCHER, str(tmp_path), sim.links[0]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if int(line) > 20_000:
                    break
            child.kill()
        part = tmp_path / "logs" / "mission-1.bin.part"
        assert part.stat().st_size > 20_000
        (result,) = fly([one_with_log(tmp_path, sim.links[0])], time_scale=SPEEDUP)
        again = fetch_log(
            LinkAddress.parse(sim.links[0]), tmp_path / "again.bin", Timing.scaled(SPEEDUP)
        )
    assert isinstance(result.onboard_log, StoredLog)
    assert isinstance(again, StoredLog)
    assert result.onboard_log.sha256 == again.sha256
    assert result.onboard_log.size_bytes > 50_000
    notes = [e.detail for e in read_journal(result.journal_path) if e.kind == "log"]
    assert any("an earlier attempt left" in note for note in notes)
    assert not part.exists()


def test_three_drones_fly_together_and_each_has_its_own_record(tmp_path: Path) -> None:
    results = fly_in(Air(drones=3), [virtual_order(tmp_path, n) for n in (1, 2, 3)]).results
    assert [result.ending for result in results] == [Ending.COMPLETED] * 3
    assert [read_sortie(result.tlog_path).system_id for result in results] == [1, 2, 3]


def test_nobody_at_the_other_end_ends_with_a_name(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    order = SortieOrder(
        short_order(), 1, "drone-01", LinkAddress.parse(f"tcp:127.0.0.1:{port}"), tmp_path
    )
    hurry = Timing(link_gone_s=1.0)
    (result,) = FlightDeck([order], timing=hurry).fly()
    assert result.ending is Ending.LINK_GONE
    assert result.reason.startswith("nothing heard for 1 s")
