"""Why this drone, pilot and slot; why not; and what would change it (pure).

Every statement is a reason code with parameters, computed from the same problem that the
allocator solved; ``sentence`` says it in French, Dutch or English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.allocation.candidates import (
    PrepRule,
    allowed_slots,
    capability_reason,
    pilot_reason,
    slot_reason,
)
from droneteam.fleet.explanations.fitting import Fit, Hold, fit, free_from, reachable, users
from droneteam.fleet.explanations.relaxing import helping
from droneteam.fleet.explanations.sentences import LANGUAGES, TEMPLATES, WORDS
from droneteam.fleet.performance.statistics import jain_index
from droneteam.fleet.problem import Assigned, Drone, Job, Pilot, Plan, Problem, visit
from droneteam.fleet.terms import PRIORITIES, Param, Reason, minutes_between

SEARCH_DAYS = 2
"""How far ahead a later free time is looked for."""
MAX_DISPLACEMENTS = 3
_GATHERED = {
    "drone.busy": "drone",
    "pilot.busy": "pilot",
    "pilot.not_current": "pilot",
    "weather.wind": "drone",
    "weather.rain": "drone",
}
"""Code → the parameter whose values are told in one sentence; a reader counts no ten of them."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened to a request, why, and what would change it.

    broken : why what is planned for it cannot be flown as it stands now
    """

    verdict: Literal["served", "unserved", "pending"]
    reasons: tuple[Reason, ...]
    changes: tuple[Reason, ...] = ()
    broken: tuple[Reason, ...] = ()


def explain(problem: Problem, plan: Plan, request_id: int) -> Explanation:
    """The explanation of one request in the plan."""
    job = problem.job(request_id)
    if job is None:
        return Explanation("pending", (Reason("not_in_plan"),))
    assigned = plan.assignment(request_id)
    if assigned is not None:
        return Explanation("served", why(problem, plan, assigned))
    return Explanation("unserved", why_not(problem, plan, job), what_if(problem, plan, job))


def why(problem: Problem, plan: Plan, assigned: Assigned) -> tuple[Reason, ...]:
    """Why the request got this drone, this pilot and this slot."""
    job = problem.job(assigned.request_id)
    assert job is not None
    standing = [other for other in plan.assignments if other is not assigned]
    return (
        *_why_drone(problem, standing, job, assigned),
        *_why_pilot(problem, standing, job, assigned),
        *_why_slot(job, assigned),
    )


def _why_drone(
    problem: Problem, standing: Sequence[Assigned], job: Job, assigned: Assigned
) -> list[Reason]:
    chosen = next(drone for drone in problem.drones if drone.id == assigned.drone_id)
    able = [drone for drone in problem.drones if capability_reason(job, drone) is None]
    params: dict[str, Param] = {
        "drone": chosen.name,
        "capability": ", ".join(sorted(job.capabilities)) or "-",
        "able": len(able),
        "fleet": len(problem.drones),
    }
    reasons = [Reason("drone.capable", params)]
    busy = [other for other in able if _is_out(standing, other, assigned)]
    if job.published is not None and job.published.drone_id == chosen.id:
        reasons.append(Reason("drone.kept", {"drone": chosen.name}))
    elif len(able) == 1:
        reasons.append(Reason("drone.only_able", {"drone": chosen.name}))
    elif len(busy) == len(able) - 1:
        names = ", ".join(drone.name for drone in busy)
        reasons.append(Reason("drone.only_free", {"drone": chosen.name, "busy": names}))
    elif _is_nearest(problem, job, chosen, able):
        travel: dict[str, Param] = {"drone": chosen.name, "minutes": assigned.visit.travel_min}
        reasons.append(Reason("drone.nearest", travel))
    return reasons


def _is_out(standing: Sequence[Assigned], drone: Drone, assigned: Assigned) -> bool:
    occupied = assigned.visit.occupied
    return any(window.overlaps(occupied) for window in drone.busy) or any(
        other.drone_id == drone.id and other.visit.occupied.overlaps(occupied) for other in standing
    )


def _is_nearest(problem: Problem, job: Job, chosen: Drone, able: Sequence[Drone]) -> bool:
    """True where another base would have meant a longer drive."""
    minutes = {
        drone.id: problem.speed.minutes(drone.base, job.place, emergency=job.emergency)
        for drone in able
    }
    return minutes[chosen.id] == min(minutes.values()) < max(minutes.values())


def _why_pilot(
    problem: Problem, standing: Sequence[Assigned], job: Job, assigned: Assigned
) -> list[Reason]:
    reasons: list[Reason] = []
    fit_for_it = [
        pilot
        for pilot in problem.pilots
        if pilot_reason(problem, job, pilot, assigned.visit) is None
    ]
    free = [pilot for pilot in fit_for_it if not _clashes(problem, standing, pilot, assigned)]
    for pilot in (pilot for pilot in problem.pilots if pilot.id in assigned.pilot_ids):
        reasons += _why_credentials(job, pilot, assigned)
        if job.published is not None and pilot.id in job.published.pilot_ids:
            reasons.append(Reason("pilot.kept", {"pilot": pilot.name}))
        elif len(free) <= job.crew:
            reasons.append(Reason("pilot.only_free", {"pilot": pilot.name}))
        else:
            sorties = 1 + sum(pilot.id in other.pilot_ids for other in standing)
            load: dict[str, Param] = {
                "pilot": pilot.name,
                "sorties": sorties,
                "others": len(free) - 1,
            }
            reasons.append(Reason("pilot.balanced", load))
    return reasons


def _clashes(
    problem: Problem, standing: Sequence[Assigned], pilot: Pilot, assigned: Assigned
) -> bool:
    return any(
        pilot.id in other.pilot_ids
        and problem.duty.conflict(other.visit.occupied, assigned.visit.occupied) is not None
        for other in standing
    )


def _why_credentials(job: Job, pilot: Pilot, assigned: Assigned) -> list[Reason]:
    reasons = []
    for kind in sorted(job.credentials):
        until = max(
            (
                credential.valid_until
                for credential in pilot.credentials
                if credential.kind == kind and credential.covers(assigned.visit.occupied)
            ),
            default=None,
        )
        if until is not None:
            params = {"pilot": pilot.name, "credential": kind, "until": until.isoformat()}
            reasons.append(Reason("pilot.qualified", params))
    return reasons


def _why_slot(job: Job, assigned: Assigned) -> list[Reason]:
    trip = assigned.visit
    params: dict[str, Param] = {
        "start": trip.start_at.isoformat(),
        "wanted": job.wanted_at.isoformat(),
        "depart": trip.depart_at.isoformat(),
        "packs": len(assigned.pack_ids),
    }
    reasons = [Reason("slot.wanted" if trip.start_at == job.wanted_at else "slot.moved", params)]
    if trip.late_min:
        reasons.append(Reason("slot.late", {"minutes": trip.late_min}))
    return reasons


def why_not(problem: Problem, plan: Plan, job: Job) -> tuple[Reason, ...]:
    """The constraints that keep the job out of the plan, by name."""
    settled = never(problem, job)
    if settled:
        return settled
    found = fit(problem, plan.assignments, job)
    if found.assigned is not None:
        return (Reason("search.stopped", {"status": plan.status}),)
    return tuple(reason for hold in found.holds for reason in (_summary(hold), *hold.reasons))


def never(problem: Problem, job: Job) -> tuple[Reason, ...]:
    """Why the job could not be served even with everybody free; empty when it could."""
    if job.blocks:
        return job.blocks
    if not problem.drones or not problem.pilots:
        return (Reason("no.pilots" if problem.drones else "no.drones"),)
    if not any(capability_reason(job, drone) is None for drone in problem.drones):
        return (Reason("no.capability", {"capability": ", ".join(sorted(job.capabilities))}),)
    if not any(_has_kinds(job, pilot) for pilot in problem.pilots):
        return (Reason("no.credential", {"credential": ", ".join(sorted(job.credentials))}),)
    if not allowed_slots(problem, job):
        return _forbidden(problem, job)
    if not reachable(problem, job):
        return (_unreachable(problem, job),)
    return _hold_reasons(fit(problem, (), job))


def _forbidden(problem: Problem, job: Job) -> tuple[Reason, ...]:
    """What forbids the slots: the airspace once, or the dark at the first of them."""
    reasons = [slot_reason(problem, job, slot) for slot in job.slots]
    first_of = {reason.code: reason for reason in reversed(reasons) if reason is not None}
    return tuple(first_of[code] for code in sorted(first_of))


def _hold_reasons(found: Fit) -> tuple[Reason, ...]:
    """The holds' own reasons, each stated once."""
    unique: list[Reason] = []
    for hold in found.holds:
        unique += [reason for reason in hold.reasons if reason not in unique]
    return tuple(unique)


