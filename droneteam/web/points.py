"""The point cloud for browsers: a buffer within a budget, and pictures for those without WebGL.

Buffer: 16 bytes per point, little endian: float32 x, y, z in metres from the cloud's centre,
then uint8 red, green, blue and one spare byte.  Both are made once, beside each other in a
cache folder, and replaced when the cloud's file changes.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import laspy
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from droneteam.errors import DecodeError, NotFound
from droneteam.web.cloud_views import VIEWS, drawn

POINT = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3), ("spare", "u1")])
BUDGET = 400_000
"""6.4 MB to the browser: drawn within a second and picked within 50 ms."""
CHUNK_POINTS = 1_000_000


def point_buffer(
    cloud: Path, cache: Path, budget: int = BUDGET, octree: Path | None = None
) -> Path:
    """The file that holds the cloud's buffer, made when it is missing or old.

    octree : the same cloud as COPC, whose upper levels spare reading all of it.
    """
    path = cache / f"{_stamp(cloud)}-{budget}.points"
    if not path.is_file():
        made = thinned(cloud, budget) if octree is None else sampled(octree, budget, middle(cloud))
        _write(path, made.tobytes())
    return path


def header_of(cloud: Path) -> laspy.LasHeader:
    """The header of a LAS or LAZ file.

    Raises
    ------
    DecodeError
        The file is none.
    """
    try:
        with laspy.open(cloud) as reader:
            return reader.header
    except (laspy.errors.LaspyException, OSError, ValueError) as error:
        raise DecodeError(f"{cloud.name} is no readable point cloud: {error}") from error


def reference_system(cloud: Path) -> str | None:
    """The cloud's reference system, such as EPSG:3812; None where it states none.

    Raises
    ------
    DecodeError
        The file is no LAS or LAZ.
    """
    crs = header_of(cloud).parse_crs()
    if crs is None:
        return None
    code = crs.to_epsg()
    return str(crs.name) if code is None else f"EPSG:{code}"


def middle(cloud: Path) -> tuple[float, float, float]:
    """The middle of the cloud's box in its own coordinates: the browser's zero.

    Raises
    ------
    DecodeError
        The file is no LAS or LAZ.
    """
    header = header_of(cloud)
    x, y, z = (np.asarray(header.mins) + np.asarray(header.maxs)) / 2.0
    return float(x), float(y), float(z)


def picture(cloud: Path, cache: Path, view: str, octree: Path | None = None) -> Path:
    """The file that holds the cloud's picture from the top, the south or the east.

    Raises
    ------
    NotFound
        The view is another one.
    """
    if view not in VIEWS:
        raise NotFound("view", view)
    path = cache / f"{_stamp(cloud)}-{view}.png"
    if not path.is_file():
        buffer = np.fromfile(point_buffer(cloud, cache, octree=octree), dtype=POINT)
        image = Image.fromarray(drawn(buffer, view))
        partial = cache / f".{uuid.uuid4().hex}.png"
        image.save(partial)
        partial.replace(path)
    return path


def thinned(cloud: Path, budget: int) -> NDArray[np.void]:
    """(n,) POINT: every k-th point of a LAS/LAZ file, so that at most `budget` are left.

    Reads in chunks: memory stays bounded whatever the cloud's size.

    Raises
    ------
    DecodeError
        The file is no LAS or LAZ.
    """
    parts: list[NDArray[np.void]] = []
    try:
        with laspy.open(cloud) as reader:
            header = reader.header
            stride = max(1, -(-header.point_count // budget))
            centre = (np.asarray(header.mins) + np.asarray(header.maxs)) / 2.0
            offset = 0
            for chunk in reader.chunk_iterator(CHUNK_POINTS):
                parts.append(_points(chunk, offset, stride, centre))
                offset = (offset - len(chunk)) % stride
    except (laspy.errors.LaspyException, OSError, ValueError) as error:
        raise DecodeError(f"{cloud.name} is no readable point cloud: {error}") from error
    return np.concatenate(parts) if parts else np.empty(0, POINT)


def sampled(octree: Path, budget: int, centre: tuple[float, float, float]) -> NDArray[np.void]:
    """(n,) POINT of a COPC file's upper levels, at most `budget` of them.

    Every level is an even sample of the cloud, so that a cloud of any size takes one second.

    Raises
    ------
    DecodeError
        The file is no COPC.
    """
    parts: list[NDArray[np.void]] = []
    left, level = budget, 0
    try:
        with octree.open("rb") as file:
            reader = laspy.CopcReader(file)
            while left > 0 and len(records := reader.query(level=level)):
                stride = -(-len(records) // left)
                parts.append(_points(records, 0, stride, np.asarray(centre)))
                left, level = left - len(parts[-1]), level + 1
                if stride > 1:
                    break
    except (laspy.errors.LaspyException, OSError, ValueError) as error:
        raise DecodeError(f"{octree.name} is no readable COPC file: {error}") from error
    return np.concatenate(parts) if parts else np.empty(0, POINT)


def _points(
    chunk: laspy.ScaleAwarePointRecord, offset: int, stride: int, centre: NDArray[np.float64]
) -> NDArray[np.void]:
    kept = slice(offset, None, stride)
    made = np.zeros(len(range(len(chunk))[kept]), dtype=POINT)
    made["xyz"] = np.column_stack([chunk.x[kept], chunk.y[kept], chunk.z[kept]]) - centre
    made["rgb"] = _colours(chunk, kept)
    return made


def _colours(chunk: laspy.ScaleAwarePointRecord, kept: slice) -> NDArray[np.uint8]:
    names = set(chunk.point_format.dimension_names)
    if not {"red", "green", "blue"} <= names:
        return np.full((len(range(len(chunk))[kept]), 3), 200, dtype=np.uint8)
    wide = np.column_stack([chunk.red[kept], chunk.green[kept], chunk.blue[kept]])
    # The standard asks for 16 bits; some writers fill only the lower 8.
    return (wide >> 8 if wide.max(initial=0) > 255 else wide).astype(np.uint8)


def _stamp(cloud: Path) -> str:
    """A name that changes with the file."""
    status = cloud.stat()
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _write(path: Path, content: bytes) -> None:
    """The file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{uuid.uuid4().hex}.part"
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
