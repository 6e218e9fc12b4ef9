"""Two dates of a scene as pictures on one grid: both orthophotos, and what stands out between them.

The pictures are made once for each pair of builds and kept in the cache.  Rows run north to south
on the later surface's grid, so that a place has the same pixel in all three.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from flask_babel import gettext as _
from numpy.typing import NDArray
from PIL import Image

from droneteam.errors import DecodeError, InputError, NotFound
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.measuring import measurement_file
from droneteam.photogrammetry.measuring.changed_places import ChangedPlace, changed_places
from droneteam.photogrammetry.measuring.changes import Change, ChangeSummary, height_change, summary
from droneteam.photogrammetry.scene import Frame
from droneteam.photogrammetry.scene_store import load_scene
from droneteam.photogrammetry.service import SceneView
from droneteam.web.tiles import DRIVER

PICTURES = ("before", "after", "difference")
MAX_READ_PX = 3000
"""Orthophotos are read at most so wide: three times finer than the pictures."""
FULL_COLOUR_M = 0.5
"""A difference of so much, or of the largest if that is less, gets the full colour."""
HIGHER_RGB = (178, 24, 43)
LOWER_RGB = (33, 102, 172)
"""Red and blue of ColorBrewer's RdBu, which the colour-blind tell apart."""


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place that changed, as the page shows it.

    column, row : its middle in the pictures' pixels; volume_m3 : None where it is not determined,
    note says why; negative where something was taken away.
    """

    column: float
    row: float
    lat_deg: float
    lon_deg: float
    area_m2: float
    largest_m: float
    volume_m3: float | None
    ci95_low_m3: float | None
    ci95_high_m3: float | None
    note: str


def compared(before: SceneView, after: SceneView, cache: Path) -> tuple[Path, ChangeSummary | str]:
    """The folder with the pictures, and the change in numbers; or why it is unknown.

    Raises
    ------
    NotFound
        One of them has no surface or no cameras yet.
    InputError
        They cannot be compared.
    """
    folder = cache / f"changed-{_stamp(before.folder)}-{_stamp(after.folder)}"
    numbers = folder / "summary.json"
    if numbers.is_file():
        return folder, ChangeSummary(**json.loads(numbers.read_text()))
    scenes = [load_scene(view.folder) for view in (before, after)]
    surfaces = [
        (measurement_file.network_of(one), measurement_file.surface_model(one)) for one in scenes
    ]
    change = height_change(surfaces[0], surfaces[1])
    if isinstance(change, str):
        return folder, change
    _write(folder, change, surfaces[1][0].frame, (before, after))
    found = changed_places(change, surfaces[0], surfaces[1])
    _keep(folder / "places.json", place_rows(change, surfaces[1][0].frame, found))
    _keep(numbers, asdict(summary(change)))
    return folder, summary(change)


def kept_places(folder: Path) -> list[PlaceRow]:
    """The places that changed, in a folder that `compared` has filled."""
    return [PlaceRow(**row) for row in json.loads((folder / "places.json").read_text())]


def size_px(folder: Path) -> tuple[int, int]:
    """Width and height of the pictures, in a folder that `compared` has filled."""
    with Image.open(folder / "difference.png") as image:
        return image.size


def place_rows(
    change: Change, frame: Frame, found: Sequence[ChangedPlace]
) -> list[dict[str, object]]:
    """The places as they are kept, each with its position on the earth."""
    degrees = _geodetic(change, frame)
    rows: list[dict[str, object]] = []
    for place in found:
        at, volume = place.outline, place.volume
        lon_deg, lat_deg = degrees[int(at.row), int(at.column)]
        numbers = (volume.value, volume.ci95_low, volume.ci95_high)
        known = volume.determined and all(math.isfinite(one) for one in numbers)
        value, low, high = numbers if known else (None, None, None)
        row = PlaceRow(
            *(at.column, at.row, float(lat_deg), float(lon_deg), at.area_m2, at.largest_m),
            *(value, low, high, volume.note),
        )
        rows.append(asdict(row))
    return rows


def _keep(path: Path, content: object) -> None:
    """What the path holds is whole: it appears at once."""
    partial = path.parent / f".{uuid.uuid4().hex}.part"
    partial.write_text(json.dumps(content))
    partial.replace(path)


def _write(folder: Path, change: Change, frame: Frame, scenes: tuple[SceneView, SceneView]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    places = _geodetic(change, frame)
    for name, scene in zip(PICTURES, scenes, strict=False):
        ortho = scene.products.get("orthophoto")
        if ortho is not None and ortho.is_file():
            _save(folder / f"{name}.png", sampled(ortho, places))
    _save(folder / "difference.png", coloured(change))


def coloured(change: Change) -> NDArray[np.uint8]:
    """(h, w, 4): red where the later surface is higher, blue where lower; else transparent."""
    out = change.stands_out
    image = np.zeros((*out.shape, 4), dtype=np.uint8)
    size = np.abs(change.difference_m[out])
    full = min(FULL_COLOUR_M, float(size.max(initial=0.0))) or 1.0
    image[change.difference_m > 0.0] = (*HIGHER_RGB, 0)
    image[change.difference_m < 0.0] = (*LOWER_RGB, 0)
    image[out, 3] = (110 + 145 * np.clip(size / full, 0.0, 1.0)).astype(np.uint8)
    return image


def sampled(ortho: Path, places: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(h, w, 4) colours of the orthophoto at places (h, w, 2), longitude and latitude.

    Raises
    ------
    DecodeError
        The file is no GeoTIFF.
    InputError
        It states no reference system.
    """
    try:
        with rasterio.open(ortho, driver=DRIVER) as raster:
            if raster.crs is None:
                raise InputError(_("An orthophoto without a reference system cannot be compared."))
            scale = min(1.0, MAX_READ_PX / max(raster.width, raster.height))
            shape = (max(1, round(raster.height * scale)), max(1, round(raster.width * scale)))
            pixels = raster.read([1, 2, 3], out_shape=(3, *shape))
            mask = raster.dataset_mask(out_shape=shape)
            inverse, crs = ~raster.transform, raster.crs
            steps = shape[1] / raster.width, shape[0] / raster.height
    except rasterio.errors.RasterioIOError as error:
        raise DecodeError(_("%(name)s is no readable GeoTIFF.", name=ortho.name)) from error
    to_raster = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_raster.transform(places[..., 0], places[..., 1])
    column = np.floor((inverse.a * x + inverse.b * y + inverse.c) * steps[0])
    row = np.floor((inverse.d * x + inverse.e * y + inverse.f) * steps[1])
    inside = (column >= 0) & (row >= 0) & (column < shape[1]) & (row < shape[0])
    i, j = row[inside].astype(np.int64), column[inside].astype(np.int64)
    image = np.zeros((*places.shape[:2], 4), dtype=np.uint8)
    image[inside, :3] = pixels[:, i, j].T.astype(np.uint8)
    image[inside, 3] = mask[i, j]
    return image


def _geodetic(change: Change, frame: Frame) -> NDArray[np.float64]:
    """(h, w, 2) longitude and latitude of the grid's cells, at the surface's median height."""
    assert frame.origin is not None  # the comparison has refused frames without one
    east, north = np.meshgrid(*change.grid.centres())
    up = np.full(east.size, float(np.nanmedian(change.up_m)))
    points = np.column_stack([east.ravel(), north.ravel(), up])
    geodetic = EnuFrame(frame.origin).geodetic_from_enu(points)
    return np.asarray(geodetic[:, 1::-1].reshape(*east.shape, 2))


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    partial = path.parent / f".{uuid.uuid4().hex}.png"
    Image.fromarray(image, "RGBA").save(partial, compress_level=4)
    partial.replace(path)


def _stamp(scene: Path) -> str:
    """A name that changes with the build."""
    try:
        status = (scene / "scene.json").stat()
    except FileNotFoundError:
        raise NotFound("a built scene in", scene.name) from None
    return f"{scene.name}-{status.st_mtime_ns:x}"
