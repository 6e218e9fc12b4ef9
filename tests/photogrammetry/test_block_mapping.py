"""Real photos cut into blocks give the answer that one mapping gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.photogrammetry.cameras import mapping, sfm
from droneteam.photogrammetry.cameras.georef import fit_similarity
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmParams, SfmResult
from tests.photogrammetry.block_network import aligned_rms
from tests.photogrammetry.box_world import BoxWorld, block_poses, build_network, small_camera

pytestmark = pytest.mark.slow

GSD_M = 6.0 / 420.0
PARAMS = SfmParams(threads=1, max_features=4000)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[PhotoInput]:
    """Twelve photos of a box: two strips and a ring."""
    folder = tmp_path_factory.mktemp("blocks")
    camera = small_camera()
    network = build_network(BoxWorld(), folder, block_poses(), camera)
    return [
        PhotoInput(view.name, view.path, 480, 360, "one", 420.0, known_camera=camera)
        for view in network.views
    ]


@pytest.fixture(scope="module")
def whole(photos: list[PhotoInput]) -> SfmResult:
    return sfm.reconstruct(photos, photos[0].path.parent / "whole", PARAMS)


def centres(result: SfmResult, names: list[str]) -> np.ndarray:
    by_name = {view.name: view.centre_enu_m for view in result.groups[0].views}
    return np.array([by_name[name] for name in names])


@pytest.mark.parametrize("threads", [1, 2])
def test_three_blocks_give_the_cameras_of_one_mapping(
    photos: list[PhotoInput], whole: SfmResult, threads: int
) -> None:
    """In this process, and each block in a process of its own; truth is the poses."""
    params = replace(PARAMS, block_photos=4, threads=threads)
    messages: list[str] = []
    result = sfm.reconstruct(
        photos,
        photos[0].path.parent / f"blocks-{threads}",
        params,
        lambda _, __, message: messages.append(message),
    )
    assert any(message.endswith(("of 4 mapped", "of 3 mapped"))
               for message in messages)  # fmt: skip
    (group,) = result.groups
    assert group.mapper == "blocks"
    assert result.unregistered == ()
    names = [photo.name for photo in photos]
    truth = np.array([-pose[:, :3].T @ pose[:, 3] for pose in block_poses()])
    assert aligned_rms(centres(result, names), truth) < 0.5 * GSD_M
    one = centres(whole, names)
    one_m = fit_similarity(one, truth).points(one)
    assert aligned_rms(centres(result, names), one_m) < 0.5 * GSD_M
    assert group.agreeing_matches > 0.95 * group.verified_matches


def test_finished_blocks_are_found_again(
    photos: list[PhotoInput], whole: SfmResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run over the same folder maps nothing, and joins to the same bytes."""
    params = replace(PARAMS, block_photos=4)
    work = photos[0].path.parent / "again"
    first = sfm.reconstruct(photos, work, params)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("mapped again")

    monkeypatch.setattr(mapping, "incremental_models", refuse)
    second = sfm.reconstruct(photos, work, params)
    for one, two in zip(first.groups[0].views, second.groups[0].views, strict=True):
        assert np.array_equal(one.cam_from_enu, two.cam_from_enu)
    monkeypatch.undo()
    next(work.glob("block-*/key")).unlink()
    (mapped,) = sfm.reconstruct(photos, work, params).groups
    assert len(mapped.views) == len(whole.groups[0].views)


def test_two_places_are_reported_apart_from_blocks_too(
    photos: list[PhotoInput], tmp_path: Path
) -> None:
    camera = small_camera()
    elsewhere = build_network(
        BoxWorld(seed=99, boxes=((-0.5, 0.5, -0.5, 0.5, 0.0, 0.4),)), tmp_path, block_poses()[:6],
        camera,
    )  # fmt: skip
    others = [
        PhotoInput(f"other {v.name}", v.path, 480, 360, "one", 420.0, known_camera=camera)
        for v in elsewhere.views
    ]
    params = replace(PARAMS, block_photos=6)
    result = sfm.reconstruct([*photos, *others], tmp_path / "work", params)
    found = [{view.name.split()[0] == "other" for view in group.views} for group in result.groups]
    assert found == [{False}, {True}]
    assert [len(group.views) for group in result.groups] == [12, 6]
