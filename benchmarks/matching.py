"""What single pairs say about depth, against the exact depth of a rendered world.

    python -m benchmarks.matching FOLDER [--pairs 7] [--set normalise_px=31,paths=8way] ...

Seconds instead of minutes: for comparing matcher parameters, one line for each `--set` and one for
the defaults.  FOLDER's world.json must name a world that this version still builds alike.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered import FACING_COS, load
from droneteam.errors import InputError
from droneteam.photogrammetry.dense import pairs, rectify, stereo
from droneteam.photogrammetry.dense.semiglobal import MatchParams
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, View
from sitl.lens import Pose, SimCamera
from sitl.materials import GROUND_LAST, Material
from sitl.mesh import Mesh
from sitl.render import visibility
from sitl.world import NamedPoint, World
from sitl.worlds import make_world

RIGHT_GSD = 3.0
PARTNERS = 4
MESH_NAME = "mesh.npz"
SAME_M = 0.001
"""A rebuilt world's points are those of the set within this."""
BEHIND_M = 0.02
"""A reference point may lie this far behind the renderer's surface and still be on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Exact depth (h, w) along the axis on a photo's undistorted grid, and the material there."""

    depth_m: NDArray[np.float32]
    material: NDArray[np.int64]

    def kinds(self) -> dict[str, NDArray[np.bool_]]:
        """Pixels of the surfaces that are compared."""
        return {
            "car": self.material == Material.CAR_BODY,
            "leaves": self.material == Material.LEAVES,
            "ground": (self.material >= 0) & (self.material <= GROUND_LAST),
        }


def true_depth(world: World, view: View) -> Truth:
    """What the view would see without its lens's distortion."""
    camera = view.camera
    (focal, _), (cx, cy) = camera.focal_px, camera.principal_px
    ideal = SimCamera(
        width_px=camera.width_px, height_px=camera.height_px, focal_px=focal, cx_px=cx, cy_px=cy,
        k1=0.0, k2=0.0,
    )  # fmt: skip
    pose = Pose(view.centre_enu_m, np.ascontiguousarray(view.cam_from_enu[:, :3]))
    depth, triangle = visibility(world, ideal, pose)
    return Truth(depth, np.where(triangle >= 0, world.mesh.materials[triangle], -1))


def exactly_visible(
    world: World, views: tuple[View, ...], points_enu_m: FloatArray, normals: FloatArray
) -> NDArray[np.bool_]:
    """(views, n) which photos show each point, by the depth that the renderer itself has there.

    `rendered.visible` needs no world, but takes points a little behind an edge for visible, and
    many on walls that a photo sees grazing.
    """
    shown = np.zeros((len(views), len(points_enu_m)), bool)
    for row, view in zip(shown, views, strict=True):
        camera = view.camera
        (focal, _), principal = camera.focal_px, np.array(camera.principal_px)
        local = points_enu_m @ view.cam_from_enu[:, :3].T + view.cam_from_enu[:, 3]
        away = view.centre_enu_m - points_enu_m
        facing = np.sum(away * normals, axis=1) > FACING_COS * np.linalg.norm(away, axis=1)
        candidates = np.flatnonzero(facing & (local[:, 2] > 0.0))
        pixel = local[candidates, :2] / local[candidates, 2:] * focal + principal
        framed = np.all((pixel > 1.0) & (pixel < [camera.width_px - 1, camera.height_px - 1]), 1)
        candidates, (column, line) = candidates[framed], pixel[framed].astype(int).T
        # The farthest of the pixels around: on a slope the point need not be at its pixel's middle.
        farthest = cv2.dilate(true_depth(world, view).depth_m, np.ones((3, 3), np.uint8))
        row[candidates] = local[candidates, 2] <= farthest[line, column] + BEHIND_M
    return shown


def keep_mesh(mesh: Mesh, folder: Path) -> None:
    """Write the geometry beside its photos: recipes change, and depths are asked later."""
    arrays = {field.name: getattr(mesh, field.name) for field in fields(Mesh)}
    np.savez_compressed(folder / MESH_NAME, **arrays)


