"""What the ground below, the hour and the weather say about a plan (pure).

Each rule gives one finding with the clause that it comes from.  `airspace.py` judges zones,
ceilings and the agreed volume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.fleet.daylight import dark_from
from droneteam.fleet.problem import Place
from droneteam.fleet.terms import Window
from droneteam.geo import great_circle_distance_m
from droneteam.missions.airspace import Finding
from droneteam.missions.items import MissionCommand
from droneteam.missions.plan import MIN_HEIGHT_M, MissionPlan
from droneteam.missions.sharing import SAFE_M, Separation, Share, nearest_approach
from droneteam.missions.volumes import Volumes, inside

BUFFER_CLAUSE = "Regulation (EU) 2019/947, article 11; AMC1 (SORA), annex B, M1, criterion 3"
PEOPLE_CLAUSE = "Regulation (EU) 2019/947, annex, UAS.SPEC.060"
ASSEMBLY_CLAUSE = "Regulation (EU) 2019/947, article 4(1)(c)"
NIGHT_CLAUSE = "Regulation (EU) 2019/947, annex, UAS.OPEN.060(2)(g)"
SIGHT_CLAUSE = "Regulation (EU) 2019/947, annex, UAS.OPEN.060(2)(b)"
WEATHER_CLAUSE = "maker's limits; Regulation (EU) 2019/947, annex, UAS.SPEC.060"
SEPARATION_CLAUSE = "team's rule: own drones keep 15 m apart"
CLEARANCE_CLAUSE = "team's rule: 5 m over everything that the terrain knows"
TERRAIN_CLAUSE = "team's rule: heights come from a terrain or from a look at the place"
SIGHT_M = 500.0
"""How far an unaided eye keeps a small multirotor's attitude in sight."""
MIN_FACADE_CLEARANCE_M = 1.5
MAX_HOME_ERROR_M = 10.0
NEVER_OVERRIDDEN = frozenset({"clearance"})
"""Stops that no authority lifts: the drone would hit something."""


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
        *_weather(plan, around.weather),
    )


def _clearance(plan: MissionPlan) -> list[Finding]:
    """Over a terrain: whether every leg keeps off it; over level ground: that nobody looked."""
    least_m = plan.min_clearance_m
    if least_m is None:
        text = "planned over level ground: look for trees, masts and slopes at the place"
        return [Finding("pass", "clearance.unknown", TERRAIN_CLAUSE, text)]
    lowest = min(plan.profile, key=lambda point: point.clearance_m)
    wanted = MIN_FACADE_CLEARANCE_M if plan.pattern == "facade" else MIN_HEIGHT_M
    where = f"on leg {lowest.leg} at {lowest.lat_deg:.6f}, {lowest.lon_deg:.6f}"
    params = {"clearance_m": f"{least_m:.1f}", "limit_m": f"{wanted:g}", "leg": str(lowest.leg)}
    text = f"the flight keeps {least_m:.1f} m over {plan.terrain}, least {where}"
    found = [Finding("pass", "clearance", CLEARANCE_CLAUSE, text, params)]
    if least_m < wanted:
        text = (
            f"the flight comes within {least_m:.1f} m of {plan.terrain} {where}; {wanted:g} m are "
            "needed: fly higher, move the area or the take-off"
        )
        found = [Finding("stop", "clearance", CLEARANCE_CLAUSE, text, params)]
    if "(DTM" in (plan.terrain or ""):
        text = "the terrain is bare ground: trees, masts and buildings are not in it"
        found.append(Finding("warn", "clearance.bare", TERRAIN_CLAUSE, text))
    return found


def _home_height(plan: MissionPlan, around: Surroundings) -> list[Finding]:
    """Whether the take-off point's height above sea level agrees with the terrain's."""
    known = around.home_amsl_m
    if known is None or abs(known - plan.home.alt_amsl_m) <= MAX_HOME_ERROR_M:
        return []
    text = (
        f"the take-off point is given {plan.home.alt_amsl_m:.0f} m above sea level, the terrain "
        f"says {known:.0f} m: limits above sea level are compared with the first"
    )
    return [Finding("warn", "home.height", TERRAIN_CLAUSE, text)]


def _buffer(volumes: Volumes) -> Finding:
    params = {
        "contingency_m": f"{volumes.contingency_m:.0f}",
        "buffer_m": f"{volumes.buffer_m:.0f}",
        "ballistic_m": f"{volumes.ballistic_m:.0f}",
    }
    text = (
        f"keep the ground free {volumes.buffer_m:.0f} m beyond the contingency volume, which "
        f"reaches {volumes.contingency_m:.0f} m beside the flight and "
        f"{volumes.contingency_top_m:.0f} m above the ground"
    )
    if volumes.ballistic_m > volumes.buffer_m:
        text += f"; in this wind a falling drone reaches {volumes.ballistic_m:.0f} m: widen it"
        return Finding("warn", "buffer.short", BUFFER_CLAUSE, text, params)
    return Finding("pass", "buffer", BUFFER_CLAUSE, text, params)


