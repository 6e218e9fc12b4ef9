"""Checks a plan against its problem from the rules alone; shares no code with the model.

Of the product it imports nothing: times, distances, duties, packs and the objective's terms are
worked out here a second time, so that a mistake in the model does not hide in its check.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

BRUSSELS = ZoneInfo("Europe/Brussels")
EARTH_RADIUS_KM = 6371.0088


def violations(problem: Any, plan: Any) -> list[str]:
    """Every rule that the plan breaks, in words; empty for a valid plan."""
    jobs = {job.request_id: job for job in problem.jobs}
    found = []
    served = [assigned.request_id for assigned in plan.assignments]
    if len(set(served)) != len(served) or set(served) & set(plan.unserved):
        found.append("a request is served twice, or served and unserved")
    if set(served) | set(plan.unserved) != set(jobs):
        found.append("a request is missing from the plan")
    for assigned in plan.assignments:
        job = jobs[assigned.request_id]
        found += [f"request {job.request_id}: {text}" for text in _alone(problem, job, assigned)]
    found += _overlaps(plan.assignments)
    found += _duties(problem, plan.assignments)
    found += _packs(problem, jobs, plan.assignments)
    expected = term_values(problem, plan.assignments)
    for term in plan.terms:
        if term.value != expected[term.name]:
            found.append(f"{term.name} says {term.value}, is {expected[term.name]}")
        if term.bound > term.value:
            found.append(f"{term.name}: bound {term.bound} above value {term.value}")
    return found


def _km(a: Any, b: Any) -> float:
    """Spherical law of cosines, unlike the product's haversine."""
    lat_a, lat_b = math.radians(a.lat_deg), math.radians(b.lat_deg)
    cosine = math.sin(lat_a) * math.sin(lat_b) + math.cos(lat_a) * math.cos(lat_b) * math.cos(
        math.radians(a.lon_deg - b.lon_deg)
    )
    return EARTH_RADIUS_KM * math.acos(min(1.0, cosine))


def _drive_min(problem: Any, a: Any, b: Any, emergency: bool) -> int:
    road_km = problem.speed.detour * _km(a, b)
    speeds = [kmh for limit, kmh in problem.speed.bands if road_km <= limit]
    kmh = speeds[0] if speeds else problem.speed.bands[-1][1]
    return math.ceil(60.0 * road_km / (kmh * (problem.speed.emergency_factor if emergency else 1)))


def _alone(problem: Any, job: Any, assigned: Any) -> list[str]:
    """What is wrong with one assignment, whatever else is planned."""
    found = []
    trip = assigned.visit
    drone = next(d for d in problem.drones if d.id == assigned.drone_id)
    slot = next(
        (s for s in job.slots if (s.start_at, s.end_at) == (trip.start_at, trip.end_at)), None
    )
    if slot is None:
        return ["the time is none of its slots"]
    out = _drive_min(problem, drone.base, job.place, job.emergency)
    back = _drive_min(problem, drone.base, job.place, False)
    taken_at = slot.start_at - timedelta(minutes=job.setup_min + out + slot.prep_min)
    free_at = slot.end_at + timedelta(minutes=back + problem.turnaround_min)
    if (trip.taken_at, trip.free_at) != (taken_at, free_at):
        found.append("the occupation does not match drive, preparation and turnaround")
    if taken_at < problem.now:
        found.append("the crew would have had to leave before now")
    if not job.capabilities <= drone.capabilities or drone.blocks:
        found.append("the drone cannot do it or is grounded")
    if any(w.start_at < free_at and taken_at < w.end_at for w in drone.busy):
        found.append("the drone is held by something else")
    found += _conditions(problem, job, drone, slot)
    if len(set(assigned.pilot_ids)) != job.crew:
        found.append("the crew has the wrong size")
    for pilot in (p for p in problem.pilots if p.id in assigned.pilot_ids):
        found += _pilot(job, pilot, taken_at, free_at)
    return found


