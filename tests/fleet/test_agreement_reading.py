"""An agreement's members are what they must be, or refused by name before a clock rests on them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from droneteam.errors import InputError
from droneteam.fleet.agreement import sla
from droneteam.fleet.agreement.reading import Part
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.terms import PRIORITIES

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, value) of everything in the document that holds nothing else."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from leaves(value, (*path, name))
    elif isinstance(document, list) and document and isinstance(document[0], dict):
        for index, value in enumerate(document):
            yield from leaves(value, (*path, index))
    else:
        yield path, document


LEAVES = list(leaves(SLA_V1))
OTHERWISE = ("priority ", "the escalation's fractions")
"""Refusals that name what was written instead of where."""
WRONG = (None, "", "7", 1.5, -(10**18), 10**18, float("nan"), True, [], [1], {}, "abc")


def spoilt(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document: Any = copy.deepcopy(SLA_V1)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document  # type: ignore[no-any-return]


def dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in path)


@pytest.mark.parametrize(("path", "value"), LEAVES, ids=[dotted(path) for path, _ in LEAVES])
def test_a_member_of_another_kind_is_refused_by_its_name_or_runs_every_clock(
    path: tuple[Any, ...], value: Any
) -> None:
    refusals = {number: refusal_of(spoilt(path, wrong)) for number, wrong in enumerate(WRONG)}
    said = [text for text in refusals.values() if text]
    assert len(said) >= len(WRONG) - 3
    assert [text for text in said if not (dotted(path) in text or text.startswith(OTHERWISE))] == []
    for number in (number for number, text in refusals.items() if not text):
        assert isinstance(WRONG[number], int | float) == isinstance(value, int | float)
        agreement = sla.parse(spoilt(path, WRONG[number]))
        for name, clock in product(PRIORITIES, sla.CLOCKS):
            due = agreement.classes[name].target(clock)
            assert due.due_at(NOW, NOW + timedelta(days=1), agreement.hours) >= NOW


def refusal_of(document: dict[str, Any]) -> str:
    """Why the document is refused; empty where it is taken."""
    try:
        sla.parse(document)
    except InputError as error:
        return str(error)
    return ""


def test_every_leaf_of_the_reference_agreement_is_tried() -> None:
    assert len(LEAVES) > 60
    assert sla.parse(SLA_V1) == sla.parse(copy.deepcopy(SLA_V1))


def test_a_target_of_an_unknown_term_is_refused() -> None:
    with pytest.raises(InputError, match=r"no member classes\.P0\.decision\.hours"):
        sla.parse(spoilt(("classes", "P0", "decision"), {"seconds": 60, "hours": 1}))


def test_the_bounds_themselves_are_allowed() -> None:
    part = Part({"least": 3, "most": 9}, "here")
    assert (part.whole("least", 3, 9), part.whole("most", 3, 9)) == (3, 9)
    for low, high in ((4, 9), (1, 2)):
        with pytest.raises(InputError, match=rf"here\.least 3 is no whole number from {low} to"):
            part.whole("least", low, high)


def test_a_fraction_is_above_nothing_and_no_text() -> None:
    assert Part({"f": 0.5}).fraction("f") == 0.5
    for wrong in (0, -1, 11, True, "0.5", float("inf")):
        with pytest.raises(InputError, match="no number"):
            Part({"f": wrong}).fraction("f")
