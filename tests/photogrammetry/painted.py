"""Small photos of a painted ground with a raised table: exact geometry, real pixels.

Each photo is two plane-induced homographies of random paint, so cameras and points are exactly
known and nothing of the product takes part in making it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.scene import Camera, FloatArray
from tests.photogrammetry.networks import looking

WIDTH_PX, HEIGHT_PX = 640, 480
CAMERA = Camera("PINHOLE", WIDTH_PX, HEIGHT_PX, (560.0, 560.0, 320.0, 240.0))
PAINT_PER_M = 40.0
HALF_GROUND_M = 14.0
TABLE_M = 4.0
"""Half side of the table."""
TABLE_HEIGHT_M = 2.0


@dataclass(frozen=True)
class Shot:
    """One photo to be taken."""

    name: str
    pose: FloatArray


def shots(n: int = 6, shift_m: float = 0.0, prefix: str = "photo") -> list[Shot]:
    """Two strips of nadir photos and one look from the side."""
    places = [(-4 + 4 * (i // 2), -2.5 + 5 * (i % 2)) for i in range(n - 1)]
    poses = [
        looking(np.array([e + shift_m, north, 14.0]), 180.0 * (i % 2) + 7 * i, -88.0 + i)
        for i, (e, north) in enumerate(places)
    ]
    poses.append(looking(np.array([shift_m, -11.0, 11.0]), 0.0, -47.0))
    return [Shot(f"{prefix} {i}.png", pose) for i, pose in enumerate(poses)]


def paint(seed: int) -> FloatArray:
    """A picture with structure at every scale."""
    rng = np.random.default_rng(seed)
    size = round(2 * HALF_GROUND_M * PAINT_PER_M)
    total = np.zeros((size, size), np.float32)
    for cells in (20, 60, 180, 540):
        noise = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        total += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 40 * total, 0, 255).astype(np.uint8)


def render(shot: Shot, seed: int, centre_m: float = 0.0) -> FloatArray:
    """The photo: ground paint, and over it the table's, moved by its parallax."""
    ground, table = paint(seed), paint(seed + 1)
    image = cv2.warpPerspective(
        ground, _pixel_from_paint(shot.pose, 0.0, centre_m), (WIDTH_PX, HEIGHT_PX),
        flags=cv2.INTER_AREA, borderValue=90,
    )  # fmt: skip
    mask = np.zeros_like(ground)
    low = round((HALF_GROUND_M - TABLE_M) * PAINT_PER_M)
    mask[low : len(mask) - low, low : len(mask) - low] = 255
    warp = _pixel_from_paint(shot.pose, TABLE_HEIGHT_M, centre_m)
    top = cv2.warpPerspective(table, warp, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_AREA)
    over = cv2.warpPerspective(mask, warp, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR)
    return np.where(over > 127, top, image)


def _pixel_from_paint(pose: FloatArray, height_m: float, centre_m: float) -> FloatArray:
    """(3, 3) from paint pixels to photo pixels (OpenCV's: centre of the first at 0, 0)."""
    metres = np.array(
        [
            [1 / PAINT_PER_M, 0, centre_m - HALF_GROUND_M],
            [0, -1 / PAINT_PER_M, HALF_GROUND_M],
            [0, 0, height_m],
            [0, 0, 1],
        ]
    )
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return half @ CAMERA.matrix @ pose @ metres


def photograph(
    folder: Path, taken: list[Shot], seed: int, *, centre_m: float = 0.0, known: bool = True
) -> list[PhotoInput]:
    """The photos on disk, as input to structure from motion."""
    inputs = []
    for shot in taken:
        path = folder / shot.name
        cv2.imwrite(str(path), render(shot, seed, centre_m))
        inputs.append(
            PhotoInput(
                name=shot.name,
                path=path,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
                camera_key="one",
                focal_prior_px=570.0,
                known_camera=CAMERA if known else None,
            )
        )
    return inputs
