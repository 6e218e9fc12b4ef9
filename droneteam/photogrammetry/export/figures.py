"""The report's pictures: orthophoto, relief and coverage as PNG with their size on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.scene import CameraNetwork
from droneteam.photogrammetry.surface.ortho import Ortho
from droneteam.photogrammetry.surface.rasters import FILLED, NO_DATA, Grid, Raster, hillshade

MAX_SIDE_PX = 1800
SHADE_SHARE = 0.55
COVERAGE_STEPS = (1, 2, 3, 5, 8)
"""Lower limits of the classes on the coverage map; three photos are what fusion asks for."""
COVERAGE_COLOURS = ((202, 0, 32), (244, 165, 130), (247, 230, 160), (146, 197, 222), (5, 113, 176))
"""Diverging, readable without red-green vision (ColorBrewer RdBu)."""
CAMERA_COLOUR = (20, 20, 20)
FILLED_COLOUR = (255, 0, 255)


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture and the ground that it covers, in metres (or the frame's unit)."""

    file: str
    width_m: float
    height_m: float


@dataclass(frozen=True, slots=True)
class HeightScale:
    """Heights at the two ends of the relief's colours."""

    low_m: float
    high_m: float


def write_ortho_figure(ortho: Ortho, folder: Path, largest_px: int = MAX_SIDE_PX) -> Figure:
    """The orthophoto on white."""
    image = ortho.rgb.copy()
    image[ortho.mask == NO_DATA] = 255
    return _write(image, ortho.grid, folder / "ortho.png", largest_px)


def write_relief_figure(dsm: Raster, folder: Path) -> tuple[Figure, HeightScale]:
    """Height as colour, shaded; filled cells in magenta at half strength."""
    height = dsm.height_m
    known = np.isfinite(height)
    low, high = np.quantile(height[known], (0.01, 0.99)) if known.any() else (0.0, 1.0)
    high = max(high, low + 1e-6)
    share = np.clip((np.where(known, height, low) - low) / (high - low), 0.0, 1.0)
    index = np.rint(255.0 * share).astype(np.uint8)
    colour = cv2.applyColorMap(index, cv2.COLORMAP_VIRIDIS)[..., ::-1].astype(np.float32)
    shade = hillshade(dsm)[..., None].astype(np.float32) / 180.0
    shaded = colour * (1.0 - SHADE_SHARE + SHADE_SHARE * shade)
    filled = dsm.mask == FILLED
    shaded[filled] = 0.5 * shaded[filled] + 0.5 * np.array(FILLED_COLOUR, np.float32)
    image = np.clip(shaded, 0, 255).astype(np.uint8)
    image[~known] = 255
    scale = HeightScale(float(low), float(high))
    return _write(image, dsm.grid, folder / "relief.png"), scale


def write_coverage_figure(
    coverage: NDArray[np.uint8], grid: Grid, network: CameraNetwork, folder: Path
) -> Figure:
    """How many photos see each place, and where the cameras stood (beyond the map they are cut).

    coverage : as `ortho.coverage` gives it, over the whole grid at some step.
    """
    image = np.full((*coverage.shape, 3), 255, np.uint8)
    for lowest, colour in zip(COVERAGE_STEPS, COVERAGE_COLOURS, strict=True):
        image[coverage >= lowest] = colour
    scale = min(MAX_SIDE_PX / max(image.shape[:2]), 4.0)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    for view in network.views:
        column, row = grid.cell_of(*np.split(view.centre_enu_m[:2], 2))
        centre = (
            round(float(column[0]) / grid.width * size[0]),
            round(float(row[0]) / grid.height * size[1]),
        )
        cv2.circle(image, centre, max(3, max(size) // 180), CAMERA_COLOUR, -1, cv2.LINE_AA)
    return _write(image, grid, folder / "coverage.png")


def _write(
    image: NDArray[np.uint8], grid: Grid, path: Path, largest_px: int = MAX_SIDE_PX
) -> Figure:
    scale = min(1.0, largest_px / max(image.shape[:2]))
    if scale < 1.0:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]))
    return Figure(path.name, grid.width * grid.gsd_m, grid.height * grid.gsd_m)
