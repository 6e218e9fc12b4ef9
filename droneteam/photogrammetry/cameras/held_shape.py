"""How well a network holds its own shape, beside the size of its pixels; pure.

The honesty gate asks whether a depth is open at all.  Between open and held lies the network that
is neither: two lines of photos along a wall fix its depth by what few degrees of wind turned the
camera, to a few centimetres where a pixel is one.  Every interval says so; who reads the scene's
verdict alone must be told, too.
"""

from __future__ import annotations

import numpy as np

from droneteam.photogrammetry.cameras.locate import camera_jacobian
from droneteam.photogrammetry.cameras.triangulation import optics, project_point
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray

MOST_PIXELS = 3.0
"""Points that are known less well than this, in pixels on the surface, are worth words: what is
asked of heights from RTK alone."""
POINTS = 40
MIN_VIEWS = 3
DIRECTIONS = ("from east to west", "from north to south", "in height")


def weakness(network: CameraNetwork) -> str | None:
    """Words where the points are known badly against each other; None where they are not.

    A depth that the gate found open and a scale from plain GNSS are said elsewhere.
    """
    judged = network.accuracy.scale_source in ("rtk", "gcp", "scale_bar")
    is_open = network.accuracy.vertical_scale_determined is False
    found = None if is_open or not judged else shape_sigma(network)
    if found is None:
        return None
    sigma_m, gsd_m = found
    worst = int(np.argmax(sigma_m))
    pixels = float(sigma_m[worst]) / gsd_m
    if pixels <= MOST_PIXELS:
        return None
    return (
        f"points are known to ± {sigma_m[worst]:.3f} m only against each other "
        f"{DIRECTIONS[worst]} ({pixels:.0f} pixels, one deviation): control points that lie apart "
        "in that direction, or photos from another distance or direction, would hold the shape"
    )


def shape_sigma(network: CameraNetwork) -> tuple[FloatArray, float] | None:
    """(3,) typical deviation of a point east, north, up from the mean of all; and a pixel's size.

    From the cameras' joint covariance; None with too few points.
    """
    if network.covariance is None:
        return None
    cloud, arrays = network.sparse, optics(network.views)
    lengths = np.diff(cloud.track_offsets)
    often = np.flatnonzero(lengths >= MIN_VIEWS)
    if len(often) < MIN_VIEWS:
        return None
    rows = often[np.unique(np.linspace(0, len(often) - 1, POINTS).astype(np.int64))]
    parts, sizes_m = [], []
    for row in rows:
        own = slice(int(cloud.track_offsets[row]), int(cloud.track_offsets[row + 1]))
        views, point = cloud.track_views[own].astype(np.int64), cloud.points_enu_m[row]
        projected, jacobian = project_point(arrays, views, point)
        seen = np.isfinite(projected[:, 0])
        if np.count_nonzero(seen) < MIN_VIEWS:
            continue
        by_point = jacobian[seen][:, :, 18:].reshape(-1, 3)
        by_camera = camera_jacobian(jacobian[seen], views[seen], network.covariance)
        parts.append(-np.linalg.pinv(by_point) @ by_camera)
        sizes_m += [
            float(np.linalg.norm(point - network.views[v].centre_enu_m))
            / network.views[v].camera.focal_px[0]
            for v in views[seen]
        ]
    if len(parts) < MIN_VIEWS:
        return None
    moved = np.array(parts)
    moved -= moved.mean(axis=0)
    variance = np.einsum("kin,nm,kim->ki", moved, network.covariance.matrix, moved, optimize=True)
    return np.sqrt(np.median(variance, axis=0)), float(np.median(sizes_m))
