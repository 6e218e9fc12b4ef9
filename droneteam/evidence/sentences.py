"""What is wrong with a bag, in the reader's language (`droneteam/sentences.py`)."""

from __future__ import annotations

import functools

from droneteam.sentences import Book


def told(text: str, language: str) -> str:
    """What a check of a bag found, in nl, fr or en; what is not in the book marked [en]."""
    return _book().said(text, language)


@functools.cache
def _book() -> Book:
    return Book.read("droneteam.evidence")
