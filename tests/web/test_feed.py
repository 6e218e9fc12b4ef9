"""The live feed: one reader, many listeners, nothing lost over a short break."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from droneteam.web.feed import Feed

PERIOD_S = 0.01


class World:
    """A state that a test changes and a feed reads."""

    def __init__(self) -> None:
        self.state: dict[str, dict[str, Any]] = {}
        self.reads = 0
        self.broken = False

    def read(self) -> dict[str, dict[str, Any]]:
        self.reads += 1
        if self.broken:
            raise ConnectionError("the database is away")
        return dict(self.state)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def feed(world: World) -> Feed:
    return Feed(world.read, period_s=PERIOD_S, kept=5)


def parsed(block: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, event, data) of each event in the bytes, as the HTML standard reads them."""
    events = []
    for text in block.decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in text.splitlines() if line and not line.startswith(":")
        )
        if "data" in fields:
            events.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return events


def next_events(stream: Iterator[bytes]) -> list[tuple[str, str, dict[str, Any]]]:
    """The next block that holds events."""
    for block in stream:
        if events := parsed(block):
            return events
    raise AssertionError("the stream ended")


def test_a_new_listener_gets_everything_there_is(world: World, feed: Feed) -> None:
    world.state = {"drone:1": {"key": "drone:1", "lat_deg": 50.8}}
    stream = feed.stream()
    (_, event, data), *_ = next_events(stream)
    assert event == "snapshot"
    assert data == {"set": [{"key": "drone:1", "lat_deg": 50.8}]}
    stream.close()  # type: ignore[attr-defined]


def test_a_listener_gets_only_what_changed_and_what_is_gone(world: World, feed: Feed) -> None:
    world.state = {"drone:1": {"key": "drone:1", "x": 1}, "drone:2": {"key": "drone:2", "x": 1}}
    stream = feed.stream()
    next_events(stream)
    world.state = {"drone:1": {"key": "drone:1", "x": 2}}
    (_, event, data), *_ = next_events(stream)
    assert event == "change"
    assert data == {"set": [{"key": "drone:1", "x": 2}], "gone": ["drone:2"]}
    stream.close()  # type: ignore[attr-defined]


def test_after_a_break_the_missed_changes_come_in_order(world: World, feed: Feed) -> None:
    world.state = {"a": {"key": "a", "x": 0}}
    stream = feed.stream()
    (last_id, _, _), *_ = next_events(stream)
    watcher = feed.stream()
    next_events(watcher)
    stream.close()  # type: ignore[attr-defined]
    for x in (1, 2, 3):
        world.state = {"a": {"key": "a", "x": x}}
        next_events(watcher)
    resumed = next_events(feed.stream(last_id))
    assert [data["set"][0]["x"] for _, _, data in resumed] == [1, 2, 3]


def test_after_too_long_a_break_a_snapshot_comes_instead(world: World, feed: Feed) -> None:
    world.state = {"a": {"key": "a", "x": 0}}
    stream = feed.stream()
    (last_id, _, _), *_ = next_events(stream)
    for x in range(1, 9):  # more than the five that are kept
        world.state = {"a": {"key": "a", "x": x}}
        next_events(stream)
    (_, event, data), *_ = next_events(feed.stream(last_id))
    assert (event, data["set"][0]["x"]) == ("snapshot", 8)


@pytest.mark.parametrize("strange", ["", "x", "0-0", "zz-99", "1-1-1", "-", "ÿ-1"])
def test_an_unknown_last_event_id_gives_a_snapshot(world: World, feed: Feed, strange: str) -> None:
    world.state = {"a": {"key": "a"}}
    assert next_events(feed.stream(strange))[0][1] == "snapshot"


def test_many_listeners_cost_one_reader(world: World) -> None:
    feed = Feed(world.read, period_s=0.2)
    streams = [feed.stream() for _ in range(50)]
    for stream in streams:
        next(stream)
    assert world.reads <= 3
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]


def test_the_reader_stops_when_nobody_listens(world: World, feed: Feed) -> None:
    before = set(threading.enumerate())
    stream = feed.stream()
    next(stream)
    (reader,) = set(threading.enumerate()) - before
    stream.close()  # type: ignore[attr-defined]
    reader.join(timeout=30.0)
    assert not reader.is_alive()
    assert feed.listeners == 0


def test_a_database_that_is_away_for_a_moment_ends_no_stream(world: World, feed: Feed) -> None:
    world.state = {"a": {"key": "a", "x": 0}}
    stream = feed.stream()
    next_events(stream)
    world.broken = True
    time.sleep(5 * PERIOD_S)
    world.broken, world.state = False, {"a": {"key": "a", "x": 1}}
    assert next_events(stream)[0][2]["set"] == [{"key": "a", "x": 1}]
    stream.close()  # type: ignore[attr-defined]


def test_a_stream_ends_after_its_lifetime_so_that_rights_are_checked_again(feed: Feed) -> None:
    began_s = time.monotonic()
    blocks = list(feed.stream(lifetime_s=0.05))
    assert blocks
    assert time.monotonic() - began_s < 1.0
    assert feed.listeners == 0


