"""A texture atlas: each triangle's picture from the photo that sees it best.

Triangles choose among the photos that really see them (Lempitsky & Ivanov, CVPR 2007: quality
against seams, here by a few sweeps of iterated conditional modes); connected triangles of one
photo become a piece, cut out of that photo as it is and packed into one image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from droneteam.errors import InputError
from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import stereo
from droneteam.photogrammetry.scene import FloatArray, View

Sight = Callable[[FloatArray, FloatArray], FloatArray]

KEPT = 4
"""Candidate photos remembered per triangle."""
SEAM_COST = 0.25
"""What a neighbour from another photo costs, against a quality between 0 and 1."""
SWEEPS = 8
PAD_PX = 2
FILL = 0.9
HIDDEN_SHARE = 0.004
"""How much nearer than a triangle, as a share of its distance, a hit must be to hide it."""
UNSEEN_GREY = 128


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """A mesh cut along its texture seams.

    vertex : (k,) index of each new vertex in the old ones; triangles : (m, 3) int32 of new
    vertices; uv : (k, 2) float32, (0, 0) top left; image : (side, side, 3) uint8;
    photo : (m,) int16 of each triangle, -1 where no photo sees it (one colour).
    """

    vertex: NDArray[np.int64]
    triangles: NDArray[np.int32]
    uv: NDArray[np.float32]
    image: NDArray[np.uint8]
    photo: NDArray[np.int16]


def build_atlas(
    views: tuple[View, ...],
    vertices: FloatArray,
    triangles: NDArray[np.int32],
    sight: Sight,
    side_px: int,
    gains: FloatArray | None,
    progress: Callable[[float], None],
    colors: NDArray[np.uint8] | None = None,
) -> Atlas:
    """The atlas of a mesh.

    sight : (origin, targets) to the distance of the first hit in multiples of the way to each
    target; gains : (views, 3) or None; colors : (n, 3) of the vertices, whose mean a piece takes
    that no photo sees.
    """
    photo, quality = _candidates(views, vertices, triangles, sight, progress)
    adjacency = triangle_adjacency(triangles)
    label = smooth_labels(photo, quality, adjacency)
    piece = _pieces(label, adjacency)
    return _cut(views, vertices, triangles, label, piece, side_px, gains, progress, colors)


def triangle_adjacency(triangles: NDArray[np.int32]) -> sparse.csr_array:
    """(m, m) ones where two triangles share an edge."""
    m = len(triangles)
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    )
    owner = np.tile(np.arange(m), 3)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, owner = edges[order], owner[order]
    same = np.flatnonzero(np.all(edges[1:] == edges[:-1], axis=1))
    a, b = owner[same], owner[same + 1]
    ones = np.ones(2 * len(a), np.int8)
    return sparse.csr_array((ones, (np.r_[a, b], np.r_[b, a])), shape=(m, m))


def smooth_labels(
    photo: NDArray[np.int16], quality: NDArray[np.float32], adjacency: sparse.csr_array
) -> NDArray[np.int16]:
    """One photo per triangle: the best one, given up where neighbours agree on another good one.

    photo, quality : (m, KEPT), best first, -1 where there are fewer.
    """
    label = photo[:, 0].copy()
    start, stop = adjacency.indptr[:-1], adjacency.indptr[1:]
    rows = np.repeat(np.arange(len(label)), stop - start)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.nan_to_num(quality / quality[:, :1])
    for sweep in range(SWEEPS):
        gain = relative.copy()
        for k in range(photo.shape[1]):
            same = label[adjacency.indices] == photo[rows, k]
            gain[:, k] += SEAM_COST * np.bincount(rows, weights=same, minlength=len(label))
        gain[photo < 0] = -1.0
        best = photo[np.arange(len(label)), np.argmax(gain, axis=1)]
        # Updating every other triangle keeps two neighbours from swapping for ever.
        turn = np.arange(len(label)) % 2 == sweep % 2
        label = np.where(turn, best, label).astype(np.int16)
    return label


def _candidates(
    views: tuple[View, ...],
    vertices: FloatArray,
    triangles: NDArray[np.int32],
    sight: Sight,
    progress: Callable[[float], None],
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """The KEPT photos that show each triangle largest, and their picture area per surface."""
    corner = vertices[triangles]
    middle = corner.mean(axis=1)
    photo = np.full((len(triangles), KEPT), -1, np.int16)
    quality = np.zeros((len(triangles), KEPT), np.float32)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    for index, view in enumerate(views):
        merit = _merit(view, vertices, triangles, middle, normal)
        chosen = np.flatnonzero(merit > quality[:, -1])
        reached = sight(view.centre_enu_m, middle[chosen])
        chosen = chosen[reached >= 1.0 - HIDDEN_SHARE]
        quality[chosen, -1], photo[chosen, -1] = merit[chosen], index
        order = np.argsort(-quality[chosen], axis=1, kind="stable")
        quality[chosen] = np.take_along_axis(quality[chosen], order, axis=1)
        photo[chosen] = np.take_along_axis(photo[chosen], order, axis=1)
        progress(0.6 * (index + 1) / len(views))
    return photo, quality


def _merit(
    view: View,
    vertices: FloatArray,
    triangles: NDArray[np.int32],
    middle: FloatArray,
    normal: FloatArray,
) -> FloatArray:
    """(m,) pixels per square metre, 0 where a corner is outside the photo or faces away."""
    pixels, _ = optics.project(vertices, view)
    whole = optics.inside(pixels, view.camera, margin_px=PAD_PX + 1.0)[triangles].all(axis=1)
    away = view.centre_enu_m - middle
    distance = np.linalg.norm(away, axis=1)
    cosine = np.sum(away * normal, axis=1) / distance
    merit = cosine * (view.camera.focal_px[0] / distance) ** 2
    return np.asarray(np.where(whole & (cosine > 0.1), merit, 0.0))


def _pieces(label: NDArray[np.int16], adjacency: sparse.csr_array) -> NDArray[np.int64]:
    """(m,) number of the connected piece of one photo that each triangle belongs to."""
    rows = np.repeat(np.arange(len(label)), np.diff(adjacency.indptr))
    same = label[rows] == label[adjacency.indices]
    graph = sparse.csr_array(
        (same[same].astype(np.int8), (rows[same], adjacency.indices[same])), shape=adjacency.shape
    )
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)


def _cut(
    views: tuple[View, ...],
    vertices: FloatArray,
    triangles: NDArray[np.int32],
    label: NDArray[np.int16],
    piece: NDArray[np.int64],
    side_px: int,
    gains: FloatArray | None,
    progress: Callable[[float], None],
    colors: NDArray[np.uint8] | None,
) -> Atlas:
    """Splits the vertices by piece, packs the pieces and paints them."""
    keys = piece[:, None] * len(vertices) + triangles
    unique, inverse = np.unique(keys, return_inverse=True)
    vertex, owner = unique % len(vertices), unique // len(vertices)
    label_of = np.full(int(piece.max()) + 1, -1, np.int16)
    label_of[piece] = label
    pixels = np.zeros((len(unique), 2))
    for index, view in enumerate(views):
        mine = np.flatnonzero(label_of[owner] == index)
        pixels[mine] = optics.project(vertices[vertex[mine]], view)[0]
    pixels[label_of[owner] < 0] = PAD_PX  # the middle of its few pixels
    boxes = _boxes(pixels, owner, label_of)
    scale, corner = pack(boxes[:, 2:] - boxes[:, :2], side_px)
    image = np.full((side_px, side_px, 3), UNSEEN_GREY, np.uint8)
    for index, view in enumerate(views):
        _paint(image, view, boxes, corner, scale, np.flatnonzero(label_of == index), gains, index)
        progress(0.6 + 0.4 * (index + 1) / len(views))
    if colors is not None:
        mean = _mean_colours(colors[vertex], owner, len(label_of))
        _paint_unseen(image, boxes, corner, scale, np.flatnonzero(label_of < 0), mean)
    uv = (corner[owner] + (pixels - boxes[owner, :2]) * scale[owner, None]) / side_px
    return Atlas(
        vertex=vertex,
        triangles=inverse.reshape(triangles.shape).astype(np.int32),
        uv=np.clip(uv, 0.0, 1.0).astype(np.float32),
        image=image,
        photo=label,
    )


def _paint_unseen(
    image: NDArray[np.uint8],
    boxes: NDArray[np.int64],
    corner: NDArray[np.int64],
    scale: FloatArray,
    unseen: NDArray[np.int64],
    colours: NDArray[np.uint8],
) -> None:
    """Gives pieces that no photo sees their vertices' mean colour, (pieces, 3).

    Most are slivers in dents and under edges; grey, they look like damage on a car.
    """
    for piece in unseen:
        size = np.ceil((boxes[piece, 2:] - boxes[piece, :2]) * scale[piece]).astype(int)
        left, top = corner[piece]
        width, height = np.maximum(size, 1)
        image[top : top + height, left : left + width] = colours[piece]


def _mean_colours(
    colors: NDArray[np.uint8], owner: NDArray[np.int64], pieces: int
) -> NDArray[np.uint8]:
    """(pieces, 3) mean of the (n, 3) colours of the vertices that each piece owns."""
    count = np.maximum(np.bincount(owner, minlength=pieces), 1)
    total = [np.bincount(owner, weights=colors[:, k], minlength=pieces) for k in range(3)]
    return np.asarray(np.rint(np.stack(total, axis=1) / count[:, None]), dtype=np.uint8)


def _boxes(
    pixels: FloatArray, owner: NDArray[np.int64], label_of: NDArray[np.int16]
) -> NDArray[np.int64]:
    """(pieces, 4) x0, y0, x1, y1 of each piece in its photo, padded, whole pixels."""
    low = np.full((len(label_of), 2), np.inf)
    high = np.full((len(label_of), 2), -np.inf)
    np.minimum.at(low, owner, pixels)
    np.maximum.at(high, owner, pixels)
    boxes = np.concatenate([np.floor(low) - PAD_PX, np.ceil(high) + PAD_PX], axis=1)
    boxes[label_of < 0] = (0, 0, 2 * PAD_PX, 2 * PAD_PX)
    return boxes.astype(np.int64)


def pack(sizes: NDArray[np.int64], side_px: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """Scale (n,) and top-left corner (n, 2) of boxes on shelves of a square of `side_px`.

    All boxes are reduced alike until they fit; none is enlarged, and none smaller than a pixel.

    Raises
    ------
    InputError
        When there are too many boxes for the square.
    """
    if len(sizes) > side_px * side_px // 4:
        raise InputError(
            f"{len(sizes)} pieces do not fit a texture of {side_px} pixels; make it larger or "
            "the mesh coarser",
            field="texture_px",
        )
    area = float(np.sum(np.prod(sizes.astype(np.float64), axis=1)))
    scale = min(1.0, np.sqrt(FILL * side_px * side_px / max(area, 1.0)))
    order = np.argsort(-sizes[:, 1], kind="stable")
    while True:
        placed = np.maximum(np.ceil(sizes * scale).astype(np.int64), 1)
        corner = _shelves(placed, order, side_px)
        if corner is not None:
            return np.full(len(sizes), scale), corner
        scale *= 0.95


def _shelves(
    sizes: NDArray[np.int64], order: NDArray[np.int64], side_px: int
) -> NDArray[np.int64] | None:
    """Corners of boxes put in rows, tallest first; None when they do not fit."""
    corner = np.zeros((len(sizes), 2), np.int64)
    x, y, shelf = 0, 0, 0
    for index in order:
        width, height = int(sizes[index, 0]), int(sizes[index, 1])
        if x + width > side_px:
            x, y, shelf = 0, y + shelf, 0
        if width > side_px or y + height > side_px:
            return None
        corner[index] = (x, y)
        x += width
        shelf = max(shelf, height)
    return corner


def _paint(
    image: NDArray[np.uint8],
    view: View,
    boxes: NDArray[np.int64],
    corner: NDArray[np.int64],
    scale: FloatArray,
    mine: NDArray[np.int64],
    gains: FloatArray | None,
    index: int,
) -> None:
    """Copies a photo's pieces into the atlas."""
    if not mine.size:
        return
    photo = stereo.read_colour(view)
    if gains is not None:
        photo = np.clip(photo * gains[index], 0, 255).astype(np.uint8)
    height, width = photo.shape[:2]
    for piece in mine:
        x0, y0, x1, y1 = boxes[piece]
        columns = np.clip(np.arange(x0, x1), 0, width - 1)
        rows = np.clip(np.arange(y0, y1), 0, height - 1)
        patch = photo[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        size = np.maximum(np.ceil(np.array([x1 - x0, y1 - y0]) * scale[piece]).astype(int), 1)
        if (size[0], size[1]) != (patch.shape[1], patch.shape[0]):
            shape = (int(size[0]), int(size[1]))
            patch = np.asarray(
                cv2.resize(patch, shape, interpolation=cv2.INTER_AREA), dtype=np.uint8
            ).reshape(size[1], size[0], 3)
        left, top = corner[piece]
        image[top : top + size[1], left : left + size[0]] = patch
