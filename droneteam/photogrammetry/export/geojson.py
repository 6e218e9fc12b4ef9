"""Camera positions and measurements as GeoJSON (RFC 7946: longitude first, WGS84, height last)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Frame, Measurement

CRS84 = "urn:ogc:def:crs:OGC:1.3:CRS84"
"""Said as the former standard did: RFC 7946 leaves it out, and programs then ask or guess."""
DECIMALS_DEG = 9
DECIMALS_M = 4


def write_geojson(
    network: CameraNetwork, measurements: tuple[Measurement, ...], path: Path
) -> None:
    """One feature per photo and per measurement; a foreign member names the heights' datum.

    Raises
    ------
    InputError
        When the frame has no place on the earth: GeoJSON knows no other coordinates.
    """
    features = [_camera(network.frame, view.name, view.centre_enu_m) for view in network.views]
    features += [f for m in measurements if (f := _measurement(network.frame, m)) is not None]
    partial = path.with_name(path.name + ".part")
    collection = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": CRS84}},
        "heights_above": network.frame.vertical_datum,
        "features": features,
    }
    partial.write_text(json.dumps(collection, ensure_ascii=False, allow_nan=False, indent=1))
    partial.replace(path)


def positions(frame: Frame, points_enu_m: FloatArray) -> list[list[float]]:
    """Longitude, latitude, height of (n, 3) points."""
    if frame.origin is None:
        raise InputError("GeoJSON needs a frame that is placed on the earth")
    geodetic = EnuFrame(frame.origin).geodetic_from_enu(np.atleast_2d(points_enu_m))
    return [
        [round(lon, DECIMALS_DEG), round(lat, DECIMALS_DEG), round(up, DECIMALS_M)]
        for lat, lon, up in geodetic.tolist()
    ]


def _camera(frame: Frame, name: str, centre: FloatArray) -> dict[str, Any]:
    return _feature("Point", positions(frame, centre)[0], {"kind": "photo", "name": name})


def _measurement(frame: Frame, measured: Measurement) -> dict[str, Any] | None:
    """A point, line or ring with what was measured; None when its points were not kept."""
    if not measured.points_enu_m:
        return None
    where = positions(frame, np.array(measured.points_enu_m))
    facts = {
        "kind": measured.kind,
        "name": measured.name,
        "value": _number(measured.value),
        "unit": measured.unit,
        "ci95_low": _number(measured.ci95_low),
        "ci95_high": _number(measured.ci95_high),
        "method": measured.method,
        "determined": measured.determined,
        "note": measured.note,
        "photos": list(measured.photos),
        "photos_rejected": list(measured.photos_rejected),
        "frame": measured.frame,
    }
    if len(where) == 1:
        return _feature("Point", where[0], facts)
    if measured.kind in ("area", "plan_area", "volume") and len(where) >= 3:
        return _feature("Polygon", [[*where, where[0]]], facts)
    return _feature("LineString", where, facts)


def _feature(kind: str, coordinates: Any, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
