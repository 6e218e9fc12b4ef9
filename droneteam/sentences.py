"""English sentences that programs wrote, said in the reader's language.

What a stage, a controller or a vehicle wrote down stays as it was written: it is evidence; what a
service refuses is English in its logs.  A book of sentences holds each as a pattern whose named
parts go into its Dutch and French forms.  A sentence that no pattern fits is shown as it is, marked
[en], rather than left out; `Book.one` tells instead that none fits.

The letters at the start of a part's name, so without ``_g`` or ``2``, say what it may be:

============  =====================================================================
``n``        a number, alone, with its unit or a range; written with a decimal comma
``text``     a sentence of its own, said in the language
``known``    the same, but where the book lacks it, the sentence around it does not fit
``list``     several with commas between them, each said in the language
``said``     another's words, kept as they are
``code``     a machine's name for something, in capitals: a mode, a result, a parameter
``file``     a file's name
a kind       a word of that kind (rows with a ``kind``), or several with commas: a phase, a role
an own one   what the book was given for it (`Part`): a time, a line of a file
any other    words without a semicolon, kept as they are
============  =====================================================================
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Self

UNTRANSLATED = "[en] "
LONGEST = 4
"""No sentence holds more semicolons than three."""
MOST_CHARACTERS = 2000
"""Of a text in which sentences are looked for: none of ours is longer."""
DEEPEST = 8
"""No sentence stands within more than eight others."""
_PARTS = {
    "n": r"(?:[-+−]?\d[\d.,e+–-]*(?: [^\s;]+)?|[-+]?inf|nan)",
    "text": ".+",
    "known": ".+?",
    "list": ".+",
    "said": ".+",
    "code": r"[A-Z][A-Z0-9_]*|mode \d+",
    "file": r"[^;:]+?\.[A-Za-z]{3,4}",
}
_WORDS = "[^;]+?"
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_NAMED = re.compile(r"\{(\w+)\}")
_LETTERS = re.compile("[a-zA-Z]*")
_BETWEEN = re.compile(r", (?![^(]*\))")
"""A comma of a list, not one within brackets."""


@dataclass(frozen=True, slots=True)
class Part:
    """A kind of part that one book has: what may stand there, and how it is said.

    say : (what stands there, language) → its form
    """

    pattern: str
    say: Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Sentence:
    """An English sentence as a pattern, and its other forms; fixed : its longest piece of words."""

    pattern: re.Pattern[str]
    forms: Mapping[str, str]
    fixed: str


class Book:
    """The sentences of one domain; the first that fits counts, so that the narrow ones come first.

    rows : "en", "nl" and "fr" forms; one with a "kind" is a word that stands only in parts of
    that name, never alone; between : what stands between the sentences of a list, which may
    itself be part of a sentence; parts : kinds of parts that only this book has, by name.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, str]],
        between: str = "",
        parts: Mapping[str, Part] | None = None,
    ) -> None:
        self._between = between
        self._own = dict(parts or {})
        self._words: dict[str, dict[str, Mapping[str, str]]] = {}
        alone = []
        for row in rows:
            if "kind" in row:
                self._words.setdefault(row["kind"], {})[row["en"]] = row
            else:
                alone.append(row)
        self._sentences = tuple(self._sentence(row) for row in alone)
        self._recognised = functools.lru_cache(maxsize=4096)(self._search)

    @classmethod
    def read(cls, package: str, between: str = "") -> Self:
        """The book in a package's `sentences.json`."""
        text = (resources.files(package) / "sentences.json").read_text(encoding="utf-8")
        return cls(json.loads(text), between)

    def said(self, text: str, language: str) -> str:
        """One sentence, or several joined by "; ", in the language."""
        return text if language == "en" else self._said(text, language, 0)

    def one(self, text: str, language: str) -> str | None:
        """A single sentence in Dutch or French; None where no pattern fits."""
        return self._one(text, language, 0)

    def word(self, kind: str, code: str, language: str) -> str:
        """A word of a kind in the language; one that is not in the book as it is."""
        row = self._words.get(kind, {}).get(code)
        return code if row is None else row[language]

    def _said(self, text: str, language: str, depth: int) -> str:
        """The same within `depth` other sentences."""
        if not text:
            return text
        if self._between and self._between in text:
            return self._list(text, language, depth)
        pieces = text.split("; ")
        found, at = [], 0
        while at < len(pieces):
            length, form = self._longest(pieces[at:], language, depth)
            found.append(form)
            at += length
        return "; ".join(found)

    def _one(self, text: str, language: str, depth: int) -> str | None:
        recognised = self._recognised(text, depth)
        if recognised is None:
            return None
        sentence, parts = recognised
        facts = {name: self._fact(name, value, language, depth) for name, value in parts.items()}
        return sentence.forms[language].format(**facts)

    def _list(self, text: str, language: str, depth: int) -> str:
        """A list of sentences, or a sentence that holds one."""
        rows = [self._said(row, language, depth) for row in text.split(self._between)]
        if any(UNTRANSLATED in row for row in rows):
            return self._one(text, language, depth) or UNTRANSLATED + text
        return self._between.join(rows)

    def _longest(self, pieces: list[str], language: str, depth: int) -> tuple[int, str]:
        """How many pieces the longest known sentence at the start takes, and its form."""
        for length in range(min(LONGEST, len(pieces)), 0, -1):
            form = self._one("; ".join(pieces[:length]), language, depth)
            if form is not None:
                return length, form
        return 1, UNTRANSLATED + pieces[0]

    def _search(self, text: str, depth: int) -> tuple[Sentence, dict[str, str]] | None:
        """The sentence that a text is, with its parts."""
        if len(text) > MOST_CHARACTERS or depth > DEEPEST:
            return None
        for sentence in self._sentences:
            found = sentence.pattern.fullmatch(text) if sentence.fixed in text else None
            if found is None:
                continue
            parts = {name: value or "" for name, value in found.groupdict().items()}
            if all(self._fits(name, value, depth) for name, value in parts.items()):
                return sentence, parts
        return None

    def _fits(self, name: str, value: str, depth: int) -> bool:
        """Whether a part is what its name asks beyond its pattern."""
        return _kind(name) != "known" or self._recognised(value, depth + 1) is not None

    def _fact(self, name: str, value: str, language: str, depth: int) -> str:
        """A part as its name says."""
        kind = _kind(name)
        if kind in self._own:
            return self._own[kind].say(value, language)
        if kind == "text":
            return self._said(value, language, depth + 1)
        if kind == "known":
            return self._one(value, language, depth + 1) or value
        if kind == "list":
            return ", ".join(self._said(one, language, depth + 1) for one in _BETWEEN.split(value))
        if kind == "n":
            return _DECIMAL.sub(",", value)
        if kind in self._words:
            return ", ".join(self.word(kind, one, language) for one in value.split(", "))
        return value

    def _sentence(self, row: Mapping[str, str]) -> Sentence:
        """The row with its {parts} as named groups."""
        pieces = _NAMED.split(row["en"])
        seen: set[str] = set()
        built = ""
        for index, piece in enumerate(pieces):
            if index % 2 == 0:
                built += re.escape(piece)
            elif piece in seen:
                built += f"(?P={piece})"
            else:
                seen.add(piece)
                built += f"(?P<{piece}>{self._part(piece)})"
        fixed = max(pieces[::2], key=len)
        return Sentence(re.compile(built, re.DOTALL), {"nl": row["nl"], "fr": row["fr"]}, fixed)

    def _part(self, name: str) -> str:
        kind = _kind(name)
        if kind in self._own:
            return self._own[kind].pattern
        if kind in self._words:
            one = "|".join(map(re.escape, self._words[kind]))
            return f"(?:{one})(?:, (?:{one}))*"
        return _PARTS.get(kind, _WORDS)


def _kind(name: str) -> str:
    """A part's kind: the letters that its name begins with."""
    found = _LETTERS.match(name)
    return found[0] if found else ""
