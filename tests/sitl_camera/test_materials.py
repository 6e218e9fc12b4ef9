from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sitl import materials as m

PART = np.array([0.3, 0.25, 0.2, 1.4, 1.3, -1.4, 0.3, 1.0, 0.2, -1.6, -1.9, 0.0])
Surface = Callable[[float, float, float], tuple[float, float, float, float]]
BANDS = np.array([0.5, 0.03, 0.02, 0.2, 0.7, 0.7, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0])
SURFACES: dict[str, Surface] = {
    "asphalt": lambda x, y, f: m.asphalt(x, y, x, y, f, 5),
    "pavement": lambda x, y, f: m.pavement(x, y, x, y, f, 5),
    "kerb": lambda x, y, f: m.kerb(x, y, 0.1, x, y, f, 5),
    "grass": lambda x, y, f: m.grass(x, y, f, 5),
    "brick": lambda x, y, f: m.brick(x, abs(y), f, PART, 5),
    "plaster": lambda x, y, f: m.plaster(x, abs(y), f, PART, 5),
    "roof": lambda x, y, f: m.roof(x, y, f, PART, 5),
    "car": lambda x, y, f: m.car_body(x, abs(y) % 4.0, abs(y), f, PART, 5, x, y),
    "tyre": lambda x, y, f: m.tyre(x, y, f, 5),
    "rim": lambda x, y, f: m.rim(x, abs(y) % 0.3, f, PART),
    "banded": lambda x, y, f: m.banded(y, f, BANDS),
    "plain": lambda x, y, f: m.plain(x, y, f, PART, 5),
    "scale bar": lambda x, y, f: m.scale_bar(x % 0.6, y % 0.05, 1.0, f, PART),
    "leaves": lambda x, y, f: m.leaves(x, y, 1.0, f, PART, 5),
}


def sampled(surface: Surface, footprint: float, count: int = 900) -> np.ndarray:
    rng = np.random.default_rng(9)
    places = rng.uniform(-2.2, 2.2, (count, 2))
    return np.array([surface(float(x), float(y), footprint) for x, y in places])


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("footprint", [0.001, 0.01, 0.3])
def test_no_surface_returns_more_light_than_it_gets(name: str, footprint: float) -> None:
    values = sampled(SURFACES[name], footprint)
    assert values[:, :3].min() >= 0.0
    assert values[:, :3].max() < 1.0
    assert 0.0 <= values[:, 3].min() <= values[:, 3].max() <= m.GLOSS_GLASS


@pytest.mark.parametrize("name", ["asphalt", "grass", "pavement", "kerb", "roof"])
def test_detail_fades_with_distance_and_the_mean_tone_stays(name: str) -> None:
    near, far = (sampled(SURFACES[name], f)[:, 1] for f in (0.004, 0.4))
    assert far.std() < 0.6 * near.std()
    assert far.mean() == pytest.approx(near.mean(), rel=0.25)


def test_asphalt_is_dark_and_grass_is_green() -> None:
    assert 0.07 < sampled(SURFACES["asphalt"], 0.01)[:, :3].mean() < 0.15
    red, green, blue, _ = sampled(SURFACES["grass"], 0.01).mean(axis=0)
    assert green > 1.1 * red > 1.1 * blue


def test_a_scale_bars_targets_meet_at_its_nominal_ends() -> None:
    part = np.zeros(12)
    part[3:5] = 1.5, 0.05
    for end in (-0.75, 0.75):
        corner = [
            [m.scale_bar(end + dx, dy, 1.0, 0.001, part)[0] for dx in (-0.01, 0.01)]
            for dy in (-0.01, 0.01)
        ]
        (a, b), (c, d) = corner
        assert abs(a - d) < 1e-9
        assert abs(b - c) < 1e-9
        assert abs(a - b) > 0.5


def test_materials_are_numbered_with_the_ground_first() -> None:
    ground = {m.Material.ASPHALT, m.Material.KERB, m.Material.PAVEMENT, m.Material.GRASS}
    assert {v for v in m.Material if v <= m.GROUND_LAST} == ground
