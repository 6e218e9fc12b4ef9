"""TCP streams against a server that talks, goes away and comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from droneteam.detection.feeds import INBOX_SIZE, Backoff, Inbox
from droneteam.detection.records import Alive, Plot, Record, Trouble
from droneteam.detection.sources.streams import tcp_feed
from droneteam.errors import InputError
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
