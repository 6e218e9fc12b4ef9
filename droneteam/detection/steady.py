"""Tracks in their steady state, thousands at once.

A radio is plain while it alone feeds its track, its track alone has its identity, its clock is
right and it has said nothing new.  A reception of a plain radio that repeats what is known, and
gives at most one position that follows from the last one, changes columns of `Ways` and nothing
else; many of them change them in one pass.  Whatever is not so is left to `track`, one by one:
what comes of a reception is the same on both ways, and a test holds them to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.detection.bank import Fixes
from droneteam.detection.motion import FloatArray, IntArray
from droneteam.detection.readings import FILTERED, LATITUDE, LONGITUDE, KeyArray
from droneteam.detection.stations import (
    CLOCK_EARLY_S,
    CLOCK_LATE_S,
    NEAR_DEG,
    REPEATED_AFTER_S,
    Entry,
    Receiver,
    Station,
    back_steps,
)
from droneteam.detection.ways import KEPT_RECEIVERS, NO_COUNTER, Ways

FEW = 24
"""Fewer receptions than this are quicker one by one."""
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Heard:
    """n receptions with k positions, as columns.

    rows : (n,) their track's row, -1 where the radio is not plain. received_s : (n,). receiver :
    (n,) its number. rssi_dbm : (n,) NaN where not told. counter : (n,) NO_COUNTER where not told.
    position : (n,) which of the positions it gives, -1 for none. readings : (k, N_READING).
    made_s : (k,) NaN where not told. keys : (k,) see `readings.keys`.
    """

    rows: IntArray
    received_s: FloatArray
    receiver: IntArray
    rssi_dbm: FloatArray
    counter: IntArray
    position: IntArray
    readings: FloatArray
    made_s: FloatArray
    keys: KeyArray


class Steady:
    """Which radios are plain, and what becomes of what they send."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self.rows: dict[str, int] = {}
        """By the address of a plain radio: its track's row."""

    def accept(self, station: Station, entry: Entry) -> None:
        """A radio is plain from now on."""
        self.doubt(entry)
        counter, entry.plain = station.counter, station
        station.counter = counter
        self.rows[station.address] = entry.row
        said = self._ways.said[entry.row]
        said[:] = 0
        for slot, message in station.said.items():
            said[slot] = np.frombuffer(message, dtype=np.uint8)

    def doubt(self, entry: Entry) -> None:
        """The track's radio may not be plain any more."""
        station = entry.plain
        if station is not None:
            counter, entry.plain = station.counter, None
            station.counter = counter
            del self.rows[station.address]

    def follow(
        self, heard: Heard, receivers: list[Receiver], suited: BoolArray
    ) -> tuple[BoolArray, Fixes | None]:
        """Which of the suited receptions are dealt with, and what the bank has to absorb."""
        done = np.zeros(len(heard.rows), dtype=np.bool_)
        given: list[tuple[IntArray, IntArray]] = []
        for some in _rounds(np.where(suited, heard.rows, -1)):
            # What was left once is left until the end: the order of a radio's messages counts.
            some = some[~self._left(heard, some, done)]
            if len(some) < FEW:
                break
            some = some[self._known(heard, some)]
            ordinary, new = self._judged(heard, some)
            done[some[ordinary]] = True
            given.append(self._take(heard, receivers, some[ordinary], some[new]))
        if not given:
            return done, None
        rows, positions = (np.concatenate(parts) for parts in zip(*given, strict=True))
        return done, None if not len(rows) else fixes(
            rows, heard.made_s[positions], heard.readings[positions]
        )

    def _left(self, heard: Heard, some: IntArray, done: BoolArray) -> BoolArray:
        """Whether an earlier reception of the same track was not dealt with."""
        before = np.flatnonzero(~done & (heard.rows >= 0))
        earliest = np.full(len(self._ways), len(done))
        np.minimum.at(earliest, heard.rows[before], before)
        return np.asarray(earliest[heard.rows[some]] < some)

    def _known(self, heard: Heard, some: IntArray) -> BoolArray:
        """Whether nothing is new about the reception itself: its receiver and its counter."""
        rows, receiver = heard.rows[some], heard.receiver[some]
        kept = (receiver >= 0) & (receiver < KEPT_RECEIVERS)
        bit = np.where(kept, receiver, 0).astype(np.uint64)
        told = kept & ((self._ways.heard_by[rows] >> bit) & np.uint64(1)).astype(np.bool_)
        return told & ~back_steps(self._ways.counter[rows], heard.counter[some])

    def _judged(self, heard: Heard, some: IntArray) -> tuple[BoolArray, BoolArray]:
        """Whether each is ordinary, and whether it gives a position that is new."""
        position = heard.position[some]
        located = position >= 0
        if not len(heard.readings):
            return ~located, located
        rows = heard.rows[some]
        reading, made_s = heard.readings[position], heard.made_s[position]
        unknown = np.isnan(reading[:, LATITUDE])
        since_s = heard.received_s[some] - self._ways.first_heard_s(rows, heard.keys[position])
        copy = since_s <= REPEATED_AFTER_S
        late_s = heard.received_s[some] - made_s
        last = self._ways.last[rows]
        follows = (
            np.isnan(since_s)
            & (late_s >= -CLOCK_EARLY_S)
            & (late_s <= CLOCK_LATE_S)
            & (made_s >= self._ways.last_s[rows])
            & (np.abs(reading[:, LATITUDE] - last[:, LATITUDE]) < NEAR_DEG)
            & (np.abs(reading[:, LONGITUDE] - last[:, LONGITUDE]) < NEAR_DEG)
        )
        return ~located | unknown | copy | follows, located & follows

    def _take(
        self, heard: Heard, receivers: list[Receiver], ordinary: IntArray, new: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Change the tracks; returns the rows and the positions that their filters wait for."""
        ways = self._ways
        counter = heard.counter[ordinary]
        told = counter != NO_COUNTER
        ways.counter[heard.rows[ordinary[told]]] = counter[told]
        rows, position = heard.rows[new], heard.position[new]
        reading, made_s = heard.readings[position], heard.made_s[position]
        ways.remember(rows, heard.keys[position], heard.received_s[new])
        ways.place(rows, made_s, reading)
        ways.count(rows)
        strong = ~np.isnan(heard.rssi_dbm[new])
        ways.hear(
            rows[strong],
            heard.receiver[new][strong],
            heard.rssi_dbm[new][strong],
            reading[strong][:, [LATITUDE, LONGITUDE]],
        )
        delays_s = (heard.received_s[new] - made_s).tolist()
        for receiver, delay_s in zip(heard.receiver[new].tolist(), delays_s, strict=True):
            receivers[receiver].learn(delay_s)
        return rows, position


def _rounds(rows: IntArray) -> Iterator[IntArray]:
    """The receptions of rows other than -1, the first of every row, then the second, and so on."""
    plain = np.flatnonzero(rows >= 0)
    order = plain[np.argsort(rows[plain], kind="stable")]
    starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
    counts = np.diff(starts, append=len(order))
    for turn in range(counts.max(initial=0)):
        yield order[starts[counts > turn] + turn]


def fixes(rows: IntArray, made_s: FloatArray, readings: FloatArray) -> Fixes:
    """Positions (n, N_READING) of tracks as the bank absorbs them."""
    lat_deg, lon_deg, *velocity, place, speed = readings[:, FILTERED].T
    variance = np.stack([place, place, speed, speed])
    return Fixes(rows, made_s, lat_deg, lon_deg, np.stack(velocity), variance)
