"""`droneteam serve`: the web server, granian with one process and one event loop.

A single process keeps one feed and one rate limit for all; `web/server.py` says what runs on the
loop and what in threads.
"""

from __future__ import annotations

import argparse
import errno
import logging
import socket
from dataclasses import replace

from droneteam.errors import InputError, SetupError
from droneteam.settings import Settings

logger = logging.getLogger(__name__)

CONNECTIONS = 4096
"""Served at a time; an open event stream is one of them, and costs some kilobytes."""
BACKLOG = 1024
END_S = 5
"""After this, event streams no longer keep a server that was told to end; browsers come again."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--host", help="the address to listen on (DRONETEAM_HOST)")
    parser.add_argument("--port", type=int, help="the port to listen on (DRONETEAM_PORT)")


def run(args: argparse.Namespace) -> int:
    """Serve until stopped."""
    settings = Settings.from_env()
    settings = replace(
        settings,
        host=args.host or settings.host,
        port=settings.port if args.port is None else args.port,
    )
    if not 0 < settings.port < 65_536:
        raise InputError(f"port {settings.port} outside [1, 65535]", field="port")
    require_free(settings.host, settings.port)
    print(f"http://{settings.host}:{settings.port}/", flush=True)
    serve(settings)
    return 0


def require_free(host: str, port: int) -> None:
    """Refuse an address on which something listens already.

    granian shares its port (SO_REUSEPORT): two servers would answer visitors by turns, each from
    its own database.

    Raises
    ------
    SetupError
        The address is taken, or not one of this machine's; says what to do.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SetupError(f"{host} is no address to listen on: {error.strerror}") from error
    family, kind, protocol, _name, address = found[0]
    with socket.socket(family, kind, protocol) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what just ended is not in use
        try:
            door.bind(address)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "something listens there already; end it" if taken else str(error.strerror)
            raise SetupError(
                f"cannot listen on {host}, port {port}: {why}, or choose another with --port"
            ) from error


def serve(settings: Settings) -> None:
    """Serve until the process is told to stop; checks the database first."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from droneteam import db, schema

    schema.require_current(db.make_engine(settings.database_url))
    Granian(
        "droneteam.web.wsgi:server",
        factory=True,
        interface=Interfaces.RSGI,
        address=settings.host,
        port=settings.port,
        workers=1,
        backpressure=CONNECTIONS,
        workers_kill_timeout=END_S,
        websockets=False,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(keep_alive=True),
        log_level=LogLevels(settings.log_level.lower()),
    ).serve()
