"""The service level agreement: versioned data, and the clocks that it starts (pure).

An agreement is a JSON document (``docs/fleet.md`` describes its fields) with a date from which
it holds.  Nothing here knows a number: targets, hours, weights and codes all come from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import ServiceHours, add_days, add_working_days
from droneteam.fleet.agreement.reading import Part, part_of
from droneteam.fleet.terms import (
    PRIORITIES,
    Param,
    Reason,
    RequestKind,
    Window,
    check_priority,
    minutes_between,
)

Document = Mapping[str, Any]
ClockName = Literal["acknowledge", "decision", "on_scene"]
ClockState = Literal["running", "met", "breached", "stopped"]
CLOCKS: tuple[ClockName, ...] = ("acknowledge", "decision", "on_scene")


MAX_CREW = 4
"""Pilots of one task; more of them is a crew for each of several drones."""
_MOST_DAYS = 3_650
_MOST_SECONDS = _MOST_DAYS * 86_400
_MOST_MIN = 10_080
_MOST_HOURS = 1_000_000
_MOST_WEIGHT = 1_000_000
_TERMS: Mapping[str, tuple[int, int]] = {
    "seconds": (0, _MOST_SECONDS),
    "on_call_seconds": (0, _MOST_SECONDS),
    "working_days": (0, _MOST_DAYS),
    "days": (0, _MOST_DAYS),
    "days_before_start": (0, _MOST_DAYS),
    "slot_offset_s": (-_MOST_SECONDS, _MOST_SECONDS),
}
"""The terms of a target and what each may be."""


@dataclass(frozen=True, slots=True)
class Target:
    """When something is due; where several terms are given, the latest of them counts.

    seconds, on_call_seconds : after submission, in core hours and outside them
    working_days, days : after submission
    days_before_start : before the slot starts
    slot_offset_s : after (or, negative, before) the slot starts
    """

    seconds: int | None = None
    on_call_seconds: int | None = None
    working_days: int | None = None
    days: int | None = None
    days_before_start: int | None = None
    slot_offset_s: int | None = None

    def __post_init__(self) -> None:
        given = (
            self.seconds,
            self.working_days,
            self.days,
            self.days_before_start,
            self.slot_offset_s,
        )
        if all(value is None for value in given):
            raise InputError("a target names no term", field="classes")

    def due_at(
        self, submitted_at: datetime, slot_start_at: datetime, hours: ServiceHours
    ) -> datetime:
        """The latest of the terms; never before the submission itself."""
        due = [submitted_at]
        if self.seconds is not None:
            on_call = self.on_call_seconds is not None and not hours.in_core(submitted_at)
            seconds = self.on_call_seconds if on_call else self.seconds
            due.append(submitted_at + timedelta(seconds=seconds or 0))
        if self.working_days is not None:
            due.append(add_working_days(submitted_at, self.working_days, opens_at=hours.core_start))
        if self.days is not None:
            due.append(add_days(submitted_at, self.days))
        if self.days_before_start is not None:
            due.append(add_days(slot_start_at, -self.days_before_start))
        if self.slot_offset_s is not None:
            due.append(slot_start_at + timedelta(seconds=self.slot_offset_s))
        return max(due)


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """What one priority class promises.

    lead_time_days : how long ahead a request should come; 0 for reactive classes
    setup_min : how long before the slot the crew stands ready on the scene
    emergency : the crew drives with priority
    crew : pilots who go out together at least; a kind of task may take more
    exempt : never debited from a zone's entitlement
    """

    acknowledge: Target
    decision: Target
    on_scene: Target
    lead_time_days: int
    setup_min: int
    reactive: bool
    emergency: bool
    exempt: bool
    displaces: frozenset[str]
    crew: int = 1

    def target(self, clock: ClockName) -> Target:
        """The target of one clock."""
        match clock:
            case "acknowledge":
                return self.acknowledge
            case "decision":
                return self.decision
            case "on_scene":
                return self.on_scene


@dataclass(frozen=True, slots=True)
class EntitlementRule:
    """How the year's crew-hours are shared between the zones."""

    yearly_crew_hours: int
    weights: Mapping[str, int]
    default_weight: int
    floor_priority: str
    floor_crew_minutes: int

    def weight(self, code: str) -> int:
        """The share's weight of the organisation with this code."""
        return self.weights.get(code, self.default_weight)


