"""A stored cloud is looked through in blocks: the same answers as from memory, bounded."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import DecodeError
from droneteam.photogrammetry import cloud_file
from droneteam.photogrammetry.cloud_file import BLOCK_POINTS, blocks, mapped_cloud
from droneteam.photogrammetry.dense.cloud import load_cloud, save_cloud
from droneteam.photogrammetry.measuring import cloud_points, surface_measure
from droneteam.photogrammetry.scene import DenseCloud
from droneteam.photogrammetry.surface.rasters import MEASURED, Grid, Raster
from droneteam.photogrammetry.surface.surface_files import _save_raster, load_raster, mapped_raster
from tests.photogrammetry.test_cloud_points import CELL_M, NETWORK

COUNT = 3 * BLOCK_POINTS + 1234
FIELDS = ("points_enu_m", "normals", "colors", "sigma_m", "n_views")
LINE = np.array([[-3.0, -2.0], [3.0, 2.5]])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cloud of several blocks in no order."""
    rng = np.random.default_rng(8)
    points = rng.uniform([-5.0, -4.0, 0.0], [5.0, 4.0, 0.2], (COUNT, 3))
    cloud = DenseCloud(
        points, rng.random((COUNT, 3), np.float32), rng.integers(0, 255, (COUNT, 3), np.uint8),
        rng.uniform(0.002, 0.02, COUNT).astype(np.float32), np.full(COUNT, 4, np.uint8),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("cloud") / "cloud.npz"
    save_cloud(cloud, path)
    return path


def test_a_mapped_cloud_holds_what_was_saved(path: Path) -> None:
    mapped, read = mapped_cloud(path), load_cloud(path)
    for name in FIELDS:
        ours, theirs = getattr(mapped, name), getattr(read, name)
        assert isinstance(ours, np.memmap)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs), name


def test_a_mapped_surface_holds_what_was_saved(tmp_path: Path) -> None:
    height = np.arange(12, dtype=np.float32).reshape(3, 4)
    saved = Raster(
        Grid(1.0, 2.0, 0.5, 4, 3), height, np.full((3, 4), MEASURED, np.uint8), height / 100
    )
    _save_raster(saved, tmp_path / "dsm.npz")
    mapped, read = mapped_raster(tmp_path / "dsm.npz"), load_raster(tmp_path / "dsm.npz")
    assert mapped.grid == read.grid == saved.grid
    for name in ("height_m", "mask", "sigma_m"):
        assert np.array_equal(getattr(mapped, name), getattr(read, name))


def test_blocks_are_every_row_once_and_in_order() -> None:
    rows = np.arange(300.0).reshape(100, 3)
    for count in (1, 7, 100, 1000):
        parts = list(blocks(rows, count))
        assert np.array_equal(np.concatenate([part for _, part in parts]), rows)
        assert all(np.array_equal(rows[start], part[0]) for start, part in parts)


def test_the_nearest_points_are_those_of_a_search_through_all(path: Path) -> None:
    points = load_cloud(path).points_enu_m
    rng = np.random.default_rng(3)
    places = np.vstack([rng.uniform([-5, -4, 0], [5, 4, 0.2], (20, 3)), [[9.0, 9.0, 9.0]]])
    found = cloud_points._nearest(mapped_cloud(path).points_enu_m, places, 0.3)
    for place, index in zip(places[:-1], found[:-1], strict=True):
        assert index == np.argmin(np.linalg.norm(points - place, axis=1))
    assert found[-1] == -1


def test_of_two_equally_near_points_the_first_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_file.blocks, "__defaults__", (2,))
    points = np.array([[5.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0]])
    assert cloud_points._nearest(points, np.zeros((1, 3)), 1.0).tolist() == [1]
    assert cloud_points._nearest(points, np.zeros((1, 3)), 0.99).tolist() == [-1]


@pytest.mark.parametrize("kind", ["distance", "section"])
def test_a_measurement_of_a_mapped_cloud_is_the_same_and_takes_a_block_of_memory(
    path: Path, kind: str
) -> None:
    def taken(cloud: DenseCloud) -> object:
        if kind == "section":
            return surface_measure.section(NETWORK, cloud, LINE, width_m=0.1, step_m=0.25)
        points = np.column_stack([LINE, [0.1, 0.1]])
        return cloud_points.from_cloud(NETWORK, cloud, kind, points, cell_m=CELL_M)

    in_memory = taken(load_cloud(path))
    tracemalloc.start()
    mapped = taken(mapped_cloud(path))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert mapped == in_memory
    block_bytes = 24 * BLOCK_POINTS
    assert most < 4 * block_bytes, "some arrays of a block's length"
    assert path.stat().st_size > 5 * block_bytes, "of a cloud that is larger"


@pytest.mark.parametrize("content", [b"", b"no archive", "compressed", "other"])
def test_what_is_no_stored_cloud_is_refused_by_name(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "cloud.npz"
    if content == "compressed":
        np.savez_compressed(path, points_enu_m=np.zeros((3, 3)))
    elif content == "other":
        np.savez(path, something=np.zeros(3))
    else:
        assert isinstance(content, bytes)
        path.write_bytes(content)
    with pytest.raises(DecodeError, match=r"cloud\.npz"):
        mapped_cloud(path)


def test_a_cloud_without_points_is_mapped(tmp_path: Path) -> None:
    none = DenseCloud(
        np.empty((0, 3)), np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8),
        np.empty(0, np.float32), np.empty(0, np.uint8),
    )  # fmt: skip
    save_cloud(none, tmp_path / "cloud.npz")
    mapped = mapped_cloud(tmp_path / "cloud.npz")
    assert mapped.points_enu_m.shape == (0, 3)
    assert not surface_measure.section(NETWORK, mapped, LINE, width_m=0.1, step_m=0.25).determined
