"""Following sources and waiting for what they hear: for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from droneteam.detection.feeds import Backoff, Feed, Inbox, Source
from droneteam.detection.records import Received, Record, Trouble

PATIENCE_S = 90.0
QUICK = Backoff(first_s=0.05, limit_s=0.2)


@contextmanager
def followed(source: Source, inbox: Inbox, name: str = "utm") -> Iterator[Feed]:
    """A source, followed while the context lasts."""
    feed = Feed(name, source, inbox, QUICK)
    feed.start()
    try:
        yield feed
    finally:
        feed.close()


def gather(
    inbox: Inbox,
    enough: Callable[[list[Record]], bool],
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Record]:
    """Everything that came until it was enough; `meanwhile` is called again and again."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while not enough(records):
        assert time.monotonic() < deadline, f"not enough came: {records[-5:]}"
        meanwhile()
        time.sleep(0.02)
        records += inbox.drain()
    return records


def heard(records: Sequence[Record]) -> list[Received]:
    return [one for one in records if isinstance(one, Received)]


def troubles(records: Sequence[Record]) -> list[str]:
    return [one.problem for one in records if isinstance(one, Trouble)]


def complained(words: str) -> Callable[[list[Record]], bool]:
    return lambda found: any(words in one for one in troubles(found))