@dataclass(frozen=True, slots=True)
class Sla:
    """One agreement, parsed."""

    hours: ServiceHours
    classes: Mapping[str, PriorityClass]
    escalation: tuple[tuple[float, str], ...]
    entitlement: EntitlementRule
    exclusions: frozenset[str]
    cancellation_codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClockStop:
    """A stretch in which a clock does not run, proven by the evidence attached."""

    clock: ClockName
    from_at: datetime
    to_at: datetime | None
    code: str
    evidence: str


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """The instants of a request that its clocks look at."""

    priority: str
    submitted_at: datetime
    slot_start_at: datetime
    acknowledged_at: datetime | None = None
    decided_at: datetime | None = None
    on_scene_at: datetime | None = None
    closed_at: datetime | None = None

    def met_at(self, clock: ClockName) -> datetime | None:
        """When the clock's event came, or None."""
        match clock:
            case "acknowledge":
                return self.acknowledged_at
            case "decision":
                return self.decided_at
            case "on_scene":
                return self.on_scene_at


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock as it stands; fraction 1 is the due time, and it goes on past it."""

    name: str
    started_at: datetime
    due_at: datetime
    met_at: datetime | None
    state: ClockState
    fraction: float
    escalated_to: str | None


def clocks(
    sla: Sla, times: RequestTimes, now: datetime, stops: Sequence[ClockStop] = ()
) -> tuple[Clock, ...]:
    """The request's three clocks as they stand now."""
    check_priority(times.priority)
    for stop in stops:
        check_stop(sla, stop)
    return tuple(_clock(sla, name, times, now, stops) for name in CLOCKS)


def check_stop(sla: Sla, stop: ClockStop) -> None:
    """Nothing, when the agreement knows the exclusion and evidence is attached.

    Raises
    ------
    InputError
        The code is unknown, no evidence is named or the stop ends before it begins.
    """
    if stop.code not in sla.exclusions:
        allowed = ", ".join(sorted(sla.exclusions))
        raise InputError(f"exclusion {stop.code!r} is none of {allowed}", field="code")
    if not stop.evidence.strip():
        raise InputError(
            "a clock stops only with evidence attached (weather report, refusal)",
            field="evidence",
        )
    if stop.to_at is not None:
        Window(stop.from_at, stop.to_at)


def _clock(
    sla: Sla,
    name: ClockName,
    times: RequestTimes,
    now: datetime,
    stops: Sequence[ClockStop],
) -> Clock:
    own = [stop for stop in stops if stop.clock == name and stop.from_at <= now]
    start, met_at = times.submitted_at, times.met_at(name)
    target = sla.classes[times.priority].target(name)
    stopped = _stopped(own, start, now)
    due_at = target.due_at(start, times.slot_start_at, sla.hours) + stopped
    until = min(at for at in (met_at, times.closed_at, now) if at is not None)
    state = _state(due_at, met_at, times.closed_at, now, paused=_is_open(own, now))
    fraction = (until - start - stopped) / max(due_at - start - stopped, timedelta(seconds=1))
    fraction = max(0.0, fraction)
    escalated = None if state in ("met", "stopped") else _escalated_to(sla, fraction)
    return Clock(name, start, due_at, met_at, state, fraction, escalated)


def _state(
    due_at: datetime,
    met_at: datetime | None,
    closed_at: datetime | None,
    now: datetime,
    *,
    paused: bool,
) -> ClockState:
    if met_at is not None:
        return "met" if met_at <= due_at else "breached"
    if closed_at is not None:
        return "stopped" if closed_at <= due_at else "breached"
    if paused:
        return "stopped"
    return "running" if now <= due_at else "breached"


def _stopped(stops: Iterable[ClockStop], start_at: datetime, now: datetime) -> timedelta:
    """The length of the union of the stops, so that two reasons at once count once.

    A clock that does not run yet cannot stand: what lies before its start counts nothing.
    """
    total, reached = timedelta(), start_at
    for stop in sorted(stops, key=lambda stop: stop.from_at):
        begin = max(reached, stop.from_at)
        end = min(stop.to_at or now, now)
        if end > begin:
            total += end - begin
            reached = end
    return total


def _is_open(stops: Iterable[ClockStop], now: datetime) -> bool:
    return any(stop.to_at is None or stop.to_at > now for stop in stops)


def _escalated_to(sla: Sla, fraction: float) -> str | None:
    reached = [who for threshold, who in sla.escalation if fraction >= threshold]
    return reached[-1] if reached else None


