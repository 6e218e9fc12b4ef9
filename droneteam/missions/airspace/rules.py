"""What a rule finds about a plan: a sentence of `sentences.py` with the facts that go into it.

The rules themselves stand in `checks.py`, `groundrisk.py` and `fence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from droneteam.errors import InputError
from droneteam.missions.airspace.clauses import CLAUSES
from droneteam.missions.airspace.sentences import RANKS, SENTENCES, Severity

FREE_TEXTS = frozenset(
    {"zone", "identifier", "authority", "drone", "message", "terrain", "reason", "rules"}
)
"""Facts that are names or quotations; the others are numbers, and `from` a time."""
_DECIMAL = re.compile(r"(-?\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says about a plan.

    clause, text : in English; params : the facts in the text; sentence : its key in `SENTENCES`,
    empty for what was stored before there were keys.
    """

    severity: Severity
    rule: str
    clause: str
    text: str
    params: dict[str, str] = field(default_factory=dict)
    sentence: str = ""

    @property
    def subject(self) -> str:
        """The key of what the rule is about in `TITLES`."""
        return self.rule.partition(".")[0]


def finding(sentence: str, **facts: str) -> Finding:
    """The finding that says a sentence with its facts, and the clause that it comes from."""
    said = SENTENCES[sentence]
    clause = CLAUSES[said.clause]
    return Finding(
        severity=said.severity,
        rule=said.rule,
        clause=clause_said(clause.text, clause.caveat),
        text=worded(said.text, _english(facts)),
        params=facts,
        sentence=sentence,
    )


def clause_said(text: str, caveat: str) -> str:
    """A clause, with the caveat in brackets where there is one."""
    return f"{text} ({caveat})" if caveat else text


def worded(template: str, facts: Mapping[str, str]) -> str:
    """A sentence with its facts; a zone's own message is quoted after it, in its own language."""
    message = facts.get("message", "")
    return template.format(**facts) + (f" (“{message}”)" if message else "")


def _english(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts as an English sentence shows them."""
    return {
        key: f"{datetime.fromisoformat(value).astimezone(UTC):%H:%M} UTC"
        if key == "from"
        else value
        for key, value in facts.items()
    }


def with_comma(key: str, value: str) -> str:
    """A fact with a decimal comma, where it is a number."""
    return value if key in FREE_TEXTS else _DECIMAL.sub(r"\1,\2", value)


def worst(findings: Iterable[Finding]) -> Severity:
    """The severity that counts: the most severe of all; pass where there are none."""
    return max((one.severity for one in findings), key=RANKS.index, default="pass")


class RulesUnmet(InputError):
    """Rules stand against a step and what they ask for was not given; findings : which."""

    def __init__(self, what: str, findings: Sequence[Finding], *, field: str) -> None:
        said = "; ".join(one.text for one in findings)
        super().__init__(f"{what}: {said}" if what else said, field=field)
        self.findings = tuple(findings)
