"""photos.json: what ingest found about each photo; and the upright working copies where needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from droneteam.errors import DecodeError
from droneteam.photogrammetry.ingest import imagefile
from droneteam.photogrammetry.ingest.lens import LensGuess
from droneteam.photogrammetry.ingest.photos import Photo, PhotoPosition, PhotoProblem, PhotoSet
from droneteam.photogrammetry.ingest.quality import Finding
from droneteam.photogrammetry.ingest.xmp import Attitude
from droneteam.photogrammetry.manifest import plain
from droneteam.photogrammetry.scene import Camera

PHOTOS_NAME = "photos.json"
WORKING_FOLDER = "working"
PNG_COMPRESSION = 1
"""Fast; the copies are scratch, and stronger compression saves a tenth of their size."""


def save_photos(photos: PhotoSet, folder: Path) -> None:
    """Write photos.json; where the originals lie is left out, because they move."""
    rows = [{**plain(photo), "path": None} for photo in photos.photos]
    content = {"photos": rows, "problems": plain(photos.problems)}
    (folder / PHOTOS_NAME).write_text(json.dumps(content, indent=1))


def load_photos(folder: Path, paths: Mapping[str, Path]) -> PhotoSet:
    """The photos that `save_photos` wrote, with their originals found by name.

    Raises
    ------
    DecodeError
        photos.json is missing or not what this version writes.
    """
    try:
        content = json.loads((folder / PHOTOS_NAME).read_text())
        return PhotoSet(
            photos=tuple(_photo(row, paths) for row in content["photos"]),
            problems=tuple(PhotoProblem(**row) for row in content["problems"]),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{folder} holds no readable {PHOTOS_NAME}: {error}") from error


def write_working_copy(photo: Photo, folder: Path) -> None:
    """Write an upright 8-bit copy of a photo that other programs would read differently."""
    target = folder / WORKING_FOLDER / f"{photo.name}.png"
    target.parent.mkdir(exist_ok=True)
    pixels = imagefile.decode_rgb(photo.path)
    Image.fromarray(pixels).save(target, compress_level=PNG_COMPRESSION)


def working_paths(photos: PhotoSet, folder: Path) -> dict[str, Path]:
    """Where the pixels to work on lie: the original, or its upright 8-bit copy."""
    return {
        photo.name: photo.path if photo.plain else folder / WORKING_FOLDER / f"{photo.name}.png"
        for photo in photos.photos
    }


def _photo(row: Mapping[str, Any], paths: Mapping[str, Path]) -> Photo:
    position, taken_at = row["position"], row["taken_at"]
    values = {
        **row,
        "path": paths[row["name"]],
        "taken_at": None if taken_at is None else datetime.fromisoformat(taken_at),
        "position": None if position is None else _position(position),
        "gimbal": _attitude(row["gimbal"]),
        "flight": _attitude(row["flight"]),
        "velocity_ned_mps": _tuple(row["velocity_ned_mps"]),
        "lens": _lens(row["lens"]),
        "findings": tuple(Finding(**finding) for finding in row["findings"]),
    }
    return Photo(**values)


def _position(row: Mapping[str, Any]) -> PhotoPosition:
    sigma, lever_arm = tuple(row["sigma_enu_m"]), _tuple(row["lever_arm_ned_m"])
    return PhotoPosition(**{**row, "sigma_enu_m": sigma, "lever_arm_ned_m": lever_arm})


def _attitude(row: Mapping[str, Any] | None) -> Attitude | None:
    return None if row is None else Attitude(**row)


def _tuple(values: list[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)


def _lens(row: Mapping[str, Any]) -> LensGuess:
    camera = {**row["camera"], "params": tuple(row["camera"]["params"])}
    return LensGuess(Camera(**camera), row["source"], row["focal_sigma"])
