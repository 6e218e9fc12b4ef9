"""Takes photos of the box world, or builds their scene: a program for tests that need processes.

python -m tests.photogrammetry.repeat_build OUT PHOTOS [THREADS [PRESET]]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry import cluster
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene import View
from droneteam.photogrammetry.scene_params import SceneParams
from tests.photogrammetry.box_world import BoxWorld, small_camera
from tests.photogrammetry.pictures import Tags, write_jpeg

ORIGIN = GeoPoint(50.8197, 4.3908, 100.0)
RTK = {"AltitudeType": "RtkAlt", "RtkFlag": "50", "RtkStdLon": "0.01", "RtkStdLat": "0.01"}


def photograph(world: BoxWorld, poses: list[np.ndarray], folder: Path, prefix: str = "") -> None:
    """JPEGs with EXIF positions and DJI's RTK fields, exact to a millimetre."""
    camera = small_camera()
    for index, pose in enumerate(poses):
        path = folder / f"{prefix}{index:02d}.jpg"
        view = View(path.name, path, camera, pose)
        pixels, _ = world.photograph(view, noise=1.0)
        lat, lon, alt = EnuFrame(ORIGIN).geodetic_from_enu(view.centre_enu_m).tolist()
        xmp = {**RTK, "RtkStdHgt": "0.015", "AbsoluteAltitude": f"{alt:+.3f}"}
        tags = Tags(lat_deg=lat, lon_deg=lon, alt_m=alt, focal_35mm=30, xmp=xmp)
        write_jpeg(path, pixels, tags)


def main(out: str, photos: str, threads: str = "1", preset: str = "preview") -> None:
    """Build; on the cluster that DRONETEAM_DASK names when it is set."""
    params = SceneParams(preset=preset, threads=int(threads), title="repeated")  # type: ignore[arg-type]
    with cluster.executor(os.environ.get(cluster.VARIABLE), params.threads) as executor:
        build_scene(Path(photos), Path(out), params, executor=executor)


if __name__ == "__main__":
    main(*sys.argv[1:])
