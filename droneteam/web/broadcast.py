"""One event stream of the live feed, sent by an event loop instead of a thread of its own.

Hundreds of threads that wake for every change fight for the interpreter: the last listener then
waits ten times as long as the first.  A view answers with a `Broadcast`.  A server that knows it
(`server.py`) hands the listener to the loop, which wakes once and sends the same bytes to all; any
other WSGI server iterates over it, one thread for each.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from droneteam.web.feed import (
    KEEP_ALIVE_S,
    RETRY,
    RETRY_AT_ONCE,
    STILL_HERE,
    STREAM_LIFETIME_S,
    Feed,
)
from droneteam.web.listening import Listener
from droneteam.web.looks import noted_stream

STREAM_BYTES = 16_000_000
"""Most that one stream sends: what the server holds for a listener that reads nothing."""

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Looks:
    """Whose operators the feed shows now, and how a look at them is noted; both may block."""

    shown: Callable[[], frozenset[int]]
    note: Callable[[Iterable[int]], None]


class Hub:
    """Wakes the listeners of one feed on one event loop; every method runs on that loop."""

    def __init__(self, feed: Feed, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: list[asyncio.Future[None]] = []
        self._called = False
        feed.call(self.call)
        self._beat()

    async def wait(self) -> None:
        """Returns at the next change, or when it is time for a sign of life."""
        waiting = self.loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def call(self) -> None:
        """Wakes everybody, from another thread."""
        # One call on its way is enough: listeners take all there is.
        if not self._called and not self.loop.is_closed():
            self._called = True
            self.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._called = False
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():  # cancelled while it waited
                one.set_result(None)

    def _beat(self) -> None:
        self._wake()
        self.loop.call_later(KEEP_ALIVE_S, self._beat)


_hubs: WeakKeyDictionary[Feed, Hub] = WeakKeyDictionary()


def _hub(feed: Feed) -> Hub:
    """The feed's hub on the running loop; a process has one loop."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(feed)
    if found is None or found.loop is not loop:
        found = _hubs[feed] = Hub(feed, loop)
    return found


@dataclass(slots=True)
class Broadcast:
    """The body of an answer: what a listener missed, then every change until the stream's end.

    It ends after a while, so that rights are checked again; at random within a quarter of that, so
    that listeners that came together do not all come again together.  Where the session that it
    was opened with ends before, so does the stream.
    """

    feed: Feed
    last_event_id: str = ""
    looks: Looks | None = None
    listener: Listener | None = None
    lifetime_s: float = field(default_factory=lambda: STREAM_LIFETIME_S * random.uniform(0.75, 1.0))

    def __iter__(self) -> Iterator[bytes]:
        blocks = self._blocks()
        if self.looks is None:
            return blocks
        return noted_stream(blocks, self.looks.shown, self.looks.note)

    def _blocks(self) -> Iterator[bytes]:
        self._enter(self.feed.wake)
        try:
            yield from self.feed.stream(
                self.last_event_id, lifetime_s=self.lifetime_s, ended=self._is_over
            )
        finally:
            self._leave()

    async def send(self, send: Send, run: Callable[..., Awaitable[Any]]) -> None:
        """The whole stream through `send`; what blocks goes through `run`, off the loop."""
        end_s = time.monotonic() + self.lifetime_s
        hub = _hub(self.feed)
        noted: frozenset[int] = frozenset()
        event = await run(self.feed.begin, self.last_event_id)
        self._enter(hub.call)
        try:
            await send(RETRY)
            sent, data = 0, event.data
            while time.monotonic() < end_s and sent < STREAM_BYTES and not self._is_over():
                if self.looks is not None and (shown := self.looks.shown()) is not noted:
                    # Before they leave; there is no look that is not noted.
                    await run(self.looks.note, shown)
                    noted = shown
                await send(data)
                sent += len(data)
                await hub.wait()
                event = self.feed.since(event.number)
                data = event.data or STILL_HERE
            await send(RETRY_AT_ONCE)
        finally:
            self._leave()
            self.feed.leave()

    def _enter(self, wake: Callable[[], None]) -> None:
        """`wake` : called when a session ends"""
        if self.listener is not None:
            self.listener.call(wake)
            self.listener.enter()

    def _leave(self) -> None:
        if self.listener is not None:
            self.listener.leave()

    def _is_over(self) -> bool:
        return self.listener is not None and self.listener.ended
