"""Mission files come back as they were written, and bad ones are refused by name."""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink import mavwp

from droneteam.errors import DecodeError
from droneteam.missions.airspace.fence import fence_of
from droneteam.missions.airspace.volumes import RiskParams
from droneteam.missions.formats import geojson, kml
from droneteam.missions.formats.missionfile import FenceCircle, MissionFile
from droneteam.missions.formats.qgc import read_plan, write_plan
from droneteam.missions.formats.waypoints import read_waypoints, write_waypoints
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem, quantised
from droneteam.missions.planjson import plan_from_json, plan_to_json
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from tests.missions.conftest import PLACE, SCENE

PLAN = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
FENCE = fence_of(PLAN.items, PLACE, RiskParams()).corners
MISSION = MissionFile(PLACE, PLAN.items, FENCE, ((50.8197, 4.3908, 30.0),))

places = st.tuples(st.floats(-89.0, 89.0), st.floats(-179.0, 179.0), st.floats(-100.0, 400.0))
waypoints = st.builds(
    lambda place, hold: quantised(
        MissionItem(
            MissionCommand.WAYPOINT,
            (hold, 0.0, 0.0, 0.0),
            lat_deg=place[0],
            lon_deg=place[1],
            alt_home_m=place[2],
        )
    ),
    places,
    st.integers(0, 60).map(float),
)
switches = st.floats(0.0, 50.0).map(
    lambda d: quantised(MissionItem(MissionCommand.DO_SET_CAM_TRIGG_DIST, (d, 0.0, 1.0, 0.0)))
)
missions = st.builds(
    MissionFile,
    home=st.builds(lambda p: HomePoint(round(p[0], 7), round(p[1], 7), round(p[2], 2)), places),
    items=st.lists(waypoints | switches, max_size=20).map(tuple),
)


@settings(max_examples=50)
@given(mission=missions)
def test_a_plan_file_comes_back_as_it_was_written(mission: MissionFile) -> None:
    assert read_plan(write_plan(mission)) == mission


@settings(max_examples=50)
@given(mission=missions)
def test_a_waypoint_file_comes_back_as_it_was_written(mission: MissionFile) -> None:
    assert read_waypoints(write_waypoints(mission)) == mission


def test_a_whole_survey_with_fence_and_rally_survives_a_plan_file() -> None:
    assert read_plan(write_plan(MISSION)) == MISSION


def test_what_must_not_be_flown_over_survives_a_plan_file_too() -> None:
    """Areas and circles to stay out of, which a reader that knows only one fence would lose."""
    pond = ((50.8196, 4.3905), (50.8197, 4.3905), (50.8197, 4.3907))
    circles = (
        FenceCircle(50.8198, 4.3909, 12.5, inclusion=False),
        FenceCircle(50.8197, 4.3908, 300.0, inclusion=True),
    )
    mission = replace(MISSION, exclusions=(pond, pond[::-1]), circles=circles)
    assert read_plan(write_plan(mission)) == mission
    assert read_plan(write_plan(replace(mission, fence=()))).fence == ()
    fence = json.loads(write_plan(mission))["geoFence"]
    assert [one["inclusion"] for one in fence["polygons"]] == [True, False, False]
    assert fence["circles"][0]["circle"] == {"center": [50.8198, 4.3909], "radius": 12.5}


def test_pymavlink_reads_our_waypoint_file_as_we_wrote_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mission.waypoints"
    path.write_text(write_waypoints(MISSION))
    loader = mavwp.MAVWPLoader()
    assert loader.load(str(path)) == len(MISSION.items) + 1
    for index, item in enumerate(MISSION.items, start=1):
        row = loader.wp(index)
        assert row.command == item.command
        if item.command is MissionCommand.WAYPOINT:
            assert row.x == pytest.approx(item.lat_deg, abs=1e-7)
            assert row.z == pytest.approx(item.alt_home_m, abs=0.01)


