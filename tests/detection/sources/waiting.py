"""Waiting for what a feed hears: for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from droneteam.detection.feeds import Inbox
from droneteam.detection.records import Received, Record, Trouble

PATIENCE_S = 90.0


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
