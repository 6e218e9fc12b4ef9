"""The observations of a bundle adjustment that are few: marks, priors and scale bars.

They are linearised into one sparse system beside the tie points' dense one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from droneteam.photogrammetry.cameras import bundle_kernels as kernels
from droneteam.photogrammetry.cameras.bundle_problem import (
    NO_TAIL,
    IntArray,
    Layout,
    Levels,
    Problem,
    State,
)
from droneteam.photogrammetry.scene import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Linearised observations other than tie points: residual, derivative, sigma, block."""

    residual: FloatArray
    jacobian: csr_matrix
    sigma: FloatArray
    block: IntArray
    tail: FloatArray
    """Per block."""


def normalised_blocks(rows: Rows) -> FloatArray:
    """(blocks,) length of each block's residual over its sigmas."""
    squares = np.bincount(rows.block, (rows.residual / rows.sigma) ** 2, len(rows.tail))
    return np.asarray(np.sqrt(squares))


class RowBuilder:
    """Collects rows of several kinds into one sparse system."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: list[tuple[FloatArray, FloatArray, IntArray, FloatArray]] = []
        self._blocks: list[IntArray] = []
        self._tails: list[FloatArray] = []
        self._n_blocks = 0

    def add(
        self,
        residual: FloatArray,
        values: FloatArray,
        columns: IntArray,
        sigma: FloatArray,
        tail: float,
    ) -> None:
        """Blocks of rows: residual, sigma (b, r); values, columns (b, r, c), -1 to skip."""
        n_blocks, n_rows = residual.shape
        if not n_blocks:
            return
        block = np.repeat(self._n_blocks + np.arange(n_blocks), n_rows)
        self._n_blocks += n_blocks
        width = values.shape[2]
        self._parts.append(
            (
                residual.ravel(),
                values.reshape(-1, width),
                columns.reshape(-1, width),
                np.broadcast_to(sigma, residual.shape).ravel(),
            )
        )
        self._blocks.append(block)
        self._tails.append(np.full(n_blocks, tail))

    def rows(self) -> Rows | None:
        """Everything added, with rows of infinite sigma left out; None when there is nothing."""
        if not self._parts:
            return None
        entries: list[tuple[FloatArray, IntArray, IntArray]] = []
        start = 0
        for residual, values, columns, _ in self._parts:
            index = np.broadcast_to(start + np.arange(len(residual))[:, None], columns.shape)
            used = columns >= 0
            entries.append((values[used], index[used], columns[used]))
            start += len(residual)
        data, row, column = (np.concatenate([e[i] for e in entries]) for i in range(3))
        jacobian = csr_matrix((data, (row, column)), shape=(start, self._size))
        sigma = np.concatenate([p[3] for p in self._parts])
        keep = np.flatnonzero(np.isfinite(sigma))
        return Rows(
            np.concatenate([p[0] for p in self._parts])[keep],
            jacobian[keep],
            sigma[keep],
            np.concatenate(self._blocks)[keep],
            np.concatenate(self._tails),
        )


def linearised(problem: Problem, columns: Layout, state: State) -> Rows | None:
    """Marks and priors, linearised at the state."""
    builder = RowBuilder(columns.size)
    _add_marks(builder, problem, columns, state)
    priors = problem.priors
    _add_centres(builder, problem, columns, state)
    if len(columns.kept):
        builder.add(
            np.nan_to_num(priors.points - state.kept),
            np.broadcast_to(np.eye(3), (len(state.kept), 3, 3)),
            _diagonal_columns((columns.kept[:, None] + np.arange(3))[:, None, :]),
            priors.point_sigma,
            problem.prior_tail,
        )
    _add_bars(builder, problem, columns, state)
    free = columns.intrinsics >= 0
    builder.add(
        np.nan_to_num(priors.intrinsics - state.intrinsics)[free][:, None],
        np.ones((int(free.sum()), 1, 1)),
        columns.intrinsics[free][:, None, None],
        priors.intrinsics_sigma[free][:, None],
        NO_TAIL,
    )
    if columns.bias >= 0:
        sigma = np.where(priors.bias_sigma > 0, priors.bias_sigma, 1e-9)
        builder.add(
            -state.bias[None],
            np.eye(3)[None],
            np.broadcast_to(columns.bias + np.arange(3), (1, 3, 3)),
            sigma[None],
            NO_TAIL,
        )
    if columns.lever >= 0:
        builder.add(
            -state.lever_m[None],
            np.eye(2)[None],
            np.broadcast_to(columns.lever + np.arange(2), (1, 2, 2)),
            np.full((1, 2), priors.lever_sigma_m),
            NO_TAIL,
        )
    if columns.level >= 0:
        _add_levels(builder, problem, columns, state)
    return builder.rows()


def _add_centres(builder: RowBuilder, problem: Problem, columns: Layout, state: State) -> None:
    """Camera positions: the receiver's place is the centre, a common shift and the lever arm."""
    priors, n = problem.priors, len(state.centres)
    residual = priors.centres - state.centres - state.bias
    eye = np.broadcast_to(np.eye(3), (n, 3, 3))
    values = [eye, eye]
    centre_columns = columns.pose[:, None] + 3 + np.arange(3)
    bias_columns = np.full((n, 3), -1) + (
        0 if columns.bias < 0 else columns.bias + 1 + np.arange(3)
    )
    at = [_diagonal_columns(np.stack([centre_columns, bias_columns], axis=1))]
    if columns.lever >= 0:
        residual = residual - priors.lever_axes @ state.lever_m
        values.append(priors.lever_axes)
        at.append(np.broadcast_to(columns.lever + np.arange(2), (n, 3, 2)))
    builder.add(
        np.nan_to_num(residual),
        np.concatenate(values, axis=2),
        np.concatenate(at, axis=2),
        priors.centre_sigma,
        problem.prior_tail,
    )


