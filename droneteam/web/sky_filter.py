"""Which of what is in the air a person wants to see: the same choice for map, table and history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from droneteam.missions.airspace.checks import Geozone

CLASSES = ("own", "registered", "operator", "unknown", "suspect", "manned")
MAX_TEXT = 80


@dataclass(frozen=True, slots=True)
class SkyFilter:
    """What is shown; empty and None hide nothing.

    classes : of CLASSES. zone : a geographical zone's identifier. low_m, high_m : heights above
    take-off or ground; what has sent none is shown whatever they are. search : part of an identity.
    """

    classes: frozenset[str] = frozenset()
    receiver: str = ""
    zone: str = ""
    low_m: float | None = None
    high_m: float | None = None
    alerted: bool = False
    search: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any], classes: Iterable[str]) -> SkyFilter:
        """The choice in a page's address; what is no choice is left out."""
        return cls(
            classes=frozenset(classes) & frozenset(CLASSES),
            receiver=str(fields.get("receiver", ""))[:MAX_TEXT],
            zone=str(fields.get("zone", ""))[:MAX_TEXT],
            low_m=_number(fields.get("low_m")),
            high_m=_number(fields.get("high_m")),
            alerted=fields.get("alerted") == "1",
            search=str(fields.get("q", "")).strip()[:MAX_TEXT],
        )

    def keep(
        self, rows: Iterable[Mapping[str, Any]], zones: Sequence[Geozone], alerted: frozenset[str]
    ) -> list[Mapping[str, Any]]:
        """The rows of drones and tracks that are shown; alerted : the keys with an open alert."""
        area = _area(zones, self.zone) if self.zone else None
        return [
            row
            for row in rows
            if self._says(row)
            and (not self.alerted or row["key"] in alerted)
            and (area is None or shapely.contains_xy(area, row["lon_deg"], row["lat_deg"]))
        ]

    def _says(self, row: Mapping[str, Any]) -> bool:
        if self.classes and row["match"] not in self.classes:
            return False
        # An own drone is heard by its link: receivers say nothing of it.
        if self.receiver and self.receiver not in row.get("receivers", ()):
            return False
        if self.search and not self._found(row):
            return False
        height_m = row.get("height_m", row.get("alt_home_m"))
        if height_m is None:
            return True
        return (self.low_m is None or height_m >= self.low_m) and (
            self.high_m is None or height_m <= self.high_m
        )

    def _found(self, row: Mapping[str, Any]) -> bool:
        names = (row.get("label"), row.get("uas_id"))
        return any(self.search.casefold() in str(name or "").casefold() for name in names)


def _area(zones: Sequence[Geozone], identifier: str) -> shapely.Geometry:
    """The zone's area in degrees; nothing for one that is not known."""
    parts = [
        shapely.make_valid(shapely.Polygon([(lon, lat) for lat, lon in volume.polygon]))
        for zone in zones
        if zone.identifier == identifier
        for volume in zone.volumes
        if len(volume.polygon) >= 3
    ]
    return shapely.unary_union(parts)


def _number(text: object) -> float | None:
    try:
        value = float(str(text).replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
