"""How suspect a broadcast is: several weak signs together, never one alone.

Each cue has a weight, the probability that a flight with it is a spoof when nothing else is
known; the score is that of independent cues (noisy or), and it counts only from two cues on.
What a single cue has, an honest flight has too: a clock that is off, a repeater, a rental drone
with its operator in a control room.  Every cue names its evidence in numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from droneteam.detection.records import Track, Transmissions
from droneteam.errors import InputError
from droneteam.geo import check_lat_lon, great_circle_distance_m

MIN_CUES = 2
SUSPECT_FROM = 0.62
MIN_SIGNALS = 20
CONSTANT_DB = 1.0
"""Fading alone varies more than this over a path of MIN_PATH_M."""
MIN_PATH_M = 300.0
MIN_RATIO_DB = 6.0
"""How much the distance to a receiver must have changed the signal, by free-space loss."""
OPERATOR_FAR_M = 15_000.0
MIN_REPEATS = 3
MIN_BACKSTEPS = 3
MANY_SERIALS = 3
MIN_JUMPS = 2

WEIGHTS: Mapping[str, float] = {
    "impossible_motion": 0.5,
    "constant_signal": 0.5,
    "out_of_range": 0.5,
    "duplicate_serial": 0.4,
    "own_serial_elsewhere": 0.6,
    "replayed": 0.5,
    "many_serials": 0.5,
    "operator_far": 0.4,
    "clock_off": 0.2,
}


@dataclass(frozen=True, slots=True)
class Site:
    """Where a receiver stands and how far it hears at most."""

    name: str
    lat_deg: float
    lon_deg: float
    range_m: float

    def __post_init__(self) -> None:
        check_lat_lon(self.lat_deg, self.lon_deg)
        if not 0.0 < self.range_m < 1e6:
            raise InputError(f"range_m {self.range_m} outside (0, 1e6)", field="range_m")


@dataclass(frozen=True, slots=True)
class Cue:
    """One sign, and the numbers that it rests on."""

    name: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The cues and the probability of a spoof; 0 with fewer than MIN_CUES cues."""

    score: float
    cues: tuple[Cue, ...]

    @property
    def suspect(self) -> bool:
        """Whether it is enough for an alert."""
        return self.score >= SUSPECT_FROM


def suspicion(
    track: Track,
    sent: Transmissions,
    sites: Mapping[str, Site],
    *,
    own_serial_elsewhere: bool = False,
) -> Suspicion:
    """What speaks against a track's being what it says."""
    cues = [cue for cue in _cues(track, sent, sites) if cue is not None]
    if own_serial_elsewhere:
        cues.append(Cue("own_serial_elsewhere", "our telemetry puts this serial elsewhere"))
    if len(cues) < MIN_CUES:
        return Suspicion(0.0, tuple(cues))
    honest = math.prod(1.0 - WEIGHTS[cue.name] for cue in cues)
    return Suspicion(1.0 - honest, tuple(cues))


def _cues(track: Track, sent: Transmissions, sites: Mapping[str, Site]) -> Iterable[Cue | None]:
    yield _impossible_motion(sent)
    yield _constant_signal(sent, sites)
    yield _out_of_range(track, sites)
    if "duplicate_identity" in track.flags:
        yield Cue("duplicate_serial", f"serial {track.uas_id} is sent from two places at once")
    yield _replayed(sent)
    if len(sent.serials) >= MANY_SERIALS:
        yield Cue("many_serials", f"{len(sent.serials)} serials from one radio")
    yield _operator_far(track)
    if "clock_off" in track.flags:
        yield Cue("clock_off", "message times disagree with their reception")


def _impossible_motion(sent: Transmissions) -> Cue | None:
    if sent.n_jumps < MIN_JUMPS:
        return None
    return Cue("impossible_motion", f"{sent.n_jumps} jumps that no aircraft can fly")


def _constant_signal(sent: Transmissions, sites: Mapping[str, Site]) -> Cue | None:
    """One receiver hears the same strength while the claimed place moves far."""
    by_receiver: dict[str, list[tuple[int, float, float]]] = {}
    for signal in sent.signals:
        by_receiver.setdefault(signal.receiver, []).append(
            (signal.rssi_dbm, signal.lat_deg, signal.lon_deg)
        )
    for name, heard in by_receiver.items():
        if len(heard) < MIN_SIGNALS:
            continue
        spread_db = _spread_db([dbm for dbm, _, _ in heard])
        if spread_db >= CONSTANT_DB:
            continue
        path_m = great_circle_distance_m(*heard[0][1:], *heard[-1][1:])
        if path_m < MIN_PATH_M:
            continue
        if name in sites and _expected_db(sites[name], heard) < MIN_RATIO_DB:
            continue
        return Cue(
            "constant_signal",
            f"{name} heard {len(heard)} messages within {spread_db:.1f} dB over {path_m:.0f} m",
        )
    return None


def _spread_db(dbm: Sequence[int]) -> float:
    """The standard deviation; of whole numbers, so the sums are exact."""
    n = len(dbm)
    return math.sqrt(n * sum(one * one for one in dbm) - sum(dbm) ** 2) / n


def _expected_db(site: Site, heard: list[tuple[int, float, float]]) -> float:
    """The change in strength that free space would make between the nearest and farthest place."""
    distances_m = [
        max(1.0, great_circle_distance_m(site.lat_deg, site.lon_deg, lat_deg, lon_deg))
        for _, lat_deg, lon_deg in heard
    ]
    return 20.0 * math.log10(max(distances_m) / min(distances_m))


def _out_of_range(track: Track, sites: Mapping[str, Site]) -> Cue | None:
    for name in track.receivers:
        site = sites.get(name)
        if site is None:
            continue
        away_m = great_circle_distance_m(site.lat_deg, site.lon_deg, track.lat_deg, track.lon_deg)
        if away_m > site.range_m + 3.0 * track.sigma_m:
            return Cue(
                "out_of_range", f"{away_m:.0f} m from {name}, which hears {site.range_m:.0f} m"
            )
    return None


def _replayed(sent: Transmissions) -> Cue | None:
    if sent.n_repeats >= MIN_REPEATS:
        return Cue("replayed", f"{sent.n_repeats} positions sent again long after they held")
    if sent.n_counter_backsteps >= MIN_BACKSTEPS:
        return Cue("replayed", f"the message counter ran back {sent.n_counter_backsteps} times")
    return None


def _operator_far(track: Track) -> Cue | None:
    if track.operator_lat_deg is None or track.operator_lon_deg is None:
        return None
    away_m = great_circle_distance_m(
        track.lat_deg, track.lon_deg, track.operator_lat_deg, track.operator_lon_deg
    )
    if away_m <= OPERATOR_FAR_M:
        return None
    return Cue("operator_far", f"the operator is {away_m / 1000.0:.1f} km away")
