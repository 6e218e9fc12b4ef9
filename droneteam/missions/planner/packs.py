"""What a mission's items take to fly in wind: time, length, battery packs and where each resumes.

The items are walked as the vehicle flies them.  A pack's flight goes from take-off over some of
the waypoints home again; it ends at the last waypoint from which the way home still leaves the
reserve.  The next pack's mission begins at the waypoint after that, with the camera, the gimbal
and the speed set again, because a vehicle that starts in the middle has executed none of the
commands before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, FloatArray, GeoPoint
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.planner import estimate
from droneteam.missions.planner.estimate import CALM, Wind

_PLACES = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
_DEFAULT_MPS = 5.0
"""ArduCopter's default WPNAV_SPEED, until a mission sets its own."""
MAX_PARTS = 200


@dataclass(frozen=True, slots=True)
class PackPart:
    """What is flown on one battery pack.

    first_item, last_item : indices among the plan's items of the waypoints between which it
    works; lat_deg, lon_deg, alt_home_m : where the work begins or resumes; duration_s : from
    take-off to landing; pack_share : of the pack, way home included.
    """

    first_item: int
    last_item: int
    lat_deg: float
    lon_deg: float
    alt_home_m: float
    duration_s: float
    pack_share: float


@dataclass(frozen=True, slots=True)
class Effort:
    """A mission's cost.

    length_m : flown, from take-off to landing; duration_s : in the air, without swaps;
    parts : one for each pack.
    """

    length_m: float
    duration_s: float
    parts: tuple[PackPart, ...]

    @property
    def packs(self) -> int:
        """Battery packs."""
        return len(self.parts)


def elapsed_s(duration_s: float, packs: int) -> float:
    """Time in the air and on the ground between packs."""
    return duration_s + (packs - 1) * estimate.SWAP_S


@dataclass(frozen=True, slots=True)
class _Hop:
    """The way to one waypoint: where it ends, and what it and standing there cost."""

    item: int
    end_m: FloatArray
    speed_mps: float
    length_m: float
    duration_s: float
    share: float


def effort_of(items: Sequence[MissionItem], home: HomePoint, wind: Wind = CALM) -> Effort:
    """What flying the items takes.

    Raises
    ------
    InputError
        The wind is too strong, or one leg with the ways out and home takes more than a pack.
    """
    hops = _hops(items, home, wind)
    if not hops:
        return Effort(0.0, 0.0, ())
    parts = _parts(items, hops, wind)
    length = sum(
        _out_length(hops[a]) + _back_length(hops[b]) + sum(h.length_m for h in hops[a + 1 : b + 1])
        for a, b in parts
    )
    made = tuple(_part(items, hops, a, b, wind) for a, b in parts)
    return Effort(length, sum(part.duration_s for part in made), made)


def _hops(items: Sequence[MissionItem], home: HomePoint, wind: Wind) -> list[_Hop]:
    """The ways between waypoints, from the take-off point on."""
    frame = EnuFrame(GeoPoint(home.lat_deg, home.lon_deg))
    geodetic = np.array([(i.lat_deg or 0.0, i.lon_deg or 0.0, 0.0) for i in items])
    places = frame.enu_from_geodetic(geodetic.reshape(-1, 3))
    speed_mps, here = _DEFAULT_MPS, np.array([0.0, 0.0, _first_height(items)])
    hops: list[_Hop] = []
    for index, item in enumerate(items):
        if item.command is MissionCommand.DO_CHANGE_SPEED and item.params[1] > 0.0:
            speed_mps = item.params[1]
        if item.command is MissionCommand.DELAY and hops:
            hops[-1] = _longer(hops[-1], max(0.0, item.params[0]))
        if item.command not in _PLACES or item.lat_deg is None or item.lon_deg is None:
            continue
        there = places[index].copy()
        there[2] = item.alt_home_m or 0.0
        stand_s = max(0.0, item.params[0])
        hops.append(_hop(index, here, there, speed_mps, stand_s, wind))
        here = there
    return hops


def _longer(hop: _Hop, stand_s: float) -> _Hop:
    share = hop.share + estimate.pack_share(stand_s)
    return replace(hop, duration_s=hop.duration_s + stand_s, share=share)


def _hop(
    index: int,
    start: FloatArray,
    end: FloatArray,
    wanted_mps: float,
    stand_s: float,
    wind: Wind,
) -> _Hop:
    """One straight leg, with the stop at its end when it has one."""
    over_ground, duration_s, air_mps = _leg(start, end, wanted_mps, wind, stops=stand_s > 0.0)
    length_m = math.hypot(over_ground, float(end[2] - start[2]))
    share = estimate.pack_share(duration_s, air_mps) + estimate.pack_share(stand_s, wind.speed_mps)
    return _Hop(index, end, wanted_mps, length_m, duration_s + stand_s, share)


