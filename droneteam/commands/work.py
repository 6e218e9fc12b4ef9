"""`droneteam work`: run queued jobs until stopped."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from datetime import UTC, datetime
from types import FrameType

from droneteam import db, jobs, schema
from droneteam.commands.tell import tell_loop, tell_once
from droneteam.commands.watch import watch_loop, watch_once
from droneteam.detection import retention
from droneteam.evidence import checking, exporting, gathering
from droneteam.photogrammetry import service as photogrammetry
from droneteam.settings import Settings

logger = logging.getLogger(__name__)

HANDLERS = {
    **photogrammetry.HANDLERS,
    **retention.HANDLERS,
    **gathering.HANDLERS,
    **exporting.HANDLERS,
    **checking.HANDLERS,
}
"""Every kind of job that this release knows."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--once", action="store_true", help="stop when no job waits")


def run(args: argparse.Namespace) -> int:
    """Run jobs; a first SIGTERM or Ctrl-C lets the current job finish, a second one does not."""
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.require_current(engine)
    if args.once:
        watch_once(engine, datetime.now(UTC))
        tell_once(engine, settings.secret_key, lambda: datetime.now(UTC))
        while jobs.run_once(engine, settings, HANDLERS):
            pass
        return 0
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        logger.info("stopping after the current job")
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    helpers = [
        threading.Thread(target=watch_loop, args=(engine, stop), name="watch", daemon=True),
        threading.Thread(
            target=tell_loop, args=(engine, settings.secret_key, stop), name="tell", daemon=True
        ),
    ]
    for helper in helpers:
        helper.start()
    try:
        jobs.work_loop(engine, settings, HANDLERS, stop)
    finally:
        stop.set()
        for helper in helpers:
            helper.join()
    return 0
