"""The export stage: every product of a scene in the formats that others read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from droneteam.errors import InputError
from droneteam.photogrammetry import manifest, reporting
from droneteam.photogrammetry.dense.cloud import load_cloud
from droneteam.photogrammetry.export import (
    cog,
    diagram,
    figures,
    geojson,
    glb,
    las,
    pdf,
    ply,
    tiles3d,
)
from droneteam.photogrammetry.measuring.measure import frame_statement
from droneteam.photogrammetry.measuring.measurement_file import CLOUD_NAME
from droneteam.photogrammetry.products import product_epsg, utm_epsg
from droneteam.photogrammetry.reporting import REPORT_NAME, Parts, load_parts
from droneteam.photogrammetry.runner import StageContext
from droneteam.photogrammetry.surface.rasters import Raster

__all__ = ["CLOUD_NAME", "product_epsg", "run_export", "utm_epsg"]


def run_export(context: StageContext) -> None:
    """Write rasters, clouds, mesh, cameras and diagram, then the report that lists their hashes."""
    parts = load_parts(context.earlier, context.photos.paths, context.params)
    writers = _writers(parts)
    for done, (name, write) in enumerate(writers.items()):
        context.progress(0.9 * done / len(writers), name)
        write(context.folder / name)
    context.progress(0.92, "report")
    made = manifest.record_outputs(context.folder)
    pdf.write_report(reporting.report_of(parts, made), context.folder / REPORT_NAME)


def _writers(parts: Parts) -> dict[str, Callable[[Path], None]]:
    """What writes each product, by file name."""
    surface, place = parts.surface, parts.placement
    cloud = load_cloud(parts.cloud_path)
    tags = {"SOFTWARE": "droneteam", "VERTICAL_DATUM": parts.network.frame.vertical_datum}
    stated = frame_statement(place.frame)
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
        "cloud.ply": lambda path: ply.write_cloud(cloud, path, (stated,)),
    }
    if surface.terrain is not None:
        ground: Raster = surface.terrain
        writers["dtm.tif"] = lambda path: cog.write_dsm(ground, place, path, tags)
    if surface.mesh is not None:
        mesh = surface.mesh
        writers["mesh.glb"] = lambda path: glb.write_glb(mesh, path, {**tags, "FRAME": stated})
        writers["mesh.ply"] = lambda path: ply.write_mesh(mesh, path, (stated,))
        if place.frame.origin is not None:
            writers["mesh_3dtiles.zip"] = lambda path: tiles3d.write_tiles(
                mesh, place.frame, path, tags
            )
    if parts.network.frame.origin is not None:
        writers["cameras.geojson"] = lambda path: geojson.write_geojson(parts.network, (), path)
    return writers | _diagram_writers(parts)


def _write_coverage_map(parts: Parts, path: Path) -> None:
    found = parts.surface.coverage
    figures.write_coverage_figure(found.photos, found.grid, parts.network, path.parent)


def _diagram_writers(parts: Parts) -> dict[str, Callable[[Path], None]]:
    """The diagram as PDF and DXF, where there is a scale and a sheet that holds the scene."""
    if not parts.network.frame.metric:
        return {}
    drawn = reporting.diagram_of(parts)
    try:
        diagram.sheet_of(drawn)
    except InputError:
        return {}  # larger than A0 at 1:500: a map, not a scene diagram
    return {
        name: lambda path: reporting.write_scene_diagram(drawn, path)
        for name in ("diagram.pdf", "diagram.dxf")
    }
