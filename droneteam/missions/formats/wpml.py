"""DJI's WPML: a KMZ with ``wpmz/template.kml`` and ``wpmz/waylines.wpml``.

The elements are those of DJI's cloud API documentation ("DJI WPML").  The aircraft flies the
waylines; the template is what its programs show.  Heights are relative to the take-off point.

DJI publishes no list of what differs between versions.  The namespace does; and files that its
programs write as 1.0.6 hold, for every waypoint of the waylines, whether the way is straight, the
gimbal's heading, a mark of risk and the kind of work (seen in files that users showed in the issues
of DJI's SDKs), which the documentation's example of 1.0.2 does not.  So 1.0.6 is written with them,
older versions without.  Files of every version are read.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from droneteam.errors import DecodeError, InputError
from droneteam.missions.formats.fileplaces import FilePlaces
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES
from droneteam.missions.formats.photostops import PhotoStop
from droneteam.missions.formats.unpacking import member, xml_root
from droneteam.missions.planner.heights import HeightKind
from droneteam.settings import WPML_VERSIONS

KML = "http://www.opengis.net/kml/2.2"
VERSIONS = WPML_VERSIONS
"""Namespaces that DJI's own samples, documentation and programs have used."""
DEFAULT_VERSION = "1.0.2"
_WITH_GIMBAL_HEADING = frozenset({"1.0.6"})
_WAYLINES = "wpmz/waylines.wpml"
_TEMPLATE = "wpmz/template.kml"
_RELATIVE = "relativeToStartPoint"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""So that the same mission gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Aircraft:
    """The numbers by which DJI names an aircraft and its camera."""

    drone: int
    drone_sub: int
    payload: int


MAVIC_3E = Aircraft(drone=77, drone_sub=0, payload=66)
MATRICE_30T = Aircraft(drone=67, drone_sub=1, payload=53)
AIRCRAFT = {
    "m3e": MAVIC_3E,
    "m3t": Aircraft(drone=77, drone_sub=1, payload=67),
    "m3m": Aircraft(drone=77, drone_sub=2, payload=68),
    "m30": Aircraft(drone=67, drone_sub=0, payload=52),
    "m30t": MATRICE_30T,
    "m3d": Aircraft(drone=91, drone_sub=0, payload=80),
    "m3td": Aircraft(drone=91, drone_sub=1, payload=81),
}
"""By the names that an export may ask for; the numbers are those of DJI's documentation."""


