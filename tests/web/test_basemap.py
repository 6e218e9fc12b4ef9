"""An operator's basemap: named by a setting, fetched from nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from droneteam.errors import SetupError
from droneteam.settings import Basemap, Settings
from droneteam.web.app import create_app
from tests.web.conftest import Site


def from_env(value: str, tmp_path: Path, attribution: str = "© the region") -> Basemap | None:
    env = {
        "DRONETEAM_DATA": str(tmp_path),
        "DRONETEAM_SECRET": "secret",
        "DRONETEAM_BASEMAP": value,
        "DRONETEAM_BASEMAP_ATTRIBUTION": attribution,
    }
    return Settings.from_env(env).basemap


def test_tiles_wms_and_archives_are_told_apart(tmp_path: Path) -> None:
    archive = tmp_path / "brussels.pmtiles"
    archive.write_bytes(b"PMTiles")
    xyz = from_env("https://tiles.example/{z}/{x}/{y}.png", tmp_path)
    wms = from_env("wms:https://wms.example/ows?LAYERS=map", tmp_path)
    own = from_env(str(archive), tmp_path)
    assert [one and (one.kind, one.origin) for one in (xyz, wms, own)] == [
        ("xyz", "https://tiles.example"),
        ("wms", "https://wms.example"),
        ("pmtiles", None),
    ]
    assert from_env("", tmp_path) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("https://tiles.example/{z}/{x}.png", "lacks"),
        ("wms:https://wms.example/ows", "LAYERS"),
        ("http://tiles.example/{z}/{x}/{y}.png", "no https"),
        ("missing.pmtiles", "no such file"),
    ],
)
def test_what_cannot_be_a_basemap_is_named(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(SetupError, match=said):
        from_env(value, tmp_path)
    with pytest.raises(SetupError, match="ATTRIBUTION"):
        from_env("https://tiles.example/{z}/{x}/{y}.png", tmp_path, attribution="")


def with_basemap(site: Site, basemap: Basemap) -> Site:
    settings = replace(site.settings, basemap=basemap)
    app = create_app(settings, site.engine, clock=site.clock)
    return Site(app, site.engine, settings, site.clock)


def test_pages_may_fetch_pictures_from_that_server_and_no_other(site: Site) -> None:
    plain = site.client("pilot").get("/live/")
    assert "basemap-data" not in plain.get_data(as_text=True)
    assert "https:" not in plain.headers["Content-Security-Policy"]
    xyz = Basemap("xyz", "https://tiles.example/{z}/{x}/{y}.png", "© the region")
    page = with_basemap(site, xyz).client("pilot").get("/live/")
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert "img-src 'self' https://tiles.example data: blob:" in policy
    assert sum("tiles.example" in part for part in policy) == 1
    assert '"kind": "xyz"' in page.get_data(as_text=True)


def test_an_archive_is_given_in_ranges_to_who_is_signed_in(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "brussels.pmtiles"
    path.write_bytes(bytes(range(256)))
    given = with_basemap(site, Basemap("pmtiles", str(path), "© the region"))
    asked = {"Range": "bytes=8-15"}
    with given.client("pilot").get("/basemap.pmtiles", headers=asked) as part:
        assert part.status_code == 206
        assert part.get_data() == bytes(range(8, 16))
    assert given.client().get("/basemap.pmtiles").status_code == 401
    assert site.client("pilot").get("/basemap.pmtiles").status_code == 404
