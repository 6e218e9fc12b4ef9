"""Dense stereo: from registered photos to a cloud with normals, colours and per-point sigma.

Pairs of photos are rectified and matched (`rectify`, `stereo`); each photo's hypotheses are
merged to a depth map that is kept on disk; the depth maps are checked against each other and
fused (`fuse`).  Everything that was finished before a kill is found again by the next run; a
changed photo, camera or parameter changes the key and starts afresh.

Matching has two rounds: pairs along the plane that they mostly see, the ground; then pairs along
the walls that the depth maps of the first round show (`facades`).

Files in the working directory: `dense.json` (key and what is finished), `first/NNNN.npy` and
`depth/NNNN.npy` (a photo's depth map after the first and the second round, (2, h, w) float32:
inverse depth and its 1-sigma, 1/m, NaN where unknown), `walls.npz` and `cloud.npz`.  Matching
holds a few photos in memory, fusion maps the depth files from disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError, SceneError
from droneteam.photogrammetry.dense import (
    facades,
    first_pass,
    fuse,
    hypothesis_file,
    pairs,
    rectify,
    stereo,
)
from droneteam.photogrammetry.dense.facades import Facade
from droneteam.photogrammetry.dense.fuse import DepthMap
from droneteam.photogrammetry.dense.hypothesis_file import replacing
from droneteam.photogrammetry.dense.photo_cache import PhotoCache
from droneteam.photogrammetry.dense.semiglobal import MatchParams
from droneteam.photogrammetry.dense.stereo import Hypothesis
from droneteam.photogrammetry.executor import Executor, LocalExecutor
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, View

Progress = Callable[[str, float, str], None]
Preset = Literal["preview", "normal", "full"]

STAGE = "dense"
PAIR_BYTES_PER_PIXEL = 80
"""What matching a pair takes at most, per pixel of the larger photo: 41 measured for each pixel of
the canvas where that is two thirds of the photo, and 16 + 16 of each where it is larger."""
MAPPED_BYTES = 1_000_000_000
"""Of depth maps in memory at once during fusion: thirty of 4 megapixels, as many as are asked."""
FORMAT = 8
"""Raised when the files' meaning or the algorithm changes, so that old files are not reused."""
MATCH_SHARE = 0.8
"""Share of the stage's time that matching takes; the rest is fusion (measured)."""
WALL_SHARE = 0.1
"""Share of the stage's time that matching along walls takes."""
INVERSE_DEPTH_MARGIN = 2.0
"""How far beyond its sparse points' depths, as a factor, a photo's surface is looked for."""
_FOLDERS = ("first", "depth", "pairs")


@dataclass(frozen=True, slots=True)
class DenseParams:
    """How dense stereo is done.

    max_pixels : photos larger than this are reduced to it; partners : stereo partners per photo;
    checkers : photos asked to confirm each photo's points; min_views : photos that must agree
    (lowered to what a small set can give, at least 2); wall_partners : stereo partners per photo
    along each wall that it sees, 0 for none; workers : threads.
    """

    max_pixels: int = 4_000_000
    partners: int = 4
    checkers: int = 10
    min_views: int = 3
    wall_partners: int = 2
    workers: int = 2
    match: MatchParams = field(default_factory=MatchParams)

    def __post_init__(self) -> None:
        limits = {"max_pixels": 10_000, "partners": 1, "checkers": 1, "min_views": 2, "workers": 1}
        limits["wall_partners"] = 0
        for name, lowest in limits.items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name} must be at least {lowest}", field=name)

    @staticmethod
    def preset(name: Preset) -> DenseParams:
        """The named preset: preview within seconds, normal, or full resolution."""
        match name:
            case "preview":
                return DenseParams(max_pixels=400_000, partners=3, checkers=6, wall_partners=0)
            case "normal":
                return DenseParams()
            case "full":
                return DenseParams(max_pixels=1_000_000_000, partners=6)
        raise InputError(f"preset {name!r} is not preview, normal or full", field="preset")


def dense_cloud(
    network: CameraNetwork,
    workdir: Path,
    params: DenseParams,
    progress: Progress,
    executor: Executor | None = None,
) -> DenseCloud:
    """The fused cloud of the network's photos, resuming what an earlier run left in `workdir`.

    Raises
    ------
    SceneError
        When no two photos make a usable stereo pair, or a photo cannot be read.
    """
    job = _plan(network, workdir, params)
    cached = workdir / "cloud.npz"
    if job.progressed.fused and cached.exists():
        progress(STAGE, 1.0, "cloud found from an earlier run")
        return load_cloud(cached)
    _match_all(job, progress, executor or LocalExecutor(params.workers))
    cloud = _fuse_all(job, progress)
    save_cloud(cloud, cached)
    job.progressed.fused = True
    job.progressed.save(job.workdir)
    progress(STAGE, 1.0, f"{len(cloud.points_enu_m)} points")
    return cloud