def _conditions(problem: Any, job: Any, drone: Any, slot: Any) -> list[str]:
    """Airspace, light and weather of the flying time itself."""
    found = []
    if job.cleared_from is not None and job.cleared_from > slot.start_at:
        found.append("the airspace is not approved yet")
    lit = [w for w in problem.daylight if w.start_at <= slot.start_at < w.end_at]
    if job.daylight_only and not (lit and max(w.end_at for w in lit) >= slot.end_at):
        found.append("it would fly in the dark")
    for expected in problem.forecasts:
        apart = slot.end_at <= expected.window.start_at or expected.window.end_at <= slot.start_at
        if apart:
            continue
        if drone.max_gust_mps is not None and drone.max_gust_mps < expected.gust_mps:
            found.append("it would fly in too much wind")
        if drone.max_rain_mm_h is not None and drone.max_rain_mm_h < expected.rain_mm_h:
            found.append("it would fly in too much rain")
    return found


def _pilot(job: Any, pilot: Any, taken_at: datetime, free_at: datetime) -> list[str]:
    found = []
    if pilot.blocks or any(w.start_at < free_at and taken_at < w.end_at for w in pilot.absences):
        found.append(f"{pilot.name} is absent or not fit to fly")
    for kind in job.credentials:
        if not any(
            held.kind == kind and all(held.valid_from <= d <= held.valid_until for d in days)
            for held in pilot.credentials
            for days in [_local_days(taken_at, free_at)]
        ):
            found.append(f"{pilot.name} lacks a valid {kind}")
    return found


def _local_days(start_at: datetime, end_at: datetime) -> list[date]:
    last = (end_at - timedelta(seconds=1)).astimezone(BRUSSELS).date()
    day = start_at.astimezone(BRUSSELS).date()
    days = [day]
    while day < last:
        day += timedelta(days=1)
        days.append(day)
    return days


def _overlaps(assignments: Any) -> list[str]:
    uses = defaultdict(list)
    for assigned in assignments:
        uses["drone", assigned.drone_id].append(assigned)
        for pilot_id in assigned.pilot_ids:
            uses["pilot", pilot_id].append(assigned)
    found = []
    for key, own in uses.items():
        own.sort(key=lambda a: a.visit.taken_at)
        for before, after in pairwise(own):
            if after.visit.taken_at < before.visit.free_at:
                found.append(f"{key} does {before.request_id} and {after.request_id} at once")
    return found


def _duties(problem: Any, assignments: Any) -> list[str]:
    """Longest duty within each duty day, shortest rest between two."""
    found = []
    rules = problem.duty
    for pilot in problem.pilots:
        work = [(w.start_at, w.end_at) for w in pilot.worked]
        work += [
            (a.visit.taken_at, a.visit.free_at) for a in assignments if pilot.id in a.pilot_ids
        ]
        if not any(pilot.id in a.pilot_ids for a in assignments):
            continue
        days = defaultdict(list)
        for start_at, end_at in work:
            local = start_at.astimezone(BRUSSELS).replace(tzinfo=None)
            days[(local - timedelta(hours=rules.day_start_h)).date()].append((start_at, end_at))
        duty = [(min(s for s, _ in own), max(e for _, e in own)) for _, own in sorted(days.items())]
        if any((e - s) > timedelta(minutes=rules.max_duty_min) for s, e in duty):
            found.append(f"{pilot.name} is on duty too long")
        for (_, end_at), (start_at, _) in pairwise(duty):
            if start_at - end_at < timedelta(minutes=rules.min_rest_min):
                found.append(f"{pilot.name} rests too little")
    return found


