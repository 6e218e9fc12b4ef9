"""QGroundControl's .plan: JSON with a mission, a geofence and rally points (file version 1).

Simple items carry MAVLink's numbers and parameters, null where a parameter is left open.  A
survey made in QGroundControl is a complex item that also holds its simple items; those are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from droneteam.errors import DecodeError, plainly
from droneteam.missions.formats.missionfile import (
    MAX_FILE_BYTES,
    FenceCircle,
    MissionFile,
    item_from_numbers,
    numbers_of,
)
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem

_ARDUPILOT, _QUADROTOR = 3, 2
_ALTITUDE_RELATIVE = 1
_MAX_DEPTH = 4
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What numbers, names and lists in the wrong place end in; our own errors are ValueErrors."""


def write_plan(mission: MissionFile) -> str:
    """The file's text."""
    home = mission.home
    document = {
        "fileType": "Plan",
        "version": 1,
        "groundStation": "QGroundControl",
        "mission": {
            "version": 2,
            "firmwareType": _ARDUPILOT,
            "vehicleType": _QUADROTOR,
            "cruiseSpeed": 15,
            "hoverSpeed": 5,
            "globalPlanAltitudeMode": _ALTITUDE_RELATIVE,
            "plannedHomePosition": [home.lat_deg, home.lon_deg, home.written_amsl_m],
            "items": [_simple_item(n, item) for n, item in enumerate(mission.items, start=1)],
        },
        "geoFence": _geofence(mission),
        "rallyPoints": {"version": 2, "points": [list(point) for point in mission.rally]},
    }
    return json.dumps(document, indent=4) + "\n"


def _geofence(mission: MissionFile) -> dict[str, Any]:
    rings = [(mission.fence, True)] if mission.fence else []
    rings += [(ring, False) for ring in mission.exclusions]
    polygons = [
        {"inclusion": inside, "polygon": [list(corner) for corner in ring], "version": 1}
        for ring, inside in rings
    ]
    circles = [
        {
            "circle": {"center": [one.lat_deg, one.lon_deg], "radius": one.radius_m},
            "inclusion": one.inclusion,
            "version": 1,
        }
        for one in mission.circles
    ]
    return {"version": 2, "circles": circles, "polygons": polygons}


def _simple_item(number: int, item: MissionItem) -> dict[str, Any]:
    frame, params = numbers_of(item)
    document: dict[str, Any] = {
        "type": "SimpleItem",
        "autoContinue": True,
        "command": int(item.command),
        "doJumpId": number,
        "frame": int(frame),
        "params": list(params),
    }
    if item.alt_home_m is not None:
        document |= {
            "Altitude": item.alt_home_m,
            "AltitudeMode": _ALTITUDE_RELATIVE,
            "AMSLAltAboveTerrain": None,
        }
    return document


def read_plan(text: str) -> MissionFile:
    """The mission in a .plan file.

    Raises
    ------
    DecodeError
        Names the item or field that cannot be used.
    """
    if len(text) > MAX_FILE_BYTES:
        raise DecodeError(
            "the file is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError("not JSON: {error}", error=error) from error
    if not isinstance(document, dict) or document.get("fileType") != "Plan":
        raise DecodeError("not a QGroundControl plan: fileType is not Plan")
    try:
        return _mission_file(document)
    except _MALFORMED as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError("plan: {error}", error=plainly(error)) from error


def _mission_file(document: Mapping[str, Any]) -> MissionFile:
    mission = document["mission"]
    lat_deg, lon_deg, alt_amsl_m = mission["plannedHomePosition"]
    known_m = None if alt_amsl_m is None else float(alt_amsl_m)
    home = HomePoint(float(lat_deg), float(lon_deg), known_m)
    items = []
    for index, entry in enumerate(_simple_items(mission["items"], 0), start=1):
        try:
            items.append(_item(entry, home))
        except _MALFORMED as error:
            raise DecodeError("item {index}: {error}", index=index, error=plainly(error)) from error
    fence, exclusions, circles = _fences(document.get("geoFence") or {})
    points = (document.get("rallyPoints") or {}).get("points", ())
    rally = tuple((float(lat), float(lon), float(alt)) for lat, lon, alt in points)
    return MissionFile(home, tuple(items), fence, rally, exclusions, circles)


_Ring = tuple[tuple[float, float], ...]


def _fences(
    document: Mapping[str, Any],
) -> tuple[_Ring, tuple[_Ring, ...], tuple[FenceCircle, ...]]:
    """The area to stay in, the areas to stay out of, and the circles of either kind."""
    rings: dict[bool, list[_Ring]] = {True: [], False: []}
    for polygon in document.get("polygons", ()):
        ring = tuple((float(lat), float(lon)) for lat, lon in polygon["polygon"])
        rings[bool(polygon.get("inclusion"))].append(ring)
    if len(rings[True]) > 1:
        raise DecodeError("{count} inclusion fences; one is supported", count=len(rings[True]))
    circles = tuple(_circle(entry) for entry in document.get("circles", ()))
    return (rings[True] or [()])[0], tuple(rings[False]), circles


def _circle(entry: Mapping[str, Any]) -> FenceCircle:
    lat_deg, lon_deg = entry["circle"]["center"]
    radius_m = float(entry["circle"]["radius"])
    return FenceCircle(float(lat_deg), float(lon_deg), radius_m, bool(entry.get("inclusion")))


def _simple_items(entries: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > _MAX_DEPTH:
        raise DecodeError("complex items are nested too deeply")
    for entry in entries:
        if entry["type"] == "SimpleItem":
            yield entry
        elif "TransectStyleComplexItem" in entry:
            yield from _simple_items(entry["TransectStyleComplexItem"]["Items"], depth + 1)
        else:
            kind = entry.get("complexItemType", entry["type"])
            raise DecodeError("{kind} holds no items: store it as waypoints", kind=kind)


_PLACED = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME, MissionCommand.DO_SET_ROI_LOCATION)
"""Commands that mean nothing without a position; take-off and landing happen where it is."""


def _item(entry: Mapping[str, Any], home: HomePoint) -> MissionItem:
    params = tuple(0.0 if value is None else float(value) for value in entry["params"])
    if len(params) != 7:
        raise DecodeError("{count} parameters, 7 are needed", count=len(params))
    if entry["command"] in _PLACED and None in entry["params"][4:]:
        raise DecodeError("it has no latitude, longitude or height: place it before exporting")
    return item_from_numbers(int(entry["command"]), int(entry["frame"]), params, home)
