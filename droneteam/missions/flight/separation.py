"""Own-fleet separation in four dimensions: where drones of one team would come too close, and when.

Each drone in the air has several futures: it goes on as planned, or it goes home, now or some time
later, because its battery, its link or its pilot says so.  A future is a track: places with times,
straight between them.  Two futures conflict when at one moment the drones are closer than
``MIN_APART_M`` across and ``MIN_ABOVE_M`` in height.  Because a track's times are a forecast, the
distance across grows by what either drone flies in ``SLACK_S``.

Between two places of either track both move straight, so the first moment of a conflict is found
exactly: the times inside the circle are the roots of a quadratic, those inside the height band of
two linear equations, and the conflict is where both overlap.

Nothing here commands: a conflict is told with the smallest change that would end it, found by
trying it on the same forecast.  The pilot decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from droneteam.geo import FloatArray
from droneteam.missions.planner.estimate import (
    ACCELERATION_MPS2,
    CLIMB_MPS,
    DESCENT_MPS,
    LANDING_HEIGHT_M,
    LANDING_MPS,
    leg_duration_s,
)

HORIZON_S = 45.0
"""How far ahead: at 5 m/s each, two drones 450 m apart."""
SLACK_S = 1.5
"""How early or late a drone may be at a forecast place."""
MIN_APART_M = 3.0
"""Two standing drones of a metre, each where it is to within a metre; pads lie 4 m apart."""
MIN_ABOVE_M = 2.5
"""Ways home lie 3 m above each other (`flying.RTL_STEP_M`); barometers differ by half a metre."""
LATER_STARTS_S = (0.0, 10.0, 20.0, 30.0)
"""When a way home may begin; the forecast is made anew every two seconds."""
VERTICAL_MPS2 = 1.0
"""ArduCopter's WPNAV_ACCEL_Z."""
HOME_SPEED_MPS = 10.0
"""ArduCopter's WPNAV_SPEED, which RTL flies with when RTL_SPEED is 0."""
ABOVE_HOME_M = 1.5
"""A drone on its way home that is so near to it, seen from above, has its climb behind it."""
HOVER_HOME_S = 5.0
"""ArduCopter's RTL_LOIT_TIME."""
SAMPLE_S = 1.0
"""Between the samples that decide which futures are looked at exactly."""
_ROOM_ABOVE_M = MIN_ABOVE_M + (CLIMB_MPS + max(DESCENT_MPS, CLIMB_MPS)) * SAMPLE_S / 2.0
AS_PLANNED = "as both are flown"
HOLD = "pause"
GO_HOME = "rtl"


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A place still to be flown to, in metres of the common frame; stay_s : standing there."""

    east_m: float
    north_m: float
    up_m: float
    speed_mps: float
    stay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Craft:
    """A drone in the air.

    place_m : (east, north, up) in the common frame, up above the geoid; home_m : where it lands;
    return_up_m : height of its way home in the same frame; ahead : what is left of its mission;
    returning : whether it is on its way home already; holding : whether it stands still; age_s :
    how long ago all this was so, for a drone that has not been heard since.
    """

    name: str
    place_m: tuple[float, float, float]
    home_m: tuple[float, float, float]
    return_up_m: float
    ahead: tuple[Waypoint, ...] = ()
    returning: bool = False
    holding: bool = False
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """One future: (n,) seconds from now, ascending, and (n, 3) metres; ``what`` names it."""

    times_s: FloatArray
    places_m: FloatArray
    what: str = AS_PLANNED

    def at(self, times_s: FloatArray) -> FloatArray:
        """(k, 3) places at some times; before and after the track it stands still."""
        columns = [np.interp(times_s, self.times_s, self.places_m[:, axis]) for axis in range(3)]
        return np.column_stack(columns)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two drones that would come too close: when, in which futures, and what would end it.

    apart_m, above_m : across and in height at the first such moment; rank : how many of the two
    leave their plan for it; proposal : (name, wish), or
    None where neither holding nor going home of one of the two helps.
    """

    first: str
    second: str
    in_s: float
    apart_m: float
    above_m: float
    when: str
    rank: int = 0
    proposal: tuple[str, str] | None = None

    def __str__(self) -> str:
        text = (
            f"{self.first} and {self.second} come within {self.apart_m:.0f} m across and "
            f"{self.above_m:.0f} m in height in {self.in_s:.0f} s, {self.when}"
        )
        if self.proposal is None:
            return f"{text}; neither a pause nor a return of one ends it: fly by hand"
        name, wish = self.proposal
        return f"{text}; proposed: {wish} for {name}"


