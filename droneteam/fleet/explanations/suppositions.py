"""What a coordinator supposes, and the problem as it would then be (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from droneteam.errors import InputError, NotFound
from droneteam.fleet.agreement.sla import Sla
from droneteam.fleet.demand import Demand, job_of
from droneteam.fleet.explanations.pins import Pin
from droneteam.fleet.problem import Job, Place, Problem
from droneteam.fleet.requirements import requirement
from droneteam.fleet.terms import Reason, RequestKind, Window, check_aware, check_priority

SUPPOSED_ID = 2**31 - 1
"""The number of the supposed request; no row bears it."""

SupposedKind = Literal["drone_grounded", "pilot_absent", "left_out", "new_request", "placed"]
SUPPOSED_KINDS: tuple[str, ...] = get_args(SupposedKind)
_TIMED = ("drone_grounded", "pilot_absent", "new_request")


@dataclass(frozen=True, slots=True)
class Supposition:
    """One thing that a coordinator supposes.

    subject_id : the drone, the pilot or the request; 0 for a new request
    start_at, end_at : how long a drone or a pilot is away; the window of a new request; a placed
        request begins at start_at, or whenever is best
    priority, request_kind, lat_deg, lon_deg : of a new request
    drone_id, pilot_ids : of a placed request; 0 and no pilots leave them open
    """

    kind: SupposedKind
    subject_id: int = 0
    start_at: datetime | None = None
    end_at: datetime | None = None
    priority: str = "P0"
    request_kind: RequestKind = RequestKind.SEARCH
    lat_deg: float = 0.0
    lon_deg: float = 0.0
    drone_id: int = 0
    pilot_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_priority(self.priority)
        if self.kind not in SUPPOSED_KINDS:
            raise InputError(f"supposition {self.kind!r} is unknown", field="kind")
        if self.kind in _TIMED:
            if self.start_at is None or self.end_at is None:
                raise InputError("a supposition needs its start and end", field="start_at")
            Window(self.start_at, self.end_at)
        if self.kind == "placed":
            if self.start_at is not None:
                check_aware(self.start_at, "start_at")
            if self.start_at is None and not self.drone_id and not self.pilot_ids:
                raise InputError("say which drone, which pilots or which start", field="drone_id")

    @property
    def window(self) -> Window:
        """When it holds; InputError for a supposition without times."""
        if self.start_at is None or self.end_at is None:
            raise InputError("the supposition has no times", field="start_at")
        return Window(self.start_at, self.end_at)


def pins_of(supposed: Iterable[Supposition]) -> tuple[Pin, ...]:
    """Where requests are put; of one that is put twice, the later holds."""
    placed = {
        one.subject_id: Pin(one.subject_id, one.drone_id or None, one.pilot_ids, one.start_at)
        for one in supposed
        if one.kind == "placed"
    }
    return tuple(placed.values())


def suppose(problem: Problem, sla: Sla, supposed: Iterable[Supposition]) -> Problem:
    """The problem as it would be; where requests are put is the search's business (`pins_of`).

    Raises
    ------
    NotFound
        The drone, pilot or request is none of the problem's.
    """
    for one in supposed:
        match one.kind:
            case "drone_grounded":
                problem = _grounded(problem, one)
            case "pilot_absent":
                problem = _absent(problem, one)
            case "left_out":
                problem = _left_out(problem, one)
            case "new_request":
                problem = _with_request(problem, sla, one)
    return problem


def _grounded(problem: Problem, one: Supposition) -> Problem:
    if one.subject_id not in {drone.id for drone in problem.drones}:
        raise NotFound("drone", one.subject_id)
    drones = tuple(
        replace(drone, busy=(*drone.busy, one.window)) if drone.id == one.subject_id else drone
        for drone in problem.drones
    )
    return replace(problem, drones=drones)


def _absent(problem: Problem, one: Supposition) -> Problem:
    if one.subject_id not in {pilot.id for pilot in problem.pilots}:
        raise NotFound("pilot", one.subject_id)
    pilots = tuple(
        replace(pilot, absences=(*pilot.absences, one.window))
        if pilot.id == one.subject_id
        else pilot
        for pilot in problem.pilots
    )
    return replace(problem, pilots=pilots)


def _left_out(problem: Problem, one: Supposition) -> Problem:
    if problem.job(one.subject_id) is None:
        raise NotFound("request that can still be planned", one.subject_id)
    jobs = tuple(
        replace(job, slots=(), published=None, blocks=(Reason("supposed.left_out"),))
        if job.request_id == one.subject_id
        else job
        for job in problem.jobs
    )
    return replace(problem, jobs=jobs)


def _with_request(problem: Problem, sla: Sla, one: Supposition) -> Problem:
    if problem.job(SUPPOSED_ID) is not None:
        raise InputError("one new request at a time can be supposed", field="kind")
    needs = requirement(one.request_kind, payload=None, sensitive=False, low_noise=False)
    demand = Demand(
        request_id=SUPPOSED_ID,
        organisation_id=0,
        priority=one.priority,
        window=one.window,
        place=Place(one.lat_deg, one.lon_deg),
        requirement=needs,
        submitted_at=problem.now,
        sla=sla,
        daylight_only=one.request_kind.value in sla.hours.daylight_kinds,
    )
    bases = tuple(dict.fromkeys(drone.base for drone in problem.drones))
    job: Job = job_of(demand, now=problem.now, bases=bases, speed=problem.speed)
    return replace(problem, jobs=(*problem.jobs, job))


def stored(one: Supposition) -> dict[str, Any]:
    """The supposition as JSON."""
    values = asdict(one)
    for name in ("start_at", "end_at"):
        at = values[name]
        values[name] = None if at is None else at.astimezone(UTC).isoformat()
    return values | {"pilot_ids": list(one.pilot_ids)}


def read_stored(kept: Mapping[str, Any]) -> Supposition:
    """The supposition from JSON."""
    values = dict(kept)
    for name in ("start_at", "end_at"):
        values[name] = None if values[name] is None else datetime.fromisoformat(values[name])
    values["request_kind"] = RequestKind(values["request_kind"])
    values["pilot_ids"] = tuple(values.get("pilot_ids", ()))
    return Supposition(**values)
