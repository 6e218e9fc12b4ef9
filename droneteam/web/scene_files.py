"""A scene's products as files, and whether its lengths are metres."""

from __future__ import annotations

from pathlib import Path

from droneteam.errors import NotFound
from droneteam.photogrammetry.views import SceneView
from droneteam.web.files import inside


def product_path(scene: SceneView, kind: str) -> Path:
    """Where the product lies; NotFound when the scene has none of that kind."""
    path = scene.products.get(kind)
    if path is None:
        raise NotFound("product", kind)
    return inside(scene.folder, path.relative_to(scene.folder).as_posix())


def is_metric(scene: SceneView) -> bool:
    """Whether lengths in the scene are metres."""
    return bool((scene.summary or {}).get("frame", {}).get("metric", False))
