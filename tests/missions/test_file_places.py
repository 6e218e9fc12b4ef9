"""Files of other programs come back as an area, or as a path whose heights are never guessed."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest

from droneteam.errors import DecodeError
from droneteam.missions.airspace.fence import fence_of
from droneteam.missions.airspace.volumes import RiskParams
from droneteam.missions.formats import litchi, wpml
from droneteam.missions.formats.fileplaces import FilePlaces
from droneteam.missions.formats.geojson import plan_to_geojson
from droneteam.missions.formats.kml import plan_to_kml
from droneteam.missions.formats.litchi import write_litchi
from droneteam.missions.formats.missionfile import FenceCircle, MissionFile
from droneteam.missions.formats.photostops import PhotoStop, stops_of
from droneteam.missions.formats.places import read_places
from droneteam.missions.formats.qgc import write_plan
from droneteam.missions.formats.waypoints import write_waypoints
from droneteam.missions.formats.wpml import VERSIONS, read_wpml, version_of, write_wpml
from droneteam.missions.items import HomePoint, MissionCommand
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.heights import HeightKind
from droneteam.missions.planner.plan import MissionPlan, SurveyParams
from droneteam.missions.planner.task_params import FreeParams
from droneteam.missions.planner.tasks import plan_task

HOME = HomePoint(50.8200, 4.3900, 63.0)
PATH = ((50.8202, 4.3904), (50.8206, 4.3909), (50.8204, 4.3917))
HEIGHTS = (20.0, 35.5, 28.0)


def flown() -> MissionPlan:
    return plan_task(PATH, SIMULATED, FreeParams(alt_home_m=HEIGHTS, photo=True), HOME)


def kml(body: str) -> bytes:
    return (
        f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{body}</Document></kml>'
    ).encode()


def line(mode: str, coordinates: str = "4.39,50.82,30 4.391,50.82,40") -> str:
    tag = f"<altitudeMode>{mode}</altitudeMode>" if mode else ""
    return (
        f"<Placemark><LineString>{tag}<coordinates>{coordinates}</coordinates>"
        "</LineString></Placemark>"
    )


POLYGON = (
    "<Placemark><Polygon><outerBoundaryIs><LinearRing><coordinates>"
    "4.39,50.82,0 4.40,50.82,0 4.40,50.83,0 4.39,50.82,0"
    "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
)


@pytest.mark.parametrize(
    ("mode", "kind", "heights"),
    [
        ("relativeToGround", HeightKind.AGL, (30.0, 40.0)),
        ("absolute", HeightKind.AMSL, (30.0, 40.0)),
        ("clampToGround", None, ()),
        ("", None, ()),
    ],
)
def test_a_kml_line_is_a_path_whose_heights_are_what_its_altitude_mode_says(
    mode: str, kind: HeightKind | None, heights: tuple[float, ...]
) -> None:
    found = read_places("path.kml", kml(line(mode)))
    assert found == FilePlaces(((50.82, 4.39), (50.82, 4.391)), "path", kind, heights)


def test_kml_points_without_a_line_are_the_path_in_their_order() -> None:
    points = "".join(
        f"<Placemark><Point><altitudeMode>absolute</altitudeMode><coordinates>{lon},50.82,{alt}"
        "</coordinates></Point></Placemark>"
        for lon, alt in ((4.39, 90), (4.392, 95))
    )
    found = read_places("points.kml", kml(points))
    assert (found.kind, found.heights_m) == (HeightKind.AMSL, (90.0, 95.0))
    assert found.places == ((50.82, 4.39), (50.82, 4.392))


def test_a_polygon_is_the_area_and_a_path_beside_it_is_taken_when_a_path_is_wanted() -> None:
    both = kml(POLYGON + line("relativeToGround"))
    assert read_places("both.kml", both).shape == "area"
    assert read_places("both.kml", both, path_first=True).kind is HeightKind.AGL
    assert read_places("area.kml", kml(POLYGON), path_first=True).shape == "area"


def test_a_kmz_line_is_read_like_the_kml_inside() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("doc.kml", kml(line("absolute")))
    assert read_places("path.kmz", buffer.getvalue()).kind is HeightKind.AMSL


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (line("relativeToSeaFloor"), "altitude mode 'relativeToSeaFloor' cannot be flown"),
        (line("absolute", "4.39,50.82 4.391,50.82,40"), "place 1 has no height"),
        (line("absolute", "4.39,50.82,nan"), "place 1: height nan is no number"),
        (line("absolute", "4.39,95.0,30"), "path, place 1: lat_deg 95"),
        (line("absolute", "4.39;50.82;30"), "place 1"),
        (line("absolute") + line("absolute"), "2 lines in this KML"),
        ("", "no Polygon, LineString or Point"),
        (line("absolute", ""), "0 places"),
        (line("absolute", " ".join(["4.39,50.82,30"] * 10_000)), "10000 places; 1 to 5000"),
    ],
)
def test_a_kml_path_that_cannot_be_used_is_refused_by_place(body: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_places("path.kml", kml(body))


def geojson(kind: str, coordinates: Any, **properties: Any) -> bytes:
    geometry = {"type": kind, "coordinates": coordinates}
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


TWO = [[4.39, 50.82], [4.391, 50.82]]


@pytest.mark.parametrize("kind", list(HeightKind))
def test_geojson_heights_are_read_from_properties_that_say_what_they_are(kind: HeightKind) -> None:
    data = geojson("LineString", TWO, **{f"alt_{kind.value}_m": [30, 40.5]})
    found = read_places("path.geojson", data)
    assert (found.kind, found.heights_m) == (kind, (30.0, 40.5))
    one = read_places("path.geojson", geojson("LineString", TWO, **{f"alt_{kind.value}_m": 30}))
    assert one.heights_m == (30.0, 30.0)


def test_the_third_number_of_a_geojson_position_is_above_the_ellipsoid_and_is_not_flown() -> None:
    found = read_places("p.geojson", geojson("LineString", [[*TWO[0], 100], [*TWO[1], 110]]))
    assert (found.kind, found.heights_m, found.left_out) == (None, (), ("ellipsoid",))
    flat = read_places("p.geojson", geojson("LineString", TWO))
    assert flat.left_out == ()


def test_a_bare_geojson_geometry_is_a_path_too() -> None:
    bare = json.dumps({"type": "LineString", "coordinates": TWO}).encode()
    assert read_places("p.json", bare).places == ((50.82, 4.39), (50.82, 4.391))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (geojson("LineString", TWO, alt_home_m=[1, 2, 3]), "3 heights .alt_home_m. for 2 places"),
        (geojson("LineString", TWO, alt_home_m=[1], alt_agl_m=[2]), "alt_agl_m and alt_home_m"),
        (geojson("LineString", TWO, alt_home_m=[1, float("nan")]), "no number"),
        (geojson("LineString", [[4.39, 150.0]]), "path, place 1: lat_deg 150"),
        (geojson("MultiLineString", [TWO]), "no Polygon, LineString or Point"),
        (
            json.dumps(
                {
                    "type": "LineString",
                    "coordinates": TWO,
                    "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::31370"}},
                }
            ).encode(),
            "31370: export them in WGS84",
        ),
    ],
)
def test_a_geojson_path_that_cannot_be_used_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_places("path.geojson", data)


def written(plan: MissionPlan) -> dict[str, bytes]:
    file = MissionFile(plan.home, plan.items)
    stops = stops_of(plan)
    return {
        "kml": plan_to_kml(plan, "m"),
        "geojson": json.dumps(plan_to_geojson(plan)).encode(),
        "plan": write_plan(file).encode(),
        "waypoints": write_waypoints(file).encode(),
        "csv": write_litchi(stops).encode(),
        "kmz": write_wpml(stops),
    }


@pytest.mark.parametrize("ending", ["kml", "geojson", "plan", "waypoints", "csv", "kmz"])
def test_a_flight_written_in_any_format_is_planned_again_as_it_was(ending: str) -> None:
    plan = flown()
    found = read_places(f"m.{ending}", written(plan)[ending], path_first=True)
    assert found.shape == "path"
    assert found.kind is (HeightKind.AGL if ending == "kml" else HeightKind.HOME)
    np.testing.assert_allclose(found.heights_m, HEIGHTS, atol=0.006)
    again = plan_task(
        found.places, SIMULATED, FreeParams(alt_home_m=found.heights_m, photo=True), HOME
    )
    places = [(i.lat_deg, i.lon_deg) for i in again.items if i.lat_deg]
    np.testing.assert_allclose(places, [(i.lat_deg, i.lon_deg) for i in plan.items if i.lat_deg],
                               atol=2e-7)  # fmt: skip
    assert [i.command for i in again.items] == [i.command for i in plan.items]
    if ending in ("plan", "waypoints"):
        assert found.home == HOME


def test_what_a_plan_file_holds_beside_its_path_is_named() -> None:
    plan = flown()
    fence = fence_of(plan.items, plan.home, RiskParams()).corners
    circle = FenceCircle(50.82, 4.39, 50.0, inclusion=False)
    full = MissionFile(plan.home, plan.items, fence, ((50.82, 4.39, 30.0),), circles=(circle,))
    found = read_places("m.plan", write_plan(full).encode())
    assert set(found.left_out) == {"fence", "rally", "commands"}


def test_litchi_heights_above_ground_stay_above_ground_and_are_not_mixed() -> None:
    rows = write_litchi(stops_of(flown())).splitlines()
    mode = rows[0].split(",").index("altitudemode")

    def with_modes(*modes: str) -> str:
        changed = [row.split(",") for row in rows[1:]]
        for cells, value in zip(changed, modes, strict=True):
            cells[mode] = value
        return "\n".join([rows[0], *map(",".join, changed)])

    assert litchi.read_path(with_modes("1", "1", "1")).kind is HeightKind.AGL
    assert litchi.read_path(with_modes("0", "0", "0")).kind is HeightKind.HOME
    with pytest.raises(DecodeError, match="choose one"):
        litchi.read_path(with_modes("0", "1", "0"))
    with pytest.raises(DecodeError, match="row 3: altitudemode '7'"):
        litchi.read_path(with_modes("0", "7", "0"))


def test_photos_by_distance_of_a_litchi_file_are_named_as_left_out() -> None:
    rows = write_litchi(stops_of(flown())).splitlines()
    at = rows[0].split(",").index("photo_distinterval")
    cells = rows[1].split(",")
    cells[at] = "12.5"
    text = "\n".join([rows[0], ",".join(cells), *rows[2:]])
    assert litchi.read_path(text).left_out == ("intervals",)
    assert litchi.read_path("\n".join(rows)).left_out == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wpml_file_of_every_version_comes_back_and_names_its_version(version: str) -> None:
    stops = tuple(
        dataclasses.replace(stop, stay_s=3.0, pitch_deg=-45.0) for stop in stops_of(flown())
    )
    data = write_wpml(stops, version=version)
    assert read_wpml(data) == stops
    assert version_of(data) == version
    text = zipfile.ZipFile(io.BytesIO(data)).read("wpmz/waylines.wpml").decode()
    newer = version == "1.0.6"
    assert text.count("waypointGimbalPitchAngle>-45<") == (len(stops) if newer else 0)
    assert ("isRisky" in text) == newer
    assert text.count("gimbalRotate<") == len(stops), "every version turns the camera"


def test_wpml_that_follows_the_ground_is_above_the_ground_and_the_ellipsoid_is_refused() -> None:
    stop = PhotoStop(50.82, 4.39, 40.0, 0.0, -90.0, 5.0)
    relative = write_wpml([stop])

    def with_mode(mode: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(relative)) as old, zipfile.ZipFile(buffer, "w") as new:
            for name in old.namelist():
                text = old.read(name).decode()
                new.writestr(name, text.replace("relativeToStartPoint", mode))
        return buffer.getvalue()

    assert wpml.read_path(relative).kind is HeightKind.HOME
    assert wpml.read_path(with_mode("realTimeFollowSurface")).kind is HeightKind.AGL
    with pytest.raises(DecodeError, match="heights in 'WGS84' cannot be used"):
        wpml.read_path(with_mode("WGS84"))


@pytest.mark.parametrize("ending", ["plan", "waypoints"])
def test_what_the_camera_looks_at_is_not_flown_to(ending: str) -> None:
    """The oblique turn of a survey looks at the area's middle, at height 0."""
    corners = ((50.8200, 4.3900), (50.8200, 4.3906), (50.8203, 4.3906), (50.8203, 4.3900))
    plan = plan_task(corners, SIMULATED, SurveyParams(gsd_m=0.012, orbit=True), HOME)
    looks = [one for one in plan.items if one.command == MissionCommand.DO_SET_ROI_LOCATION]
    assert looks, "the survey has a turn around the scene"
    write = {"plan": write_plan, "waypoints": write_waypoints}[ending]
    found = read_places(f"m.{ending}", write(MissionFile(HOME, plan.items)).encode())
    flown_to = [one for one in plan.items if one.command == MissionCommand.WAYPOINT]
    assert len(found.places) == len(flown_to)
    assert min(found.heights_m) > 5.0
    for place, item in zip(found.places, flown_to, strict=True):
        assert place == pytest.approx((item.lat_deg, item.lon_deg), abs=1e-7)
    assert "commands" in found.left_out, "and it is told that the camera's part is not taken"
