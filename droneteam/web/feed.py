"""The live feed: read the state once, send what changed to any number of listeners.

While somebody listens, each part of the state is read by a thread of its own, when the database
has changed and at the part's own pace: what is small and urgent does not wait for what is large.
Every change gets a number and is kept for a while, so that a browser that lost its connection gets
exactly what it missed (Last-Event-ID) and otherwise a whole snapshot.  The bytes of an event are
made once, not once per listener.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
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
CHAINS = 4
"""How many listeners are woken at a time; twice the cores of a small server."""
KEEP_ALIVE_S = 15.0
"""Shorter than the 30 to 60 s after which proxies drop a silent connection."""
STREAM_LIFETIME_S = 600.0
"""Then the browser connects again and is checked again: a lost role ends here at the latest."""
RETRY_MS = 2000


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


class _Listener:
    """A stream that waits: its thread sleeps on a lock of its own until it is called."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[None] = SimpleQueue()
        self.seen = 0


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
        self._changed = threading.Lock()
        self._idle: deque[_Listener] = deque()
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

    def stream(
        self, last_event_id: str = "", *, lifetime_s: float = STREAM_LIFETIME_S
    ) -> Iterator[bytes]:
        """The event stream: what was missed or a snapshot, then every change as it comes."""
        self._enter()
        listener = _Listener()
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            end_s = time.monotonic() + lifetime_s
            seen, first = self._start(last_event_id)
            yield first
            while (left_s := end_s - time.monotonic()) > 0:
                events = self._wait(listener, seen, min(KEEP_ALIVE_S, left_s))
                if not events:
                    yield b": still here\n\n"
                    continue
                if events[0].number != seen + 1:  # too slow: some changes are no longer kept
                    seen, first = self._start("")
                    yield first
                    continue
                yield b"".join(event.data for event in events)
                seen = events[-1].number
        finally:
            self._leave()

    def _start(self, last_event_id: str) -> tuple[int, bytes]:
        """Where a listener begins: after the last event it saw, or with a snapshot."""
        epoch, _, text = last_event_id.partition("-")
        with self._changed:
            if epoch == self._epoch and text.isdecimal():
                seen = int(text)
                oldest = self._events[0].number if self._events else self._number + 1
                if oldest - 1 <= seen <= self._number:
                    missed = [event.data for event in self._events if event.number > seen]
                    return self._number, b"".join(missed) or b": nothing missed\n\n"
            return self._number, self._encode("snapshot", {"set": self._everything()})

    def _wait(self, listener: _Listener, seen: int, timeout_s: float) -> list[Event]:
        """The events after `seen`; none when nothing came in time."""
        with self._changed:
            if self._number > seen:
                return self._after(seen)
            listener.seen = seen
            self._idle.append(listener)
        try:
            listener.calls.get(timeout=timeout_s)
        except Empty:
            with self._changed:
                if listener in self._idle:
                    self._idle.remove(listener)
                    return []
            listener.calls.get()  # called in the last moment: it stands in the chain
        with self._changed:
            self._call_next()
            return self._after(seen)

    def _after(self, seen: int) -> list[Event]:
        fresh = min(self._number - seen, len(self._events))
        return [self._events[-back] for back in range(fresh, 0, -1)]

    def _call_next(self) -> None:
        """Calls one of those who wait for the last change; it calls another before it sends.

        Hundreds of threads that wake at once fight for the interpreter and mostly wake in vain;
        a few at a time pass it on as fast as they can use it.  Only listeners that wait are in the
        chain, so that a slow connection holds up nobody; whoever waits longest has seen least.
        """
        if self._idle and self._idle[0].seen < self._number:
            self._idle.popleft().calls.put(None)

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

    def _leave(self) -> None:
        with self._changed:
            self._listeners -= 1

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
        with self._changed:
            before = part.state
            changed = [
                _other(before.get(key), row) for key, row in state.items() if before.get(key) != row
            ]
            gone = [key for key in before if key not in state]
            if not changed and not gone:
                return
            part.state = state
            self._number += 1
            data = self._encode("change", {"set": changed, "gone": gone})
            self._events.append(Event(self._number, data))
            for _chain in range(CHAINS):
                self._call_next()

    def _encode(self, name: str, content: Mapping[str, Any]) -> bytes:
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return f"id: {self._id(self._number)}\nevent: {name}\ndata: {text}\n\n".encode()

    def _id(self, number: int) -> str:
        return f"{self._epoch}-{number}"


def _other(before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is other than before, with the key; the whole row where there was none."""
    if before is None:
        return row
    return {
        name: value
        for name, value in row.items()
        if name == "key" or name not in before or before[name] != value
    }
