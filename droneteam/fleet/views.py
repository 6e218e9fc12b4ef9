"""What the fleet's services take and give: frozen values, detached from the database."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from droneteam.errors import InputError
from droneteam.fleet.agreement.sla import Clock
from droneteam.fleet.explanations.explain import Explanation
from droneteam.fleet.problem import Term
from droneteam.fleet.requirements import requirement
from droneteam.fleet.terms import Reason, RequestKind, RequestState, Window, check_priority
from droneteam.geo import check_lat_lon

ReasonView = Reason
ClockView = Clock

MAX_WINDOW = timedelta(days=7)
"""A longer presence is asked for as several requests, so that each can be planned."""
MAX_LINE = 200
MAX_TEXT = 4000
MAX_VERTICES = 500
PlanState = Literal["draft", "published", "superseded", "discarded"]
LEGAL_ITEMS = ("legal_basis", "contact")
"""What a request may not be submitted without, and a draft may still lack."""


@dataclass(frozen=True, slots=True)
class RequestDraft:
    """What a requester fills in; checked once, here.

    polygon : (lat_deg, lon_deg) of the scene's outline; empty for a point
    address : the place in words, for people; lat_deg and lon_deg decide
    payload : rgb, thermal, zoom or None where the kind's own camera will do
    unfinished : kept to go on with later; its legal basis and contact may still be missing
    """

    kind: RequestKind
    title: str
    priority: str
    start_at: datetime
    end_at: datetime
    lat_deg: float
    lon_deg: float
    polygon: tuple[tuple[float, float], ...]
    legal_basis: str
    contact: str
    payload: str | None = None
    sensitive: bool = False
    low_noise: bool = False
    notes: str = ""
    unfinished: bool = False
    address: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _kind(self.kind))
        check_priority(self.priority)
        window = Window(self.start_at, self.end_at)
        if window.end_at - window.start_at > MAX_WINDOW:
            raise InputError(
                f"the window is longer than {MAX_WINDOW.days} days: split it into several requests",
                field="end_at",
            )
        check_lat_lon(self.lat_deg, self.lon_deg)
        _check_polygon(self.polygon)
        for name in ("title", *LEGAL_ITEMS):
            _check_text(name, getattr(self, name), required=name == "title" or not self.unfinished)
        _check_text("address", self.address, required=False)
        if len(self.notes) > MAX_TEXT:
            raise InputError(f"the notes are longer than {MAX_TEXT} characters", field="notes")
        requirement(
            self.kind, payload=self.payload, sensitive=self.sensitive, low_noise=self.low_noise
        )


def _kind(value: str) -> RequestKind:
    try:
        return RequestKind(value)
    except ValueError:
        allowed = ", ".join(RequestKind)
        raise InputError(f"kind {value!r} is none of {allowed}", field="kind") from None


def _check_text(name: str, text: str, *, required: bool) -> None:
    if required and not text.strip():
        raise InputError(f"{name} is empty", field=name)
    if len(text) > MAX_LINE:
        raise InputError(f"{name} is longer than {MAX_LINE} characters", field=name)


def _check_polygon(polygon: tuple[tuple[float, float], ...]) -> None:
    if not polygon:
        return
    if not 3 <= len(set(polygon)) <= len(polygon) <= MAX_VERTICES:
        raise InputError(
            f"the polygon has {len(set(polygon))} different corners of {len(polygon)}; "
            f"3 to {MAX_VERTICES} are allowed",
            field="polygon",
        )
    for lat_deg, lon_deg in polygon:
        try:
            check_lat_lon(lat_deg, lon_deg)
        except InputError as error:
            raise InputError(f"polygon: {error}", field="polygon") from error
    if math.isclose(_shoelace(polygon), 0.0, abs_tol=1e-14):
        raise InputError("the polygon's corners lie on one line", field="polygon")


def _shoelace(polygon: tuple[tuple[float, float], ...]) -> float:
    closed = (*polygon[1:], polygon[0])
    lat_0, lon_0 = polygon[0]
    return sum(
        (lat - lat_0) * (next_lon - lon_0) - (next_lat - lat_0) * (lon - lon_0)
        for (lat, lon), (next_lat, next_lon) in zip(polygon, closed, strict=True)
    )


@dataclass(frozen=True, slots=True)
class AssignmentView:
    """What a request gets: drone, crew, packs and times.

    pilot_id, pilot_name : the pilot in command; crew_ids holds the whole crew
    taken_at, free_at : from when and until when drone and crew are out for nothing else
    """

    id: int
    plan_id: int
    request_id: int
    drone_id: int
    drone_name: str
    pilot_id: int
    pilot_name: str
    crew_ids: tuple[int, ...]
    battery_ids: tuple[int, ...]
    taken_at: datetime
    depart_at: datetime
    arrive_at: datetime
    start_at: datetime
    end_at: datetime
    free_at: datetime
    why: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request as its zone and the team see it."""

    id: int
    organisation_id: int
    organisation_name: str
    state: RequestState
    kind: RequestKind
    title: str
    priority: str
    start_at: datetime
    end_at: datetime
    lat_deg: float
    lon_deg: float
    polygon: tuple[tuple[float, float], ...]
    legal_basis: str
    contact: str
    payload: str | None
    sensitive: bool
    low_noise: bool
    notes: str
    submitted_at: datetime
    sla_version: int
    clocks: tuple[ClockView, ...]
    assignment: AssignmentView | None
    explanation: Explanation | None
    series: str | None = None
    close_code: str | None = None
    address: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The legal items that a draft still lacks."""
        return tuple(name for name in LEGAL_ITEMS if not getattr(self, name).strip())


@dataclass(frozen=True, slots=True)
class RequestEventView:
    """One step of a request's history."""

    at: datetime
    state: RequestState
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan with its proof and what it could not serve."""

    id: int
    state: PlanState
    status: str
    base_plan_id: int | None
    solved_at: datetime
    published_at: datetime | None
    terms: tuple[Term, ...]
    gap: float
    seed: int
    assignments: tuple[AssignmentView, ...]
    unserved: tuple[tuple[int, tuple[ReasonView, ...]], ...]
    changes: dict[int, tuple[ReasonView, ...]]

    @property
    def bound(self) -> tuple[int, ...]:
        """The proven lower bounds, in the order of the terms."""
        return tuple(term.bound for term in self.terms)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a requester may expect before submitting."""

    verdict: Literal["yes", "maybe", "no"]
    from_at: datetime | None
    reasons: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True)
