"""What is said of photos, told once where many of them have the same fault.

A card of 300 photos without a fix would otherwise fill a page with one sentence and hide the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

FOLD_FROM = 4
"""So many photos with the same fault become one sentence."""
SHOWN_NAMES = 6
"""As many names are given in it; of more, the first and the last."""
BETWEEN_FAULTS = " · "
"""Between sentences of `told` in a list."""
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w|\.\w)")
"""A number that stands alone: those within file names tell photos apart and are no amounts."""

ONE_FAULT, MANY_FAULTS = "{name}: {what}", "each of {n} photos {what} ({names})"
ONE_LOST, MANY_LOST = "{name} has no place: {what}", "{n} photos have no place: {what} ({names})"


def told(
    said: Iterable[tuple[str, str]], one: str = ONE_FAULT, many: str = MANY_FAULTS
) -> list[str]:
    """Sentences for (photo, what is said of it), the same fault of many photos as one of them.

    Sentences that differ in their numbers only are the same fault; the numbers become a range.
    one : with {name} and {what}; many : with {n}, {what} and {names}.
    """
    alike: dict[str, list[tuple[str, str]]] = {}
    for name, what in said:
        alike.setdefault(_NUMBER.sub("#", what), []).append((name, what))
    sentences: list[str] = []
    for rows in alike.values():
        if len(rows) < FOLD_FROM:
            sentences += [one.format(name=name, what=what) for name, what in rows]
            continue
        what = _with_ranges([text for _, text in rows])
        names = shortened([name for name, _ in rows])
        sentences.append(many.format(n=len(rows), what=what, names=names))
    return sentences


def shortened(names: Sequence[str]) -> str:
    """The names with commas; of many, the first ones and the last."""
    if len(names) <= SHOWN_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: SHOWN_NAMES - 1])} … {names[-1]}"


def _with_ranges(texts: Sequence[str]) -> str:
    """The first text, with lowest–highest in place of each number that differs among them."""
    columns = list(zip(*(_NUMBER.findall(text) for text in texts), strict=True))
    ranges = iter([_range(column) for column in columns])
    return _NUMBER.sub(lambda _: next(ranges), texts[0])


def _range(values: Sequence[str]) -> str:
    low, high = min(values, key=float), max(values, key=float)
    return low if float(low) == float(high) else f"{low}–{high}"
