"""KML 2.2 and KMZ: a plan's area, path and photos out, an area in.

A document type declaration is refused: no KML needs one, and entities in it can expand a small
file to gigabytes.
"""

from __future__ import annotations

from xml.etree import ElementTree

from droneteam.errors import DecodeError, InputError
from droneteam.missions.formats.geojson import outline
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES
from droneteam.missions.formats.unpacking import member, names_in, xml_root
from droneteam.missions.items import MissionCommand
from droneteam.missions.plan import GeoPolygon, MissionPlan
from droneteam.missions.volumes import Volumes

NAMESPACE = "http://www.opengis.net/kml/2.2"
_ZIP_MAGIC = b"PK\x03\x04"


def plan_to_kml(plan: MissionPlan, name: str, volumes: Volumes | None = None) -> bytes:
    """The KML document.

    Heights are relative to the ground, taken as that of the take-off; over a terrain, whose ground
    is not level, they are above sea level through the take-off point's own height.
    """
    mode, base_m = ("relativeToGround", 0.0)
    if plan.terrain is not None:
        mode, base_m = ("absolute", plan.home.alt_amsl_m)
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.Element(f"{{{NAMESPACE}}}kml")
    document = _child(root, "Document")
    _child(document, "name", name)
    _polygon(document, "area", plan.area)
    path = _child(_placemark(document, "path"), "LineString")
    _child(path, "altitudeMode", mode)
    moves = [item for item in plan.items if item.command is MissionCommand.WAYPOINT]
    places = [
        f"{item.lon_deg:.8f},{item.lat_deg:.8f},{base_m + (item.alt_home_m or 0.0):.2f}"
        for item in moves
    ]
    _child(path, "coordinates", " ".join(places))
    for index, photo in enumerate(plan.photo_positions, start=1):
        point = _child(_placemark(document, f"photo {index}"), "Point")
        _child(point, "altitudeMode", mode)
        place = f"{photo.lon_deg:.8f},{photo.lat_deg:.8f},{base_m + photo.alt_home_m:.2f}"
        _child(point, "coordinates", place)
    for role, ring in () if volumes is None else volumes.named:
        _polygon(document, role.replace("_", " "), ring)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _polygon(document: ElementTree.Element, name: str, ring: GeoPolygon) -> None:
    """A polygon on the ground."""
    polygon = _child(_placemark(document, name), "Polygon")
    edge = _child(_child(polygon, "outerBoundaryIs"), "LinearRing")
    corners = (*ring, ring[0])
    _child(edge, "coordinates", " ".join(f"{lon:.8f},{lat:.8f},0" for lat, lon in corners))


def _placemark(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    placemark = _child(parent, "Placemark")
    _child(placemark, "name", name)
    return placemark


def _child(parent: ElementTree.Element, tag: str, text: str | None = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{NAMESPACE}}}{tag}")
    element.text = text
    return element


def read_area(data: bytes) -> GeoPolygon:
    """The outline of the first polygon of a KML or KMZ file, as (lat_deg, lon_deg) corners.

    Raises
    ------
    DecodeError
        The file is neither, holds no polygon, or its coordinates are wrong.
    """
    if data.startswith(_ZIP_MAGIC):
        data = _document_of_kmz(data)
    if len(data) > MAX_FILE_BYTES:
        raise DecodeError(f"the file is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    for element in xml_root(data).iter():
        if element.tag.rpartition("}")[2] == "Polygon":
            return _outline(element)
    raise DecodeError("no Polygon in this KML")


def _outline(polygon: ElementTree.Element) -> GeoPolygon:
    text = next((e.text for e in polygon.iter() if e.tag.rpartition("}")[2] == "coordinates"), None)
    try:
        corners = []
        for place in (text or "").split():
            lon, lat, *_ = place.split(",")
            corners.append((float(lat), float(lon)))
        return outline(corners)
    except (ValueError, InputError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(f"coordinates of the polygon: {error}") from error


def _document_of_kmz(data: bytes) -> bytes:
    names = [name for name in names_in(data) if name.lower().endswith(".kml")]
    if not names:
        raise DecodeError("no .kml in this KMZ")
    return member(data, names[0], MAX_FILE_BYTES)
