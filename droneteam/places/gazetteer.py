"""Text → places: streets with house numbers, crossings, names of places, coordinates (pure).

A match says how far off it may be, `radius_m`: a few metres for a house, half of a street's length
for a street of which nothing more is known.  Whoever asks decides whether that is enough.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from droneteam.geo import FloatArray, great_circle_distance_m
from droneteam.places.coordinates import read_coordinates
from droneteam.places.names import COMMON, Vocabulary, index_words, words_of

Kind = Literal["address", "crossing", "street", "name", "coordinates"]
Numbers = Callable[[int], Mapping[str, tuple[float, float]]]
"""House number → (lat_deg, lon_deg) of a street's id."""

MOST = 8
"""Matches that are shown at once."""
HOUSE_RADIUS_M = 15.0
CROSSING_M = 120.0
"""Two streets whose nearest houses are farther apart do not cross."""
LONGEST_TEXT = 200
_CROSSING = re.compile(r"\s*(?:/|&|\+|\bx\b|\bcoin\b|\bhoek\b|\bangle\b)\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}[a-z]{0,2}")
_NEAREST_NUMBERS = 3
"""So many streets are looked through for a house number, the best fitting first."""
_CROSSED = 4
"""So many streets are tried on each side of a crossing."""
_LEAST_SHARE = 0.55
"""Of what was typed, weighted, that a place must account for."""


@dataclass(frozen=True, slots=True)
class Street:
    """A street in one municipality; radius_m reaches from the middle to its farthest house."""

    id: int
    name_fr: str
    name_nl: str
    town_fr: str
    town_nl: str
    postcode: str
    lat_deg: float
    lon_deg: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Named:
    """A place with a name of its own: a municipality, a park, a square, a canal."""

    name_fr: str
    name_nl: str
    lat_deg: float
    lon_deg: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Match:
    """A place that the text may mean; the best one comes first.

    radius_m : how far from there the place may be; note : the house number that stands in for the
    one that was typed, empty where none does.
    """

    kind: Kind
    label: str
    lat_deg: float
    lon_deg: float
    radius_m: float
    note: str = ""


class Gazetteer:
    """Streets and named places, ready to be searched; built once, never changed."""

    def __init__(self, streets: Iterable[Street], named: Iterable[Named] = ()) -> None:
        self._places: tuple[Street | Named, ...] = (*streets, *named)
        self._found_under: defaultdict[str, set[int]] = defaultdict(set)
        self._own_words: list[frozenset[str]] = []
        for at, place in enumerate(self._places):
            own = frozenset(index_words(place.name_fr) + index_words(place.name_nl))
            self._own_words.append(own)
            for word in own | _town_words(place):
                self._found_under[word].add(at)
        self._vocabulary = Vocabulary(self._found_under)

    def __len__(self) -> int:
        return len(self._places)

    def search(self, text: str, language: str, numbers: Numbers) -> tuple[Match, ...]:
        """At most MOST places that the text may mean, the most likely first.

        language : fr or nl names a place in that language, any other in both.
        """
        text = text.strip()[:LONGEST_TEXT]
        at = read_coordinates(text)
        if at is not None:
            return (Match("coordinates", f"{at[0]:.6f}, {at[1]:.6f}", *at, 0.0),)
        sides = [side for side in _CROSSING.split(text) if side.strip()]
        if len(sides) == 2:
            crossings = self._crossings(sides[0], sides[1], language, numbers)
            if crossings:
                return crossings
        return self._by_words(text, language, numbers)

    def _by_words(self, text: str, language: str, numbers: Numbers) -> tuple[Match, ...]:
        typed = words_of(text)
        house = _house_number(typed, self._found_under)
        ranked = self._ranked([word for word in typed if word != house])
        found = []
        for order, place in enumerate(ranked[:MOST]):
            if house and isinstance(place, Street) and order < _NEAREST_NUMBERS:
                found.append(_house(place, house, language, numbers(place.id)))
            else:
                found.append(_whole(place, language))
        return tuple(found)

    def _ranked(self, typed: Sequence[str]) -> list[Street | Named]:
        """The places that account for most of what was typed, the best first."""
        if not typed:
            return []
        scores: defaultdict[int, float] = defaultdict(float)
        total = 0.0
        for word in typed:
            weight = 0.15 if word in COMMON else 1.0
            total += weight
            best: dict[int, float] = {}
            for known, fit in self._vocabulary.like(word).items():
                for at in self._found_under[known]:
                    own = fit if known in self._own_words[at] else 0.7 * fit
                    best[at] = max(best.get(at, 0.0), own)
            for at, fit in best.items():
                scores[at] += weight * fit
        kept = [(at, score) for at, score in scores.items() if score >= _LEAST_SHARE * total]
        kept.sort(key=lambda one: (-round(one[1], 3), self._length(one[0]), one[0]))
        return [self._places[at] for at, _ in kept]

    def _length(self, at: int) -> int:
        """Of two places that fit alike the shorter name leaves less unsaid."""
        place = self._places[at]
        return min(len(place.name_fr or place.name_nl), len(place.name_nl or place.name_fr))

    def _crossings(
        self, first: str, second: str, language: str, numbers: Numbers
    ) -> tuple[Match, ...]:
        found = []
        for one in self._streets(first):
            for other in self._streets(second):
                if one.id == other.id or _apart_m(one, other) > one.radius_m + other.radius_m:
                    continue
                place = _crossing(one, other, language, numbers)
                if place is not None:
                    found.append(place)
        return tuple(sorted(found, key=lambda match: match.radius_m)[:MOST])

    def _streets(self, text: str) -> list[Street]:
        ranked = self._ranked(words_of(text))
        return [place for place in ranked if isinstance(place, Street)][:_CROSSED]


