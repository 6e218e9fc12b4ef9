"""Remote ID messages to tracks: join by identity, predict, update, end.

A radio address is a station; what it says about itself (Basic ID, System, Operator ID) is kept
until it says something else, because two thirds of real beacons carry a position without an
identity.  A track belongs to an identity once one is known and to the address before that; when
the identity arrives, the track is re-keyed, not restarted.  The same identity at two places that
no aircraft could connect makes two tracks, both flagged.

The motion filter is a Kalman filter with nearly constant velocity (Bar-Shalom, Li, Kirubarajan:
Estimation with Applications to Tracking and Navigation, 6.3.2) in a local plane.  Heights above
different references are kept apart and never converted into each other.

Time is the messages' own; the tracker has no clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from droneteam.detection import rid
from droneteam.geo import MEAN_RADIUS_M, great_circle_distance_m

RAYLEIGH_95 = 2.4477
"""Radius that holds 95 % of a circular normal, in sigma."""
UNKNOWN_SIGMA_M = 15.0
"""For a receiver that states no accuracy: half of class 9's 30 m."""
UNKNOWN_SPEED_SIGMA_MPS = 3.0
ACCELERATION_MPS2 = 3.0
"""Root of the process noise: a brisk multirotor manoeuvre."""
MAX_CLOCK_ERROR_S = 60.0
"""A message older than that by its own clock is timed by its reception."""
MAX_SPEED_MPS = 90.0
SAME_PLACE_M = 150.0
ENDED_AFTER_S = 60.0
TRAIL_POINTS = 120


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver hands over: one payload, when and from whom."""

    at: datetime
    receiver: str
    transport: str
    transmitter: str
    payload: bytes
    rssi_dbm: int | None = None


@dataclass(frozen=True, slots=True)
class Fix:
    """One point of a trail."""

    at: datetime
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class Track:
    """An aircraft that is followed, as of its last message.

    sigma_m : 1-sigma of the position, per axis. flags : "duplicate_identity", "clock_off".
    """

    id: int
    uas_id: str | None
    registration: str | None
    operator_id: str | None
    transmitters: tuple[str, ...]
    receivers: tuple[str, ...]
    status: rid.Status
    lat_deg: float
    lon_deg: float
    speed_mps: float
    course_deg: float
    sigma_m: float
    alt_ellipsoid_m: float | None
    alt_pressure_m: float | None
    height_m: float | None
    height_reference: rid.HeightReference
    operator_lat_deg: float | None
    operator_lon_deg: float | None
    started_at: datetime
    last_at: datetime
    n_fixes: int
    flags: frozenset[str]
    trail: tuple[Fix, ...]

    @property
    def identities(self) -> frozenset[str]:
        """Every identity that the aircraft has sent."""
        return frozenset(name for name in (self.uas_id, self.registration) if name)


@dataclass(slots=True)
class _Station:
    """What one radio address has said of itself."""

    uas_id: str | None = None
    registration: str | None = None
    operator_id: str | None = None
    system: rid.System | None = None
    track_id: int | None = None
    seen: deque[tuple[object, ...]] = field(default_factory=lambda: deque(maxlen=32))


@dataclass(slots=True)
class _Filter:
    """State east, north (m from the origin) and their rates (m/s), with covariance."""

    origin_lat_deg: float
    origin_lon_deg: float
    at: datetime
    state: NDArray[np.float64]
    covariance: NDArray[np.float64]


class Tracker:
    """The tracks that live, fed with one reception after the other."""

    def __init__(self, first_id: int = 1) -> None:
        self._next_id = first_id
        self._stations: dict[str, _Station] = {}
        self._tracks: dict[int, Track] = {}
        self._filters: dict[int, _Filter] = {}
        self._named: dict[str, set[int]] = {}
        self.now: datetime | None = None
        """The newest time that any message carried."""

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Every living track, by id."""
        return tuple(self._tracks.values())

    def observe(self, received: Received) -> Track | None:
        """The track that the reception belongs to, updated; None while it has no position.

        Raises
        ------
        DecodeError
            The payload holds no Remote ID message; nothing has changed.
        """
        pack = rid.decode(received.payload)
        self.now = received.at if self.now is None else max(self.now, received.at)
        station = self._stations.setdefault(received.transmitter, _Station())
        for message in pack.messages:
            self._learn(station, message)
        track = None
        for message in pack.messages:
            if isinstance(message, rid.Location):
                track = self._locate(station, message, received) or track
        if station.track_id is not None:
            track = self._describe(station, received)
        return track

    def end_silent(self, now: datetime) -> tuple[Track, ...]:
        """The tracks that have been silent for too long; they are forgotten here."""
        limit = now - timedelta(seconds=ENDED_AFTER_S)
        ended = tuple(track for track in self._tracks.values() if track.last_at < limit)
        for track in ended:
            self._forget(track)
        gone = {track.id for track in ended}
        self._stations = {
            address: station
            for address, station in self._stations.items()
            if station.track_id not in gone
        }
        return ended

    def _learn(self, station: _Station, message: rid.Message) -> None:
        match message:
            case rid.BasicId(id_type=rid.IdType.REGISTRATION, uas_id=name) if name:
                station.registration = name
            case rid.BasicId(uas_id=name) if name:
                station.uas_id = name
            case rid.OperatorId(operator_id=name) if name:
                station.operator_id = name
            case rid.System():
                station.system = message

    def _locate(self, station: _Station, message: rid.Location, received: Received) -> Track | None:
        lat_deg, lon_deg = message.lat_deg, message.lon_deg
        if lat_deg is None or lon_deg is None:
            return None
        at, clock_off = _time_of(message, received.at)
        repeat = (message.second_of_hour_s, lat_deg, lon_deg)
        if repeat in station.seen and message.second_of_hour_s is not None:
            return None
        station.seen.append(repeat)
        track = self._track_for(station, Fix(at, lat_deg, lon_deg), message)
        self._update(track, message, Fix(at, lat_deg, lon_deg))
        if clock_off:
            self._flag(track.id, "clock_off")
        return self._tracks[track.id]

    def _track_for(self, station: _Station, fix: Fix, message: rid.Location) -> Track:
        """The station's track; one of the same identity; or a new one."""
        current = self._tracks.get(station.track_id or 0)
        known = self._by_identity(station, current)
        if known is None:
            found = current or self._start(fix, message)
        elif _connects(known, fix):
            if current is not None and current.id != known.id:
                self._forget(current)
            found = known
        else:
            found = current or self._start(fix, message)
            self._flag(known.id, "duplicate_identity")
            self._flag(found.id, "duplicate_identity")
        station.track_id = found.id
        return self._tracks[found.id]

    def _by_identity(self, station: _Station, current: Track | None) -> Track | None:
        if station.uas_id is None:
            return None
        others = self._named.get(station.uas_id, set()) - {0 if current is None else current.id}
        return self._tracks[min(others)] if others else None

    def _start(self, fix: Fix, message: rid.Location) -> Track:
        track = Track(
            id=self._next_id,
            uas_id=None,
            registration=None,
            operator_id=None,
            transmitters=(),
            receivers=(),
            status=message.status,
            lat_deg=fix.lat_deg,
            lon_deg=fix.lon_deg,
            speed_mps=0.0,
            course_deg=0.0,
            sigma_m=UNKNOWN_SIGMA_M,
            alt_ellipsoid_m=None,
            alt_pressure_m=None,
            height_m=None,
            height_reference=message.height_reference,
            operator_lat_deg=None,
            operator_lon_deg=None,
            started_at=fix.at,
            last_at=fix.at,
            n_fixes=0,
            flags=frozenset(),
            trail=(),
        )
        self._next_id += 1
        self._tracks[track.id] = track
        self._filters[track.id] = _Filter(
            fix.lat_deg, fix.lon_deg, fix.at, np.zeros(4), np.diag([1e4, 1e4, 400.0, 400.0])
        )
        return track

    def _update(self, track: Track, message: rid.Location, fix: Fix) -> None:
        motion = self._filters[track.id]
        if fix.at < motion.at:
            return  # a copy that came late over another path; a newer one is in already
        _predict(motion, fix.at)
        _correct(motion, message, fix)
        lat_deg, lon_deg = _geodetic(motion)
        east_mps, north_mps = motion.state[2:]
        self._tracks[track.id] = replace(
            track,
            status=message.status,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            speed_mps=math.hypot(east_mps, north_mps),
            course_deg=math.degrees(math.atan2(east_mps, north_mps)) % 360.0,
            sigma_m=math.sqrt(float(np.trace(motion.covariance[:2, :2])) / 2.0),
            alt_ellipsoid_m=message.alt_ellipsoid_m,
            alt_pressure_m=message.alt_pressure_m,
            height_m=message.height_m,
            height_reference=message.height_reference,
            last_at=fix.at,
            n_fixes=track.n_fixes + 1,
            trail=(*track.trail, fix)[-TRAIL_POINTS:],
        )

    def _describe(self, station: _Station, received: Received) -> Track | None:
        track = self._tracks.get(station.track_id or 0)
        if track is None:
            station.track_id = None
            return None
        system = station.system
        described = replace(
            track,
            uas_id=station.uas_id or track.uas_id,
            registration=station.registration or track.registration,
            operator_id=station.operator_id or track.operator_id,
            transmitters=_with(track.transmitters, received.transmitter),
            receivers=_with(track.receivers, received.receiver),
            operator_lat_deg=system.operator_lat_deg if system else track.operator_lat_deg,
            operator_lon_deg=system.operator_lon_deg if system else track.operator_lon_deg,
        )
        if described.uas_id is not None and described.uas_id != track.uas_id:
            self._unname(track)
            self._named.setdefault(described.uas_id, set()).add(track.id)
        self._tracks[track.id] = described
        return described

    def _forget(self, track: Track) -> None:
        del self._tracks[track.id], self._filters[track.id]
        self._unname(track)

    def _unname(self, track: Track) -> None:
        if track.uas_id is not None:
            self._named[track.uas_id].discard(track.id)
            if not self._named[track.uas_id]:
                del self._named[track.uas_id]

    def _flag(self, track_id: int, flag: str) -> None:
        track = self._tracks[track_id]
        self._tracks[track_id] = replace(track, flags=track.flags | {flag})


