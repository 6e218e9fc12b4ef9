"""Where a person may be survives the files of other programs, and is read from theirs."""

from __future__ import annotations

import io
import json
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely

from droneteam.errors import DecodeError
from droneteam.missions.formats.chancefile import chance_map_of
from droneteam.missions.formats.geojson import plan_to_geojson
from droneteam.missions.formats.kml import NAMESPACE, plan_to_kml
from droneteam.missions.formats.places import read_places
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.chances import (
    ChanceGrid,
    ChanceMap,
    DistanceRings,
    WeightedArea,
    density_per_m2,
)
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.planner.task_params import SearchParams
from droneteam.missions.planner.tasks import plan_task

HERE = (50.82, 4.40)
HOME = HomePoint(*HERE, 60.0)


def box(south: float, west: float, size: float) -> tuple[tuple[float, float], ...]:
    """A square of degrees, its corners not round in binary."""
    low, left = HERE[0] + south, HERE[1] + west
    return ((low, left), (low, left + size), (low + size, left + size), (low + size, left))


AREAS = ChanceMap(
    "leader's map",
    (
        WeightedArea(
            "pond <&> reeds", 0.1 + 0.2, box(0.0, 0.0, 0.003), (box(0.001, 0.001, 0.001),)
        ),
        WeightedArea("wood", 0.05, box(-0.002, -0.002, 0.0017)),
    ),
)
RINGS = ChanceMap(
    "rings", rings=DistanceRings(HERE, (100.0, 333.3, 600.0, 2000.0), category="typed")
)
GRID = ChanceMap(
    "grid", grid=ChanceGrid(50.818, 4.398, 0.0011, 0.0013, 3, (0.1, 0.0, 0.2, 0.05, 0.3, 0.07))
)
MAPS = [AREAS, RINGS, GRID]


def planned(chances: ChanceMap) -> MissionPlan:
    params = SearchParams(pattern="parallel_track", gsd_m=0.05, chances=chances)
    return plan_task(box(-0.002, -0.002, 0.005), SIMULATED, params, HOME)


def as_geojson(plan: MissionPlan) -> tuple[str, bytes]:
    return "map.geojson", json.dumps(plan_to_geojson(plan)).encode()


def as_kml(plan: MissionPlan) -> tuple[str, bytes]:
    return "map.kml", plan_to_kml(plan, "mission 1")


def as_kmz(plan: MissionPlan) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("files/other.kml", "<kml/>")
        archive.writestr("doc.kml", plan_to_kml(plan, "mission 1"))
    return "map.kmz", buffer.getvalue()


@pytest.mark.parametrize("write", [as_geojson, as_kml, as_kmz])
@pytest.mark.parametrize("chances", MAPS, ids=lambda one: one.source)
def test_a_searchs_map_comes_back_from_its_missions_file_as_it_was(chances, write) -> None:  # type: ignore[no-untyped-def]
    plan = planned(chances)
    assert chance_map_of(*write(plan)) == chances
    found = read_places(*write(plan))
    assert found.chances == chances
    assert found.shape == "area"
    np.testing.assert_allclose(found.places, plan.area, atol=1e-8)
    path = read_places(*write(plan), path_first=True)
    assert (path.shape, path.chances) == ("path", chances)


@pytest.mark.parametrize("write", [as_geojson, as_kml])
def test_a_mission_without_a_map_brings_none(write) -> None:  # type: ignore[no-untyped-def]
    params = SearchParams(pattern="parallel_track", gsd_m=0.05)
    plan = plan_task(box(-0.002, -0.002, 0.005), SIMULATED, params, HOME)
    assert read_places(*write(plan)).chances is None
    with pytest.raises(DecodeError):
        chance_map_of(*write(plan))


def test_another_program_sees_the_same_areas_with_their_holes_and_chances() -> None:
    """shapely reads the GeoJSON; the density of our own map says what each place should hold."""
    drawn = [
        (shapely.from_geojson(json.dumps(one["geometry"])), one["properties"]["chance"])
        for one in plan_to_geojson(planned(AREAS))["features"]
        if one["properties"]["role"] == "chance"
    ]
    rng = np.random.default_rng(3)
    places = rng.uniform((-0.003, -0.003), (0.004, 0.004), (400, 2)) + HERE
    theirs = [
        any(shape.contains(shapely.Point(lon, lat)) for shape, _ in drawn) for lat, lon in places
    ]
    assert theirs == (density_per_m2(AREAS, places) > 0.0).tolist()
    assert 50 < sum(theirs) < 350
    assert [chance for _, chance in drawn] == [area.chance for area in AREAS.areas]


def kml(*marks: str) -> bytes:
    body = "".join(f"<Placemark>{mark}</Placemark>" for mark in marks)
    return f'<kml xmlns="{NAMESPACE}"><Document><Folder>{body}</Folder></Document></kml>'.encode()


RING = "4.40,50.82,0 4.41,50.82,0 4.41,50.83,0 4.40,50.82,0"
POLYGON = (
    f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{RING}</coordinates></LinearRing>"
    "</outerBoundaryIs></Polygon>"
)


def data(name: str, value: str) -> str:
    return f'<ExtendedData><Data name="{name}"><value>{value}</value></Data></ExtendedData>'


def test_the_weights_of_a_search_programs_kml_are_read_plain_or_of_a_schema() -> None:
    schema = '<ExtendedData><SchemaData><SimpleData name="poa">30</SimpleData></SchemaData>'
    found = chance_map_of(
        "x.kml",
        kml(
            f"<name>west</name>{data('weight', '10')}{POLYGON}",
            f"<name>east</name>{schema}</ExtendedData>{POLYGON}",
            f"<name>camp, without a weight</name>{POLYGON}",
        ),
    )
    assert [(area.name, area.chance) for area in found.areas] == [("west", 0.25), ("east", 0.75)]
    assert found.areas[0].outline == ((50.82, 4.40), (50.82, 4.41), (50.83, 4.41))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (kml(POLYGON), "no placemark of this KML says a weight"),
        (kml(data("weight", "NaN") + POLYGON), "weight nan"),
        (kml(data("weight", "much") + POLYGON), "could not convert"),
        (kml(data("weight", "-1") + POLYGON), "-1"),
        (kml(data("weight", "1") + POLYGON.replace("4.41", "x")), "coordinates"),
        (kml(data("weight", "1") + POLYGON.replace(RING, "")), "coordinates"),
        (
            kml(data("within_m", "[1, 2") + "<Point><coordinates>4,50</coordinates></Point>"),
            "not a",
        ),
        (b"<!DOCTYPE x><kml/>", "document type"),
        (b"nonsense", "not XML"),
    ],
)
def test_a_kml_that_is_no_map_is_refused_by_what_is_wrong(content: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        chance_map_of("x.kml", content)


def test_the_kml_is_read_by_others_as_placemarks_in_the_documents_namespace() -> None:
    root = ElementTree.fromstring(plan_to_kml(planned(RINGS), "mission 1"))
    space = f"{{{NAMESPACE}}}"
    marks = [one for one in root.iter(f"{space}Placemark") if one.find(f"{space}ExtendedData")]
    (mark,) = marks
    assert mark.findtext(f"{space}Point/{space}coordinates") == "4.4,50.82"