def load_depth_map(path: Path) -> DepthMap:
    """A photo's depth map, mapped from disk rather than read."""
    data = np.load(path, mmap_mode="r")
    return DepthMap(data[0], data[1])


def save_cloud(cloud: DenseCloud, path: Path) -> None:
    """Writes a cloud as npz, all or nothing."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            points_enu_m=cloud.points_enu_m,
            normals=cloud.normals,
            colors=cloud.colors,
            sigma_m=cloud.sigma_m,
            n_views=cloud.n_views,
        )


def load_cloud(path: Path) -> DenseCloud:
    """A cloud that `save_cloud` wrote."""
    with np.load(path, allow_pickle=False) as data:
        return DenseCloud(**{name: data[name] for name in data.files})


def load_sigmas(path: Path) -> NDArray[np.floating]:
    """The standard deviation of every point of such a cloud in metres (n,), and nothing else."""
    with np.load(path, allow_pickle=False) as data:
        return np.asarray(data["sigma_m"])


@dataclass(slots=True)
class _Progressed:
    """What is finished, on disk."""

    key: str
    merged: list[int] = field(default_factory=list)
    walled: list[int] = field(default_factory=list)
    fused: bool = False

    def save(self, workdir: Path) -> None:
        with replacing(workdir / "dense.json") as partial:
            partial.write_text(json.dumps(asdict(self)))


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """Two photos to match, along the plane that they mostly see (wall = -1) or along a wall."""

    left: int
    right: int
    wall: int = -1

    @property
    def views(self) -> tuple[int, int]:
        """Both photos."""
        return self.left, self.right


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """Everything that is settled before the first pair is matched."""

    views: tuple[View, ...]
    chosen: list[Match]
    partners: list[list[int]]
    seen: pairs.Visibility
    inverse_range: list[tuple[float, float]]
    workdir: Path
    params: DenseParams
    progressed: _Progressed

    def first_path(self, view: int) -> Path:
        return self.workdir / "first" / f"{view:04d}.npy"

    def depth_path(self, view: int) -> Path:
        return self.workdir / "depth" / f"{view:04d}.npy"

    def hypothesis_path(self, view: int, match: Match) -> Path:
        name = f"{view:04d}_{match.left:04d}_{match.right:04d}_{match.wall + 1:04d}.npz"
        return self.workdir / "pairs" / name


def _plan(network: CameraNetwork, workdir: Path, params: DenseParams) -> _Job:
    views = tuple(stereo.resized(v, _scale(v, params.max_pixels)) for v in network.views)
    seen = pairs.visibility(network)
    ranked = pairs.neighbours(network, seen)
    usable = pairs.rectifiable(views, seen)
    chosen = pairs.choose_pairs(network, ranked, params.partners, usable)
    chosen = pairs.add_where_thin(chosen, ranked, seen, 2 * params.partners, usable)
    if not chosen:
        raise SceneError(
            STAGE,
            "no two photos see the same surface under a usable angle",
            help="Take photos that overlap by two thirds from different places",
        )
    matches = [Match(*pair) for pair in chosen]
    for folder in _FOLDERS:
        (workdir / folder).mkdir(parents=True, exist_ok=True)
    key = _key(views, matches, params)
    return _Job(
        views=views,
        chosen=matches,
        partners=[[n.view for n in row] for row in ranked],
        seen=seen,
        inverse_range=[_inverse_range(seen.points_of(i), v) for i, v in enumerate(views)],
        workdir=workdir,
        params=params,
        progressed=_resume(workdir, key),
    )


def _scale(view: View, max_pixels: int) -> float:
    return min(1.0, math.sqrt(max_pixels / (view.camera.width_px * view.camera.height_px)))


def _key(views: tuple[View, ...], chosen: list[Match], params: DenseParams) -> str:
    """Digest of all that the depth maps depend on; worker count is not among it."""
    digest = hashlib.sha256(f"dense {FORMAT} {params.match} {params.checkers}".encode())
    digest.update(f"{params.wall_partners} ".encode())
    digest.update(f"{params.min_views} {chosen}".encode())
    for view in views:
        size = view.path.stat().st_size if view.path.exists() else -1
        digest.update(f"{view.name} {size} {view.camera}".encode())
        digest.update(np.ascontiguousarray(view.cam_from_enu).tobytes())
    return digest.hexdigest()


def _resume(workdir: Path, key: str) -> _Progressed:
    """What an earlier run with the same key finished; files of another key are removed."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = _Progressed(**json.loads((workdir / "dense.json").read_text()))
        if found.key == key:
            return found
    for folder in _FOLDERS:
        for stale in (workdir / folder).glob("*"):
            stale.unlink()
    for name in ("walls.npz", "cloud.npz"):
        (workdir / name).unlink(missing_ok=True)
    fresh = _Progressed(key)
    fresh.save(workdir)
    return fresh


