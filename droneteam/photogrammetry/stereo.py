"""Disparities of one rectified pair: semi-global matching, then sub-pixel refinement.

Semi-global matching (Hirschmueller, PAMI 2008, 30:328) through OpenCV gives whole surfaces; its
parabola sub-pixels are pulled towards whole ones, so a brightness step (`kernels`) replaces them
and gives each pixel its own 1-sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.errors import SceneError
from droneteam.photogrammetry import kernels, optics, rectify
from droneteam.photogrammetry.rectify import PairGeometry
from droneteam.photogrammetry.scene import View

Float32 = NDArray[np.float32]

NORMALISE_PX = 31
"""Window of the local brightness normalisation, which removes exposure and vignetting."""
NORMALISED_CONTRAST = 40.0
NOISE_FLOOR = 2.0
"""1-sigma of a JPEG's brightness, in 8-bit steps (typical of daylight photos)."""
SPECKLE_PX = 120
"""Smallest connected patch of disparities that is kept."""
SPECKLE_STEP_PX = 1
REFINE_STEP_PX = 0.75
WEAK_SIGMA_PX = 0.35
"""Above this a wider window is tried."""
MAX_SIGMA_PX = 2.5
"""Pixels whose brightness says less than this about their disparity are dropped: there the
matcher's smoothness alone speaks, and other photos must confirm it."""
BAND_BYTES = 256 * 2**20
BAND_OVERLAP_PX = 64

_MODES = {
    "3way": cv2.StereoSGBM_MODE_SGBM_3WAY,
    "5way": cv2.StereoSGBM_MODE_SGBM,
    "8way": cv2.StereoSGBM_MODE_HH,
}


@dataclass(frozen=True, slots=True)
class MatchParams:
    """How a pair is matched.

    paths : scan lines of the semi-global matcher; block_px : matching window; small and large
    penalty as OpenCV's P1 and P2 per window pixel; uniqueness_percent : by how much the best
    match must beat the second; refine_half_px, weak_half_px : half window of the sub-pixel step,
    and where that finds little texture.
    """

    paths: Literal["3way", "5way", "8way"] = "3way"
    block_px: int = 5
    small_penalty: int = 8
    large_penalty: int = 32
    uniqueness_percent: int = 5
    refine_half_px: int = 3
    weak_half_px: int = 7


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """One pair's inverse depths (1/m) and their 1-sigma on a photo's pinhole grid."""

    inverse_depth: Float32
    sigma: Float32


def read_gray(view: View) -> Float32:
    """The photo's brightness at the view's camera size, (h, w) float32 in 8-bit steps.

    Raises
    ------
    SceneError
        When the photo cannot be read or is not the photo that the camera was made for.
    """
    return np.asarray(cv2.cvtColor(read_colour(view), cv2.COLOR_RGB2GRAY), dtype=np.float32)


def read_colour(view: View) -> NDArray[np.uint8]:
    """The photo as (h, w, 3) RGB, resampled by area to the view's camera size."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imread(str(view.path), flags)
    if image is None:
        raise SceneError(
            "dense", f"photo {view.name} cannot be read", help="Put the original photo back"
        )
    size = (view.camera.width_px, view.camera.height_px)
    height, width = image.shape[:2]
    if abs(width * size[1] - height * size[0]) > max(width, height):
        raise SceneError(
            "dense",
            f"photo {view.name} is {width}x{height}, its camera has the shape {size[0]}x{size[1]}",
            help="Use the same photo that the cameras were computed from",
        )
    if (width, height) != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def match_pair(
    pair: PairGeometry, views: tuple[View, View], grays: tuple[Float32, Float32], how: MatchParams
) -> tuple[Hypothesis, Hypothesis]:
    """What the pair says about the left and the right photo's depths."""
    left, left_seen = _warp(grays[0], views[0], pair.left_rays, pair.size_px)
    right, right_seen = _warp(grays[1], views[1], pair.right_rays, pair.size_px)
    disparity = semi_global(left, right, pair.range_px, how)
    disparity[~left_seen] = np.nan
    _drop_unseen(disparity, right_seen)
    disparity, sigma = refine(left, right, disparity, how)
    disparity[~(sigma <= MAX_SIGMA_PX)] = np.nan
    mirrored, mirrored_sigma = kernels.seen_from_right(disparity, sigma, pair.range_px[0] - 1.0)
    return (
        Hypothesis(
            *rectify.photo_hypothesis(
                pair, views[0], is_left=True, disparity=disparity, sigma=sigma
            )
        ),
        Hypothesis(
            *rectify.photo_hypothesis(
                pair, views[1], is_left=False, disparity=mirrored, sigma=mirrored_sigma
            )
        ),
    )


def refine(
    left: Float32, right: Float32, disparity: Float32, how: MatchParams
) -> tuple[Float32, Float32]:
    """Sub-pixel disparities and their 1-sigma; windows grow where there is little to go by.

    A small window keeps kerbs sharp where the texture allows it; plain paint needs a large one.
    """
    everywhere = np.ones(disparity.shape, np.uint8)
    fine, sigma = kernels.refine_disparity(
        left, right, disparity, everywhere, how.refine_half_px, NOISE_FLOOR, REFINE_STEP_PX
    )
    weak = (~(sigma <= WEAK_SIGMA_PX)).astype(np.uint8)
    wide, wide_sigma = kernels.refine_disparity(
        left, right, disparity, weak, how.weak_half_px, NOISE_FLOOR, REFINE_STEP_PX
    )
    better = wide_sigma < np.where(np.isnan(sigma), np.inf, sigma)
    return np.where(better, wide, fine), np.where(better, wide_sigma, sigma)