@dataclass(frozen=True, slots=True)
class Forecast:
    """A craft with its futures, the box round all of them, and where each is second by second.

    samples_m : (tracks, seconds, 3).
    """

    craft: Craft
    tracks: tuple[Track, ...]
    low_m: FloatArray
    high_m: FloatArray
    top_speed_mps: float
    samples_m: FloatArray


def forecast_of(craft: Craft, horizon_s: float = HORIZON_S) -> Forecast:
    """The forecast of one drone; what it did since it was heard last is forecast too."""
    tracks = [
        replace(track, times_s=track.times_s - craft.age_s)
        for track in futures(craft, horizon_s + craft.age_s)
    ]
    top_mps = max([HOME_SPEED_MPS, *(waypoint.speed_mps for waypoint in craft.ahead)])
    seconds = np.arange(0.0, horizon_s + SAMPLE_S, SAMPLE_S)
    samples_m = np.stack([track.at(seconds) for track in tracks])
    low_m, high_m = samples_m.min(axis=(0, 1)), samples_m.max(axis=(0, 1))
    return Forecast(craft, tuple(tracks), low_m, high_m, top_mps, samples_m)


def conflicts(fleet: Sequence[Craft], horizon_s: float = HORIZON_S) -> tuple[Conflict, ...]:
    """One conflict for each pair of drones that has any: of the likeliest futures; soonest first.

    Likeliest is that both go on as planned; then that one goes home; then that both do.
    """
    forecasts = [forecast_of(craft, horizon_s) for craft in fleet]
    pairs = list(combinations(range(len(forecasts)), 2))
    found = [(pair, conflict_of(forecasts, pair, horizon_s)) for pair in pairs]
    told = [
        replace(conflict, proposal=proposal_for(forecasts, pair, conflict.rank, horizon_s))
        for pair, conflict in found
        if conflict is not None
    ]
    return tuple(sorted(told, key=lambda each: (each.rank, each.in_s)))


def conflict_of(
    forecasts: Sequence[Forecast], pair: tuple[int, int], horizon_s: float = HORIZON_S
) -> Conflict | None:
    """The conflict of one pair of a fleet, without a proposal; None where they keep clear."""
    return _between(forecasts[pair[0]], forecasts[pair[1]], horizon_s)


def _between(one: Forecast, other: Forecast, horizon_s: float) -> Conflict | None:
    if not _can_meet(one, other):
        return None
    mine, theirs = one.craft.name, other.craft.name
    for rank, first, second in _pairs_of_futures(one, other):
        meeting = first_meeting(first, second, horizon_s)
        if meeting is not None:
            ways = (mine, first.what), (theirs, second.what)
            leaving = [f"{name} {what}" for name, what in ways if what != AS_PLANNED]
            when = f"if {' and '.join(leaving)}" if leaving else AS_PLANNED
            return Conflict(mine, theirs, *meeting, when, rank)
    return None


def _can_meet(one: Forecast, other: Forecast) -> bool:
    """Whether the boxes round everything that both may fly in the horizon touch."""
    room_m = _room_m(one, other)
    margin_m = np.array([room_m, room_m, _ROOM_ABOVE_M])
    return bool(
        np.all(one.low_m - margin_m <= other.high_m)
        and np.all(other.low_m - margin_m <= one.high_m)
    )


def _room_m(one: Forecast, other: Forecast) -> float:
    """Two drones further apart than this at two samples are not too close in between.

    Their distance changes by no more than both speeds in half the time between samples.
    """
    quicker_mps = max(one.top_speed_mps, other.top_speed_mps)
    closing_mps = one.top_speed_mps + other.top_speed_mps
    return MIN_APART_M + SLACK_S * quicker_mps + closing_mps * SAMPLE_S / 2.0


def _pairs_of_futures(one: Forecast, other: Forecast) -> Iterator[tuple[int, Track, Track]]:
    """(how many leave their plan, a track of the one, a track of the other), likeliest first.

    Only those that come near each other at a sample.
    """
    apart_m = one.samples_m[:, None] - other.samples_m[None]
    across_m2 = apart_m[..., 0] ** 2 + apart_m[..., 1] ** 2
    near = (across_m2 <= _room_m(one, other) ** 2) & (np.abs(apart_m[..., 2]) <= _ROOM_ABOVE_M)
    pairs = np.argwhere(near.any(axis=2)).tolist()
    for rank, mine, theirs in sorted(((a > 0) + (b > 0), a, b) for a, b in pairs):
        yield rank, one.tracks[mine], other.tracks[theirs]


