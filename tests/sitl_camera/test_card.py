from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from droneteam.errors import InputError
from sitl.card import CardError, CardWriter
from sitl.lens import SimCamera
from sitl.photo import take, write_whole
from sitl.world import World
from tests.sitl_camera.conftest import shot_over

CAMERA = SimCamera().resized(160)


def test_shots_become_the_photos_that_one_process_would_take(
    accident: World, tmp_path: Path
) -> None:
    """Two drones, two workers; the same bytes as rendered here, and truth for both."""
    shots = [shot_over(accident, 2.0 * k, -1.0, 9.0, k + 1) for k in range(3)]
    shots.append(replace(shots[0], drone="drone-02"))
    with CardWriter(
        accident, tmp_path / "card", CAMERA, 7, 2, truth_dir=tmp_path / "truth"
    ) as card:
        for shot in shots:
            card.shoot(shot)
    assert card.waiting == 0
    photos = sorted(p.relative_to(tmp_path / "card") for p in (tmp_path / "card").rglob("*.*"))
    assert [str(p) for p in photos] == [
        "drone-01/DJI_0001.JPG", "drone-01/DJI_0002.JPG", "drone-01/DJI_0003.JPG",
        "drone-02/DJI_0001.JPG",
    ]  # fmt: skip
    alone = take(accident, CAMERA, shots[1], tmp_path / "alone", 7)
    expected = (tmp_path / "alone" / alone.name).read_bytes()
    assert (tmp_path / "card/drone-01/DJI_0002.JPG").read_bytes() == expected
    poses = (tmp_path / "truth/poses.csv").read_text()
    assert poses.count("drone-01/DJI_000") == 3
    assert poses.count("drone-02/DJI_0001") == 1
    assert "\nDJI_0003.JPG," in (tmp_path / "truth/drone-01/poses.csv").read_text()
    assert (tmp_path / "truth/world.json").exists()


def test_a_failure_names_the_photo(accident: World, tmp_path: Path) -> None:
    (tmp_path / "drone-01").write_text("a file where the drone's folder should be")
    card = CardWriter(accident, tmp_path, CAMERA, 1, 1)
    card.shoot(shot_over(accident, 0.0, 0.0, 9.0, 4))
    with pytest.raises(CardError, match=r"drone-01/DJI_0004\.JPG was not written") as caught:
        card.close()
    assert caught.value.photo == "drone-01/DJI_0004.JPG"


def test_a_killed_process_is_an_error_that_names_the_photo(accident: World, tmp_path: Path) -> None:
    card = CardWriter(accident, tmp_path, CAMERA, 1, 1)
    card.shoot(shot_over(accident, 0.0, 0.0, 9.0, 2))
    for pid in list(card._pool._processes):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(CardError, match=r"DJI_0002\.JPG was not written: a rendering process"):
        card.close()


def test_a_photo_is_taken_once(accident: World, tmp_path: Path) -> None:
    card = CardWriter(accident, tmp_path, CAMERA, 1, 1)
    shot = shot_over(accident, 0.0, 0.0, 9.0)
    card.shoot(shot)
    with pytest.raises(InputError, match="already taken"):
        card.shoot(shot)
    card.close()


def test_a_card_needs_a_worker(accident: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workers 0"):
        CardWriter(accident, tmp_path, CAMERA, 1, 0)


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
