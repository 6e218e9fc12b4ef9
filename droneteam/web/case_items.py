"""What a case holds, in groups to be opened: by folder, searched, page by page; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l

from droneteam.evidence.service import ItemView

FOLDERS: dict[str, object] = {
    "documents": _l("Records"),
    "logs": _l("Logs of flights"),
    "photos": _l("Original photos"),
    "reports": _l("Reports of sorties"),
    "scene": _l("Scenes and their products"),
}
"""The folders that gathering fills, in the order in which things happen; others come after."""
PAGE_ROWS = 50
OPEN_UP_TO = 15
"""A case of so few items is shown unfolded."""


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """The items of one folder.

    shown : one page of them, of which the first is number `first` (from 1);
    earlier, later : where the page before and the next begin (from 0), None where there is none.
    """

    folder: str
    n_items: int
    size_bytes: int
    shown: tuple[ItemView, ...]
    first: int
    earlier: int | None
    later: int | None
    unfolded: bool

    @property
    def label(self) -> str:
        """The folder in the visitor's language; its own name where it is nobody's."""
        return str(FOLDERS.get(self.folder, self.folder))


def groups(
    items: Sequence[ItemView], find: str = "", turned: str = "", start: int = 0
) -> list[ItemGroup]:
    """The items by folder, known folders first.

    find : only items whose path or SHA-256 holds it, in whatever case; what is found is unfolded
    turned, start : the folder whose page was turned, and the row where its page begins
    """
    found = [item for item in items if _fits(item, find)]
    by_folder: dict[str, list[ItemView]] = {name: [] for name in FOLDERS}
    for item in found:
        by_folder.setdefault(_folder(item.path), []).append(item)
    all_open = bool(find.strip()) or len(found) <= OPEN_UP_TO
    return [
        _group(name, rows, start if name == turned else 0, all_open or name == turned)
        for name, rows in by_folder.items()
        if rows
    ]


def _fits(item: ItemView, find: str) -> bool:
    wanted = find.strip().casefold()
    return wanted in item.path.casefold() or (bool(wanted) and item.sha256.startswith(wanted))


def _folder(path: str) -> str:
    return path.rpartition("/")[0].partition("/")[0]


def _group(folder: str, rows: Sequence[ItemView], start: int, unfolded: bool) -> ItemGroup:
    """One page of a folder's rows; a start beyond them is the last page's."""
    begin = min(max(start, 0), len(rows) - 1) // PAGE_ROWS * PAGE_ROWS
    end = begin + PAGE_ROWS
    return ItemGroup(
        folder=folder,
        n_items=len(rows),
        size_bytes=sum(row.size_bytes for row in rows),
        shown=tuple(rows[begin:end]),
        first=begin + 1,
        earlier=begin - PAGE_ROWS if begin else None,
        later=end if end < len(rows) else None,
        unfolded=unfolded,
    )
