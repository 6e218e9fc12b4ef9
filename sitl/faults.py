"""Link faults: frames lost, late, twice or out of order, the same again for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from droneteam.errors import InputError


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """How bad a link is, the same in both directions.

    loss, duplication, reordering : shares of the frames.
    delay_s : one way; jitter_s adds up to so much more, without changing the order.
    reorder_s : how much later a reordered frame comes, so that others overtake it.
    """

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    reorder_s: float = 0.05

    def __post_init__(self) -> None:
        for name in ("loss", "duplication", "reordering"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise InputError(f"{name} {value} outside [0, 1]", field=name)
        for name in ("delay_s", "jitter_s", "reorder_s"):
            value = getattr(self, name)
            if not 0.0 <= value <= 60.0:
                raise InputError(f"{name} {value} outside [0, 60]", field=name)

    @property
    def perfect(self) -> bool:
        """Whether nothing ever happens to a frame."""
        return not (
            self.loss or self.delay_s or self.jitter_s or self.duplication or self.reordering
        )


PERFECT = FaultSpec()


@dataclass(slots=True)
class FaultyLine:
    """One direction of one link: decides for each frame when it arrives, if at all."""

    spec: FaultSpec
    rng: random.Random
    cut: bool = False
    _last_arrival_s: float = 0.0

    def arrivals(self, now_s: float) -> tuple[float, ...]:
        """When the frame sent now arrives: never, once or twice."""
        if self.cut:
            return ()
        spec, rng = self.spec, self.rng
        if spec.perfect:
            return (now_s,)
        if rng.random() < spec.loss:
            return ()
        arrival_s = now_s + spec.delay_s + spec.jitter_s * rng.random()
        if rng.random() < spec.reordering:
            return (arrival_s + spec.reorder_s,)
        arrival_s = max(arrival_s, self._last_arrival_s)
        self._last_arrival_s = arrival_s
        if rng.random() < spec.duplication:
            return (arrival_s, arrival_s + spec.reorder_s * rng.random())
        return (arrival_s,)
