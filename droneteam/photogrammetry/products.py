"""The files that people take away from a scene, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyproj

from droneteam.errors import InputError
from droneteam.photogrammetry.manifest import Manifest
from droneteam.photogrammetry.scene import Frame

PRODUCTS_FOLDER = "products"
HOME_EPSG = 3812
"""Belgian Lambert 2008, the team's own; elsewhere the UTM zone of the place."""
UTM_NORTH, UTM_SOUTH = 32600, 32700


@dataclass(frozen=True, slots=True)
class Product:
    """One product; the path is relative to the scene's folder."""

    kind: str
    path: str
    media_type: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Kind:
    kind: str
    media_type: str


_GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
KINDS: Mapping[str, _Kind] = {
    "orthophoto.tif": _Kind("orthophoto", _GEOTIFF),
    "orthophoto_sources.tif": _Kind("orthophoto_sources", _GEOTIFF),
    "dsm.tif": _Kind("dsm", _GEOTIFF),
    "dsm_mask.tif": _Kind("dsm_mask", _GEOTIFF),
    "dtm.tif": _Kind("dtm", _GEOTIFF),
    "cloud.laz": _Kind("cloud", "application/vnd.laszip"),
    "cloud.copc.laz": _Kind("cloud_copc", "application/vnd.laszip+copc"),
    "cloud.ply": _Kind("cloud_ply", "application/ply"),
    "mesh.glb": _Kind("mesh", "model/gltf-binary"),
    "mesh_3dtiles.zip": _Kind("mesh_3dtiles", "application/zip"),
    "mesh.ply": _Kind("mesh_ply", "application/ply"),
    "diagram.pdf": _Kind("diagram", "application/pdf"),
    "diagram.dxf": _Kind("diagram_dxf", "image/vnd.dxf"),
    "report.pdf": _Kind("report", "application/pdf"),
    "cameras.geojson": _Kind("cameras", "application/geo+json"),
}
"""By file name; a file of another name is listed with its suffix as its kind."""


def products_of(exported: Manifest) -> tuple[Product, ...]:
    """The products that the export stage wrote, in the order of their names."""
    return tuple(
        Product(
            kind=_kind(record.path).kind,
            path=f"{PRODUCTS_FOLDER}/{record.path}",
            media_type=_kind(record.path).media_type,
            sha256=record.sha256,
            size_bytes=record.size_bytes,
        )
        for record in exported.outputs
    )


def _kind(path: str) -> _Kind:
    name = Path(path).name
    return KINDS.get(name, _Kind(Path(path).suffix.lstrip(".").lower(), "application/octet-stream"))


def product_epsg(frame: Frame, wanted: int | None) -> int | None:
    """The reference system of the products; None for a frame with no place on the earth.

    wanted : None for Belgian Lambert 2008 in Belgium and the UTM zone elsewhere.

    Raises
    ------
    InputError
        The scene lies outside the wanted system's area of use; names the area.
    """
    if frame.origin is None:
        return None
    lat, lon = frame.origin.lat_deg, frame.origin.lon_deg
    if wanted is None:
        return HOME_EPSG if _covers(HOME_EPSG, lat, lon) else utm_epsg(lat, lon)
    if not _covers(wanted, lat, lon):
        area = pyproj.CRS.from_epsg(wanted).area_of_use
        raise InputError(
            f"the scene lies at {lat:.4f}°, {lon:.4f}°, outside the area of EPSG:{wanted} "
            f"({area.name if area else 'unknown'}); leave --epsg out, or use EPSG:"
            f"{utm_epsg(lat, lon)}",
            field="epsg",
        )
    return wanted


def utm_epsg(lat_deg: float, lon_deg: float) -> int:
    """The code of the UTM zone on WGS84 (zones of 6°, without the exceptions around Norway)."""
    zone = int((lon_deg + 180.0) // 6.0) % 60 + 1
    return (UTM_NORTH if lat_deg >= 0.0 else UTM_SOUTH) + zone


def _covers(epsg: int, lat_deg: float, lon_deg: float) -> bool:
    try:
        area = pyproj.CRS.from_epsg(epsg).area_of_use
    except pyproj.exceptions.CRSError as error:
        raise InputError(f"EPSG:{epsg} is not a known reference system", field="epsg") from error
    if area is None:
        return True
    return area.south <= lat_deg <= area.north and area.west <= lon_deg <= area.east
