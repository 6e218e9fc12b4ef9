"""The export stage: every product of a scene in the formats that others read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyproj

from droneteam.errors import InputError
from droneteam.photogrammetry import manifest
from droneteam.photogrammetry.dense import load_cloud
from droneteam.photogrammetry.export import cog, figures, geojson, glb, las, pdf, ply
from droneteam.photogrammetry.export.pdf import PhotoFact, ProductFact, SceneReport
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.photo_files import load_photos, working_paths
from droneteam.photogrammetry.photos import PhotoSet
from droneteam.photogrammetry.runner import StageContext
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, Frame
from droneteam.photogrammetry.scene_files import load_network
from droneteam.photogrammetry.scene_params import SceneParams, params_document
from droneteam.photogrammetry.surface import Raster, ground_sampling_m
from droneteam.photogrammetry.surface_files import Surface, load_surface

CLOUD_NAME = "cloud.npz"
HOME_EPSG = 3812
"""Belgian Lambert 2008, the team's own; elsewhere the UTM zone of the place."""
UTM_NORTH, UTM_SOUTH = 32600, 32700


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """All that the products are made of."""

    photos: PhotoSet
    network: CameraNetwork
    cloud: DenseCloud
    surface: Surface
    placement: Placement
    tags: dict[str, str]


def run_export(context: StageContext) -> None:
    """Write rasters, clouds, mesh and cameras, then the report that lists their hashes."""
    parts = _parts(context)
    writers = _writers(parts)
    for done, (name, write) in enumerate(writers.items()):
        context.progress(0.9 * done / len(writers), name)
        write(context.folder / name)
    context.progress(0.92, "report")
    pdf.write_report(_report(context, parts), context.folder / "report.pdf")


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


def _parts(context: StageContext) -> _Parts:
    folder = context.earlier["photos"]
    photos = load_photos(folder, context.photos.paths)
    network = load_network(context.earlier["adjust"], working_paths(photos, folder))
    placement = Placement(network.frame, product_epsg(network.frame, context.params.epsg))
    return _Parts(
        photos=photos,
        network=network,
        cloud=load_cloud(context.earlier["dense"] / CLOUD_NAME),
        surface=load_surface(context.earlier["surface"]),
        placement=placement,
        tags={"SOFTWARE": "droneteam", "VERTICAL_DATUM": network.frame.vertical_datum},
    )


def _writers(parts: _Parts) -> dict[str, Callable[[Path], None]]:
    """What writes each product, by file name."""
    surface, cloud, place, tags = parts.surface, parts.cloud, parts.placement, parts.tags
    height_m = cog.typical_height(surface.dsm)
    writers: dict[str, Callable[[Path], None]] = {
        "orthophoto.tif": lambda path: cog.write_ortho(surface.ortho, height_m, place, path, tags),
        "orthophoto_sources.tif": lambda path: cog.write_source(
            surface.ortho, height_m, place, path, tags
        ),
        "dsm.tif": lambda path: cog.write_dsm(surface.dsm, place, path, tags),
        "dsm_mask.tif": lambda path: cog.write_mask(surface.dsm, place, path, tags),
        "coverage.tif": lambda path: cog.write_coverage(
            surface.coverage, height_m, place, path, tags
        ),
        "coverage.png": lambda path: _write_coverage_map(parts, path),
        "cloud.laz": lambda path: las.write_laz(cloud, place, path),
        "cloud.copc.laz": lambda path: las.write_copc(cloud, place, path),
        "cloud.ply": lambda path: ply.write_cloud(cloud, path),
    }
    if surface.terrain is not None:
        ground: Raster = surface.terrain
        writers["dtm.tif"] = lambda path: cog.write_dsm(ground, place, path, tags)
    if surface.mesh is not None:
        mesh = surface.mesh
        writers["mesh.glb"] = lambda path: glb.write_glb(mesh, path, tags)
        writers["mesh.ply"] = lambda path: ply.write_mesh(mesh, path)
    if parts.network.frame.origin is not None:
        writers["cameras.geojson"] = lambda path: geojson.write_geojson(parts.network, (), path)
    return writers


def _write_coverage_map(parts: _Parts, path: Path) -> None:
    found = parts.surface.coverage
    figures.write_coverage_figure(found.photos, found.grid, parts.network, path.parent)


def _report(context: StageContext, parts: _Parts) -> SceneReport:
    made = manifest.record_outputs(context.folder)
    return SceneReport(
        title=context.params.title or "scene",
        made_at=datetime.now(UTC),
        language=context.params.language,  # type: ignore[arg-type]
        network=parts.network,
        photos=_photo_facts(parts),
        products=tuple(ProductFact(row.path, row.size_bytes, row.sha256) for row in made),
        versions=tuple(sorted(_versions(context.earlier).items())),
        parameters=_parameters(context.params),
        gsd_m=ground_sampling_m(parts.network),
        n_points=len(parts.cloud.points_enu_m),
        median_sigma_m=float(np.median(parts.cloud.sigma_m)),
        epsg=parts.placement.epsg,
        dsm=parts.surface.dsm,
        ortho=parts.surface.ortho,
        coverage=parts.surface.coverage.over(parts.surface.dsm.grid),
    )


def _photo_facts(parts: _Parts) -> tuple[PhotoFact, ...]:
    placed = {view.name for view in parts.network.views}
    reasons = dict(parts.network.unregistered)
    rows = []
    for photo in parts.photos.photos:
        found = "; ".join(finding.message for finding in photo.findings)
        note = "; ".join(text for text in (reasons.get(photo.name, ""), found) if text)
        rows.append(PhotoFact(photo.name, photo.sha256, photo.name in placed, note))
    left_out = [PhotoFact(p.name, "", False, p.message) for p in parts.photos.problems]
    return (*rows, *left_out)


def _versions(earlier: Mapping[str, Path]) -> dict[str, str]:
    """Every library that took part, and the source of each stage."""
    versions: dict[str, str] = {}
    for name, folder in earlier.items():
        for library, version in manifest.read(folder).software.items():
            versions[f"source of {name}" if library == "source" else library] = version
    return versions


def _parameters(params: SceneParams) -> tuple[tuple[str, str], ...]:
    document = params_document(params)
    control = document.pop("control")
    camera = document.pop("camera")
    rows = {
        name: str(value) for name, value in document.items() if name not in ("threads", "title")
    }
    rows |= {name: Path(path).name for name, path in control.items() if path is not None}
    if camera is not None:
        rows["camera"] = f"{camera['model']} {camera['params']}"
    return tuple(sorted(rows.items()))
