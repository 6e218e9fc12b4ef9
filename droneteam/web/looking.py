"""The book of looks of the running application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from flask import current_app

from droneteam.web.context import actor, context, now
from droneteam.web.looks import LookBook, purpose_of

EXTENSION = "droneteam-looks"


def note_looks(tracks: Iterable[int], way: str) -> None:
    """Notes that whoever asks is shown the operators of these tracks."""
    _book().note(actor(), purpose_of(actor()), tracks, way, now())


def noter(way: str) -> Callable[[Iterable[int]], None]:
    """The same for a stream, which runs on when the request is over."""
    book, who, why, clock = _book(), actor(), purpose_of(actor()), context().clock
    return lambda tracks: book.note(who, why, tracks, way, clock())


def _book() -> LookBook:
    return cast(LookBook, current_app.extensions[EXTENSION])
