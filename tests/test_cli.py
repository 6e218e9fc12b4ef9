"""The command line says what is wrong in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from droneteam import cli


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["--help"])
    assert exit_info.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in cli.COMMANDS)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main([name, "--help"])
    assert exit_info.value.code == 0
    assert name in capsys.readouterr().out


def test_an_expected_error_is_one_line_and_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRONETEAM_DATA", str(tmp_path))
    assert cli.main(["evidence", "verify", str(tmp_path / "nothing")]) == cli.EXIT_FAILED
    printed = capsys.readouterr().err
    assert printed.startswith("droneteam evidence: ")
    assert printed.count("\n") == 1


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "droneteam", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "COMMAND" in done.stdout
