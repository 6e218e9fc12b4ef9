"""Survey targets in photos: the exact centre of what a person clicked near, or honestly nothing.

Three kinds are known, each by what distinguishes it from everything else on a road:

- *coded*: an ArUco or AprilTag marker, read with its error-correcting code; the centre is where
  the diagonals of its four refined corners meet, which perspective leaves in place;
- *checkerboard* and *cross*: around the centre the brightness repeats after half a turn, in two
  (checkerboard) or four (cross of lines) bright sectors, at several radii;
- *circle*: one closed blob whose outline is an ellipse.

A checkerboard, a cross and a disc are symmetric about their centre under half a turn, and an
affine view of them is too.  The centre is therefore refined by aligning the patch with itself
turned by 180° (least squares matching: Gruen 1985; Förstner & Wrobel 2016, §13.5), which uses
every pixel of the patch and gives the centre's standard deviation from the residual noise.
Pixels follow COLMAP's convention: the centre of the top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from droneteam.errors import InputError

Kind = Literal["coded", "checkerboard", "cross", "circle"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FloatArray = NDArray[np.float64]
Gray = NDArray[np.uint8]

DICTIONARIES = (
    cv2.aruco.DICT_APRILTAG_36h11,
    cv2.aruco.DICT_5X5_100,
)
"""What is printed for surveys.  Codes are read without correcting a single bit: gravel has more
patterns than a small code has words."""
MIN_CODED_SIDE_PX = 12.0
CODED_SIGMA_PX = 0.05
EDGE_SAMPLES = 15
EDGE_REACH_PX = 2.5
EDGE_STEP_PX = 0.25
MIN_SIGMA_PX = 0.02
"""Below this the lens model, not the target, limits what a mark is worth."""
MAX_SIGMA_PX = 0.25
"""A centre known less well than this is no better than a careful click."""
RING_SAMPLES = 96
RING_RADII_PX = (2.0, 2.5, 3.0, 4.0, 5.5, 7.5, 10.0, 14.0)
MIN_RINGS = 3
"""At one radius the edge of a stripe looks like a checkerboard; over three it does not."""
MIN_CONTRAST = 16.0
"""Grey levels between a target's dark and bright parts."""
MAX_ODD_SHARE = 0.12
"""Part of a ring's variance that may change sign under half a turn (noise, paint, gravel)."""
DUTY_CHECKERBOARD = (0.25, 0.75)
"""Share of a checkerboard's ring that is bright: a half, more or less by foreshortening."""
DUTY_SPREAD = 0.14
"""That share is the same at every radius; on a stripe it falls with the radius."""
OUTLINE_SLACK = 0.08
OUTLINE_SLACK_PX = 0.9
"""How far a disc's outline may be from its ellipse: a part of the radius, and pixels."""
MIN_DISC_RADIUS_PX = 2.5
MAX_ANISOTROPY = 25.0
"""Of the information on the centre; more means a line, along which nothing is known."""
SMOOTH_PX = 0.8
SMOOTHED_PX = 4.0 * math.pi * SMOOTH_PX**2
"""Pixels that share one independent noise value after smoothing by that Gaussian."""
PEAK_SHARE = 0.1
"""Of the strongest response, below which a place is not tried."""
MAX_STARTS = 8
REFINE_STEPS = 20
REFINE_DONE_PX = 1e-3
MAX_DRIFT_PX = 4.0
"""A refinement that walks farther has left the target."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target's centre.

    sigma_px : 1-sigma per axis.  code : a coded target's number, -1 for the others.
    radius_px : of the part that was recognised.
    """

    kind: Kind
    x_px: float
    y_px: float
    sigma_px: float
    radius_px: float
    code: int = -1


