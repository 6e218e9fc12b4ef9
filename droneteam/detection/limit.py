"""A fair share for every radio: one that floods is held back, the others never notice.

Each transmitter has a bucket of tokens that refills with time; a record without a token is not
processed.  New transmitters have a bucket of their own per receiver, so that a radio that changes
its address with every frame is held back too.  Memory is bounded: the longest silent is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from droneteam.detection.records import MAX_RECEIVERS, Received

RATE_PER_S = 60.0
"""A drone sends each of six messages at most three times a second, over three transports."""
BURST = 120.0
NEW_PER_S = 100.0
NEW_BURST = 500.0
MAX_TRANSMITTERS = 50_000
OTHERS = "others"


@dataclass(slots=True)
class Bucket:
    """A share that refills with time."""

    tokens: float
    at: datetime

    def take(self, at: datetime, rate_per_s: float, burst: float) -> bool:
        """Whether there was a token left, taken now."""
        passed_s = max(0.0, (at - self.at).total_seconds())
        self.tokens = min(burst, self.tokens + passed_s * rate_per_s)
        self.at = max(self.at, at)
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass(slots=True)
class Limiter:
    """Decides which receptions are processed; dropped counts the others by receiver."""

    dropped: dict[str, int] = field(default_factory=dict)
    _known: dict[str, Bucket] = field(default_factory=dict)
    _new: dict[str, Bucket] = field(default_factory=dict)

    def allows(self, received: Received) -> bool:
        """Whether the reception's radio still has a share; times may run back a little."""
        bucket = self._known.pop(received.transmitter, None)
        if bucket is None:
            fresh = self._fresh(received)
            if not fresh.take(received.at, NEW_PER_S, NEW_BURST):
                return self._drop(received)
            bucket = Bucket(BURST, received.at)
            if len(self._known) >= MAX_TRANSMITTERS:
                del self._known[next(iter(self._known))]
        # Put back at the end: the first of the dict is the one that was silent for longest.
        self._known[received.transmitter] = bucket
        return bucket.take(received.at, RATE_PER_S, BURST) or self._drop(received)

    def _drop(self, received: Received) -> bool:
        name = self._named(received)
        self.dropped[name] = self.dropped.get(name, 0) + 1
        return False

    def _fresh(self, received: Received) -> Bucket:
        """The bucket of a receiver's new radios."""
        return self._new.setdefault(self._named(received), Bucket(NEW_BURST, received.at))

    def _named(self, received: Received) -> str:
        """The receiver's name; made-up ones beyond a number are one."""
        name = received.receiver
        return name if name in self._new or len(self._new) < MAX_RECEIVERS else OTHERS
