"""A built scene's report and diagram, made with the products or again once there are measurements.

Both are made of the stages' files alone, and dated by the last photo unless a date is given: the
same inputs give the same bytes, whoever makes them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from droneteam.errors import InputError, NotFound
from droneteam.photogrammetry import manifest, unmeasured
from droneteam.photogrammetry.dense.cloud import load_sigmas
from droneteam.photogrammetry.export import diagram, dxf, pdf
from droneteam.photogrammetry.export.diagram import Diagram
from droneteam.photogrammetry.export.numbers import check_language
from droneteam.photogrammetry.export.pdf import PhotoFact, ProductFact, SceneReport
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.ingest.photo_files import load_photos, working_paths
from droneteam.photogrammetry.ingest.photos import Photo, PhotoSet
from droneteam.photogrammetry.manifest import FileRecord
from droneteam.photogrammetry.measuring.measurement_file import CLOUD_NAME, kept_measurements
from droneteam.photogrammetry.measuring.requests import point_names
from droneteam.photogrammetry.products import product_epsg
from droneteam.photogrammetry.scene import CameraNetwork, Measurement
from droneteam.photogrammetry.scene_document import Scene, scale_statement
from droneteam.photogrammetry.scene_files import load_network
from droneteam.photogrammetry.scene_params import SceneParams, control_files, params_document
from droneteam.photogrammetry.surface.rasters import ground_sampling_m
from droneteam.photogrammetry.surface.surface_files import Surface, load_surface
from droneteam.photogrammetry.unmeasured import Place

REPORT_NAME = "report.pdf"
IN_ANOTHER_GROUP = "does not overlap with the rest and was reconstructed apart"
STAGES = ("photos", "sfm", "adjust", "dense", "surface")
"""What the products are made from; their manifests name the software."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """All that products, report and diagram are made of; the cloud stays on disk until needed."""

    params: SceneParams
    photos: PhotoSet
    network: CameraNetwork
    cloud_path: Path
    surface: Surface
    unmeasured: tuple[Place, ...]
    placement: Placement
    software: tuple[tuple[str, str], ...]
    control_files: tuple[tuple[str, str], ...]

    @property
    def made_at(self) -> datetime | None:
        """When the last photo was taken; None when no photo says."""
        last = self._last
        return None if last is None else last.taken_at

    @property
    def camera_clock(self) -> bool:
        """Whether that time is a camera's clock without its zone."""
        last = self._last
        return last is not None and last.clock == "unzoned"

    @property
    def _last(self) -> Photo | None:
        dated = [photo for photo in self.photos.photos if photo.taken_at is not None]
        return max(dated, key=lambda photo: (photo.taken_at, photo.name), default=None)


@dataclass(frozen=True, slots=True)
class Named:
    """A measurement and the names of its points."""

    measurement: Measurement
    points: tuple[str, ...] = ()


def load_parts(
    folders: Mapping[str, Path], photo_paths: Mapping[str, Path], params: SceneParams
) -> Parts:
    """What the finished stages in these folders hold."""
    photos = load_photos(folders["photos"], photo_paths)
    network = load_network(folders["adjust"], working_paths(photos, folders["photos"]))
    return Parts(
        params=params,
        photos=photos,
        network=network,
        cloud_path=folders["dense"] / CLOUD_NAME,
        surface=load_surface(folders["surface"]),
        unmeasured=unmeasured.load(folders["surface"]),
        placement=Placement(network.frame, product_epsg(network.frame, params.epsg)),
        software=tuple(sorted(_versions(folders).items())),
        control_files=control_files(params_document(params)),
    )


def scene_parts(scene: Scene, title: str | None = None) -> Parts:
    """The parts of a scene that was built as far as its surface; title : another than its own.

    Raises
    ------
    NotFound
        It was not.
    """
    folders = {record.manifest.stage: record.folder for record in scene.stages}
    if "surface" not in folders:
        raise NotFound("surface model in", scene.folder)
    paths = {photo.name: photo.path for photo in scene.photos.photos}
    earlier = {name: folders[name] for name in STAGES if name in folders}
    params = scene.params if title is None else replace(scene.params, title=title)
    parts = load_parts(earlier, paths, params)
    return replace(parts, control_files=parts.control_files or scene.control_files)


