"""What the ground below, the hour and the weather say about a plan (pure).

Each rule gives one finding with the clause that it comes from.  `checks.py` judges zones,
ceilings and the agreed volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.fleet.daylight import dark_from
from droneteam.fleet.problem import Place
from droneteam.fleet.terms import Window
from droneteam.geo import great_circle_distance_m
from droneteam.missions.airspace.rules import Finding, finding
from droneteam.missions.airspace.volumes import Volumes, inside
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.crossing import Sortie, crossing, may_overlap
from droneteam.missions.planner.plan import MIN_HEIGHT_M, MissionPlan
from droneteam.missions.planner.sharing import (
    SAFE_M,
    Separation,
    Share,
    nearest_approach,
    start_delays_s,
    takes_turns,
)

SIGHT_M = 500.0
"""How far an unaided eye keeps a small multirotor's attitude in sight."""
MIN_FACADE_CLEARANCE_M = 1.5
MAX_HOME_ERROR_M = 10.0
NEVER_OVERRIDDEN = frozenset({"clearance", "return.clearance", "fence.left", "fence.height"})
"""Stops that no authority lifts: the drone would hit something, or not obey its own fence."""


@dataclass(frozen=True, slots=True)
class Weather:
    """The weather expected, and what the drone may fly in; None where nobody knows or asks."""

    gust_mps: float | None = None
    rain_mm_h: float | None = None
    max_gust_mps: float | None = None
    max_rain_mm_h: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan is judged against beside the airspace.

    start, until : the window in which the flight may start; people, assemblies : places of
    persons who are not involved, and of crowds; home_amsl_m : the ground at the take-off point
    as the terrain knows it above sea level, None where it does not.
    """

    start: datetime
    until: datetime
    people: tuple[tuple[float, float], ...] = ()
    assemblies: tuple[tuple[float, float], ...] = ()
    weather: Weather = Weather()
    home_amsl_m: float | None = None


def ground_findings(
    plan: MissionPlan, volumes: Volumes, around: Surroundings
) -> tuple[Finding, ...]:
    """Every rule's finding."""
    return (
        *_clearance(plan),
        *_home_height(plan, around),
        _buffer(volumes),
        _people(volumes, around.people),
        _assemblies(volumes, around.assemblies),
        _daylight(plan, around),
        _sight(plan),
        *weather_findings(plan, around.weather),
    )


def _clearance(plan: MissionPlan) -> list[Finding]:
    """Over a terrain: whether every leg keeps off it; over level ground: that nobody looked."""
    least_m = plan.min_clearance_m
    if least_m is None:
        return [finding("clearance.unknown")]
    lowest = min(plan.profile, key=lambda point: point.clearance_m)
    wanted_m = wanted_clearance_m(plan)
    found = [
        finding(
            "clearance" if least_m >= wanted_m else "clearance.short",
            clearance_m=f"{least_m:.1f}",
            limit_m=f"{wanted_m:g}",
            leg=str(lowest.leg),
            lat_deg=f"{lowest.lat_deg:.6f}",
            lon_deg=f"{lowest.lon_deg:.6f}",
            terrain=plan.terrain or "",
        )
    ]
    if "(DTM" in (plan.terrain or ""):
        found.append(finding("clearance.bare"))
    return found


def wanted_clearance_m(plan: MissionPlan) -> float:
    """What a flight keeps over everything that the terrain knows."""
    return MIN_FACADE_CLEARANCE_M if plan.pattern == "facade" else MIN_HEIGHT_M


def _home_height(plan: MissionPlan, around: Surroundings) -> list[Finding]:
    """Whether the take-off point's height above sea level agrees with the terrain's."""
    known, given = around.home_amsl_m, plan.home.alt_amsl_m
    if known is None or given is None or abs(known - given) <= MAX_HOME_ERROR_M:
        return []
    given_m = f"{given:.0f}"
    return [finding("home.height", given_m=given_m, known_m=f"{known:.0f}")]


def _buffer(volumes: Volumes) -> Finding:
    short = volumes.ballistic_m > volumes.buffer_m
    return finding(
        "buffer.short" if short else "buffer",
        contingency_m=f"{volumes.contingency_m:.0f}",
        top_m=f"{volumes.contingency_top_m:.0f}",
        buffer_m=f"{volumes.buffer_m:.0f}",
        ballistic_m=f"{volumes.ballistic_m:.0f}",
    )


def _people(volumes: Volumes, people: Sequence[tuple[float, float]]) -> Finding:
    if not people:
        return finding("people.unknown")
    below = sum(inside(volumes.contingency, people))
    beside = sum(inside(volumes.buffer, people)) - below
    facts = {"below": str(below), "beside": str(beside), "entered": str(len(people))}
    if below:
        return finding("people.below", **facts)
    return finding("people.beside" if beside else "people", **facts)


