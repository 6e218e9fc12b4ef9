"""A flown track for other programs: CSV, GeoJSON, KML and GPX 1.1, from a sortie's log.

Heights are above mean sea level where a format has one meaning for them (GPX, KML absolute);
CSV and GeoJSON carry the height above take-off too.  Times are UTC.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from droneteam.missions.record.replay import zero_at
from droneteam.missions.record.sortie import SortieLog

KML = "http://www.opengis.net/kml/2.2"
GX = "http://www.google.com/kml/ext/2.2"
GPX = "http://www.topografix.com/GPX/1/1"


@dataclass(frozen=True, slots=True)
class _Point:
    t_s: float
    at: datetime | None
    lat_deg: float
    lon_deg: float
    alt_amsl_m: float
    alt_home_m: float
    speed_mps: float
    yaw_deg: float


def _points(log: SortieLog) -> Iterator[_Point]:
    zero, track = zero_at(log), log.track
    columns = (
        track.t_s,
        track.lat_deg,
        track.lon_deg,
        track.alt_amsl_m,
        track.alt_home_m,
        track.speed_mps,
        track.yaw_deg,
    )
    for t_s, *rest in zip(*(column.tolist() for column in columns), strict=True):
        at = None if zero is None else zero + timedelta(seconds=t_s)
        yield _Point(t_s, at, *rest)


def _stamp(at: datetime | None) -> str:
    if at is None:
        return ""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def track_to_csv(log: SortieLog, name: str) -> bytes:
    """One line per sample (RFC 4180), units in the header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ("utc", "t_s", "lat_deg", "lon_deg", "alt_amsl_m", "alt_home_m", "speed_mps", "yaw_deg")
    )
    for point in _points(log):
        place = (f"{point.lat_deg:.7f}", f"{point.lon_deg:.7f}")
        heights = (f"{point.alt_amsl_m:.2f}", f"{point.alt_home_m:.2f}")
        motion = (f"{point.speed_mps:.2f}", f"{point.yaw_deg:.1f}")
        writer.writerow((_stamp(point.at), f"{point.t_s:.3f}", *place, *heights, *motion))
    return out.getvalue().encode()


def track_to_geojson(log: SortieLog, name: str) -> bytes:
    """The path and the photos; heights are properties, as GeoJSON's own are ellipsoidal."""
    points = list(_points(log))
    path = [[round(p.lon_deg, 7), round(p.lat_deg, 7)] for p in points]
    told = {
        "name": name,
        "drone": log.drone,
        "utc": [_stamp(p.at) for p in points],
        "alt_home_m": [round(p.alt_home_m, 2) for p in points],
        "alt_amsl_m": [round(p.alt_amsl_m, 2) for p in points],
    }
    features = []
    if len(path) > 1:
        line = {"type": "LineString", "coordinates": path}
        features.append({"type": "Feature", "geometry": line, "properties": told})
    for photo in log.triggers:
        place = [round(photo.lon_deg, 7), round(photo.lat_deg, 7)]
        facts = {"photo": photo.index, "utc": _stamp(photo.at), "yaw_deg": round(photo.yaw_deg, 1)}
        facts |= {"pitch_deg": round(photo.pitch_deg, 1)}
        facts |= {"alt_amsl_m": round(photo.alt_amsl_m, 2)}
        point = {"type": "Point", "coordinates": place}
        features.append({"type": "Feature", "geometry": point, "properties": facts})
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1).encode()


def track_to_kml(log: SortieLog, name: str) -> bytes:
    """A gx:Track with times, and the photos."""
    ElementTree.register_namespace("", KML)
    ElementTree.register_namespace("gx", GX)
    root = ElementTree.Element(f"{{{KML}}}kml")
    document = _child(root, KML, "Document")
    _child(document, KML, "name", name)
    placemark = _child(document, KML, "Placemark")
    _child(placemark, KML, "name", log.drone or name)
    track = _child(placemark, GX, "Track")
    _child(track, KML, "altitudeMode", "absolute")
    points = list(_points(log))
    for point in points:
        _child(track, KML, "when", _stamp(point.at))
    for point in points:
        text = f"{point.lon_deg:.7f} {point.lat_deg:.7f} {point.alt_amsl_m:.2f}"
        _child(track, GX, "coord", text)
    for photo in log.triggers:
        mark = _child(document, KML, "Placemark")
        _child(mark, KML, "name", f"photo {photo.index}")
        place = _child(mark, KML, "Point")
        _child(place, KML, "altitudeMode", "absolute")
        text = f"{photo.lon_deg:.7f},{photo.lat_deg:.7f},{photo.alt_amsl_m:.2f}"
        _child(place, KML, "coordinates", text)
    return _document(root)


def track_to_gpx(log: SortieLog, name: str) -> bytes:
    """A GPX track with times, and the photos as waypoints."""
    ElementTree.register_namespace("", GPX)
    root = ElementTree.Element(f"{{{GPX}}}gpx", {"version": "1.1", "creator": "droneteam"})
    for photo in log.triggers:
        _gpx_point(root, "wpt", (photo.lat_deg, photo.lon_deg), photo.alt_amsl_m, photo.at)
        _child(root[-1], GPX, "name", f"photo {photo.index}")
    track = _child(root, GPX, "trk")
    _child(track, GPX, "name", name)
    segment = _child(track, GPX, "trkseg")
    for point in _points(log):
        place = (point.lat_deg, point.lon_deg)
        _gpx_point(segment, "trkpt", place, point.alt_amsl_m, point.at)
    return _document(root)


def _gpx_point(
    parent: ElementTree.Element,
    tag: str,
    place: tuple[float, float],
    alt_amsl_m: float,
    at: datetime | None,
) -> None:
    attributes = {"lat": f"{place[0]:.7f}", "lon": f"{place[1]:.7f}"}
    point = ElementTree.SubElement(parent, f"{{{GPX}}}{tag}", attributes)
    _child(point, GPX, "ele", f"{alt_amsl_m:.2f}")
    if at is not None:
        _child(point, GPX, "time", _stamp(at))


def _child(
    parent: ElementTree.Element, space: str, tag: str, text: str | None = None
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{space}}}{tag}")
    element.text = text
    return element


def _document(root: ElementTree.Element) -> bytes:
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


TRACK_WRITERS: dict[str, tuple[Callable[[SortieLog, str], bytes], str]] = {
    "csv": (track_to_csv, "text/csv"),
    "geojson": (track_to_geojson, "application/geo+json"),
    "kml": (track_to_kml, "application/vnd.google-earth.kml+xml"),
    "gpx": (track_to_gpx, "application/gpx+xml"),
}
"""By file name extension: the writer and the media type."""
