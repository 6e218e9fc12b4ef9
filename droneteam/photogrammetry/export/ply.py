"""Clouds and meshes as binary PLY (G. Turk, "The PLY Polygon File Format", 1994).

Positions are 32-bit: within `NEAR_M` of the frame's origin that is a twentieth of a millimetre.
Farther scenes are written about a point of whole metres, which the header's comment
`offset_enu_m E N U` names: add it to get the frame's coordinates.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.scene import DenseCloud, FloatArray
from droneteam.photogrammetry.surface.mesh import Mesh

_NAMES = {"<f4": "float", "|u1": "uchar", "<i4": "int"}
NEAR_M = 1000.0
CHUNK = 1_000_000


def write_cloud(cloud: DenseCloud, path: Path, comments: tuple[str, ...] = ()) -> None:
    """Points in the scene's local frame with normal, colour, sigma_m and n_views."""
    layout = _layout(("sigma_m", "<f4"), ("n_views", "|u1"))
    offset = offset_enu_m(cloud.points_enu_m)
    partial = path.with_name(path.name + ".part")
    n = len(cloud.points_enu_m)
    with partial.open("wb") as file:
        _header(file, [("vertex", n, layout)], (*comments, *_stated(offset)))
        for start in range(0, n, CHUNK):
            part = slice(start, start + CHUNK)
            points = cloud.points_enu_m[part] - offset
            rows = _rows(layout, points, cloud.normals[part], cloud.colors[part])
            rows["sigma_m"], rows["n_views"] = cloud.sigma_m[part], cloud.n_views[part]
            file.write(rows.tobytes())
    partial.replace(path)


def write_mesh(mesh: Mesh, path: Path, comments: tuple[str, ...] = ()) -> None:
    """Vertices with normal and colour, and triangles, in the scene's local frame."""
    layout = _layout()
    offset = offset_enu_m(mesh.vertices_enu_m)
    faces = np.zeros(len(mesh.triangles), dtype=[("n", "|u1"), ("index", "<i4", (3,))])
    faces["n"], faces["index"] = 3, mesh.triangles
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        stated = (*comments, *_stated(offset))
        _header(file, [("vertex", len(mesh.vertices_enu_m), layout)], stated, len(faces))
        rows = _rows(layout, mesh.vertices_enu_m - offset, mesh.normals, mesh.colors)
        file.write(rows.tobytes())
        file.write(faces.tobytes())
    partial.replace(path)


def offset_enu_m(points_enu_m: FloatArray) -> FloatArray:
    """(3,) whole metres to take off positions; zeros where all lie near the origin."""
    if not len(points_enu_m) or np.abs(points_enu_m).max() <= NEAR_M:
        return np.zeros(3)
    return np.asarray(np.round((points_enu_m.min(axis=0) + points_enu_m.max(axis=0)) / 2.0))


def _stated(offset: FloatArray) -> tuple[str, ...]:
    """The header's comment on an offset; none for zeros."""
    if not offset.any():
        return ()
    return ("offset_enu_m " + " ".join(f"{metres:.0f}" for metres in offset),)


def _layout(*extra: tuple[str, str]) -> np.dtype[np.void]:
    fields = [(axis, "<f4") for axis in "xyz"]
    fields += [(name, "<f4") for name in ("nx", "ny", "nz")]
    fields += [(name, "|u1") for name in ("red", "green", "blue")]
    return np.dtype([*fields, *extra])


def _rows(
    layout: np.dtype[np.void],
    points: NDArray[np.float64],
    normals: NDArray[np.float32],
    colors: NDArray[np.uint8],
) -> NDArray[np.void]:
    rows = np.zeros(len(points), dtype=layout)
    for k in range(3):
        rows["xyz"[k]] = points[:, k]
        rows[("nx", "ny", "nz")[k]] = normals[:, k]
        rows[("red", "green", "blue")[k]] = colors[:, k]
    return rows


def _header(
    file: BinaryIO,
    elements: list[tuple[str, int, np.dtype[np.void]]],
    comments: tuple[str, ...],
    n_faces: int | None = None,
) -> None:
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {' '.join(text.split())}" for text in comments]
    for name, count, layout in elements:
        lines.append(f"element {name} {count}")
        for field in layout.names or ():
            lines.append(f"property {_NAMES[layout[field].str]} {field}")
    if n_faces is not None:
        lines += [f"element face {n_faces}", "property list uchar int vertex_indices"]
    header = "\n".join([*lines, "end_header"]).replace("°", " deg") + "\n"
    file.write(header.encode("ascii", "replace"))
