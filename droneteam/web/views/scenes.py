"""Scenes: progress, orthophoto, cloud, accuracy, measurements and products to take away."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from droneteam import jobs
from droneteam.accounts import TEAM_ROLES
from droneteam.errors import Conflict, DecodeError
from droneteam.photogrammetry import looking, marks, service
from droneteam.photogrammetry.export.numbers import DIAGRAM_SCALES
from droneteam.photogrammetry.scene_params import STAGES
from droneteam.photogrammetry.views import SceneView
from droneteam.web import overlay_legend, points, progress_estimate, scene_islands, tiles
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.files import asks_for_rest, file_response
from droneteam.web.pieces import page_piece
from droneteam.web.scene_files import is_metric, product_path
from droneteam.web.scene_looks import note_taken
from droneteam.web.stage_words import stage_said

bp = Blueprint("scenes", __name__, url_prefix="/scenes")

READERS = ("requester", *sorted(TEAM_ROLES))
_DAY_S = 86_400
ORTHO_KINDS = (
    "distance",
    "horizontal",
    "height",
    "polyline",
    "area",
    "plan_area",
    "slope",
    "angle",
    "volume",
    "profile",
    "section",
)
"""What is measured by tapping on the orthophoto."""
_WITH_HEIGHTS = frozenset({"dsm", "dtm", "cloud", "cloud_copc", "cloud_ply", "mesh", "mesh_ply"})


@bp.get("/")
@allow(*READERS)
def index() -> str:
    """The scenes that the actor may see, the newest first."""
    with reading() as session:
        scenes, older = page_piece(
            lambda piece: service.list_scenes(session, actor(), context().settings, piece)
        )
    may_open = actor().has_role(*service.BUILDERS)
    return render_template("scenes.html", scenes=scenes, older=older, may_open=may_open)


@bp.get("/<id:scene_id>")
@allow(*READERS)
def show(scene_id: int) -> str:
    """One scene."""
    scene = get_scene(scene_id)
    return render_template(
        "scene.html",
        scene=scene,
        summary=scene.summary or {},
        stages=stage_rows(scene),
        products=product_rows(scene),
        ortho=scene_islands.ortho(scene),
        cloud=scene_islands.cloud(scene, _photo_sizes(scene)),
        legend=overlay_legend.legend(scene.products),
        metric=is_metric(scene),
        may_build=actor().has_role(*service.BUILDERS),
        may_measure=actor().has_role(*service.MEASURERS),
        adjust_digest=_adjust_digest(scene),
        surface_kinds=ORTHO_KINDS,
        surveyed=any(stage["name"] == "surface" for stage in scene.stages),
        scales=DIAGRAM_SCALES,
        left_s=progress_left_s(scene),
    )


@bp.post("/<id:scene_id>/build")
@allow(*service.BUILDERS)
def build(scene_id: int) -> BaseResponse:
    """Building, or on the way to it."""
    with writing() as session:
        service.request_build(session, actor(), scene_id, now())
    flash(_("The reconstruction waits for a worker."), "done")
    return redirect(url_for("scenes.show", scene_id=scene_id))


@bp.post("/<id:scene_id>/cancel")
@allow(*service.BUILDERS)
def cancel(scene_id: int) -> BaseResponse:
    """Stopped; what is finished stays and is used when it is built again."""
    if stop_build(scene_id):
        flash(_("The reconstruction stops; finished stages are kept."), "done")
    return redirect(url_for("scenes.show", scene_id=scene_id))


@bp.get("/<id:scene_id>/progress.json")
@allow(*READERS)
def progress(scene_id: int) -> Response:
    """How far the work is, for the page's island."""
    scene = get_scene(scene_id)
    return jsonify(state=scene.state, stages=stage_rows(scene), left_s=progress_left_s(scene))


@bp.get("/<id:scene_id>/ortho/<int:level>/<int:column>/<int:row>.png")
@allow(*READERS)
def tile(scene_id: int, level: int, column: int, row: int) -> Response:
    """A piece of the orthophoto."""
    path = product_path(get_scene(scene_id), "orthophoto")
    response = Response(tiles.tile_png(path, level, column, row), mimetype="image/png")
    response.headers["Cache-Control"] = f"private, max-age={_DAY_S}"
    return response


@bp.get("/<id:scene_id>/points.bin")
@allow(*READERS)
def cloud_points(scene_id: int) -> Response:
    """The cloud within the browser's budget."""
    path = cloud_buffer(get_scene(scene_id))
    keep_s = _DAY_S if "v" in request.args else 0
    return file_response(path, media_type="application/octet-stream", keep_s=keep_s)


@bp.get("/<id:scene_id>/cloud-<view>.png")
@allow(*READERS)
def cloud_picture(scene_id: int, view: str) -> Response:
    """The cloud as a picture, for browsers without WebGL and for print."""
    scene = get_scene(scene_id)
    cloud = product_path(scene, "cloud")
    path = points.picture(cloud, _cache(scene_id), view, octree=_octree(scene))
    return file_response(path, media_type="image/png")


