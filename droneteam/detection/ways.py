"""What is remembered of every track between two messages, as arrays: one row is one track.

The rows are the bank's.  Columns are what a position changes, so that thousands of positions
change them at once (`steady`); everything that changes seldom is an `Entry`'s own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droneteam.detection.motion import FloatArray, IntArray
from droneteam.detection.readings import N_READING, KeyArray
from droneteam.detection.records import Signal

KEPT_KEYS = 256
"""Positions of which a copy is known: four minutes of one a second."""
KEPT_SIGNALS = 64
KEPT_RECEIVERS = 64
"""Receivers of which is kept here, in bits, whether they have heard a track."""
N_SAID = 7
"""Kinds of message by which a radio describes its aircraft; see `stations.slots`."""
MESSAGE_BYTES = 25
NO_COUNTER = -1

_ROW = np.dtype(
    [
        ("id", "i8"),
        ("last_s", "f8"),
        ("last", "f8", (N_READING,)),
        ("n_fixes", "i8"),
        ("n_keys", "i8"),
        ("n_signals", "i8"),
        ("heard_by", "u8"),
        ("counter", "i8"),
        ("changed", "?"),
        ("stale", "?"),
        ("said", "u1", (N_SAID, MESSAGE_BYTES)),
    ]
)
_SIGNAL = np.dtype([("receiver", "i4"), ("rssi_dbm", "i4"), ("place_deg", "f8", (2,))])


class Ways:
    """The tracks' rows, which grow in number; what a row holds is nothing until it is started.

    Columns, (capacity,) each. id : the track's; last_s, last : its newest position, as
    the fields of a `Reading`; heard_by : a bit for each of the first KEPT_RECEIVERS; counter : of
    its radio's frames; changed, stale : since `Tracker.changes` was asked, and since its view was
    made; said : what its only radio said last. keys, key_s : (capacity, KEPT_KEYS) its newest
    positions, and when each was heard first.
    """

    def __init__(self) -> None:
        self._rows: NDArray[np.void] = np.zeros(64, _ROW)
        self.keys: KeyArray = np.zeros((64, KEPT_KEYS), np.uint64)
        self.key_s: FloatArray = np.zeros((64, KEPT_KEYS))
        self._signals: NDArray[np.void] = np.zeros((64, KEPT_SIGNALS), _SIGNAL)
        self._name_columns()

    def _name_columns(self) -> None:
        rows = self._rows
        self.id: IntArray = rows["id"]
        self.last_s: FloatArray = rows["last_s"]
        self.last: FloatArray = rows["last"]
        self.n_fixes: IntArray = rows["n_fixes"]
        self.heard_by: KeyArray = rows["heard_by"]
        self.counter: IntArray = rows["counter"]
        self.changed: NDArray[np.bool_] = rows["changed"]
        self.stale: NDArray[np.bool_] = rows["stale"]
        self.said: NDArray[np.uint8] = rows["said"]
        self._n_keys: IntArray = rows["n_keys"]
        self._n_signals: IntArray = rows["n_signals"]

    def __len__(self) -> int:
        """How many rows there are, used or not."""
        return len(self._rows)

    def start(self, row: int, track_id: int) -> None:
        """A track begins in a row."""
        while row >= len(self._rows):
            self._rows, self.keys = _doubled(self._rows), _doubled(self.keys)
            self.key_s, self._signals = _doubled(self.key_s), _doubled(self._signals)
            self._name_columns()
        self._rows[row] = np.zeros((), _ROW)
        self.id[row] = track_id
        self.counter[row] = NO_COUNTER
        self.keys[row] = 0

    def touch(self, row: int) -> None:
        """Something of the track is other than before."""
        self.changed[row] = self.stale[row] = True

    def place(self, rows: IntArray | int, at_s: FloatArray | float, readings: Any) -> None:
        """The newest positions of tracks, each row once; readings : (n, N_READING)."""
        self.last_s[rows] = at_s
        self.last[rows] = readings

    def count(self, rows: IntArray | int) -> None:
        """Tracks got another position, each row once."""
        self.n_fixes[rows] += 1
        self.changed[rows] = True
        self.stale[rows] = True

    def first_heard_s(self, rows: IntArray, keys: KeyArray) -> FloatArray:
        """(n,) when each position was heard first; NaN where it was not, or is not known any more.

        A key of 0 is of a position that has no time, of which nobody can tell a copy.
        """
        same = self.keys[rows] == keys[:, None]
        slot = np.argmax(same, axis=1)
        known = same[np.arange(len(rows)), slot] & (keys != 0)
        return np.where(known, self.key_s[rows, slot], np.nan)

    def first_heard_of_one_s(self, row: int, key: np.uint64) -> float:
        """The same of one position."""
        same = self.keys[row] == key
        slot = int(same.argmax())
        return float(self.key_s[row, slot]) if key and same[slot] else math.nan

    def remember(
        self, rows: IntArray | int, keys: KeyArray | np.uint64, received_s: FloatArray | float
    ) -> None:
        """Know copies of these positions when they come, each row once."""
        slot = self._n_keys[rows] % KEPT_KEYS
        self.keys[rows, slot] = keys
        self.key_s[rows, slot] = received_s
        self._n_keys[rows] += 1

    def hear(
        self, rows: IntArray, receivers: IntArray, rssi_dbm: FloatArray, places_deg: FloatArray
    ) -> None:
        """How strong positions (n, 2) were where they were heard, each row once."""
        slot = self._n_signals[rows] % KEPT_SIGNALS
        self._signals["receiver"][rows, slot] = receivers
        self._signals["rssi_dbm"][rows, slot] = rssi_dbm
        self._signals["place_deg"][rows, slot] = places_deg
        self._n_signals[rows] += 1

    def hear_one(
        self, row: int, receiver: int, rssi_dbm: int, place_deg: tuple[float, float]
    ) -> None:
        """The same of one position."""
        slot = self._n_signals[row] % KEPT_SIGNALS
        self._signals[row, slot] = receiver, rssi_dbm, place_deg
        self._n_signals[row] += 1

    def signals(self, row: int, names: list[str]) -> tuple[Signal, ...]:
        """The newest signals of a track, the oldest first; names : of the receivers."""
        count = int(self._n_signals[row])
        kept = self._signals[row, :count]
        if count > KEPT_SIGNALS:
            kept = np.roll(kept, -(count % KEPT_SIGNALS))
        receivers = [names[number] for number in kept["receiver"].tolist()]
        lat_deg, lon_deg = kept["place_deg"].T.tolist()
        return tuple(map(Signal, receivers, kept["rssi_dbm"].tolist(), lat_deg, lon_deg))


def _doubled(column: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([column, np.zeros_like(column)])
