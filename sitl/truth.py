"""What is known of a world and of the photos taken in it, written for those who measure errors.

- `world.json`: frame, named points, lengths, areas, scale bars, the camera's true intrinsics;
- `surface.npz`: reference points with normals and labels, and the surface seen from above;
- per photo, kept current while photos come in: `marks.csv`, `gcp_list.txt`, `check_list.txt`
  (the lists in OpenDroneMap's form), `poses.csv`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError
from sitl.lens import SimCamera
from sitl.light import sky_over_ground
from sitl.materials import GROUND_LAST, Material
from sitl.mesh import FloatArray
from sitl.photo import Taken, write_whole
from sitl.raster import height_map
from sitl.world import NamedLength, NamedPoint, World

SURVEY_SIGMA_M = 0.01
"""Error of a surveyed target's coordinates, per axis."""
SURFACE_SPACING_M = 0.06
DSM_CELL_M = 0.02
MARGIN_M = 3.0
"""The reference surface reaches this far beyond the survey's polygon."""
MARK_HEADER = "photo,point,x_px,y_px"
LIST_HEADER = "EPSG:4979"
"""WGS84 with ellipsoidal heights; the rows give longitude first, as OpenDroneMap wants."""
POSE_HEADER = (
    "photo,east_m,north_m,up_m,lat_deg,lon_deg,alt_ellipsoid_m,yaw_deg,pitch_deg,"
    "roll_deg,r11,r12,r13,r21,r22,r23,r31,r32,r33"
)


def write_world(world: World, camera: SimCamera, directory: Path, seed: int) -> None:
    """Write what does not depend on photos: world.json, camera.json, surface.npz."""
    content = json.dumps(world_facts(world, camera, seed), indent=1)
    write_whole(directory / "world.json", content.encode())
    write_whole(directory / "camera.json", json.dumps(camera_facts(camera), indent=1).encode())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **surface_reference(world))  # type: ignore[arg-type]
    write_whole(directory / "surface.npz", buffer.getvalue())


def camera_facts(camera: SimCamera) -> dict[str, object]:
    """The true intrinsics in COLMAP's form."""
    f, cx, cy, k1, k2, _ = camera.lens
    return {
        "model": "OPENCV",
        "params": [f, f, cx, cy, k1, k2, 0.0, 0.0],
        "width": camera.width_px,
        "height": camera.height_px,
    }


def world_facts(world: World, camera: SimCamera, seed: int) -> dict[str, object]:
    """The content of world.json."""
    origin = world.frame.origin
    surveyed = surveyed_points(world, seed)
    return {
        "world": world.name,
        "seed": world.seed,
        "frame": {
            "kind": "enu",
            "origin": {
                "lat_deg": origin.lat_deg,
                "lon_deg": origin.lon_deg,
                "alt_ellipsoid_m": origin.alt_ellipsoid_m,
            },
        },
        "geoid_undulation_m": world.geoid_undulation_m,
        "points": {p.name: {"kind": p.kind} | _position(world, p.enu_m) for p in world.points},
        "surveyed": {
            p.name: {"sigma_m": SURVEY_SIGMA_M} | _position(world, p.enu_m) for p in surveyed
        },
        "lengths": {v.name: _length(v) for v in world.lengths},
        "areas": {
            a.name: {
                "points": list(a.points),
                "area_m2": a.area_horizontal_m2,
                "area_plane_m2": a.area_plane_m2,
            }
            for a in world.areas
        },
        "scale_bars": {v.name: _length(v) for v in world.scale_bars},
        "gcps": [p.name for p in world.points if p.kind == "gcp"],
        "check_points": [p.name for p in world.points if p.kind == "check"],
        "survey_polygon": [_position(world, p) for p in world.survey_polygon_enu_m],
        "home": _position(world, world.home_enu_m),
        "camera": camera_facts(camera)
        | {
            "make": camera.make,
            "name": camera.model,
            "focal_mm": camera.focal_mm,
            "focal_35mm": camera.focal_35mm,
            "sensor_width_mm": camera.sensor_width_mm,
            "sensor_height_mm": camera.sensor_height_mm,
        },
        "sigma": {
            "position_horizontal_m": camera.sigma_m[0],
            "position_vertical_m": camera.sigma_m[1],
        },
    }


