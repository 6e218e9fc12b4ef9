"""The live feed: read the state once, make what changed into bytes once, for all listeners.

While somebody listens, each part of the state is read by a thread of its own, when the database
has changed and at the part's own pace: what is small and urgent does not wait for what is large.
Every change gets a number and is kept for a while, so that a browser that lost its connection gets
exactly what it missed (Last-Event-ID) and otherwise a whole snapshot.  Sending is not done here:
`broadcast.py` waits on an event loop for all listeners together, `stream` in a thread for one.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger(__name__)

State = Mapping[str, Mapping[str, Any]]
"""What there is, by key such as "drone:3"; values are ready for JSON."""

PERIOD_S = 0.01
"""Shortest rest between two readings of one part."""
REST = 4.0
"""Rests so many times longer than the last reading took: a large state takes a fifth of a core."""
UNTOLD_S = 0.5
"""How often a part is read although nothing was told: some of it changes with time alone."""
KEPT_EVENTS = 600
KEEP_ALIVE_S = 15.0
"""Shorter than the 30 to 60 s after which proxies drop a silent connection."""
STREAM_LIFETIME_S = 600.0
"""Then the browser connects again and is checked again: a lost role ends here at the latest."""
RETRY = b"retry: 2000\n\n"
RETRY_AT_ONCE = b"retry: 50\n\n"
"""For a stream that ends on purpose: nothing is wrong, and the map should not stand still."""
STILL_HERE = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """One change, numbered; `data` is the finished text of the event stream."""

    number: int
    data: bytes


class Bell(Protocol):
    """Rings when there may be something new to read."""

    def wait(self, timeout_s: float) -> bool:
        """Whether it has rung since the last time, waiting for it so long."""

    def close(self) -> None:
        """It is not waited for any more."""


class _Part:
    """A part of the state with its own reader; no two parts share a key."""

    def __init__(self, read: Callable[[], State], period_s: float) -> None:
        self.read = read
        self.period_s = period_s
        self.reading = threading.Lock()
        self.read_at_s = -period_s
        self.rest_s = period_s
        self.state: State = {}
        self.thread: threading.Thread | None = None


class Feed:
    """Reads the state while there are listeners and hands out what changed.

    reads : one for each part of the state; new_bell : makes what each part's reader waits for,
    without it every part is read as often as its pace allows.
    """

    def __init__(
        self,
        *reads: Callable[[], State],
        period_s: float = PERIOD_S,
        kept: int = KEPT_EVENTS,
        new_bell: Callable[[], Bell] | None = None,
    ) -> None:
        self._parts = [_Part(read, period_s) for read in reads]
        self._new_bell = new_bell
        self._changed = threading.Condition()
        self._callers: tuple[Callable[[], None], ...] = ()
        self._snapshot: Event | None = None
        self._events: deque[Event] = deque(maxlen=kept)
        self._number = 0
        self._listeners = 0
        # Numbers begin again when the server does; the epoch tells old ones from new ones.
        self._epoch = f"{time.time_ns() // 1_000_000:x}"

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return self._listeners

    def snapshot(self) -> tuple[str, list[Mapping[str, Any]]]:
        """The number of the last change, and everything there is; for polling."""
        self._refresh()
        with self._changed:
            return self._id(self._number), self._everything()

    def call(self, caller: Callable[[], None]) -> None:
        """From now on `caller` is called after every change, in the thread that found it."""
        with self._changed:
            self._callers += (caller,)

    def begin(self, last_event_id: str = "") -> Event:
        """A listener comes: the number that it has then seen, and what was missed or a snapshot.

        Reads the state when nobody else listens; `leave` must follow.
        """
        self._enter()
        epoch, _, text = last_event_id.partition("-")
        with self._changed:
            if epoch == self._epoch and text.isdecimal() and self._keeps(int(text)):
                missed = self._after(int(text))
                return Event(self._number, missed or b": nothing missed\n\n")
            return self._whole()

    def since(self, seen: int) -> Event:
        """What comes after `seen`: no bytes when nothing does, a snapshot for who was too slow."""
        with self._changed:
            if self._keeps(seen):
                return Event(self._number, self._after(seen))
            return self._whole()

    def leave(self) -> None:
        """A listener goes; its parts are no longer read when it was the last one."""
        with self._changed:
            self._listeners -= 1

    def wake(self) -> None:
        """Lets every thread that streams look whether it goes on."""
        with self._changed:
            self._changed.notify_all()

    def stream(
        self,
        last_event_id: str = "",
        *,
        lifetime_s: float = STREAM_LIFETIME_S,
        ended: Callable[[], bool] = lambda: False,
    ) -> Iterator[bytes]:
        """The event stream in a thread: what was missed or a snapshot, then every change.

        ended : whether it is over before its time; looked at with every change and after `wake`
        """
        end_s = time.monotonic() + lifetime_s
        event = self.begin(last_event_id)
        try:
            yield RETRY
            while True:
                yield event.data or STILL_HERE
                left_s = end_s - time.monotonic()
                if left_s <= 0.0 or ended():
                    yield RETRY_AT_ONCE
                    return
                event = self._wait(event.number, min(KEEP_ALIVE_S, left_s), ended)
                if ended():
                    event = Event(event.number, b"")
        finally:
            self.leave()

    def _wait(self, seen: int, timeout_s: float, ended: Callable[[], bool]) -> Event:
        with self._changed:
            self._changed.wait_for(lambda: self._number > seen or ended(), timeout_s)
            return self.since(seen)

    def _keeps(self, seen: int) -> bool:
        """Whether everything after `seen` is kept."""
        oldest = self._events[0].number if self._events else self._number + 1
        return oldest - 1 <= seen <= self._number

    def _after(self, seen: int) -> bytes:
        fresh = self._number - seen
        if fresh == 1:  # what nearly everybody waits for: the same bytes for all
            return self._events[-1].data
        return b"".join(self._events[-back].data for back in range(fresh, 0, -1))

    def _whole(self) -> Event:
        """The snapshot; made once for all who come between two changes."""
        if self._snapshot is None or self._snapshot.number != self._number:
            data = self._block("snapshot", _json({"set": self._everything()}))
            self._snapshot = Event(self._number, data)
        return self._snapshot

    def _everything(self) -> list[Mapping[str, Any]]:
        return [row for part in self._parts for row in part.state.values()]

    def _enter(self) -> None:
        self._refresh()
        with self._changed:
            self._listeners += 1
            for part in self._parts:
                if part.thread is None:
                    part.thread = threading.Thread(
                        target=self._run, args=(part,), name="live-feed", daemon=True
                    )
                    part.thread.start()

    def _run(self, part: _Part) -> None:
        """Reads a part until nobody listens any more."""
        bell = None if self._new_bell is None else self._new_bell()
        try:
            while True:
                time.sleep(part.rest_s)
                told = bell is None or bell.wait(UNTOLD_S)
                with self._changed:
                    if self._listeners <= 0:
                        part.thread = None
                        return
                self._refresh_part(part)
                if not told:  # looked for nothing: the next change is not kept waiting for it
                    part.rest_s = part.period_s
        finally:
            if bell is not None:
                bell.close()

    def _refresh(self) -> None:
        for part in self._parts:
            self._refresh_part(part)

    def _refresh_part(self, part: _Part) -> None:
        """Reads a part, unless another thread has done so within its rest."""
        with part.reading:
            began_s = time.monotonic()
            if began_s - part.read_at_s >= part.rest_s:
                self._take(part)
                part.read_at_s = time.monotonic()
                part.rest_s = max(part.period_s, REST * (part.read_at_s - began_s))

    def _take(self, part: _Part) -> None:
        try:
            state = dict(part.read())
        except Exception:  # a thread's edge: the database may be away for a moment
            log.exception("the live state could not be read; trying again")
            return
        self._tell(part, state)

    def _tell(self, part: _Part, state: State) -> None:
        """Number and keep what is other than before, and wake who waits for it."""
        before = part.state  # only this part's reader writes it
        changed = [
            _other(before.get(key), row) for key, row in state.items() if before.get(key) != row
        ]
        gone = [key for key in before if key not in state]
        if not changed and not gone:
            return
        text = _json({"set": changed, "gone": gone})
        with self._changed:
            part.state = state
            self._number += 1
            self._events.append(Event(self._number, self._block("change", text)))
            self._changed.notify_all()
            callers = self._callers
        for caller in callers:
            caller()

    def _block(self, name: str, text: str) -> bytes:
        return f"id: {self._id(self._number)}\nevent: {name}\ndata: {text}\n\n".encode()

    def _id(self, number: int) -> str:
        return f"{self._epoch}-{number}"


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _other(before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is other than before, with the key; the whole row where there was none."""
    if before is None:
        return row
    return {
        name: value
        for name, value in row.items()
        if name == "key" or name not in before or before[name] != value
    }