def test_polling_gives_the_same_as_the_stream(world: World, feed: Feed) -> None:
    world.state = {"a": {"key": "a", "x": 7}}
    number, rows = feed.snapshot()
    (event_id, _, data), *_ = next_events(feed.stream())
    assert rows == data["set"]
    assert number == event_id


class Ring:
    """A bell that a test rings."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.closed = False

    def wait(self, timeout_s: float) -> bool:
        rung = self.event.wait(PATIENCE_S)
        self.event.clear()
        return rung

    def close(self) -> None:
        self.closed = True


PATIENCE_S = 60.0


def test_nothing_is_read_until_the_bell_rings(world: World) -> None:
    bell = Ring()
    feed = Feed(world.read, period_s=PERIOD_S, new_bell=lambda: bell)
    stream = feed.stream()
    assert next_events(stream)[0][1] == "snapshot"
    reads = world.reads
    world.state = {"a": {"key": "a"}}
    time.sleep(10 * PERIOD_S)
    assert world.reads == reads
    bell.event.set()
    assert next_events(stream)[0][2]["set"] == [{"key": "a"}]
    stream.close()  # type: ignore[attr-defined]
    bell.event.set()
    wait_for(lambda: bell.closed)


def test_an_urgent_part_does_not_wait_for_a_slow_one() -> None:
    urgent, slow, going_on = World(), World(), threading.Event()

    def read_slowly() -> dict[str, dict[str, Any]]:
        state = slow.read()
        if slow.reads > 1:
            assert going_on.wait(PATIENCE_S)
        return state

    feed = Feed(urgent.read, read_slowly, period_s=PERIOD_S)
    stream = feed.stream()
    next_events(stream)
    wait_for(lambda: slow.reads > 1)
    urgent.state, slow.state = {"alert:1": {"key": "alert:1"}}, {"track:1": {"key": "track:1"}}
    (_, _, data), *_ = next_events(stream)
    assert data == {"set": [{"key": "alert:1"}], "gone": []}
    going_on.set()
    (_, _, data), *_ = next_events(stream)
    assert data == {"set": [{"key": "track:1"}], "gone": []}
    assert {row["key"] for row in feed.snapshot()[1]} == {"alert:1", "track:1"}
    stream.close()  # type: ignore[attr-defined]


def wait_for(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_a_change_holds_what_is_other_and_joins_to_the_whole(world: World, feed: Feed) -> None:
    """Whoever puts the changes to what there was has what the server has, whatever happens."""
    generator = random.Random(5)
    stream = feed.stream()
    (_, _, first), *_ = next_events(stream)
    known = {row["key"]: row for row in first["set"]}
    for turn in range(40):
        row = {"key": (key := generator.choice("abc")), "kind": "drone", "x": turn, "y": turn // 7}
        world.state = {**world.state, key: row}
        if turn % 5 == 4:
            world.state.pop(generator.choice(sorted(world.state)), None)
        for _, _, change in next_events(stream):
            for one in change["set"]:
                before = known.get(one["key"])
                if before is not None:
                    assert all(before.get(n) != v for n, v in one.items() if n != "key")
                known[one["key"]] = {**(before or {}), **one}
            for gone in change["gone"]:
                del known[gone]
        assert known == world.state
    stream.close()  # type: ignore[attr-defined]


def test_every_one_of_many_listeners_hears_every_change_once(world: World) -> None:
    """The chain that wakes them loses nobody, whoever comes late, is slow or goes away."""
    feed = Feed(world.read, period_s=PERIOD_S)
    world.state = {"a": {"key": "a", "x": 0}}
    heard: list[list[int]] = [[] for _ in range(40)]

    def listen(index: int) -> None:
        stream = feed.stream()
        for block in stream:
            heard[index] += [data["set"][0]["x"] for _, _, data in parsed(block)]
            if index % 7 == 3:
                time.sleep(0.02)  # a slow one
            if heard[index] and (heard[index][-1] == LAST or index % 10 == 9):
                break  # some leave after what they got first
        stream.close()  # type: ignore[attr-defined]

    threads = [threading.Thread(target=listen, args=(n,), daemon=True) for n in range(len(heard))]
    for thread in threads:
        thread.start()
    wait_for(lambda: all(heard))
    watcher = feed.stream()
    next_events(watcher)
    for x in range(1, LAST + 1):
        world.state = {"a": {"key": "a", "x": x}}
        next_events(watcher)
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
        assert not thread.is_alive()
    watcher.close()  # type: ignore[attr-defined]
    stayed = [xs for n, xs in enumerate(heard) if n % 10 != 9]
    assert all(xs == list(range(LAST + 1)) for xs in stayed)
    assert feed.listeners == 0


LAST = 30


def test_listeners_sleep_between_two_changes(world: World, feed: Feed) -> None:
    """Nothing is sent but what changed, and nobody wakes in vain."""
    world.state = {"a": {"key": "a", "x": 0}}
    blocks: list[bytes] = []
    streams = [feed.stream() for _ in range(3)]
    threads = [
        threading.Thread(target=lambda s=stream: blocks.extend(s), daemon=True)  # type: ignore[misc]
        for stream in streams
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(blocks) == 6)  # the retry line and the snapshot, each
    world.state = {"a": {"key": "a", "x": 1}}
    wait_for(lambda: len(blocks) >= 9)
    time.sleep(10 * PERIOD_S)
    assert len(blocks) == 9
