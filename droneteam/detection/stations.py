"""Radios and the tracks that they feed: what is remembered of each between two messages."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from droneteam.detection import batch, rid
from droneteam.detection.motion import IntArray
from droneteam.detection.readings import LATITUDE, LONGITUDE, Reading
from droneteam.detection.records import Track
from droneteam.detection.ways import N_SAID, NO_COUNTER, Ways
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
MAX_SERIALS = 32
MAX_TWINS = 8
"""Tracks that may be told apart from one: a radio that is everywhere must not fill the sky."""
_SMOOTHING = 0.05
NEAR_DEG = 0.0009
"""Two positions that differ by less in both are within SAME_PLACE_M, wherever they are."""
_DEGREE_M = math.radians(1.0) * MEAN_RADIUS_M
_SLOTS = np.full((16, 16), -1, dtype=np.intp)
"""By the type of message and the high half of its second byte, which is an identity's type."""
_SLOTS[rid.MessageType.BASIC_ID, : len(rid.IdType)] = np.arange(len(rid.IdType))
_SLOTS[rid.MessageType.SYSTEM], _SLOTS[rid.MessageType.OPERATOR_ID] = N_SAID - 2, N_SAID - 1
_SYSTEM_TIME = slice(20, 24)
"""Where a System message has its time of sending."""


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
    """What one radio address has said of itself; `said` holds the message behind each part."""

    address: str
    joined_s: float
    heard_s: float
    uas_id: str | None = None
    registration: str | None = None
    operator_id: str | None = None
    system: rid.System | None = None
    said: dict[int, bytes] = field(default_factory=dict)
    serials: set[str] = field(default_factory=set)
    entry: Entry | None = None
    clock_bias_s: float | None = None
    n_odd: int = 0
    told: bool = False
    """Whether its track knows all that it has said."""
    has_serial: bool = False
    _last_s: float = -math.inf
    _last: Reading | None = None
    _counter: int | None = None

    @property
    def last(self) -> Reading | None:
        """The newest position that it gave."""
        leads = self.entry is not None and self.entry.leader is self
        return self.entry.last if leads and self.entry is not None else self._last

    @property
    def last_s(self) -> float:
        """When the newest position that it gave held."""
        leads = self.entry is not None and self.entry.leader is self
        return self.entry.last_s if leads and self.entry is not None else self._last_s

    def part(self) -> None:
        """Its own newest position is not its track's any more, which may go on without it."""
        if self.entry is not None and self.entry.leader is self:
            self._last, self._last_s = self.entry.last, self.entry.last_s
            self.entry.leader = None

    def give(self, at_s: float, reading: Reading) -> None:
        """Its newest position, where that is not its track's."""
        self.part()
        self._last_s, self._last = at_s, reading

    @property
    def counter(self) -> int | None:
        """The newest counter of its radio frames."""
        entry = self.entry
        if entry is None or entry.plain is not self:
            return self._counter
        counter = int(entry.ways.counter[entry.row])
        return None if counter == NO_COUNTER else counter

    @counter.setter
    def counter(self, counter: int | None) -> None:
        self._counter = counter
        if self.entry is not None and self.entry.plain is self:
            number = NO_COUNTER if counter is None else counter
            self.entry.ways.counter[self.entry.row] = number

    def learn(self, message: rid.Message) -> None:
        """Keep what a message says of the aircraft.

        A session's id does not replace a serial number: an aircraft may send both.
        """
        self.told = False
        match message:
            case rid.BasicId(id_type=rid.IdType.REGISTRATION, uas_id=name) if name:
                self.registration = name
            case rid.BasicId(id_type=kind, uas_id=name) if name:
                serial = kind == rid.IdType.SERIAL_NUMBER
                self.uas_id = name if serial or not self.has_serial else self.uas_id
                self.has_serial |= serial
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
    """One track in progress: what does not change with every position.

    row : its row in the bank and in `ways`, which hold the rest. leader : the radio that gave its
    newest position, while that is also the radio's newest. plain : see `steady`.
    """

    id: int
    row: int
    ways: Ways
    started_s: float
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
    n_jumps: int = 0
    n_repeats: int = 0
    n_counter_backsteps: int = 0
    leader: Station | None = None
    plain: Station | None = None
    _view: Track | None = None

    @property
    def last(self) -> Reading:
        """Its newest position."""
        return Reading._make(self.ways.last[self.row].tolist())

    @property
    def last_s(self) -> float:
        """When its newest position held."""
        return float(self.ways.last_s[self.row])

    @property
    def n_fixes(self) -> int:
        """How many positions it was made of."""
        return int(self.ways.n_fixes[self.row])

    @property
    def view(self) -> Track | None:
        """The track as it is now; None where it must be made anew."""
        return None if self.ways.stale[self.row] else self._view

    @view.setter
    def view(self, track: Track) -> None:
        self._view = track
        self.ways.stale[self.row] = False

    def is_copy(self, key: np.uint64, received_s: float) -> bool:
        """Whether this time and place were there before; one sent again much later is counted.

        key : of `readings.keys`
        """
        first_s = self.ways.first_heard_of_one_s(self.row, key)
        if first_s != first_s:
            return False
        if received_s - first_s > REPEATED_AFTER_S:
            self.n_repeats += 1
        return True

    def remember(self, key: np.uint64, received_s: float) -> None:
        """Know a copy of this when one comes."""
        self.ways.remember(self.row, key, received_s)

    def near(self, reading: Reading) -> bool:
        """Whether it is so near the last position that no time is too short to get there."""
        last = self.ways.last[self.row]
        return bool(
            -NEAR_DEG < reading.lat_deg - last[LATITUDE] < NEAR_DEG
            and -NEAR_DEG < reading.lon_deg - last[LONGITUDE] < NEAR_DEG
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


def back_steps(before: IntArray, counter: IntArray) -> NDArray[np.bool_]:
    """(n,) whether a radio's counter ran back; NO_COUNTER tells nothing.

    A copy repeats the counter; only a step back of several is a sign.
    """
    back = (before - counter) % 256
    told = (before != NO_COUNTER) & (counter != NO_COUNTER)
    return np.asarray(told & (back > 2) & (back < 128))


def ran_back(before: int, counter: int) -> bool:
    """The same of one radio."""
    return 2 < (before - counter) % 256 < 128


def slots(data: batch.BytesArray) -> IntArray:
    """(n,) which of the N_SAID descriptions of an aircraft each message is; -1 for others."""
    return np.asarray(_SLOTS[data[:, 0] >> 4, data[:, 1] >> 4])


def timeless(message: bytes) -> bytes:
    """The message without its time, which says nothing new of the aircraft."""
    if message[0] >> 4 != rid.MessageType.SYSTEM:
        return message
    return message[: _SYSTEM_TIME.start] + b"\0\0\0\0" + message[_SYSTEM_TIME.stop :]


def without_times(data: batch.BytesArray, kind: batch.BytesArray) -> batch.BytesArray:
    """(n, 25) the same of many messages."""
    found = data.copy()
    found[kind == rid.MessageType.SYSTEM, _SYSTEM_TIME] = 0
    return found


def apart_m(a: Reading, b: Reading) -> tuple[float, float]:
    """Metres east and north from a to b, in a plane about a."""
    turn_deg = (b.lon_deg - a.lon_deg + 180.0) % 360.0 - 180.0
    east_m = turn_deg * _DEGREE_M * math.cos(math.radians(a.lat_deg))
    return east_m, (b.lat_deg - a.lat_deg) * _DEGREE_M


def nearest(entries: Iterable[Entry], reading: Reading) -> Entry | None:
    """The entry whose last position is nearest; None when there are none."""
    return min(entries, key=lambda e: math.hypot(*apart_m(e.last, reading)), default=None)