def _has_kinds(job: Job, pilot: Pilot) -> bool:
    return job.credentials <= {credential.kind for credential in pilot.credentials}


def _unreachable(problem: Problem, job: Job) -> Reason:
    """Says when a crew called now could begin."""
    shortest = min(
        visit(problem, job, slot, drone.base).start_at
        - visit(problem, job, slot, drone.base).taken_at
        for slot in allowed_slots(problem, job)
        for drone in problem.drones
        if capability_reason(job, drone) is None
    )
    return Reason("too_late", {"earliest": (problem.now + shortest).isoformat()})


def _summary(hold: Hold) -> Reason:
    requests = ", ".join(str(request) for request in sorted(hold.request_ids)) or "-"
    return Reason(f"all.{hold.resource}", {"requests": requests, "count": len(hold.reasons)})


def what_if(
    problem: Problem, plan: Plan, job: Job, prep_min: PrepRule | None = None
) -> tuple[Reason, ...]:
    """What would get the job served: a later time, another's place, or more means.

    Each has been tried: the job fits into the problem that is changed in this way.
    prep_min : the crew's preparation at an instant, as `free_from` takes it
    """
    if not job.slots or job.blocks:
        return ()
    changes: list[Reason] = []
    until = problem.now + timedelta(days=SEARCH_DAYS)
    until = max(until, job.slots[-1].end_at)
    later = free_from(problem, plan.assignments, job, until, prep_min)
    if later is not None:
        changes.append(Reason("if.later", {"start": later.visit.start_at.isoformat()}))
    changes += displacements(problem, plan, job)
    changes += helping(problem, plan.assignments, job)
    return tuple(changes)


