"""`droneteam fly` on the command line."""

from __future__ import annotations

import pytest

from droneteam import cli
from droneteam.db import session_scope
from droneteam.missions import service as missions
from droneteam.settings import Settings
from tests.missions.conftest import NOW, SPEC, Office


@pytest.fixture
def installation(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRONETEAM_DATA", str(settings.data_dir))
    monkeypatch.setenv("DRONETEAM_DATABASE", settings.database_url)


@pytest.mark.usefixtures("installation")
def test_a_mission_that_nobody_approved_is_not_flown(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    with session_scope(office.engine) as session:
        mission = missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, NOW)
    status = cli.main(["fly", str(mission.id), "--link", "tcp:127.0.0.1:1", "--user", "pilot-3"])
    assert status == cli.EXIT_FAILED
    assert "only an approved one may be flown" in capsys.readouterr().err


@pytest.mark.usefixtures("installation")
def test_a_link_that_is_no_address_is_named(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fly", "1", "--link", "nonsense"]) == cli.EXIT_FAILED
    assert "'nonsense' is not like tcp:127.0.0.1:5760" in capsys.readouterr().err


@pytest.mark.usefixtures("installation")
def test_each_mission_needs_its_link(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fly", "1", "2", "--link", "tcp:127.0.0.1:5760"]) != 0
    assert "2 missions but 1 links" in capsys.readouterr().out