def test_we_read_what_pymavlink_writes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    ours, theirs = tmp_path / "a.txt", tmp_path / "b.txt"
    ours.write_text(write_waypoints(MISSION))
    loader = mavwp.MAVWPLoader()
    loader.load(str(ours))
    loader.save(str(theirs))
    found = read_waypoints(theirs.read_text())
    assert [item.command for item in found.items] == [item.command for item in MISSION.items]


def test_altitudes_above_sea_level_become_altitudes_above_home() -> None:
    document = json.loads(write_plan(MISSION))
    for entry in document["mission"]["items"]:
        if entry["frame"] == 3:
            entry["frame"] = 0
            entry["params"][6] += PLACE.alt_amsl_m
    found = read_plan(json.dumps(document))
    for a, b in zip(found.items, MISSION.items, strict=True):
        assert a.alt_home_m == (None if b.alt_home_m is None else pytest.approx(b.alt_home_m))


def test_a_survey_made_in_the_ground_station_is_read_by_its_items() -> None:
    document = json.loads(write_plan(MISSION))
    items = document["mission"]["items"]
    survey = {"type": "ComplexItem", "complexItemType": "survey",
              "TransectStyleComplexItem": {"Items": items[1:-1]}}  # fmt: skip
    document["mission"]["items"] = [items[0], survey, items[-1]]
    assert read_plan(json.dumps(document)).items == MISSION.items


def circle(radius_m: float) -> dict[str, object]:
    return {"circle": {"center": [50.8, 4.4], "radius": radius_m}, "inclusion": True}


def changed(path: tuple[object, ...], value: object) -> str:
    document = json.loads(write_plan(MISSION))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[1, 2]", "fileType"),
        ('{"fileType": "Plan"}', "mission"),
        ("[" * 100_000, "not JSON"),
        (changed(("mission", "items", 3, "frame"), 10), "item 4: altitudes above terrain"),
        (changed(("mission", "items", 3, "command"), 31000), "item 4: command 31000"),
        (changed(("mission", "items", 3, "params", 4), 91.0), "item 4: lat_deg"),
        (changed(("mission", "items", 3, "params", 6), 5000.0), "item 4: .*alt_home_m"),
        (changed(("mission", "items", 3, "params"), [1, 2]), "item 4: 2 parameters"),
        (changed(("mission", "items", 3, "type"), "Odd"), "Odd holds no items"),
        (changed(("mission", "plannedHomePosition"), [1]), "plan"),
        (changed(("geoFence", "polygons", 0, "polygon", 1), [math.nan, 4.0]), "lat_deg"),
        (changed(("geoFence", "circles"), [circle(math.nan)]), "radius_m nan"),
        (changed(("geoFence", "circles"), [circle(-1.0)]), "radius_m"),
        (changed(("rallyPoints", "points", 0, 2), math.nan), "rally point 1"),
        (changed(("rallyPoints", "points", 0, 2), 5000.0), "rally point 1: alt_home_m 5000"),
    ],
)
def test_a_bad_plan_file_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_plan(text)


