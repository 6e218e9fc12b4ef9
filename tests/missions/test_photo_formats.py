"""Litchi CSV and DJI WPML: what is written comes back, and bad files are refused by row."""

from __future__ import annotations

import csv
import io
import zipfile
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import DecodeError, InputError
from droneteam.missions.formats.litchi import COLUMNS, read_litchi, write_litchi
from droneteam.missions.formats.photostops import PhotoStop, items_of, stops_of
from droneteam.missions.formats.wpml import MATRICE_30T, read_wpml, write_wpml
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from droneteam.missions.planner.task_params import SearchParams
from droneteam.missions.planner.tasks import plan_task
from tests.missions.conftest import PLACE, SCENE, area

PLAN = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
STOPS = stops_of(PLAN)


def rounded(low: float, high: float, digits: int) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: round(value, digits))


stops = st.builds(
    PhotoStop,
    lat_deg=rounded(-89, 89, 7),
    lon_deg=rounded(-179, 179, 7),
    alt_home_m=rounded(-100, 400, 2),
    yaw_deg=rounded(0, 359, 1),
    pitch_deg=rounded(-90, 30, 1),
    speed_mps=rounded(0.5, 15, 1),
    stay_s=st.integers(0, 60).map(float),
    photo=st.booleans(),
)


@given(places=st.lists(stops, min_size=1, max_size=12).map(tuple))
def test_a_litchi_file_comes_back_as_it_was_written(places: tuple[PhotoStop, ...]) -> None:
    assert read_litchi(write_litchi(places)) == places


@given(places=st.lists(stops, min_size=1, max_size=12).map(tuple))
def test_a_wpml_file_comes_back_as_it_was_written(places: tuple[PhotoStop, ...]) -> None:
    assert read_wpml(write_wpml(places)) == places


def test_every_planned_photo_becomes_a_place() -> None:
    assert len(STOPS) == PLAN.n_photos
    assert all(stop.photo for stop in STOPS)
    shots = [one for one in items_of(STOPS) if one.command is MissionCommand.DO_DIGICAM_CONTROL]
    assert len(shots) == PLAN.n_photos


def test_a_mission_without_photos_keeps_its_corners() -> None:
    plan = plan_task(area((0.0, 0.0)), SIMULATED, SearchParams(pattern="sector"), PLACE)
    corners = [one for one in plan.items if one.command is MissionCommand.WAYPOINT]
    places = stops_of(plan)
    assert [(p.lat_deg, p.alt_home_m) for p in places] == [
        (c.lat_deg, c.alt_home_m) for c in corners
    ]
    assert not any(p.photo for p in places)


def test_the_csv_has_litchis_columns_and_asks_for_one_photo_per_row() -> None:
    rows = list(csv.DictReader(io.StringIO(write_litchi(STOPS))))
    assert len(COLUMNS) == 46
    for row, stop in zip(rows, STOPS, strict=True):
        assert float(row["latitude"]) == stop.lat_deg
        assert (row["altitudemode"], row["actiontype1"], row["actiontype2"]) == ("0", "1", "-1")
        assert float(row["gimbalpitchangle"]) == stop.pitch_deg


def test_the_kmz_names_aircraft_version_and_heights_above_take_off() -> None:
    data = write_wpml(STOPS, aircraft=MATRICE_30T, version="1.0.6")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["wpmz/template.kml", "wpmz/waylines.wpml"]
        root = ElementTree.fromstring(archive.read("wpmz/waylines.wpml"))
        template = archive.read("wpmz/template.kml")
    name = {"w": "http://www.dji.com/wpmz/1.0.6", "k": "http://www.opengis.net/kml/2.2"}
    assert root.findtext(".//w:droneEnumValue", namespaces=name) == "67"
    assert root.findtext(".//w:executeHeightMode", namespaces=name) == "relativeToStartPoint"
    marks = root.findall(".//k:Placemark", name)
    assert len(marks) == len(STOPS)
    assert marks[0].findtext("k:Point/k:coordinates", namespaces=name) == (
        f"{STOPS[0].lon_deg:.7f},{STOPS[0].lat_deg:.7f}"
    )
    assert [one.text for one in root.findall(".//w:index", name)] == [
        str(n) for n in range(len(STOPS))
    ]
    assert b"heightMode>relativeToStartPoint" in template


def test_the_kmz_is_packed() -> None:
    """A large survey was 25 MB of almost the same words: too much for a van's network."""
    with zipfile.ZipFile(io.BytesIO(write_wpml(STOPS))) as archive:
        for one in archive.infolist():
            assert one.compress_type == zipfile.ZIP_DEFLATED
            assert 0 < one.compress_size < one.file_size / 4


def test_the_same_mission_gives_the_same_bytes() -> None:
    assert write_wpml(STOPS) == write_wpml(STOPS)


HEAD = ",".join(COLUMNS)


def litchi_row(**changes: str) -> str:
    values = dict(zip(COLUMNS, write_litchi(STOPS[:1]).splitlines()[1].split(","), strict=True))
    return HEAD + "\n" + ",".join((values | changes).values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column"),
        ("a,b\n1,2", "no column 'latitude'"),
        (HEAD, "no waypoint"),
        (litchi_row(latitude="x"), "row 2: latitude 'x' is not a number"),
        (litchi_row(latitude="95"), "row 2: .*lat"),
        (litchi_row(altitudemode="1"), "row 2: heights above ground"),
        (litchi_row(longitude="nan"), "row 2: longitude is not a finite"),
        (litchi_row(**{"speed(m/s)": "300"}), "row 2: speed"),
    ],
)
def test_a_bad_litchi_file_is_refused_by_row(text: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_litchi(text)


def kmz(content: bytes, name: str = "wpmz/waylines.wpml") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def changed(old: bytes, new: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(write_wpml(STOPS[:2]))) as archive:
        content = archive.read("wpmz/waylines.wpml")
    assert old in content
    return kmz(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a KMZ"),
        (kmz(b"<kml/>", "doc.kml"), "no wpmz/waylines"),
        (kmz(b"<kml/>"), "no Folder"),
        (kmz(b"nonsense"), "not XML"),
        (kmz(b"<!DOCTYPE x><kml/>"), "document type"),
        (kmz(b" " * 21_000_000), "larger"),
        (changed(b"relativeToStartPoint", b"EGM96"), "heights in 'EGM96'"),
        (changed(b":executeHeight>", b":other>"), "waypoint 1|not XML"),
        (changed(b"<coordinates>4", b"<coordinates>x4"), "waypoint 1: could not convert"),
    ],
)
def test_a_bad_wpml_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_wpml(data)


def test_more_places_than_litchi_flies_are_refused() -> None:
    with pytest.raises(InputError, match="split the area"):
        write_litchi(STOPS[:1] * 100)


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_decode_or_are_refused(data: bytes) -> None:
    for read in (read_wpml, lambda b: read_litchi(HEAD + "\n" + b.decode("latin1"))):
        try:
            read(data)
        except DecodeError:
            continue
