"""The files that people take away from a scene, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from droneteam.photogrammetry.manifest import Manifest

PRODUCTS_FOLDER = "products"


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
    "coverage.tif": _Kind("coverage", _GEOTIFF),
    "coverage.png": _Kind("coverage_map", "image/png"),
    "cloud.laz": _Kind("cloud", "application/vnd.laszip"),
    "cloud.copc.laz": _Kind("cloud_copc", "application/vnd.laszip+copc"),
    "cloud.ply": _Kind("cloud_ply", "application/ply"),
    "mesh.glb": _Kind("mesh", "model/gltf-binary"),
    "mesh.ply": _Kind("mesh_ply", "application/ply"),
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