def lead_time_reason(
    sla: Sla, priority: str, submitted_at: datetime, slot_start_at: datetime
) -> Reason | None:
    """Says that the request came later than its class asks; None where it is in time."""
    days = sla.classes[priority].lead_time_days
    if add_days(submitted_at, days) <= slot_start_at:
        return None
    hours = minutes_between(submitted_at, slot_start_at) // 60
    params: dict[str, Param] = {"priority": priority, "days": days, "hours": hours}
    return Reason("lead_time.short", params)


def parse(document: Document) -> Sla:
    """The agreement that the document states.

    Raises
    ------
    InputError
        Names the part of the document that is missing or wrong.
    """
    whole = part_of(document, "")
    classes = whole.part("classes")
    return Sla(
        hours=_parse_hours(whole.part("service_hours")),
        classes={name: _parse_class(classes.part(name)) for name in PRIORITIES},
        escalation=_parse_escalation(whole.parts("escalation")),
        entitlement=_parse_entitlement(whole.part("entitlement")),
        exclusions=frozenset(whole.texts("exclusions")),
        cancellation_codes=frozenset(whole.texts("cancellation_codes")),
    )


def digest(document: Document) -> str:
    """SHA-256 of the document in canonical JSON; two equal agreements share it."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def canonical(document: Document) -> str:
    """The document as JSON in the one way that its digest is taken of."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=32)
def parsed(text: str) -> Sla:
    """The agreement that canonical JSON states; the same text is read once.

    Raises
    ------
    InputError
        As `parse`.
    """
    return parse(json.loads(text))


def _parse_hours(part: Part) -> ServiceHours:
    return ServiceHours(
        core_start=part.wall_time("core_start"),
        core_end=part.wall_time("core_end"),
        holidays_on_call=part.flag("holidays_on_call"),
        core_prep_min=part.whole("core_prep_min", 0, _MOST_MIN),
        on_call_prep_min=part.whole("on_call_prep_min", 0, _MOST_MIN),
        daylight_kinds=_parse_kinds(part),
    )


def _parse_kinds(part: Part) -> frozenset[str]:
    if not part.has("daylight_kinds"):
        return frozenset()
    kinds = part.texts("daylight_kinds")
    unknown = sorted(set(kinds) - {kind.value for kind in RequestKind})
    if unknown:
        raise InputError(
            f"{unknown[0]!r} is no kind of request", field="service_hours.daylight_kinds"
        )
    return frozenset(kinds)


def _parse_class(part: Part) -> PriorityClass:
    displaces = frozenset(part.texts("displaces"))
    for priority in sorted(displaces):
        check_priority(priority)
    return PriorityClass(
        acknowledge=_parse_target(part.part("acknowledge")),
        decision=_parse_target(part.part("decision")),
        on_scene=_parse_target(part.part("on_scene")),
        lead_time_days=part.whole("lead_time_days", 0, _MOST_DAYS),
        setup_min=part.whole("setup_min", 0, _MOST_MIN),
        reactive=part.flag("reactive"),
        emergency=part.flag("emergency"),
        exempt=part.flag("exempt"),
        displaces=displaces,
        crew=part.whole("crew", 1, MAX_CREW) if part.has("crew") else 1,
    )


def _parse_target(part: Part) -> Target:
    unknown = sorted(set(part.members) - set(_TERMS))
    if unknown:
        raise InputError(f"the agreement has no member {part.name(unknown[0])}", field=part.path)
    terms = {name: part.whole(name, *_TERMS[name]) for name in part.members}
    return Target(**terms)


def _parse_escalation(steps: tuple[Part, ...]) -> tuple[tuple[float, str], ...]:
    found = tuple((step.fraction("fraction"), step.text("to")) for step in steps)
    if list(found) != sorted(found):
        raise InputError("the escalation's fractions do not rise", field="escalation")
    return found


def _parse_entitlement(part: Part) -> EntitlementRule:
    weights, floor = part.part("weights"), part.part("floor")
    check_priority(floor.text("priority"))
    return EntitlementRule(
        yearly_crew_hours=part.whole("yearly_crew_hours", 0, _MOST_HOURS),
        weights={str(code): weights.whole(code, 1, _MOST_WEIGHT) for code in weights.members},
        default_weight=part.whole("default_weight", 1, _MOST_WEIGHT),
        floor_priority=floor.text("priority"),
        floor_crew_minutes=floor.whole("crew_minutes", 0, _MOST_HOURS * 60),
    )
