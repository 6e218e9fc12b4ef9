"""Registry and logbook as JSON and CSV: whatever goes out comes back the same."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.fleet.assets import records
from droneteam.fleet.assets.records import KINDS, BatteryRecord, PilotRow, Registry

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
TIMES = st.integers(0, 3_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**31) + 1, 2**31 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    date: st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    datetime: TIMES,
    datetime | None: st.none() | TIMES,
    date | None: st.none() | st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    float | None: st.none() | st.floats(allow_nan=False, allow_infinity=False),
    str | None: st.none() | TEXT,
    list[str]: st.lists(TEXT, max_size=4),
    list[dict[str, Any]]: st.lists(st.dictionaries(TEXT, PLAIN, max_size=3), max_size=3),
    dict[str, Any]: st.dictionaries(TEXT, PLAIN, max_size=3),
}


def of_kind(kind: type[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    hints = get_type_hints(kind)
    one = st.builds(kind, **{field.name: VALUES[hints[field.name]] for field in fields(kind)})
    return st.lists(one, max_size=3, unique_by=records.key_of).map(
        lambda rows: tuple(sorted(rows, key=lambda row: str(records.key_of(row))))
    )


REGISTRIES = st.builds(Registry, **{name: of_kind(kind) for name, kind in KINDS.items()})


@settings(max_examples=30, deadline=None)
@given(REGISTRIES)
def test_json_gives_back_what_it_was_given(registry: Registry) -> None:
    assert records.from_json(records.to_json(registry)) == registry


@settings(max_examples=30, deadline=None)
@given(REGISTRIES)
def test_csv_gives_back_what_it_was_given(registry: Registry) -> None:
    assert records.from_csv_files(records.csv_files(registry)) == registry


@given(st.text(max_size=200))
def test_any_text_is_a_registry_or_an_input_error(noise: str) -> None:
    for read in (records.from_json, lambda text: records.from_csv(text, PilotRow)):
        try:
            read(noise)
        except InputError:
            continue


def test_the_parts_are_exactly_the_registrys_fields() -> None:
    assert list(KINDS) == [field.name for field in fields(Registry)]


PACK = BatteryRecord("TB65 01", "TB65", 11, 99, datetime(2026, 5, 4, 8, 0, tzinfo=UTC))


def document(**changes: object) -> str:
    good = json.loads(records.to_json(Registry(batteries=(PACK,))))
    good["batteries"][0] |= changes
    return json.dumps(good)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cycles": "11"}, "batteries 1: cycles"),
        ({"cycles": True}, "cycles"),
        ({"cycles": 1.5}, "cycles"),
        ({"cycles": 2**40}, "too large"),
        ({"label": None}, "label"),
        ({"charged_at": "2026-05-04T08:00:00"}, "no time zone"),
        ({"charged_at": "yesterday"}, "no datetime"),
        ({"colour": "red"}, "'colour' is missing or unknown"),
    ],
)
def test_a_wrong_member_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        records.from_json(document(**changes))


def test_a_file_of_an_earlier_release_lacks_what_came_later_and_is_read() -> None:
    earlier = json.loads(document())
    del earlier["batteries"][0]["retired_at"]
    del earlier["drone_models"]
    assert records.from_json(json.dumps(earlier)).batteries == (PACK,)
    head, *lines = records.to_csv((PACK,), BatteryRecord).splitlines()
    cut = "\n".join(line.rpartition(",")[0] for line in (head, *lines))
    assert records.from_csv(cut, BatteryRecord) == (PACK,)
    twice = head.replace("retired_at", "cycles")
    with pytest.raises(InputError, match="header"):
        records.from_csv(twice, BatteryRecord)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "no registry"),
        ("[]", "no registry"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"format": "droneteam-registry-1", "drones": {}}', "drones is no list"),
        ('{"format": "droneteam-registry-1", "drones": [1]}', "no object"),
        ('{"format": "droneteam-registry-1", "zebras": []}', "zebras"),
        ('{"format": "droneteam-registry-1", "drones": [NaN]}', "no number"),
    ],
)
def test_what_is_no_registry_says_so(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        records.from_json(text)


def test_a_key_given_twice_is_an_error_and_names_it() -> None:
    twice = Registry(batteries=(PACK, replace(PACK, cycles=12)))
    with pytest.raises(InputError, match="TB65 01 twice"):
        records.from_json(records.to_json(twice))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header"),
        ("name,colour\r\na,b\r\n", "header"),
        ("name,active\r\nonly one\r\n", "line 2 has 1 cells"),
        ("name,active\r\nx,perhaps\r\n", "line 2"),
        ("name,active\r\nx,1\r\n", "active"),
        ('name,active\r\n"x"y,true\r\n', "line"),
    ],
)
def test_a_wrong_csv_names_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        records.from_csv(text, PilotRow)


def test_columns_may_come_in_any_order_and_after_a_byte_order_mark() -> None:
    assert records.from_csv("\ufeffactive,name\r\ntrue,x\r\n", PilotRow) == (PilotRow("x", True),)
    with pytest.raises(InputError, match=r"zebras\.csv"):
        records.from_csv_files({"zebras.csv": ""})
