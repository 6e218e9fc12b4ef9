"""Plots without identity: from single plots to scans, and from anonymous tracks to tracks.

Plots of one sensor that lie within SCAN_S of each other are one scan.  All scans share one plane
about the first plot, and one tracker, so that a radar and a camera that see the same aircraft feed
the same track.  A track of the plane that is where an identified one is, is that one's echo and is
not shown again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from droneteam.detection import rid
from droneteam.detection.anonymous import AnonymousTracker, SensorModel
from droneteam.detection.records import Plot, Track
from droneteam.geo import MEAN_RADIUS_M, great_circle_distance_m

SCAN_S = 0.5
ECHO_M = 60.0
"""An anonymous track this near an identified one (and their sigmas) is its echo."""
QUIET_S = 15.0
"""A sensor that has given no scan for this long no longer says that anything is there."""
_DEGREE_M = math.radians(1.0) * MEAN_RADIUS_M


@dataclass(slots=True)
class _Seen:
    """What is remembered of an anonymous track between scans."""

    track_id: int
    started_at: datetime
    last_at: datetime
    n_fixes: int = 0
    sensors: dict[str, None] = field(default_factory=dict)


class Scans:
    """Gathers plots into scans and gives the anonymous tracks that they make.

    new_id : gives each confirmed track an id that no other track has.
    """

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._new_id = new_id
        self._tracker = AnonymousTracker()
        self._waiting: dict[str, list[Plot]] = {}
        self._origin: tuple[float, float] | None = None
        self._epoch: datetime | None = None
        self._done_at: datetime | None = None
        self._seen: dict[int, _Seen] = {}
        self.late = 0
        """Plots that came after their time had been looked at."""

    def add(self, plot: Plot) -> None:
        """Keep a plot for its sensor's next scan."""
        if self._done_at is not None and plot.at < self._done_at:
            self.late += 1
            return
        self._waiting.setdefault(plot.sensor, []).append(plot)

    def run(self, now: datetime) -> bool:
        """Whether scans were complete and were looked at: their first plot is older than SCAN_S."""
        done = False
        while True:
            ready = [
                (min(plot.at for plot in plots), sensor) for sensor, plots in self._waiting.items()
            ]
            first_at, sensor = min(ready, default=(now, ""))
            if not sensor or (now - first_at).total_seconds() < SCAN_S:
                return done
            plots = self._waiting.pop(sensor)
            limit = first_at + timedelta(seconds=SCAN_S)
            later = [plot for plot in plots if plot.at >= limit]
            if later:
                self._waiting[sensor] = later
            self._scan([plot for plot in plots if plot.at < limit])
            done = True

    def _scan(self, plots: Sequence[Plot]) -> None:
        at = max(plot.at for plot in plots)
        if self._epoch is None or self._origin is None:
            self._epoch, self._origin = at, (plots[0].lat_deg, plots[0].lon_deg)
        at = at if self._done_at is None else max(at, self._done_at)
        self._done_at = at
        # One accuracy per scan: the root mean square of its plots'.
        sigma_m = math.sqrt(sum(plot.sigma_m**2 for plot in plots) / len(plots))
        places = np.array([self._local(plot) for plot in plots]).T
        owners = self._tracker.scan(
            (at - self._epoch).total_seconds(), places, SensorModel(sigma_m)
        )
        fed: dict[int, None] = dict.fromkeys(owners[owners > 0].tolist())
        for number in fed:
            seen = self._seen.get(number)
            if seen is None:
                seen = self._seen[number] = _Seen(0, at, at)
            seen.last_at, seen.n_fixes = at, seen.n_fixes + 1
            seen.sensors[plots[0].sensor] = None

    def tracks(self, identified: Sequence[Track], now: datetime) -> list[Track]:
        """The confirmed tracks that are nobody's echo and were seen within QUIET_S."""
        found = self._tracker.estimates()
        alive = set(found.id.tolist())
        self._seen = {
            number: seen
            for number, seen in self._seen.items()
            if number in alive or seen.track_id == 0
        }
        tracks = []
        columns = zip(found.id.tolist(), found.state.T, found.covariance.T, strict=True)
        for number, state, covariance in columns:
            seen = self._seen.get(number)
            if seen is None or (now - seen.last_at).total_seconds() > QUIET_S:
                continue
            track = self._track(seen, state.tolist(), tuple(covariance.tolist()))
            if any(_echoes(track, other) for other in identified):
                continue
            tracks.append(track)
        return tracks

    def _track(self, seen: _Seen, state: list[float], covariance: tuple[float, ...]) -> Track:
        if seen.track_id == 0:
            seen.track_id = self._new_id()
        lat_deg, lon_deg = self._geodetic(state[0], state[1])
        return Track(
            id=seen.track_id,
            uas_id=None,
            registration=None,
            operator_id=None,
            transmitters=(),
            receivers=tuple(seen.sensors),
            status=rid.Status.UNDECLARED,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            speed_mps=math.hypot(state[2], state[3]),
            course_deg=math.degrees(math.atan2(state[2], state[3])) % 360.0,
            sigma_m=math.sqrt((covariance[0] + covariance[4]) / 2.0),
            alt_ellipsoid_m=None,
            alt_pressure_m=None,
            height_m=None,
            height_reference=rid.HeightReference.TAKE_OFF,
            operator_lat_deg=None,
            operator_lon_deg=None,
            started_at=seen.started_at,
            last_at=seen.last_at,
            n_fixes=seen.n_fixes,
            flags=frozenset(),
            covariance=covariance,
        )

    def _local(self, plot: Plot) -> tuple[float, float]:
        assert self._origin is not None
        lat_deg, lon_deg = self._origin
        turn_deg = (plot.lon_deg - lon_deg + 180.0) % 360.0 - 180.0
        east_m = turn_deg * _DEGREE_M * math.cos(math.radians(lat_deg))
        return east_m, (plot.lat_deg - lat_deg) * _DEGREE_M

    def _geodetic(self, east_m: float, north_m: float) -> tuple[float, float]:
        assert self._origin is not None
        lat_deg, lon_deg = self._origin
        scale = max(math.cos(math.radians(lat_deg)), 1e-6)
        turned = lon_deg + east_m / (_DEGREE_M * scale)
        return lat_deg + north_m / _DEGREE_M, (turned + 180.0) % 360.0 - 180.0


def _echoes(track: Track, other: Track) -> bool:
    limit_m = ECHO_M + 3.0 * math.hypot(track.sigma_m, other.sigma_m)
    if abs(track.lat_deg - other.lat_deg) * _DEGREE_M > limit_m:
        return False
    apart_m = great_circle_distance_m(track.lat_deg, track.lon_deg, other.lat_deg, other.lon_deg)
    return apart_m <= limit_m
