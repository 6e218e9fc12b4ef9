"""Where each receiver has really heard something: counts on a grid, by band of height.

A message counts in the cell where its track was held to be.  Cells hold counts only, so that what
they tell of the receiver says nothing about anybody.  A track whose place is in doubt (one identity
at two places, jumps that no aircraft flies) does not count.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.detection.models import CoverageCell, ReceiverRow
from droneteam.detection.records import Received, Track
from droneteam.detection.service import VIEWERS
from droneteam.detection.suspicion import Site
from droneteam.geo import great_circle_distance_m

CELL_LAT_DEG, CELL_LON_DEG = 0.002, 0.003
"""About 220 m by 210 m in Belgium: finer than a broadcast's reach, too coarse for a person."""
BANDS_M = (30.0, 60.0, 120.0, math.inf)
"""Upper edges of the bands of height above take-off or ground."""
UNKNOWN_BAND, MANNED_BAND = len(BANDS_M), len(BANDS_M) + 1
SECTORS = 24
ENOUGH = 3
"""A cell that was heard from less often tells of a lucky moment, not of coverage."""
MAX_CELLS = 20_000
CELLS_AT_ONCE = 200
"""What is stored in one transaction: some hundredths of a second, for which an alert may wait."""
_KEY = (CoverageCell.receiver, CoverageCell.band, CoverageCell.north, CoverageCell.east)
DOUBTFUL = frozenset({"duplicate_identity", "impossible_jump"})


class Cell(NamedTuple):
    """A square of ground and a band of height."""

    band: int
    north: int
    east: int

    @property
    def centre(self) -> tuple[float, float]:
        """lat_deg, lon_deg."""
        return (self.north + 0.5) * CELL_LAT_DEG, (self.east + 0.5) * CELL_LON_DEG


@dataclass(slots=True)
class Heard:
    """What a cell has given since it was stored last."""

    n: int
    best_rssi_dbm: int | None
    heard_at: datetime

    def add(self, rssi_dbm: int | None, at: datetime) -> None:
        """One message more."""
        self.n += 1
        self.heard_at = max(self.heard_at, at)
        if rssi_dbm is not None:
            best = self.best_rssi_dbm
            self.best_rssi_dbm = rssi_dbm if best is None else max(best, rssi_dbm)


