"""What lies over the orthophoto lies exactly over it, and says what its raster says."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from droneteam.errors import DecodeError, NotFound
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED
from droneteam.web import overlays, tiles
from tests.web import worlds
from tests.web.conftest import Site
from tests.web.test_viewing import add_product

CELL_M = 0.05
WEST, NORTH = -7.0, 4.5


@pytest.fixture(scope="module")
def ortho(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ortho") / "orthophoto.tif"
    worlds.write_ortho(path)
    return path


def write_codes(path: Path, codes: np.ndarray, shift_m: float = 0.0, epsg: int = 32631) -> Path:
    """Codes in cells of 5 cm whose corner lies so far east of the orthophoto's."""
    grid = Affine(CELL_M, 0.0, WEST + shift_m, 0.0, -CELL_M, NORTH)
    with rasterio.open(
        path, "w", driver="GTiff", width=codes.shape[1], height=codes.shape[0], count=1,
        dtype=codes.dtype, transform=grid, crs=f"EPSG:{epsg}",
    ) as raster:  # fmt: skip
        raster.write(codes, 1)
    return path


@pytest.mark.parametrize("shift_m", [0.0, 1.0, -2.35])
def test_every_pixel_shows_the_cell_that_lies_under_it(
    ortho: Path, tmp_path: Path, shift_m: float
) -> None:
    codes = np.random.default_rng(3).integers(0, 40, (180, 280)).astype(np.int16)
    path = write_codes(tmp_path / "codes.tif", codes, shift_m)
    levels = tiles.raster_info(ortho).levels
    for at in [(levels - 1, 1, 0), (levels - 1, 0, 1), (0, 0, 0)]:
        level, column, row = at
        pixel_m = worlds.M_PER_PX * 2 ** (levels - 1 - level)
        found = overlays.codes_at(path, ortho, at)
        for i, j in np.random.default_rng(1).integers(0, tiles.TILE_PX, (300, 2)):
            east_m = (column * tiles.TILE_PX + j + 0.5) * pixel_m - shift_m
            south_m = (row * tiles.TILE_PX + i + 0.5) * pixel_m
            if np.abs(np.array([east_m, south_m]) / CELL_M % 1.0 - 0.5).max() > 0.499:
                continue  # on the line between two cells either is right
            x, y = int(np.floor(east_m / CELL_M)), int(np.floor(south_m / CELL_M))
            inside = 0 <= x < 280 and 0 <= y < 180
            assert found[i, j] == (codes[y, x] if inside else overlays.OUTSIDE)


def picture(name: str, path: Path, ortho: Path) -> np.ndarray:  # type: ignore[type-arg]
    content = overlays.overlay_png(name, path, ortho, (0, 0, 0))
    return np.asarray(Image.open(io.BytesIO(content)))


def test_filled_cells_alone_are_coloured(ortho: Path, tmp_path: Path) -> None:
    codes = np.full((180, 280), MEASURED, np.uint8)
    codes[:90] = FILLED
    alpha = picture("filled", write_codes(tmp_path / "mask.tif", codes), ortho)[..., 3]
    half = round(4.5 / worlds.M_PER_PX / 4)  # three levels: a pixel of the tile is four
    assert (alpha[: half - 1, : 1400 // 4] > 0).all()
    assert (alpha[half + 1 :] == 0).all()


def test_each_photo_has_a_colour_of_its_own_and_no_photo_has_none(
    ortho: Path, tmp_path: Path
) -> None:
    codes = np.repeat(np.arange(-1, 13), 20).astype(np.int16)[None].repeat(180, axis=0)
    image = picture("sources", write_codes(tmp_path / "s.tif", codes), ortho)
    colours = [tuple(image[100, round((n * 20 + 10) * 5 / 4)]) for n in range(14)]
    assert colours[0][3] == 0
    assert len(set(colours[1:])) == 13
    for one, other in pairwise(colours[1:]):
        assert np.abs(np.subtract(one, other, dtype=int)).max() > 40


def test_what_does_not_fit_is_refused(ortho: Path, tmp_path: Path) -> None:
    codes = np.zeros((10, 10), np.uint8)
    other = write_codes(tmp_path / "other.tif", codes, epsg=3812)
    with pytest.raises(DecodeError, match="3812"):
        overlays.codes_at(other, ortho, (0, 0, 0))
    with pytest.raises(NotFound):
        overlays.overlay_png("heat", other, ortho, (0, 0, 0))
    for at in [(9, 0, 0), (0, 1, 0), (0, 0, -1)]:
        with pytest.raises(NotFound):
            overlays.codes_at(other, ortho, at)


def test_overlays_are_for_those_who_see_the_scene_and_listed_where_there_are_any(
    site: Site,
) -> None:
    worlds.built_scene(site)
    url = "/scenes/1/overlay-filled/0/0/0.png"
    assert site.client("requester").get(url).status_code == 404
    assert "data-overlay" not in site.client("requester").get("/scenes/1").text
    folder = site.settings.data_dir / "scenes/scene-000001/products"
    write_codes(folder / "dsm_mask.tif", np.full((180, 280), FILLED, np.uint8))
    add_product(site, "dsm_mask", "dsm_mask.tif")
    with site.client("requester").get(url) as answer:
        assert answer.mimetype == "image/png"
    assert site.client("neighbour").get(url).status_code == 404
    assert site.client("requester").get(url.replace("filled", "other")).status_code == 404
    assert 'data-overlay="filled"' in site.client("requester").get("/scenes/1").text
