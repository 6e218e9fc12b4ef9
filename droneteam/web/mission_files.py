"""Missions as files for other programs: QGroundControl .plan, KML and GeoJSON (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.sax.saxutils import escape

from droneteam.missions.items import MissionCommand, wire_mission
from droneteam.missions.views import MissionView

_ARDUPILOT = 3
_MULTIROTOR = 2
_AUTO_CONTINUE = True
_HOVER_SPEED_MPS = 5


def as_plan(mission: MissionView) -> tuple[bytes, str]:
    """A .plan of QGroundControl (docs.qgroundcontrol.com, "Plan File Format", version 1)."""
    home = mission.plan.home
    items = wire_mission(mission.plan.items, home)
    document = {
        "fileType": "Plan",
        "version": 1,
        "groundStation": "droneteam",
        "mission": {
            "version": 2,
            "firmwareType": _ARDUPILOT,
            "vehicleType": _MULTIROTOR,
            "cruiseSpeed": _HOVER_SPEED_MPS,
            "hoverSpeed": _HOVER_SPEED_MPS,
            "plannedHomePosition": [home.lat_deg, home.lon_deg, home.alt_amsl_m],
            # Item 0 is the home position; the format keeps it apart.
            "items": [
                {
                    "type": "SimpleItem",
                    "doJumpId": item.seq,
                    "command": int(item.command),
                    "frame": int(item.frame),
                    "params": [*item.params, item.x, item.y, item.z],
                    "autoContinue": _AUTO_CONTINUE,
                }
                for item in items[1:]
            ],
        },
        "geoFence": {"version": 2, "circles": [], "polygons": []},
        "rallyPoints": {"version": 2, "points": []},
    }
    return json.dumps(document, indent=1).encode(), "application/json"


def as_geojson(mission: MissionView) -> tuple[bytes, str]:
    """A GeoJSON (RFC 7946: WGS84, longitude first); heights are above the take-off point."""
    area = [[lon, lat] for lat, lon in mission.plan.area]
    path = [[lon, lat, alt] for lat, lon, alt in _path(mission)]
    photos = [
        _feature(
            {"type": "Point", "coordinates": [photo.lon_deg, photo.lat_deg]},
            kind="photo",
            number=number,
            alt_home_m=photo.alt_home_m,
            yaw_deg=photo.yaw_deg,
            pitch_deg=photo.pitch_deg,
        )
        for number, photo in enumerate(mission.plan.photo_positions, start=1)
    ]
    document = {
        "type": "FeatureCollection",
        "name": f"mission {mission.id}",
        "features": [
            _feature({"type": "Polygon", "coordinates": [[*area, area[0]]]}, kind="area"),
            _feature({"type": "LineString", "coordinates": path}, kind="path"),
            *photos,
        ],
    }
    return json.dumps(document, indent=1).encode(), "application/geo+json"


def as_kml(mission: MissionView) -> tuple[bytes, str]:
    """A KML (OGC 07-147r2); heights are above the take-off point, hence relativeToGround."""
    area = [(lat, lon, 0.0) for lat, lon in (*mission.plan.area, mission.plan.area[0])]
    placemarks = [
        _placemark(
            "area",
            "<Polygon><outerBoundaryIs><LinearRing><coordinates>"
            f"{_coordinates(area)}</coordinates></LinearRing></outerBoundaryIs></Polygon>",
        ),
        _placemark(
            "path",
            "<LineString><altitudeMode>relativeToGround</altitudeMode>"
            f"<coordinates>{_coordinates(_path(mission))}</coordinates></LineString>",
        ),
    ]
    for number, photo in enumerate(mission.plan.photo_positions, start=1):
        at = _coordinates([(photo.lat_deg, photo.lon_deg, photo.alt_home_m)])
        mode = "<altitudeMode>relativeToGround</altitudeMode>"
        placemarks.append(
            _placemark(f"photo {number}", f"<Point>{mode}<coordinates>{at}</coordinates></Point>")
        )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<name>{escape(f'mission {mission.id}')}</name>\n"
        + "\n".join(placemarks)
        + "\n</Document></kml>\n"
    )
    return text.encode(), "application/vnd.google-earth.kml+xml"


WRITERS: dict[str, Callable[[MissionView], tuple[bytes, str]]] = {
    "plan": as_plan,
    "kml": as_kml,
    "geojson": as_geojson,
}
"""By file name extension: the content and its media type."""


def _path(mission: MissionView) -> list[tuple[float, float, float]]:
    """(lat_deg, lon_deg, alt_home_m) of the waypoints, in order."""
    return [
        (item.lat_deg or 0.0, item.lon_deg or 0.0, item.alt_home_m or 0.0)
        for item in mission.plan.items
        if item.command == MissionCommand.WAYPOINT
    ]


def _feature(geometry: dict[str, object], **properties: object) -> dict[str, object]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _coordinates(points: list[tuple[float, float, float]]) -> str:
    return " ".join(f"{lon:.7f},{lat:.7f},{alt:.2f}" for lat, lon, alt in points)


def _placemark(name: str, geometry: str) -> str:
    return f"<Placemark><name>{escape(name)}</name>{geometry}</Placemark>"
