"""One table of a configuration, read key by key: every error says where, and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from droneteam.detection.sources.secret import Secret
from droneteam.errors import InputError

_Value = TypeVar("_Value")
_WORDS = {str: "text", float: "a number", int: "a whole number", bool: "true or false"}


@dataclass(slots=True)
class Table:
    """A table's values and where it stands.

    where : names the table for messages; line_of : the line of a key, None where it is not known.
    folder : what relative paths are relative to.
    """

    values: Mapping[str, Any]
    where: str
    folder: Path = field(default_factory=Path)
    line_of: Callable[[str], int | None] = lambda _key: None
    _read: set[str] = field(default_factory=set)

    def wrong(self, key: str, problem: str) -> InputError:
        """An error at a key."""
        line = self.line_of(key)
        place = self.where if line is None else f"{self.where}, line {line}"
        return InputError(f"{place}: {key}: {problem}", field=key)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self.values

    def text(self, key: str, default: str | None = None) -> str:
        """A text; it must be there when it has no default."""
        return self._typed(key, str, default)

    def number(self, key: str, default: float | None = None) -> float:
        """A number."""
        return self._typed(key, float, default)

    def optional_number(self, key: str) -> float | None:
        """A number, or None where it is not there."""
        return self.number(key) if self.has(key) else None

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        return self._typed(key, int, default)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return self._typed(key, bool, default)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self._list(key, str, default))

    def numbers(self, key: str, count: int) -> list[float]:
        """A list of so many numbers."""
        found: list[float] = self._list(key, float, None)
        if len(found) != count:
            raise self.wrong(key, f"a list of {count} numbers, not of {len(found)}")
        return found

    def path(self, key: str) -> Path | None:
        """A file's path, or None where it is not there."""
        return self.folder / self.text(key) if self.has(key) else None

    def secret(self, key: str) -> Secret | None:
        """Where a secret is kept, or None where it is not there."""
        if not self.has(key):
            return None
        named = self.convert(key, Secret.parse, self.text(key))
        # Path's own rule: an absolute path stays what it is.
        place = str(self.folder / named.place) if named.form == "file" else named.place
        return Secret(named.form, place)

    def convert(self, key: str, made: Callable[[str], _Value], text: str) -> _Value:
        """What a function makes of a key's text; its error is the key's."""
        try:
            return made(text)
        except InputError as error:
            raise self.wrong(key, str(error)) from None

    def build(self, made: Callable[[], _Value]) -> _Value:
        """What is made of the whole table, once every key was read.

        Raises
        ------
        InputError
            A key that nobody reads, or a value that cannot be.
        """
        unknown = sorted(self.values.keys() - self._read)
        if unknown:
            known = ", ".join(sorted(self._read))
            raise self.wrong(unknown[0], f"is not a key here; there are {known}")
        try:
            return made()
        except InputError as error:
            raise self.wrong(error.field or "", str(error)) from None

    def _list(self, key: str, kind: type[_Value], default: tuple[_Value, ...] | None) -> Any:
        self._read.add(key)
        if key not in self.values and default is not None:
            return default
        found = self._required(key)
        if not isinstance(found, list):
            raise self.wrong(key, f"a list is needed, not {found!r}")
        return [self._checked(key, one, kind) for one in found]

    def _typed(self, key: str, kind: type[_Value], default: _Value | None) -> _Value:
        self._read.add(key)
        if key not in self.values and default is not None:
            return default
        return self._checked(key, self._required(key), kind)

    def _required(self, key: str) -> Any:
        if key not in self.values:
            raise self.wrong(key, "is missing")
        return self.values[key]

    def _checked(self, key: str, value: Any, kind: type[_Value]) -> _Value:
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"{_WORDS[kind]} is needed, not {value!r}")
        return value
