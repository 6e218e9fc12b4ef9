"""Street names made comparable: accents, abbreviations, a slip of the finger (pure)."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping

ABBREVIATIONS: Mapping[str, str] = {
    "av": "avenue", "ave": "avenue", "bd": "boulevard", "bld": "boulevard", "blvd": "boulevard",
    "ch": "chaussee", "chee": "chaussee", "chau": "chaussee", "r": "rue", "pl": "place",
    "sq": "square", "imp": "impasse", "all": "allee", "qu": "quai", "st": "saint",
    "ste": "sainte", "gal": "general", "str": "straat", "stwg": "steenweg", "stg": "steenweg",
    "sint": "saint", "sinte": "sainte", "dr": "docteur", "prof": "professeur",
}  # fmt: skip
"""What people write for a word; only where the word stands alone."""
COMMON = frozenset({
    "rue", "avenue", "boulevard", "chaussee", "place", "square", "impasse", "allee", "quai", "clos",
    "dreve", "chemin", "sentier", "rond", "point", "straat", "laan", "steenweg", "plein", "plaats",
    "lei", "kaai", "weg", "dreef", "pad", "de", "du", "des", "la", "le", "les", "l", "d", "van",
    "den", "der", "het", "ter", "te", "op",
})  # fmt: skip
"""Words that tell hardly one street from another."""
_ENDINGS = ("straat", "laan", "steenweg", "plein", "plaats", "lei", "kaai", "weg", "dreef", "pad")
MIN_FUZZY = 4
"""Letters from which one wrong letter is forgiven."""


def words_of(text: str) -> list[str]:
    """The text's words: lower case, without accents, abbreviations written out."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss").replace("œ", "oe"))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return [ABBREVIATIONS.get(word, word) for word in re.findall(r"[a-z0-9]+", letters)]


def index_words(name: str) -> list[str]:
    """The words under which a name is found: a Dutch compound also by its two parts."""
    found = words_of(name)
    for word in list(found):
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) > len(ending) + 1:
                found += [word[: -len(ending)], ending]
                break
    return found


class Vocabulary:
    """Words, found by their beginning or with one letter wrong, missing, added or swapped."""

    def __init__(self, words: Iterable[str]) -> None:
        self._sorted = sorted(set(words))
        self._without: defaultdict[str, list[str]] = defaultdict(list)
        for word in self._sorted:
            if len(word) >= MIN_FUZZY:
                for less in _deletions(word):
                    self._without[less].append(word)

    def like(self, typed: str) -> dict[str, float]:
        """word → how well it fits: 1 the word itself, less for its beginning, least for a slip."""
        found: dict[str, float] = {}
        if len(typed) >= MIN_FUZZY:
            for less in _deletions(typed):
                for word in self._without.get(less, ()):
                    if one_slip(typed, word):
                        found[word] = 0.6
        at = bisect_left(self._sorted, typed)
        while at < len(self._sorted) and self._sorted[at].startswith(typed):
            word = self._sorted[at]
            found[word] = 0.75 + 0.25 * len(typed) / len(word)
            at += 1
        return found


def _deletions(word: str) -> set[str]:
    """The word, and the word with each one of its letters left out."""
    return {word} | {word[:i] + word[i + 1 :] for i in range(len(word))}


def one_slip(first: str, second: str) -> bool:
    """Whether the words differ by at most one letter wrong, missing, added or swapped."""
    if abs(len(first) - len(second)) > 1:
        return False
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    one, two = first[start:], second[start:]
    if one == two or one[1:] == two[1:] or one[1:] == two or one == two[1:]:
        return True
    return len(one) >= 2 and one[1::-1] == two[:2] and one[2:] == two[2:]