def find_target(gray: Gray, x_px: float, y_px: float, *, search_px: float = 12.0) -> Target | None:
    """The target whose centre lies within `search_px` of a place; None when there is none.

    gray : (h, w) uint8.  Of several the nearest is taken.

    Raises
    ------
    InputError
        The image is not grey, or the place lies outside it.
    """
    if gray.ndim != 2 or gray.dtype != np.uint8:
        raise InputError("a grey image of 8 bits per pixel is needed")
    height, width = gray.shape
    if not (0.0 <= x_px <= width and 0.0 <= y_px <= height):
        raise InputError(f"({x_px}, {y_px}) lies outside the photo of {width} × {height} pixels")
    near = np.array([x_px, y_px])
    found = [
        target
        for target in (*_coded(gray, near, search_px), *_plain(gray, near, search_px))
        if math.hypot(target.x_px - x_px, target.y_px - y_px) <= search_px
    ]
    # A coded target is made of squares: its own corners must not win over it.
    found.sort(key=lambda t: (_RANK[t.kind], math.hypot(t.x_px - x_px, t.y_px - y_px)))
    return found[0] if found else None


_RANK: Mapping[Kind, int] = {"coded": 0, "checkerboard": 1, "cross": 1, "circle": 2}
"""A coded target is made of squares, a checkerboard of blobs: the parts must not win."""


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """A window about the place, smoothed, as spline coefficients; and its slopes."""

    pixels: Gray
    smooth: FloatArray
    slope_x: FloatArray
    slope_y: FloatArray


def _patch(window: Gray) -> _Patch:
    smooth = cv2.GaussianBlur(window.astype(np.float64), (0, 0), SMOOTH_PX)
    slope_x = np.asarray(cv2.Sobel(smooth, cv2.CV_64F, 1, 0, scale=0.125), np.float64)
    slope_y = np.asarray(cv2.Sobel(smooth, cv2.CV_64F, 0, 1, scale=0.125), np.float64)
    return _Patch(window, spline_filter(smooth), slope_x, slope_y)


def _coded(gray: Gray, near: FloatArray, search_px: float) -> Iterable[Target]:
    """Coded targets in a window that holds one of up to 16 times the search radius."""
    left, top, window = _window(gray, near, 8.0 * search_px + 60.0)
    parameters = cv2.aruco.DetectorParameters()
    parameters.errorCorrectionRate = 0.0
    parameters.minMarkerPerimeterRate = 4.0 * MIN_CODED_SIDE_PX / max(window.shape)
    for name in DICTIONARIES:
        dictionary = cv2.aruco.getPredefinedDictionary(name)
        detector = cv2.aruco.ArucoDetector(dictionary, parameters)
        corners, codes, _ = detector.detectMarkers(window)
        numbers = [] if not corners else np.asarray(codes).ravel().tolist()
        for quad, code in zip(corners, numbers, strict=True):
            points = _sharp_corners(window, np.asarray(quad, dtype=np.float64).reshape(4, 2))
            x, y = _diagonals_meet(points + 0.5 + (left, top))
            side = float(np.linalg.norm(points[0] - points[2])) / 2.0
            yield Target("coded", x, y, CODED_SIGMA_PX, side, int(code))


def _sharp_corners(window: Gray, quad: FloatArray) -> FloatArray:
    """(4, 2) corners where lines through the middle of the four edges meet, in array places.

    The edge is where the brightness across it changes, by the centroid of its slope; a corner
    itself is rounded by the lens and says less than the two sides that lead to it.
    """
    coefficients = spline_filter(window.astype(np.float64))
    lines = [_edge_line(coefficients, quad[k], quad[(k + 1) % 4]) for k in range(4)]
    corners = [np.cross(lines[k - 1], lines[k]) for k in range(4)]
    return np.array([corner[:2] / corner[2] for corner in corners])


