"""What services refuse is said in French and Dutch: every sentence that the desks can meet."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

import droneteam
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.web import refusals
from droneteam.web.i18n import init_i18n
from tests.web.conftest import Site

ROOT = Path(droneteam.__file__).parent
SAID = (
    "fleet",
    "accounts.py",
    "people.py",
    "sessions.py",
    "webhooks.py",
    "places/service.py",
    "geo.py",
    "web",
    "evidence/exporting.py",
    "evidence/gather.py",
    "evidence/gathering.py",
    "evidence/service.py",
    "detection/clocks.py",
    "detection/history.py",
    "commands/outward.py",
    "commands/tell.py",
    *(f"detection/sources/{name}.py" for name in ("bluetooth", "https", "network", "process")),
    *(f"detection/sources/{name}.py" for name in ("fleet", "netrid_notify", "wifi")),
    "photogrammetry/measuring",
    *(f"photogrammetry/{name}.py" for name in ("area", "control", "marks", "measurements")),
    *(f"photogrammetry/{name}.py" for name in ("products", "report_service", "reporting")),
    *(f"photogrammetry/{name}.py" for name in ("service", "uploads", "upload_files", "viewing")),
    *(f"photogrammetry/export/{name}.py" for name in ("diagram", "placement")),
)
"""Whose refusals pages show: those of every desk, and of the scenes, cases and receivers."""
NEVER_SHOWN = frozenset(
    {
        "fleet/allocation/solving.py",
        "fleet/problem.py",
        "fleet/performance/journeys.py",
        "fleet/performance/statistics.py",
        "fleet/terms.py",
    }
)
"""What only a fault of the program could raise; terms.py is looked at by name below."""
ERRORS = {"InputError", "Conflict", "NotFound", "NotAllowed", "LinkError", "SetupError"}
INNER = "the line repeats line 7"
GAP = re.compile(r"\{\w+\}")
"""A fact of an error that carries its template and its facts apart."""


def sentences() -> Iterator[tuple[str, str, str]]:
    """(where, the sentence with figures for its facts, the same with a sentence for them)."""
    for part in SAID:
        path = ROOT / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = str(file.relative_to(ROOT))
            if name in NEVER_SHOWN:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
                    for text in _texts(node):
                        if not set(text.replace("line \x00", "")) - set("\x00: "):
                            continue  # nothing but other sentences, each with its own row
                        yield (
                            f"{name}:{node.lineno}",
                            text.replace("\x00", "7"),
                            text.replace("\x00", INNER),
                        )


def _texts(call: ast.Call) -> list[str]:
    """The sentence that the call raises; none where it is handed on from elsewhere."""
    first = call.args[0] if call.args else None
    text = _text(first)
    if text is None:
        return []
    return [f"no {text} \x00 that you may see"] if call.func.id == "NotFound" else [text]  # type: ignore[attr-defined]


def _text(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant):
        return GAP.sub("\x00", str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(one) for one in node.values)
    return None


def _piece(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.FormattedValue)
    if isinstance(node.value, ast.Attribute) and node.value.attr == "__name__":
        return "date"  # a type of the language, of which few are named
    return "'\x00'" if node.conversion == ord("r") else "\x00"


@pytest.fixture(scope="module")
def languages() -> Flask:
    """Nothing but the languages."""
    made = Flask("droneteam.web")
    init_i18n(made)
    return made


@pytest.fixture
def french(site: Site) -> Iterator[None]:
    with site.app.test_request_context(headers={"Accept-Language": "fr"}):
        yield


@pytest.mark.usefixtures("french")
def test_every_refusal_of_the_desks_is_said_in_french_and_dutch() -> None:
    found = list(sentences())
    unsaid = [
        f"{where} {plain!r}"
        for where, plain, nested in found
        for code in ("fr", "nl")
        if refusals.translated(plain, code) is None and refusals.translated(nested, code) is None
    ]
    assert len(found) > 200
    assert sorted(set(unsaid)) == []


def test_every_form_of_a_sentence_has_its_facts_and_no_other() -> None:
    def parts(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    path = resources.files("droneteam.web") / "translations" / "refusals.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["sentences"]
    assert [
        row for row in rows if not parts(row["fr"]) == parts(row["nl"]) == parts(row["en"])
    ] == []
    assert len({row["en"] for row in rows}) == len(rows)


def test_every_part_of_a_sentence_is_of_a_kind_that_the_book_has() -> None:
    """Another kind would stand for words without a semicolon, in Python's quotes."""
    path = resources.files("droneteam.web") / "translations" / "refusals.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["sentences"]
    kinds = {
        match[1]: row["en"] for row in rows for match in re.finditer(r"\{([a-z]+)\w*\}", row["en"])
    }
    assert set(kinds) == {"n", "known"} | set(refusals.own_parts())


def test_every_kind_of_record_that_can_be_missing_has_its_word() -> None:
    kinds = {
        kind
        for path in ROOT.rglob("*.py")
        for kind in re.findall(r"NotFound\(\s*\"([^\"]+)\"", path.read_text(encoding="utf-8"))
    }
    assert len(kinds) > 40
    assert sorted(kinds - {"service worker"} - set(refusals.table()["records"])) == []


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("line 3: the login 'l' is taken", "ligne 3 : l’identifiant « l » est déjà pris"),
        ("polygon: the login l is taken", "zone : l’identifiant l est déjà pris"),
        ("a.csv line 3: sign in first", "a.csv ligne 3 : connectez-vous d’abord"),
        ("a: b: sign in first", "a : b : connectez-vous d’abord"),
        ("line 3: the moon is made of cheese", None),
        ("polygon: the moon is made of cheese", None),
        ("line 3: " * 100 + "sign in first", None),
    ],
)
def test_a_sentence_within_a_sentence_is_said_with_it_or_neither_is(
    languages: Flask, english: str, french: str | None
) -> None:
    with languages.test_request_context(), force_locale("fr"):
        told = refusals.refusal(english)
        assert refusals.translated(english, "fr") == french
    assert told.lang == ("en" if french is None else "fr")
    assert (told.text == english) == (french is None)


