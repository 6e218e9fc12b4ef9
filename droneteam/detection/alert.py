"""Tracks and matches to alerts: raised once, updated, cleared once.

A condition must hold for a while before it raises, and be gone for a while before it clears, so
that a track at the edge of a rule does not ring a bell every second.  A track without an identity
gets time to send one: partial beacons are the rule, not the exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias

from droneteam.detection.advice import advise
from droneteam.detection.conflict import Conflict, Mover
from droneteam.detection.conformance import Conformance
from droneteam.detection.match import Match
from droneteam.detection.records import Track
from droneteam.detection.rid import Status
from droneteam.detection.suspicion import Suspicion
from droneteam.detection.zones import Breach
from droneteam.missions.airspace.checks import Restriction

Kind = Literal[
    "unregistered_flight",
    "outside_registration",
    "lost_track",
    "geozone_breach",
    "suspected_spoof",
    "conflict",
    "silent_receiver",
]
AIRBORNE = (Status.AIRBORNE, Status.EMERGENCY, Status.SYSTEM_FAILURE)
Numbers: TypeAlias = Mapping[str, str | float]
Facts: TypeAlias = tuple[tuple[str, str | float | Numbers], ...]
MOVING_FACTS = frozenset({"conflict"})
"""Kinds whose numbers run on: a pilot must not be shown the distance of half a minute ago."""
RETELL_S = 1.0
Change = Literal["raised", "updated", "cleared"]


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Thresholds; each is a setting of the installation."""

    min_fixes: int = 3
    identity_grace_s: float = 10.0
    identity_grace_fixes: int = 30
    """Positions without an identity before a radio is held to give none: of recorded beacons two
    thirds carry none, so that an honest flight stays nameless this long once in 200,000."""
    raise_after_s: float = 2.0
    clear_after_s: float = 15.0
    conflict_distance_m: float = 60.0
    conflict_vertical_m: float = 50.0
    conflict_horizon_s: float = 45.0
    conflict_probability: float = 0.2
    silent_after_s: float = 120.0
    lost_after_s: float = 15.0
    landed_below_m: float = 10.0
    """A drone that was last heard this low has landed, whatever its status said."""
    zone_probability: float = 0.8


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
    told_at: datetime | None = None
    told: Facts = ()


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What a step did to an alert."""

    change: Change
    alert: OpenAlert
    at: datetime


Book: TypeAlias = Mapping[tuple[str, str], OpenAlert]


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
            *((cue.name, {**cue.numbers, "said": cue.evidence}) for cue in doubt.cues),
        )
        found.append(Condition("suspected_spoof", key, track.id, evidence, facts))
    elif match.kind in ("unknown", "operator") and (track.identities or _had_time(track, rules)):
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
        ("height_frame", conflict.height_frame or "none"),
    )
    key = f"own:{drone}/track:{track.id}"[:80]
    return Condition("conflict", key, track.id, (f"heights_{conflict.vertical}",), facts)


def lost_condition(
    track: Track, match: Match, now: datetime, rules: AlertRules
) -> Condition | None:
    """A registered flight that was in the air when it was heard last.

    What nobody registered has an alert of its own; an aircraft leaves the receivers' range daily.
    """
    silent_s = (now - track.last_at).total_seconds()
    if match.kind != "registered" or track.manned or not track.transmitters:
        return None
    if track.n_fixes < rules.min_fixes or silent_s <= rules.lost_after_s or _landed(track, rules):
        return None
    facts: Facts = (
        ("flight", match.subject or ""),
        ("last_heard", track.last_at.isoformat()),
        ("receivers", ", ".join(track.receivers)),
    )
    return Condition("lost_track", f"track:{track.id}", track.id, ("airborne_when_lost",), facts)


def _landed(track: Track, rules: AlertRules) -> bool:
    low = track.height_m is not None and track.height_m < rules.landed_below_m
    return low or track.status not in AIRBORNE


def zone_condition(
    track: Track, match: Match, breach: Breach, rules: AlertRules
) -> Condition | None:
    """A track in a zone; an own or registered flight may be allowed where it takes permission."""
    asks = breach.zone.restriction
    if track.n_fixes < rules.min_fixes or track.manned or match.kind == "own":
        return None
    if match.kind == "registered" and asks is not Restriction.PROHIBITED:
        return None
    facts: Facts = (
        ("zone", breach.zone.name),
        ("identifier", breach.zone.identifier),
        ("authority", breach.zone.authority),
        ("probability", round(breach.probability, 3)),
        ("vertical", breach.vertical),
    )
    evidence = (f"zone_{asks.value}", f"heights_{breach.vertical}")
    key = f"zone:{breach.zone.identifier[:50]}/track:{track.id}"[:80]
    return Condition("geozone_breach", key, track.id, evidence, facts)


def silent_condition(receiver: str, silent_s: float, rules: AlertRules) -> Condition | None:
    """A receiver that has stopped saying that it works."""
    if silent_s <= rules.silent_after_s:
        return None
    return Condition("silent_receiver", f"receiver:{receiver}"[:80], None, ("no_heartbeat",))


def _had_time(track: Track, rules: AlertRules) -> bool:
    """Whether it would have been named by now; what only a camera or radar sees never is."""
    if track.transmitters and track.n_fixes < rules.identity_grace_fixes:
        return False
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


def explained(
    changes: Sequence[AlertChange], matched: Iterable[tuple[Track, Match]]
) -> tuple[AlertChange, ...]:
    """The changes, where a flight that was announced late is the reason for a clearing."""
    cleared = [c for c in changes if c.change == "cleared"]
    if not any(c.alert.condition.kind == "unregistered_flight" for c in cleared):
        return tuple(changes)
    late = {track.id: found.subject for track, found in matched if found.kind == "registered"}
    return tuple(_with_reason(change, late) for change in changes)


def _with_reason(change: AlertChange, late: Mapping[int, str | None]) -> AlertChange:
    condition = change.alert.condition
    flight = late.get(condition.track_id or 0)
    if change.change != "cleared" or condition.kind != "unregistered_flight" or not flight:
        return change
    facts = (*condition.facts, ("cleared_by", "registered_late"), ("flight", flight))
    return replace(change, alert=replace(change.alert, condition=replace(condition, facts=facts)))


def _hold(
    known: OpenAlert | None, condition: Condition, now: datetime, rules: AlertRules
) -> tuple[OpenAlert, Change | None]:
    if known is None:
        known = OpenAlert(condition, now, now)
    alert = replace(known, condition=condition, last_true_at=now)
    if alert.raised_at is None:
        if (now - alert.since).total_seconds() >= rules.raise_after_s:
            return _told(replace(alert, raised_at=now), now), "raised"
        return alert, None
    if known.condition.evidence != condition.evidence or _runs_on(known, condition, now):
        return _told(alert, now), "updated"
    return alert, None


def _runs_on(known: OpenAlert, condition: Condition, now: datetime) -> bool:
    """Whether numbers that matter while they change are to be told again."""
    if condition.kind not in MOVING_FACTS or known.told_at is None:
        return False
    due = (now - known.told_at).total_seconds() >= RETELL_S
    return due and known.told != condition.facts


def _told(alert: OpenAlert, now: datetime) -> OpenAlert:
    return replace(alert, told_at=now, told=alert.condition.facts)


def with_advice(
    condition: Condition,
    ours: Mover,
    other: Mover,
    found: Conflict,
    rules: AlertRules,
    geoid_m: float | None,
) -> Condition:
    """The conflict with a proposal to the pilot."""
    proposed = advise(
        ours,
        other,
        found,
        within_m=rules.conflict_distance_m,
        vertical_m=rules.conflict_vertical_m,
        horizon_s=rules.conflict_horizon_s,
        geoid_m=geoid_m,
    )
    facts = (
        ("advice", proposed.manoeuvre),
        ("advice_distance_m", round(proposed.distance_m, 1)),
        ("advice_probability", round(proposed.probability, 3)),
    )
    return replace(condition, facts=(*condition.facts, *facts))