def _town_words(place: Street | Named) -> frozenset[str]:
    if isinstance(place, Named):
        return frozenset()
    return frozenset([*words_of(place.town_fr), *words_of(place.town_nl), place.postcode])


def _house_number(typed: Sequence[str], known: Mapping[str, set[int]]) -> str:
    """The last word that can be a house number and is no postcode; empty where none is."""
    for word in reversed(typed[1:] if len(typed) > 1 else ()):
        if _NUMBER.fullmatch(word) and not (len(word) == 4 and word in known):
            return word
    return typed[0] if len(typed) > 1 and _NUMBER.fullmatch(typed[0]) else ""


def _whole(place: Street | Named, language: str) -> Match:
    kind: Kind = "street" if isinstance(place, Street) else "name"
    return Match(kind, label(place, language), place.lat_deg, place.lon_deg, place.radius_m)


def label(place: Street | Named, language: str, house: str = "") -> str:
    """How the place is called: "Avenue de la Couronne 227, 1050 Ixelles"."""
    number = f" {house}" if house else ""
    name = _in_language(place.name_fr, place.name_nl, language, number)
    if isinstance(place, Named):
        return name
    town = _in_language(place.town_fr, place.town_nl, language)
    return f"{name}, {place.postcode} {town}".strip(" ,")


def _in_language(french: str, dutch: str, language: str, number: str = "") -> str:
    names = {"fr": (french or dutch,), "nl": (dutch or french,)}.get(language, (french, dutch))
    return " · ".join(f"{name}{number}" for name in dict.fromkeys(names) if name)


def _house(
    street: Street, house: str, language: str, numbers: Mapping[str, tuple[float, float]]
) -> Match:
    """The house, or the nearest number of its side, or the street where it has none."""
    if house in numbers:
        return Match("address", label(street, language, house), *numbers[house], HOUSE_RADIUS_M)
    wanted = _value(house)
    near = sorted(
        (abs(_value(number) - wanted), number)
        for number in numbers
        if _value(number) % 2 == wanted % 2
    )
    if not near:
        return _whole(street, language)
    apart, number = near[0]
    lat_deg, lon_deg = numbers[number]
    radius_m = min(street.radius_m, HOUSE_RADIUS_M + 10.0 * apart)
    return Match("address", label(street, language, number), lat_deg, lon_deg, radius_m, house)


def _value(number: str) -> int:
    digits = re.match(r"\d+", number)
    return int(digits.group()) if digits else 0


def _apart_m(one: Street, other: Street) -> float:
    return great_circle_distance_m(one.lat_deg, one.lon_deg, other.lat_deg, other.lon_deg)


def _crossing(one: Street, other: Street, language: str, numbers: Numbers) -> Match | None:
    """Half way between the two nearest houses of the two streets; None where they are far apart."""
    first, second = (
        np.array(list(numbers(street.id).values()), dtype=np.float64).reshape(-1, 2)
        for street in (one, other)
    )
    if not len(first) or not len(second):
        return None
    apart = _distances_m(first, second)
    row, column = np.unravel_index(int(np.argmin(apart)), apart.shape)
    nearest_m = float(apart[row, column])
    if nearest_m > CROSSING_M:
        return None
    lat_deg, lon_deg = (first[row] + second[column]) / 2.0
    name = " / ".join(
        _in_language(street.name_fr, street.name_nl, language) for street in (one, other)
    )
    town = _in_language(one.town_fr, one.town_nl, language)
    radius_m = max(HOUSE_RADIUS_M, nearest_m)
    text = f"{name}, {one.postcode} {town}"
    return Match("crossing", text, float(lat_deg), float(lon_deg), radius_m)


def _distances_m(first: FloatArray, second: FloatArray) -> FloatArray:
    """(n, m) metres between two lists of (lat_deg, lon_deg) a few kilometres apart."""
    per_degree = math.pi / 180.0 * 6_371_008.8
    scale = np.array([per_degree, per_degree * math.cos(math.radians(float(first[0, 0])))])
    offsets = (first[:, None, :] - second[None, :, :]) * scale
    return np.asarray(np.hypot(offsets[..., 0], offsets[..., 1]))
