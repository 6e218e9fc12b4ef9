"""How long a stage will still take, from how fast it has gone; pure.

Two rates are measured: over the whole stage, and over its latest part.  Where they agree there is
one figure; where they do not, both are said as a range.  Before there is enough to go by, nothing
is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

ENOUGH_S = 3.0
ENOUGH_SHARE = 0.02
RECENT_S = 5.0
RECENT_SHARE = 0.3
"""The latest part is this share of the time so far, and at least RECENT_S."""
ALIKE = 1.5
"""Estimates that differ by less than this factor are said as one."""


@dataclass(slots=True)
class Pace:
    """What was reported of a stage so far: (seconds, fraction), both rising."""

    reports: list[tuple[float, float]] = field(default_factory=list)

    def report(self, at_s: float, fraction: float) -> None:
        """Take in that so much was done at that moment; a step back starts the measuring anew."""
        if self.reports and fraction < self.reports[-1][1]:
            self.reports.clear()
        self.reports.append((at_s, fraction))

    def left_s(self) -> tuple[float, float] | None:
        """Shortest and longest estimate of the seconds left; None when it is too early to say.

        What an earlier run had finished is in the first report and counts for no rate.
        """
        if len(self.reports) < 2:
            return None
        (start_s, start), (now_s, now) = self.reports[0], self.reports[-1]
        elapsed = now_s - start_s
        if elapsed < ENOUGH_S or now - start < ENOUGH_SHARE:
            return None
        recent_s, recent = self._before(now_s - max(RECENT_S, RECENT_SHARE * elapsed))
        estimates = [
            (1.0 - now) * (now_s - since_s) / (now - done)
            for since_s, done in ((start_s, start), (recent_s, recent))
            if now > done
        ]
        return min(estimates), max(estimates)

    def words(self) -> str:
        """ "about 3 min left", "2 to 5 min left", or nothing when it is too early to say."""
        left = self.left_s()
        if left is None:
            return ""
        low, high = left
        if high <= ALIKE * low or _rounded(high) == _rounded(low):
            return f"about {_rounded(high)} left"
        first, last = _rounded(low), _rounded(high)
        if first.split()[1] == last.split()[1]:
            first = first.split()[0]
        return f"{first} to {last} left"

    def _before(self, at_s: float) -> tuple[float, float]:
        """The last report up to a moment; the first one when there is none."""
        for report in reversed(self.reports):
            if report[0] <= at_s:
                return report
        return self.reports[0]


def _rounded(seconds: float) -> str:
    """Seconds to the next five, minutes, or hours with a half."""
    if seconds < 55.0:
        return f"{max(5, 5 * math.ceil(seconds / 5.0))} s"
    if seconds < 5400.0:
        return f"{math.ceil(seconds / 60.0)} min"
    return f"{math.ceil(seconds / 1800.0) / 2.0:g} h"