def report_of(
    parts: Parts,
    outputs: Iterable[FileRecord],
    measurements: Sequence[Measurement] = (),
    *,
    language: str | None = None,
    made_at: datetime | None = None,
) -> SceneReport:
    """The report of these parts; made_at : by default when the last photo was taken."""
    chosen = language or parts.params.language
    check_language(chosen)
    sigmas_m = load_sigmas(parts.cloud_path)
    made = tuple(
        ProductFact(row.path, row.size_bytes, row.sha256)
        for row in outputs
        if row.path != REPORT_NAME
    )
    return SceneReport(
        title=parts.params.title or "scene",
        made_at=made_at or parts.made_at,
        camera_clock=made_at is None and parts.camera_clock,
        language=chosen,  # type: ignore[arg-type]
        network=parts.network,
        unmeasured=unmeasured.words(parts.unmeasured),
        photos=_photo_facts(parts),
        products=made,
        versions=parts.software,
        parameters=_parameters(parts),
        gsd_m=ground_sampling_m(parts.network),
        n_points=len(sigmas_m),
        median_sigma_m=float(np.median(sigmas_m)),
        epsg=parts.placement.epsg,
        dsm=parts.surface.dsm,
        ortho=parts.surface.ortho,
        coverage=parts.surface.coverage.over(parts.surface.dsm.grid),
        measurements=tuple(measurements),
    )


def write_scene_report(
    scene: Scene,
    path: Path,
    *,
    measurements: Sequence[Measurement],
    title: str | None = None,
    language: str | None = None,
    made_at: datetime | None = None,
) -> None:
    """The report of a built scene, with its measurements as they are now."""
    exported = [r.manifest for r in scene.stages if r.manifest.stage == "export"]
    outputs = exported[0].outputs if exported else ()
    parts = scene_parts(scene, title)
    report = report_of(parts, outputs, measurements, language=language, made_at=made_at)
    pdf.write_report(report, path)


def diagram_of(
    parts: Parts,
    named: Sequence[Named] = (),
    *,
    language: str | None = None,
    scale: int | None = None,
    with_ortho: bool = True,
    made_at: datetime | None = None,
) -> Diagram:
    """The scene diagram of these parts and of what was measured."""
    chosen = language or parts.params.language
    check_language(chosen)
    rows = [(row.measurement, row.points) for row in named]
    return Diagram(
        title=parts.params.title or "scene",
        language=chosen,  # type: ignore[arg-type]
        made_at=made_at or parts.made_at,
        camera_clock=made_at is None and parts.camera_clock,
        frame=parts.network.frame,
        points=diagram.points_of(rows),
        measurements=tuple(row.measurement for row in named),
        outline=diagram.outline_of(parts.surface.dsm),
        ortho=parts.surface.ortho if with_ortho else None,
        scale=scale,
        caveats=_caveats(parts.network),
    )


def _caveats(network: CameraNetwork) -> tuple[str, ...]:
    """That the depth is open, where it is: whoever reads a length off the sheet must know it."""
    if network.accuracy.vertical_scale_determined is not False:
        return ()
    return (scale_statement(network.accuracy, network.frame),)


def write_scene_diagram(drawn: Diagram, path: Path) -> None:
    """The diagram in the format that the file's name asks for.

    Raises
    ------
    InputError
        The name ends neither in .pdf nor in .dxf.
    """
    match path.suffix.lower():
        case ".pdf":
            diagram.write_diagram(drawn, path)
        case ".dxf":
            dxf.write_dxf(drawn, path)
        case other:
            raise InputError(f"a diagram is a .pdf or a .dxf, not {other or path.name!r}")


def named_measurements(folder: Path) -> tuple[Named, ...]:
    """The current measurements of a scene's folder with the names of their points."""
    kept = kept_measurements(folder)
    repeated = {row.supersedes for row in kept}
    rows = (row for row in kept if row.number not in repeated)
    return tuple(Named(row.measurement, point_names(row.request)) for row in rows)


def _photo_facts(parts: Parts) -> tuple[PhotoFact, ...]:
    placed = {view.name for view in parts.network.views}
    apart = {name: IN_ANOTHER_GROUP for names in parts.network.groups for name in names}
    reasons = {**apart, **dict(parts.network.unregistered)}
    rows = []
    for photo in parts.photos.photos:
        found = "; ".join(finding.message for finding in photo.findings)
        note = "; ".join(text for text in (reasons.get(photo.name, ""), found) if text)
        rows.append(PhotoFact(photo.name, photo.sha256, photo.name in placed, note))
    left_out = [PhotoFact(p.name, "", False, p.message) for p in parts.photos.problems]
    return (*rows, *left_out)


def _versions(folders: Mapping[str, Path]) -> dict[str, str]:
    """Every library that took part, and the source of each stage."""
    versions: dict[str, str] = {}
    for name, folder in folders.items():
        for library, version in manifest.read(folder).software.items():
            versions[f"source of {name}" if library == "source" else library] = version
    return versions


def _parameters(parts: Parts) -> tuple[tuple[str, str], ...]:
    """What a person chose; files by their names, cores, titles and what was left open left out."""
    document = params_document(parts.params)
    del document["control"]
    camera = document.pop("camera")
    left_out = ("threads", "title", "language", "until")
    rows = {
        name: str(value)
        for name, value in document.items()
        if name not in left_out and value is not None
    }
    rows |= dict(parts.control_files)
    if camera is not None:
        rows["camera"] = f"{camera['model']} {camera['params']}"
    return tuple(sorted(rows.items()))