def _people(volumes: Volumes, people: Sequence[tuple[float, float]]) -> Finding:
    if not people:
        text = "no uninvolved person is entered: see that the buffer is free before take-off"
        return Finding("pass", "people", PEOPLE_CLAUSE, text)
    below = sum(inside(volumes.contingency, people))
    beside = sum(inside(volumes.buffer, people)) - below
    params = {"below": str(below), "beside": str(beside)}
    if below:
        text = (
            f"{below} places of uninvolved persons lie within the contingency volume: clear the "
            "ground or move the flight"
        )
        return Finding("stop", "people.below", PEOPLE_CLAUSE, text, params)
    if beside:
        text = (
            f"{beside} places of uninvolved persons lie within the ground-risk buffer: have them "
            "leave, or shelter them, while the drone is up"
        )
        return Finding("warn", "people.beside", PEOPLE_CLAUSE, text, params)
    text = f"all {len(people)} places of uninvolved persons lie outside the buffer"
    return Finding("pass", "people", PEOPLE_CLAUSE, text, params)


def _assemblies(volumes: Volumes, assemblies: Sequence[tuple[float, float]]) -> Finding:
    within = sum(inside(volumes.buffer, assemblies))
    if not within:
        text = "no assembly of people is entered: see that there is none before take-off"
        if assemblies:
            text = f"of the assemblies of people entered ({len(assemblies)}), none is in the buffer"
        return Finding("pass", "assembly", ASSEMBLY_CLAUSE, text)
    text = f"{within} assemblies of people lie within the ground-risk buffer: keep away from them"
    return Finding("stop", "assembly", ASSEMBLY_CLAUSE, text, {"within": str(within)})


def _daylight(plan: MissionPlan, around: Surroundings) -> Finding:
    end = around.until + timedelta(seconds=plan.duration_s)
    place = Place(plan.home.lat_deg, plan.home.lon_deg)
    dark = dark_from(Window(around.start, max(end, around.start + timedelta(seconds=1))), place)
    if dark is None:
        return Finding("pass", "daylight", NIGHT_CLAUSE, "the whole time lies in daylight")
    text = (
        f"night from {dark:%H:%M} UTC: green flashing light on, and a pilot who flies by night; "
        "photos need light"
    )
    return Finding("warn", "daylight.night", NIGHT_CLAUSE, text, {"from": dark.isoformat()})


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
    params = {"distance_m": f"{away_m:.0f}", "limit_m": f"{SIGHT_M:.0f}"}
    if away_m <= SIGHT_M:
        text = f"farthest point {away_m:.0f} m from the take-off, within sight"
        return Finding("pass", "sight", SIGHT_CLAUSE, text, params)
    text = (
        f"farthest point {away_m:.0f} m from the take-off, out of sight beyond {SIGHT_M:.0f} m: "
        "post an observer or stand nearer"
    )
    return Finding("warn", "sight.beyond", SIGHT_CLAUSE, text, params)


def _weather(plan: MissionPlan, weather: Weather) -> list[Finding]:
    if weather.gust_mps is None or weather.rain_mm_h is None:
        text = "no forecast covers the flight: look at the sky and the anemometer"
        return [Finding("pass", "weather.unknown", WEATHER_CLAUSE, text)]
    found = [
        _limit("gust", weather.gust_mps, weather.max_gust_mps, "m/s"),
        _limit("rain", weather.rain_mm_h, weather.max_rain_mm_h, "mm/h"),
    ]
    if weather.gust_mps > plan.wind.speed_mps:
        text = (
            f"gusts of {weather.gust_mps:g} m/s are expected, time and packs are reckoned with a "
            f"wind of {plan.wind.speed_mps:g} m/s"
        )
        found.append(Finding("warn", "weather.estimate", WEATHER_CLAUSE, text))
    return found


def _limit(what: str, expected: float, limit: float | None, unit: str) -> Finding:
    rule = f"weather.{what}"
    if limit is None:
        text = f"{what} {expected:g} {unit} expected; no limit of this drone is on record"
        return Finding("pass", rule, WEATHER_CLAUSE, text)
    params = {"expected": f"{expected:g}", "limit": f"{limit:g}"}
    if expected > limit:
        text = f"{what} {expected:g} {unit} expected, the drone flies up to {limit:g}: wait"
        return Finding("stop", rule, WEATHER_CLAUSE, text, params)
    text = f"{what} {expected:g} {unit} expected, the drone flies up to {limit:g}"
    return Finding("pass", rule, WEATHER_CLAUSE, text, params)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another mission of the same request that may be in the air at the same time."""

    drone_name: str
    plan: MissionPlan


def separation_findings(
    plan: MissionPlan, neighbours: Sequence[Neighbour], share: Share | None
) -> tuple[Finding, ...]:
    """How near each neighbour comes when both take off at once, or that they take turns."""
    return tuple(_apart(plan, neighbour, share) for neighbour in neighbours)


def _apart(plan: MissionPlan, neighbour: Neighbour, share: Share | None) -> Finding:
    name = neighbour.drone_name
    if share is not None and share.separation is Separation.TIME:
        text = f"take off only when {name} has landed, or the other way round: kept apart by time"
        return Finding("warn", "separation.time", SEPARATION_CLAUSE, text, {"drone": name})
    other = neighbour.plan
    found = nearest_approach((plan.items, plan.home, 0.0), (other.items, other.home, 0.0))
    near_m = math.inf if found is None else found.distance_m
    params = {"drone": name, "distance_m": f"{near_m:.0f}", "limit_m": f"{SAFE_M:.0f}"}
    if near_m >= SAFE_M:
        text = f"{name}, taking off at the same time, keeps {near_m:.0f} m away"
        return Finding("pass", "separation", SEPARATION_CLAUSE, text, params)
    text = (
        f"{name}, taking off at the same time, comes within {near_m:.0f} m; {SAFE_M:.0f} m are "
        "needed: part the take-off points, or fly one after the other"
    )
    return Finding("warn", "separation.near", SEPARATION_CLAUSE, text, params)
