"""A log comes home whole over any link, or the failure has a name."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.missions.mavlink import logs, spans
from droneteam.missions.mavlink.handshake import Failed, Timing
from droneteam.missions.mavlink.logs import Fetched, Listed
from droneteam.missions.mavlink.messages import LogData, LogDataRequest, LogEntry, LogListRequest
from tests.missions.card import Card, Line, Run, contents, transfer

TIMING = Timing()
SIZE = 60_007
LOG = contents(SIZE)

BAD = Line(loss=0.3, delay_s=0.05, jitter_s=0.1, duplication=0.2, seed=3)
FAR = Line(loss=0.3, delay_s=2.0, jitter_s=0.3, duplication=0.1, seed=4)


def bad(line: Line, seed: int) -> Line:
    return replace(line, seed=line.seed * 100 + seed)


def fetch(card: Card, size: int = SIZE, **more: object) -> Run:
    begun = logs.start_fetch(1, size, TIMING, card.now_s)
    return transfer(card, begun, logs.fetch_step, **more)  # type: ignore[arg-type]


ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20)


@given(ranges, st.integers(0, 60), st.integers(0, 60))
def test_spans_are_the_set_of_bytes_that_they_stand_for(
    added: list[tuple[int, int]], start: int, end: int
) -> None:
    found: spans.Spans = ()
    truth: set[int] = set()
    for low, high in added:
        found = spans.add(found, low, high)
        truth |= set(range(low, high))
    covered = [byte for low, high in found for byte in range(low, high)]
    assert covered == sorted(truth)
    assert spans.total(found) == len(truth)
    missing = [byte for low, high in spans.gaps(found, start, end) for byte in range(low, high)]
    assert missing == sorted(set(range(start, end)) - truth)
    kept = [byte for low, high in spans.below(found, end) for byte in range(low, high)]
    assert kept == sorted(byte for byte in truth if byte < end)
    first = spans.first_gap(found, 60)
    assert first == next((byte for byte in range(60) if byte not in truth), None)
    apart = all(a[1] < b[0] for a, b in itertools.pairwise(found))
    assert apart


def test_gaps_that_lie_near_each_other_are_one_request() -> None:
    missing = ((0, 10), (15, 20), (100, 110))
    assert spans.joined(missing, 5) == (0, 20)
    assert spans.joined(missing, 4) == (0, 10)
    assert spans.joined(missing, 80) == (0, 110)


def test_a_good_link_needs_one_request_and_no_byte_twice() -> None:
    card = Card([LOG])
    run = fetch(card)
    assert run.state.outcome == Fetched(SIZE)
    assert bytes(run.file) == LOG
    assert run.state.requests == 1
    assert run.pieces == -(-SIZE // 90)


@pytest.mark.parametrize("line", [BAD, FAR], ids=["near", "two seconds away"])
@pytest.mark.parametrize("seed", range(4))
def test_a_link_that_loses_a_third_brings_every_byte(line: Line, seed: int) -> None:
    card = Card([LOG], up=bad(line, seed), down=bad(line, seed + 50))
    run = fetch(card)
    assert run.state.outcome == Fetched(SIZE)
    assert bytes(run.file) == LOG
    # 667 pieces: single requests for each of 200 lost ones at four seconds would take 800 s.
    assert run.seconds < (60.0 if line is BAD else 240.0)


def test_a_log_longer_than_a_window_is_fetched_in_windows() -> None:
    log = contents(logs.WINDOW_BYTES + 5000)
    card = Card([log], down=Line(loss=0.05, seed=9))
    run = fetch(card, len(log))
    assert bytes(run.file) == log
    longest = max(m.count for m in card.asked if isinstance(m, LogDataRequest))
    assert longest <= logs.WINDOW_BYTES


def test_what_was_there_before_is_not_fetched_again() -> None:
    card = Card([LOG])
    half = fetch(card, stop=lambda state: state.share > 0.5)
    again = Card([LOG])
    begun = logs.start_fetch(1, SIZE, TIMING, again.now_s, half.state.have)
    rest = transfer(again, begun, logs.fetch_step, file=half.file)
    assert rest.state.outcome == Fetched(SIZE)
    assert bytes(rest.file) == LOG
    assert half.pieces + rest.pieces == -(-SIZE // 90)


def test_a_log_that_is_shorter_than_the_list_told_ends_where_it_ends() -> None:
    card = Card([LOG])
    run = fetch(card, SIZE + 5000)
    assert run.state.outcome == Fetched(SIZE)
    assert bytes(run.file) == LOG


def test_an_empty_log_is_fetched_at_once() -> None:
    state, _, pieces = logs.start_fetch(1, 0, TIMING, 0.0)
    assert (state.outcome, pieces) == (Fetched(0), ())


def test_a_vehicle_that_falls_silent_is_given_up_with_a_name_and_what_came() -> None:
    card = Card([LOG], down=Line(cut_from_s=0.4))
    run = fetch(card)
    assert isinstance(run.state.outcome, Failed)
    assert run.state.outcome.name == "log-silent"
    assert f"of {SIZE} bytes" in run.state.outcome.detail
    assert TIMING.deadline_s <= run.seconds <= TIMING.deadline_s + 5.0
    # Silence is met with ever longer waits, not with a flood.
    assert 8 <= len(card.asked) <= 30


def test_a_trickle_is_given_up_before_the_evening() -> None:
    state, _, _ = logs.start_fetch(1, 900_000, TIMING, 0.0)
    now_s = 0.0
    while state.outcome is None:
        now_s += 60.0
        offset = 90 * int(now_s / 60.0 - 1)
        state, _, _ = logs.fetch_step(state, LogData(1, offset, bytes(90)), now_s)
        state, _, _ = logs.fetch_step(state, None, now_s)
    assert state.outcome.name == "log-timeout"
    assert now_s < 1200.0


def test_pieces_of_another_log_and_beyond_the_end_are_left_out() -> None:
    state, _, _ = logs.start_fetch(1, 900, TIMING, 0.0)
    for stranger in (LogData(2, 0, bytes(90)), LogData(1, 900, bytes(90))):
        state, _, pieces = logs.fetch_step(state, stranger, 0.1)
        assert pieces == ()
    assert state.have == ()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_comes_the_machine_never_stores_what_it_has(data: st.DataObject) -> None:
    state, _, _ = logs.start_fetch(1, 2000, TIMING, 0.0)
    now_s = 0.0
    for _ in range(data.draw(st.integers(0, 40))):
        now_s += data.draw(st.floats(0.0, 5.0))
        offset, length = data.draw(st.integers(0, 2500)), data.draw(st.integers(0, 90))
        piece = LogData(1, offset, bytes(length))
        before = state.have
        state, _, pieces = logs.fetch_step(state, piece, now_s)
        for one in pieces:
            assert spans.gaps(before, one.offset, one.offset + len(one.data))
    assert spans.total(state.have) <= 2000


# The list


def listing(card: Card) -> Run:
    return transfer(card, logs.start_list(TIMING, card.now_s), logs.list_step)


def test_the_list_names_every_log_over_a_bad_link() -> None:
    sizes = [1000 + n for n in range(40)]
    cards = [
        Card([bytes(size) for size in sizes], up=bad(FAR, seed), down=bad(FAR, seed + 9))
        for seed in range(3)
    ]
    for card in cards:
        outcome = listing(card).state.outcome
        assert isinstance(outcome, Listed)
        assert [(one.log_id, one.size_bytes) for one in outcome.entries] == list(
            enumerate(sizes, start=1)
        )


def test_only_the_missing_entries_are_asked_for_again() -> None:
    state, _ = logs.start_list(TIMING, 0.0)
    for number in (1, 2, 5):
        state, _ = logs.list_step(state, LogEntry(number, 5, 5, None, 10), 0.1)
    state, sends = logs.list_step(state, None, 5.0)
    assert sends == (LogListRequest(3, 4),)


def test_an_empty_card_is_an_empty_list_and_silence_has_a_name() -> None:
    assert listing(Card([])).state.outcome == Listed(())
    silent = listing(Card([LOG], down=Line(cut_from_s=0.0)))
    assert silent.state.outcome == Failed("log-list-timeout", "no answer")
