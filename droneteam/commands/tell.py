"""Telling webhooks what happened: one address after the other, in order, again where one fails."""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from droneteam import db, webhooks
from droneteam.commands.outward import open_connection, within
from droneteam.errors import DroneteamError, LinkError
from droneteam.webhooks import Delivery, Message

logger = logging.getLogger(__name__)

PERIOD_S = 1.0
ANSWER_S = 10.0
"""Without a byte."""
WHOLE_S = 20.0
"""For a whole answer."""
TURN_S = 30.0
"""After so long with one address the others have their turn; it goes on in the next round."""
_MAX_ANSWER_BYTES = 10_000


def tell_once(engine: Engine, secret_key: str, clock: Callable[[], datetime]) -> int:
    """How many messages were taken; an address that fails does not keep the others waiting."""
    with db.read_scope(engine) as session:
        due = webhooks.due_deliveries(session, clock())
    return sum(_deliver(engine, delivery, secret_key, clock) for delivery in due)


def _deliver(
    engine: Engine, delivery: Delivery, secret_key: str, clock: Callable[[], datetime]
) -> int:
    """How many of the delivery's messages were taken, up to the first that was not, in its turn."""
    began_s = time.monotonic()
    for taken, message in enumerate(delivery.messages):
        if time.monotonic() - began_s > TURN_S:
            return taken
        try:
            send(delivery.url, delivery.secret(secret_key), message, clock())
        except DroneteamError as error:
            logger.warning("webhook %d: %s", delivery.webhook_id, error)
            with db.session_scope(engine) as session:
                webhooks.note_failed(session, delivery.webhook_id, str(error), clock())
            return taken
        with db.session_scope(engine) as session:
            webhooks.note_told(session, delivery.webhook_id, message.entry_id, clock())
    with db.session_scope(engine) as session:
        webhooks.note_passed(session, delivery.webhook_id, delivery.passed_id)
    return len(delivery.messages)


def send(url: str, secret: str, message: Message, at: datetime) -> None:
    """The message, taken by the address with a status of 200 to 299; redirects are not followed.

    Raises
    ------
    LinkError
        It did not answer in time, or with another status.
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "droneteam-webhook",
        "X-Droneteam-Id": str(message.entry_id),
        "X-Droneteam-Signature": webhooks.signature(secret, message.body, at),
    }
    try:
        port = parts.port
    except ValueError as error:  # of a webhook from before addresses were checked
        raise LinkError(f"{parts.hostname} cannot be reached: {error}") from error
    connection = open_connection(parts.scheme, str(parts.hostname), port, ANSWER_S)
    try:
        with within(connection, WHOLE_S):
            connection.request("POST", path, message.body, headers)
            answer = connection.getresponse()
            answer.read(_MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise LinkError(f"{parts.hostname} did not answer: {error}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise LinkError(f"{parts.hostname} answered {answer.status}, not 200 to 299")


def tell_loop(engine: Engine, secret_key: str, stop: threading.Event) -> None:
    """Tell until `stop` is set; a database that does not answer is asked again."""
    while not stop.is_set():
        try:
            tell_once(engine, secret_key, lambda: datetime.now(UTC))
        except OperationalError as error:
            logger.error("webhooks could not be told: %s", error)
        stop.wait(PERIOD_S)
