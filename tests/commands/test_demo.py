"""The demonstration: the whole chain in one command, and its own care with folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from droneteam import cli


def test_a_folder_with_other_things_is_never_emptied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRONETEAM_DATA", str(tmp_path / "data"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("irreplaceable")
    status = cli.main(["demo", "--headless", "--data", str(tmp_path / "mine")])
    assert status == cli.EXIT_FAILED
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "irreplaceable"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_chain_holds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "droneteam", "demo", "--headless", "--port", "0"]
    command += ["--data", str(tmp_path / "demo")]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "the bag verifies" in done.stdout
