"""`droneteam serve`: the web server, granian with one thread per open event stream.

An event stream occupies a thread for as long as a browser listens.  Threads that wait cost
little, so the pool is wide; a single process keeps one feed and one rate limit for all.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from droneteam.errors import InputError
from droneteam.settings import Settings

logger = logging.getLogger(__name__)

THREADS = 640
"""300 event streams, and as many more requests that wait on the database."""
THREAD_IDLE_S = 30
BACKLOG = 1024


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
    print(f"http://{settings.host}:{settings.port}/", flush=True)
    serve(settings)
    return 0


def serve(settings: Settings) -> None:
    """Serve until the process is told to stop; checks the database first."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    from droneteam import db, schema

    schema.require_current(db.make_engine(settings.database_url))
    Granian(
        "droneteam.web.wsgi:application",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=1,
        blocking_threads=THREADS,
        blocking_threads_idle_timeout=THREAD_IDLE_S,
        backpressure=THREADS,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(keep_alive=True),
        log_level=LogLevels(settings.log_level.lower()),
    ).serve()
