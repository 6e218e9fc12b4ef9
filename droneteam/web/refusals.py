"""What services refuse, in the visitor's language.

Services say in English what is wrong, with the facts in it; logs read it so.  Errors of planning
carry template and facts apart (`error_words`); of the others, `translations/refusals.json` holds
each sentence as a pattern whose named parts go into its French and Dutch forms.  A part's name says
how it is shown: `at…` a time, `n…` a number, `state…` the states of requests, `plan_state` a
plan's, `roles` roles, `field` a form's field, `record` a kind of record, `type` a kind of value,
`where` a line of a file, `text` a sentence of its own; what has another name stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib import resources

from babel.dates import format_date
from flask_babel import get_locale

from droneteam.errors import DroneteamError
from droneteam.web.error_words import error_said, is_known
from droneteam.web.i18n import language
from droneteam.web.timefmt import local
from droneteam.web.typography import typeset
from droneteam.web.words import PLAN_STATES, REQUEST_STATES, ROLES, named

_NAMED = re.compile(r"\{(\w+)\}")
_DIGITS = re.compile(r"\d+$")
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_QUOTES = {"fr": ("« ", " »"), "nl": ("‘", "’")}
_QUOTED = re.compile(r"(['\"])(.*)\1", re.DOTALL)
_LINE = re.compile(r"\bline (?=\d)")
_LINES = {"fr": "ligne ", "nl": "regel "}
_BETWEEN = re.compile(r", | or ")
_NAME = re.compile(r"\w+[._]\w")
"""A member's or a file's name at the start keeps its letters."""
_ENDS = (".", "!", "?", "…", ":")


@dataclass(frozen=True, slots=True)
class Sentence:
    """An English sentence as a pattern, and its other forms by language."""

    pattern: re.Pattern[str]
    forms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Book:
    """Every known sentence, the most particular first.

    words : what records, fields and types of values are called, by the name of the part
    """

    sentences: tuple[Sentence, ...]
    words: Mapping[str, Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Said:
    """A refusal as a page shows it; lang : the language that it could be said in."""

    text: str
    lang: str


def refusal(error: Exception | str) -> Said:
    """The refusal in the visitor's language, in English where the book lacks it.

    An error that carries a template and its facts is said from those; else its text is looked up.
    """
    english, code = str(error), language()
    if code == "en":
        return Said(error_said(error) if isinstance(error, DroneteamError) else english, code)
    if isinstance(error, DroneteamError) and is_known(error):
        return Said(typeset(error_said(error), code), code)
    found = translated(english, code)
    return Said(english, "en") if found is None else Said(_sentence(found, code), code)


def said(error: Exception | str) -> str:
    """The refusal's text alone."""
    return refusal(error).text


def translated(english: str, code: str) -> str | None:
    """The sentence in French or Dutch, None where the book lacks it."""
    for sentence in book().sentences:
        found = sentence.pattern.fullmatch(english)
        if found is None:
            continue
        parts = {name: _part(name, text, code) for name, text in found.groupdict().items()}
        if None not in parts.values():
            return sentence.forms[code].format(**parts)
    return None


def _sentence(text: str, code: str) -> str:
    """The text as a sentence of its own: a capital, an end, and the language's spaces."""
    ended = text if text.endswith(_ENDS) else f"{text}."
    begun = ended if _NAME.match(ended) else ended[:1].upper() + ended[1:]
    return typeset(begun, code)


def _part(name: str, text: str, code: str) -> str | None:
    """A part as it is shown; None where it is a sentence that the book lacks."""
    kind = _DIGITS.sub("", name)
    if kind == "text":
        return translated(text, code)
    if kind in book().words:
        known = book().words[kind]
        return known[text][code] if text in known else text
    if kind == "where":
        return _LINE.sub(_LINES[code], text)
    if kind == "at":
        return _time(text)
    if kind == "n":
        return _DECIMAL.sub(",", text)
    if kind in _WORDS:
        return ", ".join(_WORDS[kind](one) for one in _BETWEEN.split(text))
    return _quoted(text, code)


def _time(text: str) -> str:
    """A time or a day of ISO 8601 as people write it; anything else as it is."""
    try:
        if len(text) <= len("2026-05-10"):
            return str(format_date(date.fromisoformat(text), "d MMM yyyy", locale=get_locale()))
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if at.tzinfo is None else local(at)


def _quoted(text: str, code: str) -> str:
    """Python's quotes become the language's."""
    found = _QUOTED.fullmatch(text)
    if found is None:
        return text
    before, after = _QUOTES[code]
    return f"{before}{found[2]}{after}"


_WORDS: dict[str, Callable[[object], str]] = {
    "state": named(REQUEST_STATES),
    "states": named(REQUEST_STATES),
    "plan_state": named(PLAN_STATES),
    "roles": named(ROLES),
}


@lru_cache(maxsize=1)
def book() -> Book:
    """The book, read once."""
    path = resources.files("droneteam.web") / "translations" / "refusals.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    rows = sorted(table["sentences"], key=lambda row: -len(_NAMED.sub("", row["en"])))
    sentences = tuple(
        Sentence(pattern_of(row["en"]), {"fr": row["fr"], "nl": row["nl"]}) for row in rows
    )
    named_parts = {part: table[f"{part}s"] for part in ("record", "field", "type")}
    return Book(sentences, named_parts)


def pattern_of(english: str) -> re.Pattern[str]:
    """The sentence with its {parts} as named groups."""
    pieces = _NAMED.split(english)
    built = (
        f"(?P<{piece}>.+?)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)
    )
    return re.compile("".join(built), re.DOTALL)
