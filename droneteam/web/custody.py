"""A case's custody as sentences in the visitor's language, and the words of what a case holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from droneteam.evidence.service import CaseView, CustodyView, ItemView

ITEM_KINDS: dict[str, object] = {
    "record": _l("record"),
    "flight log": _l("flight log"),
    "onboard log": _l("the drone’s own log"),
    "controller journal": _l("journal of the controller"),
    "sortie report": _l("report of the sortie"),
    "track": _l("track (GPX)"),
    "photo": _l("original photo"),
    "scene record": _l("record of the scene"),
}
SOURCES: dict[str, object] = {
    "request": _l("request %(number)s"),
    "mission": _l("mission %(number)s"),
    "sortie": _l("sortie %(number)s"),
    "scene": _l("scene %(number)s"),
    "alert": _l("alert %(number)s"),
}
_RETAINED = re.compile(r"until (\d{4}-\d\d-\d\d)(, on legal hold)?: (.*)", re.DOTALL)
"""What `evidence.service.set_retention` writes as the reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody did to the case at one time; files : those that it was done to."""

    at: datetime
    actor: str
    sentence: str
    files: tuple[ItemView, ...]


def steps(case: CaseView) -> list[Step]:
    """The custody of a case; what was done to many files at once is one step."""
    held = {item.path: item for item in case.items}
    return [_step(run, held) for run in _runs(case.custody)]


def source_words(source: str) -> str:
    """Where an item is from, such as sortie:3; a text of somebody else's stays as it is."""
    kind, _colon, number = source.partition(":")
    words = SOURCES.get(kind)
    return str(words) % {"number": number} if words is not None and number else source


def _runs(custody: Sequence[CustodyView]) -> Iterator[list[CustodyView]]:
    """Events in their order; those of one time, person and action that have a file together."""

    def key(event: CustodyView) -> tuple[object, ...]:
        one = event.action in ("add", "erase") and event.item_path is not None
        return (event.at, event.actor, event.action, None if one else event.reason)

    for _key, run in groupby(custody, key):
        yield list(run)


def _step(run: Sequence[CustodyView], held: dict[str, ItemView]) -> Step:
    first = run[0]
    paths = dict.fromkeys(event.item_path for event in run if event.item_path is not None)
    files = tuple(held[path] for path in paths if path in held)
    return Step(first.at, first.actor, _sentence(first, len(paths)), files)


def _sentence(event: CustodyView, count: int) -> str:
    said: str = f"{event.action}: {event.reason}"
    match event.action:
        case "open":
            said = _("Opened the case. Legal basis: %(reason)s", reason=event.reason)
        case "add":
            said = ngettext(
                "Took %(num)s file into the case.", "Took %(num)s files into the case.", count
            )
        case "read":
            said = _("Looked at the file: %(reason)s", reason=event.reason)
        case "export":
            said = _("Exported everything in a sealed bag: %(reason)s", reason=event.reason)
        case "take":
            said = _("Took the sealed bag %(reason)s", reason=event.reason)
        case "retain":
            said = retained(event.reason)
        case "erase":
            said = ngettext(
                "Erased %(num)s file, because it was not to be kept longer.",
                "Erased %(num)s files, because they were not to be kept longer.",
                count,
            )
    return said


def retained(reason: str) -> str:
    """What `evidence.service.set_retention` wrote, as a sentence."""
    found = _RETAINED.fullmatch(reason)
    if found is None:
        return reason
    day, basis = ".".join(reversed(found[1].split("-"))), found[3]
    said: str = _("Set that the case is kept until %(day)s: %(basis)s", day=day, basis=basis)
    if found[2]:
        said = _(
            "Put the case on legal hold, else kept until %(day)s: %(basis)s", day=day, basis=basis
        )
    return said
