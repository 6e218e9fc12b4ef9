"""Whether a planned path may be flown: geographical zones, ceilings and the agreed volume.

Each rule gives a finding that says pass, warn or stop, and the clause that it comes from.  The
path is taken with a margin for wind and navigation, the whole height from the ground to its
highest point is taken as used, and whatever a zone leaves unsaid counts against flying.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import shapely

from droneteam.missions.airspace import schedule
from droneteam.missions.airspace.rules import Finding, finding
from droneteam.missions.airspace.schedule import DailyPeriod
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.planner.profile import highest_agl_m

PATH_MARGIN_M = 10.0
"""Flight geography around the path: navigation error, wind, braking (SORA annex A, A.5.1)."""
MAX_HEIGHT_M = 120.0


class Restriction(StrEnum):
    """What a zone asks of a flight."""

    PROHIBITED = "prohibited"
    AUTHORISATION = "authorisation"
    CONDITIONAL = "conditional"
    NONE = "none"


class HeightReference(StrEnum):
    """What a zone's limits are measured from."""

    AGL = "AGL"
    AMSL = "AMSL"
    WGS84 = "WGS84"


@dataclass(frozen=True, slots=True)
class ZoneVolume:
    """One part of a zone.

    polygon : (lat_deg, lon_deg) corners; circles become polygons when they are read;
    lower_m, upper_m : limits in metres, None for none.
    """

    polygon: tuple[tuple[float, float], ...]
    lower_m: float | None = None
    lower_reference: HeightReference = HeightReference.AGL
    upper_m: float | None = None
    upper_reference: HeightReference = HeightReference.AGL


@dataclass(frozen=True, slots=True)
class Geozone:
    """A UAS geographical zone.

    windows : when it applies, (from, until) with None for open; empty: always.
    schedules : the hours within the window of the same index; none or empty: all of it.
    """

    identifier: str
    name: str
    restriction: Restriction
    volumes: tuple[ZoneVolume, ...]
    windows: tuple[tuple[datetime | None, datetime | None], ...] = ()
    message: str = ""
    authority: str = ""
    contact: str = ""
    schedules: tuple[tuple[DailyPeriod, ...], ...] = ()

    def applies(self, start: datetime, end: datetime) -> bool:
        """Whether it applies at any moment from start to end."""
        hours = (*self.schedules, *((),) * len(self.windows))
        return not self.windows or any(
            self._within(window, periods, start, end)
            for window, periods in zip(self.windows, hours, strict=False)
        )

    def _within(
        self,
        window: tuple[datetime | None, datetime | None],
        hours: tuple[DailyPeriod, ...],
        start: datetime,
        end: datetime,
    ) -> bool:
        first, last = window
        begin = start if first is None else max(start, first)
        over = end if last is None else min(end, last)
        if begin > over:
            return False
        return not hours or schedule.applies(hours, begin, over, *self.place)

    @property
    def place(self) -> tuple[float, float]:
        """lat_deg, lon_deg near its middle, where the sun's hours are taken."""
        corners = self.volumes[0].polygon
        lats, lons = zip(*corners, strict=True)
        return (min(lats) + max(lats)) / 2.0, (min(lons) + max(lons)) / 2.0


def check(
    plan: MissionPlan,
    geozones: Sequence[Geozone],
    at: datetime,
    *,
    until: datetime | None = None,
    volume: tuple[tuple[float, float], ...] = (),
) -> tuple[Finding, ...]:
    """Every rule's finding for a plan flown within a time window.

    until : end of the window in which the flight may start; volume : (lat_deg, lon_deg) corners
    of the agreed operational volume that the path must stay in, when there is one.
    """
    end = (until or at) + timedelta(seconds=plan.duration_s)
    findings = [_height(plan)]
    touched = [zone for zone in geozones if zone.applies(at, end) and _touches(plan, zone)]
    findings += [_zone_finding(zone) for zone in touched]
    if not geozones:
        findings.append(finding("geozone.unknown"))
    elif not touched:
        findings.append(finding("geozone", known=str(len(geozones))))
    if volume:
        findings.append(_inclusion(plan, volume))
    return tuple(findings)


