"""The scene command: progress on a terminal and elsewhere, words for errors."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from droneteam import cli
from droneteam.commands.scene import ProgressDisplay
from tests.photogrammetry.pictures import Tags, noise, write_jpeg


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_terminal_gets_one_bar_per_stage() -> None:
    stream = Terminal()
    with ProgressDisplay(stream) as show:
        show("photos", 0.5, "a.jpg")
        show("photos", 1.0, "done")
        show("sfm", 0.25, "features")
    lines = [line.split("\r\x1b[K")[-1] for line in stream.getvalue().split("\n")]
    assert [line.split()[0] for line in lines if line] == ["photos", "sfm"]
    assert lines[0].count("█") == 24
    assert lines[1].count("█") == 6
    assert " 25%" in lines[1]


def test_a_file_gets_a_line_per_stage_and_every_five_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressDisplay(stream, clock) as show:
        for step in range(100):
            clock.now_s = step * 0.1
            show("dense", step / 100, f"pair {step}")
        show("dense", 1.0, "done")
    lines = stream.getvalue().splitlines()
    assert lines == ["dense 0% pair 0", "dense 50% pair 50", "dense 100% done"]
    assert "\x1b" not in stream.getvalue()


def test_an_empty_folder_is_one_line_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.main(["scene", "build", str(tmp_path), "-o", str(tmp_path / "out")])
    assert status == 1
    assert "holds no photos" in capsys.readouterr().err


def test_two_photos_are_refused_with_what_it_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(2):
        write_jpeg(tmp_path / "in" / f"{index}.jpg", noise(seed=index), Tags())
    status = cli.main(["scene", "build", str(tmp_path / "in"), "-o", str(tmp_path / "out")])
    assert status == 1
    assert "2 usable photos, and a scene needs at least 3" in capsys.readouterr().err


def test_stopping_after_ingest_prints_what_it_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(3):
        write_jpeg(tmp_path / "in" / f"{index}.jpg", noise(seed=index), Tags())
    out = tmp_path / "out"
    command = ["scene", "build", str(tmp_path / "in"), "-o", str(out), "--until", "photos"]
    assert cli.main(command) == 0
    printed = capsys.readouterr()
    assert "3 usable photos" in printed.out
    assert "photos" in printed.out
    assert "wall s" in printed.out
    assert (out / "scene.json").exists()


def test_a_wrong_camera_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camera = tmp_path / "camera.json"
    camera.write_text("{}")
    command = ["scene", "build", str(tmp_path), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--camera", str(camera)]) == 1
    assert "camera.json is not a camera" in capsys.readouterr().err