def _assemblies(volumes: Volumes, assemblies: Sequence[tuple[float, float]]) -> Finding:
    if not assemblies:
        return finding("assembly.unknown")
    within = sum(inside(volumes.buffer, assemblies))
    facts = {"within": str(within), "entered": str(len(assemblies))}
    return finding("assembly.within" if within else "assembly", **facts)


def _daylight(plan: MissionPlan, around: Surroundings) -> Finding:
    end = around.until + timedelta(seconds=plan.duration_s)
    place = Place(plan.home.lat_deg, plan.home.lon_deg)
    dark = dark_from(Window(around.start, max(end, around.start + timedelta(seconds=1))), place)
    if dark is None:
        return finding("daylight")
    return finding("daylight.night", **{"from": dark.isoformat()})


def _sight(plan: MissionPlan) -> Finding:
    home = (plan.home.lat_deg, plan.home.lon_deg)
    places = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
    away_m = max(
        (
            great_circle_distance_m(*home, item.lat_deg, item.lon_deg)
            for item in plan.items
            if item.command in places and item.lat_deg is not None and item.lon_deg is not None
        ),
        default=0.0,
    )
    return finding(
        "sight" if away_m <= SIGHT_M else "sight.beyond",
        distance_m=f"{away_m:.0f}",
        limit_m=f"{SIGHT_M:.0f}",
    )


def weather_findings(plan: MissionPlan, weather: Weather) -> list[Finding]:
    """What is forecast against the drone's limits and against the wind that was reckoned with."""
    if weather.gust_mps is None or weather.rain_mm_h is None:
        return [finding("weather.unknown")]
    found = [
        _limit("weather.gust", weather.gust_mps, weather.max_gust_mps),
        _limit("weather.rain", weather.rain_mm_h, weather.max_rain_mm_h),
    ]
    if weather.gust_mps > plan.wind.speed_mps:
        expected, planned = f"{weather.gust_mps:g}", f"{plan.wind.speed_mps:g}"
        found.append(finding("weather.estimate", expected=expected, planned=planned))
    return found


def _limit(rule: str, expected: float, limit: float | None) -> Finding:
    """A forecast against the drone's limit; not checked where its model has none."""
    if limit is None:
        return finding(f"{rule}.unlimited", expected=f"{expected:g}")
    sentence = f"{rule}.exceeded" if expected > limit else rule
    return finding(sentence, expected=f"{expected:g}", limit=f"{limit:g}")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another mission of the same request that may be in the air at the same time."""

    drone_name: str
    plan: MissionPlan
    share: Share | None = None


def separation_findings(
    plan: MissionPlan, neighbours: Sequence[Neighbour], share: Share | None
) -> tuple[Finding, ...]:
    """How near each neighbour comes when both take off at once, or that they take turns."""
    return tuple(_apart(plan, neighbour, share) for neighbour in neighbours)


def _apart(plan: MissionPlan, neighbour: Neighbour, share: Share | None) -> Finding:
    """Turns are taken only between parts of one area that are both flown one after the other.

    The controller keeps them (`turns.py`); any other neighbour counts as taking off at once.
    """
    name, other = neighbour.drone_name, neighbour.plan
    if share is not None and takes_turns(share, neighbour.share):
        assert neighbour.share is not None
        first, second = (plan, other) if share.part < neighbour.share.part else (other, plan)
        delay_s = start_delays_s([first.duration_s, second.duration_s], Separation.TIME)[1]
        return finding("separation.turns", drone=name, minutes=f"{delay_s / 60.0:.0f}")
    mine, theirs = (plan.items, plan.home), (other.items, other.home)
    found = nearest_approach((*mine, 0.0), (*theirs, 0.0))
    if found is None:
        return finding("separation.alone", drone=name)
    return finding(
        "separation" if found.distance_m >= SAFE_M else "separation.near",
        drone=name,
        distance_m=f"{found.distance_m:.0f}",
        limit_m=f"{SAFE_M:.0f}",
    )


def crossing_findings(own: Sortie, others: Sequence[Sortie]) -> tuple[Finding, ...]:
    """Which sorties of other requests this one may meet, whenever each takes off in its time."""
    near = [one for one in others if may_overlap(own, one)]
    found = [(one, crossing(own, one, SAFE_M)) for one in near]
    met = [(one, where) for one, where in found if where is not None]
    if near and not met:
        facts = {"known": str(len(near)), "limit_m": f"{SAFE_M:.0f}"}
        return (finding("separation.others", **facts),)
    return tuple(
        finding(
            "separation.crossing",
            drone=one.drone_name,
            mission=str(one.mission_id),
            distance_m=f"{where.distance_m:.0f}",
            limit_m=f"{SAFE_M:.0f}",
            lat_deg=f"{where.lat_deg:.5f}",
            lon_deg=f"{where.lon_deg:.5f}",
            height_m=f"{where.alt_home_m:.0f}",
        )
        for one, where in met
    )
