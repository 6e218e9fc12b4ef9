"""What a reconstruction is made of: cameras, views, sparse and dense points, their frame.

Pixels follow COLMAP's convention: the centre of the top-left pixel is (0.5, 0.5).  Camera axes
follow OpenCV's: x right, y down, z forward.  Points are in a local east-north-up frame in metres
(or, when no photo carries a position and no scale is known, in a frame of arbitrary scale).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.geo import GeoPoint

FloatArray = NDArray[np.float64]

CAMERA_PARAMS: dict[str, tuple[str, ...]] = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
"""Camera models and the order of their parameters, as COLMAP names them."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera's size and intrinsic parameters, in pixels."""

    model: str
    width_px: int
    height_px: int
    params: tuple[float, ...]

    def __post_init__(self) -> None:
        names = CAMERA_PARAMS.get(self.model)
        if names is None:
            known = ", ".join(CAMERA_PARAMS)
            raise InputError(f"camera model {self.model!r} is not one of {known}", field="model")
        if len(self.params) != len(names):
            raise InputError(
                f"camera model {self.model} takes {len(names)} parameters {names}, "
                f"not {len(self.params)}",
                field="params",
            )
        if self.width_px <= 0 or self.height_px <= 0 or not self.params[0] > 0:
            raise InputError("camera width, height and focal length must be positive")

    def _named(self) -> dict[str, float]:
        return dict(zip(CAMERA_PARAMS[self.model], self.params, strict=True))

    @property
    def focal_px(self) -> tuple[float, float]:
        """Focal lengths along x and y."""
        named = self._named()
        if "f" in named:
            return named["f"], named["f"]
        return named["fx"], named["fy"]

    @property
    def principal_px(self) -> tuple[float, float]:
        """The principal point."""
        named = self._named()
        return named["cx"], named["cy"]

    @property
    def matrix(self) -> FloatArray:
        """The (3, 3) calibration matrix, without distortion."""
        (fx, fy), (cx, cy) = self.focal_px, self.principal_px
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    @property
    def distortion(self) -> FloatArray:
        """(8,) k1, k2, p1, p2, k3, k4, k5, k6 in OpenCV's order; zeros where the model has none."""
        named = self._named()
        order = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
        return np.array([named.get(name, 0.0) for name in order])


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One registered photo: where it looked from and through which camera."""

    name: str
    path: Path
    camera: Camera
    cam_from_enu: FloatArray
    """(3, 4) rotation and translation from the scene's frame to camera axes."""

    @property
    def centre_enu_m(self) -> FloatArray:
        """(3,) the projection centre."""
        rotation, translation = self.cam_from_enu[:, :3], self.cam_from_enu[:, 3]
        return np.asarray(-rotation.T @ translation)


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame that coordinates are in, and what its heights are above.

    kind : "enu" is metric and placed on the earth; "local" has no place on the earth, and its
    scale is metric only when `metric` is true (a scale bar or given camera positions).
    vertical_datum : "WGS84 ellipsoid", "EGM96 (receiver)", ... ; "none" for a local frame.
    """

    kind: Literal["enu", "local"]
    origin: GeoPoint | None
    vertical_datum: str
    metric: bool
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class SparseCloud:
    """Triangulated tracks.

    points_enu_m : (n, 3) float64; colors : (n, 3) uint8
    track_offsets : (n + 1,) int64, into the next two; track_views : (m,) int32, indices into the
    network's views; track_pixels : (m, 2) float64, as observed (distorted).
    """

    points_enu_m: FloatArray
    colors: NDArray[np.uint8]
    track_offsets: NDArray[np.int64]
    track_views: NDArray[np.int32]
    track_pixels: FloatArray


@dataclass(frozen=True, slots=True)
class ResidualRow:
    """What a control or check point shows: surveyed minus adjusted, in metres (east, north, up)."""

    name: str
    role: Literal["control", "check", "scale_bar"]
    residual_enu_m: tuple[float, float, float]
    n_photos: int
    reprojection_px: float
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is known about how good the cameras are.

    reprojection_px : RMS over all inlier observations.
    vertical_scale_determined : the honesty gate's answer; None where it could not be asked.
    scale_source : "gcp", "scale_bar", "rtk", "gnss" or "none".
    sigma_frame_m : 1-sigma of the frame's placement, east, north, up; None when unknown.
    """

    reprojection_px: float
    scale_source: str
    vertical_scale_determined: bool | None
    rows: tuple[ResidualRow, ...] = ()
    sigma_frame_m: tuple[float, float, float] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class NetworkCovariance:
    """How uncertain the cameras are, all together.

    matrix : (n, n) float64 over the columns named below.
    pose_columns : (n_views,) first of a view's six columns: a rotation vector in camera axes
    (radians, applied from the left) and the projection centre (metres).
    intrinsics_columns : (n_views, 12) columns of f, fy / fx, cx, cy, k1, k2, p1, p2, k3, k4, k5,
    k6; -1 where held.  Views through one camera share them.
    depth_mode : (n,) the change of the cameras for a focal length 10 % longer, where the honesty
    gate found that the photos do not oppose it; None otherwise.
    """

    matrix: FloatArray
    pose_columns: NDArray[np.int64]
    intrinsics_columns: NDArray[np.int64]
    depth_mode: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CameraNetwork:
    """Registered views, their sparse points and what is known of their accuracy.

    covariance : for measurements; None before the metrology adjustment.  groups : photo names of
    further groups that could not be joined with the first (largest) one.
    """

    views: tuple[View, ...]
    sparse: SparseCloud
    frame: Frame
    accuracy: Accuracy
    unregistered: tuple[tuple[str, str], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    covariance: NetworkCovariance | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DenseCloud:
    """Fused surface points.

    points_enu_m : (n, 3) float64; normals : (n, 3) float32, unit; colors : (n, 3) uint8
    sigma_m : (n,) float32, 1-sigma along the viewing direction; n_views : (n,) uint8
    """

    points_enu_m: FloatArray
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    sigma_m: NDArray[np.float32]
    n_views: NDArray[np.uint8]


MeasureKind = Literal[
    "distance",
    "horizontal",
    "height",
    "polyline",
    "area",
    "plan_area",
    "volume",
    "angle",
    "slope",
    "profile",
    "section",
    "point",
]
MeasureMethod = Literal["multi-ray", "surface"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured value with its 95 % interval.

    determined : False when the photos do not determine it; value and interval are then NaN and
    the note says what would.
    photos_rejected : marked photos that contradict the others and do not count.
    frame : what the value is in, in words.
    series : of a profile or section, rows of station, height and the height's interval, in
    metres.
    """

    name: str
    kind: MeasureKind
    value: float
    unit: str
    ci95_low: float
    ci95_high: float
    method: MeasureMethod
    photos: tuple[str, ...] = ()
    determined: bool = True
    note: str = ""
    points_enu_m: tuple[tuple[float, float, float], ...] = field(default=())
    photos_rejected: tuple[str, ...] = ()
    frame: str = ""
    series: tuple[tuple[float, float, float, float], ...] = field(default=())
