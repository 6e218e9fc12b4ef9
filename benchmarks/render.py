"""What a simulated photo costs: `python -m benchmarks.render`.

Prints CPU and wall seconds per step for views of the accident world, and the one-off costs of
building and lighting it.  The first run of an installation also compiles the kernels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from sitl.lens import Pose, SimCamera, camera_rotation
from sitl.render import depth_map, developed, radiance
from sitl.worlds import make_world

VIEWS = {
    "nadir, 10 mm": ((0.0, 0.0, 13.9), 0.0, -90.0),
    "oblique orbit": ((-9.0, -12.0, 12.0), 35.0, -42.0),
    "close to the cars": ((2.5, -6.0, 4.5), -10.0, -40.0),
}
Result = TypeVar("Result")


def timed(name: str, step: Callable[[], Result]) -> Result:
    """The step's result; prints its CPU and wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = step()
    print(
        f"{name:<34}{time.process_time() - cpu:>8.2f} CPU s"
        f"{time.perf_counter() - wall:>8.2f} s wall"
    )
    return result


def main() -> None:
    """Print the table."""
    camera = SimCamera()
    world = timed("build the world", make_world)
    timed("bake shadows and sky", lambda: world.light)
    start = Pose(np.array([0.0, 0.0, 20.0]), camera_rotation(0.0, -90.0, 0.0))
    timed("compile (or load) the kernels", lambda: radiance(world, camera.resized(64), start))
    print(f"{len(world.mesh.triangles)} triangles, {camera.width_px} × {camera.height_px} px")
    for name, (centre, yaw_deg, pitch_deg) in VIEWS.items():
        pose = Pose(np.array(centre), camera_rotation(yaw_deg, pitch_deg, 0.0))
        timed(f"{name}: depth", lambda pose=pose: depth_map(world, camera, pose))  # type: ignore[misc]
        linear = timed(f"{name}: light", lambda pose=pose: radiance(world, camera, pose))  # type: ignore[misc]
        timed(f"{name}: develop", lambda linear=linear: developed(linear, camera, 1))  # type: ignore[misc]


if __name__ == "__main__":
    main()