def _length(line: NamedLength) -> dict[str, object]:
    return {"points": list(line.points), "length_m": line.length_m}


def _position(world: World, enu_m: Sequence[float] | FloatArray) -> dict[str, object]:
    enu = np.asarray(enu_m, dtype=np.float64)
    lat, lon, alt = (float(v) for v in world.frame.geodetic_from_enu(enu))
    return {
        "enu_m": [float(v) for v in enu],
        "lat_deg": lat,
        "lon_deg": lon,
        "alt_ellipsoid_m": alt,
    }


def surveyed_points(world: World, seed: int) -> list[NamedPoint]:
    """The ground control and check points as a surveyor found them."""
    rng = np.random.default_rng([seed, 77])
    found = []
    for point in world.points:
        error = rng.normal(0.0, SURVEY_SIGMA_M, 3)
        if point.kind in ("gcp", "check"):
            e, n, u = (float(v) for v in np.add(point.enu_m, error))
            found.append(NamedPoint(point.name, point.kind, (e, n, u)))
    return found


@dataclass(frozen=True, slots=True)
class _Lines:
    """One photo's lines in the four files."""

    marks: tuple[str, ...]
    pose: tuple[str, ...]
    gcps: tuple[str, ...]
    checks: tuple[str, ...]


class TruthWriter:
    """Keeps a directory's per-photo truth files current; photos may come in any order."""

    def __init__(self, world: World, directory: Path, seed: int) -> None:
        self._directory = directory
        self._surveyed = {
            p.name: world.frame.geodetic_from_enu(np.array(p.enu_m))
            for p in surveyed_points(world, seed)
        }
        self._photos: dict[str, _Lines] = {}

    def add(self, name: str, taken: Taken) -> None:
        """Enter a photo under the name that readers know it by, and rewrite the files."""
        if name in self._photos:
            raise InputError(f"photo {name} was entered twice", field="photo")
        self._photos[name] = _Lines(
            tuple(f"{name},{m.point},{m.x_px:.3f},{m.y_px:.3f}" for m in taken.marks),
            (_pose_row(name, taken),),
            self._list_rows(name, taken, "gcp"),
            self._list_rows(name, taken, "check"),
        )
        self.write()

    def write(self) -> None:
        """Write the files for all photos so far, in the order of their names."""
        photos = [self._photos[name] for name in sorted(self._photos)]
        self._put("marks.csv", MARK_HEADER, [p.marks for p in photos])
        self._put("poses.csv", POSE_HEADER, [p.pose for p in photos])
        self._put("gcp_list.txt", LIST_HEADER, [p.gcps for p in photos])
        self._put("check_list.txt", LIST_HEADER, [p.checks for p in photos])

    def _put(self, name: str, header: str, groups: list[tuple[str, ...]]) -> None:
        lines = [header, *(line for group in groups for line in group)]
        write_whole(self._directory / name, ("\n".join(lines) + "\n").encode())

    def _list_rows(self, name: str, taken: Taken, kind: str) -> tuple[str, ...]:
        rows = []
        for mark in taken.marks:
            if mark.kind == kind:
                lat, lon, alt = self._surveyed[mark.point]
                rows.append(
                    f"{lon:.10f} {lat:.10f} {alt:.4f} {mark.x_px:.3f} {mark.y_px:.3f} "
                    f"{name} {mark.point}"
                )
        return tuple(rows)


def _pose_row(name: str, taken: Taken) -> str:
    shot, pose = taken.shot, taken.pose
    numbers = [f"{v:.6f}" for v in pose.centre_enu_m]
    numbers += [
        f"{shot.lat_deg:.10f}",
        f"{shot.lon_deg:.10f}",
        f"{shot.alt_ellipsoid_m:.5f}",
    ]
    numbers += [f"{v:.5f}" for v in (shot.yaw_deg, shot.pitch_deg, shot.roll_deg)]
    numbers += [f"{v:.12f}" for v in pose.cam_from_enu.ravel()]
    return ",".join([name, *numbers])


