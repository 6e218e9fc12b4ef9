"""Surface models, orthophoto and mesh between the surface and export stages: npz without loss."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.errors import DecodeError
from droneteam.photogrammetry.cloud_file import mapped_arrays
from droneteam.photogrammetry.scene_files import save_arrays
from droneteam.photogrammetry.surface.mesh import Mesh
from droneteam.photogrammetry.surface.ortho import Ortho
from droneteam.photogrammetry.surface.overlap import Coverage, CoverageMap, Hole
from droneteam.photogrammetry.surface.rasters import Grid, Raster


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What the surface stage makes; terrain only in metres, mesh not in the preview.

    coverage : how many photos see each place, on a grid of its own.
    """

    dsm: Raster
    ortho: Ortho
    coverage: CoverageMap
    terrain: Raster | None = None
    mesh: Mesh | None = None


COVERAGE_NAME = "coverage.json"


def save_surface(surface: Surface, folder: Path) -> None:
    """Write dsm.npz, ortho.npz, coverage.npz and, where there is one, terrain.npz and mesh.npz."""
    _save_raster(surface.dsm, folder / "dsm.npz")
    _save_ortho(surface.ortho, folder)
    _save_coverage(surface.coverage, folder / "coverage.npz")
    if surface.terrain is not None:
        _save_raster(surface.terrain, folder / "terrain.npz")
    if surface.mesh is not None:
        fields = {f.name: getattr(surface.mesh, f.name) for f in dataclasses.fields(Mesh)}
        save_arrays(folder / "mesh.npz", {k: v for k, v in fields.items() if v is not None})


def load_surface(folder: Path) -> Surface:
    """The surface that `save_surface` wrote.

    Raises
    ------
    DecodeError
        The files are missing or not what this version writes.
    """
    try:
        terrain, mesh = folder / "terrain.npz", folder / "mesh.npz"
        return Surface(
            dsm=load_raster(folder / "dsm.npz"),
            ortho=_load_ortho(folder),
            coverage=_load_coverage(folder / "coverage.npz"),
            terrain=load_raster(terrain) if terrain.exists() else None,
            mesh=Mesh(**_load(mesh)) if mesh.exists() else None,
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{folder} holds no readable surface: {error}") from error


def load_raster(path: Path) -> Raster:
    """A raster that `save_surface` wrote."""
    arrays = _load(path)
    return Raster(_grid(arrays.pop("grid")), **arrays)


def mapped_raster(path: Path) -> Raster:
    """The same without reading it: for who looks at some of its cells."""
    arrays = mapped_arrays(path)
    return Raster(_grid(np.asarray(arrays.pop("grid"))), **arrays)


def save_coverage_summary(coverage: Coverage, folder: Path) -> None:
    """Write coverage.json."""
    content = dataclasses.asdict(coverage)
    (folder / COVERAGE_NAME).write_text(json.dumps(content, indent=1))


def load_coverage_summary(folder: Path) -> Coverage | None:
    """What `save_coverage_summary` wrote; None for a surface made before there was such a file.

    Raises
    ------
    DecodeError
        The file is not what this version writes.
    """
    path = folder / COVERAGE_NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        content["seen_by"] = tuple(content["seen_by"])
        content["holes"] = tuple(Hole(**row) for row in content["holes"])
        return Coverage(**content)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{path} is not a coverage summary: {error}") from error


def _save_coverage(found: CoverageMap, path: Path) -> None:
    arrays = {"photos": found.photos, "inside": found.inside, "surface": found.surface}
    corner = np.array([found.top, found.left])
    save_arrays(path, {"grid": _grid_row(found.grid), "corner": corner, **arrays})


def _load_coverage(path: Path) -> CoverageMap:
    arrays = _load(path)
    top, left = (int(value) for value in arrays.pop("corner"))
    return CoverageMap(_grid(arrays.pop("grid")), top=top, left=left, **arrays)


def _save_raster(raster: Raster, path: Path) -> None:
    save_arrays(
        path,
        {
            "grid": _grid_row(raster.grid),
            "height_m": raster.height_m,
            "mask": raster.mask,
            "sigma_m": raster.sigma_m,
        },
    )


def _save_ortho(ortho: Ortho, folder: Path) -> None:
    names = ("rgb", "mask", "source", "gains")
    arrays = {name: getattr(ortho, name) for name in names}
    save_arrays(folder / "ortho.npz", {"grid": _grid_row(ortho.grid), **arrays})
    (folder / "ortho.json").write_text(json.dumps({"photos": list(ortho.photos)}))


def _load_ortho(folder: Path) -> Ortho:
    arrays = _load(folder / "ortho.npz")
    photos = tuple(json.loads((folder / "ortho.json").read_text())["photos"])
    return Ortho(grid=_grid(arrays.pop("grid")), photos=photos, **arrays)


def _grid_row(grid: Grid) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([grid.east_m, grid.north_m, grid.gsd_m, grid.width, grid.height])


def _grid(row: np.ndarray[Any, np.dtype[np.float64]]) -> Grid:
    east_m, north_m, gsd_m, width, height = row.tolist()
    return Grid(east_m, north_m, gsd_m, int(width), int(height))


def _load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
