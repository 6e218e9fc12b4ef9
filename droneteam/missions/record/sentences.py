"""What is recorded of a sortie, in the reader's language.

The controller's journal, the packet log and the sortie's row hold English sentences, as evidence;
`sentences.json` holds each as a pattern with its Dutch and French forms
(`droneteam/sentences.py`); the messages that were about to be sent get words first (`intents.py`).
What the vehicle itself said (STATUSTEXT) stays in its own words.
"""

from __future__ import annotations

import functools

from droneteam.missions.record.intents import in_words
from droneteam.sentences import Book

OWN_WORDS = frozenset({"text", "mode"})
"""Kinds of events whose detail is the vehicle's own word: what it announced, and its mode."""


def told(text: str, language: str) -> str:
    """A recorded sentence in nl, fr or en; one that is not in the book marked [en]."""
    return _book().said(in_words(text), language)


def kind_told(kind: str, language: str) -> str:
    """The kind of an event or of a line of the journal, as a word."""
    return _book().word("event", kind, language)


@functools.cache
def _book() -> Book:
    return Book.read("droneteam.missions.record")
