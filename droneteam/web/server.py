"""The door of the server process: WSGI answers in threads, event streams and files without.

granian speaks RSGI to us: one coroutine for each request, on one event loop.  A request's body is
read and its answer is sent on the loop, so that a slow network holds no thread; only the view runs
in one of a few.  What is larger than `READ_BEFORE_BYTES` is read by its view, in threads of its own
and at a pace: eight senders of a byte a second would otherwise be the only ones served.  Files are
sent by granian itself.  granian keeps what a slow client has not read yet, without a bound: streams
are therefore bounded (`broadcast.STREAM_BYTES`), and every other answer is one that a view has made
whole.
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from werkzeug.exceptions import ClientDisconnected

from droneteam.web.broadcast import Broadcast

logger = logging.getLogger(__name__)

THREADS = 8
"""How many views run at a time; they share one interpreter, and more of them only make all late:
with 32 the same work took 15 % more CPU and its p95 was 20 % later (`benchmarks.mixed_load`)."""
READ_BEFORE_BYTES = 5_000_000
"""Bodies up to here are read before a view gets a thread; a piece of an upload has 4 MiB.

No form of a visitor who is not signed in may be as large, so that none of them holds a thread."""
LARGE_THREADS = 4
"""Views at a time that read a larger body."""
BODY_S = 300.0
"""For a body that is read before: 14 kB/s for the largest."""
PIECE_S = 30.0
"""For the next piece of a larger one."""
SLOWEST_BPS = 10_000.0
"""Of a larger one on average, after its first `PIECE_S`; a plain form holds 600 MB of photos."""
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
_UNNAMED = ("content-type", "content-length")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
"""RFC 3986's host as servers have it: a name, or an address, which is in brackets in version 6."""

Headers = list[tuple[str, str]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Transport(Protocol):
    """Sends an answer in pieces."""

    def send_bytes(self, data: bytes) -> Awaitable[None]:
        """Take a piece; fails when the client has gone."""


class Exchange(Protocol):
    """A request's body and the ways to answer, as granian gives them."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer at once."""

    def response_file(self, status: int, headers: Headers, file: str) -> None:
        """Answer with a whole file."""

    def response_file_range(
        self, status: int, headers: Headers, file: str, start: int, end: int
    ) -> None:
        """Answer with the bytes of a file from `start` up to `end`."""

    def response_stream(self, status: int, headers: Headers) -> Transport:
        """Answer in pieces."""


@dataclass(slots=True)
class OnDisk:
    """A file that a view answers with (`wsgi.file_wrapper`); who does not know it reads it."""

    file: io.BufferedReader
    block_bytes: int = 65_536

    def __iter__(self) -> OnDisk:
        return self

    def __next__(self) -> bytes:
        data = self.file.read(self.block_bytes)
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        """Nothing is read any more."""
        self.file.close()


@dataclass(slots=True)
class Answer:
    """What a view said: a status, headers, and one of a whole body, a file or a stream."""

    status: int = 500
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    file: str | None = None
    stream: Broadcast | None = None

    def start(self, status: str, headers: Headers, exc_info: object = None) -> None:
        """WSGI's start_response."""
        self.status = int(status.split(" ", 1)[0])
        self.headers = [pair for pair in headers if pair[0].lower() not in _HOP_BY_HOP]

    def header(self, name: str) -> str:
        """A header's value, empty without one."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def span(self) -> tuple[int, int]:
        """The bytes of the file that were asked for, from one up to the other."""
        first, _, last = (
            self.header("content-range").partition(" ")[2].partition("/")[0].partition("-")
        )
        return int(first), int(last) + 1


class Server:
    """A WSGI application behind RSGI."""

    def __init__(self, app: WsgiApp, threads: int = THREADS) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="view")
        self._large = ThreadPoolExecutor(LARGE_THREADS, thread_name_prefix="large")

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The process ends: what has not begun is not begun any more."""
        for pool in (self._pool, self._large):
            pool.shutdown(wait=False, cancel_futures=True)

    async def __rsgi__(self, scope: Any, exchange: Exchange) -> None:
        """Answer one request."""
        from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # as it documents

        if scope.proto != "http":
            raise ValueError(f"protocol {scope.proto!r} is not served")
        if (refused := refusal_of(scope)) is not None:
            status, text = refused
            headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
            exchange.response_bytes(status, headers, text.encode())
            return
        try:
            body = await _body(scope, exchange)
        except TimeoutError:
            exchange.response_bytes(408, [("connection", "close")], b"")
            return
        except ProtocolClosed:
            logger.debug("a sender has gone before the whole of its body was here")
            return
        pool = self._pool if isinstance(body, io.BytesIO) else self._large
        answer = await self._run(self._view, environ_of(scope, body), pool=pool)
        if answer.stream is not None:
            transport = exchange.response_stream(answer.status, answer.headers)
            await _send_stream(answer.stream, transport, self._run)
        elif answer.file is None:
            exchange.response_bytes(answer.status, answer.headers, answer.body)
        elif answer.status == 206:
            exchange.response_file_range(206, answer.headers, answer.file, *answer.span)
        else:
            exchange.response_file(answer.status, answer.headers, answer.file)

    async def _run(
        self, call: Callable[..., Any], *arguments: Any, pool: ThreadPoolExecutor | None = None
    ) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool or self._pool, partial(call, *arguments))

    def _view(self, environ: dict[str, Any]) -> Answer:
        """The application's answer, complete but for a stream."""
        answer = Answer()
        files: list[OnDisk] = []

        def wrap(file: io.BufferedReader, block_bytes: int = 65_536) -> OnDisk:
            files.append(OnDisk(file, block_bytes))
            return files[-1]

        environ["wsgi.file_wrapper"] = wrap
        blocks = self._app(environ, answer.start)
        if isinstance(blocks, Broadcast):
            answer.stream = blocks
            return answer
        try:
            named = (
                files[0].file.name
                if files and isinstance(files[0].file, io.BufferedReader)
                else None
            )
            if named and answer.status in (200, 206) and environ["REQUEST_METHOD"] != "HEAD":
                answer.file = str(named)
            else:
                answer.body = b"".join(blocks)
        finally:
            if (close := getattr(blocks, "close", None)) is not None:
                close()
        return answer


