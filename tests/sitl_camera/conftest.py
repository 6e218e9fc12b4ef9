"""One accident world for the whole session, and a small noiseless camera."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from sitl.lens import Pose, SimCamera, camera_rotation
from sitl.shot import Shot
from sitl.world import World
from sitl.worlds import make_world

AT = datetime(2025, 6, 12, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def accident() -> World:
    return make_world("accident", 1)


@pytest.fixture(scope="session")
def camera() -> SimCamera:
    return SimCamera(noise=0.0, vignetting=0.0).resized(400)


def looking(
    centre: tuple[float, float, float], yaw_deg: float = 0.0, pitch_deg: float = -90.0
) -> Pose:
    return Pose(np.array(centre), camera_rotation(yaw_deg, pitch_deg, 0.0))


def shot_over(world: World, east: float, north: float, up: float, index: int = 1) -> Shot:
    lat, lon, alt = (float(v) for v in world.frame.geodetic_from_enu(np.array([east, north, up])))
    return Shot("drone-01", index, AT, lat, lon, alt, up, 40.0, -90.0, 0.0, (0.0, 0.0, 0.0))
