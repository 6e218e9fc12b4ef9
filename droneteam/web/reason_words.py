"""The reasons of the audit chain: what the system wrote, in the visitor's language.

A person's reason is kept and shown letter for letter.  Where the system writes one, the chain holds
it as it was recorded, because the hash is over it; which of its forms an action writes is known,
so that template and facts are told apart here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Flask
from flask_babel import gettext as _

from droneteam.web.custody import retained, source_words
from droneteam.web.i18n import language
from droneteam.web.looks import PURPOSES
from droneteam.web.typography import colon
from droneteam.web.words import CANCEL_REASONS, ITEM_WORDS


def entry_reason(reason: str, action: str) -> str:
    """The reason of an entry with that action; one that a person typed is left as it is."""
    told = _SAID.get(action)
    return reason if told is None else told(reason)


def _taken(reason: str) -> str:
    """What was taken into a case, and whence: "photo from sortie:1"."""
    kind, sign, source = reason.rpartition(" from ")
    if not sign or kind not in ITEM_WORDS:
        return reason
    said: str = _("%(what)s, from %(source)s", what=ITEM_WORDS[kind], source=source_words(source))
    return said


def _looked(reason: str) -> str:
    """A look's purpose, and the number that was given with it."""
    code, sign, reference = reason.partition(": ")
    if code not in PURPOSES:
        return reason
    return f"{PURPOSES[code]}{colon(language())} {reference}" if sign else str(PURPOSES[code])


def _exactly(text: str, said: Callable[[], str]) -> Callable[[str], str]:
    return lambda reason: said() if reason == text else reason


def _cancelled(reason: str) -> str:
    return str(CANCEL_REASONS.get(reason, reason))


def _displaced(reason: str) -> str:
    """Why a request lost its drone; the facts beside it say it at length."""
    numbers = reason.removeprefix(_NEEDED)
    if numbers != reason:
        return str(_("needed for request %(numbers)s", numbers=numbers))
    if reason == "it could not be kept":
        return str(_("it could not be kept"))
    if reason == "left out by the coordinator":
        return str(_("left out by the coordinator"))
    return reason


_NEEDED = "needed for request "


_SAID: Mapping[str, Callable[[str], str]] = {
    "evidence.add": _taken,
    "evidence.erase": _exactly("retention has run out", lambda: _("retention has run out")),
    "evidence.retain": retained,
    "geozones.withdraw": _exactly(
        "not in the source's new publication", lambda: _("not in the source’s new publication")
    ),
    "operator.look": _looked,
    "request.cancelled": _cancelled,
    "request.displaced": _displaced,
    "request.planned": _exactly("booked", lambda: _("booked")),
}


def init_reason_words(app: Flask) -> None:
    """The words as a template filter."""
    app.jinja_env.filters["entry_reason"] = entry_reason