def kept_mesh(folder: Path) -> Mesh | None:
    """The geometry that `keep_mesh` wrote; None where a set has none."""
    if not (folder / MESH_NAME).exists():
        return None
    with np.load(folder / MESH_NAME) as kept:
        return Mesh(**kept)


def world_of(folder: Path) -> World:
    """The world that a set was rendered in: built anew, with the set's own mesh where it has one.

    Raises
    ------
    InputError
        The set has no mesh, and its recipe is no longer what it was.
    """
    facts = json.loads((folder / "world.json").read_text())
    world = make_world(facts["world"], facts["seed"])
    mesh = kept_mesh(folder)
    if mesh is not None:
        return replace(world, mesh=mesh)
    require_same(world.points, facts["points"], folder)
    return world


def require_same(
    points: Iterable[NamedPoint], rows: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    """Nothing, when a rebuilt world's named points are those of the set's world.json.

    Raises
    ------
    InputError
        Names the one that is farthest off, and what to do.
    """
    now = {point.name: np.array(point.enu_m) for point in points}
    moved = {
        name: float(np.linalg.norm(now[name] - row["enu_m"])) if name in now else np.inf
        for name, row in rows.items()
    }
    name = max(moved, key=moved.__getitem__)
    if moved[name] > SAME_M:
        raise InputError(
            f"this version builds the world of {folder} otherwise than it was rendered: {name} is "
            f"{moved[name]:.3f} m off. The set's own files hold; for exact depths add the mesh it "
            f"was rendered from ({MESH_NAME}), or render one with benchmarks.render_set",
            field="folder",
        )


def compare(
    network: CameraNetwork, chosen: list[tuple[int, int]], truth: dict[int, Truth], how: MatchParams
) -> str:
    """One line: CPU seconds, and per kind of surface the share right of all and of matched."""
    seen = pairs.visibility(network)
    counts = {kind: np.zeros(3) for kind in ("car", "leaves", "ground")}
    started = time.process_time()
    for pair in chosen:
        views = (network.views[pair[0]], network.views[pair[1]])
        geometry = rectify.rectify_pair(*pair, views, seen.points_of(*pair))
        if geometry is None:
            continue
        grays = (stereo.read_gray(views[0]), stereo.read_gray(views[1]))
        found = stereo.match_pair(geometry, views, grays, how)
        for index, hypothesis in zip(pair, found, strict=True):
            exact = truth[index]
            gsd_m = exact.depth_m / network.views[index].camera.focal_px[0]
            off = np.abs(1.0 / hypothesis.inverse_depth - exact.depth_m) / gsd_m
            for kind, mask in exact.kinds().items():
                known = off[mask][~np.isnan(off[mask])]
                counts[kind] += (mask.sum(), known.size, np.sum(known < RIGHT_GSD))
    cpu_s = time.process_time() - started
    shares = [
        f"{kind} {100 * right / max(total, 1):.1f} % right of all, "
        f"{100 * right / max(known, 1):.1f} % of matched"
        for kind, (total, known, right) in counts.items()
    ]
    return f"{cpu_s:5.1f} CPU s; " + "; ".join(shares)


def changed(text: str) -> MatchParams:
    """The default parameters with `name=value,name=value` changed, in their own types."""
    values: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        values[name] = type(getattr(MatchParams(), name))(value)
    return replace(MatchParams(), **values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    world = world_of(options.folder)
    with tempfile.TemporaryDirectory() as scratch:
        network, _ = load(options.folder, Path(scratch))
    seen = pairs.visibility(network)
    every = pairs.choose_pairs(network, pairs.neighbours(network, seen), PARTNERS)
    chosen = every[:: max(1, len(every) // max(1, options.pairs - 1))]
    truth = {v: true_depth(world, network.views[v]) for v in {v for pair in chosen for v in pair}}
    compare(network, chosen[:1], truth, MatchParams())  # loads the compiled kernels
    for text in ["", *options.changes]:
        print(f"{text or 'defaults':32}", compare(network, chosen, truth, changed(text)))


if __name__ == "__main__":
    main()
