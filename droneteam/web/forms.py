"""Reading a form: each field is checked once, and every problem is kept beside its field."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from flask_babel import gettext as _

from droneteam.web.timefmt import LocalTimeProblem, parse_local, zone

_PAIR = re.compile(r"^\s*([-+]?\d+(?:[.,]\d+)?)\s*[,;\s]\s*([-+]?\d+(?:[.,]\d+)?)\s*$")
MAX_VERTICES = 500


class FormReader:
    """The fields of a form, with the problems found while reading them.

    A field that cannot be used yields its fallback and an entry in `problems`; the caller
    looks at `problems` before it uses any value.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields
        self.problems: dict[str, str] = {}

    def raw(self, name: str) -> str:
        """What was typed, without the spaces around it."""
        return self._fields.get(name, "").strip()

    def fail(self, name: str, message: str) -> None:
        """Notes a problem; the first one of a field stays."""
        self.problems.setdefault(name, message)

    def text(self, name: str, *, required: bool = False, max_length: int = 2_000) -> str:
        """A text; control characters other than line ends are left out."""
        value = "".join(c for c in self.raw(name) if c >= " " or c in "\r\n\t")
        if required and not value:
            self.fail(name, _("Fill this in."))
        if len(value) > max_length:
            self.fail(name, _("At most %(n)s characters.", n=max_length))
        return value

    def choice(self, name: str, allowed: Iterable[str], *, fallback: str) -> str:
        """One of the allowed values; an empty field means the fallback."""
        options = list(allowed)
        value = self.raw(name) or fallback
        if value not in options:
            self.fail(name, _("Choose one of: %(options)s.", options=", ".join(options)))
            return fallback
        return value

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.raw(name).lower() in {"1", "on", "true", "yes"}

    def number(self, name: str, low: float, high: float, *, fallback: float | None = None) -> float:
        """A number within both bounds; a decimal comma is understood.

        Without a fallback an empty field is a problem.
        """
        typed = self.raw(name).replace(",", ".").replace(" ", "")
        if not typed and fallback is not None:
            return fallback
        neutral = low if fallback is None else fallback
        try:
            value = float(typed)
        except ValueError:
            self.fail(name, _("Fill in a number.") if typed else _("Fill this in."))
            return neutral
        if not (math.isfinite(value) and low <= value <= high):
            self.fail(name, _("Between %(low)s and %(high)s.", low=f"{low:g}", high=f"{high:g}"))
            return neutral
        return value

    def number_or_none(self, name: str, low: float, high: float) -> float | None:
        """A number within both bounds, None for an empty field."""
        return self.number(name, low, high) if self.raw(name).strip() else None

    def time(self, name: str, *, fallback: datetime) -> datetime:
        """A local time as UTC."""
        typed = self.raw(name)
        if not typed:
            self.fail(name, _("Fill this in."))
            return fallback
        try:
            return parse_local(typed, zone())
        except LocalTimeProblem as problem:
            if str(problem) == "gap":
                message = _("This time does not exist: the clocks go forward over it.")
            else:
                message = _("Write a date and a time, such as 2026-05-04 14:30.")
            self.fail(name, message)
            return fallback

    def day(self, name: str, *, fallback: date) -> date:
        """A day of the calendar."""
        typed = self.raw(name)
        try:
            return date.fromisoformat(typed)
        except ValueError:
            message = _("Write a date, such as 2026-05-04.") if typed else _("Fill this in.")
            self.fail(name, message)
            return fallback

    def optional_number(self, name: str, low: float, high: float) -> float | None:
        """A number within both bounds, or None for an empty field."""
        return self.number(name, low, high) if self.raw(name) else None

    def optional_time(self, name: str, *, fallback: datetime) -> datetime | None:
        """A local time as UTC, or None for an empty field."""
        return self.time(name, fallback=fallback) if self.raw(name) else None

    def whole(self, name: str, low: int, high: int, *, fallback: int | None = None) -> int:
        """A whole number within both bounds."""
        value = self.number(name, low, high, fallback=fallback)
        if value != int(value):
            self.fail(name, _("Fill in a whole number."))
        return int(value)

    def polygon(self, name: str, *, at_least: int = 3) -> tuple[tuple[float, float], ...]:
        """Corners or places (lat_deg, lon_deg), one per line; empty for an empty field."""
        corners: list[tuple[float, float]] = []
        for number, line in enumerate(self.raw(name).splitlines(), start=1):
            if not line.strip():
                continue
            pair = _corner(line)
            if pair is None:
                message = _(
                    "Line %(n)s is not “latitude, longitude” in degrees, such as 50.8197, 4.3908.",
                    n=number,
                )
                self.fail(name, message)
                return ()
            corners.append(pair)
        return self._checked(name, corners, at_least)

    def _checked(
        self, name: str, corners: list[tuple[float, float]], at_least: int
    ) -> tuple[tuple[float, float], ...]:
        if at_least >= 3 and len(corners) > 1 and corners[0] == corners[-1]:
            corners.pop()
        if corners and len(corners) < at_least:
            self.fail(
                name,
                _("An area needs at least three corners; leave it empty for a place.")
                if at_least == 3
                else _("At least %(n)s places are needed, one per line.", n=at_least),
            )
        if len(corners) > MAX_VERTICES:
            self.fail(name, _("At most %(n)s corners.", n=MAX_VERTICES))
        return tuple(corners)


def _corner(line: str) -> tuple[float, float] | None:
    match = _PAIR.match(line)
    if match is None:
        return None
    lat_deg, lon_deg = (float(text.replace(",", ".")) for text in match.groups())
    if not (-90.0 <= lat_deg <= 90.0 and -180.0 <= lon_deg <= 180.0):
        return None
    return lat_deg, lon_deg


def polygon_text(corners: Iterable[tuple[float, float]]) -> str:
    """The corners as the form shows them, one per line."""
    return "\n".join(f"{_degrees(lat_deg)}, {_degrees(lon_deg)}" for lat_deg, lon_deg in corners)


def _degrees(value: float) -> str:
    """To a centimetre, as files and MAVLink hold them; the last digit only where it says more."""
    text = f"{value:.7f}"
    return text[:-1] if text.endswith("0") else text
