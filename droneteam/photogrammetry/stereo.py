"""What one pair of photos says about both photos' depths: matching, then sub-pixel refinement.

The matcher (`semiglobal`) gives whole surfaces; its parabola sub-pixels are pulled towards whole
ones, so a brightness step (`kernels`) replaces them and gives each pixel its own 1-sigma.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.errors import SceneError
from droneteam.photogrammetry import kernels, optics, rectify, semiglobal, subpixel
from droneteam.photogrammetry.rectify import PairGeometry
from droneteam.photogrammetry.scene import View
from droneteam.photogrammetry.semiglobal import NOISE_FLOOR, MatchParams

Float32 = NDArray[np.float32]

REFINE_STEP_PX = 0.75
WEAK_SIGMA_PX = 0.35
"""Above this a wider window is tried."""
MAX_SIGMA_PX = 2.5
"""Pixels whose brightness says less than this about their disparity are dropped: there the
matcher's smoothness alone speaks, and other photos must confirm it."""


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
    disparity = semiglobal.disparities(left, right, left_seen, pair.range_px, how)
    disparity[~left_seen] = np.nan
    _drop_unseen(disparity, right_seen)
    disparity, sigma = refine(left, right, disparity, how)
    disparity[~(sigma <= MAX_SIGMA_PX)] = np.nan
    mirrored, mirrored_sigma = kernels.seen_from_right(disparity, sigma)
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
    fine, sigma = subpixel.refine_disparity(
        left, right, disparity, everywhere, how.refine_half_px, 1, NOISE_FLOOR, REFINE_STEP_PX
    )
    weak = (~(sigma <= WEAK_SIGMA_PX)).astype(np.uint8)
    wide, wide_sigma = subpixel.refine_disparity(
        left, right, disparity, weak, how.weak_half_px, 2, NOISE_FLOOR, REFINE_STEP_PX
    )
    better = wide_sigma < np.where(np.isnan(sigma), np.inf, sigma)
    return np.where(better, wide, fine), np.where(better, wide_sigma, sigma)


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
