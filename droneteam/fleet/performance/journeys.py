"""What became of each request, recomputed from its immutable events alone (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from droneteam.errors import InputError
from droneteam.fleet.agreement.sla import CLOCKS, Clock, ClockStop, RequestTimes, Sla, clocks
from droneteam.fleet.lifecycle import FINAL
from droneteam.fleet.terms import RequestKind, RequestState, minutes_between

_RECEIVED = frozenset(
    {
        RequestState.ACKNOWLEDGED,
        RequestState.TRIAGED,
        RequestState.PLANNED,
        RequestState.CONFIRMED,
        RequestState.REFUSED,
    }
)
_DECIDED = frozenset({RequestState.PLANNED, RequestState.CONFIRMED, RequestState.REFUSED})
SERVED = frozenset({RequestState.FULFILLED, RequestState.PARTLY})


@dataclass(frozen=True, slots=True)
class Step:
    """One immutable event of a request, with the facts that were written with it."""

    request_id: int
    at: datetime
    state: RequestState
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asked for, for events that do not say it themselves."""

    organisation_id: int
    kind: RequestKind
    priority: str
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Journey:
    """A request's way from its submission on.

    crew : on the mission; planned_start_at, planned_end_at : of the mission as it was planned
    displaced : how often somebody else got what it had; a drone that failed is no displacement
    """

    request_id: int
    organisation_id: int
    kind: RequestKind
    times: RequestTimes
    state: RequestState
    asked_min: int
    displaced: int = 0
    crew: int = 0
    planned_start_at: datetime | None = None
    planned_end_at: datetime | None = None

    @property
    def priority(self) -> str:
        """The class that was given last."""
        return self.times.priority

    @property
    def mission_at(self) -> datetime | None:
        """When a crew began on the scene; None where none ever did."""
        return self.times.on_scene_at

    @property
    def served_min(self) -> int:
        """Crew-minutes on the scene, of missions that ended."""
        begin, end = self.times.on_scene_at, self.times.closed_at
        if begin is None or end is None or end <= begin:
            return 0
        return max(1, self.crew) * minutes_between(begin, end)


def journeys(steps: Iterable[Step], asked: Mapping[int, Asked]) -> list[Journey]:
    """Each submitted request's journey, by number; drafts have none yet.

    Raises
    ------
    InputError
        A request's events begin with none of a submission, or it is unknown what was asked.
    """
    by_request: defaultdict[int, list[Step]] = defaultdict(list)
    for step in steps:
        if step.state != RequestState.DRAFT:
            by_request[step.request_id].append(step)
    return [
        _journey(request_id, sorted(own, key=lambda step: step.at), asked.get(request_id))
        for request_id, own in sorted(by_request.items())
        if not _was_draft_only(own)
    ]


def _was_draft_only(own: list[Step]) -> bool:
    """True for a draft that was thrown away."""
    return {step.state for step in own} == {RequestState.CANCELLED}


def _journey(request_id: int, own: list[Step], known: Asked | None) -> Journey:
    submitted = own[0]
    if submitted.state != RequestState.SUBMITTED:
        raise InputError(f"request {request_id}'s first event is {submitted.state}, no submission")
    if known is None:
        raise InputError(f"it is unknown what request {request_id} asked for")
    facts = submitted.facts
    mission = next((step for step in own if step.state == RequestState.IN_PROGRESS), None)
    planned = {} if mission is None else mission.facts
    return Journey(
        request_id=request_id,
        organisation_id=int(facts.get("organisation_id", known.organisation_id)),
        kind=RequestKind(facts.get("kind", known.kind)),
        times=_times(own, known),
        state=own[-1].state,
        asked_min=int(facts.get("asked_min", minutes_between(known.start_at, known.end_at))),
        displaced=sum(map(_gave_way, own)),
        crew=int(planned.get("crew", 0)),
        planned_start_at=_instant(planned.get("planned_start_at")),
        planned_end_at=_instant(planned.get("planned_end_at")),
    )


def _gave_way(step: Step) -> bool:
    """Whether the step took the place for somebody else; events of old do not say why."""
    return step.state == RequestState.DISPLACED and step.facts.get("cause") != "unkept"


def _times(own: list[Step], known: Asked) -> RequestTimes:
    facts = own[0].facts
    given = [step.facts["priority"] for step in own if "priority" in step.facts]
    return RequestTimes(
        priority=str(given[-1]) if given else known.priority,
        submitted_at=own[0].at,
        slot_start_at=_instant(facts.get("start_at")) or known.start_at,
        acknowledged_at=_first(own, _RECEIVED),
        decided_at=_first(own, _DECIDED),
        on_scene_at=_first(own, frozenset({RequestState.IN_PROGRESS})),
        closed_at=_first(own, FINAL),
    )


def _first(own: Iterable[Step], states: frozenset[RequestState]) -> datetime | None:
    return next((step.at for step in own if step.state in states), None)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def clocks_of(
    journey: Journey, sla: Sla, stops: Iterable[ClockStop], now: datetime
) -> dict[str, Clock]:
    """The journey's clocks as they stood at the instant, by name."""
    views = clocks(sla, journey.times, now, tuple(stops))
    return dict(zip(CLOCKS, views, strict=True))
