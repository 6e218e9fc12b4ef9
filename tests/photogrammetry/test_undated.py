"""Products carry no date of their own; the one of their photos is told in local time."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import laspy.header
import numpy as np
import pytest

from droneteam.photogrammetry.export import las
from droneteam.photogrammetry.export.moments import day_of, moment_words
from droneteam.photogrammetry.export.numbers import LANGUAGES
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.scene import DenseCloud, Frame

CREATION_DAY_AND_YEAR = slice(90, 94)
"""Of a LAS header (LAS 1.4 R15, table 3); zero is "not stated"."""


def cloud() -> DenseCloud:
    rng = np.random.default_rng(3)
    n = 500
    return DenseCloud(
        points_enu_m=rng.uniform(-5.0, 5.0, (n, 3)),
        normals=np.tile(np.array([0.0, 0.0, 1.0], np.float32), (n, 1)),
        colors=rng.integers(0, 255, (n, 3)).astype(np.uint8),
        sigma_m=np.full(n, 0.01, np.float32),
        n_views=np.full(n, 3, np.uint8),
    )


class NextWeek(date):
    @classmethod
    def today(cls) -> NextWeek:
        return cls(2031, 2, 3)


@pytest.mark.parametrize("write", [las.write_laz, las.write_copc])
def test_a_cloud_written_on_another_day_is_the_same_file(
    write: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Placement(Frame("local", None, "none", metric=True), None)
    first, second = tmp_path / "a.laz", tmp_path / "b.laz"
    write(cloud(), place, first)  # type: ignore[operator]
    monkeypatch.setattr(laspy.header, "date", NextWeek)
    write(cloud(), place, second)  # type: ignore[operator]
    assert first.read_bytes() == second.read_bytes()
    assert struct.unpack("<HH", first.read_bytes()[CREATION_DAY_AND_YEAR]) == (0, 0)


@pytest.mark.parametrize(
    ("at", "said", "day"),
    [
        (datetime(2026, 5, 14, 9, 30, tzinfo=UTC), "14 mei 2026 om 11:30 CEST", 14),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "1 januari 2027 om 00:30 CET", 1),
        (datetime(2026, 5, 14, 9, 30, tzinfo=timezone(timedelta(hours=-4))),
         "14 mei 2026 om 15:30 CEST", 14),
    ],
)  # fmt: skip
def test_a_moment_is_said_on_the_wall_clock_of_brussels(at: datetime, said: str, day: int) -> None:
    assert moment_words(at, "nl", camera_clock=False) == said
    assert day_of(at, camera_clock=False)[2] == day


def test_a_cameras_clock_without_a_zone_is_shown_as_it_was_and_said_to_be_that() -> None:
    at = datetime(2026, 5, 14, 23, 30, tzinfo=UTC)
    said = {language: moment_words(at, language, camera_clock=True) for language in LANGUAGES}
    for language, clock in (
        ("nl", "14 mei 2026 om 23:30"),
        ("fr", "14 mai 2026 à 23:30"),
        ("en", "14 May 2026 at 23:30"),
    ):
        assert said[language].startswith(f"{clock} (")
    assert not any("UTC" in text or "CEST" in text for text in said.values())
    assert len(set(said.values())) == 3
    assert day_of(at, camera_clock=True) == [2026, 5, 14]
