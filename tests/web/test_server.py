"""The door of the server process: what passes through it is what WSGI and HTTP say."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, Response, request, send_file

from droneteam.web import broadcast
from droneteam.web import server as door
from droneteam.web.broadcast import Broadcast, Looks
from droneteam.web.feed import Feed
from droneteam.web.server import READ_BEFORE_BYTES, Server, environ_of

PATIENCE_S = 60.0


@dataclass
class Pairs:
    """Headers as granian gives them: lower case, several of one name."""

    pairs: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.pairs if key == name), None)

    def items(self) -> list[tuple[str, str]]:
        return self.pairs


@dataclass
class Scope:
    """What granian says of a request."""

    method: str = "GET"
    path: str = "/"
    query_string: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    proto: str = "http"
    http_version: str = "1.1"
    server: str = "127.0.0.1:8480"
    client: str = "[::1]:43010"
    scheme: str = "http"
    authority: str | None = None
    hosts: tuple[str, ...] = ("drones.example",)

    @property
    def headers(self) -> Pairs:
        return Pairs([*(("host", host) for host in self.hosts), *self.pairs])


@dataclass
class Exchange:
    """A request's body, and what was answered."""

    body: Iterable[bytes] = ()
    answers: list[tuple[Any, ...]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    gone_after: int = 1_000_000

    async def __call__(self) -> bytes:
        return b"".join(self.body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.body:
            yield piece

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.answers.append((status, dict(headers), body))

    def response_file(self, status: int, headers: Any, file: str) -> None:
        self.answers.append((status, dict(headers), Path(file)))

    def response_file_range(
        self, status: int, headers: Any, file: str, start: int, end: int
    ) -> None:
        self.answers.append((status, dict(headers), Path(file).read_bytes()[start:end]))

    def response_stream(self, status: int, headers: Any) -> Exchange:
        self.answers.append((status, dict(headers), None))
        return self

    async def send_bytes(self, data: bytes) -> None:
        from granian.rsgi import ProtocolClosed

        if len(self.sent) >= self.gone_after:
            raise ProtocolClosed
        self.sent.append(data)


@pytest.fixture
def site(tmp_path: Path) -> Flask:
    app = Flask(__name__)
    (tmp_path / "cloud.laz").write_bytes(bytes(range(200)))

    @app.route("/said", methods=["GET", "POST"])
    def said() -> Any:
        return {
            "args": request.args.to_dict(),
            "cookies": request.cookies.to_dict(),
            "address": request.remote_addr,
            "host": request.host,
            "length": len(request.get_data()),
            "forwarded": request.headers.get("X-Forwarded-For"),
            "thread": threading.current_thread().name,
        }

    @app.get("/file")
    def file() -> Response:
        return send_file(tmp_path / "cloud.laz", conditional=True)

    @app.get("/memory")
    def memory() -> Response:
        return send_file(io.BytesIO(b"made"), mimetype="text/plain")

    return app


def asked(site: Any, scope: Scope, *body: bytes) -> tuple[Any, ...]:
    """What one request is answered."""
    exchange = Exchange(body)
    asyncio.run(Server(site).__rsgi__(scope, exchange))
    (answer,) = exchange.answers
    return answer


def test_a_view_sees_the_request_as_it_was_sent(site: Flask) -> None:
    scope = Scope(
        path="/said", query_string="a=%C3%A9", pairs=(("cookie", "x=1"), ("cookie", "y=2"))
    )
    status, headers, body = asked(site, scope)
    found = json.loads(body)
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert found["args"] == {"a": "é"}
    assert found["cookies"] == {"x": "1", "y": "2"}
    assert (found["address"], found["host"]) == ("::1", "drones.example")
    assert found["thread"].startswith("view")


def test_a_path_that_is_no_ascii_reaches_its_route(site: Flask) -> None:
    @site.get("/été ici")
    def summer() -> str:
        return "chaud"

    assert asked(site, Scope(path="/été ici"))[2] == b"chaud"


def test_an_underscore_does_not_pass_for_a_hyphen(site: Flask) -> None:
    scope = Scope(path="/said", pairs=(("x_forwarded_for", "10.0.0.1"),))
    assert json.loads(asked(site, scope)[2])["forwarded"] is None


def test_two_headers_of_one_name_are_joined_as_http_says() -> None:
    environ = environ_of(Scope(pairs=(("accept", "a"), ("accept", "b"))), io.BytesIO())
    assert environ["HTTP_ACCEPT"] == "a,b"
    assert "HTTP_CONTENT_LENGTH" not in environ


@pytest.mark.parametrize("size", [0, 1, 70_000, READ_BEFORE_BYTES, READ_BEFORE_BYTES + 1])
def test_a_body_arrives_whole_whether_read_before_or_by_the_view(site: Flask, size: int) -> None:
    body = bytes(size)
    pieces = [body[at : at + 65_536] for at in range(0, size, 65_536)]
    scope = Scope("POST", "/said", pairs=(("content-length", str(size)),))
    assert json.loads(asked(site, scope, *pieces)[2])["length"] == size


@pytest.mark.parametrize("length", [(), (("content-length", "2"),)])
def test_a_body_in_chunks_is_refused_for_one_that_was_cut_would_pass_for_whole(
    site: Flask, length: tuple[tuple[str, str], ...]
) -> None:
    scope = Scope("POST", "/said", pairs=(("transfer-encoding", "chunked"), *length))
    status, headers, text = asked(site, scope, b"ab")
    assert (status, headers["connection"]) == (411, "close")
    assert b"Content-Length" in text


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (("drones.example",), 200),
        (("10.0.0.4:8480",), 200),
        (("[::1]:8480",), 200),
        ((), 400),
        (("",), 400),
        (("drones.example", "evil.example"), 400),
        (('a"><script>',), 400),
        (("user@drones.example",), 400),
        (("drones.example:port",), 400),
        (("drones.example/path",), 400),
    ],
)
def test_a_request_names_one_host(site: Flask, hosts: tuple[str, ...], status: int) -> None:
    scope = Scope(path="/said", hosts=hosts)
    assert asked(site, scope)[0] == status


