"""The command line says what is wrong in one line."""

from __future__ import annotations

import logging
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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x1b[2K", "\u2028", "\x85", "\u202e", "\x00"])
def test_nobody_forges_an_entry_of_the_log(end: str) -> None:
    """An address and an error that a visitor wrote; each begins a line that looks like ours."""
    forged = f"%s{end}2026-05-04 08:00:00 INFO droneteam: signed in"
    try:
        raise ValueError(forged)
    except ValueError:
        record = logging.LogRecord("web", 40, "", 0, "GET %s failed", (forged,), sys.exc_info())
    lines = cli.OneEntry("%(asctime)s %(levelname)s %(name)s: %(message)s").format(record)
    assert all(line.isprintable() for line in lines.split("\n"))
    first, *rest = lines.split("\n")
    assert "GET %s" in first
    assert "signed in" in first
    assert len(rest) >= 3
    assert all(line.startswith("    ") for line in rest)


def test_what_can_be_read_is_left_in_the_log_as_it_is() -> None:
    record = logging.LogRecord("web", 20, "", 0, "Büro “3”, %d %%", (5,), None)
    assert cli.OneEntry("%(name)s: %(message)s").format(record) == "web: Büro “3”, 5 %"
