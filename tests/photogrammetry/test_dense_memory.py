"""What a large photo costs in memory: strips and pieces give the same, and hold little at once.

Peaks are those that Python's own tracing sees (numpy's arrays are in it); they do not depend on
the machine or on what else runs on it.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from droneteam.photogrammetry.dense import cloud as dense
from droneteam.photogrammetry.dense import rectify, semiglobal, stereo
from droneteam.photogrammetry.dense.fuse import DepthMap
from droneteam.photogrammetry.dense.rectify import PairGeometry
from droneteam.photogrammetry.dense.semiglobal import MatchParams
from droneteam.photogrammetry.export.octree import octree
from droneteam.photogrammetry.scene import DenseCloud, View
from droneteam.photogrammetry.surface import mesh
from droneteam.photogrammetry.surface import rasters as surface
from tests.photogrammetry.box_world import nadir, small_camera

POINTS = 400_000
RNG_SEED = 31


def peak_bytes(work: Callable[[], object]) -> int:
    """The most that the work holds at once beyond what was there before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def pair() -> tuple[PairGeometry, tuple[View, View], tuple[np.ndarray, np.ndarray]]:
    """Two photos of noise, a metre apart over level ground: what is found does not matter."""
    camera = small_camera()
    views = (
        View("a", Path("a"), camera, nadir((-0.5, 0.0, 6.0))),
        View("b", Path("b"), camera, nadir((0.5, 0.0, 6.0))),
    )
    rng = np.random.default_rng(RNG_SEED)
    ground = np.column_stack([rng.uniform(-1.5, 1.5, (200, 2)), rng.normal(0.0, 0.05, 200)])
    geometry = rectify.rectify_pair(0, 1, views, ground)
    assert geometry is not None
    shape = (camera.height_px, camera.width_px)
    grays = tuple(rng.uniform(0.0, 255.0, shape).astype(np.float32) for _ in views)
    return geometry, views, (grays[0], grays[1])


def test_strips_of_a_pair_change_nothing(pair, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = stereo.match_pair(*pair, MatchParams(uniqueness_percent=0))
    assert len(list(stereo.strips(pair[0].size_px[1]))) == 1
    monkeypatch.setattr(stereo, "STRIP_ROWS", 50)
    striped = stereo.match_pair(*pair, MatchParams(uniqueness_percent=0))
    for a, b in zip(whole, striped, strict=True):
        assert np.array_equal(a.inverse_depth, b.inverse_depth, equal_nan=True)
        assert np.array_equal(a.sigma, b.sigma, equal_nan=True)


def test_normalising_in_strips_leaves_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of 32 bits over other rows may round another way: by one step, and hardly anywhere."""
    image = np.random.default_rng(RNG_SEED).uniform(0.0, 255.0, (300, 200)).astype(np.float32)
    whole = semiglobal.normalise(image, 15).astype(int)
    monkeypatch.setattr(semiglobal, "STRIP_ROWS", 64)
    striped = semiglobal.normalise(image, 15).astype(int)
    assert np.abs(striped - whole).max() <= 1
    assert np.mean(striped != whole) < 1e-3


def test_a_pair_takes_no_more_for_each_pixel_than_its_executor_is_told(pair) -> None:
    stereo.match_pair(*pair, MatchParams())  # loads the compiled kernels
    pixels = pair[2][0].size
    peak = peak_bytes(lambda: stereo.match_pair(*pair, MatchParams()))
    assert 16 * pixels < peak < dense.PAIR_BYTES_PER_PIXEL * pixels


def flat_cloud() -> DenseCloud:
    rng = np.random.default_rng(RNG_SEED)
    places = rng.uniform([-20.0, -20.0, 0.0], [20.0, 20.0, 0.3], (POINTS, 3))
    return DenseCloud(
        places, np.tile(np.float32([0, 0, 1]), (POINTS, 1)), np.zeros((POINTS, 3), np.uint8),
        np.full(POINTS, 0.01, np.float32), np.full(POINTS, 3, np.uint8),
    )  # fmt: skip


def test_a_cloud_is_sorted_for_its_products_in_less_than_its_own_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A point is 44 bytes; hundreds of them for each would be what a large scene fails on."""
    cloud = flat_cloud()
    for module, name in ((surface, "CHUNK"), (mesh, "SLAB_POINTS")):
        monkeypatch.setattr(module, name, 20_000)
    monkeypatch.setattr("droneteam.photogrammetry.export.octree.CHUNK", 20_000)
    grid = surface.Grid(-20.0, 20.0, 1.0, 40, 40)
    surface.rasterize_dsm(cloud, 1.0, grid=grid)  # loads the compiled kernels
    steps: dict[str, Callable[[], object]] = {
        "surface": lambda: surface.rasterize_dsm(cloud, 1.0, grid=grid),
        "voxels": lambda: mesh.voxel_means(cloud, np.zeros(3), 1.0),
        "octree": lambda: sum(
            len(m) for _, m in octree(cloud.points_enu_m, np.full(3, -21.0), 42.0)
        ),
    }
    for name, work in steps.items():
        assert 1.0 < peak_bytes(work) / POINTS < 44.0, name


def test_depth_maps_beyond_the_limit_are_let_go_and_read_again(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []

    def load(path: Path) -> DepthMap:
        opened.append(int(path.stem))
        layer = np.full((10, 10), float(path.stem), np.float32)
        return DepthMap(layer, layer)

    monkeypatch.setattr(dense, "load_depth_map", load)
    monkeypatch.setattr(dense, "MAPPED_BYTES", 3 * 800)
    maps = dense._MappedDepths(lambda view: Path(f"{view:04d}.npy"))
    for view in (0, 1, 2, 0, 3, 0, 1):
        assert maps.of(view).inverse_depth[0, 0] == view
    assert opened == [0, 1, 2, 3, 1]  # the third made room for 3: 0 had been used since 1 and 2
