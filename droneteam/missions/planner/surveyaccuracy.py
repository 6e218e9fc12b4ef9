"""From a planned survey to the accuracy that its photos promise (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.planner.accuracy import (
    MAX_PHOTOS,
    Network,
    NetworkNoise,
    PredictedAccuracy,
    predict,
    spread_points,
)
from droneteam.missions.planner.accuracyblocks import BLOCK_PHOTOS, predict_in_blocks
from droneteam.missions.planner.camera import CameraSpec
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.planner.relief import relief_of
from droneteam.missions.planner.route import Ground, LatLon
from droneteam.missions.planner.terrain import Terrain


@dataclass(frozen=True, slots=True, eq=False)
class SurveyAccuracy:
    """The accuracy of ground points and where they lie: lat_lon (n, 2) in degrees."""

    accuracy: PredictedAccuracy
    lat_lon: FloatArray


def accuracy_of(
    plan: MissionPlan,
    camera: CameraSpec,
    noise: NetworkNoise,
    *,
    control: Sequence[LatLon] = (),
    terrain: Terrain | None = None,
    most_photos: int = MAX_PHOTOS,
) -> SurveyAccuracy:
    """What the plan's photos promise for the ground of its area.

    control : places of control points; terrain : the one that the plan was made over;
    most_photos : above them the answer is an upper bound, from blocks of the photos.

    Raises
    ------
    InputError
        The plan takes too few photos, or no two of them share ground.
    """
    if len(plan.photo_positions) < 2:
        raise InputError("accuracy is predicted of missions with photos", field="pattern")
    ground = Ground.around(plan.area, plan.home)
    relief = relief_of(terrain, ground, plan.home, 0.0)
    photos = plan.photo_positions
    places = ground.metres([(photo.lat_deg, photo.lon_deg) for photo in photos])
    heights = np.array([photo.alt_home_m for photo in photos])
    angles = np.array([[photo.yaw_deg, photo.pitch_deg] for photo in photos])
    given = ground.metres(control) if control else None
    points, is_control = spread_points(ground.metres(plan.area), len(photos), given)
    points = np.column_stack([points, relief.ground_home_m(points)])
    centres = np.column_stack([places, heights])
    network = Network(camera, centres, angles, points, is_control)
    if len(photos) > most_photos:
        size = min(BLOCK_PHOTOS, most_photos)
        found = predict_in_blocks(network, noise, plan.gsd_m, photos=size)
    else:
        found = predict(network, noise, plan.gsd_m)
    return SurveyAccuracy(found, ground.lat_lon(found.points_m[:, :2]))