def semi_global(
    left: Float32, right: Float32, range_px: tuple[int, int], how: MatchParams
) -> Float32:
    """Disparities (h, w) float32 of the left image, NaN where the match is not trusted.

    Works in bands of rows so that the matcher's cost volume stays below `BAND_BYTES`.
    """
    left8, right8 = normalise(left), normalise(right)
    matcher = _matcher(range_px, how)
    height, width = left8.shape
    volume_row = width * (range_px[1] - range_px[0]) * 2 * (3 if how.paths == "8way" else 1)
    rows = max(4 * BAND_OVERLAP_PX, BAND_BYTES // max(volume_row, 1))
    out = np.empty((height, width), np.int16)
    for start in range(0, height, rows):
        first, last = max(0, start - BAND_OVERLAP_PX), min(height, start + rows + BAND_OVERLAP_PX)
        band = matcher.compute(
            np.ascontiguousarray(left8[first:last]), np.ascontiguousarray(right8[first:last])
        )
        out[start : start + rows] = band[start - first : start - first + rows]
    invalid = (range_px[0] - 1) * 16
    cv2.filterSpeckles(out, invalid, SPECKLE_PX, SPECKLE_STEP_PX * 16)
    disparity = out.astype(np.float32) / 16.0
    disparity[out <= invalid] = np.nan
    return disparity


def normalise(image: Float32) -> NDArray[np.uint8]:
    """The image with its local mean at 128 and its local contrast evened out.

    The contrast is only divided by as far as it exceeds the noise, so that a plain surface does
    not turn into amplified noise.
    """
    window = (NORMALISE_PX, NORMALISE_PX)
    mean = cv2.boxFilter(image, cv2.CV_32F, window)
    variance = cv2.boxFilter(image * image, cv2.CV_32F, window) - mean * mean
    spread = np.sqrt(np.maximum(variance, 0.0)) + 4.0 * NOISE_FLOOR
    return np.asarray(
        np.clip(128.0 + NORMALISED_CONTRAST * (image - mean) / spread, 0, 255), dtype=np.uint8
    )


def _matcher(range_px: tuple[int, int], how: MatchParams) -> Any:
    area = how.block_px * how.block_px
    create: Any = cv2.StereoSGBM_create  # type: ignore[attr-defined]  # absent from the stubs
    return create(
        minDisparity=range_px[0],
        numDisparities=range_px[1] - range_px[0],
        blockSize=how.block_px,
        P1=how.small_penalty * area,
        P2=how.large_penalty * area,
        disp12MaxDiff=1,
        preFilterCap=31,
        uniquenessRatio=how.uniqueness_percent,
        speckleWindowSize=0,
        mode=_MODES[how.paths],
    )


def _warp(
    gray: Float32, view: View, rays: NDArray[np.float64], size_px: tuple[int, int]
) -> tuple[Float32, NDArray[np.bool_]]:
    """The photo on the pair's canvas and which of its pixels the photo covers."""
    map_x, map_y = rectify.photo_map(view, rays, size_px)
    camera = view.camera
    seen = (map_x >= 1.0) & (map_x <= camera.width_px - 2.0)
    seen &= (map_y >= 1.0) & (map_y <= camera.height_px - 2.0)
    map_x[~seen], map_y[~seen] = -9.0, -9.0
    warped = cv2.remap(gray, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(warped, dtype=np.float32), seen


def _drop_unseen(disparity: Float32, right_seen: NDArray[np.bool_]) -> None:
    """Clears disparities that lead outside what the right photo covers."""
    width = disparity.shape[1]
    rows, columns = np.nonzero(~np.isnan(disparity))
    target = np.rint(columns - disparity[rows, columns]).astype(np.int64)
    ok = (target >= 0) & (target < width)
    ok[ok] = right_seen[rows[ok], target[ok]]
    disparity[rows[~ok], columns[~ok]] = np.nan


def resized(view: View, scale: float) -> View:
    """The view with its photo taken at another scale."""
    camera = view.camera
    width, height = round(camera.width_px * scale), round(camera.height_px * scale)
    return View(view.name, view.path, optics.scaled(camera, width, height), view.cam_from_enu)


def undistorted_colour(view: View) -> NDArray[np.uint8]:
    """The photo (h, w, 3) RGB on its pinhole grid; black where the lens model does not reach."""
    rays = np.asarray(np.linalg.inv(view.camera.matrix), dtype=np.float64)
    map_x, map_y = rectify.photo_map(view, rays, (view.camera.width_px, view.camera.height_px))
    unseen = np.isnan(map_x)
    map_x[unseen], map_y[unseen] = -9.0, -9.0
    return np.asarray(cv2.remap(read_colour(view), map_x, map_y, cv2.INTER_LINEAR), dtype=np.uint8)
