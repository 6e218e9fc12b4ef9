"""The items of a case in groups: every one is on exactly one page, and what is sought is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from droneteam.evidence.service import ItemView
from droneteam.web.case_items import FOLDERS, PAGE_ROWS, ItemGroup, groups
from tests.web.conftest import NOW


def item(number: int, path: str) -> ItemView:
    sha256 = f"{number:064x}"[::-1]
    return ItemView(number, path, "photo", "sortie:2", sha256, 10 + number, NOW, "A", {}, None)


def case_of(counts: dict[str, int]) -> list[ItemView]:
    paths = [f"{name}/file-{n:04}.jpg" for name, count in counts.items() for n in range(count)]
    return [item(number, path) for number, path in enumerate(paths)]


def pages(items: list[ItemView], folder: str) -> list[ItemGroup]:
    """Every page of a folder, turned as its links say."""
    found, start = [], 0
    while True:
        (page,) = (one for one in groups(items, "", folder, start) if one.folder == folder)
        found.append(page)
        if page.later is None:
            return found
        start = page.later


COUNTS = st.dictionaries(st.sampled_from([*FOLDERS, "handed-over"]), st.integers(1, 130))


@given(COUNTS)
def test_turning_the_pages_of_every_folder_shows_every_item_once(counts: dict[str, int]) -> None:
    items = case_of(counts)
    shown = []
    for group in groups(items):
        turned = pages(items, group.folder)
        rows = [row for page in turned for row in page.shown]
        assert [page.first for page in turned] == list(range(1, len(rows) + 1, PAGE_ROWS))
        assert [page.earlier for page in turned[1:]] == [page.first - 1 for page in turned[:-1]]
        assert turned[0].earlier is None
        assert {(page.n_items, page.size_bytes) for page in turned} == {
            (len(rows), sum(row.size_bytes for row in rows))
        }
        assert all(0 < len(page.shown) <= PAGE_ROWS for page in turned)
        shown += rows
    assert sorted(row.id for row in shown) == [row.id for row in items]


@given(COUNTS, st.sampled_from(["7", "FILE-001", "photos/", "zz", "", "  0012 "]))
def test_what_is_sought_is_what_a_plain_search_finds(counts: dict[str, int], find: str) -> None:
    items = case_of(counts)
    wanted = {row.id for row in items if find.strip().lower() in row.path.lower()}
    wanted |= {row.id for row in items if find.strip() and row.sha256.startswith(find.strip())}
    found = groups(items, find)
    assert sum(group.n_items for group in found) == len(wanted)
    assert {row.id for group in found for row in group.shown} <= wanted
    if find.strip():
        assert all(group.unfolded for group in found)


def test_a_small_case_is_unfolded_and_a_large_one_only_where_its_page_was_turned() -> None:
    assert [one.unfolded for one in groups(case_of({"logs": 2, "photos": 13}))] == [True, True]
    items = case_of({"photos": 120, "scene": 20, "elsewhere": 1})
    assert [(one.folder, one.unfolded) for one in groups(items)] == [
        ("photos", False),
        ("scene", False),
        ("elsewhere", False),
    ]
    turned = groups(items, "", "photos", 10_000)[0]
    assert turned.unfolded
    assert (turned.first, len(turned.shown), turned.later) == (101, 20, None)
    before = groups(items, "", "photos", -5)[0]
    assert (before.first, len(before.shown)) == (1, PAGE_ROWS)
