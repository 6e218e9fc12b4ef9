"""Measurements as CSV and GeoJSON for other programs; pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.scene_files import finite_or_none
from droneteam.photogrammetry.views import MeasurementView

COLUMNS = (
    "id", "name", "kind", "value", "ci95_low", "ci95_high", "unit", "method", "determined",
    "note", "photos", "measured_at", "adjust_digest",
)  # fmt: skip
CRS84 = "urn:ogc:def:crs:OGC:1.3:CRS84"
_AREAS = frozenset({"area", "plan_area", "volume"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def measurements_csv(rows: Sequence[MeasurementView]) -> str:
    """One line per measurement; what is not determined has no value."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        facts = _facts(row)
        facts["photos"] = " ".join(facts["photos"])
        writer.writerow([_cell(facts[name]) for name in COLUMNS])
    return text.getvalue()


def measurements_geojson(
    rows: Sequence[MeasurementView], origin: GeoPoint | None, height_datum: str
) -> dict[str, Any]:
    """A feature per measurement, longitude and latitude on WGS84, heights in `height_datum`.

    origin : of the scene's frame; without one the coordinates are metres of the scene's own, and
    the document says so.
    """
    kind = "name" if origin is not None else "local"
    crs = CRS84 if origin is not None else "scene frame: east, north, up"
    return {
        "type": "FeatureCollection",
        "crs": {"type": kind, "properties": {"name": crs}},
        "height_datum": height_datum,
        "features": [_feature(row, origin) for row in rows],
    }


def _feature(row: MeasurementView, origin: GeoPoint | None) -> dict[str, Any]:
    facts = _facts(row)
    points = row.measurement.points_enu_m
    facts["points_enu_m"] = [list(point) for point in points]
    return {
        "type": "Feature",
        "id": row.id,
        "geometry": _geometry(row.measurement.kind, points, origin),
        "properties": facts,
    }


def _geometry(
    kind: str, points: Sequence[tuple[float, float, float]], origin: GeoPoint | None
) -> dict[str, Any] | None:
    if not points:
        return None
    places = np.array(points)
    if origin is None:
        rows = np.round(places, 4).tolist()
    else:
        geodetic = EnuFrame(origin).geodetic_from_enu(places)
        rows = [[round(lon, 9), round(lat, 9), round(h, 4)] for lat, lon, h in geodetic.tolist()]
    if len(rows) == 1:
        return {"type": "Point", "coordinates": rows[0]}
    if kind in _AREAS and len(rows) >= 3:
        return {"type": "Polygon", "coordinates": [[*rows, rows[0]]]}
    return {"type": "LineString", "coordinates": rows}


def _facts(row: MeasurementView) -> dict[str, Any]:
    measured = row.measurement
    return {
        "id": row.id,
        "name": measured.name,
        "kind": measured.kind,
        "value": finite_or_none(measured.value),
        "ci95_low": finite_or_none(measured.ci95_low),
        "ci95_high": finite_or_none(measured.ci95_high),
        "unit": measured.unit,
        "method": measured.method,
        "determined": measured.determined,
        "note": measured.note,
        "photos": list(measured.photos),
        "measured_at": row.measured_at.isoformat(),
        "adjust_digest": row.adjust_digest,
    }


def _cell(value: Any) -> Any:
    """A name that a spreadsheet would run as a formula is quoted; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