def _leg(
    start: FloatArray, end: FloatArray, wanted_mps: float, wind: Wind, *, stops: bool
) -> tuple[float, float, float]:
    """Metres over ground, seconds and speed through the air of a straight leg."""
    east, north, up = (end - start).tolist()
    over_ground = math.hypot(east, north)
    bearing = math.degrees(math.atan2(east, north))
    speed = estimate.ground_speed_mps(wanted_mps, bearing, wind)
    level_s = estimate.leg_duration_s(over_ground, speed) if stops else over_ground / speed
    upright_s = abs(up) / (estimate.CLIMB_MPS if up > 0.0 else estimate.DESCENT_MPS)
    return over_ground, max(level_s, upright_s), estimate.airspeed_mps(speed, bearing, wind)


def _first_height(items: Sequence[MissionItem]) -> float:
    heights = (i.alt_home_m for i in items if i.command in _PLACES and i.alt_home_m is not None)
    return max(0.0, next(heights, 0.0))


def _out(hop: _Hop, wind: Wind) -> tuple[float, float]:
    """Seconds and pack share from the ground at home to a hop's end."""
    up = max(0.0, float(hop.end_m[2]))
    above_home = np.array([0.0, 0.0, up])
    _, duration_s, air_mps = _leg(above_home, hop.end_m, hop.speed_mps, wind, stops=True)
    climb_s = estimate.takeoff_duration_s(up)
    share = estimate.pack_share(duration_s, air_mps) + estimate.pack_share(climb_s, wind.speed_mps)
    return duration_s + climb_s, share


def _back(hop: _Hop, wind: Wind) -> tuple[float, float]:
    """Seconds and pack share from a hop's end to standing at home."""
    up = max(0.0, float(hop.end_m[2]))
    above_home = np.array([0.0, 0.0, up])
    _, duration_s, air_mps = _leg(hop.end_m, above_home, hop.speed_mps, wind, stops=True)
    down_s = estimate.landing_duration_s(up)
    share = estimate.pack_share(duration_s, air_mps) + estimate.pack_share(down_s, wind.speed_mps)
    return duration_s + down_s, share


def _out_length(hop: _Hop) -> float:
    """Metres from the ground at home to a hop's end."""
    return float(np.hypot(*hop.end_m[:2])) + abs(float(hop.end_m[2]))


def _back_length(hop: _Hop) -> float:
    return _out_length(hop)


def _parts(items: Sequence[MissionItem], hops: Sequence[_Hop], wind: Wind) -> list[tuple[int, int]]:
    """First and last hop of each pack: as many as leave the reserve on coming home.

    The hop to a part's first waypoint is flown from home.  A leg with photos is flown whole, so
    that the next part begins where it begins; one without, between lines, is left out.
    """
    usable = 1.0 - estimate.PACK_RESERVE
    working = _working(items, hops)
    parts: list[tuple[int, int]] = []
    first = 0
    used = _begun(items, hops[0], wind)
    _check_reach(hops[0], used + _back(hops[0], wind)[1], usable)
    for index in range(1, len(hops)):
        hop = hops[index]
        if used + hop.share + _back(hop, wind)[1] <= usable:
            used += hop.share
            continue
        parts.append((first, index - 1))
        first = index - 1 if working[index] else index
        used = _begun(items, hops[first], wind) + (hop.share if working[index] else 0.0)
        _check_reach(hop, used + _back(hop, wind)[1], usable)
        if len(parts) >= MAX_PARTS:
            raise InputError(
                "this mission takes more than {limit} battery packs: choose a smaller area",
                field="polygon",
                limit=MAX_PARTS,
            )
    parts.append((first, len(hops) - 1))
    return parts


def _working(items: Sequence[MissionItem], hops: Sequence[_Hop]) -> list[bool]:
    """Which ways are the mission's purpose: those with photos, or all where none are taken."""
    shots = (MissionCommand.DO_DIGICAM_CONTROL, MissionCommand.DO_SET_CAM_TRIGG_DIST)
    if not any(item.command in shots for item in items):
        return [True] * len(hops)
    active, triggering = False, {}
    for index, item in enumerate(items):
        triggering[index] = active
        if item.command is MissionCommand.DO_SET_CAM_TRIGG_DIST:
            active = item.params[0] > 0.0
    return [triggering[hop.item] for hop in hops]