def _inverse_range(points_enu_m: NDArray[np.float64], view: View) -> tuple[float, float]:
    """Inverse depths (1/m) between which a photo's surface may lie."""
    depth = points_enu_m @ view.cam_from_enu[2, :3] + view.cam_from_enu[2, 3]
    depth = depth[depth > 0.0]
    if depth.size < pairs.MIN_COMMON_POINTS:
        return 0.0, 0.0
    near, far = np.quantile(depth, (0.005, 0.995))
    return float(1.0 / (far * INVERSE_DEPTH_MARGIN)), float(INVERSE_DEPTH_MARGIN / near)


@dataclass(frozen=True, slots=True, eq=False)
class _Round:
    """Matches of one kind; finished : photos that have all of them merged into their depth maps;
    walls : what the matches' wall numbers mean; shares : of the stage, where it begins and ends."""

    matches: list[Match]
    finished: list[int]
    walls: list[Facade]
    shares: tuple[float, float]


def _match_all(job: _Job, progress: Progress, executor: Executor) -> None:
    """Both rounds of matching; every photo has its depth map afterwards."""
    walled = job.params.wall_partners > 0
    first_end = MATCH_SHARE - (WALL_SHARE if walled else 0.0)
    first = _Round(job.chosen, job.progressed.merged, [], (0.0, first_end))
    _match_round(job, first, progress, executor)
    walls = _walls(job) if walled else []
    second = _Round(
        _wall_matches(job, walls), job.progressed.walled, walls, (first_end, MATCH_SHARE)
    )
    _match_round(job, second, progress, executor)