class CoverageBook:
    """Counts between two times of storing."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, Cell], Heard] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._cells)

    def note(self, heard: Iterable[tuple[Received, int | None]], tracks: Iterable[Track]) -> None:
        """Count each message where its track is; those of other tracks are left out."""
        places = {track.id: cell_of(track) for track in tracks if not track.flags & DOUBTFUL}
        for received, track_id in heard:
            cell = places.get(track_id or 0)
            if cell is not None:
                with self._lock:
                    self._count(received, cell)

    def _count(self, received: Received, cell: Cell) -> None:
        known = self._cells.get((received.receiver, cell))
        if known is None:
            found = Heard(1, received.rssi_dbm, received.at)
            self._cells[received.receiver, cell] = found
        else:
            known.add(received.rssi_dbm, received.at)

    def store(self, session: Session) -> None:
        """Add the counts of up to CELLS_AT_ONCE cells to those of before; they begin anew.

        Counts of a few seconds are lost where the database refuses them: they are samples.
        """
        with self._lock:
            names = list(self._cells)[:CELLS_AT_ONCE]
            cells = {name: self._cells.pop(name) for name in names}
        if not cells:
            return
        rows = {(name, *cell): heard for (name, cell), heard in cells.items()}
        known = session.execute(
            select(*_KEY, CoverageCell.n, CoverageCell.best_rssi_dbm).where(tuple_(*_KEY).in_(rows))
        )
        stored = {tuple(row[:4]): (row.n, row.best_rssi_dbm) for row in known}
        values = [_cell_row(key, heard, *stored.get(key, (0, None))) for key, heard in rows.items()]
        # In one statement each: a look and a change for every cell would keep alerts waiting.
        if old := [row for row, key in zip(values, rows, strict=True) if key in stored]:
            session.execute(update(CoverageCell), old)
        if new := [row for row, key in zip(values, rows, strict=True) if key not in stored]:
            session.execute(insert(CoverageCell), new)

    def store_all(self, session: Session) -> None:
        """The same with every cell."""
        while self:
            self.store(session)


def _cell_row(
    key: tuple[str, int, int, int], heard: Heard, n: int, best_rssi_dbm: int | None
) -> dict[str, Any]:
    """The row of a cell that had been heard from n times before."""
    signals = [one for one in (best_rssi_dbm, heard.best_rssi_dbm) if one is not None]
    row: dict[str, Any] = dict(zip(("receiver", "band", "north", "east"), key, strict=True))
    return row | {
        "n": n + heard.n,
        "best_rssi_dbm": max(signals, default=None),
        "heard_at": heard.heard_at,
    }


def cell_of(track: Track) -> Cell:
    """The cell that a track is in."""
    return Cell(
        band_of(track.height_m, manned=track.manned),
        math.floor(track.lat_deg / CELL_LAT_DEG),
        math.floor(track.lon_deg / CELL_LON_DEG),
    )


def band_of(height_m: float | None, *, manned: bool = False) -> int:
    """The band of a height; aircraft and unknown heights have one each."""
    if manned:
        return MANNED_BAND
    if height_m is None:
        return UNKNOWN_BAND
    return next(index for index, top_m in enumerate(BANDS_M) if height_m < top_m)


@dataclass(frozen=True, slots=True)
class CellCount:
    """A cell with what was heard from it."""

    band: int
    lat_deg: float
    lon_deg: float
    n: int
    best_rssi_dbm: int | None


@dataclass(frozen=True, slots=True)
class SectorReach:
    """How far a receiver has heard in one direction.

    bearing_deg : the sector's middle. reach_m : the farthest cell that was heard from ENOUGH
    times; None without one. n : messages from the sector.
    """

    bearing_deg: float
    reach_m: float | None
    n: int


@dataclass(frozen=True, slots=True)
class CoverageView:
    """A receiver's coverage beside what was declared of it; sectors only where its place is known.

    n : messages in all cells shown; bands : messages by band of height.
    """

    receiver: str
    site: Site | None
    n: int
    bands: tuple[tuple[int, int], ...]
    sectors: tuple[SectorReach, ...]
    cells: tuple[CellCount, ...]


def list_coverage(
    session: Session, actor: Actor, *, receiver: str | None = None, band: int | None = None
) -> list[CoverageView]:
    """Every receiver that has been heard of, or the one that is named."""
    require_role(actor, *VIEWERS)
    query = select(CoverageCell).order_by(CoverageCell.n.desc()).limit(MAX_CELLS)
    sites = select(ReceiverRow).order_by(ReceiverRow.name)
    if receiver is not None:
        query = query.where(CoverageCell.receiver == receiver)
        sites = sites.where(ReceiverRow.name == receiver)
    if band is not None:
        query = query.where(CoverageCell.band == band)
    cells: dict[str, list[CellCount]] = {}
    for row in session.scalars(query):
        lat_deg, lon_deg = Cell(row.band, row.north, row.east).centre
        count = CellCount(row.band, lat_deg, lon_deg, row.n, row.best_rssi_dbm)
        cells.setdefault(row.receiver, []).append(count)
    declared = {row.name: _site(row) for row in session.scalars(sites)}
    names = sorted(declared.keys() | cells.keys())
    return [view_of(name, declared.get(name), cells.get(name, ())) for name in names]


def view_of(name: str, site: Site | None, cells: Sequence[CellCount]) -> CoverageView:
    """A receiver's cells, summed by band and by direction."""
    bands: dict[int, int] = {}
    for cell in cells:
        bands[cell.band] = bands.get(cell.band, 0) + cell.n
    return CoverageView(
        receiver=name,
        site=site,
        n=sum(cell.n for cell in cells),
        bands=tuple(sorted(bands.items())),
        sectors=() if site is None else _sectors(site, cells),
        cells=tuple(cells),
    )


def _sectors(site: Site, cells: Sequence[CellCount]) -> tuple[SectorReach, ...]:
    width_deg = 360.0 / SECTORS
    counts = np.zeros(SECTORS, dtype=int)
    reach_m = np.full(SECTORS, np.nan)
    for cell in cells:
        here = (site.lat_deg, site.lon_deg, cell.lat_deg, cell.lon_deg)
        sector = int(bearing_deg(*here) // width_deg) % SECTORS
        counts[sector] += cell.n
        if cell.n >= ENOUGH:
            reach_m[sector] = np.fmax(reach_m[sector], great_circle_distance_m(*here))
    return tuple(
        SectorReach(
            (index + 0.5) * width_deg,
            None if np.isnan(reach_m[index]) else float(reach_m[index]),
            int(counts[index]),
        )
        for index in range(SECTORS)
    )


def bearing_deg(lat_deg: float, lon_deg: float, to_lat_deg: float, to_lon_deg: float) -> float:
    """The direction in which the great circle to a place begins, clockwise from true north."""
    lat, to_lat = math.radians(lat_deg), math.radians(to_lat_deg)
    turn = math.radians(to_lon_deg - lon_deg)
    east = math.sin(turn) * math.cos(to_lat)
    north = math.cos(lat) * math.sin(to_lat) - math.sin(lat) * math.cos(to_lat) * math.cos(turn)
    return math.degrees(math.atan2(east, north)) % 360.0


def _site(row: ReceiverRow) -> Site | None:
    if row.lat_deg is None or row.lon_deg is None or row.range_m is None:
        return None
    return Site(row.name, row.lat_deg, row.lon_deg, row.range_m)
