"""The benchmarks' own instruments: where a set's photos stand, and who sees what in it."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from benchmarks import matching, render_set
from droneteam.errors import InputError
from droneteam.photogrammetry.scene import Camera, View
from sitl.lens import camera_rotation
from sitl.materials import Material
from sitl.mesh import box
from sitl.truth import surface_reference
from sitl.world import NamedPoint
from sitl.worlds import make_world


@pytest.mark.parametrize("photos", [12, 24, 37])
@pytest.mark.parametrize("turn_rad", [0.0, 2.1])
def test_a_set_covers_its_block_from_above_and_looks_in_from_all_sides(
    photos: int, turn_rad: float
) -> None:
    stations = np.array(list(render_set.stations(photos, 14.0, turn_rad)))
    assert len(stations) == photos
    nadir, ring = stations[stations[:, 4] == -90.0], stations[stations[:, 4] > -90.0]
    assert abs(len(nadir) - 0.6 * photos) <= 1.0
    assert np.all((nadir[:, 2] >= 14.0) & (nadir[:, 2] <= 15.0))
    assert np.abs(nadir[:, :2].mean(axis=0)).max() < 3.0
    assert 7.0 < np.linalg.norm(nadir[:, :2], axis=1).max() < 15.2  # half the block's diagonal
    assert np.allclose(np.hypot(ring[:, 0], ring[:, 1]), render_set.RING_RADIUS_M)
    looks = np.stack([np.sin(np.radians(ring[:, 3])), np.cos(np.radians(ring[:, 3]))], axis=1)
    inwards = np.sum(looks * -ring[:, :2], axis=1) / render_set.RING_RADIUS_M
    assert np.allclose(inwards, 1.0)
    bearings = np.sort(np.degrees(np.arctan2(ring[:, 0], ring[:, 1])))
    assert np.allclose(np.diff(bearings), 360.0 / len(ring))


def test_a_set_of_another_version_of_its_world_is_not_judged_by_this_one(tmp_path: Path) -> None:
    """A car that stood 40 cm elsewhere when the photos were rendered: its depths are not theirs."""
    now = [NamedPoint("car_1_front", "car", (1.0, 2.0, 0.3)), NamedPoint("new", "gcp", (0, 0, 0))]
    same = {"car_1_front": {"enu_m": [1.0, 2.0, 0.3]}}
    matching.require_same(now, same, tmp_path)
    with pytest.raises(InputError, match=r"car_1_front is 0\.400 m off.*benchmarks\.render_set"):
        matching.require_same(now, {"car_1_front": {"enu_m": [1.4, 2.0, 0.3]}}, tmp_path)
    with pytest.raises(InputError, match="gone is inf m off"):
        matching.require_same(now, {**same, "gone": {"enu_m": [0.0, 0.0, 0.0]}}, tmp_path)


def test_a_set_keeps_the_mesh_that_it_was_rendered_from(tmp_path: Path) -> None:
    assert matching.kept_mesh(tmp_path) is None
    mesh = box((1.0, 2.0, 3.0), Material.BRICK, 7)
    matching.keep_mesh(mesh, tmp_path)
    kept = matching.kept_mesh(tmp_path)
    assert kept is not None
    for field in fields(mesh):
        np.testing.assert_array_equal(getattr(kept, field.name), getattr(mesh, field.name))
        assert getattr(kept, field.name).dtype == getattr(mesh, field.name).dtype


@pytest.mark.slow
def test_who_sees_what_is_what_rays_find() -> None:
    """Against rays cast from reference points to the camera, edges of what hides left aside."""
    world = make_world("accident", 3)
    surface = surface_reference(world)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(surface["points_enu_m"]), 2000, replace=False)
    points = surface["points_enu_m"][chosen].astype(np.float64)
    normals = surface["normals"][chosen].astype(np.float64)
    centre, rotation = np.array([-8.0, -9.0, 10.0]), camera_rotation(40.0, -42.0, 0.0)
    matrix = np.column_stack([rotation, -rotation @ centre])
    camera = Camera("PINHOLE", 800, 600, (560.0, 560.0, 400.0, 300.0))
    view = View("a", Path("a"), camera, matrix)
    found = matching.exactly_visible(world, (view,), points, normals)[0]
    away = centre - points
    hit = world.first_hits(points + 0.01 * normals, away - 0.01 * normals)
    facing = np.sum(away * normals, axis=1) > math.cos(math.radians(80.0)) * np.linalg.norm(
        away, axis=1
    )
    local = points @ matrix[:, :3].T + matrix[:, 3]
    pixel = local[:, :2] / local[:, 2:] * 560.0 + [400.0, 300.0]
    framed = (local[:, 2] > 0.0) & np.all((pixel > 2.0) & (pixel < [798.0, 598.0]), axis=1)
    judged = framed & facing
    assert np.count_nonzero(judged) > 200
    assert 0.05 < np.mean(hit[judged] < 1.0) < 0.9
    assert np.mean(found[judged] == (hit[judged] >= 1.0)) > 0.97
    assert not found[~framed & (local[:, 2] < 0.0)].any()