def displacements(problem: Problem, plan: Plan, job: Job) -> list[Reason]:
    """Single assignments, no more urgent, whose place the job could take; least urgent first."""
    jobs = {other.request_id: other for other in problem.jobs}
    holders = users(problem, plan.assignments, job)
    movable = [
        a
        for a in plan.assignments
        if a.request_id in holders and jobs[a.request_id].priority >= job.priority
    ]
    movable.sort(key=lambda a: PRIORITIES.index(jobs[a.request_id].priority), reverse=True)
    before = fairness(problem, plan.assignments)
    found: list[Reason] = []
    for victim in movable:
        rest = [other for other in plan.assignments if other is not victim]
        instead = fit(problem, rest, job)
        if instead.assigned is None:
            continue
        params: dict[str, Param] = {
            "request": victim.request_id,
            "priority": jobs[victim.request_id].priority,
            "fairness_before": round(before, 2),
            "fairness_after": round(fairness(problem, [*rest, instead.assigned]), 2),
        }
        found.append(Reason("if.displaced", params))
        if len(found) == MAX_DISPLACEMENTS:
            break
    return found


def fairness(problem: Problem, assignments: Sequence[Assigned]) -> float:
    """Jain's index of the zones' served over claimed crew-minutes."""
    jobs = {job.request_id: job for job in problem.jobs}
    shares = []
    for claim in problem.claims:
        own = [
            job
            for job in jobs.values()
            if job.organisation_id == claim.organisation_id and not job.exempt
        ]
        asked = sum(job.demand_min for job in own)
        if asked:
            ids = {job.request_id for job in own}
            served = sum(_crew_min(a) for a in assignments if a.request_id in ids)
            shares.append(served / asked)
    return jain_index(shares)


