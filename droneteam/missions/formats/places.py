"""The places that a file of any known format names: an area's corners, or a path and heights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from droneteam.errors import DecodeError
from droneteam.missions.formats import geojson, kml, litchi, qgc, waypoints, wpml
from droneteam.missions.formats.fileplaces import FilePlaces, LeftOut, checked
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES, MissionFile
from droneteam.missions.formats.unpacking import names_in
from droneteam.missions.items import POSITIONED, MissionCommand
from droneteam.missions.planner.heights import HeightKind

_FLOWN_TO = POSITIONED - {MissionCommand.DO_SET_ROI_LOCATION}
"""What the camera looks at has a position, too, and nobody flies there."""
_KNOWN = (
    *_FLOWN_TO,
    MissionCommand.DO_CHANGE_SPEED,
    MissionCommand.RETURN_TO_LAUNCH,
)


def read_places(name: str, data: bytes, *, path_first: bool = False) -> FilePlaces:
    """What the file says to fly.

    name : its ending says the format: .kml, .kmz (KML or DJI's waylines), .geojson, .json, .plan,
    .waypoints, .txt, .csv (Litchi); path_first : the path of a file that holds an area as well.

    Raises
    ------
    DecodeError
        The ending is none of these, or the file is not what it says.
    """
    if len(data) > MAX_FILE_BYTES:
        raise DecodeError(
            "the file is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    ending = name.rpartition(".")[2].lower()
    if ending not in _READERS:
        known = ", ".join(f".{one}" for one in _READERS)
        raise DecodeError("{name!r} is none of {known}", name=name, known=known)
    found = _READERS[ending](data, path_first)
    if not found.places:
        raise DecodeError("{name!r} names no place", name=name)
    return found


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError("not UTF-8 text: {error}", error=error) from error


def _of_kmz(data: bytes, path_first: bool) -> FilePlaces:
    if any(one.startswith("wpmz/") for one in names_in(data)):
        return wpml.read_path(data)
    return kml.read_places(data, path_first=path_first)


def _of_mission(mission: MissionFile) -> FilePlaces:
    """The places flown to; a landing or take-off at no place of its own is none."""
    stops = [
        (item.lat_deg, item.lon_deg, item.alt_home_m or 0.0)
        for item in mission.items
        if item.command in _FLOWN_TO and item.lat_deg and item.lon_deg
    ]
    fenced = mission.fence or mission.exclusions or mission.circles
    others = any(item.command not in _KNOWN for item in mission.items)
    told: tuple[tuple[LeftOut, object], ...] = (
        ("fence", fenced), ("rally", mission.rally), ("commands", others),
    )  # fmt: skip
    return FilePlaces(
        checked([(lat, lon) for lat, lon, _ in stops], "path", at_least=0),
        "path",
        HeightKind.HOME,
        tuple(alt for _, _, alt in stops),
        mission.home,
        left_out=tuple(code for code, there in told if there),
    )


_READERS: Mapping[str, Callable[[bytes, bool], FilePlaces]] = {
    "kml": lambda data, path_first: kml.read_places(data, path_first=path_first),
    "kmz": _of_kmz,
    "geojson": lambda data, path: geojson.read_places(_text(data), path_first=path),
    "json": lambda data, path: geojson.read_places(_text(data), path_first=path),
    "plan": lambda data, _: _of_mission(qgc.read_plan(_text(data))),
    "waypoints": lambda data, _: _of_mission(waypoints.read_waypoints(_text(data))),
    "txt": lambda data, _: _of_mission(waypoints.read_waypoints(_text(data))),
    "csv": lambda data, _: litchi.read_path(_text(data)),
}
