"""Lists that grow for years, piece by piece: in pages and in the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from apiflask import Schema, fields
from apiflask.validators import Range
from flask import request

from droneteam.db import Piece
from droneteam.web.routing import MAX_ID

PAGE_ROWS = 50
"""Of what is over; what is open is shown whole."""
MAX_ITEMS = 1000


class Numbered(Protocol):
    """A row of a list."""

    @property
    def id(self) -> int:
        """Its number."""


Row = TypeVar("Row", bound=Numbered)


def piece_query(items: int) -> type[Schema]:
    """The query of a list in the API; items : how many come where no limit is asked for."""
    about = {"description": "Only what has a smaller number: `next_before_id` of the last answer."}
    members = {
        "before_id": fields.Integer(validate=Range(1, MAX_ID), metadata=about),
        "limit": fields.Integer(load_default=items, validate=Range(1, MAX_ITEMS)),
    }
    return type(f"PieceOf{items}", (Schema,), {"__doc__": "Which piece of the list.", **members})


def answer_piece(
    query: Mapping[str, Any], read: Callable[[Piece], Sequence[Row]]
) -> dict[str, Any]:
    """The piece that the query asks for, and where the next one begins if there is one."""
    rows, next_id = cut(read, query.get("before_id"), query["limit"])
    return {"items": rows} if next_id is None else {"items": rows, "next_before_id": next_id}


def page_piece(read: Callable[[Piece], Sequence[Row]]) -> tuple[Sequence[Row], int | None]:
    """A page's rows as its address asks for them, and the `before` of the next page."""
    return cut(read, asked_before(), PAGE_ROWS)


def asked_before() -> int | None:
    """The number below which the address asks for rows; None on the first page."""
    before = request.args.get("before", type=int)
    return before if before is not None and 0 < before <= MAX_ID else None


def cut(
    read: Callable[[Piece], Sequence[Row]], before_id: int | None, limit: int
) -> tuple[Sequence[Row], int | None]:
    """At most `limit` rows, and the number of the last where there are more below it."""
    rows = read(Piece(before_id, limit + 1))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None
