"""The pages that a role finds in its menu, in the order of its work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import current_app, request, url_for
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from droneteam.accounts import Actor
from droneteam.web.access import access_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu; administration : it stands in the menu of that name."""

    label: str
    url: str
    here: bool
    administration: bool = False


_PAGES = (
    ("requests.index", _l("Requests")),
    ("requests.new", _l("New request")),
    ("board.show", _l("Board")),
    ("missions.index", _l("Missions")),
    ("live.show", _l("Live map")),
    ("history.show", _l("History")),
    ("alerts.index", _l("Alerts")),
    ("scenes.index", _l("Scenes")),
    ("cases.index", _l("Cases")),
    ("registry.show", _l("Registry")),
    ("agreement.show", _l("Agreement")),
    ("statistics.index", _l("Figures")),
    ("calendars.index", _l("Calendars")),
)
_MENU_FROM = 3
"""Fewer pages of administration stand among the others."""
_ADMINISTRATION = (
    ("geozones.index", _l("Geographical zones")),
    ("people.index", _l("People")),
    ("organisations.index", _l("Organisations")),
    ("webhooks.index", _l("Webhooks")),
    ("operations.show", _l("Operations")),
    ("privacy.show", _l("Privacy")),
    ("audit.index", _l("Audit")),
)


def navigation(actor: Actor | None) -> list[Entry]:
    """What the actor may open, as the access rules say."""
    daily = _entries(actor, _PAGES, False)
    administration = _entries(actor, _ADMINISTRATION, True)
    if len(administration) < _MENU_FROM:
        return [*daily, *(replace(entry, administration=False) for entry in administration)]
    return [*daily, *administration]


def _entries(
    actor: Actor | None, pages: tuple[tuple[str, LazyString], ...], administration: bool
) -> list[Entry]:
    entries = []
    for endpoint, label in pages:
        view = current_app.view_functions.get(endpoint)
        access = access_of(view) if view is not None else None
        if actor is None or access is None or not access.permits(actor):
            continue
        here = request.endpoint == endpoint
        entries.append(Entry(str(label), url_for(endpoint), here, administration))
    return entries
