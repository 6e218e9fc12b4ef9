"""`droneteam ask`, and who may still be armed when a flight is taken up again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from droneteam import cli
from droneteam.audit import AuditEntry
from droneteam.db import session_scope
from droneteam.errors import InputError, NotAllowed
from droneteam.missions import service as missions
from droneteam.missions.flight.arming import VALID_FOR, begin_flight, clearance
from droneteam.missions.flight.asks import ask_flight, asks_path
from droneteam.settings import Settings
from tests.missions.conftest import SPEC, Office, answer_checklist


def flying_mission(office: Office, at: datetime) -> int:
    """A mission that was approved, signed for and begun."""
    with session_scope(office.engine) as session:
        mission = missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, at)
        missions.approve_mission(session, office.pilot, mission.id, at, reason="map consulted")
        answer_checklist(session, office.pilot, mission.id, at)
        for person in (office.pilot, office.coordinator):
            missions.sign_arming(session, person, mission.id, at)
        begin_flight(session, office.pilot, mission.id, at)
    return mission.id


def test_a_wish_reaches_the_file_of_the_flight_with_its_asker_and_the_audit_log(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = flying_mission(office, datetime.now(UTC))
    monkeypatch.setenv("DRONETEAM_DATA", str(settings.data_dir))
    monkeypatch.setenv("DRONETEAM_DATABASE", settings.database_url)
    assert cli.main(["ask", str(number), "rtl", "--user", "pilot-3"]) == 0
    path = asks_path(settings.blob_dir("logs"), number)
    (line,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (line["what"], line["user"]) == ("rtl", office.pilot.user_id)
    with session_scope(office.engine) as session:
        entries = session.query(AuditEntry).filter_by(action="mission.ask").all()
        assert [entry.subject for entry in entries] == [f"mission:{number}"]


def test_a_mission_that_no_controller_flies_is_not_asked(
    office: Office,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with session_scope(office.engine) as session:
        now = datetime.now(UTC)
        mission = missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, now)
    monkeypatch.setenv("DRONETEAM_DATA", str(settings.data_dir))
    monkeypatch.setenv("DRONETEAM_DATABASE", settings.database_url)
    assert cli.main(["ask", str(mission.id), "rtl"]) == cli.EXIT_FAILED
    assert "no controller flies it" in capsys.readouterr().err
    assert not asks_path(settings.blob_dir("logs"), mission.id).exists()


def test_only_who_may_plan_may_ask_and_only_for_what_there_is(
    office: Office, settings: Settings
) -> None:
    now = datetime.now(UTC)
    number, folder = flying_mission(office, now), settings.blob_dir("logs")
    with session_scope(office.engine) as session:
        with pytest.raises(NotAllowed):
            ask_flight(session, office.requester, number, "rtl", folder, now)
        with pytest.raises(InputError, match=r"'explode' is none of rtl, land, pause"):
            ask_flight(session, office.pilot, number, "explode", folder, now)


def test_a_flight_taken_up_again_after_its_signatures_ran_out_is_not_cleared_for_arming(
    office: Office,
) -> None:
    now = datetime.now(UTC)
    number = flying_mission(office, now)
    with session_scope(office.engine) as session:
        later = now + VALID_FOR + timedelta(seconds=1)
        begin_flight(session, office.pilot, number, later)  # watching it goes on
        assert clearance(session, office.pilot, number, now).complete
        assert not clearance(session, office.pilot, number, later).complete
