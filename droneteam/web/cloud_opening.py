"""What a viewer must know of a COPC file before it asks for points: read here once, not by each.

A browser would ask for the header, three more pieces and the whole hierarchy, one after the other.
The page brings the same, with the upper levels of the octree; the browser's first request is for
the points of the root.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import laspy
import numpy as np
from numpy.typing import NDArray

from droneteam.errors import DecodeError

UPPER_LEVELS = 2
"""Levels below the root that the page brings: at most 73 nodes, less than 2 kB compressed."""
COLOUR_AT = {7: 30, 8: 30}
"""Byte of the red band in a record of each format that COPC allows and that has colours."""
_SIGMA = "sigma_m"
_SIGMA_BITS = 32


def opening(octree: Path, middle: tuple[float, float, float]) -> dict[str, Any]:
    """The file's shape for the viewer; kept while the file is the same.

    middle : the browser's zero, in the file's own coordinates.

    Raises
    ------
    DecodeError
        The file is no COPC.
    """
    return _opening(octree, middle, octree.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _opening(octree: Path, middle: tuple[float, float, float], _stamp_ns: int) -> dict[str, Any]:
    zero = np.array(middle)
    try:
        with octree.open("rb") as file:
            reader = laspy.CopcReader(file)
            header, info = reader.header, reader.copc_info
            nodes = [_node(key, entry) for key, entry in reader.root_page.entries.items()]
    except (laspy.errors.LaspyException, OSError, ValueError) as error:
        raise DecodeError(f"{octree.name} is no readable COPC file: {error}") from error
    return {
        "count": int(header.point_count),
        "low": _place(info.center - info.halfsize - zero),
        "side": 2.0 * float(info.halfsize),
        "spacing": float(info.spacing),
        "tight": {"low": _place(header.mins - zero), "high": _place(header.maxs - zero)},
        "shape": {
            "format": int(header.point_format.id),
            "length": int(header.point_format.size),
            "colourAt": COLOUR_AT.get(header.point_format.id, -1),
            "sigmaAt": _sigma_at(header.point_format),
            "scale": _place(header.scales),
            "zero": _place(header.offsets - zero),
        },
        "root": {
            "key": "0-0-0-0",
            "offset": int(info.hierarchy_root_offset),
            "length": int(info.hierarchy_root_size),
        },
        "nodes": [node for node in nodes if node is not None],
    }


def _node(key: Any, entry: Any) -> dict[str, Any] | None:
    """A node of the upper levels; None for a deeper one, or one that is a page of its own."""
    if key.level > UPPER_LEVELS or entry.point_count < 0:
        return None
    return {
        "key": f"{key.level}-{key.x}-{key.y}-{key.z}",
        "count": int(entry.point_count),
        "offset": int(entry.offset),
        "length": int(entry.byte_size),
    }


def _sigma_at(layout: laspy.PointFormat) -> int:
    """Where the deviation lies in a record; -1 where the file has none in single precision."""
    extra = list(layout.extra_dimensions)
    at = layout.size - sum(one.num_bits // 8 for one in extra)
    for one in extra:
        if one.name == _SIGMA and one.num_bits == _SIGMA_BITS:
            return int(at)
        at += one.num_bits // 8
    return -1


def _place(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values]
