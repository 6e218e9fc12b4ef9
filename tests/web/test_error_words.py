"""What stands against a plan or in a file is said in the reader's language, with its facts."""

from __future__ import annotations

import ast
import io
import json
import re
import string
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

import droneteam
from droneteam.errors import Conflict, DecodeError, DroneteamError, InputError, NotFound, plainly
from droneteam.geo import check_lat_lon
from droneteam.missions.airspace.geozones import read_geozones
from droneteam.missions.formats.chancemap import read_chance_map
from droneteam.missions.formats.places import read_places
from droneteam.missions.planner.camera import camera_named
from droneteam.missions.planner.estimate import Wind
from droneteam.missions.planner.plan import SurveyParams
from droneteam.missions.planner.sharing import Share
from droneteam.web.error_words import error_language, error_said
from droneteam.web.i18n import init_i18n
from tests.web.test_i18n import catalogue

PACKAGE = Path(droneteam.__file__).parent
SPOKEN = [
    PACKAGE / "geo.py",
    *(
        path
        for folder in ("planner", "airspace", "formats")
        for path in sorted((PACKAGE / "missions" / folder).rglob("*.py"))
    ),
    *(PACKAGE / "missions" / name for name in ("items.py", "planning.py", "terrains.py")),
    *(PACKAGE / "missions" / name for name in ("zonestore.py", "fieldlog.py")),
]
SAID = {"InputError", "DecodeError", "Conflict"}
NOT_FACTS = {"field", "offset"}


