"""Damaged input of every framing: nothing but DecodeError comes of it, and no memory grows.

A short run of `benchmarks/fuzz.py`, which does ten million.
"""

from __future__ import annotations

import random

import pytest

from benchmarks.fuzz import SHARES, Fuzz
from droneteam.detection.records import MAX_RECEIVERS
from droneteam.detection.stations import MAX_TWINS

INPUTS = 6_000


@pytest.mark.parametrize("seed", [5, 6])
def test_damaged_input_is_read_or_refused(seed: int) -> None:
    fuzz = Fuzz(random.Random(seed))
    for _, share, run in SHARES:
        run(fuzz, round(INPUTS * share))
    counts = fuzz.counts
    assert counts["messages read"] > INPUTS // 2
    assert counts["messages refused"] > INPUTS // 20
    assert counts["frames with a payload"] > 500
    assert counts["frames refused"] > 50
    assert counts["datagrams read"] > 50
    assert counts["datagrams refused"] > 50
    assert counts["read by both decoders"] > 200


def test_a_watch_that_is_fed_with_rubbish_keeps_within_its_bounds() -> None:
    fuzz = Fuzz(random.Random(7))
    (run,) = (run for name, _, run in SHARES if name == "datagrams")
    run(fuzz, 4_000)
    tracker = fuzz.watch._tracker
    radios = len(tracker._stations)
    assert 0 < len(tracker._entries) <= radios * (MAX_TWINS + 1)
    assert len(fuzz.watch._alive) <= MAX_RECEIVERS
    assert len(fuzz.framer._buffer) < 400
    assert len(fuzz.beast._held) < 100
    assert len(fuzz.sbs._held) < 600
    assert fuzz.watch._now is not None
    # A damaged date does not take the watch along into another year.
    assert abs((fuzz.watch._now - fuzz.at).total_seconds()) < 60.0
