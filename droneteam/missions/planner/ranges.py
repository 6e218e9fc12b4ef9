"""Parameters within their ranges, refused by name."""

from __future__ import annotations

from droneteam.errors import InputError


def check_range(field: str, value: float, low: float, high: float) -> None:
    """Refuses a value outside its range, by name."""
    if not low <= value <= high:  # also rejects NaN
        raise InputError(
            "{name} {value} outside [{low:g}, {high:g}]",
            field=field,
            name=field,
            value=value,
            low=low,
            high=high,
        )
