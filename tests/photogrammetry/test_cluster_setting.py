"""DRONETEAM_DASK reaches the job and the command, and a wrong address is said with its name."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

pytest.importorskip("distributed", reason="needs the extra 'cluster'")

from droneteam import accounts, cli, jobs
from droneteam.accounts import SYSTEM, OrganisationKind
from droneteam.db import session_scope
from droneteam.photogrammetry import cluster, service
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.settings import Settings
from tests.photogrammetry.pictures import Tags, noise, write_jpeg

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address at which nothing listens, and little patience."""
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index in range(3):
        write_jpeg(tmp_path / "in" / f"{index}.jpg", noise(seed=index), Tags())
    return tmp_path / "in"


def test_the_setting_is_read_from_the_environment(tmp_path: Path) -> None:
    given = {"DRONETEAM_DATA": str(tmp_path), "DRONETEAM_SECRET": "x"}
    assert Settings.from_env(given).dask is None
    assert Settings.from_env(given | {"DRONETEAM_DASK": ""}).dask is None
    assert Settings.from_env(given | {"DRONETEAM_DASK": "tcp://h:1"}).dask == "tcp://h:1"


def test_a_job_without_its_cluster_fails_in_words(
    engine: Engine, settings: Settings, photos: Path, nobody: str
) -> None:
    with session_scope(engine) as session:
        zone = accounts.add_organisation(
            session, code="5339", kind=OrganisationKind.ZONE, names=("5339",) * 3
        )
        new = service.NewScene("on a cluster", photos, SceneParams(), organisation_id=zone.id)
        scene_id = service.create_scene(session, SYSTEM, new, settings, NOW)
        job_id = service.request_build(session, SYSTEM, scene_id, NOW)
    assert jobs.run_once(engine, replace(settings, dask=nobody), service.HANDLERS)
    with session_scope(engine) as session:
        job = jobs.get(session, job_id)
    assert job.state == "failed"
    assert job.error is not None
    assert f"DRONETEAM_DASK={nobody!r}: no Dask scheduler answers there" in job.error


def test_the_command_without_its_cluster_is_one_line(
    photos: Path,
    tmp_path: Path,
    nobody: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DRONETEAM_DASK", nobody)
    status = cli.main(["scene", "build", str(photos), "-o", str(tmp_path / "out")])
    assert status != 0
    assert "unset DRONETEAM_DASK to work on this machine" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
