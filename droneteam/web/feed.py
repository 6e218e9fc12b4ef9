"""The live feed: read the state once, send what changed to any number of listeners.

One thread reads while somebody listens.  Every change gets a number and is kept for a while,
so that a browser that lost its connection gets exactly what it missed (Last-Event-ID) and
otherwise a whole snapshot.  The bytes of an event are made once, not once per listener.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

State = Mapping[str, Mapping[str, Any]]
"""What there is, by key such as "drone:3"; values are ready for JSON."""

PERIOD_S = 0.1
"""An alert waits half of this on average."""
REST = 4.0
"""Rests so many times longer than the last reading took: a large state takes a fifth of a core."""
KEPT_EVENTS = 600
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


class Feed:
    """Reads the state while there are listeners and hands out what changed."""

    def __init__(
        self, read: Callable[[], State], *, period_s: float = PERIOD_S, kept: int = KEPT_EVENTS
    ) -> None:
        self._read = read
        self._period_s = period_s
        self._changed = threading.Condition()
        self._reading = threading.Lock()
        self._read_at_s = -period_s
        self._rest_s = period_s
        self._events: deque[Event] = deque(maxlen=kept)
        self._state: dict[str, Mapping[str, Any]] = {}
        self._number = 0
        self._listeners = 0
        self._thread: threading.Thread | None = None
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
            return self._id(self._number), list(self._state.values())

    def stream(
        self, last_event_id: str = "", *, lifetime_s: float = STREAM_LIFETIME_S
    ) -> Iterator[bytes]:
        """The event stream: what was missed or a snapshot, then every change as it comes."""
        self._enter()
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            end_s = time.monotonic() + lifetime_s
            seen, first = self._start(last_event_id)
            yield first
            while (left_s := end_s - time.monotonic()) > 0:
                events = self._wait(seen, min(KEEP_ALIVE_S, left_s))
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
            return self._number, self._encode("snapshot", {"set": list(self._state.values())})

    def _wait(self, seen: int, timeout_s: float) -> list[Event]:
        with self._changed:
            self._changed.wait_for(lambda: self._number > seen, timeout=timeout_s)
            return [event for event in self._events if event.number > seen]

    def _enter(self) -> None:
        self._refresh()
        with self._changed:
            self._listeners += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live-feed", daemon=True)
                self._thread.start()

    def _leave(self) -> None:
        with self._changed:
            self._listeners -= 1

    def _run(self) -> None:
        """Reads until nobody listens any more."""
        while True:
            time.sleep(self._rest_s)
            with self._changed:
                if self._listeners <= 0:
                    self._thread = None
                    return
            self._refresh()

    def _refresh(self) -> None:
        """Reads the state, unless another thread has done so within the period."""
        with self._reading:
            began_s = time.monotonic()
            if began_s - self._read_at_s >= self._rest_s:
                self._take()
                self._read_at_s = time.monotonic()
                self._rest_s = max(self._period_s, REST * (self._read_at_s - began_s))

    def _take(self) -> None:
        try:
            state = dict(self._read())
        except Exception:  # a thread's edge: the database may be away for a moment
            log.exception("the live state could not be read; trying again")
            return
        with self._changed:
            changed = [row for key, row in state.items() if self._state.get(key) != row]
            gone = [key for key in self._state if key not in state]
            if not changed and not gone:
                return
            self._state = state
            self._number += 1
            data = self._encode("change", {"set": changed, "gone": gone})
            self._events.append(Event(self._number, data))
            self._changed.notify_all()

    def _encode(self, name: str, content: Mapping[str, Any]) -> bytes:
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return f"id: {self._id(self._number)}\nevent: {name}\ndata: {text}\n\n".encode()

    def _id(self, number: int) -> str:
        return f"{self._epoch}-{number}"