class Booking:
    """The outcome of a booking: an assignment, or why there is none."""

    assignment: AssignmentView | None
    reasons: tuple[ReasonView, ...] = ()


@dataclass(frozen=True, slots=True)
class DroneView:
    """A drone with its readiness."""

    id: int
    name: str
    model: str
    serial: str
    operator_registration: str
    remote_id_serial: str
    firmware: str
    base_name: str
    base_lat_deg: float
    base_lon_deg: float
    capabilities: tuple[str, ...]
    pack_type: str
    flight_h: float
    cycles: int
    ready: bool
    reasons: tuple[ReasonView, ...]
    warnings: tuple[ReasonView, ...]
    low_noise: bool
    sensitive_allowed: bool
    retired: bool


@dataclass(frozen=True, slots=True)
class CredentialView:
    """A pilot's credential and the days on which it holds.

    ended_on : the last day on which it held, where it was taken away before valid_until
    """

    id: int
    kind: str
    number: str
    valid_from: date
    valid_until: date
    ended_on: date | None


@dataclass(frozen=True, slots=True)
class PilotView:
    """A pilot with credentials and readiness."""

    id: int
    name: str
    user_id: int | None
    credentials: tuple[CredentialView, ...]
    ready: bool
    reasons: tuple[ReasonView, ...]
    warnings: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True)
class BatteryView:
    """A battery pack with its readiness."""

    id: int
    label: str
    type: str
    cycles: int
    health_pct: int
    charged_at: datetime | None
    ready: bool
    reasons: tuple[ReasonView, ...]
    warnings: tuple[ReasonView, ...]
    max_cycles: int
    retired_at: datetime | None


def hide_foreign(reasons: tuple[Reason, ...], own_ids: frozenset[int]) -> tuple[Reason, ...]:
    """The reasons without the numbers of other organisations' requests."""
    shown = []
    for reason in reasons:
        named = reason.params.get("request")
        if named is not None and named not in own_ids:
            continue
        listed = reason.params.get("requests")
        if isinstance(listed, str):
            own = [part for part in listed.split(", ") if part.isdigit() and int(part) in own_ids]
            reason = replace(reason, params={**reason.params, "requests": ", ".join(own) or "…"})
        shown.append(reason)
    return tuple(shown)
