"""The watch over clocks and due dates: escalations, expiries, and what ends or falls due soon.

What is due follows from the database alone, so a watch that was interrupted goes on where it
stopped, and any number of them may run: each escalation and notice is raised once.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from droneteam import db
from droneteam.accounts import SYSTEM
from droneteam.fleet import service as fleet
from droneteam.fleet.explanations import explain

logger = logging.getLogger(__name__)

PERIOD_S = 5.0
"""A sixth of the shortest threshold: half of P0's 60 s."""


def watch_once(engine: Engine, now: datetime) -> int:
    """How much was raised, expired and told; asks for no lock without need."""
    with db.read_scope(engine) as session:
        idle = not (
            fleet.due_escalations(session, now)
            or fleet.due_expiries(session, now)
            or fleet.due_notices(session, now)
        )
    if idle:
        return 0
    with db.session_scope(engine) as session:
        raised = fleet.raise_escalations(session, SYSTEM, now)
        expired = fleet.expire_requests(session, SYSTEM, now)
        notices = fleet.raise_notices(session, SYSTEM, now)
    for view in raised:
        logger.warning(
            "request %d: %s clock at %.0f %%, telling %s",
            view.request_id,
            view.clock,
            100 * view.fraction,
            view.told,
        )
    for notice in notices:
        logger.warning("%s: %s", notice.subject, explain.sentence(notice.reason, "en"))
    return len(raised) + len(expired) + len(notices)


def watch_loop(engine: Engine, stop: threading.Event) -> None:
    """Watch until `stop` is set; a database that does not answer is asked again."""
    while not stop.is_set():
        try:
            watch_once(engine, datetime.now(UTC))
        except OperationalError as error:
            logger.error("the watch over the clocks could not read the database: %s", error)
        stop.wait(PERIOD_S)
