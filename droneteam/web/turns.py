"""Bookings of one process take turns before they ask the database for its lock.

A crowd that books at once would otherwise wait inside the database, where SQLite gives up after
its busy timeout whoever happens to be last, and where every waiter holds one of PostgreSQL's few
connections.  Here they wait in line; the database's own lock still decides between processes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import ServiceUnavailable

PATIENCE_S = 120.0
_line = threading.Lock()


@contextmanager
def booking_turn(patience_s: float = PATIENCE_S) -> Iterator[None]:
    """A turn at booking; 503 for whoever would wait longer than a browser does."""
    if not _line.acquire(timeout=patience_s):
        raise ServiceUnavailable("too many bookings at once; send it again")
    try:
        yield
    finally:
        _line.release()
