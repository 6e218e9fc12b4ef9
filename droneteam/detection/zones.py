"""Tracks against geographical zones: who is probably inside one, and what its heights say.

Horizontally the track's covariance says how probably it is inside.  A zone's limits are above
the ground, the geoid or the ellipsoid; each is compared with the track's height above the same
surface.  Where there is none, the answer is that heights could not be compared, and the zone counts
over its whole height: nobody is let off because of what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from droneteam.detection.conformance import cloud_m, local_m
from droneteam.detection.motion import FloatArray
from droneteam.detection.records import Track
from droneteam.detection.rid import HeightReference
from droneteam.missions.airspace.checks import Geozone, Restriction, ZoneVolume
from droneteam.missions.airspace.checks import HeightReference as Limit

ASSUMED_VERTICAL_M = 10.0
"""At 95 %, for a height whose accuracy is not stated."""
REACH_DEG = 0.02
"""How far beyond a zone its tracks are looked at closely: more than any usable position error."""

Vertical = Literal["inside", "outside", "not_comparable"]


@dataclass(frozen=True, slots=True)
class Breach:
    """A track that is probably in a zone; vertical is never "outside"."""

    zone: Geozone
    probability: float
    vertical: Vertical


class ZoneIndex:
    """The zones that ask something of a flight, found quickly by place."""

    def __init__(self, zones: Iterable[Geozone] = ()) -> None:
        wanted = (Restriction.PROHIBITED, Restriction.AUTHORISATION)
        self._volumes = [
            (zone, volume)
            for zone in zones
            if zone.restriction in wanted
            for volume in zone.volumes
            if len(volume.polygon) >= 3
        ]
        self._boxes = np.array([_box(volume) for _, volume in self._volumes]).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self._volumes)

    def breaches(
        self, track: Track, *, from_probability: float, geoid_m: float | None = None
    ) -> list[Breach]:
        """The zones that the track is in, each once: its most probable volume counts."""
        found: dict[str, Breach] = {}
        cloud: FloatArray | None = None
        for zone, volume in self._near(track):
            vertical = _vertical(track, volume, geoid_m)
            if vertical == "outside" or not zone.applies(track.last_at, track.last_at):
                continue
            cloud = cloud_m(track) if cloud is None else cloud
            polygon = shapely.make_valid(shapely.Polygon(local_m(volume.polygon, track)))
            probability = float(np.mean(shapely.contains_xy(polygon, cloud[0], cloud[1])))
            before = found.get(zone.identifier)
            if probability >= from_probability and (
                before is None or probability > before.probability
            ):
                found[zone.identifier] = Breach(zone, probability, vertical)
        return list(found.values())

    def _near(self, track: Track) -> Iterator[tuple[Geozone, ZoneVolume]]:
        if not self._volumes:
            return
        lat, lon, half_lat, half_lon = self._boxes.T
        turn_deg = np.abs((lon - track.lon_deg + 180.0) % 360.0 - 180.0)
        near = (np.abs(lat - track.lat_deg) <= half_lat) & (turn_deg <= half_lon)
        for index in np.flatnonzero(near):
            yield self._volumes[index]


def _box(volume: ZoneVolume) -> tuple[float, float, float, float]:
    """Centre and half widths, with REACH_DEG around; a zone may lie across the date line."""
    lat, lon = np.array(volume.polygon).T
    turn_deg = (lon - lon[0] + 180.0) % 360.0 - 180.0
    middle = (turn_deg.max() + turn_deg.min()) / 2.0
    return (
        float((lat.max() + lat.min()) / 2.0),
        float(lon[0] + middle),
        float((lat.max() - lat.min()) / 2.0) + REACH_DEG,
        float((turn_deg.max() - turn_deg.min()) / 2.0) + 2.0 * REACH_DEG,
    )


def _vertical(track: Track, volume: ZoneVolume, geoid_m: float | None) -> Vertical:
    """Where the track is; outside only when it is so by more than its accuracy."""
    bound_m = track.vertical_accuracy_m
    slack_m = ASSUMED_VERTICAL_M if bound_m is None else bound_m
    limits = (
        (volume.lower_m, volume.lower_reference, 1.0),
        (volume.upper_m, volume.upper_reference, -1.0),
    )
    unknown = False
    for limit_m, reference, sign in limits:
        from_ground = sign > 0.0 and reference is Limit.AGL and (limit_m or 0.0) <= 0.0
        if limit_m is None or from_ground:
            continue
        height_m = _height_m(track, reference, geoid_m)
        if height_m is None:
            unknown = True
        elif sign * (height_m - limit_m) < -slack_m:
            return "outside"
    return "not_comparable" if unknown else "inside"


def _height_m(track: Track, reference: Limit, geoid_m: float | None) -> float | None:
    """The track's height above a limit's surface; None where it is not known above that."""
    if reference is Limit.AGL:
        # A height above the take-off says nothing of the ground below the drone.
        return track.height_m if track.height_reference == HeightReference.GROUND else None
    above_m = track.alt_ellipsoid_m
    if reference is Limit.WGS84 or above_m is None:
        return above_m
    return None if geoid_m is None else above_m - geoid_m
