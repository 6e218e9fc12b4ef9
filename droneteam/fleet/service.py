"""The fleet's door: everything that the packages above may ask of it.

Each function takes the session and the actor first and leaves the transaction to its caller.
The work is done in ``requests`` (what zones ask), ``planning`` (plans), ``booking`` (quick
answers), ``inventory`` (registry), ``agreements`` (service level agreement) and ``reference``.
"""

from __future__ import annotations

from droneteam.fleet.agreements import add_version, current_document, edit_version
from droneteam.fleet.booking import book_request, instant_answer
from droneteam.fleet.inventory import (
    list_batteries,
    list_drones,
    list_pilots,
    release_defect,
    report_defect,
)
from droneteam.fleet.planning import (
    current_plan,
    draft_plan,
    get_assignment,
    get_plan,
    publish_plan,
    solve_plan,
)
from droneteam.fleet.reference import seed_reference
from droneteam.fleet.requests import (
    acknowledge_request,
    cancel_request,
    expire_requests,
    get_request,
    list_requests,
    mark_request_state,
    refuse_request,
    request_history,
    stop_clock,
    submit_request,
)
from droneteam.fleet.terms import RequestKind, RequestState
from droneteam.fleet.views import (
    Answer,
    AssignmentView,
    BatteryView,
    Booking,
    ClockView,
    DroneView,
    PilotView,
    PlanView,
    ReasonView,
    RequestDraft,
    RequestView,
)

__all__ = [
    "Answer",
    "AssignmentView",
    "BatteryView",
    "Booking",
    "ClockView",
    "DroneView",
    "PilotView",
    "PlanView",
    "ReasonView",
    "RequestDraft",
    "RequestKind",
    "RequestState",
    "RequestView",
    "acknowledge_request",
    "add_version",
    "book_request",
    "cancel_request",
    "current_document",
    "current_plan",
    "draft_plan",
    "edit_version",
    "expire_requests",
    "get_assignment",
    "get_plan",
    "get_request",
    "instant_answer",
    "list_batteries",
    "list_drones",
    "list_pilots",
    "list_requests",
    "mark_request_state",
    "publish_plan",
    "refuse_request",
    "release_defect",
    "report_defect",
    "request_history",
    "seed_reference",
    "solve_plan",
    "stop_clock",
    "submit_request",
]