def level_residuals(levels: Levels, state: State) -> FloatArray:
    """(n, 2) stated minus estimated direction of up, in radians along the levels' axes."""
    up_cam, turns = _ups_and_turns(levels, state)
    off = levels.ups - np.einsum("nij,nj->ni", turns, up_cam)
    return np.asarray(np.einsum("nai,ni->na", levels.axes, off))


def _ups_and_turns(levels: Levels, state: State) -> tuple[FloatArray, FloatArray]:
    """(n, 3) the common up in camera axes, and (n, 3, 3) the turn of each view's gimbal."""
    turns = Rotation.from_rotvec(state.mounting_rad).as_matrix()
    return state.rotations @ np.array([*state.plumb, 1.0]), turns[levels.gimbal]


def _add_levels(builder: RowBuilder, problem: Problem, columns: Layout, state: State) -> None:
    """Directions of up as gimbals state them; their mountings and the common tilt, about none."""
    levels = problem.priors.levels
    n, gimbals = len(levels.ups), len(state.mounting_rad)
    up_cam, turns = _ups_and_turns(levels, state)
    stated = np.einsum("nij,nj->ni", turns, up_cam)
    values = np.concatenate(
        [
            levels.axes @ turns @ -_cross_matrices(up_cam),
            levels.axes @ -_cross_matrices(stated),
            levels.axes @ turns @ state.rotations[:, :, :2],
        ],
        axis=2,
    )
    three, plumb = np.arange(3), columns.level + 3 * gimbals + np.arange(2)
    at = np.concatenate(
        [
            columns.pose[:, None] + three,
            columns.level + 3 * levels.gimbal[:, None] + three,
            np.broadcast_to(plumb, (n, 2)),
        ],
        axis=1,
    )
    builder.add(
        level_residuals(levels, state),
        values,
        np.repeat(at[:, None, :], 2, axis=1),
        levels.sigma_rad,
        problem.prior_tail,
    )
    own = np.concatenate([state.mounting_rad.ravel(), state.plumb])
    sigma = np.full(len(own), levels.mounting_sigma_rad)
    sigma[-2:] = levels.plumb_sigma_rad
    builder.add(
        -own[:, None],
        np.ones((len(own), 1, 1)),
        (columns.level + np.arange(len(own)))[:, None, None],
        sigma[:, None],
        NO_TAIL,
    )


def _cross_matrices(vectors: FloatArray) -> FloatArray:
    """(n, 3, 3) matrices whose product with w is the cross product of (n, 3) vectors with w."""
    x, y, z = vectors.T
    zero = np.zeros(len(vectors))
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)


def _diagonal_columns(columns: IntArray) -> IntArray:
    """(b, 3, 3 k) columns of k stacked identity blocks from (b, k, 3); -1 off the diagonals."""
    b, k, _ = columns.shape
    result = np.full((b, 3, 3 * k), -1, dtype=np.int64)
    for block in range(k):
        for axis in range(3):
            result[:, axis, 3 * block + axis] = columns[:, block, axis]
    return result


def _add_marks(builder: RowBuilder, problem: Problem, columns: Layout, state: State) -> None:
    marks = problem.marks
    if not len(marks.points):
        return
    pixels, jacobian = kernels.jacobians(
        state.kept, marks.points, marks.views,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
    )  # fmt: skip
    behind = ~np.isfinite(pixels[:, 0])
    residual = np.where(behind[:, None], 0.0, marks.pixels - pixels)
    sigma = np.where(behind, np.inf, marks.sigma_px)
    at = np.concatenate(
        [
            columns.pose[marks.views][:, None] + np.arange(6),
            columns.intrinsics[problem.view_camera[marks.views]],
            columns.kept[marks.points][:, None] + np.arange(3),
        ],
        axis=1,
    )
    builder.add(
        residual,
        np.nan_to_num(jacobian),
        np.repeat(at[:, None, :], 2, axis=1),
        np.repeat(sigma[:, None], 2, axis=1),
        problem.mark_tail,
    )


def _add_bars(builder: RowBuilder, problem: Problem, columns: Layout, state: State) -> None:
    priors = problem.priors
    if not len(priors.bars):
        return
    a, b = priors.bars.T
    offset = state.kept[b] - state.kept[a]
    length = np.linalg.norm(offset, axis=1)
    unit = offset / length[:, None]
    at = np.concatenate(
        [columns.kept[a][:, None] + np.arange(3), columns.kept[b][:, None] + np.arange(3)], axis=1
    )
    builder.add(
        (priors.bar_length - length)[:, None],
        np.concatenate([-unit, unit], axis=1)[:, None, :],
        at[:, None, :],
        priors.bar_sigma[:, None],
        problem.prior_tail,
    )
