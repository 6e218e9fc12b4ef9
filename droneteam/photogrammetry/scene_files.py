"""Cameras, sparse and dense points on disk: JSON for what people read, npz for arrays.

cameras.json is written for people and other programs, network.json, network.npz and
covariance.npz hold the same network without loss.  Arrays are stored uncompressed: they load at
disk speed and their bytes depend on their contents alone, so that equal results have equal
hashes.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.errors import DecodeError, InputError
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.manifest import plain
from droneteam.photogrammetry.scene import (
    Accuracy,
    Camera,
    CameraNetwork,
    Frame,
    NetworkCovariance,
    ResidualRow,
    SparseCloud,
    View,
)

CAMERAS_FORMAT = "droneteam-cameras-1"


def save_network(network: CameraNetwork, folder: Path) -> None:
    """Write network.json and network.npz."""
    content = {
        "frame": plain(network.frame),
        "accuracy": plain(network.accuracy),
        "views": [view_row(view) for view in network.views],
        "unregistered": plain(network.unregistered),
        "groups": plain(network.groups),
    }
    (folder / "network.json").write_text(json.dumps(content, indent=1))
    save_sparse(network.sparse, folder / "network.npz")
    if network.covariance is not None:
        save_arrays(folder / "covariance.npz", _present(network.covariance))


def load_network(folder: Path, photo_paths: Mapping[str, Path]) -> CameraNetwork:
    """The network that `save_network` wrote; the views' files are found by their names.

    Raises
    ------
    DecodeError
        The files are missing or not what this version writes.
    """
    try:
        content = json.loads((folder / "network.json").read_text())
        return CameraNetwork(
            views=tuple(view_of_row(row, photo_paths) for row in content["views"]),
            sparse=load_sparse(folder / "network.npz"),
            frame=_frame(content["frame"]),
            accuracy=_accuracy(content["accuracy"]),
            unregistered=tuple((name, reason) for name, reason in content["unregistered"]),
            groups=tuple(tuple(names) for names in content["groups"]),
            covariance=_load_covariance(folder / "covariance.npz"),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{folder} holds no readable camera network: {error}") from error


def _present(covariance: NetworkCovariance) -> dict[str, np.ndarray[Any, Any]]:
    arrays = {f.name: getattr(covariance, f.name) for f in dataclasses.fields(covariance)}
    return {name: array for name, array in arrays.items() if array is not None}


def _load_covariance(path: Path) -> NetworkCovariance | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return NetworkCovariance(**{name: arrays[name] for name in arrays.files})


def save_sparse(sparse: SparseCloud, path: Path) -> None:
    """Write tracks as npz."""
    save_arrays(path, {f.name: getattr(sparse, f.name) for f in dataclasses.fields(sparse)})


def load_sparse(path: Path) -> SparseCloud:
    """The tracks that `save_sparse` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return SparseCloud(**{f.name: arrays[f.name] for f in dataclasses.fields(SparseCloud)})


def cameras_document(network: CameraNetwork) -> dict[str, Any]:
    """cameras.json: per photo its model, parameters, pose, and centre in ENU and WGS84."""
    return {
        "format": CAMERAS_FORMAT,
        "conventions": {
            "pixel": "the centre of the top-left pixel is (0.5, 0.5)",
            "camera_axes": "x right, y down, z forward (OpenCV)",
            "cam_from_enu": "3x4, rotation and translation in metres: x_cam = R x_enu + t",
        },
        "frame": plain(network.frame),
        "cameras": [_camera_row(view, network.frame) for view in network.views],
        "unregistered": [
            {"photo": name, "reason": reason} for name, reason in network.unregistered
        ],
    }


def camera_from_file(path: Path) -> Camera:
    """A calibration as `{"model", "params", "width", "height"}`.

    Raises
    ------
    InputError
        The file is missing, is not JSON or lacks a field; says what it must hold.
    """
    shape = '{"model": "PINHOLE", "params": [fx, fy, cx, cy], "width": …, "height": …}'
    try:
        content = json.loads(path.read_text())
        params = tuple(float(value) for value in content["params"])
        camera = Camera(
            str(content["model"]).upper(), int(content["width"]), int(content["height"]), params
        )
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", field="camera") from error
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is not a camera ({error}); it must be {shape}", field="camera"
        ) from error
    if not all(map(math.isfinite, params)):
        raise InputError(f"{path}: params must be finite numbers", field="camera")
    return camera


def finite_or_none(value: float | None) -> float | None:
    """The number, or None where it is NaN or infinite: JSON has neither."""
    return value if value is not None and math.isfinite(value) else None


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """The arrays by name, uncompressed; numpy appends no suffix of its own."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def view_row(view: View) -> dict[str, Any]:
    """A view without loss, but for where its file lies: files move."""
    return {
        "name": view.name,
        "camera": plain(view.camera),
        "cam_from_enu": view.cam_from_enu.tolist(),
    }


def view_of_row(row: Mapping[str, Any], photo_paths: Mapping[str, Path]) -> View:
    """The view of a row; its file is found by its name."""
    camera = row["camera"]
    return View(
        name=row["name"],
        path=photo_paths[row["name"]],
        camera=Camera(
            camera["model"], camera["width_px"], camera["height_px"], tuple(camera["params"])
        ),
        cam_from_enu=np.array(row["cam_from_enu"], dtype=np.float64),
    )


def _frame(content: Mapping[str, Any]) -> Frame:
    origin = content["origin"]
    return Frame(**{**content, "origin": None if origin is None else GeoPoint(**origin)})


def _accuracy(content: Mapping[str, Any]) -> Accuracy:
    values = dict(content)
    sigma = values["sigma_frame_m"]
    values["sigma_frame_m"] = None if sigma is None else tuple(sigma)
    values["warnings"] = tuple(values["warnings"])
    values["rows"] = tuple(_residual_row(row) for row in values["rows"])
    return Accuracy(**values)


def _residual_row(content: Mapping[str, Any]) -> ResidualRow:
    left_out = content["left_out_enu_m"]
    values = {
        **content,
        "residual_enu_m": tuple(content["residual_enu_m"]),
        "left_out_enu_m": None if left_out is None else tuple(left_out),
    }
    return ResidualRow(**values)


def _camera_row(view: View, frame: Frame) -> dict[str, Any]:
    centre = view.centre_enu_m
    placed = frame.kind == "enu" and frame.origin is not None
    return {
        "photo": view.name,
        "model": view.camera.model,
        "params": list(view.camera.params),
        "width": view.camera.width_px,
        "height": view.camera.height_px,
        "cam_from_enu": view.cam_from_enu.tolist(),
        "centre_enu_m": centre.tolist(),
        "centre_wgs84": _geodetic(centre, frame) if placed else None,
    }


def _geodetic(centre: np.ndarray[Any, Any], frame: Frame) -> dict[str, float]:
    assert frame.origin is not None
    lat, lon, alt = EnuFrame(frame.origin).geodetic_from_enu(centre).tolist()
    key = "alt_ellipsoid_m" if "ellipsoid" in frame.vertical_datum else "alt_m"
    return {"lat_deg": lat, "lon_deg": lon, key: alt}
