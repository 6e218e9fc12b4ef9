"""An operator's archive of tiles lies under the maps, fetched from this server only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from droneteam.settings import Basemap
from droneteam.web.app import create_app
from tests.browser.conftest import OpenPage, Server, serve
from tests.pmtiles import archive
from tests.web.conftest import Site, open_site

RED = (200, 40, 40)


@pytest.fixture
def mapped(seeded: Path, tmp_path: Path) -> Iterator[Server]:
    """A server whose basemap is one red tile for the whole world."""
    png = io.BytesIO()
    Image.new("RGB", (256, 256), RED).save(png, "PNG")
    path = tmp_path / "red.pmtiles"
    path.write_bytes(archive({0: png.getvalue()}, 0, 0))
    site = open_site(seeded, tmp_path)
    settings = replace(site.settings, basemap=Basemap("pmtiles", str(path), "© red"))
    app = create_app(settings, site.engine, clock=site.clock)
    yield from serve(Site(app, site.engine, settings, site.clock))
    site.engine.dispose()


def middle(picture: bytes) -> tuple[int, ...]:
    """The commonest colour around the middle of a picture."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    x, y = image.width // 2, image.height // 2
    counts = image.crop((x - 60, y - 60, x + 60, y + 60)).getcolors(120 * 120) or []
    return tuple(max(counts)[1])  # type: ignore[arg-type]


def test_the_archive_is_drawn_under_the_map(mapped: Server, open_page: OpenPage) -> None:
    opened = open_page(mapped, "/requests/new", "requester")
    page = opened.page
    place = page.locator("#map")
    place.scroll_into_view_if_needed()
    for _ in range(120):
        if middle(place.screenshot()) == RED:
            break
        page.wait_for_timeout(500)
    assert middle(place.screenshot()) == RED
    assert "© red" in place.inner_text()
    opened.check()