def test_an_old_client_need_not_name_a_host(site: Flask) -> None:
    assert asked(site, Scope(path="/said", http_version="1", hosts=()))[0] == 200


def test_a_sender_that_goes_before_its_body_is_here_is_seen_by_no_view(site: Flask) -> None:
    @dataclass
    class Gone(Exchange):
        async def __call__(self) -> bytes:
            from granian.rsgi import ProtocolClosed

            raise ProtocolClosed

    scope = Scope("POST", "/said", pairs=(("content-length", "10"),))
    exchange = Gone()
    asyncio.run(Server(site).__rsgi__(scope, exchange))
    assert exchange.answers == []


@dataclass
class Slow(Exchange):
    """A sender of some pieces who then sends nothing more, until `gone`."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> bytes:
        await self.gone.wait()
        return b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.body:
            yield piece
        await self.gone.wait()


def slowly(*pieces: bytes, goes: bool = False) -> Slow:
    made = Slow(pieces)
    if goes:
        made.gone.set()
    return made


LARGE = (("content-length", str(READ_BEFORE_BYTES + 1)),)


def test_a_small_body_that_does_not_come_is_waited_for_in_no_thread_and_not_for_ever(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "BODY_S", 0.05)
    exchange, pairs = slowly(b"x"), (("content-length", "10"),)
    asyncio.run(Server(site).__rsgi__(Scope("POST", "/said", pairs=pairs), exchange))
    assert exchange.answers[0][0] == 408


def test_a_large_body_that_stops_is_given_up(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "PIECE_S", 0.05)
    exchange = slowly(b"x")
    asyncio.run(Server(site).__rsgi__(Scope("POST", "/said", pairs=LARGE), exchange))
    assert exchange.answers[0][0] == 400


def test_a_large_body_that_trickles_is_given_up(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece in time, and yet slower on the whole than any line that carries photos."""
    monkeypatch.setattr(door, "SLOWEST_BPS", 1e12)
    monkeypatch.setattr(door, "PIECE_S", 60.0)
    clock = iter(range(0, 100_000, 40))
    monkeypatch.setattr(door, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    exchange = slowly(b"x", b"x", b"x", goes=True)
    asyncio.run(Server(site).__rsgi__(Scope("POST", "/said", pairs=LARGE), exchange))
    assert exchange.answers[0][0] == 400


def test_senders_of_large_bodies_keep_nobody_else_from_being_served(site: Flask) -> None:
    """More of them than there are threads for all views together."""

    async def crowd() -> list[Any]:
        server = Server(site)
        slow = [slowly(b"x") for _ in range(door.THREADS + door.LARGE_THREADS + 1)]
        waiting = [
            asyncio.ensure_future(server.__rsgi__(Scope("POST", "/said", pairs=LARGE), one))
            for one in slow
        ]
        quick = [Exchange() for _ in range(3)]
        for one in quick:
            async with asyncio.timeout(PATIENCE_S):
                await server.__rsgi__(Scope(path="/said"), one)
        for one in slow:  # they go away: what reads from them ends
            one.gone.set()
        await asyncio.gather(*waiting)
        return [one.answers[0][0] for one in quick]

    assert asyncio.run(crowd()) == [200, 200, 200]


def test_a_file_is_left_to_the_server(site: Flask, tmp_path: Path) -> None:
    status, headers, sent = asked(site, Scope(path="/file"))
    assert (status, headers["Content-Length"], sent) == (200, "200", tmp_path / "cloud.laz")


@pytest.mark.parametrize(
    ("asked_for", "got"),
    [("5-9", range(5, 10)), ("190-", range(190, 200)), ("-3", range(197, 200))],
)
def test_a_part_of_a_file_is_that_part(site: Flask, asked_for: str, got: range) -> None:
    scope = Scope(path="/file", pairs=(("range", f"bytes={asked_for}"),))
    status, headers, sent = asked(site, scope)
    assert (status, sent) == (206, bytes(got))
    assert headers["Content-Length"] == str(len(got))


def test_a_file_that_the_browser_has_is_not_sent(site: Flask) -> None:
    _, headers, _ = asked(site, Scope(path="/file"))
    scope = Scope(path="/file", pairs=(("if-none-match", headers["ETag"]),))
    assert asked(site, scope)[::2] == (304, b"")


def test_head_sends_no_file_and_a_file_in_memory_is_a_body(site: Flask) -> None:
    status, headers, sent = asked(site, Scope("HEAD", "/file"))
    assert (status, headers["Content-Length"], sent) == (200, "200", b"")
    assert asked(site, Scope(path="/memory"))[2] == b"made"


class World:
    """A state that a test changes."""

    def __init__(self) -> None:
        self.x = 0

    def read(self) -> dict[str, dict[str, Any]]:
        return {"a": {"key": "a", "x": self.x}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def feed(world: World) -> Feed:
    return Feed(world.read, period_s=0.01)


async def holds(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        await asyncio.sleep(0.005)


def streaming(stream: Broadcast) -> Any:
    """A WSGI application that answers with the stream."""

    def app(environ: Any, start: Any) -> Broadcast:
        start("200 OK", [("Content-Type", "text/event-stream")])
        return stream

    return app


def values(exchange: Exchange) -> list[int]:
    """The states of `a` that a listener was told."""
    data = [
        json.loads(line[6:])
        for line in b"".join(exchange.sent).decode().splitlines()
        if line.startswith("data: ")
    ]
    return [row["x"] for one in data for row in one["set"]]


def test_every_listener_on_the_loop_hears_every_change_once(world: World, feed: Feed) -> None:
    exchanges = [Exchange() for _ in range(60)]
    server_threads: set[int] = set()

    async def all_of_it() -> None:
        server = Server(streaming(Broadcast(feed)))
        tasks = [asyncio.create_task(server.__rsgi__(Scope(), one)) for one in exchanges]
        await holds(lambda: all(values(one) for one in exchanges))
        server_threads.add(threading.active_count())
        for x in range(1, 8):
            world.x = x
            await holds(lambda x=x: all(values(one)[-1] == x for one in exchanges))  # type: ignore[misc]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_it())
    assert all(values(one) == list(range(8)) for one in exchanges)
    assert max(server_threads) < 45  # 32 for views, the reader, the test; not one for each listener
    assert feed.listeners == 0


def test_a_listener_that_comes_back_gets_what_it_missed(world: World, feed: Feed) -> None:
    async def all_of_it() -> list[int]:
        first, watcher, again = Exchange(), Exchange(), Exchange()
        tasks = [
            asyncio.create_task(Broadcast(feed).send(one.send_bytes, run))
            for one in (first, watcher)
        ]
        await holds(lambda: bool(values(first) and values(watcher)))
        tasks[0].cancel()
        last = b"".join(first.sent).rpartition(b"id: ")[2].partition(b"\n")[0].decode()
        for x in (1, 2, 3):
            world.x = x
            await holds(lambda x=x: values(watcher)[-1] == x)  # type: ignore[misc]
        tasks.append(asyncio.create_task(Broadcast(feed, last).send(again.send_bytes, run)))
        await holds(lambda: bool(values(again)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return values(again)

    assert asyncio.run(all_of_it()) == [1, 2, 3]


async def run(call: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(call, *arguments)


def test_a_listener_that_has_gone_is_forgotten(world: World, feed: Feed) -> None:
    gone, stays = Exchange(gone_after=2), Exchange()

    async def all_of_it() -> None:
        server = Server(streaming(Broadcast(feed)))
        tasks = [asyncio.create_task(server.__rsgi__(Scope(), one)) for one in (gone, stays)]
        await holds(lambda: bool(values(stays) and values(gone)))
        world.x = 1
        await holds(lambda: feed.listeners == 1 and values(stays) == [0, 1])
        await tasks[0]
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_it())
    assert values(gone) == [0]


def test_a_stream_ends_after_its_time_and_asks_to_be_opened_at_once(feed: Feed) -> None:
    exchange = Exchange()
    asyncio.run(Broadcast(feed, lifetime_s=0.0).send(exchange.send_bytes, run))
    assert exchange.sent[-1] == b"retry: 50\n\n"
    assert feed.listeners == 0


def test_what_is_held_for_a_listener_that_does_not_read_has_a_bound(
    world: World, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "STREAM_BYTES", 2_000)
    exchange = Exchange()

    async def all_of_it() -> None:
        task = asyncio.create_task(Broadcast(feed).send(exchange.send_bytes, run))
        while not task.done():
            world.x += 1
            await asyncio.sleep(0.002)

    asyncio.run(asyncio.wait_for(all_of_it(), PATIENCE_S))
    assert 2_000 <= len(b"".join(exchange.sent)) < 2_300


def test_no_operator_is_shown_before_the_look_is_noted(world: World, feed: Feed) -> None:
    """The order in which a listener is sent something and the look at it is written."""
    order: list[str] = []
    shown = frozenset({7})

    async def send(data: bytes) -> None:
        order.append("sent" if b"data:" in data else "head")
        if b"data:" in data:
            raise ConnectionResetError  # it has seen enough

    def note(tracks: Iterable[int]) -> None:
        order.append(f"noted {sorted(tracks)}")

    looks = Looks(lambda: shown, note)
    with pytest.raises(ConnectionResetError):
        asyncio.run(Broadcast(feed, looks=looks).send(send, run))
    assert order == ["head", "noted [7]", "sent"]