@bp.get("/<id:scene_id>/products/<kind>")
@allow(*READERS)
def product(scene_id: int, kind: str) -> Response:
    """A product's file, in ranges when asked."""
    return take_product(scene_id, kind)


def take_product(scene_id: int, kind: str) -> Response:
    """A product's file; the audit chain says who took it, once for a download that goes on."""
    path = product_path(get_scene(scene_id), kind)
    if not _goes_on(scene_id, kind):
        note_taken(scene_id, kind)
    return file_response(path, name=f"scene-{scene_id}-{path.name}")


def _goes_on(scene_id: int, kind: str) -> bool:
    """Whether the rest of a download is asked for that the chain knows of."""
    if not asks_for_rest(request.range):
        return False
    with reading() as session:
        return looking.is_known_taking(session, actor(), scene_id, kind, now())


def get_scene(scene_id: int) -> SceneView:
    """The scene, where the actor may see it."""
    with reading() as session:
        return service.get_scene(session, actor(), scene_id, context().settings)


def stop_build(scene_id: int) -> bool:
    """Whether there was a build to stop."""
    job = get_scene(scene_id).job
    if job is None or job.state not in jobs.OPEN_STATES:
        return False
    with writing() as session:
        jobs.cancel(session, job.id, at=now())
    return True


def stage_rows(scene: SceneView) -> list[dict[str, Any]]:
    """Every stage with its state and how far it is; the job's word counts while it runs."""
    finished: Mapping[str, Any] = {stage["name"]: stage for stage in scene.stages}
    job = scene.job
    running = job is not None and job.state in jobs.OPEN_STATES
    current = STAGES.index(job.stage) if job is not None and job.stage in STAGES else -1
    rows = []
    for number, name in enumerate(STAGES):
        done = number < current if running else name in finished
        here = running and number == current and job is not None
        rows.append(
            {
                "name": name,
                "fraction": 1.0 if done else (job.fraction if here and job else 0.0),
                "message": stage_said(job.message) if here and job else "",
                "wall_s": finished.get(name, {}).get("wall_s") if done else None,
            }
        )
    return rows


def progress_left_s(scene: SceneView) -> float | None:
    """Seconds that the build under way still takes, about; None before anything can be said."""
    job = scene.job
    if job is None or job.state != "running" or job.started_at is None:
        return None
    elapsed_s = (now() - job.started_at).total_seconds()
    return progress_estimate.left_s(job.stage, job.fraction, elapsed_s, scene.stages)


def product_rows(scene: SceneView) -> list[dict[str, Any]]:
    """What can be taken away, with size, hash, reference system and what heights are above."""
    summary = scene.summary or {}
    datum = summary.get("datum", {}).get("vertical")
    return [
        {**row, **placed(scene.folder / row["path"], row["kind"], datum)}
        for row in summary.get("products", [])
        if (scene.folder / row["path"]).is_file()
    ]


def placed(path: Path, kind: str, datum: str | None) -> dict[str, str | None]:
    """The reference system that the file itself states, and the datum of the heights in it."""
    crs = _stated_crs(path, path.stat().st_mtime_ns)
    return {"crs": crs, "heights": datum if kind in _WITH_HEIGHTS else None}


@lru_cache(maxsize=1024)
def _stated_crs(path: Path, _stamp_ns: int) -> str | None:
    """A file's reference system; opening all products of a scene takes 50 ms each time."""
    try:
        match path.suffix:
            case ".tif":
                return tiles.reference_system(path)
            case ".laz":
                return points.reference_system(path)
    except DecodeError:
        return None
    return "EPSG:4326" if path.suffix == ".geojson" else None


def _photo_sizes(scene: SceneView) -> Mapping[str, tuple[int, int]]:
    """Sizes of the photos that have a place; none before the scene was built."""
    try:
        with reading() as session:
            return marks.photo_sizes(session, actor(), scene.id, context().settings)
    except Conflict:
        return {}


def _adjust_digest(scene: SceneView) -> str | None:
    """The camera network of the last build."""
    return next((row["digest"] for row in scene.stages if row["name"] == "adjust"), None)


def cloud_buffer(scene: SceneView) -> Path:
    """The cloud's points within the browser's budget, of which its pictures are drawn."""
    cloud = product_path(scene, "cloud")
    return points.point_buffer(cloud, _cache(scene.id), octree=_octree(scene))


def _octree(scene: SceneView) -> Path | None:
    """The cloud as COPC; None in scenes built before there was one."""
    path = scene.products.get("cloud_copc")
    return path if path is not None and path.is_file() else None


def _cache(scene_id: int) -> Path:
    folder = context().settings.blob_dir("cache") / f"scene-{scene_id}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
