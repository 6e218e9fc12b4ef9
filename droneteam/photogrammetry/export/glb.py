"""Meshes as binary glTF 2.0 (Khronos glTF 2.0.1, sections 3 and 4.4).

Vertices are east, north, up about the mesh's own middle in single precision, which keeps 0.1 mm
over a kilometre; the root node turns them to glTF's y-up axes, and its extras hold the middle so
that a viewer gets scene coordinates back.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.photogrammetry.surface.mesh import Mesh

MAGIC, VERSION, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
FLOAT, UNSIGNED_BYTE, UNSIGNED_INT = 5126, 5121, 5125
VERTICES, INDICES = 34962, 34963
QUARTER_TURN_ABOUT_X = [-(0.5**0.5), 0.0, 0.0, 0.5**0.5]
"""Takes (east, north, up) to (x, y, z) = (east, up, -north)."""
JPEG_QUALITY = 90


class _Buffer:
    """The binary chunk while it grows, with glTF's views and accessors of it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add_view(self, payload: bytes, target: int | None = None) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        view: dict[str, Any] = {
            "buffer": 0, "byteOffset": len(self.data), "byteLength": len(payload)
        }  # fmt: skip
        if target is not None:
            view["target"] = target
        self.data += payload
        self.views.append(view)
        return len(self.views) - 1

    def add(self, array: NDArray[Any], component: int, kind: str, target: int, **more: Any) -> int:
        view = self.add_view(np.ascontiguousarray(array).tobytes(), target)
        self.accessors.append(
            {
                "bufferView": view,
                "componentType": component,
                "count": array.size if kind == "SCALAR" else len(array),
                "type": kind,
                **more,
            }
        )
        return len(self.accessors) - 1


def write_glb(mesh: Mesh, path: Path, extras: dict[str, str] | None = None) -> None:
    """The mesh, textured when it has a texture, else with vertex colours.

    Raises
    ------
    InputError
        When the mesh has no triangles (glTF forbids empty accessors).
    """
    if not len(mesh.triangles):
        raise InputError("a mesh without triangles cannot be written as glTF")
    middle = middle_of(mesh)
    buffer = _Buffer()
    document = {
        "asset": {"version": "2.0", "generator": "droneteam"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {
                "mesh": 0,
                "rotation": QUARTER_TURN_ABOUT_X,
                "extras": {**(extras or {}), "origin_enu_m": [float(v) for v in middle]},
            }
        ],
        "meshes": [{"primitives": [_primitive(mesh, middle, buffer)]}],
        "materials": [_material(mesh.texture is not None)],
    }
    if mesh.texture is not None:
        document |= _texture(mesh.texture, buffer)
    document |= {
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(_container(document, bytes(buffer.data)))
    partial.replace(path)


def middle_of(mesh: Mesh) -> NDArray[np.float64]:
    """(3,) what a written mesh's vertices are about: its middle to a millimetre."""
    return np.asarray(np.round(mesh.vertices_enu_m.mean(axis=0), 3))


def _primitive(mesh: Mesh, middle: NDArray[np.float64], buffer: _Buffer) -> dict[str, Any]:
    positions = (mesh.vertices_enu_m - middle).astype(np.float32)
    bounds = {
        "min": [float(v) for v in positions.min(axis=0)],
        "max": [float(v) for v in positions.max(axis=0)],
    }
    attributes = {
        "POSITION": buffer.add(positions, FLOAT, "VEC3", VERTICES, **bounds),
        "NORMAL": buffer.add(_unit(mesh.normals), FLOAT, "VEC3", VERTICES),
    }
    if mesh.uv is not None:
        attributes["TEXCOORD_0"] = buffer.add(mesh.uv.astype(np.float32), FLOAT, "VEC2", VERTICES)
    else:
        opaque = np.full((len(mesh.colors), 1), 255, np.uint8)
        attributes["COLOR_0"] = buffer.add(
            np.concatenate([_linear(mesh.colors), opaque], axis=1),
            UNSIGNED_BYTE, "VEC4", VERTICES, normalized=True,
        )  # fmt: skip
    indices = mesh.triangles.astype(np.uint32).ravel()
    return {
        "attributes": attributes,
        "indices": buffer.add(indices, UNSIGNED_INT, "SCALAR", INDICES),
        "material": 0,
    }


def _unit(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normals of length one; up where a vertex has none (glTF requires unit length)."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0], np.float32)
    return np.where(length > 1e-6, normals / np.maximum(length, 1e-6), up).astype(np.float32)


def _linear(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """sRGB to the linear light that glTF expects of vertex colours (IEC 61966-2-1)."""
    c = colors / 255.0
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.rint(255.0 * linear).astype(np.uint8)


def _material(textured: bool) -> dict[str, Any]:
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    if textured:
        surface["baseColorTexture"] = {"index": 0}
    return {
        "pbrMetallicRoughness": surface,
        "doubleSided": True,
        # The photos hold the light already; viewers that know it leave out their own.
        "extensions": {"KHR_materials_unlit": {}},
    }


def _texture(image: NDArray[np.uint8], buffer: _Buffer) -> dict[str, Any]:
    ok, jpeg = cv2.imencode(
        ".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not ok:
        raise InputError("the texture cannot be written as JPEG")
    view = buffer.add_view(jpeg.tobytes())
    return {
        "images": [{"bufferView": view, "mimeType": "image/jpeg"}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "textures": [{"source": 0, "sampler": 0}],
    }


def _container(document: dict[str, Any], binary: bytes) -> bytes:
    document["extensionsUsed"] = ["KHR_materials_unlit"]
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    total = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        [
            struct.pack("<III", MAGIC, VERSION, total),
            struct.pack("<II", len(text), JSON_CHUNK),
            text,
            struct.pack("<II", len(binary), BIN_CHUNK),
            binary,
        ]
    )
