"""What the rules say of a plan, in the visitor's language.

The sentences, clauses and titles stand in `missions/airspace/rules.py` and `clauses.py`; their
translations are in the catalogues like any other text of the pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from flask_babel import gettext

from droneteam.missions.airspace.clauses import CLAUSES
from droneteam.missions.airspace.rules import (
    Finding,
    RulesUnmet,
    clause_said,
    with_comma,
    worded,
)
from droneteam.missions.airspace.sentences import RANKS, SENTENCES, TITLES
from droneteam.missions.views import MissionView
from droneteam.web.i18n import language
from droneteam.web.timefmt import local
from droneteam.web.words import SEVERITIES, named

_TIME = "HH:mm"


@dataclass(frozen=True, slots=True)
class Said:
    """A finding as a page shows it; lang : of text and clause, where it is not the page's."""

    severity: str
    name: str
    title: str
    text: str
    clause: str
    lang: str | None = None


def said(one: Finding) -> Said:
    """A finding in the visitor's language.

    One that was stored before sentences had keys is shown as it was stored, in English.
    """
    title = gettext(TITLES[one.subject]) if one.subject in TITLES else ""
    name = named(SEVERITIES)(one.severity)
    known = SENTENCES.get(one.sentence)
    if known is None:
        return Said(one.severity, name, title, one.text, one.clause, "en")
    text = worded(gettext(known.text), _facts(one))
    clause = CLAUSES[known.clause]
    quoted = clause_said(gettext(clause.text), gettext(clause.caveat) if clause.caveat else "")
    return Said(one.severity, name, title, text, quoted)


def gravest_first(findings: Iterable[Finding]) -> list[Said]:
    """The findings in the visitor's language, in the order in which a pilot must read them."""
    ordered = sorted(findings, key=lambda one: RANKS.index(one.severity), reverse=True)
    return [said(one) for one in ordered]


def told(view: MissionView) -> MissionView:
    """A mission whose findings are in the visitor's language; rules and facts stay as they are."""
    return replace(view, findings=tuple(in_words(one) for one in view.findings))


def in_words(one: Finding) -> Finding:
    """A finding whose text and clause are in the visitor's language."""
    shown = said(one)
    return replace(one, text=shown.text, clause=shown.clause)


def unmet(error: RulesUnmet) -> str:
    """What stands against a step, and what it asks for."""
    asks = {
        "reason": gettext("Say why it may be flown in spite of:"),
        "acknowledged": gettext("Acknowledge what no rule could check:"),
        "plan": gettext("This has come since it was planned; plan the mission again:"),
    }.get(error.field or "", "")
    sentences = "; ".join(said(one).text for one in error.findings)
    return f"{asks} {sentences}".strip()


def _facts(one: Finding) -> dict[str, str]:
    """The facts as the visitor writes them: times at the place, decimal commas, subjects."""
    facts = {key: _fact(key, value) for key, value in one.params.items()}
    if "rules" in facts:
        subjects = (rule.partition(".")[0] for rule in one.params["rules"].split(", "))
        facts["rules"] = ", ".join(gettext(TITLES.get(rule, rule)) for rule in subjects)
    return facts


def _fact(key: str, value: str) -> str:
    if key == "from":
        return local(datetime.fromisoformat(value), _TIME)
    return value if language() == "en" else with_comma(key, value)