def _crew_min(assigned: Assigned) -> int:
    return len(assigned.pilot_ids) * minutes_between(assigned.visit.start_at, assigned.visit.end_at)


def gathered(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """The reasons with those told as one that differ in the drone or the pilot only."""
    together: dict[tuple[object, ...], Reason] = {}
    for reason in reasons:
        key: tuple[object, ...] = (reason.code, *sorted(reason.params.items()))
        name = _GATHERED.get(reason.code)
        if name is not None:
            rest = {other: value for other, value in reason.params.items() if other != name}
            key = (reason.code, *sorted(rest.items()))
            if key in together:
                names = {*str(together[key].params[name]).split(", "), str(reason.params[name])}
                reason = Reason(reason.code, {**rest, name: ", ".join(sorted(names))})
        together[key] = reason
    return tuple(together.values())


def sentence(reason: Reason, lang: str) -> str:
    """The reason as a sentence in fr, nl or en; times are those of Brussels.

    Raises
    ------
    InputError
        The language is another one.
    """
    if lang not in LANGUAGES:
        raise InputError(f"language {lang!r} is not one of fr, nl, en", field="lang")
    shown = {name: _shown(name, value, lang) for name, value in reason.params.items()}
    return TEMPLATES[reason.code][LANGUAGES.index(lang)].format(**shown)


def _length(minutes: int, lang: str) -> str:
    """Minutes; from two hours on hours and minutes, which nobody has to divide."""
    if abs(minutes) < 120:
        return f"{minutes} min"
    hours, rest = divmod(abs(minutes), 60)
    hour = "u" if lang == "nl" else "h"
    return f"{'−' if minutes < 0 else ''}{hours} {hour} {rest:02d} min"


def _time_ahead(hours: int, lang: str) -> str:
    """Hours; from two days on whole days as well, each noun in its number."""
    nouns = (("jour", "jours", "h"), ("dag", "dagen", "u"), ("day", "days", "h"))
    one, many, hour = nouns[LANGUAGES.index(lang)]
    if not hours:
        least = ("moins d'une heure", "minder dan een uur", "less than an hour")
        return least[LANGUAGES.index(lang)]
    days, rest = divmod(hours, 24)
    if not days or (days == 1 and rest):
        return f"{hours} {hour}"
    told = f"{days} {one if days == 1 else many}"
    return f"{told} {rest} {hour}" if rest else told


def _shown(name: str, value: Param, lang: str) -> str:
    """A parameter as people write it: local time, decimal comma, words for codes."""
    if name == "minutes":
        return _length(round(float(value)), lang)
    if name in ("hours", "days"):
        return _time_ahead(int(value) * (24 if name == "days" else 1), lang)
    if isinstance(value, float):
        text = f"{value:g}" if name in ("expected", "limit") else f"{value:.2f}"
        return text if lang == "en" else text.replace(".", ",")
    if isinstance(value, int):
        value = str(value)
    if _DATE.fullmatch(value):
        return date.fromisoformat(value).strftime("%d/%m/%Y")
    if _INSTANT.match(value):
        return to_local(datetime.fromisoformat(value)).strftime("%d/%m %H:%M")
    return ", ".join(
        WORDS[part][LANGUAGES.index(lang)] if part in WORDS else part for part in value.split(", ")
    )