def _match_round(job: _Job, which: _Round, progress: Progress, executor: Executor) -> None:
    """Matches every pair that is not done yet and merges photos as they become complete."""
    finished = frozenset(which.finished)
    waiting = {v: {m for m in which.matches if v in m.views} for v in range(len(job.views))}
    todo = [match for match in which.matches if not _match_done(job, match, finished)]
    for match in set(which.matches) - set(todo):
        for view in match.views:
            waiting[view].discard(match)
    task = _Task(job, which.walls, PhotoCache(job.views, 2 * job.params.workers + 2), finished)
    _merge_ready(job, which, waiting)
    largest = max(view.camera.width_px * view.camera.height_px for view in job.views)
    matched = executor.map(_match_one, task, todo, unit_bytes=PAIR_BYTES_PER_PIXEL * largest)
    start, end = which.shares
    for done, match in enumerate(matched, start=1):
        for view in match.views:
            waiting[view].discard(match)
        _merge_ready(job, which, waiting)
        share = start + (end - start) * done / len(todo)
        progress(STAGE, share, f"stereo pair {done} of {len(todo)}")


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What all pairs share; finished : photos that an earlier run is done with."""

    job: _Job
    walls: list[Facade]
    photos: PhotoCache
    finished: frozenset[int]


def _match_one(task: _Task, match: Match) -> Match:
    """Matches one pair and stores what it says about each of its photos."""
    job, photos = task.job, task.photos
    views = (job.views[match.left], job.views[match.right])
    if match.wall < 0:
        geometry = rectify.rectify_pair(*match.views, views, job.seen.points_of(*match.views))
    else:
        points = task.walls[match.wall].points_of(*match.views)
        geometry = rectify.rectify_facade(*match.views, views, points)
    found: tuple[Hypothesis | None, Hypothesis | None] = (None, None)
    if geometry is not None:
        grays = (photos.gray(match.left), photos.gray(match.right))
        found = stereo.match_pair(geometry, views, grays, job.params.match)
    for view, hypothesis in zip(match.views, found, strict=True):
        if view not in task.finished:
            hypothesis_file.save(
                job.hypothesis_path(view, match), hypothesis, job.inverse_range[view]
            )
    return match


def _match_done(job: _Job, match: Match, finished: frozenset[int]) -> bool:
    return all(v in finished or job.hypothesis_path(v, match).exists() for v in match.views)


def _walls(job: _Job) -> list[Facade]:
    """The walls that the first round shows, and structure from motion's points.

    They are written down before any depth map changes, so that a resumed run finds the same.
    """
    path = job.workdir / "walls.npz"
    if not path.exists():
        maps = _MappedDepths(job.first_path)
        grid = tuple(_pinhole(view) for view in job.views)
        sample = first_pass.surface_sample(grid, maps.of, job.partners, job.params.checkers)
        found = facades.find_facades(
            first_pass.joined(job.seen, sample), first_pass.sampling_m(job.seen, job.views)
        )
        with replacing(path) as partial, partial.open("wb") as file:
            facades.save(found, file)
    return facades.load(path)


def _wall_matches(job: _Job, walls: list[Facade]) -> list[Match]:
    """Pairs along the walls, the largest walls first, at most as many as along the ground."""
    partners = job.params.wall_partners
    matches = [
        Match(*pair, number)
        for number, wall in enumerate(walls)
        for pair in facades.facade_pairs(job.views, job.seen, wall, partners)
    ]
    return matches[: len(job.chosen)]


def _merge_ready(job: _Job, which: _Round, waiting: dict[int, set[Match]]) -> None:
    """Merges each photo whose pairs are all matched, and drops its hypotheses.

    What a file is made of goes only after it is written and noted: a kill loses nothing.
    """
    first_round = which.finished is job.progressed.merged
    for view in [v for v, left in waiting.items() if not left and v not in which.finished]:
        paths = [job.hypothesis_path(view, m) for m in which.matches if view in m.views]
        first = job.first_path(view)
        depth = _merged(job, view, paths, None if first_round else load_depth_map(first))
        target = first if first_round else job.depth_path(view)
        with replacing(target) as partial, partial.open("wb") as file:
            np.save(file, np.stack([depth.inverse_depth, depth.sigma]))
        which.finished.append(view)
        which.finished.sort()
        job.progressed.save(job.workdir)
        for path in (*paths, *(() if first_round else (first,))):
            path.unlink(missing_ok=True)


def _merged(job: _Job, view: int, paths: list[Path], before: DepthMap | None) -> DepthMap:
    """The photo's consensus depth map; all unknown where no pair said anything.

    before : what an earlier round made of it, which counts as one opinion.
    """
    stored = [
        s
        for path in paths
        if (s := hypothesis_file.load(path, job.inverse_range[view])) is not None
    ]
    if before is not None and not stored:
        return before
    camera = job.views[view].camera
    shape = (camera.height_px, camera.width_px)
    depth = DepthMap(np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32))
    for rows in stereo.strips(camera.height_px) if stored else ():
        strip = slice(rows.start, rows.stop)
        said = [s.rows(strip) for s in stored]
        silent = np.all([np.isnan(h.inverse_depth) for h in said], axis=0)
        if before is not None:
            said.append(Hypothesis(before.inverse_depth[strip], before.sigma[strip]))
        inverse = np.stack([h.inverse_depth for h in said])
        sigma = np.stack([h.sigma for h in said])
        merged, _ = fuse.merge(inverse, sigma, job.views[view])
        depth.inverse_depth[strip], depth.sigma[strip] = merged.inverse_depth, merged.sigma
        if before is not None:  # an opinion alone, merged anew, would only grow less sure
            depth.inverse_depth[strip][silent] = before.inverse_depth[strip][silent]
            depth.sigma[strip][silent] = before.sigma[strip][silent]
    return depth


def _fuse_all(job: _Job, progress: Progress) -> DenseCloud:
    grid = tuple(_pinhole(view) for view in job.views)
    registered = sum(1 for row in job.partners if row)
    return fuse.fuse(
        grid,
        _MappedDepths(job.depth_path).of,
        lambda view: _grid_colours(job.views[view]),
        job.partners,
        job.params.checkers,
        max(2, min(job.params.min_views, registered)),
        lambda share: progress(STAGE, MATCH_SHARE + (1.0 - MATCH_SHARE) * share, "fusing"),
    )


class _MappedDepths:
    """The depth maps used last, mapped from disk; others are let go, and their memory with them."""

    def __init__(self, path_of: Callable[[int], Path]) -> None:
        self._path_of = path_of
        self._held: OrderedDict[int, DepthMap] = OrderedDict()
        self._bytes = 0

    def of(self, view: int) -> DepthMap:
        """A photo's depth map."""
        if view in self._held:
            self._held.move_to_end(view)
            return self._held[view]
        depth = load_depth_map(self._path_of(view))
        self._held[view] = depth
        self._bytes += _map_bytes(depth)
        while self._bytes > MAPPED_BYTES and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= _map_bytes(oldest)
        return depth


def _map_bytes(depth: DepthMap) -> int:
    return depth.inverse_depth.nbytes + depth.sigma.nbytes


def _pinhole(view: View) -> View:
    """The view without its lens distortion: the grid of its depth map."""
    camera = view.camera
    (fx, fy), (cx, cy) = camera.focal_px, camera.principal_px
    ideal = type(camera)("PINHOLE", camera.width_px, camera.height_px, (fx, fy, cx, cy))
    return View(view.name, view.path, ideal, view.cam_from_enu)


def _grid_colours(view: View) -> NDArray[np.uint8]:
    return stereo.undistorted_colour(view)