def _packs(problem: Any, jobs: Any, assignments: Any) -> list[str]:
    found = []
    packs = {pack.id: pack for pack in problem.packs}
    kinds = {kind.name: kind for kind in problem.pack_types}
    drones = {drone.id: drone for drone in problem.drones}
    ready_at = {p.id: p.charged_at or problem.now for p in problem.packs}
    for assigned in sorted(assignments, key=lambda a: a.visit.taken_at):
        job, kind = jobs[assigned.request_id], kinds[drones[assigned.drone_id].pack_type]
        minutes = max((s.end_at - s.start_at).total_seconds() / 60 for s in job.slots)
        sets = min(
            math.ceil(minutes / kind.endurance_min),
            1 + math.ceil(kind.charge_min / kind.endurance_min),
        )
        if len(set(assigned.pack_ids)) != sets * kind.per_flight:
            found.append(f"request {job.request_id} carries {len(assigned.pack_ids)} packs")
        for pack_id in assigned.pack_ids:
            if packs[pack_id].type != kind.name:
                found.append(f"pack {pack_id} does not fit the drone")
            if ready_at[pack_id] > assigned.visit.taken_at:
                found.append(f"pack {pack_id} is not charged for request {job.request_id}")
            ready_at[pack_id] = assigned.visit.free_at + timedelta(minutes=kind.charge_min)
    return found


def term_values(problem: Any, assignments: Any) -> dict[str, int]:
    """The objective's terms, worked out from the assignments alone."""
    given = {assigned.request_id: assigned for assigned in assignments}
    values: dict[str, int] = {}
    for priority in ("P0", "P1", "P2", "P3", "P4"):
        own = [job for job in problem.jobs if job.priority == priority]
        values[f"unserved_{priority}"] = sum(job.request_id not in given for job in own)
        values[f"late_min_{priority}"] = sum(
            _late_min(job, given[job.request_id]) for job in own if job.request_id in given
        )
    values["worst_shortfall"] = _worst_shortfall(problem, given)
    values["changes"] = sum(_changes(job, given.get(job.request_id)) for job in problem.jobs)
    values["moved_min"] = sum(
        _minutes_up(abs(given[job.request_id].visit.start_at - job.wanted_at))
        for job in problem.jobs
        if job.request_id in given
    )
    bases = {drone.id: drone.base for drone in problem.drones}
    values["travel_min"] = sum(
        _drive_min(problem, bases[given[job.request_id].drone_id], job.place, emergency)
        for job in problem.jobs
        if job.request_id in given
        for emergency in (job.emergency, False)
    )
    crews = [pilot_id for assigned in assignments for pilot_id in assigned.pilot_ids]
    values["busiest_pilot"] = max((crews.count(pilot_id) for pilot_id in crews), default=0)
    return values


def _minutes_up(length: timedelta) -> int:
    return math.ceil(length.total_seconds() / 60)


def _late_min(job: Any, assigned: Any) -> int:
    if job.due_at is None:
        return 0
    arrive_at = assigned.visit.start_at - timedelta(minutes=job.setup_min)
    return max(0, _minutes_up(arrive_at - job.due_at))


def _worst_shortfall(problem: Any, given: Any) -> int:
    worst = 0
    for claim in problem.claims:
        own = [
            job
            for job in problem.jobs
            if job.organisation_id == claim.organisation_id and not job.exempt
        ]
        demand = sum(
            job.crew * max((_minutes_up(s.end_at - s.start_at) for s in job.slots), default=0)
            for job in own
        )
        served = sum(
            job.crew
            * _minutes_up(given[job.request_id].visit.end_at - given[job.request_id].visit.start_at)
            for job in own
            if job.request_id in given
        )
        short = min(demand, claim.remaining_min) - served
        worst = max(worst, math.ceil(1000 * short / claim.weight))
    return worst


def _changes(job: Any, assigned: Any) -> int:
    before = job.published
    if before is None:
        return 0
    if assigned is None:
        return 2 + len(before.pilot_ids)
    return (
        (assigned.drone_id != before.drone_id)
        + (assigned.visit.start_at != before.start_at)
        + len(set(before.pilot_ids) - set(assigned.pilot_ids))
    )