def futures(craft: Craft, horizon_s: float = HORIZON_S) -> list[Track]:
    """What the drone may do: first what it is doing, then its ways home from now or later."""
    now_m = np.array([craft.place_m])
    if craft.returning:
        return [_home_from(craft, np.zeros(1), now_m, AS_PLANNED)]
    going_on = _going_on(craft)
    tracks = [going_on]
    last_s = going_on.times_s[-1]
    for start_s in LATER_STARTS_S:
        if start_s > min(last_s, horizon_s):
            break
        before = going_on.times_s < start_s
        times_s = np.append(going_on.times_s[before], start_s)
        places_m = np.vstack([going_on.places_m[before], going_on.at(np.array([start_s]))])
        what = "goes home" if start_s == 0.0 else f"goes home in {start_s:.0f} s"
        tracks.append(_home_from(craft, times_s, places_m, what))
    return tracks


def _going_on(craft: Craft) -> Track:
    """The mission's rest and the way home after it; standing still while it holds."""
    times_s, places_m = [0.0], [craft.place_m]
    for waypoint in () if craft.holding else craft.ahead:
        target = (waypoint.east_m, waypoint.north_m, waypoint.up_m)
        _fly_to(times_s, places_m, target, waypoint.speed_mps)
        if waypoint.stay_s > 0.0:
            times_s.append(times_s[-1] + waypoint.stay_s)
            places_m.append(target)
    reached, at_m = np.array(times_s), np.array(places_m)
    if craft.holding or not craft.ahead:
        return Track(reached, at_m)
    return _home_from(craft, reached, at_m, AS_PLANNED)


def _fly_to(
    times_s: list[float],
    places_m: list[tuple[float, float, float]],
    target: tuple[float, float, float],
    speed_mps: float,
) -> None:
    """Append a leg from standstill to standstill: faster, steady, slower, each a straight piece."""
    start, begin_s = places_m[-1], times_s[-1]
    across_m = math.hypot(target[0] - start[0], target[1] - start[1])
    rise_m = target[2] - start[2]
    rise_mps = CLIMB_MPS if rise_m > 0.0 else DESCENT_MPS
    upright_s = _ramped_s(abs(rise_m), rise_mps, VERTICAL_MPS2)
    took_s = max(leg_duration_s(across_m, speed_mps), upright_s)
    if took_s <= 0.0:
        return
    ramp_m, ramp_s = speed_mps**2 / (2.0 * ACCELERATION_MPS2), speed_mps / ACCELERATION_MPS2
    if across_m > 2.0 * ramp_m and took_s > upright_s:
        for share, at_s in (
            (ramp_m / across_m, ramp_s),
            (1.0 - ramp_m / across_m, took_s - ramp_s),
        ):
            e, n, u = (a + share * (b - a) for a, b in zip(start, target, strict=True))
            places_m.append((e, n, u))
            times_s.append(begin_s + at_s)
    times_s.append(begin_s + took_s)
    places_m.append(target)


def _ramped_s(length_m: float, speed_mps: float, acceleration_mps2: float) -> float:
    """Time for a length from standstill to standstill."""
    if length_m < speed_mps**2 / acceleration_mps2:
        return 2.0 * math.sqrt(length_m / acceleration_mps2)
    return length_m / speed_mps + speed_mps / acceleration_mps2


def _home_from(craft: Craft, times_s: FloatArray, places_m: FloatArray, what: str) -> Track:
    """A track continued by ArduCopter's way home: climb, straight across, wait, come down."""
    times = [float(time_s) for time_s in times_s]
    places = [(float(e), float(n), float(u)) for e, n, u in places_m]
    east, north, up = places[-1]
    home_east, home_north, home_up = craft.home_m
    away_m = math.hypot(home_east - east, home_north - north)
    coming_down = craft.returning and away_m <= ABOVE_HOME_M
    return_up = up if coming_down else max(up, craft.return_up_m)
    _fly_to(times, places, (east, north, return_up), HOME_SPEED_MPS)
    _fly_to(times, places, (home_east, home_north, return_up), HOME_SPEED_MPS)
    times.append(times[-1] + HOVER_HOME_S)
    places.append(places[-1])
    low = min(return_up, home_up + LANDING_HEIGHT_M)
    _fly_to(times, places, (home_east, home_north, low), HOME_SPEED_MPS)
    times.append(times[-1] + max(0.0, low - home_up) / LANDING_MPS)
    places.append((home_east, home_north, home_up))
    return Track(np.array(times), np.array(places), what)


