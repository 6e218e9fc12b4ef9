"""The door where service providers tell us of changed service areas (F3411-22a, A4).

POST {base_url}/uss/identification_service_areas/{id}, with a token of the authorisation server for
our host and the scope of a service provider.  The door speaks plain HTTP on an address of this
machine; the installation's reverse proxy gives it TLS.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from droneteam.detection.sources import bearer
from droneteam.errors import InputError, LinkError, NotAllowed

logger = logging.getLogger(__name__)

SCOPE = "rid.service_provider"
MAX_BODY_BYTES = 256 << 10
MAX_WAITING = 1000
READ_S = 5.0
_PATH = re.compile(r"/uss/identification_service_areas/([0-9a-fA-F-]{36})")


@dataclass(frozen=True, slots=True)
class Door:
    """Where we are told.

    host, port : listened on; base_url : what providers are given; public_key : the authorisation
    server's, in a PEM file.
    """

    host: str
    port: int
    base_url: str
    public_key: Path

    def __post_init__(self) -> None:
        if urllib.parse.urlsplit(self.base_url).hostname is None or self.base_url.endswith("/"):
            raise InputError(
                f"base_url {self.base_url!r} is not like https://watch.example.org/rid",
                field="base_url",
            )

    @property
    def audience(self) -> str:
        """Whom tokens must be made for."""
        return urllib.parse.urlsplit(self.base_url).hostname or ""


@dataclass(slots=True)
class Notices:
    """The notifications that came through a door, if there is one."""

    door: Door | None
    port: int = 0
    _queue: queue.Queue[tuple[str, Any]] = field(
        default_factory=lambda: queue.Queue[tuple[str, Any]](MAX_WAITING)
    )

    def taken(self) -> list[tuple[str, Any]]:
        """The areas' ids and what was told of each, since the last time."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    @contextmanager
    def open(self) -> Iterator[None]:
        """Listen, while the context lasts."""
        if self.door is None:
            yield
            return
        key = bearer.public_key(self.door.public_key)
        handler = _handler(self.door, key, self._queue)
        try:
            server = ThreadingHTTPServer((self.door.host, self.door.port), handler)
        except OSError as error:
            raise LinkError(
                f"the door at {self.door.host}:{self.door.port}: {error.strerror}"
            ) from error
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, name="rid-door", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(
    door: Door, key: bearer.PublicKey, told: queue.Queue[tuple[str, Any]]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One notification."""

        timeout = READ_S

        def do_POST(self) -> None:
            status, message = self._notified()
            content = b"" if status == 204 else json.dumps({"message": message}).encode()
            self.send_response(status)
            if content:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _notified(self) -> tuple[int, str]:
            found = _PATH.fullmatch(urllib.parse.urlsplit(self.path).path)
            if found is None:
                return 404, "there is nothing else here"
            try:
                claims = bearer.verified(
                    self.headers.get("Authorization", ""), key, door.audience, datetime.now(UTC)
                )
            except NotAllowed as error:
                return 401, str(error)
            if SCOPE not in str(claims.get("scope", "")).split():
                return 403, f"the token lacks the scope {SCOPE}"
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                return 413, f"a body of at most {MAX_BODY_BYTES} bytes, and its length"
            try:
                content = json.loads(self.rfile.read(int(length)))
            except (ValueError, RecursionError, OSError):
                return 400, "the body is no JSON"
            try:
                told.put_nowait((found[1].lower(), content))
            except queue.Full:
                return 503, "too many notifications wait"
            return 204, ""

        def log_message(self, format: str, *args: Any) -> None:
            logger.debug("door: " + format, *args)

    return Handler
