"""The legend's shares are those of the cells, and its colours those of the tiles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling

from droneteam.errors import DecodeError
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED, NO_DATA
from droneteam.web import overlay_legend, overlays
from tests.web import worlds
from tests.web.conftest import Site
from tests.web.test_overlays import write_codes
from tests.web.test_viewing import add_product


def test_filled_cells_are_a_share_of_the_known_ones(tmp_path: Path) -> None:
    codes = np.full((100, 40), MEASURED, np.uint8)
    codes[:20], codes[90:] = FILLED, NO_DATA
    path = write_codes(tmp_path / "mask.tif", codes)
    (row,) = overlay_legend.legend({"dsm_mask": path})
    assert (row.layer, row.colour) == ("filled", overlays.AMBER)
    assert row.share == pytest.approx(20 / 90)


def test_every_number_of_photos_is_in_one_class_and_shares_add_up(tmp_path: Path) -> None:
    codes = np.random.default_rng(4).integers(0, 20, (700, 90)).astype(np.uint8)
    path = write_codes(tmp_path / "coverage.tif", codes)
    rows = overlay_legend.legend({"coverage": path})
    for row in rows:
        most = 255 if row.most is None else row.most
        wanted = ((codes >= row.least) & (codes <= most)).mean()
        assert row.share == pytest.approx(wanted)
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    painted = overlays._coverage(np.arange(0, 300)[None])
    assert (painted[..., 3] > 0).all()
    assert len(np.unique(painted[0, :, :3], axis=0)) == len(rows)


def test_cells_that_nobody_asked_for_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "coverage.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=10, height=10, count=2, dtype="uint8",
        transform=Affine(0.5, 0.0, 7.0, 0.0, -0.5, 9.0),
    ) as raster:  # fmt: skip
        raster.write(np.full((10, 10), 6, np.uint8) * (np.arange(10) < 5), 1)
        raster.write((np.arange(100).reshape(10, 10) % 10 < 5).astype(np.uint8), 2)
    shares = {row.least: row.share for row in overlay_legend.legend({"coverage": path})}
    assert shares[5] == 1.0
    assert shares[0] == 0.0


def test_overviews_that_know_no_missing_cells_change_no_share(tmp_path: Path) -> None:
    """As GDAL makes them of negative codes by their mode: what has no photo got the first one."""
    codes = np.full((1300, 900), -1, np.int16)
    codes[:, 300:600] = 1
    path = write_codes(tmp_path / "sources.tif", codes)
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(PHOTOS=json.dumps(["a.jpg", "b.jpg"]))
        raster.build_overviews([2, 4], Resampling.mode)
    assert codes.shape[0] > 2 * overlay_legend.BLOCK_ROWS
    (row,) = overlay_legend.legend({"orthophoto_sources": path})
    assert (row.photo, row.share) == ("b.jpg", 1.0)


def test_photos_are_named_with_their_colour_and_the_largest_share_first(tmp_path: Path) -> None:
    codes = np.full((50, 20), -1, np.int16)
    codes[:10], codes[10:40] = 0, 2
    path = write_codes(tmp_path / "sources.tif", codes)
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(PHOTOS=json.dumps(["a.jpg", "b.jpg", "c.jpg"]))
    rows = overlay_legend.legend({"orthophoto_sources": path})
    assert [(row.photo, row.share) for row in rows] == [("c.jpg", 0.75), ("a.jpg", 0.25)]
    for row, code in zip(rows, (2, 0), strict=True):
        assert tuple(overlays._sources(np.array([[code]]))[0, 0, :3]) == row.colour


def test_what_is_no_raster_is_refused_and_what_is_missing_left_out(tmp_path: Path) -> None:
    (tmp_path / "mask.tif").write_bytes(b"no tiff")
    with pytest.raises(DecodeError, match=r"mask\.tif"):
        overlay_legend.legend({"dsm_mask": tmp_path / "mask.tif"})
    assert overlay_legend.legend({"dsm_mask": tmp_path / "gone.tif"}) == []


def test_the_page_has_the_table_where_there_is_a_layer(site: Site) -> None:
    worlds.built_scene(site)
    title = "What the layers show"
    assert title not in site.client("requester").get("/scenes/1").text
    folder = site.settings.data_dir / "scenes/scene-000001/products"
    write_codes(folder / "coverage.tif", np.full((180, 280), 3, np.uint8))
    add_product(site, "coverage", "coverage.tif")
    text = site.client("requester").get("/scenes/1").text
    assert title in text
    assert "3 to 4 photos" in text
    assert "rgb(245, 220, 60)" in text
    assert 'data-overlay="coverage"' in text
