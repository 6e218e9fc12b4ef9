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
    if language == "en" or BETWEEN_FAULTS not in text:
        return _book().said(text, language)
    rows = [translated(row, language) for row in text.split(BETWEEN_FAULTS)]
    if any(UNTRANSLATED in row for row in rows):
        return _book().one(text, language) or UNTRANSLATED + text
    return BETWEEN_FAULTS.join(rows)


@functools.cache
def _book() -> Book:
    return Book.read("droneteam.photogrammetry.export")
