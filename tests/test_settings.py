"""Settings come from the environment, once, and say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from droneteam.errors import SetupError
from droneteam.settings import Settings


def test_defaults_live_below_the_data_folder(tmp_path: Path) -> None:
    settings = Settings.from_env({"DRONETEAM_DATA": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path / 'droneteam.db'}"
    assert settings.host == "127.0.0.1"
    assert settings.blob_dir("logs").is_dir()


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    environ = {"DRONETEAM_DATA": str(tmp_path)}
    first = Settings.from_env(environ).secret_key
    assert len(first) >= 48
    assert Settings.from_env(environ).secret_key == first
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_a_wrong_port_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="DRONETEAM_PORT='http'"):
        Settings.from_env({"DRONETEAM_DATA": str(tmp_path), "DRONETEAM_PORT": "http"})


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(SetupError, match="DRONETEAM_DATA"):
        Settings.from_env({"DRONETEAM_DATA": str(blocker / "below")})


def test_the_version_of_djis_files_is_a_setting_with_a_default(tmp_path: Path) -> None:
    environ = {"DRONETEAM_DATA": str(tmp_path)}
    assert Settings.from_env(environ).wpml_version == "1.0.2"
    newer = Settings.from_env({**environ, "DRONETEAM_WPML_VERSION": "1.0.6"})
    assert newer.wpml_version == "1.0.6"
    with pytest.raises(SetupError, match="DRONETEAM_WPML_VERSION='2' is none of"):
        Settings.from_env({**environ, "DRONETEAM_WPML_VERSION": "2"})
