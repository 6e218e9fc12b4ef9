"""Three languages: no text without a translation, none that breaks its placeholders."""

from __future__ import annotations

import functools
import re
import string
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po
from flask_babel import gettext
from jinja2 import Environment

import droneteam
import droneteam.web
from droneteam.web.i18n import settle_language
from tests.web.conftest import Site, csrf_token

WEB = Path(droneteam.web.__file__).parent
BELOW = Path(droneteam.__file__).parent
PARTS = ("planner", "airspace", "formats", "flight", "record")
SPEAKING = (
    *("errors.py", "geo.py", "missions/*.py", "web/api/mission_inputs.py"),
    *(f"missions/{part}/**/*.py" for part in PARTS),
)
"""What a plan's rules and the errors of planning say is marked where it stands, below the web."""
MARKS = {"marked": None, "InputError": None, "DecodeError": None, "Conflict": None}
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"_": None, "_l": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
OPTIONS = {"templates/**.html": {"trimmed": "true"}}


@functools.cache
def source_messages() -> dict[str | tuple[str, ...], str]:
    """Every text in the sources → where it stands."""
    found = extract_from_dir(WEB, METHODS, OPTIONS, keywords=KEYWORDS)
    texts = {message: f"{name}:{line}" for name, line, message, _, _ in found}
    for path in speaking_modules():
        where = path.relative_to(BELOW)
        marked = extract_from_file("python", path, keywords=MARKS)
        texts |= {message: f"{where}:{line}" for line, message, _, _ in marked}
    return texts


def speaking_modules() -> list[Path]:
    return sorted(path for pattern in SPEAKING for path in BELOW.glob(pattern))


def catalogue(code: str) -> Catalog:
    with (WEB / "translations" / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file)


def texts(value: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@pytest.mark.parametrize("code", ["fr", "nl"])
def test_every_text_is_translated(code: str) -> None:
    translated = catalogue(code)
    missing = [
        f"{where} {message!r}"
        for message, where in sorted(source_messages().items(), key=lambda row: row[1])
        if (entry := translated.get(texts(message)[0])) is None
        or entry.fuzzy
        or not all(texts(entry.string or ""))
    ]
    assert missing == []


@pytest.mark.parametrize("code", ["fr", "nl"])
def test_a_translation_has_the_placeholders_of_its_source(code: str) -> None:
    def placeholders(text: str) -> set[str]:
        named = set(re.findall(r"%\((\w+)\)s", text))
        return named | {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for entry in catalogue(code):
        if not entry.id:
            continue
        wanted = placeholders(texts(entry.id)[-1])
        for text in texts(entry.string):
            assert placeholders(text) == wanted, (entry.id, text)


@pytest.mark.parametrize("code", ["fr", "nl"])
def test_no_text_stands_twice_in_a_catalogue(code: str) -> None:
    """Of two entries the later one would win without a word."""
    path = WEB / "translations" / code / "LC_MESSAGES" / "messages.po"
    entries = re.findall(
        r'^(msgctxt .*\n)?msgid ((?:".*"\n)+)', path.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [entry for entry, times in Counter(entries).items() if times > 1] == []


@pytest.mark.parametrize("code", ["fr", "nl"])
def test_no_translation_is_left_of_a_text_that_is_gone(code: str) -> None:
    known = {texts(message)[0] for message in source_messages()}
    assert [
        entry.id for entry in catalogue(code) if entry.id and texts(entry.id)[0] not in known
    ] == []


def test_templates_hold_no_bare_words() -> None:
    """A word between tags that went around gettext would stay English for everyone."""
    allowed = {"droneteam", "SHA-256", "m", "mm", "px", "dBm", "min"}
    allowed |= {"JSON", "CSV", "PDF", "Jain", "P0", "P4", "P50", "P90"}  # the same everywhere
    bare = []
    for path in sorted((WEB / "templates").glob("*.html")):
        text = re.sub(
            r"<script.*?</script>|{#.*?#}|{%.*?%}|{{.*?}}", "\x00", path.read_text(), flags=re.S
        )
        for piece in re.findall(r">([^<]*)<", text):
            words = re.findall(r"[A-Za-zÀ-ÿ][\w-]*", piece)
            bare += [f"{path.name}: {piece.strip()!r}" for w in words if w not in allowed][:1]
    assert bare == []


@pytest.mark.parametrize(
    ("header", "language"),
    [("nl-BE,nl;q=0.9,en;q=0.5", "nl"), ("fr-BE", "fr"), ("en-GB", "en"), ("de-DE", "fr")],
)
def test_a_visitor_is_answered_in_the_browsers_language(
    site: Site, header: str, language: str
) -> None:
    answer = site.app.test_client().get("/sign-in", headers={"Accept-Language": header})
    assert f'<html lang="{language}"' in answer.get_data(as_text=True)


def test_a_choice_of_language_outlives_the_browsers(site: Site) -> None:
    client = site.app.test_client()
    text = client.get("/sign-in").get_data(as_text=True)
    token = text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
    client.post("/preferences", data={"csrf_token": token, "language": "nl", "next": "/sign-in"})
    answer = client.get("/sign-in", headers={"Accept-Language": "fr"})
    assert "Aanmelden" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("here", "back"),
    [
        ("/missions/new/1/places", "/missions/new/1"),
        ("/missions/7/approve", "/missions/7"),
        ("/requests/?state=submitted", "/requests/?state=submitted"),
        ("/missions", "/missions"),
        ("/no/such/page", "/"),
    ],
)
def test_the_language_is_changed_where_a_form_was_answered_and_the_page_can_be_read(
    site: Site, here: str, back: str
) -> None:
    client = site.client("pilot")
    data = {"csrf_token": csrf_token(client), "language": "fr", "next": here}
    assert client.post("/preferences", data=data).headers["Location"] == back


TRICKY = (
    "{{ _('<b>bold</b> & plain') }}",
    "{{ _('%(name)s is away', name='<i>') }}",
    "{{ _('100 %% of %(count)d', count=3) }}",
    "{{ _('100 %%') }}",
    "{{ ngettext('%(num)s entry', '%(num)s entries', count) }}",
    "{% trans %}as it <em>was</em>{% endtrans %}",
    "{% trans name='<i>' %}{{ name }} is away{% endtrans %}",
    "{% trans count=count %}one{% pluralize %}{{ count }} of them{% endtrans %}",
)


@pytest.mark.parametrize("source", TRICKY)
def test_templates_say_what_jinjas_own_extension_says(site: Site, source: str) -> None:
    plain = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    plain.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    with site.app.test_request_context("/"):
        for count in (1, 5):
            ours = site.app.jinja_env.from_string(source).render(count=count)
            assert ours == plain.from_string(source).render(count=count)


def test_a_request_is_answered_in_one_language_whoever_asked_before(site: Site) -> None:
    text = "{{ _('Board') }}"
    said = {}
    for code in ("fr", "nl", "en", "fr"):
        with site.app.test_request_context("/", headers={"Cookie": f"language={code}"}):
            template = site.app.jinja_env.from_string(text)
            before = template.render()
            settle_language()
            assert template.render() == before == gettext("Board")
            assert said.setdefault(code, before) == before
    assert len(set(said.values())) == 3
