"""What a request's steps say beside their state: reasons, what is another, who got the drone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from droneteam.fleet.explanations.explain import gathered
from droneteam.fleet.terms import Reason
from droneteam.fleet.views import RequestEventView
from droneteam.web import words
from droneteam.web.i18n import sentences
from droneteam.web.timefmt import local, local_short

_NO_NAMES: Mapping[str, str] = {}


def step_notes(step: RequestEventView) -> list[str]:
    """Each on a line of its own, in the visitor's language; empty where the state says it all."""
    facts: Mapping[str, Any] = step.facts
    notes = []
    if facts.get("replanned"):
        notes.append(_("planned again"))
    if facts.get("priority_before"):
        notes.append(f"{facts['priority_before']} → {facts['priority']}")
    if facts.get("reason"):
        notes.append(str(facts["reason"]))
    if facts.get("code"):
        notes.append(str(words.CANCEL_REASONS.get(str(facts["code"]), facts["code"])))
    if facts.get("confirmed_by"):
        notes.append(_("confirmed by %(name)s", name=facts["confirmed_by"]))
    kept = facts.get("reasons", ())
    notes += sentences(gathered([Reason(one["code"], one["params"]) for one in kept]))
    return notes + _changes(facts)


def _changes(facts: Mapping[str, Any]) -> list[str]:
    """What a new plan gives instead, of drone, crew and time."""
    kinds = facts.get("changed", ())
    before, after = facts.get("before", _NO_NAMES), facts.get("after", _NO_NAMES)
    found = []
    if "time" in kinds:
        found.append(
            _(
                "on site %(after)s instead of %(before)s",
                after=_stretch(after),
                before=_stretch(before),
            )
        )
    if "drone" in kinds:
        found.append(
            _("%(after)s instead of %(before)s", after=after["drone"], before=before["drone"])
        )
    if "crew" in kinds:
        if after["pilot"] == before["pilot"]:
            found.append(_("with another crew"))
        else:
            found.append(
                _("%(after)s instead of %(before)s", after=after["pilot"], before=before["pilot"])
            )
    return found


def _stretch(told: Mapping[str, str]) -> str:
    start_at, end_at = (datetime.fromisoformat(told[name]) for name in ("start_at", "end_at"))
    return f"{local(start_at)} – {local_short(end_at)}"
