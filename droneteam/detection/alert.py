"""Tracks and matches to alerts: raised once, updated, cleared once.

A condition must hold for a while before it raises, and be gone for a while before it clears, so
that a track at the edge of a rule does not ring a bell every second.  A track without an identity
gets time to send one: partial beacons are the rule, not the exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias

from droneteam.detection.conflict import Conflict
from droneteam.detection.conformance import Conformance
from droneteam.detection.match import Match
from droneteam.detection.records import Track
from droneteam.detection.suspicion import Suspicion

Kind = Literal[
    "unregistered_flight", "outside_registration", "suspected_spoof", "conflict", "silent_receiver"
]
Facts: TypeAlias = tuple[tuple[str, str | float], ...]
Change = Literal["raised", "updated", "cleared"]


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Thresholds; each is a setting of the installation."""

    min_fixes: int = 3
    identity_grace_s: float = 10.0
    raise_after_s: float = 2.0
    clear_after_s: float = 15.0
    conflict_distance_m: float = 60.0
    conflict_vertical_m: float = 50.0
    conflict_horizon_s: float = 45.0
    conflict_probability: float = 0.2
    silent_after_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong right now. key tells it from others of its kind.

    facts : numbers behind it; they may change without the alert being another one.
    """

    kind: Kind
    key: str
    track_id: int | None
    evidence: tuple[str, ...]
    facts: Facts = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """A condition that is being watched; raised_at is None while it has not yet held enough."""

    condition: Condition
    since: datetime
    last_true_at: datetime
    raised_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What a step did to an alert."""

    change: Change
    alert: OpenAlert
    at: datetime


Book = Mapping[tuple[str, str], OpenAlert]


def conditions_of(
    track: Track,
    match: Match,
    doubt: Suspicion,
    conformance: Conformance | None,
    rules: AlertRules,
) -> list[Condition]:
    """What is wrong with one track."""
    if track.n_fixes < rules.min_fixes:
        return []
    found = []
    key = f"track:{track.id}"
    if doubt.suspect:
        evidence = (*match.evidence, *sorted(cue.name for cue in doubt.cues))
        facts: Facts = (
            ("score", round(doubt.score, 2)),
            *((cue.name, cue.evidence) for cue in doubt.cues),
        )
        found.append(Condition("suspected_spoof", key, track.id, evidence, facts))
    elif match.kind == "unknown" and (track.identities or _had_time(track, rules)):
        found.append(Condition("unregistered_flight", key, track.id, match.evidence))
    out = conformance is not None and conformance.state in ("nonconforming", "contingent")
    if match.deviations or out:
        evidence = (*match.evidence, *(match.deviations or ("outside_volume",)))
        found.append(
            Condition(
                "outside_registration", key, track.id, evidence, _conformance_facts(conformance)
            )
        )
    return found


def _conformance_facts(conformance: Conformance | None) -> Facts:
    if conformance is None:
        return ()
    inside, contingency, buffer = (round(share, 3) for share in conformance.inside)
    return (
        ("conformance", conformance.state),
        ("inside_probability", inside),
        ("contingency_probability", contingency),
        ("buffer_probability", buffer),
    )


def conflict_condition(
    track: Track, drone: str, conflict: Conflict, rules: AlertRules
) -> Condition | None:
    """A track that may come too close to an own drone; None while it hardly can."""
    if track.n_fixes < rules.min_fixes or conflict.probability < rules.conflict_probability:
        return None
    facts = (
        ("drone", drone),
        ("in_s", round(conflict.in_s, 1)),
        ("distance_m", round(conflict.distance_m, 1)),
        ("probability", round(conflict.probability, 3)),
        ("vertical", conflict.vertical),
    )
    key = f"own:{drone}/track:{track.id}"[:80]
    return Condition("conflict", key, track.id, (f"heights_{conflict.vertical}",), facts)


def silent_condition(receiver: str, silent_s: float, rules: AlertRules) -> Condition | None:
    """A receiver that has stopped saying that it works."""
    if silent_s <= rules.silent_after_s:
        return None
    return Condition("silent_receiver", f"receiver:{receiver}"[:80], None, ("no_heartbeat",))


def _had_time(track: Track, rules: AlertRules) -> bool:
    return (track.last_at - track.started_at).total_seconds() >= rules.identity_grace_s


def step(
    book: Book, conditions: Iterable[Condition], now: datetime, rules: AlertRules
) -> tuple[Book, tuple[AlertChange, ...]]:
    """The book after this moment, and what changed; no alert is raised or cleared twice."""
    following: dict[tuple[str, str], OpenAlert] = {}
    changes: list[AlertChange] = []
    for condition in conditions:
        entry = (condition.kind, condition.key)
        known = book.get(entry)
        alert, change = _hold(known, condition, now, rules)
        following[entry] = alert
        if change is not None:
            changes.append(AlertChange(change, alert, now))
    for key, quiet in book.items():
        if key in following:
            continue
        if (now - quiet.last_true_at).total_seconds() < rules.clear_after_s:
            following[key] = quiet
        elif quiet.raised_at is not None:
            changes.append(AlertChange("cleared", quiet, now))
    return following, tuple(changes)


def _hold(
    known: OpenAlert | None, condition: Condition, now: datetime, rules: AlertRules
) -> tuple[OpenAlert, Change | None]:
    if known is None:
        known = OpenAlert(condition, now, now)
    alert = replace(known, condition=condition, last_true_at=now)
    if alert.raised_at is None:
        if (now - alert.since).total_seconds() >= rules.raise_after_s:
            return replace(alert, raised_at=now), "raised"
        return alert, None
    changed = known.condition.evidence != condition.evidence
    return alert, "updated" if changed else None
