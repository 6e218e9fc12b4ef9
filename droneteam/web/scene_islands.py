"""What the islands of a scene's page need: addresses, sizes and words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from droneteam.errors import DroneteamError
from droneteam.photogrammetry import service
from droneteam.photogrammetry.views import SceneView
from droneteam.web import (
    camera_places,
    cloud_opening,
    kept_places,
    overlays,
    phototiles,
    points,
    tiles,
)
from droneteam.web.cloud_views import PICTURE_PX, VIEWS
from droneteam.web.context import actor
from droneteam.web.scene_files import is_metric, product_path
from droneteam.web.words import PHOTO_VERDICTS, named


def ortho(scene: SceneView) -> dict[str, Any] | None:
    """What the orthophoto's island needs, or None without an orthophoto."""
    try:
        path = product_path(scene, "orthophoto")
        info = tiles.raster_info(path)
    except DroneteamError:
        return None
    base = url_for("scenes.tile", scene_id=scene.id, level=0, column=0, row=0)
    grid = kept_places.grid_of(path)
    stamp = f"{path.stat().st_mtime_ns:x}"
    return {
        "tileUrl": base.replace("/0/0/0.png", "/{z}/{x}/{y}.png") + f"?v={stamp}",
        "whole": f"{base}?v={stamp}",
        "widthPx": info.width_px,
        "heightPx": info.height_px,
        "mPerPx": info.m_per_px,
        "tilePx": tiles.TILE_PX,
        "levels": info.levels,
        "metric": is_metric(scene),
        "overlays": {
            name: url.replace("/0/0/0.png", "/{z}/{x}/{y}.png") + f"?v={stamp}"
            for name, url in _overlay_urls(scene).items()
        },
        "cameras": cameras(scene, path),
        "kept": kept_places.on_raster(scene, path),
        "crs": grid.name,
        "affine": grid.affine,
        **measuring_urls(scene),
        "texts": {
            "camera": _("{photo}: {state}"),
            **measuring_texts(),
            "zoomIn": _("Zoom in"),
            "zoomOut": _("Zoom out"),
            "hint": _("Tap the points; tap the last one twice to end."),
            "place": _("East {east} m, north {north} m"),
            "twoNumbers": _("Type two numbers: east and north in metres."),
            "notMetric": _("The scene has no scale, so nothing can be measured."),
        },
    }


def _overlay_urls(scene: SceneView) -> dict[str, str]:
    """The first tile of every overlay that the scene has."""
    return {
        name: url_for("viewing.overlay", scene_id=scene.id, name=name, level=0, column=0, row=0)
        for name, kind in overlays.OVERLAYS.items()
        if kind in scene.products and scene.products[kind].is_file()
    }


def cloud(scene: SceneView, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any] | None:
    """What the cloud's island needs, or None without a cloud.

    sizes : of the photos that have a place, in pixels.
    """
    try:
        path = product_path(scene, "cloud")
        middle = points.middle(path)
    except DroneteamError:
        return None
    base = f"/api/v1/scenes/{scene.id}"
    tile = url_for("marking.tile", scene_id=scene.id, photo="PHOTO", level=0, column=0, row=0)
    return {
        "pointsUrl": url_for("scenes.cloud_points", scene_id=scene.id, v=_stamp(path)),
        "pictureUrls": {
            view: url_for("scenes.cloud_picture", scene_id=scene.id, view=view) for view in VIEWS
        },
        "pictureSize": PICTURE_PX,
        "behindUrl": f"{base}/surface/behind",
        "copcUrl": _kept_url(scene, "cloud_copc", "viewing.cloud"),
        "opened": _opened(scene, middle),
        "meshUrl": _kept_url(scene, "mesh", "viewing.mesh"),
        "camerasUrl": f"{base}/cameras",
        "photosUrl": f"{base}/surface/photos",
        "previewUrl": url_for("marking.preview", scene_id=scene.id, photo="PHOTO"),
        "tileUrl": tile.replace("/0/0/0.jpg", "/{z}/{x}/{y}.jpg"),
        "tilePx": phototiles.TILE_PX,
        "photos": {name: phototiles.facts(*size) for name, size in sizes.items()},
        "middle": middle,
        "kept": kept_places.in_cloud(scene, path),
        **measuring_urls(scene),
        "metric": is_metric(scene),
        "texts": {**_cloud_texts(), **measuring_texts(), **_photo_texts()},
    }


