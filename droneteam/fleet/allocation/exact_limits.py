"""What a plan may cost, what was found within it, and what was refuted (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_kernels import FREE
from droneteam.fleet.terms import PRIORITIES


class OutOfSteps(Exception):
    """The search took more steps, or time, than it may."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan may cost at most; FREE where it does not matter yet.

    unserved, late_min : by class; shortfall, changes, moved_min, travel_min, busiest
    """

    unserved: tuple[int, ...] = (FREE,) * len(PRIORITIES)
    late_min: tuple[int, ...] = (FREE,) * len(PRIORITIES)
    shortfall: int = FREE
    changes: int = FREE
    moved_min: int = FREE
    travel_min: int = FREE
    busiest: int = FREE


@dataclass(frozen=True, slots=True)
class Found:
    """Visits with names: by request of the search, -1 where it is left out."""

    served: int
    visits: tuple[int, ...]
    crews: tuple[tuple[int, ...], ...]
    fleet: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refuted:
    """A set that cannot be served within the budgets; visits only ever fall away, so it stays so.

    budgets : by account, FREE where it had no part in the proof
    """

    served: int
    budgets: Ints
    busiest: int

    def implies(self, served: int, budgets: Ints, busiest: int) -> bool:
        """True where what is asked for cannot be either: no less to serve, and no more to pay."""
        return (
            self.served & ~served == 0
            and busiest <= self.busiest
            and bool((budgets <= self.budgets).all())
        )
