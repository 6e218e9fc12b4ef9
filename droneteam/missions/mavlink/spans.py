"""Which bytes of a file are there: half-open spans, sorted and apart (pure)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

Span = tuple[int, int]
Spans = tuple[Span, ...]


def add(spans: Spans, start: int, end: int) -> Spans:
    """The spans with the bytes from start to end (excluded) added."""
    if start >= end:
        return spans
    first = bisect_left(spans, start, key=lambda span: span[1])
    last = bisect_right(spans, end, key=lambda span: span[0])
    if first < last:
        start, end = min(start, spans[first][0]), max(end, spans[last - 1][1])
    return (*spans[:first], (start, end), *spans[last:])


def total(spans: Spans) -> int:
    """How many bytes are there."""
    return sum(end - start for start, end in spans)


def gaps(spans: Spans, start: int, end: int) -> Spans:
    """What is missing between start and end (excluded)."""
    missing = []
    at = start
    for low, high in spans[bisect_right(spans, start, key=lambda span: span[1]) :]:
        if low >= end:
            break
        if low > at:
            missing.append((at, low))
        at = max(at, high)
    if at < end:
        missing.append((at, end))
    return tuple(missing)


def below(spans: Spans, end: int) -> Spans:
    """The spans without what lies at or beyond end."""
    return tuple((low, min(high, end)) for low, high in spans if low < end)


def first_gap(spans: Spans, end: int) -> int | None:
    """The first missing byte below end, or None."""
    at = spans[0][1] if spans and spans[0][0] == 0 else 0
    return at if at < end else None


def joined(missing: Spans, between: int) -> Span:
    """The first gap, stretched over those that follow with at most so many bytes in between."""
    start, end = missing[0]
    for low, high in missing[1:]:
        if low - end > between:
            break
        end = high
    return start, end