def _kept_url(scene: SceneView, kind: str, endpoint: str) -> str | None:
    """The address of a file that the viewer reads; None where the scene has none."""
    try:
        path = product_path(scene, kind)
    except DroneteamError:
        return None
    return url_for(endpoint, scene_id=scene.id, v=_stamp(path))


def _opened(scene: SceneView, middle: tuple[float, float, float]) -> Mapping[str, Any] | None:
    """What the viewer must know of the cloud's octree; None where the scene has none."""
    try:
        return cloud_opening.opening(product_path(scene, "cloud_copc"), middle)
    except DroneteamError:
        return None


def _stamp(path: Path) -> str:
    """Changes with the file, so that browsers may keep what they fetched of it."""
    return f"{path.stat().st_mtime_ns:x}"


def measuring_urls(scene: SceneView) -> dict[str, Any]:
    """Where the islands ask for numbers; recording only for those who may."""
    base = f"/api/v1/scenes/{scene.id}/surface"
    may_record = actor().has_role(*service.MEASURERS)
    return {
        "measureUrl": f"{base}/measure",
        "recordUrl": f"{base}/measurements" if may_record else None,
    }


def measuring_texts() -> dict[str, str]:
    """What measuring says, on the orthophoto and in the cloud."""
    return {
        "measured": _("{value} {unit}, 95 % interval {low} to {high} {unit}"),
        "asking": _("The server measures …"),
        "failed_measure": _("Not measured: {why}"),
        "nameFirst": _("Give it a name first."),
        "tooFew": _("It takes {least} points or more; there are {n} so far."),
        "profile": _("Heights along the line, with their 95 % interval"),
    }


def _cloud_texts() -> dict[str, str]:
    return {
        "loading": _("Loading the points …"),
        "shown": _("{count} of {all} points are shown."),
        "failed": _("The points could not be loaded; the pictures stay."),
        "noWebgl": _(
            "This browser has no WebGL: these are pictures. Tap two points to measure between them."
        ),
        "pictures": _("Picture of the point cloud; arrow keys aim, Enter takes the point"),
        "first": _("Tap the first point."),
        "next": _("Tap the next point ({n} so far)."),
        "enough": _("Tap further points, or end ({n} so far)."),
        "nothing": _("There is no point at that place."),
        "notMetric": _("The scene has no scale, so nothing can be measured."),
        "heights": _("Height {low} to {high} m"),
        "sigmas": _("Deviation (1 σ) {low} to {high} m"),
        "picture": _("Point cloud from above"),
        "layerFailed": _("The layer could not be loaded: {why}"),
    }


def _photo_texts() -> dict[str, str]:
    return {
        "seenIn": _("{n} photos see this place; {all} would hold it in their frame."),
        "seenInOne": _("One photo sees this place; {all} would hold it in their frame."),
        "seenInNone": _("No photo shows this place."),
        "finest": _("{mm} mm per pixel"),
        "hidden": _("hidden, {mm} mm per pixel"),
        "photosFailed": _("Photos were not found: {why}"),
        "zoomIn": _("Zoom in"),
        "zoomOut": _("Zoom out"),
    }


def cameras(scene: SceneView, ortho: Path) -> list[dict[str, Any]]:
    """Where the cameras stood, in pixels of the orthophoto, with the photo's verdict."""
    product = scene.products.get("cameras")
    if product is None or not product.is_file():
        return []
    words = named(PHOTO_VERDICTS)
    verdicts = {photo.name: photo.verdict for photo in scene.photos}
    return [
        {
            "photo": name,
            "x": x_px,
            "y": y_px,
            "state": words(verdicts.get(name, "use")),
            "thumb": url_for("marking.thumb", scene_id=scene.id, photo=name),
        }
        for name, x_px, y_px in camera_places.in_raster(product, ortho)
    ]