def _with(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if name in names else (*names, name)


def _time_of(message: rid.Location, received_at: datetime) -> tuple[datetime, bool]:
    """When the position held, and whether the sender's clock had to be set aside."""
    if message.second_of_hour_s is None:
        return received_at, False
    at = rid.message_time(received_at, message.second_of_hour_s)
    if abs((at - received_at).total_seconds()) > MAX_CLOCK_ERROR_S:
        return received_at, True
    return at, False


def _connects(track: Track, fix: Fix) -> bool:
    """Whether an aircraft could have got from the track to the fix."""
    distance_m = great_circle_distance_m(track.lat_deg, track.lon_deg, fix.lat_deg, fix.lon_deg)
    elapsed_s = abs((fix.at - track.last_at).total_seconds())
    return distance_m <= SAME_PLACE_M + MAX_SPEED_MPS * elapsed_s


def _predict(motion: _Filter, at: datetime) -> None:
    dt_s = (at - motion.at).total_seconds()
    transition = np.eye(4)
    transition[0, 2] = transition[1, 3] = dt_s
    gain = np.array([[dt_s**2 / 2, 0.0], [0.0, dt_s**2 / 2], [dt_s, 0.0], [0.0, dt_s]])
    motion.state = transition @ motion.state
    motion.covariance = transition @ motion.covariance @ transition.T + (
        ACCELERATION_MPS2**2 * gain @ gain.T
    )
    motion.at = at


def _correct(motion: _Filter, message: rid.Location, fix: Fix) -> None:
    values, variances = list(_local(motion, fix)), [_position_variance(message)] * 2
    if message.speed_mps is not None and message.direction_deg is not None:
        course = math.radians(message.direction_deg)
        values += [message.speed_mps * math.sin(course), message.speed_mps * math.cos(course)]
        variances += [_speed_variance(message)] * 2
    rows = np.eye(4)[: len(values)]
    innovation = np.array(values) - rows @ motion.state
    spread = rows @ motion.covariance @ rows.T + np.diag(variances)
    gain = np.linalg.solve(spread, rows @ motion.covariance).T
    motion.state = motion.state + gain @ innovation
    kept = np.eye(4) - gain @ rows
    # Joseph's form keeps the covariance positive whatever the rounding.
    motion.covariance = kept @ motion.covariance @ kept.T + gain @ np.diag(variances) @ gain.T


def _position_variance(message: rid.Location) -> float:
    if message.horizontal_accuracy_m is None:
        return UNKNOWN_SIGMA_M**2
    return (message.horizontal_accuracy_m / RAYLEIGH_95) ** 2


def _speed_variance(message: rid.Location) -> float:
    if message.speed_accuracy_mps is None:
        return UNKNOWN_SPEED_SIGMA_MPS**2
    return (message.speed_accuracy_mps / RAYLEIGH_95) ** 2


def _local(motion: _Filter, fix: Fix) -> tuple[float, float]:
    north_m = math.radians(fix.lat_deg - motion.origin_lat_deg) * MEAN_RADIUS_M
    turn_deg = (fix.lon_deg - motion.origin_lon_deg + 180.0) % 360.0 - 180.0
    scale = math.cos(math.radians(motion.origin_lat_deg))
    return math.radians(turn_deg) * MEAN_RADIUS_M * scale, north_m


def _geodetic(motion: _Filter) -> tuple[float, float]:
    east_m, north_m = motion.state[:2]
    scale = max(math.cos(math.radians(motion.origin_lat_deg)), 1e-6)
    lat_deg = motion.origin_lat_deg + math.degrees(north_m / MEAN_RADIUS_M)
    lon_deg = motion.origin_lon_deg + math.degrees(east_m / (MEAN_RADIUS_M * scale))
    return max(-90.0, min(90.0, float(lat_deg))), (float(lon_deg) + 180.0) % 360.0 - 180.0