def _height(plan: MissionPlan) -> Finding:
    """The ceiling counts from the nearest ground: the terrain's, or the take-off point's."""
    top_m = highest_agl_m(plan.items, plan.profile)
    above = "height.ground" if plan.profile else "height.takeoff"
    held = top_m <= MAX_HEIGHT_M
    return finding(
        above if held else f"{above}.exceeded",
        height_m=f"{top_m:.0f}" if held else f"{math.ceil(top_m)}",
        limit_m=f"{MAX_HEIGHT_M:.0f}",
    )


def _zone_finding(zone: Geozone) -> Finding:
    asks = ", ".join(part for part in (zone.authority, zone.contact) if part)
    facts = {
        "zone": zone.name,
        "identifier": zone.identifier,
        "authority": asks,
        "message": zone.message,
    }
    match zone.restriction:
        case Restriction.PROHIBITED:
            sentence = "geozone.prohibited.asks" if asks else "geozone.prohibited"
        case Restriction.AUTHORISATION:
            sentence = "geozone.authorisation.asks" if asks else "geozone.authorisation"
        case Restriction.CONDITIONAL:
            sentence = "geozone.conditional"
        case Restriction.NONE:
            sentence = "geozone.information"
    return finding(sentence, **facts)


def _inclusion(plan: MissionPlan, volume: tuple[tuple[float, float], ...]) -> Finding:
    scale = _Scale(plan.home)
    outside = scale.path(plan).difference(scale.polygon(volume))
    return finding("volume" if outside.is_empty else "volume.left")


def _touches(plan: MissionPlan, zone: Geozone) -> bool:
    scale = _Scale(plan.home)
    path = scale.path(plan)
    top_m = max(_top_m(plan.items), highest_agl_m(plan.items, plan.profile))
    return any(
        _overlaps_height(volume, plan.home, top_m)
        and scale.polygon(volume.polygon).intersects(path)
        for volume in zone.volumes
    )


def _overlaps_height(volume: ZoneVolume, home: HomePoint, top_m: float) -> bool:
    """Whether the volume shares height with the flight, from the ground up to ``top_m``.

    The ground is taken at the height of the take-off point.  A limit above the ellipsoid cannot
    be compared without a geoid, one above sea level not without the take-off point's height; such
    a limit therefore counts as overlapping.
    """
    lower = _home_height(volume.lower_m, volume.lower_reference, home)
    upper = _home_height(volume.upper_m, volume.upper_reference, home)
    return (lower is None or lower <= top_m) and (upper is None or upper >= 0.0)


def _home_height(
    limit_m: float | None, reference: HeightReference, home: HomePoint
) -> float | None:
    if limit_m is None or reference is HeightReference.WGS84:
        return None
    if reference is not HeightReference.AMSL:
        return limit_m
    return None if home.alt_amsl_m is None else limit_m - home.alt_amsl_m


def _top_m(items: Sequence[MissionItem]) -> float:
    heights = [
        item.alt_home_m
        for item in items
        if item.alt_home_m is not None and item.command is not MissionCommand.DO_SET_ROI_LOCATION
    ]
    return max(heights, default=0.0)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Degrees to metres around one place; errors stay below 0.1 % within 10 km."""

    home: HomePoint

    def metres(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        per_lon = 111_412.8 * math.cos(math.radians(self.home.lat_deg))
        return (lon_deg - self.home.lon_deg) * per_lon, (lat_deg - self.home.lat_deg) * 111_194.9

    def polygon(self, corners: Sequence[tuple[float, float]]) -> shapely.Geometry:
        """The outline's area; of one that crosses itself, every part that it encloses."""
        shape = shapely.Polygon([self.metres(lat, lon) for lat, lon in corners])
        return shape if shape.is_valid else shapely.make_valid(shape)

    def path(self, plan: MissionPlan) -> shapely.Polygon:
        """The path over ground from take-off back to it, with its margin."""
        places = [self.metres(self.home.lat_deg, self.home.lon_deg)]
        for item in plan.items:
            moves = item.command in (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
            if moves and item.lat_deg is not None and item.lon_deg is not None:
                places.append(self.metres(item.lat_deg, item.lon_deg))
        places.append(places[0])
        return shapely.LineString(places).buffer(PATH_MARGIN_M)
