"""Radios and the tracks that they feed: what is remembered of each between two messages."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from droneteam.detection import rid
from droneteam.detection.readings import Reading
from droneteam.detection.records import Track
from droneteam.geo import MEAN_RADIUS_M

MAX_SPEED_MPS = 90.0
SAME_PLACE_M = 150.0
"""How far apart two positions of one aircraft may be for other reasons than its flight."""
CONCURRENT_S = 3.0
"""Two radios that both spoke within this time are both on the air."""
CONCURRENT_M = 60.0
"""Two radios of one aircraft, both on the air, agree this well once their motion is accounted."""
TURN_MPS2 = 10.0
SPLIT_AFTER = 3
"""Disagreements in a row that part two radios of one serial number."""
CLOCK_EARLY_S = 2.0
CLOCK_LATE_S = 10.0
"""A message made this long before its reception was timed by a clock that is off."""
REPEATED_AFTER_S = 30.0
"""The same time and place, sent again after this long, is a replay and no copy."""
KEPT_SIGNALS = 64
KEPT_KEYS = 256
MAX_SERIALS = 32
MAX_TWINS = 8
"""Tracks that may be told apart from one: a radio that is everywhere must not fill the sky."""
_SMOOTHING = 0.05
NEAR_DEG = 0.0009
"""Two positions that differ by less in both are within SAME_PLACE_M, wherever they are."""
_DEGREE_M = math.radians(1.0) * MEAN_RADIUS_M


@dataclass(slots=True)
class Receiver:
    """How long messages take to a receiver, learned from those with a sane clock.

    The delay dates messages that carry no time.
    """

    delay_s: float = 0.0
    n_timed: int = 0

    def learn(self, delay_s: float) -> None:
        """One message with a sane clock took this long."""
        self.n_timed += 1
        share = _SMOOTHING if self.n_timed * _SMOOTHING > 1.0 else 1.0 / self.n_timed
        self.delay_s += share * (delay_s - self.delay_s)


@dataclass(slots=True)
class Station:
    """What one radio address has said of itself; `raw` holds the message behind each part."""

    address: str
    joined_s: float
    heard_s: float
    uas_id: str | None = None
    registration: str | None = None
    operator_id: str | None = None
    system: rid.System | None = None
    raw: dict[int, bytes] = field(default_factory=dict)
    serials: set[str] = field(default_factory=set)
    entry: Entry | None = None
    last_s: float = -math.inf
    last: Reading | None = None
    clock_bias_s: float | None = None
    n_odd: int = 0
    counter: int | None = None
    told: bool = False
    """Whether its track knows all that it has said."""
    alone_at: int = -1
    """When (Tracker's count of joins) it was alone with its track and its identity."""

    def learn(self, message: rid.Message) -> None:
        """Keep what a message says of the aircraft."""
        self.told, self.alone_at = False, -1
        match message:
            case rid.BasicId(id_type=rid.IdType.REGISTRATION, uas_id=name) if name:
                self.registration = name
            case rid.BasicId(uas_id=name) if name:
                self.uas_id = name
                if len(self.serials) < MAX_SERIALS:
                    self.serials.add(name)
            case rid.OperatorId(operator_id=name) if name:
                self.operator_id = name
            case rid.System():
                self.system = message

    def date(self, received_s: float, made_s: float, receiver: Receiver) -> tuple[float, bool]:
        """When a position held, and whether the sender's clock had to be corrected.

        A clock that is off keeps its rhythm: its bias is followed, so that the intervals between
        messages stay those of the sender and not those of the radio path.
        """
        if made_s != made_s:
            return received_s - receiver.delay_s, False
        late_s = received_s - made_s
        if -CLOCK_EARLY_S <= late_s <= CLOCK_LATE_S:
            receiver.learn(late_s)
            self.clock_bias_s = None
            return made_s, False
        bias_s = self.clock_bias_s
        if bias_s is None or abs(late_s - bias_s) > CLOCK_LATE_S:
            bias_s = late_s
        self.clock_bias_s = bias_s + _SMOOTHING * (late_s - bias_s)
        return made_s + self.clock_bias_s - receiver.delay_s, True

    def agrees(self, other: Station, at_s: float, reading: Reading) -> bool:
        """Whether the other radio, moved to this time, is where this one says that it is."""
        if other.last is None:
            return True
        dt_s = at_s - other.last_s
        east_m, north_m = apart_m(other.last, reading)
        miss_m = math.hypot(
            east_m - other.last.east_mps * dt_s, north_m - other.last.north_mps * dt_s
        )
        moving_m = 0.0 if other.last.variance_m2_s2 < math.inf else MAX_SPEED_MPS * abs(dt_s)
        sigma_m = math.sqrt(reading.variance_m2 + other.last.variance_m2)
        return miss_m <= CONCURRENT_M + 2.0 * sigma_m + moving_m + TURN_MPS2 * dt_s**2

    def on_air(self, at_s: float) -> bool:
        """Whether it gave a position within CONCURRENT_S of a time."""
        return abs(at_s - self.last_s) <= CONCURRENT_S


@dataclass(slots=True, eq=False)
class Entry:
    """One track in progress: its row in the bank, and everything that is not motion."""

    id: int
    row: int
    started_s: float
    last_s: float
    last: Reading
    manned: bool = False
    uas_id: str | None = None
    registration: str | None = None
    operator_id: str | None = None
    system: rid.System | None = None
    transmitters: dict[str, None] = field(default_factory=dict)
    receivers: dict[str, None] = field(default_factory=dict)
    stations: list[Station] = field(default_factory=list)
    distinct: set[int] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    n_fixes: int = 0
    n_jumps: int = 0
    n_repeats: int = 0
    n_counter_backsteps: int = 0
    seen: dict[int, float] = field(default_factory=dict)
    """By the hash of a copy's key: ten thousand tracks remember millions of them."""
    signals: deque[tuple[str, int, float, float]] = field(
        default_factory=lambda: deque(maxlen=KEPT_SIGNALS)
    )
    """Signal's fields: plain tuples cost the garbage collector nothing."""
    view: Track | None = None

    def is_copy(self, reading: Reading, received_s: float) -> bool:
        """Whether this time and place were there before; one sent again much later is counted.

        A message without a time is never a copy: a hovering drone repeats itself rightfully.
        """
        first_s = self.seen.get(hash(reading[:3]))
        if first_s is None:
            return False
        if received_s - first_s > REPEATED_AFTER_S:
            self.n_repeats += 1
        return True

    def remember(self, reading: Reading, received_s: float) -> None:
        """Know a copy of this when one comes."""
        if reading.second_of_hour_s == reading.second_of_hour_s:
            self.seen[hash(reading[:3])] = received_s
            if len(self.seen) > KEPT_KEYS:
                del self.seen[next(iter(self.seen))]

    def near(self, reading: Reading) -> bool:
        """Whether it is so near the last position that no time is too short to get there."""
        last = self.last
        return (
            -NEAR_DEG < reading.lat_deg - last.lat_deg < NEAR_DEG
            and -NEAR_DEG < reading.lon_deg - last.lon_deg < NEAR_DEG
        )

    def reaches(self, at_s: float, reading: Reading) -> bool:
        """Whether an aircraft could get from here to there in the time between."""
        limit_m = SAME_PLACE_M + MAX_SPEED_MPS * abs(at_s - self.last_s)
        if self.manned:
            limit_m *= 4.0
        return math.hypot(*apart_m(self.last, reading)) <= limit_m

    def concurrent(self, station: Station, at_s: float) -> list[Station]:
        """The other radios that feed it now; not one whose newest position was another track's."""
        return [
            one
            for one in self.stations
            if one is not station and one.entry is self and one.on_air(at_s)
        ]


def apart_m(a: Reading, b: Reading) -> tuple[float, float]:
    """Metres east and north from a to b, in a plane about a."""
    turn_deg = (b.lon_deg - a.lon_deg + 180.0) % 360.0 - 180.0
    east_m = turn_deg * _DEGREE_M * math.cos(math.radians(a.lat_deg))
    return east_m, (b.lat_deg - a.lat_deg) * _DEGREE_M


def nearest(entries: Iterable[Entry], reading: Reading) -> Entry | None:
    """The entry whose last position is nearest; None when there are none."""
    return min(entries, key=lambda e: math.hypot(*apart_m(e.last, reading)), default=None)
