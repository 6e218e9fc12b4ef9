"""Links to the built front end, the build itself, and the basemap."""

from __future__ import annotations

import json
import re
from pathlib import Path

import droneteam.web
from droneteam.web.assets import Island, island
from tests.web.conftest import Site

ROOT = Path(__file__).parents[2]
STATIC = Path(droneteam.web.__file__).parent / "static"


def write_manifest(folder: Path, chunks: dict[str, object]) -> None:
    (folder / ".vite").mkdir(exist_ok=True)
    (folder / ".vite" / "manifest.json").write_text(json.dumps(chunks))


def test_an_island_links_its_script_and_the_scripts_and_styles_of_all_that_it_imports(
    tmp_path: Path,
) -> None:
    write_manifest(
        tmp_path,
        {
            "src/live.ts": {
                "file": "assets/live-1.js",
                "name": "live",
                "isEntry": True,
                "imports": ["_map.js"],
                "css": ["assets/live-1.css"],
            },
            "_map.js": {
                "file": "assets/map-1.js",
                "name": "map",
                "imports": ["_page.js"],
                "css": ["assets/map-1.css"],
            },
            "_page.js": {"file": "assets/page-1.js", "name": "page", "imports": ["_map.js"]},
        },
    )
    assert island("live", tmp_path) == Island(
        "/static/dist/assets/live-1.js",
        ("/static/dist/assets/map-1.css", "/static/dist/assets/live-1.css"),
        ("/static/dist/assets/map-1.js", "/static/dist/assets/page-1.js"),
    )
    assert island("map", tmp_path) is None


def test_without_a_build_there_is_no_island_and_the_page_still_works(
    tmp_path: Path, site: Site
) -> None:
    assert island("live", tmp_path) is None
    site.app.jinja_env.globals["island"] = lambda name: None
    assert site.client("requester").get("/requests/new").status_code == 200


def test_every_island_that_a_template_names_has_its_source() -> None:
    config = (ROOT / "frontend" / "vite.config.ts").read_text()
    for path in (STATIC.parent / "templates").glob("*.html"):
        for name in re.findall(r'\["(\w+)"\]', path.read_text().split("{% extends")[0]):
            assert f"{name}: " in config, (path.name, name)
            assert (ROOT / "frontend" / "src" / f"{name}.ts").exists()


def test_the_lock_file_holds_versions_and_hashes_and_no_download_addresses() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert "resolved" not in entry, name
        assert "integrity" in entry, name


def test_the_basemap_is_ours_small_and_says_what_it_is() -> None:
    path = STATIC / "basemap.geojson"
    document = json.loads(path.read_text())
    assert path.stat().st_size < 50_000
    assert "Drawn by hand" in document["source"]
    names = [feature["properties"].get("name", "") for feature in document["features"]]
    for zone in ("5339", "5340", "5341", "5342", "5343", "5344"):
        assert any(name.startswith(zone) for name in names)
    for feature in document["features"]:
        numbers = re.findall(r"-?\d+\.\d+", json.dumps(feature["geometry"]["coordinates"]))
        lons, lats = map(float, numbers[0::2]), map(float, numbers[1::2])
        assert all(4.2 < lon < 4.6 for lon in lons)
        assert all(50.7 < lat < 50.95 for lat in lats)
