"""What the maps of a mission draw: area, path, photos with footprints, geographical zones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import gettext as _

from droneteam.geo import great_circle_distance_m
from droneteam.missions.airspace.checks import Geozone, Restriction
from droneteam.missions.items import MissionCommand, MissionItem
from droneteam.missions.planner.camera import camera_named
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.planner.route import LatLon
from droneteam.missions.views import MissionView
from droneteam.web.chance_form import chance_shapes
from droneteam.web.footprints import footprints

ZONE_REACH_M = 5_000.0
"""Zones with a corner farther away than this from the take-off are only drawn when they hold it."""
_SEVERITY = {Restriction.PROHIBITED: "stop", Restriction.NONE: "pass"}


def waypoints(plan: MissionPlan) -> list[MissionItem]:
    """The items that the vehicle flies to, in order."""
    places = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
    return [item for item in plan.items if item.command in places]


def _places(plan: MissionPlan) -> list[list[float]]:
    return [
        [item.lat_deg, item.lon_deg]
        for item in waypoints(plan)
        if item.lat_deg is not None and item.lon_deg is not None
    ]


def path_of(plan: MissionPlan) -> list[list[float]]:
    """The way from take-off to landing as [lat_deg, lon_deg] pairs."""
    home = [plan.home.lat_deg, plan.home.lon_deg]
    return [home, *_places(plan), home]


def zone_rings(zones: Iterable[Geozone], around: LatLon) -> list[dict[str, Any]]:
    """The outlines of the zones that reach near a place, with the colour of their restriction."""
    return [
        {
            "name": zone.name or zone.identifier,
            "severity": _SEVERITY.get(zone.restriction, "warn"),
            "ring": [list(corner) for corner in volume.polygon],
        }
        for zone in zones
        for volume in zone.volumes
        if _is_near(volume.polygon, around)
    ]


def _is_near(ring: tuple[LatLon, ...], place: LatLon) -> bool:
    """Whether the ring's bounding box comes within the reach of the place."""
    lats, lons = zip(*ring, strict=True)
    nearest = (
        min(max(place[0], min(lats)), max(lats)),
        min(max(place[1], min(lons)), max(lons)),
    )
    return great_circle_distance_m(*place, *nearest) <= ZONE_REACH_M


def map_texts() -> dict[str, str]:
    """The words that every map of a mission needs."""
    return {
        "basemap": _("Own basemap, drawn by hand, for orientation only"),
        "zoomIn": _("Zoom in"),
        "zoomOut": _("Zoom out"),
        "home": _("Take-off"),
    }


def map_data(mission: MissionView, zones: Iterable[Geozone]) -> dict[str, Any]:
    """What the mission page's island draws."""
    plan = mission.plan
    prints = footprints(plan.photo_positions, camera_named(mission.camera))
    photos = [
        {
            "at": [round(photo.lat_deg, 7), round(photo.lon_deg, 7)],
            "alt": round(photo.alt_home_m, 2),
            "yaw": round(photo.yaw_deg, 1),
            "pitch": round(photo.pitch_deg, 1),
            "footprint": corners.round(7).tolist(),
        }
        for photo, corners in zip(plan.photo_positions, prints, strict=True)
    ]
    home = (plan.home.lat_deg, plan.home.lon_deg)
    return {
        "area": [list(corner) for corner in plan.area],
        "path": path_of(plan),
        "home": list(home),
        "photos": photos,
        "zones": zone_rings(zones, home),
        "chances": []
        if plan.search is None or plan.search.chances is None
        else chance_shapes(plan.search.chances),
        "volumes": []
        if mission.volumes is None
        else [
            {"role": role, "ring": [list(corner) for corner in ring]}
            for role, ring in mission.volumes.named
        ],
        "texts": {
            **map_texts(),
            "photo": _("Photo {n}: {lat}, {lon}, height {alt} m, heading {yaw}°, pitch {pitch}°"),
            "none": _("Tap a photo position to see what it will show."),
        },
    }
