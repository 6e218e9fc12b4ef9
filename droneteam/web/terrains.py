"""Which terrains a mission can be planned over: stored rasters, and surfaces of our own scenes."""

from __future__ import annotations

from pathlib import Path

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.errors import InputError
from droneteam.missions import service as missions
from droneteam.missions.planner.heights import VerticalDatum
from droneteam.missions.planner.terrainfile import TerrainFile
from droneteam.photogrammetry import service as photogrammetry
from droneteam.photogrammetry.views import SceneView
from droneteam.settings import Settings

LEVEL = "level"
STORED = "terrain"
SCENE = "scene"
_DSM = "dsm"


def options(session: Session, actor: Actor, settings: Settings) -> list[tuple[str, str]]:
    """(key, text) of everything that can be chosen, level ground first."""
    stored = [
        (f"{STORED}:{one.id}", f"{one.name} ({one.kind.upper()}, {one.datum})")
        for one in missions.list_terrains(session, actor)
    ]
    scenes = [
        (f"{SCENE}:{one.id}", _("Surface of scene %(name)s", name=one.name))
        for one in photogrammetry.list_scenes(session, actor, settings)
        if _DSM in one.products
    ]
    return [(LEVEL, _("Level ground")), *stored, *scenes]


def terrain_of(session: Session, actor: Actor, key: str, settings: Settings) -> TerrainFile | None:
    """The raster behind a key of `options`; None for level ground.

    Raises
    ------
    InputError
        The key is none of them.
    NotFound
        What it names does not exist, or not for this actor.
    """
    if key in ("", LEVEL):
        return None
    source, _colon, number = key.partition(":")
    if source not in (STORED, SCENE) or not number.isascii() or not number.isdigit():
        raise InputError(
            f"terrain {key!r}: write level, terrain:NUMBER or scene:NUMBER", field="terrain"
        )
    if len(number) > 9:
        raise InputError(f"terrain {key!r}: the number is too large", field="terrain")
    if source == STORED:
        return missions.terrain_file(session, actor, int(number), settings.data_dir)
    return _of_scene(photogrammetry.get_scene(session, actor, int(number), settings))


def _of_scene(scene: SceneView) -> TerrainFile:
    path = scene.products.get(_DSM)
    if path is None:
        raise InputError(f"scene {scene.id} has no surface yet: build it first", field="terrain")
    frame = {} if scene.summary is None else scene.summary.get("frame") or {}
    return TerrainFile(
        f"scene {scene.id}", Path(path), "dsm", datum_named(str(frame.get("vertical_datum", "")))
    )


def datum_named(words: str) -> VerticalDatum:
    """The datum that a scene's own words mean; unknown where they leave a doubt."""
    text = words.lower()
    if "ellipsoid" in text:
        return VerticalDatum.ELLIPSOID
    if any(name in text for name in ("egm", "geoid", "evrf", "nap")):
        return VerticalDatum.GEOID
    if any(name in text for name in ("taw", "ostend", "5710")):
        return VerticalDatum.TAW
    return VerticalDatum.UNKNOWN
