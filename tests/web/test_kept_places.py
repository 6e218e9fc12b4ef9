"""Kept measurements are drawn where they were taken, on the orthophoto and in the cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droneteam import db
from droneteam.errors import DecodeError
from droneteam.photogrammetry import service
from droneteam.photogrammetry.views import SceneView
from droneteam.web import kept_places, points
from droneteam.web.scene_files import product_path
from tests.web import scene_world
from tests.web.conftest import Site, csrf_token
from tests.web.scene_world import RISE

TAPPED = [[310.0, 420.0], [905.5, 233.25]]


def keep(site: Site, kind: str, places: list[list[float]], name: str) -> dict[str, Any]:
    client = site.client("investigator")
    answer = client.post(
        "/api/v1/scenes/1/surface/measurements",
        json={"kind": kind, "on": "orthophoto", "places": places, "name": name},
        headers={"X-CSRFToken": csrf_token(client)},
    )
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def scene_of(site: Site) -> SceneView:
    with db.read_scope(site.engine) as session:
        return service.get_scene(session, site.actor("investigator"), 1, site.settings)


@pytest.fixture
def scene(site: Site) -> SceneView:
    scene_world.marked_scene(site)
    keep(site, "distance", TAPPED, "skid")
    keep(site, "area", [*TAPPED, [700.0, 700.0]], "debris")
    return scene_of(site)


def test_on_the_orthophoto_they_lie_where_they_were_tapped(scene: SceneView) -> None:
    skid, debris = kept_places.on_raster(scene, product_path(scene, "orthophoto"))
    # A centimetre is a pixel; the way there and back goes through latitude and longitude.
    assert np.allclose(skid["corners"], TAPPED, atol=0.05)
    assert np.allclose(debris["corners"], [*TAPPED, [700.0, 700.0]], atol=0.05)
    assert (skid["closed"], debris["closed"]) == (False, True)
    assert (skid["name"], debris["name"]) == ("skid", "debris")
    assert skid["text"].endswith(" m")
    assert debris["text"].endswith(" m²")


def test_in_the_cloud_they_lie_on_its_ground(scene: SceneView) -> None:
    path = product_path(scene, "cloud")
    skid = kept_places.in_cloud(scene, path)[0]
    east, _, up = (np.array(skid["corners"]) + points.middle(path)).T
    assert np.allclose(up, RISE * east, atol=0.01)
    length = np.linalg.norm(np.diff(skid["corners"], axis=0))
    assert float(skid["text"].split()[0]) == pytest.approx(length, abs=0.002)


def test_what_rests_on_earlier_cameras_is_not_drawn_on_the_new_picture(site: Site) -> None:
    world = scene_world.marked_scene(site)
    keep(site, "distance", TAPPED, "old")
    scene_world.rebuild(site, 1, world.truth, shift_m=0.01)
    keep(site, "distance", TAPPED, "new")
    scene = scene_of(site)
    drawn = kept_places.on_raster(scene, product_path(scene, "orthophoto"))
    assert [row["name"] for row in drawn] == ["new"]
    assert len(scene.measurements) == 2


def test_pixels_of_a_turned_raster_are_found_again() -> None:
    turned = kept_places.RasterGrid(None, (0.3, 0.1, 500.0, 0.1, -0.3, 900.0))
    pixels = np.array([[0.0, 0.0], [12.5, 3.25], [400.0, 7.0]])
    a, b, c, d, e, f = turned.affine
    xy = np.column_stack(
        [a * pixels[:, 0] + b * pixels[:, 1] + c, d * pixels[:, 0] + e * pixels[:, 1] + f]
    )
    assert np.allclose(turned.pixels_of(xy), pixels)
    assert turned.name == ""


def test_a_reference_system_is_named_by_its_code(scene: SceneView) -> None:
    assert kept_places.grid_of(product_path(scene, "orthophoto")).name == "EPSG:32631"


def test_what_is_no_raster_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "ortho.tif").write_bytes(b"no tiff")
    with pytest.raises(DecodeError, match=r"ortho\.tif"):
        kept_places.grid_of(tmp_path / "ortho.tif")