def write_wpml(
    stops: Sequence[PhotoStop],
    *,
    aircraft: Aircraft = MAVIC_3E,
    version: str = DEFAULT_VERSION,
    takeoff_height_m: float = 20.0,
) -> bytes:
    """The KMZ's bytes.

    version : of the WPML namespace, which the aircraft's firmware decides.

    Raises
    ------
    InputError
        The version is none that is known, or there is no place.
    """
    if not stops:
        raise InputError("the mission has no waypoint")
    if version not in VERSIONS:
        raise InputError(
            "WPML version {version!r} is none of {known}",
            field="version",
            version=version,
            known=", ".join(VERSIONS),
        )
    namespace = f"http://www.dji.com/wpmz/{version}"
    writer = _Writer(namespace, aircraft, takeoff_height_m, version in _WITH_GIMBAL_HEADING)
    parts = {_TEMPLATE: writer.document(stops, False), _WAYLINES: writer.document(stops, True)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            archive.writestr(info, content, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Writer:
    """Builds the two documents, which differ in the names of a few elements."""

    namespace: str
    aircraft: Aircraft
    takeoff_height_m: float
    gimbal_heading: bool

    def document(self, stops: Sequence[PhotoStop], waylines: bool) -> bytes:
        ElementTree.register_namespace("", KML)
        ElementTree.register_namespace("wpml", self.namespace)
        root = ElementTree.Element(f"{{{KML}}}kml")
        document = ElementTree.SubElement(root, f"{{{KML}}}Document")
        self._config(document, stops[0].speed_mps)
        folder = ElementTree.SubElement(document, f"{{{KML}}}Folder")
        if waylines:
            self._add(folder, templateId=0, executeHeightMode=_RELATIVE, waylineId=0)
        else:
            self._add(folder, templateType="waypoint", templateId=0)
            system = self._child(folder, "waylineCoordinateSysParam")
            self._add(system, coordinateMode="WGS84", heightMode=_RELATIVE)
        self._add(folder, autoFlightSpeed=_plain(stops[0].speed_mps))
        for index, stop in enumerate(stops):
            self._placemark(folder, index, stop, waylines)
        data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return data

    def _config(self, document: ElementTree.Element, speed_mps: float) -> None:
        config = self._child(document, "missionConfig")
        self._add(
            config,
            flyToWaylineMode="safely",
            finishAction="goHome",
            exitOnRCLost="executeLostAction",
            executeRCLostAction="goBack",
            takeOffSecurityHeight=_plain(self.takeoff_height_m),
            globalTransitionalSpeed=_plain(speed_mps),
        )
        drone = self._child(config, "droneInfo")
        self._add(
            drone,
            droneEnumValue=self.aircraft.drone,
            droneSubEnumValue=self.aircraft.drone_sub,
        )
        payload = self._child(config, "payloadInfo")
        self._add(payload, payloadEnumValue=self.aircraft.payload, payloadPositionIndex=0)

    def _placemark(
        self, folder: ElementTree.Element, index: int, stop: PhotoStop, waylines: bool
    ) -> None:
        mark = ElementTree.SubElement(folder, f"{{{KML}}}Placemark")
        point = ElementTree.SubElement(mark, f"{{{KML}}}Point")
        place = ElementTree.SubElement(point, f"{{{KML}}}coordinates")
        place.text = f"{stop.lon_deg:.7f},{stop.lat_deg:.7f}"
        self._add(mark, index=index)
        if waylines:
            self._add(mark, executeHeight=_plain(stop.alt_home_m))
        else:
            self._add(mark, useGlobalHeight=0, height=_plain(stop.alt_home_m))
        self._add(mark, waypointSpeed=_plain(stop.speed_mps))
        heading = self._child(mark, "waypointHeadingParam")
        self._add(
            heading,
            waypointHeadingMode="smoothTransition",
            waypointHeadingAngle=_plain(_signed(stop.yaw_deg)),
            waypointHeadingPathMode="followBadArc",
        )
        turn = self._child(mark, "waypointTurnParam")
        self._add(
            turn,
            waypointTurnMode="toPointAndStopWithDiscontinuityCurvature",
            waypointTurnDampingDist=0,
        )
        if waylines and self.gimbal_heading:
            self._add(mark, useStraightLine=1)
            self._add(
                self._child(mark, "waypointGimbalHeadingParam"),
                waypointGimbalPitchAngle=_plain(stop.pitch_deg),
                waypointGimbalYawAngle=0,
            )
            self._add(mark, isRisky=0, waypointWorkType=0)
        self._actions(mark, index, stop)

    def _actions(self, mark: ElementTree.Element, index: int, stop: PhotoStop) -> None:
        group = self._child(mark, "actionGroup")
        self._add(
            group,
            actionGroupId=index,
            actionGroupStartIndex=index,
            actionGroupEndIndex=index,
            actionGroupMode="sequence",
        )
        self._add(self._child(group, "actionTrigger"), actionTriggerType="reachPoint")
        gimbal = {
            "gimbalRotateMode": "absoluteAngle",
            "gimbalPitchRotateEnable": 1,
            "gimbalPitchRotateAngle": _plain(stop.pitch_deg),
            "payloadPositionIndex": 0,
        }
        actions: list[tuple[str, dict[str, object]]] = [("gimbalRotate", gimbal)]
        if stop.stay_s:
            actions.append(("hover", {"hoverTime": _plain(stop.stay_s)}))
        if stop.photo:
            actions.append(("takePhoto", {"payloadPositionIndex": 0}))
        for number, (name, params) in enumerate(actions):
            action = self._child(group, "action")
            self._add(action, actionId=number, actionActuatorFunc=name)
            self._add(self._child(action, "actionActuatorFuncParam"), **params)

    def _child(self, parent: ElementTree.Element, name: str) -> ElementTree.Element:
        return ElementTree.SubElement(parent, f"{{{self.namespace}}}{name}")

    def _add(self, parent: ElementTree.Element, **values: object) -> None:
        for name, value in values.items():
            self._child(parent, name).text = str(value)


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _signed(yaw_deg: float) -> float:
    return yaw_deg - 360.0 if yaw_deg > 180.0 else yaw_deg


def read_wpml(data: bytes) -> tuple[PhotoStop, ...]:
    """The places of a KMZ's waylines, whatever version its namespace names.

    Raises
    ------
    DecodeError
        Not such a KMZ, heights that are not relative to take-off, or the placemark that cannot be
        understood.
    """
    mode, marks = _waylines(data)
    if mode != _RELATIVE:
        raise DecodeError(
            "heights in {mode!r} cannot be used: export them relative to take-off", mode=mode
        )
    return _stops(marks)


def read_path(data: bytes) -> FilePlaces:
    """The places of a KMZ's waylines with their heights: above take-off, or above the ground.

    Raises
    ------
    DecodeError
        Not such a KMZ, heights above the ellipsoid, or a placemark that cannot be understood.
    """
    mode, marks = _waylines(data)
    if mode not in _KINDS:
        raise DecodeError(
            "heights in {mode!r} cannot be used: export them relative to take-off or to the ground",
            mode=mode,
        )
    stops = _stops(marks)
    return FilePlaces(
        tuple((stop.lat_deg, stop.lon_deg) for stop in stops),
        "path",
        _KINDS[mode],
        tuple(stop.alt_home_m for stop in stops),
        photo=all(stop.photo for stop in stops),
    )


def version_of(data: bytes) -> str:
    """The version that a KMZ's waylines name in their namespace; empty where they name none."""
    prefix = "{http://www.dji.com/wpmz/"
    names = (one.tag for one in _root(data).iter() if one.tag.startswith(prefix))
    return next((name[len(prefix) :].partition("}")[0] for name in names), "")


_KINDS = {_RELATIVE: HeightKind.HOME, "realTimeFollowSurface": HeightKind.AGL}


_Marks = list[tuple[ElementTree.Element, str]]
"""Placemarks, each with its wayline's usual speed."""


def _waylines(data: bytes) -> tuple[str, _Marks]:
    """What heights are measured from, in DJI's words, and each wayline's placemarks."""
    root = _root(data)
    folders = [one for one in root.iter() if _local(one) == "Folder"]
    _find(root, "Folder")
    modes = {_text(folder, "executeHeightMode") for folder in folders}
    if len(modes) > 1:
        raise DecodeError("waylines of different heights: {modes}", modes=", ".join(sorted(modes)))
    marks = [
        (mark, _text(folder, "autoFlightSpeed", "5"))
        for folder in folders
        for mark in folder
        if _local(mark) == "Placemark"
    ]
    if not marks:
        raise DecodeError("the waylines hold no waypoint")
    return modes.pop(), marks


def _stops(marks: _Marks) -> tuple[PhotoStop, ...]:
    return tuple(_read_placemark(n, *mark) for n, mark in enumerate(marks, 1))


def _root(data: bytes) -> ElementTree.Element:
    return xml_root(member(data, _WAYLINES, MAX_FILE_BYTES))


def _read_placemark(number: int, mark: ElementTree.Element, usual_speed: str) -> PhotoStop:
    try:
        lon, lat, *_ = _text(mark, "coordinates").split(",")
        functions = {
            _text(one, "actionActuatorFunc"): one for one in mark.iter() if _local(one) == "action"
        }
        pitch = _action_value(functions.get("gimbalRotate"), "gimbalPitchRotateAngle")
        stay = _action_value(functions.get("hover"), "hoverTime")
        return PhotoStop(
            float(lat),
            float(lon),
            float(_text(mark, "executeHeight")),
            float(_text(mark, "waypointHeadingAngle", "0")) % 360.0,
            pitch,
            float(_text(mark, "waypointSpeed", usual_speed)),
            stay,
            "takePhoto" in functions,
        )
    except (ValueError, InputError) as error:
        raise DecodeError("waypoint {number}: {error}", number=number, error=error) from error


def _action_value(action: ElementTree.Element | None, name: str) -> float:
    return 0.0 if action is None else float(_text(action, name, "0"))


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _find(root: ElementTree.Element, name: str) -> ElementTree.Element:
    for element in root.iter():
        if _local(element) == name:
            return element
    raise DecodeError("no {name} in the waylines", name=name)


def _text(parent: ElementTree.Element, name: str, fallback: str | None = None) -> str:
    for element in parent.iter():
        if _local(element) == name:
            return (element.text or "").strip()
    if fallback is not None:
        return fallback
    raise DecodeError("no {name}", name=name)
