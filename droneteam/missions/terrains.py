"""Terrain rasters as rows: take one in, list them, find one again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError, NotFound
from droneteam.missions import models
from droneteam.missions.planner.heights import VerticalDatum
from droneteam.missions.planner.route import LatLon
from droneteam.missions.planner.terrain import TerrainKind
from droneteam.missions.planner.terrainfile import TerrainFile, check_terrain

KEEPERS = ("pilot", "coordinator")
MAX_TERRAIN_BYTES = 300_000_000
FOLDER = "terrains"


@dataclass(frozen=True, slots=True)
class TerrainView:
    """A stored terrain: its name, what its heights mean, and the rectangle that it lies in."""

    id: int
    name: str
    kind: str
    datum: str
    geoid_separation_m: float | None
    south_west: LatLon
    north_east: LatLon
    sha256: str
    added_at: datetime


def add_terrain(
    session: Session, actor: Actor, source: TerrainFile, data: bytes, folder: Path, now: datetime
) -> TerrainView:
    """The stored terrain; ``source.path`` is not looked at, the file is written below folder.

    Raises
    ------
    InputError
        The name is taken or empty, or a datum lacks what it needs.
    DecodeError
        The file is no GeoTIFF of heights with a place on the earth; nothing is kept of it.
    """
    require_role(actor, *KEEPERS)
    name = source.name.strip()
    if not 0 < len(name) <= 80:
        raise InputError("a terrain needs a name of 1 to 80 characters", field="name")
    if len(data) > MAX_TERRAIN_BYTES:
        raise InputError(
            "more than {limit_mb} MB: crop it",
            field="file",
            limit_mb=MAX_TERRAIN_BYTES // 1_000_000,
        )
    if session.scalar(select(models.TerrainRow.id).where(models.TerrainRow.name == name)):
        raise InputError(
            "there is a terrain “{name}” already: choose another name", field="name", name=name
        )
    digest = hashlib.sha256(data).hexdigest()
    path = folder / FOLDER / f"{digest[:32]}.tif"
    south_west, north_east = _kept(replace(source, name=name, path=path), data)
    row = models.TerrainRow(
        name=name,
        path=path.name,
        sha256=digest,
        kind=source.kind,
        datum=source.datum.value,
        geoid_separation_m=source.geoid_separation_m,
        south_deg=south_west[0],
        west_deg=south_west[1],
        north_deg=north_east[0],
        east_deg=north_east[1],
        added_at=now,
        added_by=actor.user_id or None,
    )
    session.add(row)
    session.flush()
    facts = {"name": name, "sha256": digest, "kind": source.kind, "datum": source.datum.value}
    audit.append(
        session, actor, action="terrain.add", subject=f"terrain:{row.id}", facts=facts, at=now
    )
    return _view(row)


def _kept(source: TerrainFile, data: bytes) -> tuple[LatLon, LatLon]:
    """The file written and looked at; removed again when it is of no use."""
    source.path.parent.mkdir(parents=True, exist_ok=True)
    known = source.path.exists()
    if not known:
        source.path.write_bytes(data)
    usable = False
    try:
        corners = check_terrain(source)
        usable = True
        return corners
    finally:
        if not (usable or known):
            source.path.unlink()


def list_terrains(session: Session, actor: Actor) -> list[TerrainView]:
    """Every stored terrain by name."""
    require_role(actor, *KEEPERS)
    rows = session.scalars(select(models.TerrainRow).order_by(models.TerrainRow.name))
    return [_view(row) for row in rows]


def terrain_file(session: Session, actor: Actor, terrain_id: int, folder: Path) -> TerrainFile:
    """The stored terrain as the planner takes it.

    Raises
    ------
    NotFound
        There is none of that number.
    """
    require_role(actor, *KEEPERS)
    row = session.get(models.TerrainRow, terrain_id)
    if row is None:
        raise NotFound("terrain", terrain_id)
    kind: TerrainKind = "dtm" if row.kind == "dtm" else "dsm"
    return TerrainFile(
        row.name,
        folder / FOLDER / row.path,
        kind,
        VerticalDatum(row.datum),
        row.geoid_separation_m,
    )


def _view(row: models.TerrainRow) -> TerrainView:
    return TerrainView(
        row.id,
        row.name,
        row.kind,
        row.datum,
        row.geoid_separation_m,
        (row.south_deg, row.west_deg),
        (row.north_deg, row.east_deg),
        row.sha256,
        row.added_at,
    )
