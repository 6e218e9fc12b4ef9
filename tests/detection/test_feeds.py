"""TCP streams against a server that talks, goes away and comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from droneteam.detection.feeds import BURST, INBOX_SIZE, Backoff, Feed, Inbox, Outlet
from droneteam.detection.records import Alive, Counts, Leave, Plot, Received, Record, Trouble
from droneteam.detection.sources.streams import tcp_feed
from droneteam.errors import InputError, LinkError, SetupError
from tests.detection.radio import START
from tests.detection.test_aircraft import EVEN, ODD, SBS, beast


class Server:
    """Accepts connections, sends each the next of its answers, and closes it."""

    def __init__(self, answers: list[bytes]) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = self.listening.getsockname()[:2]
        self._thread = threading.Thread(target=self._serve, args=(answers,))
        self._thread.start()

    def _serve(self, answers: list[bytes]) -> None:
        for answer in answers:
            connection, _ = self.listening.accept()
            with connection:
                connection.sendall(answer)
        self.listening.close()

    def close(self) -> None:
        self._thread.join(60)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def gathered(inbox: Inbox, enough: Callable[[list[Record]], bool]) -> Iterator[Record]:
    records: list[Record] = []
    deadline = time.monotonic() + 60.0
    while not enough(records):
        assert time.monotonic() < deadline
        records += inbox.drain()
        time.sleep(0.02)
    return iter(records)


@pytest.mark.parametrize(
    ("kind", "answer", "identity"),
    [("beast", beast(EVEN) + beast(ODD), "icao:40621d"), ("sbs", SBS, "icao:44ce6f")],
)
def test_a_stream_that_breaks_is_followed_again(
    kind: str, answer: bytes, identity: str, inbox: Inbox
) -> None:
    server = Server([answer, b"", answer])
    feed = tcp_feed(kind, "roof", server.address, inbox)
    feed.start()
    try:
        records = list(gathered(inbox, lambda found: len(plots(found)) >= 2))
    finally:
        feed.close()
        server.close()
    assert [plot.identity for plot in plots(records)] == [identity] * 2
    assert feed.connections >= 3
    assert any(isinstance(record, Alive) for record in records)


def plots(records: list[Record]) -> list[Plot]:
    return [record for record in records if isinstance(record, Plot)]


def test_a_stream_that_is_not_there_is_known_and_says_why(inbox: Inbox) -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    address = closed.getsockname()[:2]
    closed.close()
    feed = tcp_feed("sbs", "roof", address, inbox)
    feed.start()
    alive, *troubles = gathered(inbox, lambda found: len(found) > 1 and feed.failures > 1)
    feed.close()
    assert isinstance(alive, Alive)
    assert {type(one) for one in troubles} == {Trouble}
    assert all("refused" in one.problem.lower() for one in troubles if isinstance(one, Trouble))
    assert "refused" in feed.last_problem.lower()


def test_waiting_doubles_up_to_its_limit_and_is_spread() -> None:
    backoff = Backoff(first_s=0.5, limit_s=30.0)
    assert [backoff.delay_s(n, 1.0) for n in (1, 2, 3, 7, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert backoff.delay_s(3, 0.0) == 1.0


def test_an_inbox_that_nobody_empties_is_bounded(inbox: Inbox) -> None:
    for _ in range(INBOX_SIZE + 7):
        inbox.put(Alive(START, "roof"))
    assert inbox.dropped == 7
    assert len(inbox.drain()) == INBOX_SIZE


def test_an_unknown_stream_is_refused(inbox: Inbox) -> None:
    with pytest.raises(InputError, match="beast, sbs"):
        tcp_feed("avr", "roof", ("127.0.0.1", 1), inbox)


class Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def reception(at: datetime = START) -> Received:
    return Received(at, "roof", "wifi", "02:00:00:00:00:01", b"x")


def outlet(inbox: Inbox, clock: Clock | None = None) -> Outlet:
    return Outlet("roof", "wifi", inbox, clock or Clock())


@pytest.mark.parametrize("off_s", [0.0, 7200.0, -7200.0, -1e8])
def test_what_was_heard_keeps_its_receivers_stamp_for_the_clocks_to_judge(
    inbox: Inbox, off_s: float
) -> None:
    at = START + timedelta(seconds=off_s)
    outlet(inbox).put(reception(at))
    assert [record.at for record in inbox.drain()] == [at]


def test_a_receiver_that_floods_is_held_to_its_rate_and_others_have_room(inbox: Inbox) -> None:
    flooded, other = outlet(inbox), Outlet("van", "ble", inbox, Clock())
    for _ in range(4 * int(BURST)):
        flooded.put(reception())
    for _ in range(1000):
        other.put(reception())
    taken = 4 * int(BURST) - flooded.counts.lost
    assert BURST <= taken < 2 * BURST, "its burst, and what passed meanwhile"
    assert other.counts.lost == 0
    assert len(inbox.drain()) == taken + 1000


def test_what_an_inbox_has_no_room_for_is_counted(inbox: Inbox) -> None:
    for _ in range(INBOX_SIZE - 1):
        inbox.put(Alive(START, "x"))
    roof = outlet(inbox)
    for _ in range(3):
        roof.put(reception())
    assert (roof.heard, roof.counts.lost) == (1, 2)


def test_a_sign_of_life_is_given_now_and_then_and_carries_the_counts(inbox: Inbox) -> None:
    roof = outlet(inbox)
    roof.refuse("damaged", 3)
    roof.lose(2)
    for _ in range(10):
        roof.alive()
        roof.alive("roof/one")
    assert inbox.drain() == [
        Alive(START, "roof", "wifi", Counts(0, 2, 3)),
        Alive(START, "roof/one", "wifi"),
    ]
    roof.connected()
    assert inbox.drain() == [Alive(START, "roof", "wifi", Counts(1, 2, 3))]
    roof.leave("roof/one")
    roof.alive("roof/one")
    assert inbox.drain() == [Leave(START, "roof/one"), Alive(START, "roof/one", "wifi")]


class Script:
    """A source that fails as it is told to."""

    kind = "wifi"

    def __init__(self, *ends: Exception | None) -> None:
        self._ends = list(ends)
        self.followed = 0

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        self.followed += 1
        if self._ends and (end := self._ends.pop(0)) is not None:
            raise end
        if not self._ends:
            outlet.put(reception(datetime.now(UTC)))
            stop.wait(60.0)


def test_a_source_is_followed_again_after_every_kind_of_end(inbox: Inbox) -> None:
    source = Script(LinkError("went away"), SetupError("not there"), OSError(5, "i/o"), None, None)
    feed = Feed("roof", source, inbox, Backoff(0.01, 0.02))
    feed.start()
    records = list(gathered(inbox, lambda found: any(isinstance(r, Received) for r in found)))
    feed.close()
    problems = [one.problem for one in records if isinstance(one, Trouble)]
    assert problems == ["went away", "not there", "[Errno 5] i/o", "ended without saying why"]
    assert source.followed == 5
    assert feed.failures == 4


def test_a_feed_that_was_never_started_can_be_closed(inbox: Inbox) -> None:
    Feed("roof", Script(None), inbox).close()
    assert inbox.drain() == []