def errors_in(path: Path) -> Iterator[ast.Call]:
    """Every place in a module where an error is made that a person may read."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAID:
            yield node


def gaps(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.fixture(scope="module")
def templates() -> dict[str, str]:
    """Every template of planning, its files and its rules → where it stands."""
    found = {}
    for path in SPOKEN:
        for node in errors_in(path):
            where = f"{path.name}:{node.lineno}"
            first = node.args[0]
            passed_on = isinstance(first, ast.Name | ast.Attribute)  # marked, or another's template
            assert isinstance(first, ast.Constant) or passed_on, f"{where}: no template"
            if isinstance(first, ast.Constant):
                given = {one.arg for one in node.keywords if one.arg} - NOT_FACTS
                unpacked = any(one.arg is None for one in node.keywords)
                assert unpacked or gaps(first.value) == given, where
                found[first.value] = where
    return found


@pytest.mark.parametrize("code", ["fr", "nl"])
def test_every_error_of_planning_has_its_words(templates: dict[str, str], code: str) -> None:
    assert len(templates) > 150
    known = catalogue(code)
    missing = [
        where
        for template, where in templates.items()
        if not (entry := known.get(template)) or not entry.string or entry.fuzzy
    ]
    assert missing == []


@pytest.fixture(scope="module")
def app() -> Flask:
    """Nothing but the languages."""
    made = Flask("droneteam.web")
    init_i18n(made)
    return made


def kmz(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("doc.kml", content)
    return buffer.getvalue()


def line(*corners: list[float]) -> bytes:
    return json.dumps({"type": "LineString", "coordinates": corners}).encode()


def zone(**changes: object) -> dict[str, object]:
    shape = {"type": "Circle", "center": [4.4, 50.8], "radius": 100}
    feature = {"identifier": "A", "country": "BEL", "name": "a", "restriction": "PROHIBITED"}
    volume = {"uomDimensions": "M", "horizontalProjection": shape}
    return {"features": [{**feature, "geometry": [volume], **changes}]}


RAISED: list[tuple[Callable[[], object], str]] = [
    (lambda: check_lat_lon(91.5, 4.0), "91,5"),
    (lambda: SurveyParams(gsd_m=2.5), "2,5"),
    (lambda: camera_named("brownie"), "brownie"),
    (lambda: Share(5, 4), "5"),
    (lambda: Wind(55.5), "55,5"),
    (lambda: read_places("x.kml", b"<kml>"), "XML"),
    (lambda: read_places("x.kmz", kmz(b"<kml/>")), "KML"),
    (lambda: read_places("x.kmz", b"PK"), "KMZ"),
    (lambda: read_places("x.geojson", b"{"), "GeoJSON"),
    (lambda: read_places("x.geojson", b'{"type": "Polygon"}'), "coordinates"),
    (lambda: read_places("x.geojson", line([4.0, 95.25], [4.0, 50.0])), "95,25"),
    (lambda: read_places("x.plan", b'{"fileType": "Plan"}'), "mission"),
    (lambda: read_places("x.waypoints", b"QGC WPL 110\n1\t2\n"), "12"),
    (lambda: read_places("x.csv", b"a,b\n1,2\n"), "latitude"),
    (lambda: read_places("x.png", b""), "x.png"),
    (lambda: read_places("x.csv", b"\xff\xfe"), "UTF-8"),
    (lambda: read_chance_map("[]", "x"), "JSON"),
    (lambda: read_chance_map('{"type": "FeatureCollection", "features": [{}]}', "x"), "geometry"),
    (lambda: read_geozones(zone(geometry=[{"horizontalProjection": {}}])), "A"),
    (lambda: read_geozones({"features": 1}), "features"),
]


@pytest.mark.parametrize("code", ["fr", "nl"])
@pytest.mark.parametrize(("fails", "fact"), RAISED)
def test_what_is_wrong_is_said_in_the_language_with_its_facts(
    app: Flask, code: str, fails: Callable[[], object], fact: str
) -> None:
    with pytest.raises(DroneteamError) as caught:
        fails()
    error = caught.value
    with app.test_request_context(), force_locale(code):
        said, language = error_said(error), error_language(error)
    assert fact in said
    assert language == code
    english = {"the", "not", "must", "needs", "outside", "missing", "none", "cannot", "allowed"}
    own_words = re.sub(r"\([^()]*\)", "", said)  # another library's are quoted in brackets
    assert not english & set(own_words.replace(":", " ").split()), said
    with app.test_request_context(), force_locale("en"):
        assert "{" not in error_said(error)


def test_a_reason_within_a_reason_is_translated_and_numbers_have_the_languages_comma(
    app: Flask,
) -> None:
    inner = InputError("lat_deg {lat_deg} outside [-90, 90]", lat_deg=91.5)
    error = DecodeError("line {number}: {error}", number=3, error=inner)
    assert str(error) == "line 3: lat_deg 91.5 outside [-90, 90]"
    with app.test_request_context(), force_locale("nl"):
        assert error_said(error) == "regel 3: breedtegraad 91,5 buiten [-90, 90]"
    with app.test_request_context(), force_locale("en"):
        assert error_said(error) == str(error)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (lambda: float("1,5"), "'1,5' is geen getal"),
        (lambda: json.loads('{"a": 1,\n]'), "regel 2, kolom 1"),
        (lambda: b"\xe9".decode(), "bij byte 0"),
        (lambda: {}["coordinates"], "coordinates ontbreekt"),
        (lambda: list(5), "wat er staat is niet leesbaar ('int' object is not iterable)"),
    ],
)
def test_what_another_library_found_is_said_as_far_as_it_can_be_told(
    app: Flask, raised: Callable[[], object], said: str
) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)) as caught:
        raised()
    error = DecodeError("line {number}: {error}", number=1, error=plainly(caught.value))
    with app.test_request_context(), force_locale("nl"):
        assert error_said(error) == f"regel 1: {said}"


def test_braces_that_were_typed_are_letters(app: Flask) -> None:
    error = InputError("unknown camera {name!r}; known: {known}", name="{0} %s", known="a")
    with app.test_request_context(), force_locale("nl"):
        assert "'{0} %s'" in error_said(error)
    assert str(InputError("typed {0}")) == "typed {0}"


@pytest.mark.parametrize("error", [Conflict("no words for this"), NotFound("plan", 3)])
def test_an_error_without_words_is_said_in_english_and_says_so(
    app: Flask, error: DroneteamError
) -> None:
    with app.test_request_context(), force_locale("nl"):
        assert (error_said(error), error_language(error)) == (str(error), "en")
