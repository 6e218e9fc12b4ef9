"""Missions as downloads: which formats there are, and their media types (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from droneteam.errors import InputError, NotFound
from droneteam.missions.formats.ed318 import volumes_to_ed318
from droneteam.missions.formats.geojson import plan_to_geojson
from droneteam.missions.formats.kml import plan_to_kml
from droneteam.missions.formats.litchi import write_litchi
from droneteam.missions.formats.missionfile import MissionFile
from droneteam.missions.formats.photostops import stops_of
from droneteam.missions.formats.qgc import write_plan
from droneteam.missions.formats.waypoints import write_waypoints
from droneteam.missions.formats.wpml import AIRCRAFT, DEFAULT_VERSION, write_wpml
from droneteam.missions.planner.packs import items_of_part
from droneteam.missions.planning import mission_window
from droneteam.missions.views import MissionView


def as_plan(mission: MissionView) -> tuple[bytes, str]:
    """QGroundControl's .plan."""
    return write_plan(_file(mission)).encode(), "application/json"


def as_waypoints(mission: MissionView) -> tuple[bytes, str]:
    """MAVLink waypoint text, which every ground station reads."""
    return write_waypoints(_file(mission)).encode(), "text/plain"


def as_geojson(mission: MissionView) -> tuple[bytes, str]:
    """A GeoJSON feature collection."""
    content = json.dumps(plan_to_geojson(mission.plan, mission.volumes), indent=1)
    return content.encode(), "application/geo+json"


def as_kml(mission: MissionView) -> tuple[bytes, str]:
    """A KML document."""
    content = plan_to_kml(mission.plan, f"mission {mission.id}", mission.volumes)
    return content, "application/vnd.google-earth.kml+xml"


def as_litchi(mission: MissionView) -> tuple[bytes, str]:
    """Litchi's CSV: a waypoint per photo."""
    return write_litchi(stops_of(mission.plan)).encode(), "text/csv"


def as_wpml(
    mission: MissionView, version: str = DEFAULT_VERSION, aircraft: str = "m3e"
) -> tuple[bytes, str]:
    """DJI's KMZ: a waypoint per photo.

    Raises
    ------
    InputError
        The version or the aircraft is none that is known.
    """
    if aircraft not in AIRCRAFT:
        known = ", ".join(AIRCRAFT)
        raise InputError(f"aircraft {aircraft!r} is none of {known}", field="aircraft")
    content = write_wpml(
        stops_of(mission.plan),
        aircraft=AIRCRAFT[aircraft],
        version=version,
        takeoff_height_m=_first_height_m(mission),
    )
    return content, "application/vnd.google-earth.kmz"


def written(mission: MissionView, kind: str, version: str, aircraft: str) -> tuple[bytes, str]:
    """The mission in a format, and its media type; version and aircraft are DJI's."""
    if kind == "kmz":
        return as_wpml(mission, version, aircraft)
    return WRITERS[kind](mission)


def _first_height_m(mission: MissionView) -> float:
    """The height of the first leg, which the way to it must not undercut."""
    heights = (item.alt_home_m for item in mission.plan.items)
    return next((height for height in heights if height is not None), 20.0)


def as_ed318(mission: MissionView) -> tuple[bytes, str]:
    """The flight's volumes as an ED-318 data set.

    Raises
    ------
    NotFound
        The mission was planned before volumes were.
    """
    if mission.volumes is None:
        raise NotFound("volumes of mission", mission.id)
    start, end = mission_window(mission)
    document = volumes_to_ed318(mission.volumes, f"M{mission.id}", start, end)
    return json.dumps(document, indent=1).encode(), "application/geo+json"


def of_pack(mission: MissionView, number: int) -> MissionView:
    """The mission as it is flown on one of its packs, counted from one."""
    plan = mission.plan
    items = items_of_part(plan.items, plan.parts, number - 1)
    return replace(mission, plan=replace(plan, items=items))


WRITERS: dict[str, Callable[[MissionView], tuple[bytes, str]]] = {
    "plan": as_plan,
    "waypoints": as_waypoints,
    "kml": as_kml,
    "geojson": as_geojson,
    "csv": as_litchi,
    "kmz": as_wpml,
}
PACK_WRITERS = {"plan": as_plan, "waypoints": as_waypoints}
"""What a single pack's flight is written as: files that hold the vehicle's own items."""
"""By file name extension: the content and its media type."""


def _file(mission: MissionView) -> MissionFile:
    home, fence = mission.plan.home, mission.fence
    if fence is None:
        return MissionFile(home=home, items=mission.plan.items)
    # A vehicle that a ground station flies returns to the place, and at the height, for which the
    # ways home were checked, whatever its own RTL_ALT and older rally points say.
    rally = (home.lat_deg, home.lon_deg, fence.return_home_m)
    return MissionFile(home, mission.plan.items, fence.corners, (rally,))
