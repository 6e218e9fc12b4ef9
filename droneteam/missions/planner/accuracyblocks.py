"""The accuracy of surveys too large for one adjustment: bounds from blocks of their photos (pure).

The normal matrix of all photos is that of some of them plus a positive semi-definite rest, so a
ground point's covariance from some of the photos is never smaller than from all: what a block
says is an upper bound.  It is a near one where the receiver's common shift decides (with
corrections it does), and a generous one where many photos would average out what each position
lacks.  Blocks stand in the middle of the survey and as far from each other as it allows, so that
its edges, where surveys are worst, are among them.  A control point counts in the blocks whose
photos show it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.planner.accuracy import (
    Network,
    NetworkNoise,
    PredictedAccuracy,
    accuracy_at,
    observe,
)

BLOCKS = 5
BLOCK_PHOTOS = 120
POINTS_PER_BLOCK = 80


def predict_in_blocks(
    network: Network,
    noise: NetworkNoise,
    gsd_m: float,
    *,
    blocks: int = BLOCKS,
    photos: int = BLOCK_PHOTOS,
) -> PredictedAccuracy:
    """Upper bounds of the standard deviations of ground points in some parts of a network.

    photos : in each block.

    Raises
    ------
    InputError
        In no block a ground point lies in two photos.
    """
    found = [_of_block(network, noise, spot, photos, gsd_m) for spot in _spots(network, blocks)]
    parts = [one for one in found if one is not None]
    if not parts:
        raise InputError("no ground point lies in two photos: raise the overlaps", field="polygon")
    return PredictedAccuracy(
        np.vstack([one.points_m for one in parts]),
        np.concatenate([one.horizontal_m for one in parts]),
        np.concatenate([one.vertical_m for one in parts]),
        np.concatenate([one.views for one in parts]),
        gsd_m,
        bound=True,
    )


def _spots(network: Network, count: int) -> FloatArray:
    """(count, 2) the ground point nearest to the middle, then each time the farthest from all."""
    places = network.points_m[:, :2]
    away = np.linalg.norm(places - places.mean(axis=0), axis=1)
    chosen = [places[int(np.argmin(away))]]
    nearest = np.linalg.norm(places - chosen[0], axis=1)
    for _ in range(count - 1):
        chosen.append(places[int(np.argmax(nearest))])
        nearest = np.minimum(nearest, np.linalg.norm(places - chosen[-1], axis=1))
    return np.array(chosen)


def _of_block(
    network: Network, noise: NetworkNoise, spot_m: FloatArray, photos: int, gsd_m: float
) -> PredictedAccuracy | None:
    """The points around a spot as the photos nearest to it hold them; None where two see none."""
    part = _part(network, spot_m, photos)
    rays = observe(part)
    views = np.bincount(rays.point, minlength=len(part.points_m))
    seen = np.nonzero(views >= 2)[0]
    if not len(seen):
        return None
    away = np.linalg.norm(part.points_m[seen, :2] - spot_m, axis=1)
    rows = seen[np.argsort(away, kind="stable")[:POINTS_PER_BLOCK]]
    return accuracy_at(part, rays, noise, np.sort(rows), gsd_m)


def _part(network: Network, spot_m: FloatArray, photos: int) -> Network:
    """The photos nearest to a spot in plan, and the ground points within their reach."""
    away = np.linalg.norm(network.places_m[:, :2] - spot_m, axis=1)
    taken = np.sort(np.argsort(away, kind="stable")[:photos])
    reach_m = float(away[taken].max()) + _footprint_m(network, taken)
    near = np.linalg.norm(network.points_m[:, :2] - spot_m, axis=1) <= reach_m
    return replace(
        network,
        places_m=network.places_m[taken],
        angles_deg=network.angles_deg[taken],
        points_m=network.points_m[near],
        control=network.control[near],
    )


def _footprint_m(network: Network, taken: NDArray[np.int64]) -> float:
    """How far from its place a photo straight down sees, at most; points beyond only tie more."""
    camera = network.camera
    height_m = float(network.places_m[taken, 2].max() - network.points_m[:, 2].min())
    half_diagonal_px = 0.5 * float(np.hypot(camera.width_px, camera.height_px))
    return height_m * half_diagonal_px / camera.focal_px
