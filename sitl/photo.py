"""One press of the shutter: from a `Shot` to a JPEG with its metadata, and what is true of it."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from droneteam.geo import EnuFrame
from sitl.exif import Reported, exif_block, xmp_packet
from sitl.lens import Pose, SimCamera, camera_rotation
from sitl.mesh import FloatArray
from sitl.render import AT_REST, Velocity, render, true_pixels
from sitl.shot import Shot
from sitl.world import World

CLICK_SIGMA_PX = 0.3
"""How well a careful person clicks a target (per axis)."""
ATTITUDE_SIGMA_DEG = (0.6, 0.1, 0.1)
"""Errors of a gimbal's reported yaw, pitch and roll."""
LIFT_M = 0.01
"""A sight line to a mark starts this far above it, so that its own surface does not hide it."""
EDGE_PX = 4.0
"""Nobody clicks closer to the photo's edge."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a person clicked a named point."""

    point: str
    kind: str
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What is true of a photo that lies on the card."""

    name: str
    shot: Shot
    pose: Pose
    marks: tuple[Mark, ...]


def photo_name(index: int) -> str:
    """The file's name; the card counts from 1."""
    return f"DJI_{index:04d}.JPG"


def take(world: World, camera: SimCamera, shot: Shot, directory: Path, seed: int) -> Taken:
    """Render a shot into directory; the file appears whole or not at all."""
    pose = pose_of(world.frame, shot)
    rng = np.random.default_rng([seed, zlib.crc32(shot.drone.encode()), shot.index])
    image = render(world, camera, pose, int(rng.integers(1, 2**31)), shot.velocity_enu_mps)
    reported = reported_by(world, camera, shot, rng)
    name = photo_name(shot.index)
    _write_jpeg(directory / name, image, camera, reported)
    return Taken(name, shot, pose, clicked(world, camera, pose, shot.velocity_enu_mps, rng))


def pose_of(frame: EnuFrame, shot: Shot) -> Pose:
    """The shot's true pose in the world's frame.

    North at the camera and at the origin differ by the meridians' convergence, 10⁻⁵ of the
    distance at this latitude; a shot's attitude is taken in the frame of the world.
    """
    geodetic = np.array([shot.lat_deg, shot.lon_deg, shot.alt_ellipsoid_m])
    rotation = camera_rotation(shot.yaw_deg, shot.pitch_deg, shot.roll_deg)
    return Pose(frame.enu_from_geodetic(geodetic), rotation)


def reported_by(world: World, camera: SimCamera, shot: Shot, rng: np.random.Generator) -> Reported:
    """The shot as the drone's sensors saw it."""
    horizontal, vertical = camera.sigma_m
    error = rng.normal(0.0, 1.0, 3) * [horizontal, horizontal, vertical]
    turn = rng.normal(0.0, 1.0, 3) * ATTITUDE_SIGMA_DEG
    true_enu = pose_of(world.frame, shot).centre_enu_m
    lat, lon, alt = (float(v) for v in world.frame.geodetic_from_enu(true_enu + error))
    return Reported(
        at=shot.at,
        lat_deg=lat,
        lon_deg=lon,
        alt_reported_m=alt if camera.rtk else alt - world.geoid_undulation_m,
        alt_home_m=shot.alt_home_m + float(rng.normal(0.0, 0.05)),
        yaw_deg=shot.yaw_deg + float(turn[0]),
        pitch_deg=shot.pitch_deg + float(turn[1]),
        roll_deg=shot.roll_deg + float(turn[2]),
        sigma_horizontal_m=horizontal,
        sigma_vertical_m=vertical,
        rtk=camera.rtk,
    )


def visible_points(
    world: World, camera: SimCamera, pose: Pose, velocity_enu_mps: Velocity = AT_REST
) -> tuple[list[int], FloatArray]:
    """Indices of the named points that the photo shows, and their exact (n, 2) pixels."""
    points = np.array([p.enu_m for p in world.points])
    pixels = true_pixels(camera, pose, points, velocity_enu_mps)
    limit = [camera.width_px - EDGE_PX, camera.height_px - EDGE_PX]
    inside = np.nonzero(((pixels > EDGE_PX) & (pixels < limit)).all(axis=1))[0]
    sight = pose.centre_enu_m - points[inside]
    distance = np.linalg.norm(sight, axis=1)
    starts = points[inside] + sight * (LIFT_M / np.maximum(distance, LIFT_M))[:, None]
    hits = world.first_hits(starts, pose.centre_enu_m - starts)
    seen = inside[hits >= 1.0]
    return [int(k) for k in seen], pixels[seen]


def clicked(
    world: World,
    camera: SimCamera,
    pose: Pose,
    velocity_enu_mps: Velocity,
    rng: np.random.Generator,
) -> tuple[Mark, ...]:
    """Where a careful person would click every visible named point."""
    errors = rng.normal(0.0, CLICK_SIGMA_PX, (len(world.points), 2))
    seen, pixels = visible_points(world, camera, pose, velocity_enu_mps)
    return tuple(
        Mark(world.points[k].name, world.points[k].kind, *map(float, pixel + errors[k]))
        for k, pixel in zip(seen, pixels, strict=True)
    )


def _write_jpeg(path: Path, image: np.ndarray, camera: SimCamera, reported: Reported) -> None:
    buffer = io.BytesIO()
    Image.fromarray(image).save(
        buffer,
        "JPEG",
        quality=camera.jpeg_quality,
        subsampling=1,
        exif=exif_block(camera, reported),
        xmp=xmp_packet(reported),
    )
    write_whole(path, buffer.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place in one step: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
