"""Numbers that are none, in every place of every file: refused by name, never planned with."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import random
import re
import zipfile
from collections.abc import Callable

import pytest

from droneteam.errors import DecodeError, InputError
from droneteam.missions.airspace.geozones import read_geozones
from droneteam.missions.formats import geojson, kml, litchi, qgc, waypoints, wpml
from droneteam.missions.formats.missionfile import FenceCircle, MissionFile
from droneteam.missions.formats.photostops import stops_of
from droneteam.missions.formats.places import read_places
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from droneteam.missions.planner.task_params import CorridorParams, OverwatchParams
from droneteam.missions.planner.tasks import plan_task
from tests.missions.conftest import PLACE, SCENE

PLAN = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
STOPS = stops_of(PLAN)[:3]
MISSION = MissionFile(
    PLACE,
    PLAN.items[:5],
    SCENE,
    ((PLACE.lat_deg, PLACE.lon_deg, 30.0),),
    (SCENE[:3],),
    (FenceCircle(PLACE.lat_deg, PLACE.lon_deg, 500.0, True),),
)
ZONE = {
    "identifier": "A", "country": "BEL", "name": "a", "restriction": "PROHIBITED",
    "applicability": [{"permanent": "YES"}],
    "geometry": [{
        "uomDimensions": "M", "lowerLimit": 0, "lowerVerticalReference": "AGL", "upperLimit": 120,
        "upperVerticalReference": "AGL",
        "horizontalProjection": {"type": "Circle", "center": [4.4, 50.8], "radius": 100},
    }],
}  # fmt: skip


def kmz(waylines: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("wpmz/waylines.wpml", waylines)
    return buffer.getvalue()


def waylines() -> str:
    with zipfile.ZipFile(io.BytesIO(wpml.write_wpml(STOPS))) as archive:
        return archive.read("wpmz/waylines.wpml").decode()


JSON_ODD = ("NaN", "Infinity", "-Infinity", "1e999", "null", '"x"', "[]", "true")
TEXT_ODD = ("NaN", "inf", "-inf", "1e999", "x", "")
FILES: dict[str, tuple[str, Callable[[str], object], tuple[str, ...]]] = {
    "qgc": (qgc.write_plan(MISSION), qgc.read_plan, JSON_ODD),
    "waypoints": (waypoints.write_waypoints(MISSION), waypoints.read_waypoints, TEXT_ODD),
    "litchi": (litchi.write_litchi(STOPS), litchi.read_litchi, TEXT_ODD),
    "litchi path": (litchi.write_litchi(STOPS), litchi.read_path, TEXT_ODD),
    "wpml": (waylines(), lambda text: wpml.read_wpml(kmz(text)), TEXT_ODD),
    "wpml path": (waylines(), lambda text: read_places("x.kmz", kmz(text)), TEXT_ODD),
    "geojson": (
        json.dumps(geojson.plan_to_geojson(PLAN)),
        lambda text: geojson.read_places(text, path_first=True),
        JSON_ODD,
    ),
    "kml": (
        kml.plan_to_kml(PLAN, "x").decode(),
        lambda text: kml.read_places(text.encode(), path_first=True),
        TEXT_ODD,
    ),
    "ED-269": (
        json.dumps({"features": [ZONE]}),
        lambda text: read_geozones(json.loads(text)),
        JSON_ODD,
    ),
}
NUMBER = re.compile(r"(?<![\w.\"-])-?\d+\.?\d*(?![\w.\"-])")
SAMPLE = 25


def finite(value: object) -> bool:
    """Whether every number in a value, however deep, is one."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list | tuple):
        return all(map(finite, value))
    if dataclasses.is_dataclass(value):
        return all(finite(getattr(value, one.name)) for one in dataclasses.fields(value))
    return True


@pytest.mark.parametrize("name", FILES)
def test_a_number_that_is_none_is_refused_or_not_read_wherever_it_stands(name: str) -> None:
    text, read, odd = FILES[name]
    assert finite(read(text))
    places = list(NUMBER.finditer(text))
    assert len(places) >= 5
    refused = 0
    for place in random.Random(7).sample(places, min(SAMPLE, len(places))):
        for value in odd:
            try:
                found = read(text[: place.start()] + value + text[place.end() :])
            except (DecodeError, InputError):
                refused += 1
            else:
                assert finite(found), text[place.start() - 40 : place.end()]
    assert refused > 5


def test_a_plan_whose_command_or_items_are_no_such_thing_is_refused_by_item() -> None:
    for odd in ("Infinity", "1e400", "[]", "{}", "null"):
        text = re.sub(r'"command": 16', f'"command": {odd}', qgc.write_plan(MISSION), count=1)
        with pytest.raises(DecodeError, match=r"item \d"):
            qgc.read_plan(text)


# What files say beside numbers


def test_every_wayline_of_a_kmz_is_read_in_turn_and_their_heights_must_agree() -> None:
    one = waylines()
    folder = one[one.index("<Folder") : one.index("</Folder>") + len("</Folder>")]
    two = one.replace(folder, folder + folder)
    assert wpml.read_wpml(kmz(two)) == STOPS + STOPS
    other = folder.replace("relativeToStartPoint", "realTimeFollowSurface")
    with pytest.raises(DecodeError, match="waylines of different heights"):
        wpml.read_wpml(kmz(one.replace(folder, folder + other)))


def changed_row(row: int, **values: str) -> str:
    """Litchi's file with fields of one row set."""
    rows = list(csv.DictReader(io.StringIO(litchi.write_litchi(STOPS))))
    rows[row] |= values
    text = io.StringIO()
    writer = csv.DictWriter(text, litchi.COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize(
    ("row", "values", "left_out"),
    [
        (1, {}, ()),
        (1, {"curvesize(m)": "5"}, ("curves",)),
        (0, {"curvesize(m)": "5"}, ()),  # at an end there is no corner
        (0, {"poi_latitude": "50.8", "poi_longitude": "4.4"}, ("aim",)),
        (2, {"gimbalmode": "1"}, ("aim",)),
        (1, {"photo_timeinterval": "2", "curvesize(m)": "3"}, ("intervals", "curves")),
    ],
)
def test_curves_and_points_of_interest_of_litchi_are_named_as_left_out(
    row: int, values: dict[str, str], left_out: tuple[str, ...]
) -> None:
    found = litchi.read_path(changed_row(row, **values))
    assert found.left_out == left_out
    assert len(found.places) == len(STOPS)


# Places


@pytest.mark.parametrize("home_lon_deg", [179.9999, -179.9999])
def test_places_on_both_sides_of_the_antimeridian_are_refused_by_that_name(
    home_lon_deg: float,
) -> None:
    corners = [(-17.0, 179.9998), (-17.0, -179.9998), (-16.9996, -179.9998), (-16.9996, 179.9998)]
    home = HomePoint(-17.0, home_lon_deg, 10.0)
    for params in (SurveyParams(gsd_m=0.01), CorridorParams()):
        with pytest.raises(InputError, match="180° meridian"):
            plan_task(corners, SIMULATED, params, home)
    east = [(lat, lon - 0.001 if lon > 0.0 else 179.9995) for lat, lon in corners]
    assert plan_task(
        east, SIMULATED, SurveyParams(gsd_m=0.01), HomePoint(-17.0, 179.9994, 10.0)
    ).items


@pytest.mark.parametrize("target", [(math.nan, 4.4), (50.8, math.inf), (91.0, 4.4)])
def test_a_target_that_is_not_on_earth_is_refused(target: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="outside"):
        OverwatchParams(target=target)
