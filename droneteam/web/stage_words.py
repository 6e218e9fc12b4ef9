"""What a scene's stage is at, in the visitor's language.

Stages tell their progress in English, and their pace with it; the page has a time left of its
own, for the whole work.  `translations/progress.json` holds the sentences; a file's name is said as
it is.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources

from droneteam.sentences import Book
from droneteam.web.i18n import language
from droneteam.web.typography import typeset

_PACE = re.compile(r", (?:about [\d.]+ \S+|[\d.]+(?: \S+)? to [\d.]+ \S+) left$")
"""As `photogrammetry.pace.Pace.words` puts it."""


def stage_said(message: str) -> str:
    """The message without its pace; one that the book lacks as it was written."""
    plain, code = _PACE.sub("", message), language()
    if code == "en" or not plain:
        return plain
    form = book().one(plain, code)
    return plain if form is None else typeset(form, code)


@functools.cache
def book() -> Book:
    """The sentences of progress."""
    text = (resources.files("droneteam.web") / "translations" / "progress.json").read_text("utf-8")
    return Book(json.loads(text))
