"""A stored cloud without reading it: its arrays are maps of the file, read where looked at.

A cloud of 20 million points takes 900 MB.  A measurement needs a handful of them, so the server
maps the file and looks through it in blocks: what stays in memory is one block.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import DecodeError
from droneteam.photogrammetry.scene import DenseCloud, FloatArray

BLOCK_POINTS = 1 << 18
"""6 MB of coordinates: beyond it a pass becomes no faster, below it the loop is what costs."""
_LOCAL_HEADER_BYTES = 30
"""Of an entry in a ZIP archive; the lengths of name and extra field are its last two numbers
(PKWARE APPNOTE 6.3.9, 4.3.7)."""


def mapped_cloud(path: Path) -> DenseCloud:
    """A cloud that `dense.save_cloud` wrote; its arrays are read where they are looked at.

    Raises
    ------
    DecodeError
        The file is no such cloud.
    """
    try:
        return DenseCloud(**mapped_arrays(path))
    except (zipfile.BadZipFile, TypeError, ValueError) as error:
        raise DecodeError(f"{path} is not a stored cloud: {error}") from error


def mapped_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an uncompressed npz by name; nothing is read but their headers.

    Raises
    ------
    ValueError
        An array is compressed, or is none.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        entries = {Path(row.filename).stem: row for row in archive.infolist()}
        return {name: _mapped(file, row) for name, row in entries.items()}


def blocks(points: FloatArray, count: int = BLOCK_POINTS) -> Iterator[tuple[int, FloatArray]]:
    """The rows of an array in blocks, each with the index of its first row."""
    for start in range(0, len(points), count):
        yield start, np.asarray(points[start : start + count])


def _mapped(file: BinaryIO, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """An uncompressed array of the archive, as it lies in the file."""
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{entry.filename} is compressed")
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER_BYTES)
    name_bytes = int.from_bytes(header[26:28], "little")
    extra_bytes = int.from_bytes(header[28:30], "little")
    file.seek(name_bytes + extra_bytes, 1)
    if np.lib.format.read_magic(file) == (1, 0):
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, columns_first, dtype = np.lib.format.read_array_header_2_0(file)
    if 0 in shape:
        return np.empty(shape, dtype)  # a map of nothing is refused
    if columns_first:
        raise ValueError(f"{entry.filename} lies column by column")
    mapped: NDArray[Any] = np.memmap(file, dtype=dtype, mode="r", offset=file.tell(), shape=shape)
    return mapped