def _begun(items: Sequence[MissionItem], hop: _Hop, wind: Wind) -> float:
    """Pack share from the ground at home until a part's first waypoint is done with."""
    return _out(hop, wind)[1] + _standing(items, hop, wind)


def _standing(items: Sequence[MissionItem], hop: _Hop, wind: Wind) -> float:
    return estimate.pack_share(max(0.0, items[hop.item].params[0]), wind.speed_mps)


def _check_reach(hop: _Hop, share: float, usable: float) -> None:
    if share > usable:
        raise InputError(
            "the leg to waypoint item {item}, with the ways out and home, takes "
            "{share_pct:.0f} % of a battery pack and {usable_pct:.0f} % may be used: take "
            "off nearer, fly shorter lines, or wait for less wind",
            field="polygon",
            item=hop.item,
            share_pct=share * 100,
            usable_pct=usable * 100,
        )


def _part(
    items: Sequence[MissionItem], hops: Sequence[_Hop], first: int, last: int, wind: Wind
) -> PackPart:
    out_s, out_share = _out(hops[first], wind)
    back_s, back_share = _back(hops[last], wind)
    inner = hops[first + 1 : last + 1]
    stand_s = max(0.0, items[hops[first].item].params[0])
    start = items[hops[first].item]
    assert start.lat_deg is not None
    assert start.lon_deg is not None
    return PackPart(
        first_item=hops[first].item,
        last_item=hops[last].item,
        lat_deg=start.lat_deg,
        lon_deg=start.lon_deg,
        alt_home_m=start.alt_home_m or 0.0,
        duration_s=out_s + stand_s + sum(hop.duration_s for hop in inner) + back_s,
        pack_share=out_share
        + estimate.pack_share(stand_s, wind.speed_mps)
        + sum(hop.share for hop in inner)
        + back_share,
    )


def items_of_part(
    items: Sequence[MissionItem], parts: Sequence[PackPart], index: int
) -> tuple[MissionItem, ...]:
    """The mission for one pack: take-off, the state the plan has there, its legs, the way home.

    Raises
    ------
    InputError
        There is no such part.
    """
    if not 0 <= index < len(parts):
        raise InputError(
            "pack {pack} of {parts}: there is none", field="pack", pack=index + 1, parts=len(parts)
        )
    part = parts[index]
    body = list(items[part.first_item : part.last_item + 1])
    if index == 0:
        body = list(items[: part.last_item + 1])
    else:
        takeoff = MissionItem(
            MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=max(10.0, part.alt_home_m)
        )
        before, camera = _state_before(items[: part.first_item])
        body = [takeoff, *before, body[0], *camera, *body[1:]]
    body += _ending(items, part.last_item)
    if _state_before(body)[1]:
        body.append(MissionItem(MissionCommand.DO_SET_CAM_TRIGG_DIST))
    return (*body, MissionItem(MissionCommand.RETURN_TO_LAUNCH))


def _ending(items: Sequence[MissionItem], last: int) -> list[MissionItem]:
    """What is still done at a waypoint: its photo, and switching off what the leg needed."""
    found = []
    for item in items[last + 1 :]:
        if item.command in _PLACES or item.command is MissionCommand.RETURN_TO_LAUNCH:
            break
        off = item.command is MissionCommand.DO_SET_CAM_TRIGG_DIST and item.params[0] == 0.0
        here = (
            MissionCommand.DO_DIGICAM_CONTROL,
            MissionCommand.DELAY,
            MissionCommand.DO_SET_ROI_NONE,
        )
        if off or item.command in here:
            found.append(item)
    return found


def _state_before(
    items: Sequence[MissionItem],
) -> tuple[list[MissionItem], list[MissionItem]]:
    """What holds after some items: to set before the first waypoint, and once it is reached."""
    speed = mount = roi = trigger = None
    for item in items:
        match item.command:
            case MissionCommand.DO_CHANGE_SPEED:
                speed = item
            case MissionCommand.DO_MOUNT_CONTROL:
                mount = item
            case MissionCommand.DO_SET_ROI_LOCATION:
                roi = item
            case MissionCommand.DO_SET_ROI_NONE:
                roi = mount = None
            case MissionCommand.DO_SET_CAM_TRIGG_DIST:
                at_once = (item.params[0], 0.0, 1.0, 0.0)
                trigger = replace(item, params=at_once) if item.params[0] > 0.0 else None
            case _:
                pass
    before = [item for item in (mount, speed, roi) if item is not None]
    return before, [] if trigger is None else [trigger]
