"""Every export names what its heights are above; a datum whose grid is missing is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import laspy
import numpy as np
import pyproj
import pytest

from droneteam.errors import DroneteamError
from droneteam.photogrammetry.control import coordinate_system
from droneteam.photogrammetry.export import geojson, las, ply
from droneteam.photogrammetry.export.placement import Placement, transformer
from droneteam.photogrammetry.measuring.measure import frame_statement
from droneteam.photogrammetry.scene import DenseCloud, Frame
from tests.photogrammetry.networks import ORIGIN
from tests.photogrammetry.test_consensus import ring

DATUMS = ("WGS84 ellipsoid", "receiver altitude (datum not stated)", "EPSG:5710")


def cloud() -> DenseCloud:
    points = np.random.default_rng(0).uniform(-5.0, 5.0, (200, 3))
    return DenseCloud(
        points,
        np.zeros((200, 3), np.float32),
        np.zeros((200, 3), np.uint8),
        np.full(200, 0.01, np.float32),
        np.full(200, 3, np.uint8),
    )


@pytest.mark.parametrize("datum", DATUMS)
def test_clouds_say_what_z_is_above(datum: str, tmp_path: Path) -> None:
    place = Placement(Frame("enu", ORIGIN, datum, metric=True), 3812)
    las.write_laz(cloud(), place, tmp_path / "c.laz")
    with laspy.open(tmp_path / "c.laz") as reader:
        (own,) = [v for v in reader.header.vlrs if v.user_id == las.OWN_USER_ID]
        assert f"vertical datum: {datum}" in own.record_data_bytes().decode()
    las.write_copc(cloud(), place, tmp_path / "c.copc.laz")
    with laspy.open(tmp_path / "c.copc.laz") as reader:
        stated = f"droneteam z:{datum}"[: las.SOFTWARE_BYTES]
        assert reader.header.generating_software.rstrip("\0") == stated
    ply.write_cloud(cloud(), tmp_path / "c.ply", (frame_statement(place.frame),))
    head = (tmp_path / "c.ply").read_bytes().split(b"end_header")[0].decode("ascii")
    assert f"heights above {datum}" in head
    assert "50.8000000 deg, 4.4000000 deg, 100.00 m" in head


@pytest.mark.parametrize("datum", DATUMS)
def test_geojson_names_its_datum(datum: str, tmp_path: Path) -> None:
    net = ring(3)
    net = replace(net, frame=replace(net.frame, vertical_datum=datum))
    geojson.write_geojson(net, (), tmp_path / "n.geojson")
    assert json.loads((tmp_path / "n.geojson").read_text())["heights_above"] == datum


def test_geojson_names_its_reference_system_for_programs_that_ask(tmp_path: Path) -> None:
    geojson.write_geojson(ring(3), (), tmp_path / "n.geojson")
    said = json.loads((tmp_path / "n.geojson").read_text())["crs"]["properties"]["name"]
    crs = pyproj.CRS.from_user_input(said)
    assert crs.equals(pyproj.CRS("OGC:CRS84"))
    assert crs.axis_info[0].direction == "east", "longitude first"


def test_a_missing_geoid_grid_is_named() -> None:
    """Belgian heights need a grid that the test machine may lack; if so, its name is said."""
    try:
        system = coordinate_system("EPSG:3812+5710")
    except DroneteamError as error:
        assert "grid" in str(error).lower()  # noqa: PT017
        assert ".tif" in str(error)  # noqa: PT017
        return
    assert "5710" in system.vertical_datum or "Ostend" in system.vertical_datum


def test_a_frame_says_which_axes_metres_and_datum() -> None:
    said = frame_statement(Frame("enu", ORIGIN, "EPSG:5710", metric=True))
    assert "50.8000000°, 4.4000000°, 100.00 m" in said
    assert "on the ground" in said
    assert said.endswith("heights above EPSG:5710")
    local = frame_statement(Frame("local", None, "none", metric=False))
    assert "without scale" in local
    assert transformer(3812) is not None
