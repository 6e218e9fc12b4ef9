"""What a server loads: the application with the environment's settings."""

from __future__ import annotations

import gc
import os
import signal
import time
from threading import Thread

from flask import Flask

from droneteam import db
from droneteam.settings import Settings
from droneteam.web.app import create_app
from droneteam.web.server import Server

ORPHAN_CHECK_S = 1.0
COLLECT_AFTER = 20_000
"""New objects until the collector looks at them.  A page makes tens of thousands that go without
it; to look every 700 of them, as Python does, took 9 % of a request's CPU time (measured)."""


def application() -> Flask:
    """The application, made once in each server process."""
    settings = Settings.from_env()
    app = create_app(settings, db.make_engine(settings.database_url))
    Thread(target=_prepare, args=(app,), daemon=True).start()
    return app


def server() -> Server:
    """The same behind the door that `droneteam serve` uses, in the process that granian forked."""
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    return Server(application())


def _end_with(parent: int) -> None:
    """End this process when the one that made it is gone.

    A killed `droneteam serve` would otherwise leave it listening: a second feed and a second count
    of attempts beside those of the next server on the same port.
    """
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _prepare(app: Flask) -> None:
    """Load what the first visitors of each page and the first plan would otherwise wait for.

    What is loaded then stays for good: the collector need not look through millions of objects
    again and again, each time half a second in which no event leaves (measured).
    """
    from droneteam.fleet.allocation.exact import warm_up  # numba takes its time to load

    for name in app.jinja_env.list_templates(["html"]):
        app.jinja_env.get_template(name)  # compiles it, which takes longer than filling it in
    warm_up()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
