"""Clouds as LAZ and as COPC, with 1-sigma and the number of photos as extra dimensions.

LAS 1.4, point format 7 (ASPRS LAS 1.4 R15); COPC 1.0 (copc.io): an octree whose nodes are LAZ
chunks, coarse nodes holding an even sample of the cloud, so that a viewer streams what it needs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import laspy
import numpy as np
from laspy.vlrs.known import WktCoordinateSystemVlr
from numpy.typing import NDArray

from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.scene import DenseCloud, FloatArray

SCALE_M = 1e-4
GEOGRAPHIC_SCALE = 1e-9
CHUNK = 1_000_000
NODE_GRID = 128
"""Cells per side of a COPC node, of which each keeps one point (as untwine and PDAL do)."""
LEAF_POINTS = 20_000
"""A node with no more points has no children; thousands of tiny chunks would cost minutes."""
MAX_DEPTH = 10
POINT_FORMAT = 7
UNCLASSIFIED = 1
OWN_USER_ID, OWN_RECORD_ID = "droneteam", 1
"""The record that says in words what heights are above, which WKT 1 cannot for the ellipsoid."""
SOFTWARE_BYTES = 32
"""Length of the header's field; COPC's writer takes no records of ours, so z is named there."""


def write_laz(cloud: DenseCloud, placement: Placement, path: Path) -> None:
    """The cloud as LAZ, in the reference system or in local metres without one."""
    header = _header(cloud, placement)
    partial = path.with_name(path.name + ".part")
    with (
        partial.open("wb") as file,
        laspy.open(file, mode="w", header=header, do_compress=True, closefd=False) as writer,
    ):
        for start in range(0, len(cloud.points_enu_m), CHUNK):
            writer.write_points(_records(cloud, placement, header, slice(start, start + CHUNK)))
    partial.replace(path)


def write_copc(cloud: DenseCloud, placement: Placement, path: Path) -> None:
    """The cloud as COPC, readable by every LAZ reader too."""
    import copclib

    header = _header(cloud, placement)
    coordinates = placement.from_enu(cloud.points_enu_m)
    with tempfile.TemporaryDirectory() as folder:
        config = _copc_config(copclib, header, _wkt(placement), Path(folder) / "template.laz")
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    half = max(float(np.max(high - low)) / 2.0, 100.0 * SCALE_M) * 1.0001
    centre = (low + high) / 2.0
    config.las_header.generating_software = software_field(placement)
    info = config.copc_info
    info.center_x, info.center_y, info.center_z = (float(c) for c in centre)
    info.halfsize, info.spacing = half, 2.0 * half / NODE_GRID
    config.las_header.min = copclib.Vector3(*map(float, low))
    config.las_header.max = copclib.Vector3(*map(float, high))
    partial = path.with_name(path.name + ".part")
    writer = copclib.FileWriter(str(partial), config)
    for key, members in octree(coordinates, centre - half, 2.0 * half):
        records = _records(cloud, placement, header, members)
        raw = np.frombuffer(records.array.tobytes(), dtype=np.int8)
        writer.AddNode(copclib.VoxelKey(*key), copclib.VectorChar(raw))
    writer.Close()
    partial.replace(path)


def software_field(placement: Placement) -> str:
    """What wrote a COPC file and what its z is above, as far as 32 bytes hold it."""
    text = f"droneteam z:{placement.frame.vertical_datum}"
    return text.encode("ascii", "replace")[:SOFTWARE_BYTES].decode()


def octree(
    points: FloatArray, corner: FloatArray, side: float
) -> Iterator[tuple[tuple[int, int, int, int], NDArray[np.int64]]]:
    """Nodes (depth, x, y, z) of an octree and the indices of the points they hold.

    A crowded node keeps one point per cell of its grid; the rest go to its children.  Every point
    is in exactly one node, and a node's parent exists.
    """
    # An even sample needs points in no spatial order; the seed makes files reproducible.
    remaining = np.random.default_rng(0).permutation(len(points)).astype(np.int64)
    depth = 0
    while remaining.size:
        nodes = 2**depth
        position = (points[remaining] - corner) / side
        node = np.clip((position * nodes).astype(np.int64), 0, nodes - 1)
        kept = _kept(position, _flat(node, nodes), nodes, last=depth == MAX_DEPTH)
        number = _flat(node[kept], nodes)
        order = np.argsort(number, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(number[order]) > 0])
        for first, last in zip(starts, np.r_[starts[1:], len(order)], strict=True):
            chosen = kept[order[first:last]]
            x, y, z = (int(v) for v in node[chosen[0]])
            yield (depth, x, y, z), remaining[chosen]
        mask = np.ones(len(remaining), dtype=bool)
        mask[kept] = False
        remaining = remaining[mask]
        depth += 1


def _kept(
    position: FloatArray, number: NDArray[np.int64], nodes: int, *, last: bool
) -> NDArray[np.int64]:
    """Which points stay in their node: all of a small or last one, else one per grid cell."""
    if last:
        return np.arange(len(number))
    _, inverse, count = np.unique(number, return_inverse=True, return_counts=True)
    stays = count[inverse] <= LEAF_POINTS
    crowded = np.flatnonzero(~stays)
    cells = nodes * NODE_GRID
    cell = np.clip((position[crowded] * cells).astype(np.int64), 0, cells - 1)
    stays[crowded[np.unique(_flat(cell, cells), return_index=True)[1]]] = True
    return np.flatnonzero(stays)


def _flat(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.asarray((index[:, 0] * size + index[:, 1]) * size + index[:, 2])


def _header(cloud: DenseCloud, placement: Placement) -> laspy.LasHeader:
    header = laspy.LasHeader(point_format=POINT_FORMAT, version="1.4")
    geographic = placement.crs is not None and placement.crs.is_geographic
    plane = GEOGRAPHIC_SCALE if geographic else SCALE_M
    header.scales = np.array([plane, plane, SCALE_M])
    middle = np.median(cloud.points_enu_m, axis=0) if len(cloud.points_enu_m) else np.zeros(3)
    offset = placement.from_enu(middle[None])[0]
    header.offsets = np.round(offset, 5 if geographic else 0)
    header.global_encoding.wkt = True
    header.generating_software = "droneteam"
    header.add_extra_dims(
        [
            laspy.ExtraBytesParams("sigma_m", np.float32, "1-sigma along the view"),
            laspy.ExtraBytesParams("n_views", np.uint8, "photos that agree"),
        ]
    )
    if placement.crs is not None:
        header.vlrs.append(WktCoordinateSystemVlr(_wkt(placement)))
    stated = placement.height_statement.encode()
    header.vlrs.append(laspy.VLR(OWN_USER_ID, OWN_RECORD_ID, "what z is above", stated))
    return header


def _wkt(placement: Placement) -> str:
    """The reference system as WKT 1, which is what LAS 1.4 means by WKT; empty without one."""
    return "" if placement.crs is None else placement.crs.to_wkt("WKT1_GDAL")


def _records(
    cloud: DenseCloud,
    placement: Placement,
    header: laspy.LasHeader,
    members: slice | NDArray[np.int64],
) -> laspy.ScaleAwarePointRecord:
    points = placement.from_enu(cloud.points_enu_m[members])
    records = laspy.ScaleAwarePointRecord.zeros(len(points), header=header)
    records.x, records.y, records.z = points[:, 0], points[:, 1], points[:, 2]
    colours = cloud.colors[members].astype(np.uint16) * 257
    records.red, records.green, records.blue = colours[:, 0], colours[:, 1], colours[:, 2]
    records.sigma_m = cloud.sigma_m[members]
    records.n_views = cloud.n_views[members]
    records.return_number = np.ones(len(points), np.uint8)
    records.number_of_returns = np.ones(len(points), np.uint8)
    records.classification = np.full(len(points), UNCLASSIFIED, np.uint8)
    return records


def _copc_config(copclib: Any, header: laspy.LasHeader, wkt: str, template: Path) -> Any:
    """A writer's configuration with our extra dimensions.

    copclib's Python has no way to describe an extra dimension, but it can read the description
    from a file; so a file with one point is written for it.
    """
    las = laspy.LasData(header)
    las.x, las.y, las.z = ([float(v)] for v in header.offsets)
    las.write(str(template))
    read = copclib.LazReader(str(template)).laz_config
    return copclib.CopcConfigWriter(
        POINT_FORMAT,
        copclib.Vector3(*map(float, header.scales)),
        copclib.Vector3(*map(float, header.offsets)),
        wkt,
        read.extra_bytes_vlr,
    )
