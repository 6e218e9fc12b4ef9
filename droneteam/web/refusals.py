"""What services refuse, in the visitor's language.

Services say in English what is wrong, with the facts in it; logs read it so.  Errors of planning
carry template and facts apart (`error_words`); the others are looked up in a book of sentences
(`droneteam/sentences.py`), `translations/refusals.json`.  Beside the parts of every book, this one
has: `at…` a time, `state…` the states of requests, `plan_state` a plan's, `roles` roles, `field` a
form's field, `record` a kind of record, `type` a kind of value, `where` a line of a file; those
of `_AS_TYPED` are as they were typed or as another program said them, in the language's quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

from babel.dates import format_date
from flask_babel import get_locale

from droneteam.errors import DroneteamError
from droneteam.sentences import Book, Part
from droneteam.web.error_words import error_said, is_known
from droneteam.web.i18n import language
from droneteam.web.timefmt import local
from droneteam.web.typography import typeset
from droneteam.web.words import PLAN_STATES, REQUEST_STATES, ROLES, named

_NAMED = re.compile(r"\{\w+\}")
_QUOTES = {"fr": ("« ", " »"), "nl": ("‘", "’")}
_QUOTED = re.compile(r"(['\"])(.*)\1", re.DOTALL)
_LINE = re.compile(r"\bline (?=\d)")
_LINES = {"fr": "ligne ", "nl": "regel "}
_BETWEEN = re.compile(r", | or ")
_NAME = re.compile(r"\w+[._]\w")
"""A member's or a file's name at the start keeps its letters."""
_ANY = ".+?"
_AS_TYPED = (
    *("w", "x", "y", "z", "key", "name", "names"),
    *("file", "folder", "command", "line", "error", "reason"),
)
_ENDS = (".", "!", "?", "…", ":")


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
    return book().one(english, code)


def _sentence(text: str, code: str) -> str:
    """The text as a sentence of its own: a capital, an end, and the language's spaces."""
    ended = text if text.endswith(_ENDS) else f"{text}."
    begun = ended if _NAME.match(ended) else ended[:1].upper() + ended[1:]
    return typeset(begun, code)


def _time(text: str, _code: str) -> str:
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


def _line(text: str, code: str) -> str:
    """Where it stands, with the number of the line."""
    return _LINE.sub(_LINES[code], text)


def _each(word: Callable[[object], str]) -> Callable[[str, str], str]:
    """One code, or several with commas, each as its word."""
    return lambda text, _code: ", ".join(word(one) for one in _BETWEEN.split(text))


def _called(words: Mapping[str, Mapping[str, str]]) -> Callable[[str, str], str]:
    """A word of the book by its language; one that it lacks as it is."""
    return lambda text, code: words[text][code] if text in words else text


@cache
def own_parts() -> dict[str, Part]:
    """The kinds of parts that only a refusal has, by name.

    Only a record must be one that has a word: else any "no …" would be one.
    """
    words = table()
    ways: dict[str, Callable[[str, str], str]] = {
        "at": _time,
        "where": _line,
        "state": _each(named(REQUEST_STATES)),
        "states": _each(named(REQUEST_STATES)),
        "plan": _each(named(PLAN_STATES)),
        "roles": _each(named(ROLES)),
        **{name: _called(words[f"{name}s"]) for name in ("record", "field", "type")},
        **dict.fromkeys(_AS_TYPED, _quoted),
    }
    patterns = {"record": "|".join(map(re.escape, words["records"]))}
    return {name: Part(patterns.get(name, _ANY), say) for name, say in ways.items()}


@cache
def book() -> Book:
    """Every known refusal, the most particular first."""
    rows = sorted(table()["sentences"], key=lambda row: -len(_NAMED.sub("", row["en"])))
    return Book(rows, parts=own_parts())


@cache
def table() -> Any:
    """The book's file: its sentences, and what records, fields and types are called."""
    path = resources.files("droneteam.web") / "translations" / "refusals.json"
    return json.loads(path.read_text(encoding="utf-8"))
