"""What one pair of photos says about both photos' depths: matching, then sub-pixel refinement.

The matcher (`semiglobal`) gives whole surfaces; its parabola sub-pixels are pulled towards whole
ones, so a brightness step (`kernels`) replaces them and gives each pixel its own 1-sigma.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.errors import SceneError
from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import kernels, pixel_kernels, rectify, semiglobal, subpixel
from droneteam.photogrammetry.dense.rectify import PairGeometry
from droneteam.photogrammetry.dense.semiglobal import NOISE_FLOOR, MatchParams
from droneteam.photogrammetry.scene import View

Float32 = NDArray[np.float32]

STRIP_ROWS = 512
"""Rows of an image that are worked on at once."""
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


def strips(height: int) -> Iterator[range]:
    """The rows of an image of that height, a few hundred at a time: what memory a step takes then
    does not grow with the photo."""
    return (range(top, min(height, top + STRIP_ROWS)) for top in range(0, height, STRIP_ROWS))


def match_pair(
    pair: PairGeometry, views: tuple[View, View], grays: tuple[Float32, Float32], how: MatchParams
) -> tuple[Hypothesis, Hypothesis]:
    """What the pair says about the left and the right photo's depths."""
    disparity, sigma = _canvas_disparities(pair, views, grays, how)
    left = rectify.photo_hypothesis(pair, views[0], is_left=True, disparity=disparity, sigma=sigma)
    mirrored, mirrored_sigma = kernels.seen_from_right(disparity, sigma)
    right = rectify.photo_hypothesis(
        pair, views[1], is_left=False, disparity=mirrored, sigma=mirrored_sigma
    )
    return Hypothesis(*left), Hypothesis(*right)


def _canvas_disparities(
    pair: PairGeometry, views: tuple[View, View], grays: tuple[Float32, Float32], how: MatchParams
) -> tuple[Float32, Float32]:
    """Disparities of the left image on the pair's canvas and their 1-sigma, in pixels."""
    left, left_seen = _warp(grays[0], views[0], pair.left_rays, pair.size_px)
    right, right_seen = _warp(grays[1], views[1], pair.right_rays, pair.size_px)
    left_seen &= rectify.outline_mask(pair)
    disparity = semiglobal.disparities(left, right, left_seen, pair.range_px, how)
    disparity[~left_seen] = np.nan
    pixel_kernels.clear_unseen(disparity, right_seen)
    disparity, sigma = refine(left, right, disparity, how)
    disparity[~(sigma <= MAX_SIGMA_PX)] = np.nan
    return disparity, sigma


def refine(
    left: Float32, right: Float32, disparity: Float32, how: MatchParams
) -> tuple[Float32, Float32]:
    """Sub-pixel disparities and their 1-sigma; windows grow where there is little to go by.

    A small window keeps kerbs sharp where the texture allows it; plain paint needs a large one.
    """
    refined, sigma = np.empty_like(disparity), np.empty_like(disparity)
    height = len(disparity)
    margin = max(how.refine_half_px, how.weak_half_px)
    for rows in strips(height):
        seen = slice(max(0, rows.start - margin), min(height, rows.stop + margin))
        inner = slice(rows.start - seen.start, rows.stop - seen.start)
        fine, spread = _refined_strip(left[seen], right[seen], disparity[seen], inner, how)
        refined[rows.start : rows.stop] = fine
        sigma[rows.start : rows.stop] = spread
    return refined, sigma


def _refined_strip(
    left: Float32, right: Float32, disparity: Float32, inner: slice, how: MatchParams
) -> tuple[Float32, Float32]:
    """The inner rows of a strip; the others are only there for the windows to look at."""
    wanted = np.zeros(disparity.shape, np.uint8)
    wanted[inner] = 1
    fine, sigma = subpixel.refine_disparity(
        left, right, disparity, wanted, how.refine_half_px, 1, NOISE_FLOOR, REFINE_STEP_PX
    )
    wanted &= ~(sigma <= WEAK_SIGMA_PX)
    wide, wide_sigma = subpixel.refine_disparity(
        left, right, disparity, wanted, how.weak_half_px, 2, NOISE_FLOOR, REFINE_STEP_PX
    )
    better = (wide_sigma < np.where(np.isnan(sigma), np.inf, sigma))[inner]
    return (
        np.where(better, wide[inner], fine[inner]),
        np.where(better, wide_sigma[inner], sigma[inner]),
    )


def _warp(
    gray: Float32, view: View, rays: NDArray[np.float64], size_px: tuple[int, int]
) -> tuple[Float32, NDArray[np.bool_]]:
    """The photo on the pair's canvas and which of its pixels the photo covers."""
    width, height = size_px
    warped = np.empty((height, width), np.float32)
    seen = np.empty((height, width), bool)
    limits = (view.camera.width_px - 2.0, view.camera.height_px - 2.0)
    for rows in strips(height):
        map_x, map_y = rectify.photo_map(view, rays, width, rows)
        inside = (map_x >= 1.0) & (map_x <= limits[0]) & (map_y >= 1.0) & (map_y <= limits[1])
        map_x[~inside], map_y[~inside] = -9.0, -9.0
        seen[rows.start : rows.stop] = inside
        warped[rows.start : rows.stop] = cv2.remap(
            gray, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT
        )
    return warped, seen


def resized(view: View, scale: float) -> View:
    """The view with its photo taken at another scale."""
    camera = view.camera
    width, height = round(camera.width_px * scale), round(camera.height_px * scale)
    return View(view.name, view.path, optics.scaled(camera, width, height), view.cam_from_enu)


def undistorted_colour(view: View) -> NDArray[np.uint8]:
    """The photo (h, w, 3) RGB on its pinhole grid; black where the lens model does not reach."""
    rays = np.asarray(np.linalg.inv(view.camera.matrix), dtype=np.float64)
    photo = read_colour(view)
    flat = np.empty_like(photo)
    for rows in strips(view.camera.height_px):
        map_x, map_y = rectify.photo_map(view, rays, view.camera.width_px, rows)
        unseen = np.isnan(map_x)
        map_x[unseen], map_y[unseen] = -9.0, -9.0
        flat[rows.start : rows.stop] = cv2.remap(photo, map_x, map_y, cv2.INTER_LINEAR)
    return flat