ROW = "1\t0\t3\t16\t0\t0\t0\t0\t50.0\t4.0\t20\t1"
HOME_ROW = "0\t1\t0\t16\t0\t0\t0\t0\t50.0\t4.0\t20\t1"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1"),
        (["QGC WPL 110"], "no home"),
        (["QGC WPL 110", HOME_ROW, ROW.replace("50.0", "nan")], "line 3: not a finite"),
        (["QGC WPL 110", HOME_ROW, ROW.replace("50.0", "x")], "line 3: could not"),
        (["QGC WPL 110", HOME_ROW, ROW.replace("50.0", "95")], "line 3: lat_deg"),
        (["QGC WPL 110", HOME_ROW, "1 2 3"], "line 3: 3 columns"),
        (["QGC WPL 110", HOME_ROW.replace("50.0", "95"), ROW], "line 2: lat_deg"),
        (["QGC WPL 110", HOME_ROW] + [ROW] * 700, "700 items"),
    ],
)
def test_a_bad_waypoint_file_is_refused_by_line(lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_waypoints("\n".join(lines))


def test_the_area_survives_geojson_and_kml() -> None:
    text = json.dumps(geojson.plan_to_geojson(PLAN))
    assert geojson.read_area(text) == PLAN.area
    document = kml.plan_to_kml(PLAN, "accident")
    for found, wanted in zip(kml.read_area(document), PLAN.area, strict=True):
        assert found == pytest.approx(wanted, abs=1e-8)


def test_geojson_holds_every_photo_in_longitude_latitude_order() -> None:
    features = geojson.plan_to_geojson(PLAN)["features"]
    photos = [f for f in features if f["properties"]["role"] == "photo"]
    assert len(photos) == PLAN.n_photos
    first = PLAN.photo_positions[0]
    assert photos[0]["geometry"]["coordinates"] == [first.lon_deg, first.lat_deg]


def kmz(data: bytes, name: str = "doc.kml") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def test_a_kmz_is_read_through_its_kml() -> None:
    assert len(kml.read_area(kmz(kml.plan_to_kml(PLAN, "accident")))) == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not XML"),
        (b"<kml/>", "no Polygon"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><kml/>", "document type"),
        (b"<kml><Polygon><coordinates>4,95 4,50 5,50</coordinates></Polygon></kml>", "lat_deg"),
        (b"<kml><Polygon><coordinates>x</coordinates></Polygon></kml>", "coordinates"),
        (b"<kml><Polygon/></kml>", "0 corners"),
        (b"PK\x03\x04nonsense", "not a KMZ"),
        (kmz(b"x", "readme.txt"), "no .kml"),
        (kmz(b" " * 21_000_000), "larger"),
    ],
)
def test_a_bad_kml_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        kml.read_area(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"type":"Point","coordinates":[1,2]}',
        '{"type":"Polygon","coordinates":[[[1,95]]]}',
        '{"type":"Feature","geometry":null}',
        '{"type":"Polygon","coordinates":[]}',
    ],
)
def test_a_bad_geojson_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        geojson.read_area(text)


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_decode_or_are_refused(data: bytes) -> None:
    for read in (
        kml.read_area,
        lambda b: geojson.read_area(b.decode("latin1")),
        lambda b: read_plan(b.decode("latin1")),
        lambda b: read_waypoints("QGC WPL 110\n" + b.decode("latin1")),
    ):
        try:
            read(data)
        except DecodeError:
            continue


def test_a_plan_survives_the_database() -> None:
    assert plan_from_json(json.loads(json.dumps(plan_to_json(PLAN)))) == PLAN


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)


@settings(max_examples=100)
@given(params=st.tuples(numbers, numbers, numbers, numbers), height_m=st.floats(-200, 500))
def test_waypoint_text_keeps_every_digit_that_the_link_carries(
    params: tuple[float, float, float, float], height_m: float
) -> None:
    """param1…4 and z are 32 bit numbers in MISSION_ITEM_INT, x and y 1e-7 degree."""
    item = MissionItem(
        MissionCommand.LOITER_TIME,
        params,
        lat_deg=50.8196421,
        lon_deg=-4.3905381,
        alt_home_m=height_m,
    )
    line = write_waypoints(MissionFile(PLACE, (item,))).splitlines()[2].split("\t")
    assert [np.float32(float(one)) for one in line[4:8]] == [np.float32(one) for one in params]
    assert np.float32(float(line[10])) == np.float32(height_m)
    assert line[8:10] == ["50.8196421", "-4.3905381"]


def test_a_parameter_of_more_than_six_digits_is_not_rounded_in_waypoint_text() -> None:
    item = MissionItem(MissionCommand.DO_CHANGE_SPEED, (1.0, 1234567.0, 0.0, 0.0))
    line = write_waypoints(MissionFile(PLACE, (item,))).splitlines()[2].split("\t")
    assert line[5] == "1234567"
