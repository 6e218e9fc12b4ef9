"""What the stages say in English, in the report's language.

The stages write their warnings and remarks once, in English, with the facts in them; scene.json
and the logs keep them so.  `sentences.json` holds each sentence as a pattern whose named parts go
into its Dutch and French forms.  A sentence that has no pattern is shown as it is, marked [en],
rather than left out.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from importlib import resources

from droneteam.photogrammetry.export.numbers import Language
from droneteam.photogrammetry.ingest.photo_words import BETWEEN_FAULTS

UNTRANSLATED = "[en] "
LONGEST = 4
"""No sentence holds more semicolons than three."""
NUMBER, WORDS, SENTENCE = r"[-+−]?\d[\d.,e+–-]*(?: [^\s;]+)?", "[^;]+?", ".+"
FILE = r"[^;:]+?\.[A-Za-z]{3,4}"
"""What a part of a sentence may be: `n_…` a number with its unit or a range, `text…` a sentence of
its own, `file…` a file's name."""
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_NAMED = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """An English sentence as a pattern, and its other forms."""

    pattern: re.Pattern[str]
    forms: dict[str, str]


def translated(text: str, language: Language) -> str:
    """One sentence, or several joined by "; ", in the language."""
    if language == "en" or not text:
        return text
    if BETWEEN_FAULTS in text:
        return _list(text, language)
    pieces = text.split("; ")
    found, at = [], 0
    while at < len(pieces):
        length, form = _longest(pieces[at:], language)
        found.append(form)
        at += length
    return "; ".join(found)


def _list(text: str, language: Language) -> str:
    """A list of faults, or a sentence that holds one."""
    rows = [translated(row, language) for row in text.split(BETWEEN_FAULTS)]
    if any(UNTRANSLATED in row for row in rows):
        return _one(text, language) or UNTRANSLATED + text
    return BETWEEN_FAULTS.join(rows)


def _longest(pieces: list[str], language: Language) -> tuple[int, str]:
    """How many pieces the longest known sentence at the start takes, and its form."""
    for length in range(min(LONGEST, len(pieces)), 0, -1):
        form = _one("; ".join(pieces[:length]), language)
        if form is not None:
            return length, form
    return 1, UNTRANSLATED + pieces[0]


def _one(text: str, language: Language) -> str | None:
    for sentence in _table():
        found = sentence.pattern.fullmatch(text)
        if found is None:
            continue
        facts = {
            name: _fact(name, value or "", language) for name, value in found.groupdict().items()
        }
        return sentence.forms[language].format(**facts)
    return None


def _fact(name: str, value: str, language: Language) -> str:
    """Numbers with a comma; a part named `text…` is itself a sentence; names stay as they are."""
    if name.startswith("text"):
        return translated(value, language)
    if name.startswith("n_"):
        return _DECIMAL.sub(",", value)
    return value


@functools.cache
def _table() -> tuple[Sentence, ...]:
    package = resources.files("droneteam.photogrammetry.export")
    rows = json.loads((package / "sentences.json").read_text(encoding="utf-8"))
    return tuple(Sentence(_pattern(row["en"]), {"nl": row["nl"], "fr": row["fr"]}) for row in rows)


def _pattern(english: str) -> re.Pattern[str]:
    """The sentence with its {parts} as named groups."""
    pieces = _NAMED.split(english)
    seen: set[str] = set()
    built = ""
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            built += re.escape(piece)
        elif piece in seen:
            built += f"(?P={piece})"
        else:
            seen.add(piece)
            built += f"(?P<{piece}>{_part(piece)})"
    return re.compile(built, re.DOTALL)


def _part(name: str) -> str:
    if name.startswith("text"):
        return SENTENCE
    if name.startswith("file"):
        return FILE
    return NUMBER if name.startswith("n_") else WORDS
