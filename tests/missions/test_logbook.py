"""A recorded sortie writes the fleet's logbook, once, and only where the log shows a flight."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from droneteam.db import session_scope
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.flight.arming import begin_flight
from droneteam.missions.flight.runner import SortieResult
from droneteam.missions.flight.state import Ending
from tests.missions.conftest import NOW, SPEC, Office, answer_checklist
from tests.missions.test_record import START, a_log


def flown(office: Office, folder: Path, log: bytes) -> SortieResult:
    """An approved mission that took off, and what its flight left."""
    (folder / "log.tlog").write_bytes(log)
    (folder / "journal.jsonl").write_bytes(b"")
    with session_scope(office.engine) as session:
        mission = missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, NOW)
        reason = "the planned heights were checked on the map"
        missions.approve_mission(session, office.pilot, mission.id, NOW, reason=reason)
        answer_checklist(session, office.pilot, mission.id, NOW)
        for person in (office.pilot, office.coordinator):
            missions.sign_arming(session, person, mission.id, NOW)
        begin_flight(session, office.pilot, mission.id, NOW)
        drone_id = fleet.get_assignment(session, office.pilot, office.assignment_id).drone_id
    return SortieResult(
        mission_id=mission.id,
        drone_id=drone_id,
        ending=Ending.COMPLETED,
        reason="",
        started_at=START,
        ended_at=START + timedelta(seconds=40),
        tlog_path=folder / "log.tlog",
        journal_path=folder / "journal.jsonl",
        packets=1,
    )


def test_a_sortie_becomes_a_line_of_the_logbook_with_its_request_and_packs(
    office: Office, tmp_path: Path
) -> None:
    result = flown(office, tmp_path, a_log())
    with session_scope(office.engine) as session:
        before = {row.id: row for row in fleet.list_drones(session, office.pilot, NOW)}
        packs = {row.id: row.cycles for row in fleet.list_batteries(session, office.pilot)}
        missions.record_sortie(session, office.pilot, result, tmp_path, NOW)
        (line,) = fleet.list_flights(session, office.pilot)
        assert (line.request_id, line.drone_id) == (office.request_id, result.drone_id)
        assert line.took_off_at == START + timedelta(seconds=10)
        assert line.landed_at == START + timedelta(seconds=30)
        given = fleet.get_assignment(session, office.pilot, office.assignment_id)
        assert len(line.packs) == len(given.battery_ids) > 0
        after = {row.id: row for row in fleet.list_drones(session, office.pilot, NOW)}
        one, other = before[result.drone_id], after[result.drone_id]
        assert other.flight_h - one.flight_h == pytest.approx(20 / 3600)
        assert other.cycles == one.cycles + 1
        for row in fleet.list_batteries(session, office.pilot):
            assert row.cycles - packs[row.id] == (row.id in given.battery_ids)


def test_a_sortie_that_never_took_off_is_no_flight(office: Office, tmp_path: Path) -> None:
    result = flown(office, tmp_path, b"")
    with session_scope(office.engine) as session:
        view = missions.record_sortie(session, office.pilot, result, tmp_path, NOW)
        assert view.took_off_at is None
        assert fleet.list_flights(session, office.pilot) == []