def surface_reference(world: World) -> dict[str, np.ndarray]:
    """Arrays of surface.npz.

    points_enu_m (n, 3), normals (n, 3), labels (n,) with label_names, sky (n,) share of the
    sky that each point sees (points under a car see next to none: no photo shows them), all
    within the survey's surroundings at about SURFACE_SPACING_M; dsm_m (rows, columns), the
    surface seen from above, and dtm_m, the bare ground, at cells of dsm_cell_m whose
    south-west corner is dsm_corner_m; row 0 is the southernmost.
    """
    low = world.survey_polygon_enu_m[:, :2].min(axis=0) - MARGIN_M
    high = world.survey_polygon_enu_m[:, :2].max(axis=0) + MARGIN_M
    return _sampled(world, low, high) | {
        "dsm_m": _from_above(world, low, high, len(Material)),
        "dtm_m": _from_above(world, low, high, GROUND_LAST),
        "dsm_corner_m": low,
        "dsm_cell_m": np.array(DSM_CELL_M),
    }


def _sampled(world: World, low: FloatArray, high: FloatArray) -> dict[str, np.ndarray]:
    mesh, corners = world.mesh, world.corners_enu_m
    centre = corners[:, :, :2].mean(axis=1)
    near = np.nonzero(((centre > low - 1.0) & (centre < high + 1.0)).all(axis=1))[0]
    face = np.cross(corners[near, 1] - corners[near, 0], corners[near, 2] - corners[near, 0])
    area = 0.5 * np.linalg.norm(face, axis=1)
    rng = np.random.default_rng(world.seed)
    wanted = area / SURFACE_SPACING_M**2
    count = np.floor(wanted + rng.random(len(near))).astype(int)
    chosen = np.repeat(near, count)
    r = np.sqrt(rng.random(len(chosen)))
    v = rng.random(len(chosen)) * r
    weights = np.stack([1.0 - r, r - v, v], axis=1)
    points = np.einsum("nk,nkd->nd", weights, corners[chosen])
    normals = np.repeat(face / np.maximum(2.0 * area[:, None], 1e-12), count, axis=0)
    light = world.light
    sky = np.einsum("nk,nk->n", weights, light.sky_at_vertices[mesh.triangles[chosen]])
    labels = mesh.materials[chosen]
    for k in np.nonzero(labels <= GROUND_LAST)[0]:
        sky[k] = sky_over_ground(points[k, 0], points[k, 1], light.ground_grid, light.sky_on_ground)
    inside = _near_polygon(world.survey_polygon_enu_m, points)
    return {
        "points_enu_m": points[inside].astype(np.float32),
        "normals": normals[inside].astype(np.float32),
        "labels": labels[inside].astype(np.int16),
        "label_names": np.array([m.name.lower() for m in Material]),
        "sky": sky[inside].astype(np.float32),
    }


def _near_polygon(polygon: FloatArray, points: FloatArray) -> NDArray[np.bool_]:
    """Whether (n, 3) points lie inside a convex polygon (counter-clockwise) or near it."""
    inside = np.ones(len(points), dtype=bool)
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        side = (b - a)[:2] / np.linalg.norm((b - a)[:2])
        offset = side[0] * (points[:, 1] - a[1]) - side[1] * (points[:, 0] - a[0])
        inside &= offset > -MARGIN_M
    return inside


def _from_above(world: World, low: FloatArray, high: FloatArray, last_material: int) -> np.ndarray:
    columns, rows = (int(v) for v in np.ceil((high - low) / DSM_CELL_M))
    height = np.full((rows, columns), -np.inf, np.float32)
    corners = world.corners_enu_m[world.mesh.materials <= last_material].copy()
    corners[..., :2] -= low
    height_map(np.ascontiguousarray(corners), DSM_CELL_M, height)
    return height
