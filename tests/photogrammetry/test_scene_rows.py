"""Where files of a scene lie: as they were written down, and after the data folder was moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from droneteam.photogrammetry.scene_rows import found_path, kept_file, stored_path
from droneteam.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env(
        {"DRONETEAM_DATA": str(tmp_path / "data"), "DRONETEAM_SECRET": "s" * 32}
    )


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"here")
    return path


def test_a_file_that_lies_where_it_was_written_down_is_found_there(
    settings: Settings, tmp_path: Path
) -> None:
    """Also when the data folder holds one of the same end."""
    outside = put(tmp_path / "card" / "photos" / "one.jpg")
    put(settings.data_dir / "photos" / "one.jpg")
    assert kept_file(outside, settings) == outside
    inside = put(settings.data_dir / "control" / "gcp.csv")
    assert kept_file(stored_path(inside, settings), settings) == inside


def test_after_a_move_the_file_is_found_by_the_end_of_its_path(settings: Settings) -> None:
    moved = put(settings.data_dir / "photos" / "sortie-1" / "one.jpg")
    put(settings.data_dir / "sortie-1" / "one.jpg")
    assert kept_file("/gone/var/demo/photos/sortie-1/one.jpg", settings) == moved, "the longest"


@pytest.mark.parametrize(
    "written", ["/gone/photos/two.jpg", "/gone/one.jpg", "/gone", "/", "photos/two.jpg"]
)
def test_what_is_nowhere_keeps_the_path_it_was_written_with(
    settings: Settings, written: str
) -> None:
    """A bare name is no proof: any folder may hold a file of it."""
    put(settings.data_dir / "one.jpg")
    put(settings.data_dir / "photos" / "one.jpg")
    assert kept_file(written, settings) == found_path(written, settings)
