"""Two dates of a scene: what was dug away is seen, and nothing else."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from droneteam import db
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.surface import surface_files
from droneteam.photogrammetry.surface.rasters import Raster
from tests.web import scene_world, worlds
from tests.web.conftest import Site, open_site

DUG_M = 0.4


@pytest.fixture(scope="module")
def dated(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, int]]:
    """Scene 1, the same crossing later with a pit (the second number), and one without files."""
    site = open_site(seeded, tmp_path_factory.mktemp("dated"))
    first = scene_world.marked_scene(site).scene_id
    with db.session_scope(site.engine) as session:
        row = session.get_one(SceneRow, first)
        fields = {c.name: getattr(row, c.name) for c in SceneRow.__table__.columns}
        later = SceneRow(**{**fields, "id": None, "name": "Later", "folder": "scenes/later"})
        session.add(later)
        session.add(SceneRow(**{**fields, "id": None, "name": "Gone", "folder": "scenes/gone"}))
        session.flush()
        second = later.id
        shutil.copytree(site.settings.data_dir / row.folder, site.settings.data_dir / later.folder)
    [surface] = (site.settings.data_dir / "scenes" / "later").rglob("dsm.npz")
    raster = surface_files.load_raster(surface)
    height = raster.height_m.copy()
    rows, columns = height.shape
    height[: rows // 4, : columns // 4] -= DUG_M
    dug = Raster(raster.grid, height, raster.mask, raster.sigma_m)
    surface_files._save_raster(dug, surface)
    yield site, second
    site.engine.dispose()


def picture(site: Site, path: str) -> np.ndarray:
    answer = site.client("investigator").get(path, buffered=True)
    assert answer.mimetype == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.data)))


def test_the_pit_is_blue_and_the_rest_is_left_alone(dated: tuple[Site, int]) -> None:
    site, second = dated
    client = site.client("investigator")
    page = client.get(f"/scenes/{second}/compare?with=1").get_data(as_text=True)
    assert "Smallest difference that stands out" in page
    assert "Later" in page
    image = picture(site, f"/scenes/{second}/compare/1/difference.png")
    rows, columns = image.shape[:2]
    pit = image[: rows // 4 - 2, : columns // 4 - 2]
    rest = image[rows // 4 + 2 :, columns // 4 + 2 :]
    assert (pit[..., 3] > 0).mean() > 0.99
    shown = pit[pit[..., 3] > 0]
    assert (shown[:, 2] > shown[:, 0]).all()
    assert (rest[..., 3] > 0).mean() < 0.01


def test_the_pit_is_a_numbered_place_whose_interval_holds_its_volume(
    dated: tuple[Site, int],
) -> None:
    site, second = dated
    text = site.client("investigator").get(f"/scenes/{second}/compare?with=1").text
    [surface] = (site.settings.data_dir / "scenes" / "later").rglob("dsm.npz")
    raster = surface_files.load_raster(surface)
    quarter = raster.height_m[: raster.grid.height // 4, : raster.grid.width // 4]
    true_m3 = -DUG_M * np.isfinite(quarter).sum() * raster.grid.gsd_m**2
    row = text.split("Places that changed")[1].split('<th scope="row" class="number">1</th>')[1]
    value, low, high = (
        float(one.replace("−", "-"))
        for one in re.search(
            r">([-−\d.]+) m³</td>.*?>([-−\d.]+) to ([-−\d.]+) m³", row, re.DOTALL
        ).groups()  # type: ignore[union-attr]
    )
    assert low < true_m3 < high
    assert low < value < high < 0.0
    assert value == pytest.approx(true_m3, rel=0.1)
    assert 'class="numbers"' in text


def test_both_orthophotos_lie_on_one_grid(dated: tuple[Site, int]) -> None:
    """The same raster at both dates: the same pixels, whatever its own grid."""
    site, second = dated
    images = [
        picture(site, f"/scenes/{second}/compare/1/{name}.png") for name in ("before", "after")
    ]
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0][..., 3] > 0).any()


def test_turned_round_what_was_dug_was_added(dated: tuple[Site, int]) -> None:
    site, second = dated
    image = picture(site, f"/scenes/1/compare/{second}/difference.png")
    shown = image[image[..., 3] > 0]
    assert len(shown)
    assert (shown[:, 0] > shown[:, 2]).all()


@pytest.mark.parametrize("other", ["99", "x"])
def test_another_scene_that_is_not_there_is_not_found(dated: tuple[Site, int], other: str) -> None:
    site, second = dated
    client = site.client("investigator")
    assert client.get(f"/scenes/{second}/compare?with={other}").status_code == 404


def test_a_scene_without_a_surface_says_so(dated: tuple[Site, int]) -> None:
    site, second = dated
    answer = site.client("investigator").get(f"/scenes/{second}/compare?with={second + 1}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.get_data(as_text=True)


def test_another_zones_scene_cannot_be_compared_with(dated: tuple[Site, int]) -> None:
    site, second = dated
    client = site.client("neighbour")
    assert client.get(f"/scenes/{second}/compare?with=1").status_code == 404
    assert client.get(f"/scenes/{second}/compare/1/before.png").status_code == 404


def test_without_a_choice_the_page_offers_what_there_is(dated: tuple[Site, int]) -> None:
    site, second = dated
    page = site.client("investigator").get(f"/scenes/{second}/compare").get_data(as_text=True)
    assert "Crossing, rue de la Loi" in page
    assert "In numbers" not in page


def test_with_one_scene_alone_the_page_says_that_a_comparison_needs_two(site: Site) -> None:
    number = worlds.built_scene(site)
    text = site.client("investigator").get(f"/scenes/{number}/compare").get_data(as_text=True)
    assert "There is no other scene that was built" in text
    assert ">Compare</button>" not in text
