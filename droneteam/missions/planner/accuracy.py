"""How accurate a survey will be before it is flown: the covariance of the planned network (pure).

A bundle adjustment is set up with the planned poses, ground points that their frames see, and the
noise that is expected of pixels, of camera positions and of control points.  Nothing is solved,
because the residuals are unknown beforehand: the normal matrix alone holds the covariance (Förstner
and Wrobel, Photogrammetric Computer Vision, section 15.3).  The ground points are eliminated
(Schur complement), what is left are six unknowns a photo and one common shift of all positions;
a ground point's covariance is then its own from the rays plus what the poses hand down to it.

Left out: the lens (taken as calibrated), refraction, and points that nobody can recognise; what
comes out is the best that the geometry allows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.planner.camera import CameraSpec
from droneteam.missions.planner.coverage import camera_axes, sample_points, seen_by

MAX_PHOTOS = 600
"""The normal matrix grows with the square of the photos: 600 take 0.1 GB and some seconds."""
MAX_EVALUATED = 400
"""Ground points whose accuracy is computed; all of them tie the photos together."""
MIN_TIES = 250
TIES_PER_PHOTO = 12
_TOGETHER = 64
"""Ground points that are eliminated together; of 4 to 64 the quickest (5,248 photos)."""
_HELD_RAD = 1e3
"""Standard deviation of an attitude that nothing is known of."""


@dataclass(frozen=True, slots=True)
class NetworkNoise:
    """What is expected of the measurements, standard deviations.

    image_px : of a point in a photo; position_horizontal_m, position_vertical_m : of a camera's
    position against the others; shift_horizontal_m, shift_vertical_m : of all of them together,
    which no number of photos averages out; control_m : of a control point's coordinates.
    """

    image_px: float = 0.5
    position_horizontal_m: float = 0.02
    position_vertical_m: float = 0.03
    shift_horizontal_m: float = 0.015
    shift_vertical_m: float = 0.025
    control_m: float = 0.01

    def __post_init__(self) -> None:
        for field in self.__slots__:
            value = getattr(self, field)
            if not 0.0 <= value <= 100.0 or (value == 0.0 and not field.startswith("shift")):
                raise InputError(
                    "{name} {value} outside (0, 100]", field=field, name=field, value=value
                )


RTK = NetworkNoise()
"""A receiver with corrections: maker's 1 cm + 1 ppm, 1.5 cm + 1 ppm, and the lever arm's share."""
GPS = NetworkNoise(
    position_horizontal_m=0.5,
    position_vertical_m=0.8,
    shift_horizontal_m=1.5,
    shift_vertical_m=3.0,
)
"""A receiver without corrections: neighbours in time share most of their error."""
RECEIVERS = {"rtk": RTK, "gps": GPS}


@dataclass(frozen=True, slots=True, eq=False)
class PredictedAccuracy:
    """What the network promises, per ground point.

    points_m : (n, 3) east, north and height; horizontal_m, vertical_m : (n,) standard deviations
    (horizontal: of the larger axis' root mean, sqrt((var_e + var_n) / 2)); views : (n,); gsd_m;
    bound : whether they are upper bounds, from parts of the photos.
    """

    points_m: FloatArray
    horizontal_m: FloatArray
    vertical_m: FloatArray
    views: NDArray[np.int64]
    gsd_m: float
    bound: bool = False

    @property
    def median_horizontal_m(self) -> float:
        """Of the typical point."""
        return float(np.median(self.horizontal_m))

    @property
    def median_vertical_m(self) -> float:
        """Of the typical point."""
        return float(np.median(self.vertical_m))

    @property
    def worst_horizontal_m(self) -> float:
        """Of the worst point."""
        return float(np.max(self.horizontal_m))

    @property
    def worst_vertical_m(self) -> float:
        """Of the worst point."""
        return float(np.max(self.vertical_m))


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A planned network in metres.

    places_m : (k, 3) camera centres; angles_deg : (k, 2) yaw and pitch; points_m : (n, 3) ground
    points; control : (n,) which of them are control points.
    """

    camera: CameraSpec
    places_m: FloatArray
    angles_deg: FloatArray
    points_m: FloatArray
    control: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Every observation: photo (m,), point (m,), and the derivatives of its two pixels.

    by_pose : (m, 2, 6) by three small turns about the camera's axes and the centre; by_point :
    (m, 2, 3); both in pixels.
    """

    photo: NDArray[np.int64]
    point: NDArray[np.int64]
    by_pose: FloatArray
    by_point: FloatArray


def spread_points(
    polygon_m: FloatArray, photos: int, control_m: FloatArray | None = None
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Ground points of an area in plan, enough to tie its photos, control points first."""
    wanted = max(MIN_TIES, TIES_PER_PHOTO * photos)
    ties = sample_points(polygon_m, wanted)
    given = np.zeros((0, 2)) if control_m is None else control_m
    control = np.arange(len(given) + len(ties)) < len(given)
    return np.vstack([given, ties]), control


def predict(network: Network, noise: NetworkNoise, gsd_m: float) -> PredictedAccuracy:
    """The standard deviations of the network's ground points.

    Raises
    ------
    InputError
        There are too few or too many photos, or no two of them share points.
    """
    photos = len(network.places_m)
    if not 2 <= photos <= MAX_PHOTOS:
        raise InputError(
            "{photos} photos: accuracy is predicted for 2 to {limit}; plan a smaller part",
            field="polygon",
            photos=photos,
            limit=MAX_PHOTOS,
        )
    rays = observe(network)
    views = np.bincount(rays.point, minlength=len(network.points_m))
    if not (views >= 2).any():
        raise InputError("no ground point lies in two photos: raise the overlaps", field="polygon")
    used = views >= 2
    rows = np.nonzero(used)[0]
    rows = rows[:: math.ceil(len(rows) / MAX_EVALUATED)]
    return accuracy_at(network, rays, noise, rows, gsd_m)


def accuracy_at(
    network: Network, rays: Rays, noise: NetworkNoise, rows: NDArray[np.int64], gsd_m: float
) -> PredictedAccuracy:
    """The standard deviations of some of the network's ground points, each seen by two photos."""
    views = np.bincount(rays.point, minlength=len(network.points_m))
    covariance = point_covariance(network, rays, noise, rows)
    horizontal = np.sqrt(0.5 * (covariance[:, 0, 0] + covariance[:, 1, 1]))
    vertical = np.sqrt(covariance[:, 2, 2])
    return PredictedAccuracy(network.points_m[rows], horizontal, vertical, views[rows], gsd_m)


def observe(network: Network) -> Rays:
    """Which photo sees which point, and how its pixels move with both."""
    seen = seen_by(network.points_m, network.places_m, network.angles_deg, network.camera)
    photo, point = np.nonzero(seen)
    right, down, ahead = camera_axes(network.angles_deg)
    turn = np.stack([right, down, ahead], axis=1)  # (k, 3, 3): camera from ENU
    offset = network.points_m[point] - network.places_m[photo]
    x, y, z = np.einsum("mij,mj->mi", turn[photo], offset).T
    focal = network.camera.focal_px
    zero = np.zeros_like(x)
    by_camera = focal * np.stack(
        [
            np.stack([1.0 / z, zero, -x / z**2], axis=1),
            np.stack([zero, 1.0 / z, -y / z**2], axis=1),
        ],
        axis=1,
    )
    by_point = by_camera @ turn[photo]
    # A turn w of the camera moves a point p of its frame by p x w.
    cross = np.stack(
        [
            np.stack([zero, -z, y], axis=1),
            np.stack([z, zero, -x], axis=1),
            np.stack([-y, x, zero], axis=1),
        ],
        axis=1,
    )
    by_turn = by_camera @ cross
    return Rays(photo, point, np.concatenate([by_turn, -by_point], axis=2), by_point)


def point_covariance(
    network: Network, rays: Rays, noise: NetworkNoise, rows: NDArray[np.int64]
) -> FloatArray:
    """(r, 3, 3) covariance of some ground points; NaN where fewer than two photos see one."""
    weight = 1.0 / noise.image_px**2
    count = len(network.points_m)
    own = np.zeros((count, 3, 3))
    np.add.at(own, rays.point, weight * rays.by_point.transpose(0, 2, 1) @ rays.by_point)
    own[network.control] += np.eye(3) / noise.control_m**2
    views = np.bincount(rays.point, minlength=count)
    usable = (views >= 2) | network.control
    inverse = np.full((count, 3, 3), np.nan)
    inverse[usable] = np.linalg.inv(own[usable])
    kept = usable[rays.point]
    photo, point = rays.photo[kept], rays.point[kept]
    mixed = weight * rays.by_pose[kept].transpose(0, 2, 1) @ rays.by_point[kept]  # (m, 6, 3)
    reduced = _reduced_normals(rays, kept, mixed, inverse, noise, len(network.places_m))
    factor = linalg.cholesky(reduced, lower=True, check_finite=False)
    place = np.full(count, -1)
    place[rows] = np.arange(len(rows))
    wanted = place[point] >= 0
    handed = np.einsum("mij,mjk->mik", mixed[wanted], inverse[point[wanted]])
    return inverse[rows] + _handed_down(
        factor, photo[wanted], place[point[wanted]], handed, len(rows)
    )


def _reduced_normals(
    rays: Rays,
    kept: NDArray[np.bool_],
    mixed: FloatArray,
    inverse: FloatArray,
    noise: NetworkNoise,
    photos: int,
) -> FloatArray:
    """The normal matrix of the poses and the common shift, ground points eliminated."""
    weight = 1.0 / noise.image_px**2
    size = 6 * photos + 3
    blocks = np.zeros((photos, 6, 6))
    pose = rays.by_pose[kept]
    np.add.at(blocks, rays.photo[kept], weight * pose.transpose(0, 2, 1) @ pose)
    normals = np.zeros((size, size))
    rows = 6 * np.arange(photos)
    for i in range(6):
        for j in range(6):
            normals[rows + i, rows + j] = blocks[:, i, j]
    for unknowns, taken in _spreads(rays.photo[kept], rays.point[kept], mixed, inverse):
        normals[np.ix_(unknowns, unknowns)] -= taken
    _add_priors(normals, photos, noise)
    return normals


def _spreads(
    photo: NDArray[np.int64], point: NDArray[np.int64], mixed: FloatArray, inverse: FloatArray
) -> Iterator[tuple[NDArray[np.int64], FloatArray]]:
    """Some ground points at a time: the unknowns that see them, and what eliminating them takes.

    Neighbours in the list are neighbours on the ground, which much the same photos see: one
    product of matrices for all of them costs a fraction of one for each.
    """
    order = np.argsort(point, kind="stable")
    numbers = np.unique(point)
    weighed = mixed @ inverse[point]
    for together in np.split(numbers, range(_TOGETHER, len(numbers), _TOGETHER)):
        first, after = np.searchsorted(point[order], [together[0], together[-1] + 1])
        rows = order[first:after]
        seen, at = np.unique(photo[rows], return_inverse=True)
        shape, place = (len(seen), 6, len(together), 3), np.searchsorted(together, point[rows])
        left, right = np.zeros(shape), np.zeros(shape)
        left[at, :, place], right[at, :, place] = weighed[rows], mixed[rows]
        size = 6 * len(seen)
        taken = left.reshape(size, -1) @ right.reshape(size, -1).T
        yield (6 * seen[:, None] + np.arange(6)).ravel(), taken


def _add_priors(normals: FloatArray, photos: int, noise: NetworkNoise) -> None:
    """What is known of the positions: each against the common shift, and the shift itself."""
    sigma = np.array([noise.position_horizontal_m] * 2 + [noise.position_vertical_m])
    shift = np.array([noise.shift_horizontal_m] * 2 + [noise.shift_vertical_m])
    last = 6 * photos
    for axis in range(3):
        rows = 6 * np.arange(photos) + 3 + axis
        weight = 1.0 / sigma[axis] ** 2
        normals[rows, rows] += weight
        normals[rows, last + axis] -= weight
        normals[last + axis, rows] -= weight
        normals[last + axis, last + axis] += photos * weight
        normals[last + axis, last + axis] += 1.0 / max(1e-6, shift[axis]) ** 2
        turns = 6 * np.arange(photos) + axis
        normals[turns, turns] += 1.0 / _HELD_RAD**2


def _handed_down(
    factor: FloatArray,
    photo: NDArray[np.int64],
    place: NDArray[np.int64],
    handed: FloatArray,
    count: int,
) -> FloatArray:
    """(count, 3, 3) what the poses' covariance adds to each point's own.

    Cov = V⁻¹ + V⁻¹ Wᵀ S⁻¹ W V⁻¹; with S = L Lᵀ the second part is a square of L⁻¹ W V⁻¹, solved
    for many points at once.  handed : (m, 6, 3) the parts of W V⁻¹, of photo and place.
    """
    columns = np.zeros((len(factor), 3 * count), order="F")
    rows = 6 * photo[:, None] + np.arange(6)
    for axis in range(3):
        columns[rows, 3 * place[:, None] + axis] += handed[:, :, axis]
    half = linalg.solve_triangular(
        factor, columns, lower=True, check_finite=False, overwrite_b=True
    )
    blocks = half.reshape(len(factor), count, 3).transpose(1, 2, 0)
    return np.asarray(blocks @ blocks.transpose(0, 2, 1))


def in_gsd(sigma_m: float, gsd_m: float) -> float:
    """A standard deviation in ground sampling distances."""
    return sigma_m / gsd_m if gsd_m > 0.0 else math.nan
