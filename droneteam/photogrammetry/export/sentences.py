"""What the stages say in English, in the report's language.

The stages write their warnings and remarks once, in English, with the facts in them; scene.json
and the logs keep them so.  `sentences.json` holds each as a pattern with its Dutch and French
forms (`droneteam/sentences.py`).
"""

from __future__ import annotations

import functools

from droneteam.photogrammetry.export.numbers import Language
from droneteam.photogrammetry.ingest.photo_words import BETWEEN_FAULTS
from droneteam.sentences import UNTRANSLATED, Book

__all__ = ["UNTRANSLATED", "translated"]


def translated(text: str, language: Language) -> str:
    """One sentence, or several joined by "; " or as a list of faults, in the language."""
    return _book().said(text, language)


@functools.cache
def _book() -> Book:
    return Book.read("droneteam.photogrammetry.export", BETWEEN_FAULTS)
