"""Figures for the yearly report and the fairness of the sharing, from events (pure).

Every figure says on how many cases it rests; below ``SMALL_N`` it carries a warning, because a
percentile of six cases is an anecdote.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from droneteam.errors import InputError
from droneteam.fleet.terms import RequestKind, RequestState

SMALL_N = 20
CONFIDENCE = 0.95
_Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile with its distribution-free interval; ends are None where n is too small."""

    fraction: float
    n: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def small_n(self) -> bool:
        """True when too few cases stand behind it."""
        return self.n < SMALL_N


@dataclass(frozen=True, slots=True)
class Share:
    """A share of cases with its Wilson interval (Wilson 1927, JASA 22:158, eq. 3)."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise InputError(f"{self.hits} hits of {self.n} cases")

    @property
    def value(self) -> float | None:
        """The share itself; None without cases."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval; None without cases."""
        if not self.n:
            return None
        p, z2 = self.hits / self.n, _Z_95**2
        centre = p + z2 / (2 * self.n)
        spread = _Z_95 * math.sqrt(p * (1 - p) / self.n + z2 / (4 * self.n**2))
        scale = 1 + z2 / self.n
        return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


@dataclass(frozen=True, slots=True)
class Event:
    """One immutable step of a request."""

    request_id: int
    at: datetime
    state: RequestState


@dataclass(frozen=True, slots=True)
class Case:
    """A request's facts that the figures need; waits hold its met or missed clocks in seconds."""

    request_id: int
    organisation_id: int
    kind: RequestKind
    priority: str
    breached: bool
    served_min: int = 0
    asked_min: int = 0


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """How many requests were fulfilled.

    raw : of those that ended, cancelled and expired left out
    adjusted : a cancellation after a breached clock counts as a miss, and so does expiry
    """

    raw: Share
    adjusted: Share


def percentile(values: Sequence[float], fraction: float) -> Percentile:
    """The percentile by order statistics, with the interval of Hahn & Meeker (1991, ch. 5.2).

    The value is the smallest one that at least this fraction of the cases does not exceed.
    """
    if not 0.0 < fraction < 1.0:
        raise InputError(f"fraction {fraction} outside (0, 1)")
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        return Percentile(fraction, 0, None, None, None)
    value = ordered[math.ceil(fraction * n) - 1]
    low, high = _order_interval(n, fraction)
    return Percentile(
        fraction,
        n,
        value,
        None if low is None else ordered[low - 1],
        None if high is None else ordered[high - 1],
    )


@lru_cache(maxsize=4096)
def _order_interval(n: int, fraction: float) -> tuple[int | None, int | None]:
    """Ranks l and u with P(X_(l) <= quantile) and P(quantile <= X_(u)) of 97.5 % at least."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low = high = None
    below = 0.0
    for k in range(n + 1):
        # below is P(at most k - 1 of n cases lie under the quantile)
        if below <= tail and k >= 1:
            low = k
        below += _binomial(n, k, fraction)
        if high is None and 1.0 - below <= tail and k + 1 <= n:
            high = k + 1
    return low, high


def _binomial(n: int, k: int, p: float) -> float:
    log_choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_choose + k * math.log(p) + (n - k) * math.log1p(-p))


def waits_s(
    events: Iterable[Event], begin: RequestState, end: frozenset[RequestState]
) -> dict[int, float]:
    """Seconds from each request's first `begin` to its first later `end`, by request."""
    by_request: dict[int, list[Event]] = {}
    for event in events:
        by_request.setdefault(event.request_id, []).append(event)
    waits: dict[int, float] = {}
    for request_id, own in by_request.items():
        own.sort(key=lambda event: event.at)
        began = next((event.at for event in own if event.state == begin), None)
        ended = next((event.at for event in own if event.state in end), None)
        if began is not None and ended is not None and ended >= began:
            waits[request_id] = (ended - began).total_seconds()
    return waits


def final_states(events: Iterable[Event]) -> dict[int, RequestState]:
    """Each request's last state."""
    return {event.request_id: event.state for event in sorted(events, key=lambda e: e.at)}


def fulfilment(cases: Iterable[Case], states: Mapping[int, RequestState]) -> Fulfilment:
    """Raw and adjusted shares of the requests that have ended."""
    hits = raw_n = adjusted_n = 0
    for case in cases:
        state = states.get(case.request_id)
        if state in (RequestState.FULFILLED, RequestState.PARTLY, RequestState.REFUSED):
            raw_n += 1
            adjusted_n += 1
            hits += state == RequestState.FULFILLED
        elif state == RequestState.EXPIRED or (state == RequestState.CANCELLED and case.breached):
            adjusted_n += 1
    return Fulfilment(Share(hits, raw_n), Share(hits, adjusted_n))


def jain_index(shares: Iterable[float]) -> float:
    """Fairness from 1/n (one takes all) to 1 (equal); 1 where nobody has anything.

    Jain, Chiu & Hawe 1984, DEC-TR-301, eq. 1.
    """
    values = list(shares)
    if any(value < 0.0 for value in values):
        raise InputError("a share is below 0")
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares > 0.0 else 1.0


def satisfaction(cases: Iterable[Case]) -> dict[int, float]:
    """Served over asked crew-minutes by organisation; those that asked for none are left out."""
    asked: Counter[int] = Counter()
    served: Counter[int] = Counter()
    for case in cases:
        asked[case.organisation_id] += case.asked_min
        served[case.organisation_id] += case.served_min
    return {org: served[org] / minutes for org, minutes in asked.items() if minutes > 0}


def max_min_gap(shares: Iterable[float]) -> float:
    """The distance between the best and the worst share; 0 for fewer than two."""
    values = sorted(shares)
    return values[-1] - values[0] if len(values) > 1 else 0.0


def displacement_balance(events: Iterable[Event], cases: Iterable[Case]) -> dict[int, int]:
    """How often each organisation's requests were displaced."""
    owner = {case.request_id: case.organisation_id for case in cases}
    return dict(
        Counter(
            owner[event.request_id]
            for event in events
            if event.state == RequestState.DISPLACED and event.request_id in owner
        )
    )


def fulfilled_by_kind(
    cases: Iterable[Case], states: Mapping[int, RequestState]
) -> dict[RequestKind, int]:
    """Fulfilled requests of each kind, every kind named."""
    counts = Counter(
        case.kind for case in cases if states.get(case.request_id) == RequestState.FULFILLED
    )
    return {kind: counts[kind] for kind in RequestKind}


def utilisation(busy: Iterable[tuple[datetime, datetime]], start: datetime, end: datetime) -> float:
    """The share of a period in which a resource was out; overlapping stretches count once."""
    if end <= start:
        raise InputError("the period ends before it begins", field="end")
    clipped = sorted((max(a, start), min(b, end)) for a, b in busy if a < end and b > start)
    merged: list[tuple[datetime, datetime]] = []
    for begin, finish in clipped:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], finish))
        else:
            merged.append((begin, finish))
    return sum((b - a) / (end - start) for a, b in merged)


def is_chronological(events: Sequence[Event]) -> bool:
    """True when no event stands before its predecessor."""
    return all(before.at <= after.at for before, after in pairwise(events))