@pytest.mark.parametrize(
    ("english", "french"),
    [
        (
            "this takes the role pilot or manager",
            "il faut pour cela le rôle de pilote, responsable",
        ),
        ("no photo 5", "La photo 5 n’existe pas"),
        ("no words for this", None),
        ("plan 3 is draft already", "le plan 3 est déjà projet"),
        ("cycles 2.5 is below 0", "Cycles : 2,5 est inférieur à 0"),
        ("speed nan is below 0", "speed : nan est inférieur à 0"),
        ("roles ['x; y']; known: a, b", "rôles ['x; y'] ; connus : a, b"),
        ("the window ended at noon, before now", "la période a fini le noon, avant maintenant"),
    ],
)
def test_a_part_is_shown_as_its_kind_is(languages: Flask, english: str, french: str | None) -> None:
    with languages.test_request_context(), force_locale("fr"):
        assert refusals.translated(english, "fr") == french


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (
            "fr",
            Conflict("request 7 is planned and cannot become submitted; possible: confirmed"),
            "La demande 7 est dans l’état « planifiée » et ne peut pas devenir « introduite » ;"
            " possible : confirmée.",
        ),
        (
            "nl",
            InputError("the end 2026-05-10T12:00:00+00:00 is not after the start 2026-05-10"),
            "Het einde (zo 10 mei 2026 14:00 CEST) ligt niet na het begin (10 mei 2026).",
        ),
        ("nl", NotFound("request", 5), "Aanvraag 5 bestaat niet, of u hebt er geen toegang toe."),
        ("en", NotFound("request", 5), "no request 5 that you may see"),
        (
            "fr",
            InputError("gust_mps '12.5' is no number"),
            "Rafales (m/s) : « 12.5 » n’est pas un nombre.",
        ),
    ],
)
def test_a_refusal_speaks_the_visitors_language(
    site: Site, code: str, error: Exception, said: str
) -> None:
    with site.app.test_request_context(headers={"Accept-Language": code}):
        assert refusals.said(str(error)).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        (
            "example.org did not answer: [Errno 111] Connection refused",
            "fr",
            "example.org n’a pas répondu : connexion refusée (erreur 111).",
        ),
        (
            "tcp://10.0.0.5:4000: Connection refused",
            "nl",
            "Tcp://10.0.0.5:4000: verbinding geweigerd.",
        ),
        (
            "hook.test answered 503, not 200 to 299",
            "nl",
            "hook.test antwoordde 503, niet 200 tot 299.",
        ),
        (
            "GCP.csv: line 7: '4x' is not a number",
            "fr",
            "GCP.csv : ligne 7 : « 4x » n’est pas un nombre.",
        ),
        (
            "upload: the server's disk has no room: 900 MB are to come and 12 MB can be taken. Tell"
            " the administrator; what was received is kept and the upload can go on later",
            "fr",
            "Le disque du serveur manque de place : 900 Mo doivent venir et 12 Mo peuvent être"
            " pris. Prévenez l’administrateur ; ce qui a été reçu est gardé et l’envoi pourra"
            " continuer plus tard.",
        ),
        ("3 messages, 2 operators, 5 points", "nl", "3 berichten, 2 exploitanten, 5 punten."),
        ("a profile needs a line of 2 points", "nl", "Een profiel vraagt een lijn van 2 punten."),
    ],
)
def test_what_failed_elsewhere_is_said_with_its_facts(
    site: Site, said: str, code: str, told: str
) -> None:
    with site.app.test_request_context(headers={"Accept-Language": code}):
        shown = refusals.refusal(said)
    assert shown.lang == code
    assert re.sub("[\u00a0\u202f]", " ", shown.text) == told


OWN_WORDS = {"event.detail", "row.name_en"}
"""What a vehicle said itself, and the name that an organisation has in English."""


def test_no_page_shows_the_visitor_what_it_marks_as_english() -> None:
    """What services say goes through the books, which mark what they lack themselves."""
    shown = {
        found
        for page in (ROOT / "web" / "templates").glob("*.html")
        for found in re.findall(r'lang="en">\{\{ ([^}]+) \}\}', page.read_text("utf-8"))
    }
    assert shown == OWN_WORDS


def test_no_page_puts_an_error_into_its_form_as_the_service_words_it() -> None:
    raw = re.compile(r"str\(error\)|: \{error\}\"\)")
    pages = sorted((ROOT / "web" / "views").glob("*.py"))
    assert len(pages) > 30
    assert [page.name for page in pages if raw.search(page.read_text("utf-8"))] == []


def test_what_the_book_lacks_stays_english_and_is_marked_so(site: Site) -> None:
    with site.app.test_request_context(headers={"Accept-Language": "nl"}):
        told = refusals.refusal("the moon is made of cheese")
    assert (told.text, told.lang) == ("the moon is made of cheese", "en")
