"""What crews write down: late, twice, from several devices, and never lost."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.fieldlog import FieldEntry, FieldKind, FieldLog, NewEntry, joined

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def kept(n: int, item: str, value: str, user: int = 1, *, behind: bool = False) -> FieldEntry:
    kind = "check" if item else "note"
    return FieldEntry(str(n), kind, item, value, NOW, NOW, user, f"person {user}", behind)


def new(**changes: object) -> NewEntry:
    fields: dict[str, object] = {
        "key": str(uuid.uuid4()),
        "kind": FieldKind.CHECK,
        "item": "weather",
        "value": "yes",
        "at": NOW,
    }
    return NewEntry(**(fields | changes))  # type: ignore[arg-type]


def values(log: FieldLog) -> dict[str, str]:
    return {one.item: one.value for one in log.current}


def test_the_last_entry_of_an_item_counts() -> None:
    log = joined([kept(1, "weather", "yes"), kept(2, "airspace", "yes"), kept(3, "weather", "no")])
    assert values(log) == {"weather": "no", "airspace": "yes"}
    assert log.differences == ()


def test_an_entry_that_came_behind_another_changes_nothing_and_is_shown() -> None:
    log = joined([kept(1, "weather", "yes"), kept(2, "weather", "no", 2, behind=True)])
    assert values(log) == {"weather": "yes"}
    [difference] = log.differences
    assert (difference.holds.key, difference.other.key) == ("1", "2")
    assert len(log.entries) == 2


def test_of_one_person_only_the_last_entry_is_asked_about() -> None:
    behind = [kept(n, "weather", "no", 2, behind=True) for n in (2, 3)]
    log = joined([kept(1, "weather", "yes"), *behind])
    assert [one.other.key for one in log.differences] == ["3"]


@pytest.mark.parametrize("value", ["yes", "no"])
def test_whoever_decides_ends_the_difference(value: str) -> None:
    first = [kept(1, "weather", "yes"), kept(2, "weather", "no", 2, behind=True)]
    log = joined([*first, kept(3, "weather", value, 2)])
    assert values(log) == {"weather": value}
    assert log.differences == ()
    assert len(log.entries) == 3


def test_two_who_say_the_same_do_not_differ() -> None:
    log = joined([kept(1, "weather", "yes"), kept(2, "weather", "yes", 2, behind=True)])
    assert log.differences == ()


def test_notes_are_gathered_and_stand_for_no_item() -> None:
    log = joined([kept(1, "", "wind from the west"), kept(2, "", "a dog")])
    assert (len(log.entries), log.current, log.differences) == (2, (), ())


@given(
    st.lists(
        st.tuples(st.sampled_from(["weather", "airspace"]), st.booleans(), st.booleans()),
        max_size=12,
    )
)
def test_whatever_comes_is_kept_and_a_value_holds_only_if_somebody_wrote_it_in_front(
    written: list[tuple[str, bool, bool]],
) -> None:
    seen: set[str] = set()
    entries = []
    for n, (item, yes, late) in enumerate(written):
        entries.append(kept(n, item, "yes" if yes else "no", n % 3, behind=late and item in seen))
        seen.add(item)
    log = joined(entries)
    assert log.entries == tuple(entries)
    in_front = [one for one in entries if not one.behind]
    for item, group in itertools.groupby(sorted(in_front, key=lambda e: e.item), lambda e: e.item):
        assert values(log)[item] == list(group)[-1].value
    for difference in log.differences:
        assert difference.other.behind
        assert difference.other.value != difference.holds.value


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": "1"}, "key"),
        ({"item": "engine"}, "item"),
        ({"item": ""}, "item"),
        ({"value": "maybe"}, "value"),
        ({"at": datetime(2026, 5, 4)}, "at"),  # noqa: DTZ001
        ({"kind": FieldKind.TIME, "item": "take_off", "value": "soon"}, "value"),
        ({"kind": FieldKind.TIME, "item": "take_off", "value": "2026-05-04T10:00:00"}, "value"),
        ({"kind": FieldKind.TIME, "item": "weather", "value": ""}, "item"),
        ({"kind": FieldKind.NOTE, "item": "", "value": "  "}, "value"),
        ({"kind": FieldKind.DEFECT, "item": "", "value": "x" * 2001}, "value"),
        ({"kind": FieldKind.NOTE, "item": "weather", "value": "x"}, "item"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as refused:
        new(**changes)
    assert refused.value.field == field


@pytest.mark.parametrize("value", ["", "2026-05-04T10:00:00+02:00", "2026-05-04T08:00:00Z"])
def test_a_time_may_be_taken_back_and_has_an_offset(value: str) -> None:
    made = new(kind=FieldKind.TIME, item="take_off", value=value, at=NOW + timedelta(days=9))
    assert made.value == value
