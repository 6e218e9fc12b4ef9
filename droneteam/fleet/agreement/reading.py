"""Members of an agreement's document, each read as exactly what it must be (pure).

An agreement rules every clock from the moment it holds.  A number in quotes or a false that is a
text would be stored today and fail tomorrow, when a zone asks for help; so nothing is converted,
everything is refused by its name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from droneteam.errors import InputError


@dataclass(frozen=True, slots=True)
class Part:
    """An object within the document; path : its dotted name, empty for the whole."""

    members: Mapping[str, Any]
    path: str = ""

    def name(self, member: str) -> str:
        """The member's dotted name."""
        return f"{self.path}.{member}" if self.path else member

    def has(self, member: str) -> bool:
        """Whether the member is there."""
        return member in self.members

    def value(self, member: str) -> Any:
        """What the member holds; InputError where it is missing."""
        if member not in self.members:
            raise InputError(f"the agreement lacks {self.name(member)}", field=self.name(member))
        return self.members[member]

    def part(self, member: str) -> Part:
        """The object that the member holds."""
        return part_of(self.value(member), self.name(member))

    def whole(self, member: str, low: int, high: int) -> int:
        """A whole number within both bounds."""
        value = self.value(member)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(member, f"no whole number from {low} to {high}")
        return value

    def fraction(self, member: str) -> float:
        """A number above 0 and at most 10."""
        value = self.value(member)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(member, "no number")
        if not (math.isfinite(value) and 0.0 < value <= 10.0):
            raise self.wrong(member, "no number above 0 and at most 10")
        return float(value)

    def flag(self, member: str) -> bool:
        """True or false."""
        value = self.value(member)
        if not isinstance(value, bool):
            raise self.wrong(member, "neither true nor false")
        return value

    def text(self, member: str) -> str:
        """A text that is not empty."""
        value = self.value(member)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(member, "no text")
        return value

    def texts(self, member: str) -> tuple[str, ...]:
        """A list of texts, none of them twice."""
        value = self.value(member)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(member, "no list of texts")
        if len(set(value)) < len(value):
            raise self.wrong(member, "a list that holds something twice")
        return tuple(value)

    def parts(self, member: str) -> tuple[Part, ...]:
        """A list of objects."""
        value = self.value(member)
        if not isinstance(value, list):
            raise self.wrong(member, "no list")
        return tuple(part_of(one, f"{self.name(member)}.{n}") for n, one in enumerate(value, 1))

    def wall_time(self, member: str) -> time:
        """A time of day such as 07:00."""
        value = self.value(member)
        try:
            found = time.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.wrong(member, "no time of day such as 07:00") from None
        if found.tzinfo is not None:
            raise self.wrong(member, "no time of day such as 07:00")
        return found

    def wrong(self, member: str, why: str) -> InputError:
        """The error that the member is not what it must be."""
        value = self.members[member]
        return InputError(f"{self.name(member)} {value!r} is {why}", field=self.name(member))


def part_of(value: object, path: str) -> Part:
    """The object as a part; InputError where it is none."""
    if not isinstance(value, Mapping):
        raise InputError(f"{path or 'the agreement'} is no object", field=path or "document")
    return Part(value, path)
