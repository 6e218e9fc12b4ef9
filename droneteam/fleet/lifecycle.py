"""The moves that a request may make between its states (pure)."""

from __future__ import annotations

from droneteam.errors import Conflict
from droneteam.fleet.terms import RequestState as S

_OPEN = (S.CANCELLED, S.EXPIRED)

TRANSITIONS: dict[S, frozenset[S]] = {
    S.DRAFT: frozenset({S.SUBMITTED, S.CANCELLED}),
    S.SUBMITTED: frozenset({S.ACKNOWLEDGED, S.TRIAGED, S.PLANNED, S.WAITLISTED, S.REFUSED, *_OPEN}),
    S.ACKNOWLEDGED: frozenset({S.TRIAGED, S.PLANNED, S.WAITLISTED, S.REFUSED, *_OPEN}),
    S.TRIAGED: frozenset({S.TRIAGED, S.PLANNED, S.WAITLISTED, S.REFUSED, *_OPEN}),
    S.WAITLISTED: frozenset({S.TRIAGED, S.PLANNED, S.REFUSED, *_OPEN}),
    S.PLANNED: frozenset({S.CONFIRMED, S.DISPLACED, S.IN_PROGRESS, S.REFUSED, *_OPEN}),
    S.CONFIRMED: frozenset({S.DISPLACED, S.IN_PROGRESS, *_OPEN}),
    S.DISPLACED: frozenset({S.PLANNED, S.REFUSED, *_OPEN}),
    S.IN_PROGRESS: frozenset({S.FULFILLED, S.PARTLY, S.CANCELLED}),
    S.REFUSED: frozenset(),
    S.FULFILLED: frozenset(),
    S.PARTLY: frozenset(),
    S.CANCELLED: frozenset(),
    S.EXPIRED: frozenset(),
}

PLANNABLE = frozenset(
    {
        S.SUBMITTED,
        S.ACKNOWLEDGED,
        S.TRIAGED,
        S.WAITLISTED,
        S.PLANNED,
        S.CONFIRMED,
        S.DISPLACED,
    }
)
"""The states in which the allocator may still give or take a drone."""

FINAL = frozenset(state for state, after in TRANSITIONS.items() if not after)


def check_move(request_id: int, before: S, after: S) -> None:
    """Nothing, when the state machine knows the move.

    Raises
    ------
    Conflict
        Names both states and the moves that remain.
    """
    if after not in TRANSITIONS[before]:
        allowed = ", ".join(sorted(TRANSITIONS[before])) or "none: it is closed"
        raise Conflict(
            f"request {request_id} is {before} and cannot become {after}; possible: {allowed}"
        )