def first_meeting(
    mine: Track, theirs: Track, horizon_s: float
) -> tuple[float, float, float] | None:
    """When two tracks first come too close: (seconds, metres across, metres in height), or None."""
    knots = np.concatenate([[0.0, horizon_s], mine.times_s, theirs.times_s])
    times_s = np.unique(knots[(knots >= 0.0) & (knots <= horizon_s)])
    ours_m, their_m = mine.at(times_s), theirs.at(times_s)
    apart_m = their_m - ours_m
    spans_s = np.diff(times_s)
    room_m = MIN_APART_M + SLACK_S * np.maximum(_speeds(ours_m, spans_s), _speeds(their_m, spans_s))
    begin, end = _inside(apart_m[:-1], np.diff(apart_m, axis=0), room_m)
    hits = np.flatnonzero(begin <= end)
    if not len(hits):
        return None
    first = hits[0]
    share = begin[first]
    at_m = apart_m[first] + share * (apart_m[first + 1] - apart_m[first])
    in_s = float(times_s[first] + share * spans_s[first])
    return in_s, float(np.hypot(at_m[0], at_m[1])), float(abs(at_m[2]))


def _speeds(places_m: FloatArray, spans_s: FloatArray) -> FloatArray:
    across_m = np.hypot(np.diff(places_m[:, 0]), np.diff(places_m[:, 1]))
    return across_m / spans_s


def _inside(
    start_m: FloatArray, change_m: FloatArray, room_m: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Per interval the shares (begin, end) of it spent too close; begin > end where none is.

    start_m, change_m : (n, 3) distance at the interval's start and what it changes by; room_m :
    (n,) the radius.
    """
    across = _within_circle(start_m[:, :2], change_m[:, :2], room_m)
    height = _within_band(start_m[:, 2], change_m[:, 2])
    begin = np.maximum(np.maximum(across[0], height[0]), 0.0)
    end = np.minimum(np.minimum(across[1], height[1]), 1.0)
    return begin, end


def _within_circle(
    start_m: FloatArray, change_m: FloatArray, room_m: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Shares between which |start + share × change| ≤ room; (1, 0) where never."""
    a = np.sum(change_m**2, axis=1)
    b = np.sum(start_m * change_m, axis=1)
    c = np.sum(start_m**2, axis=1) - room_m**2
    moving = a > 1e-12
    discriminant = b * b - a * c
    root = np.sqrt(np.maximum(discriminant, 0.0))
    safe_a = np.where(moving, a, 1.0)
    begin = np.where(moving, (-b - root) / safe_a, -np.inf)
    end = np.where(moving, (-b + root) / safe_a, np.inf)
    never = np.where(moving, discriminant < 0.0, c > 0.0)
    return np.where(never, 1.0, begin), np.where(never, 0.0, end)


def _within_band(start_m: FloatArray, change_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shares between which |start + share × change| ≤ MIN_ABOVE_M; (1, 0) where never."""
    moving = np.abs(change_m) > 1e-12
    safe = np.where(moving, change_m, 1.0)
    low, high = (-MIN_ABOVE_M - start_m) / safe, (MIN_ABOVE_M - start_m) / safe
    inside = np.abs(start_m) <= MIN_ABOVE_M
    begin = np.where(moving, np.minimum(low, high), np.where(inside, -np.inf, 1.0))
    end = np.where(moving, np.maximum(low, high), np.where(inside, np.inf, 0.0))
    return begin, end


def proposal_for(
    forecasts: Sequence[Forecast],
    pair: tuple[int, int],
    rank: int,
    horizon_s: float = HORIZON_S,
) -> tuple[str, str] | None:
    """The smallest change of one of a pair that leaves no conflict as likely as ``rank``.

    A pause before a return; of the drone with more of its mission left first, which loses least.
    Whoever is on the way home already is left alone.
    """
    by_rest = sorted(
        (forecasts[place].craft for place in pair), key=lambda craft: -len(craft.ahead)
    )
    for wish in (HOLD, GO_HOME):
        for craft in by_rest:
            if craft.returning or (wish == HOLD and craft.holding):
                continue
            changed = replace(craft, holding=wish == HOLD, returning=wish == GO_HOME)
            forecast = forecast_of(changed, horizon_s)
            others = [third for third in forecasts if third.craft.name != craft.name]
            if all(_is_less_likely(_between(forecast, third, horizon_s), rank) for third in others):
                return craft.name, wish
    return None


def _is_less_likely(conflict: Conflict | None, rank: int) -> bool:
    """Whether what remains is nothing, or takes more drones to leave their plans."""
    return conflict is None or conflict.rank > rank
