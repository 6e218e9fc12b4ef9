"""What an error says, in the visitor's language.

The errors of planning, of its files and of its rules carry a template with their facts
(`droneteam/errors.py`); the templates are in the catalogues like any other text of the pages.
"""

from __future__ import annotations

import json
import re
import string
from typing import Any
from xml.etree import ElementTree

from flask_babel import gettext

from droneteam.errors import DroneteamError
from droneteam.web.i18n import language

_NO_NUMBER = re.compile(r"could not convert string to float: (?P<text>.*)", re.DOTALL)
_LONGEST = 200
"""Characters of another library's words that are quoted."""


def _(text: str, /, **facts: object) -> str:
    """The text in the visitor's language, with its facts."""
    return str(gettext(text, **facts))


class _Facts(string.Formatter):
    """Formats as `str.format` does, numbers with the decimal comma of the language."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(format(value, format_spec))
        return text.translate(_COMMA) if isinstance(value, int | float) else text


_COMMA = str.maketrans(",.", "\u202f,")
"""From the English signs of numbers: a narrow space between thousands."""


def error_said(error: Exception) -> str:
    """What the error says; one whose words are not in the catalogues says it in English."""
    if not isinstance(error, DroneteamError):
        return _foreign(error)
    template = _(error.template)
    if not error.facts:
        return template
    facts = {
        name: error_said(fact) if isinstance(fact, Exception) else fact
        for name, fact in error.facts.items()
    }
    formatter = string.Formatter() if language() == "en" else _Facts()
    return formatter.vformat(template, (), facts)


def is_known(error: DroneteamError) -> bool:
    """Whether `error_said` finds the error's words, or those of its reasons, in the catalogues."""
    reasons = any(isinstance(fact, Exception) for fact in error.facts.values())
    return reasons or _(error.template) != error.template


def _foreign(error: Exception) -> str:
    """Another library's error: what it found and where, as far as it can be told."""
    no_number = _NO_NUMBER.fullmatch(str(error))
    if no_number:
        return _("%(text)s is not a number", text=no_number["text"][:_LONGEST])
    if isinstance(error, json.JSONDecodeError):
        return _("line %(line)s, column %(column)s", line=error.lineno, column=error.colno)
    if isinstance(error, ElementTree.ParseError):
        line, column = error.position
        return _("line %(line)s, column %(column)s", line=line, column=column + 1)
    if isinstance(error, UnicodeDecodeError):
        return _("at byte %(byte)s", byte=error.start)
    return _("what stands there cannot be read (%(text)s)", text=str(error)[:_LONGEST])
