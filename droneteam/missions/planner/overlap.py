"""How many photos will show each place of a planned area: the overlap map before take-off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from droneteam.geo import FloatArray
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.camera import CameraSpec
from droneteam.missions.planner.coverage import sample_points, views_per_point
from droneteam.missions.planner.plan import PhotoPosition
from droneteam.missions.planner.relief import relief_of
from droneteam.missions.planner.route import Ground, LatLon
from droneteam.missions.planner.terrain import Terrain


def overlap_grid(
    area: Sequence[LatLon],
    photos: Sequence[PhotoPosition],
    camera: CameraSpec,
    home: HomePoint,
    terrain: Terrain | None = None,
    wanted: int = 400,
) -> FloatArray:
    """(k, 3) latitude, longitude and number of photos of about ``wanted`` points of an area.

    Without a terrain the ground is level at the height of the take-off point.
    """
    ground = Ground.around(area, home)
    points_m = sample_points(ground.metres(area), wanted)
    if not photos:
        return np.column_stack([ground.lat_lon(points_m), np.zeros(len(points_m))])
    below = relief_of(terrain, ground, home, 0.0).ground_home_m(points_m)
    places_m = ground.metres([(photo.lat_deg, photo.lon_deg) for photo in photos])
    heights_m = [photo.alt_home_m for photo in photos]
    angles_deg = np.array([[photo.yaw_deg, photo.pitch_deg] for photo in photos])
    positions = np.column_stack([places_m, heights_m])
    seen = views_per_point(np.column_stack([points_m, below]), positions, angles_deg, camera)
    return np.column_stack([ground.lat_lon(points_m), seen])