async def _send_stream(
    stream: Broadcast, transport: Transport, run: Callable[..., Awaitable[Any]]
) -> None:
    from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # as it documents

    try:
        await stream.send(transport.send_bytes, run)
    except ProtocolClosed:
        logger.debug("a listener has gone")


def environ_of(scope: Any, body: io.BufferedIOBase) -> dict[str, Any]:
    """The request as PEP 3333 has it.

    A header whose name holds an underscore is left out: it would pass for the one with a hyphen.
    """
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if scope.authority:  # HTTP/2 has no Host header
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        key = key if name in _UNNAMED else f"HTTP_{key}"
        joint = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return environ


def refusal_of(scope: Any) -> tuple[int, str] | None:
    """Status and reason for a request that no view may see; None for every other.

    A body in chunks is one of them (RFC 9112, 6.1 allows it): granian ends it in the same way
    whether it was whole, was cut or made no sense, and half a form would be taken for a whole one.
    A request of HTTP/1.1 names one host (3.2): a proxy and we might each believe another of two.
    """
    if scope.headers.get("transfer-encoding") is not None:
        return 411, "A body says its length: send Content-Length instead of chunks.\n"
    hosts = [value for name, value in scope.headers.items() if name == "host"]
    if scope.authority:
        hosts.append(scope.authority)
    needed = scope.http_version == "1.1"
    if len(set(hosts)) > 1 or (needed and not hosts) or not all(map(_HOST.fullmatch, hosts)):
        return 400, "A request names one host.\n"
    return None


async def _body(scope: Any, exchange: Exchange) -> io.BufferedIOBase:
    """The request's body: read where it is small, else read by the view while it comes.

    Raises
    ------
    TimeoutError
        A small one did not come in `BODY_S`.
    """
    said = scope.headers.get("content-length")
    if said is None or said == "0":
        return io.BytesIO()
    if said.isdecimal() and int(said) <= READ_BEFORE_BYTES:
        async with asyncio.timeout(BODY_S):
            return io.BytesIO(await exchange())
    return io.BufferedReader(_Pieces(aiter(exchange), asyncio.get_running_loop()), 65_536)


class _Pieces(io.RawIOBase):
    """A body that a view reads in its thread while the loop receives it."""

    def __init__(self, pieces: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._pieces = pieces
        self._loop = loop
        self._left = b""
        self._ended = False
        self._received = 0
        self._began_s = time.monotonic()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and not self._ended:
            self._left = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
        count = min(len(self._left), len(buffer))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    async def _next(self) -> bytes:
        """The next piece, b"" at the end; ClientDisconnected (400) where it comes too slowly."""
        try:
            async with asyncio.timeout(PIECE_S):
                piece = bytes(await anext(self._pieces))
        except StopAsyncIteration:
            self._ended = True
            return b""
        except TimeoutError:
            raise ClientDisconnected(f"no piece of the body came in {PIECE_S:g} s") from None
        self._received += len(piece)
        lasted_s = time.monotonic() - self._began_s
        if lasted_s > PIECE_S and self._received < SLOWEST_BPS * lasted_s:
            raise ClientDisconnected(f"the body came more slowly than {SLOWEST_BPS:g} B/s")
        return piece
