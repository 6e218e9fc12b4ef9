"""Clouds as LAZ and as COPC, with 1-sigma and the number of photos as extra dimensions.

LAS 1.4, point format 7 (ASPRS LAS 1.4 R15); COPC 1.0 (copc.io): an octree whose nodes are LAZ
chunks, coarse nodes holding an even sample of the cloud, so that a viewer streams what it needs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import laspy
import numpy as np
from laspy.vlrs.known import WktCoordinateSystemVlr
from numpy.typing import NDArray

from droneteam.photogrammetry.export.octree import NODE_BITS, octree
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.scene import DenseCloud

StoredPlaces = NDArray[np.int32]

SCALE_M = 1e-4
GEOGRAPHIC_SCALE = 1e-9
CREATION_DATE_AT = 90
"""Day and year of a LAS header (LAS 1.4 R15, table 3), two bytes each; zero is "not stated"."""
CHUNK = 1_000_000
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
    _remove_date(partial)
    partial.replace(path)


def _remove_date(path: Path) -> None:
    """laspy states the day of writing; the same cloud is to give the same bytes on another day."""
    with path.open("r+b") as file:
        file.seek(CREATION_DATE_AT)
        file.write(bytes(4))


def write_copc(cloud: DenseCloud, placement: Placement, path: Path) -> None:
    """The cloud as COPC, readable by every LAZ reader too."""
    import copclib

    header = _header(cloud, placement)
    places = _stored(cloud, placement, header)
    scales, offsets = np.array(header.scales), np.array(header.offsets)
    with tempfile.TemporaryDirectory() as folder:
        config = _copc_config(copclib, header, _wkt(placement), Path(folder) / "template.laz")
    low = places.min(axis=0) * scales + offsets
    high = places.max(axis=0) * scales + offsets
    half = max(float(np.max(high - low)) / 2.0, 100.0 * SCALE_M) * 1.0001
    centre = (low + high) / 2.0
    config.las_header.generating_software = software_field(placement)
    info = config.copc_info
    info.center_x, info.center_y, info.center_z = (float(c) for c in centre)
    info.halfsize, info.spacing = half, 2.0 * half / 2**NODE_BITS
    config.las_header.min = copclib.Vector3(*map(float, low))
    config.las_header.max = copclib.Vector3(*map(float, high))
    partial = path.with_name(path.name + ".part")
    writer = copclib.FileWriter(str(partial), config)
    corner = (centre - half - offsets) / scales
    for key, members in octree(places, corner, 2.0 * half / scales):
        records = _described(cloud, header, members)
        records.X, records.Y, records.Z = places[members].T
        raw = np.frombuffer(records.array.tobytes(), dtype=np.int8)
        writer.AddNode(copclib.VoxelKey(*key), copclib.VectorChar(raw))
    writer.Close()
    partial.replace(path)


def software_field(placement: Placement) -> str:
    """What wrote a COPC file and what its z is above, as far as 32 bytes hold it."""
    text = f"droneteam z:{placement.frame.vertical_datum}"
    return text.encode("ascii", "replace")[:SOFTWARE_BYTES].decode()


def _stored(cloud: DenseCloud, placement: Placement, header: laspy.LasHeader) -> StoredPlaces:
    """(n, 3) positions in the whole steps of the header's scales in which the file holds them."""
    places = np.empty((len(cloud.points_enu_m), 3), np.int32)
    for start in range(0, len(places), CHUNK):
        part = slice(start, start + CHUNK)
        records = _records(cloud, placement, header, part)
        places[part] = np.column_stack([records.X, records.Y, records.Z])
    return places


def _header(cloud: DenseCloud, placement: Placement) -> laspy.LasHeader:
    header = laspy.LasHeader(point_format=POINT_FORMAT, version="1.4")
    geographic = placement.crs is not None and placement.crs.is_geographic
    plane = GEOGRAPHIC_SCALE if geographic else SCALE_M
    header.scales = np.array([plane, plane, SCALE_M])
    sample = cloud.points_enu_m[:: max(1, len(cloud.points_enu_m) // CHUNK)]
    middle = np.median(sample, axis=0) if len(sample) else np.zeros(3)
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
    cloud: DenseCloud, placement: Placement, header: laspy.LasHeader, members: slice
) -> laspy.ScaleAwarePointRecord:
    """The points' records, whole."""
    records = _described(cloud, header, members)
    records.x, records.y, records.z = placement.from_enu(cloud.points_enu_m[members]).T
    return records


def _described(
    cloud: DenseCloud, header: laspy.LasHeader, members: slice | NDArray[np.uint32]
) -> laspy.ScaleAwarePointRecord:
    """The points' records but for where they are."""
    colours = cloud.colors[members].astype(np.uint16) * 257
    records = laspy.ScaleAwarePointRecord.zeros(len(colours), header=header)
    records.red, records.green, records.blue = colours[:, 0], colours[:, 1], colours[:, 2]
    records.sigma_m = cloud.sigma_m[members]
    records.n_views = cloud.n_views[members]
    records.return_number = np.ones(len(colours), np.uint8)
    records.number_of_returns = np.ones(len(colours), np.uint8)
    records.classification = np.full(len(colours), UNCLASSIFIED, np.uint8)
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
