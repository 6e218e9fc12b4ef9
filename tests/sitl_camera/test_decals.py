from __future__ import annotations

import math

import numpy as np
import pytest

from sitl.decals import Decal, DecalKind, apply_decals, indexed


def colour(decals: list[Decal], x: float, y: float, footprint: float = 0.01) -> np.ndarray:
    index = indexed(decals)
    arrays = (index.rows, index.starts, index.items, index.grid)
    step_u, step_v = (footprint, 0.0, 0.0), (0.0, footprint, 0.0)
    return np.array(apply_decals(x, y, step_u, step_v, footprint, 0.5, 0.5, 0.5, arrays))


TARGET = Decal(DecalKind.TARGET, (2.0, 3.0), (2.1, 3.0), 0.15, (0.7, 0.7, 0.7))


def test_a_targets_quadrants_alternate_about_its_centre() -> None:
    signs = {
        (dx, dy): colour([TARGET], 2.0 + dx, 3.0 + dy)[0]
        for dx in (-0.07, 0.07)
        for dy in (-0.07, 0.07)
    }
    for (dx, dy), value in signs.items():
        assert value == pytest.approx(0.73 if dx * dy > 0.0 else 0.03)
    assert colour([TARGET], 2.0, 3.0)[0] == pytest.approx(0.38)
    assert colour([TARGET], 2.0 + 0.16, 3.0)[0] == 0.5


@pytest.mark.parametrize("footprint", [0.02, 0.05, 0.12])
def test_a_mark_darkens_its_exact_area_at_any_footprint(footprint: float) -> None:
    plate = Decal(DecalKind.TARGET, (0.21, 0.13), (0.31, 0.17), 0.1, (0.0, 0.0, 0.0))
    axis = np.arange(-0.3, 0.7, footprint)
    lost = sum(0.5 - colour([plate], x, y, footprint)[0] for x in axis for y in axis)
    assert lost * footprint**2 == pytest.approx(0.04 * 0.47, rel=0.04)


def test_a_later_mark_lies_on_top() -> None:
    dark = Decal(DecalKind.TAR, (-1.0, 0.0), (1.0, 0.0), 0.2)
    assert colour([dark, replace_at(TARGET)], 0.05, 0.05)[0] == pytest.approx(0.73)
    assert colour([replace_at(TARGET), dark], 0.05, 0.05)[0] == pytest.approx(0.025)


def replace_at(target: Decal) -> Decal:
    return Decal(target.kind, (0.0, 0.0), (0.1, 0.0), 0.15, target.color)


def test_a_skid_mark_darkens_its_width_and_ends_sharply() -> None:
    skid = Decal(DecalKind.SKID, (0.0, 0.0), (3.0, 4.0), 0.1, opacity=0.9)
    along, across = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    inside = [colour([skid], *(k * along))[0] for k in np.linspace(0.05, 4.95, 40)]
    assert np.mean(inside) < 0.25
    for x, y in (-0.02 * along, 5.02 * along, 2.0 * along + 0.12 * across):
        assert colour([skid], x, y)[0] == 0.5


def test_far_from_all_marks_the_ground_keeps_its_colour() -> None:
    for x, y in ((90.0, 0.0), (2.0, 8.0), (-40.0, -40.0)):
        np.testing.assert_array_equal(colour([TARGET], x, y), [0.5, 0.5, 0.5, 0.0])


def test_the_grid_finds_every_decal_that_a_full_search_finds() -> None:
    rng = np.random.default_rng(4)
    decals = []
    for k in range(25):
        a, turn = rng.uniform(-8.0, 8.0, 2), rng.uniform(0.0, 2.0 * math.pi)
        b = a + rng.uniform(0.2, 4.0) * np.array([math.cos(turn), math.sin(turn)])
        kind = DecalKind(int(rng.choice([1, 2, 4, 5, 6, 8])))
        ends = (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))
        decals.append(Decal(kind, *ends, rng.uniform(0.05, 0.4), (0.1, 0.2, 0.3), 0.8, k))
    for x, y in rng.uniform(-9.0, 9.0, (30, 2)):
        expected = np.array([0.5, 0.5, 0.5, 0.0])
        alone = [d for d in decals if (colour([d], x, y) != expected).any()]
        together = colour(decals, x, y)
        found = colour(alone, x, y) if alone else expected
        np.testing.assert_allclose(together, found, atol=1e-12)