def _edge_line(coefficients: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """(3,) homogeneous line along a dark-to-bright edge between two corners."""
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    parts = np.linspace(0.12, 0.88, EDGE_SAMPLES)[:, None]
    middle = start + parts * (end - start)
    steps = np.arange(-EDGE_REACH_PX, EDGE_REACH_PX + 1e-9, EDGE_STEP_PX)
    places = middle[:, None, :] + steps[None, :, None] * across
    values = _spline_at(coefficients, places.reshape(-1, 2)).reshape(len(parts), len(steps))
    slope = np.abs(np.diff(values, axis=1)) ** 2  # squared: noise hardly pulls the centroid
    offset = (slope * (steps[:-1] + EDGE_STEP_PX / 2.0)).sum(axis=1) / slope.sum(axis=1)
    edge = middle + offset[:, None] * across
    centre = edge.mean(axis=0)
    _, _, directions = np.linalg.svd(edge - centre)
    normal = directions[1]
    return np.array([normal[0], normal[1], -float(normal @ centre)])


def _diagonals_meet(quad: FloatArray) -> tuple[float, float]:
    """Where the diagonals of (4, 2) corners cross."""
    a, b, c, d = quad
    matrix = np.column_stack([c - a, b - d])
    along = np.linalg.solve(matrix, b - a)
    x, y = a + along[0] * (c - a)
    return float(x), float(y)


def _plain(gray: Gray, near: FloatArray, search_px: float) -> Iterable[Target]:
    """Checkerboards, crosses and discs."""
    left, top, window = _window(gray, near, search_px + 2.0 * RING_RADII_PX[-1])
    patch = _patch(window)
    place = near - (left, top)
    for start in _starts(window, place, search_px):
        kind, radius_px = _ring_kind(patch, start)
        if kind is None:
            continue
        target = _refined(patch, start, kind, radius_px)
        if target is not None and _ring_kind(patch, np.array([target.x_px, target.y_px]))[0]:
            yield _moved(target, left, top)
    for start, radius_px in _discs(window, place, search_px):
        target = _refined(patch, start, "circle", 1.4 * radius_px)
        if target is not None:
            yield _moved(target, left, top)


def _moved(target: Target, left: int, top: int) -> Target:
    return Target(
        target.kind, target.x_px + left, target.y_px + top, target.sigma_px, target.radius_px
    )


def _window(gray: Gray, near: FloatArray, reach_px: float) -> tuple[int, int, Gray]:
    """Left, top and the pixels of a square about a place, cut at the image's border."""
    height, width = gray.shape
    left, top = max(0, int(near[0] - reach_px)), max(0, int(near[1] - reach_px))
    right, bottom = (
        min(width, int(near[0] + reach_px) + 1),
        min(height, int(near[1] + reach_px) + 1),
    )
    return left, top, np.ascontiguousarray(gray[top:bottom, left:right])


def _starts(window: Gray, place: FloatArray, search_px: float) -> list[FloatArray]:
    """The strongest saddles and spots of a smoothed image within reach, nearest first.

    A checkerboard's centre is a saddle of the brightness (negative determinant of the second
    derivatives), that of a cross a maximum or minimum (positive).
    """
    smooth = cv2.GaussianBlur(window.astype(np.float64), (0, 0), 2.0)
    xx = cv2.Sobel(smooth, cv2.CV_64F, 2, 0)
    yy = cv2.Sobel(smooth, cv2.CV_64F, 0, 2)
    xy = cv2.Sobel(smooth, cv2.CV_64F, 1, 1)
    response = np.abs(xx * yy - xy * xy)
    rows, columns = np.mgrid[0 : window.shape[0], 0 : window.shape[1]]
    distance = np.hypot(columns + 0.5 - place[0], rows + 0.5 - place[1])
    near = distance <= search_px + 1.0
    peaks = (response == cv2.dilate(response, np.ones((5, 5)))) & near
    strong = peaks & (response > PEAK_SHARE * response[near].max(initial=0.0))
    found = [np.array([c + 0.5, r + 0.5]) for r, c in np.argwhere(strong)]
    return sorted(found, key=lambda p: float(np.hypot(*(p - place))))[:MAX_STARTS]


def _ring_kind(patch: _Patch, centre: FloatArray) -> tuple[Kind | None, float]:
    """What the rings around a place show, and out to which radius."""
    boards: list[tuple[float, float]] = []
    crosses: list[float] = []
    for radius_px in RING_RADII_PX:
        runs, duty = _bright_runs(patch, centre, radius_px)
        if runs == 4:
            crosses.append(radius_px)
        elif runs == 2 and DUTY_CHECKERBOARD[0] <= duty <= DUTY_CHECKERBOARD[1]:
            if boards and abs(duty - boards[0][1]) > DUTY_SPREAD:
                break  # the board ends, or it is none
            boards.append((radius_px, duty))
    if len(crosses) >= MIN_RINGS:
        return "cross", crosses[-1]
    if len(boards) >= MIN_RINGS:
        return "checkerboard", boards[-1][0]
    return None, 0.0


def _bright_runs(patch: _Patch, centre: FloatArray, radius_px: float) -> tuple[int, float]:
    """Bright sectors of a ring and the share of it that is bright; none where it has no contrast,
    leaves the window, or does not repeat after half a turn."""
    angles = 2.0 * np.pi * np.arange(RING_SAMPLES) / RING_SAMPLES
    places = centre - 0.5 + radius_px * np.column_stack([np.cos(angles), np.sin(angles)])
    if not _within(patch.smooth, places):
        return 0, 0.0
    profile = _spline_at(patch.smooth, places)
    low, high = np.percentile(profile, [8, 92])
    half = RING_SAMPLES // 2
    odd = (profile[:half] - profile[half:]) / 2.0
    uneven = float((odd**2).mean()) > MAX_ODD_SHARE * float(profile.var())
    if high - low < MIN_CONTRAST or uneven:
        return 0, 0.0
    bright = profile > (low + high) / 2.0
    return int((bright & ~np.roll(bright, 1)).sum()), float(bright.mean())


def _spline_at(coefficients: FloatArray, places: FloatArray) -> FloatArray:
    """Values of a cubic spline at (n, 2) columns and rows, the first pixel's centre at (0, 0).

    OpenCV's remap rounds places to 1/32 pixel, which is too coarse here.
    """
    return np.asarray(
        map_coordinates(coefficients, places.T[::-1], order=3, prefilter=False, mode="nearest")
    )


def _linear_at(image: FloatArray, places: FloatArray) -> FloatArray:
    return np.asarray(map_coordinates(image, places.T[::-1], order=1, mode="nearest"))


def _discs(window: Gray, place: FloatArray, search_px: float) -> Iterable[tuple[FloatArray, float]]:
    """Centre and radius of blobs with an elliptic outline, bright on dark or dark on bright."""
    smooth = cv2.GaussianBlur(window, (0, 0), SMOOTH_PX)
    _, bright = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    for mask in (bright, cv2.bitwise_not(bright)):
        count, labels, boxes, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for label in range(1, count):
            centre = centres[label] + 0.5
            left, top, width, height, area = (int(v) for v in boxes[label])
            inside = (
                left > 0
                and top > 0
                and left + width < window.shape[1]
                and top + height < window.shape[0]
            )
            radius_px = math.sqrt(area / math.pi)
            near = np.hypot(*(centre - place)) <= search_px
            if not (inside and near) or radius_px < MIN_DISC_RADIUS_PX:
                continue
            blob = labels == label
            if _is_ellipse(blob) and _contrast(window, blob) >= MIN_CONTRAST:
                yield centre, radius_px


def _is_ellipse(blob: NDArray[np.bool_]) -> bool:
    """Whether a blob's outline follows the ellipse of its second moments, and is no sliver."""
    rows, columns = np.nonzero(blob)
    spread = np.cov(np.stack([columns, rows])) + np.eye(2) / 12.0
    small, large = np.linalg.eigvalsh(spread)
    if small * 16.0 < large:
        return False
    inner = cv2.erode(blob.astype(np.uint8), np.ones((3, 3)), borderValue=0).astype(bool)
    edge_rows, edge_columns = np.nonzero(blob & ~inner)
    offsets = np.stack([edge_columns - columns.mean(), edge_rows - rows.mean()])
    # A filled ellipse's outline lies at two standard deviations in every direction; its outermost
    # pixels' centres lie half a pixel inside.
    norm = np.sqrt(np.einsum("in,ij,jn->n", offsets, np.linalg.inv(spread), offsets)) / 2.0
    length = np.hypot(*offsets)
    outline_px = length / np.maximum(norm, 1e-6)
    off_px = np.abs(length + 0.5 - outline_px)
    return bool((off_px <= OUTLINE_SLACK * outline_px + OUTLINE_SLACK_PX).all())


def _contrast(window: Gray, blob: NDArray[np.bool_]) -> float:
    """Grey levels between a blob and what lies around it."""
    around = cv2.dilate(blob.astype(np.uint8), np.ones((7, 7))).astype(bool) & ~cv2.dilate(
        blob.astype(np.uint8), np.ones((3, 3))
    ).astype(bool)
    return abs(float(window[blob].mean()) - float(window[around].mean()))


def _refined(patch: _Patch, start: FloatArray, kind: Kind, radius_px: float) -> Target | None:
    """The centre of symmetry near a start; None when there is none that is well determined.

    Solves I(c + x) = I(c - x) for c over half a disc of offsets x by Gauss-Newton.
    """
    offsets, weight = _disc_offsets(max(radius_px, RING_RADII_PX[0]) + 2.0)
    centre = start.copy()
    for _ in range(REFINE_STEPS):
        ahead, behind = centre - 0.5 + offsets, centre - 0.5 - offsets
        if not (_within(patch.smooth, ahead) and _within(patch.smooth, behind)):
            return None
        difference = _spline_at(patch.smooth, ahead) - _spline_at(patch.smooth, behind)
        # By c: ∇I(c + x) - ∇I(c - x); the two slopes are opposite at a centre of symmetry.
        rows = np.column_stack(
            [
                _linear_at(slope, ahead) - _linear_at(slope, behind)
                for slope in (patch.slope_x, patch.slope_y)
            ]
        )
        normal = rows.T @ (weight[:, None] * rows)
        if not np.linalg.cond(normal) < MAX_ANISOTROPY:
            return None
        step = -np.linalg.solve(normal, rows.T @ (weight * difference))
        centre = centre + step
        if np.hypot(*(centre - start)) > MAX_DRIFT_PX:
            return None
        if np.hypot(*step) < REFINE_DONE_PX:
            break
    else:
        return None
    sigma = _sigma_px(difference, rows, weight, normal)
    if sigma > MAX_SIGMA_PX:
        return None
    return Target(kind, float(centre[0]), float(centre[1]), max(sigma, MIN_SIGMA_PX), radius_px)


def _disc_offsets(radius_px: float) -> tuple[FloatArray, FloatArray]:
    """(n, 2) offsets of half a disc (the other half is their mirror image) and their weights."""
    reach = math.ceil(radius_px)
    y, x = np.mgrid[0 : reach + 1, -reach : reach + 1].astype(np.float64)
    half = ((y > 0) | (x > 0)) & (np.hypot(x, y) <= radius_px)
    offsets = np.column_stack([x[half], y[half]])
    distance = np.hypot(offsets[:, 0], offsets[:, 1])
    return offsets, np.exp(-0.5 * (distance / (0.6 * radius_px)) ** 2)


def _sigma_px(
    difference: FloatArray, rows: FloatArray, weight: FloatArray, normal: FloatArray
) -> float:
    """1-sigma of the centre per axis, from what is left of the differences."""
    variance = float((weight * difference**2).sum() / weight.sum())
    inverse = np.linalg.inv(normal)
    spread = inverse @ (rows.T @ (weight[:, None] ** 2 * rows)) @ inverse * variance
    return float(math.sqrt(SMOOTHED_PX * np.trace(spread) / 2.0))


def _within(image: FloatArray, places: FloatArray) -> bool:
    height, width = image.shape
    low, high = places.min(axis=0), places.max(axis=0)
    return bool((low >= 0).all() and high[0] <= width - 1 and high[1] <= height - 1)
