"""TABLE webhook: addresses that are told what happened, from the audit chain and in its order.

A message says which record something happened to and when, and nothing else: whoever is told asks
the API for the rest, with its own token and rights.  A hook keeps the place in the chain up to
which it was told, so that nothing is lost while its address does not answer; after an answer that
was lost on the way the same message comes again, under the same id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import JSON, ForeignKey, String, Text, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.audit import AuditEntry
from droneteam.db import Base, UtcDateTime
from droneteam.errors import InputError, NotFound
from droneteam.sealing import seal, unseal

ADMINISTRATOR = "administrator"
ACTIONS = ("request", "plan", "mission", "sortie", "scene", "alert", "drone", "escalation")
"""What can be asked for: the first words of the audit's actions."""
TEST = "webhook.test"
BATCH = 50
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
PAUSED_AFTER = timedelta(days=3)
"""An address that has not answered for so long is asked no more until somebody resumes it."""
_PURPOSE = "webhook secret"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_WRITTEN = re.compile(r"[!-~]+")
"""Printable ASCII: what a request line and a Host header can hold; others are percent-encoded."""

State = Literal["working", "waiting", "paused"]


class Webhook(Base):
    """One address."""

    __tablename__ = "webhook"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(120))
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(String(300))
    """Sealed; signs every message."""
    actions: Mapped[list[str]] = mapped_column(JSON)
    told_id: Mapped[int]
    """The last audit entry that the address was told of, or that did not concern it."""
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str] = mapped_column(Text, default="")
    made_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook, without its secret.

    waiting : messages that it has not been told of; problem : why the last try failed
    """

    id: int
    name: str
    url: str
    actions: tuple[str, ...]
    state: State
    waiting: int
    told_at: datetime | None
    due_at: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that happened, as it is sent; body : JSON."""

    entry_id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one address is to be told now; passed_id : the chain is looked through up to there."""

    webhook_id: int
    url: str
    sealed_secret: str
    messages: tuple[Message, ...]
    passed_id: int

    def secret(self, secret_key: str) -> str:
        """What signs the messages; DroneteamError when it was sealed with another key."""
        return unseal(self.sealed_secret, secret_key, _PURPOSE)


def add_webhook(
    session: Session,
    actor: Actor,
    name: str,
    url: str,
    actions: Sequence[str],
    secret_key: str,
    now: datetime,
) -> tuple[WebhookView, str]:
    """The webhook and the secret that signs its messages, which is shown this once.

    It is told of what happens from now on.

    Raises
    ------
    InputError
        No name, an action that is none of ACTIONS, or an address that is not https (http is for
        programs on the same machine).
    """
    require_role(actor, ADMINISTRATOR)
    _check(name, url, actions)
    secret = secrets.token_urlsafe(32)
    row = Webhook(
        name=name.strip(),
        url=url,
        secret=seal(secret, secret_key, _PURPOSE),
        actions=sorted(set(actions)),
        told_id=_last_id(session),
        due_at=now,
        made_by=actor.user_id or None,
        made_at=now,
    )
    session.add(row)
    session.flush()
    facts = {"name": row.name, "host": urlsplit(url).hostname, "actions": row.actions}
    _audit(session, actor, "webhook.add", row.id, now, facts)
    return _view(session, row, now), secret


def _check(name: str, url: str, actions: Sequence[str]) -> None:
    if not name.strip() or len(name) > 120:
        raise InputError("name the webhook in 1 to 120 characters", field="name")
    unknown = sorted(set(actions) - set(ACTIONS))
    if unknown or not actions:
        raise InputError(
            f"actions {unknown or 'missing'}; known: {', '.join(ACTIONS)}", field="actions"
        )
    if not _is_address(url):
        raise InputError(
            "the address is https://host/path, without a name or password in it; "
            "http only for this machine itself",
            field="url",
        )


def _is_address(url: str) -> bool:
    """Whether messages can be sent there, as far as the address itself tells."""
    if len(url) > 500 or not _WRITTEN.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # brackets without an IPv6 address, a port beyond 65,535
        return False
    if not host or port == 0 or parts.fragment or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def list_webhooks(session: Session, actor: Actor, now: datetime) -> list[WebhookView]:
    """Every webhook that has not ended."""
    require_role(actor, ADMINISTRATOR)
    rows = session.scalars(select(Webhook).where(Webhook.ended_at.is_(None)).order_by(Webhook.id))
    return [_view(session, row, now) for row in rows]


def failing(session: Session) -> int:
    """How many addresses do not answer."""
    waiting = (Webhook.ended_at.is_(None), Webhook.failing_since.is_not(None))
    return session.scalar(select(func.count(Webhook.id)).where(*waiting)) or 0


def end_webhook(session: Session, actor: Actor, webhook_id: int, now: datetime) -> None:
    """Its address is told of nothing any more."""
    row = _row(session, actor, webhook_id)
    row.ended_at = now
    _audit(session, actor, "webhook.end", row.id, now, {"name": row.name})


def resume_webhook(session: Session, actor: Actor, webhook_id: int, now: datetime) -> None:
    """Its address is tried again at once, and told of everything that waits."""
    row = _row(session, actor, webhook_id)
    row.failures, row.failing_since, row.due_at = 0, None, now
    _audit(session, actor, "webhook.resume", row.id, now, {"name": row.name})


def send_test(session: Session, actor: Actor, webhook_id: int, now: datetime) -> None:
    """Its address, and no other, is told of a test."""
    row = _row(session, actor, webhook_id)
    row.due_at = now
    _audit(session, actor, TEST, row.id, now, {})


def due_deliveries(session: Session, now: datetime) -> list[Delivery]:
    """What is to be told now; nothing is written."""
    query = select(Webhook).where(
        Webhook.ended_at.is_(None),
        Webhook.due_at <= now,
        or_(Webhook.failing_since.is_(None), Webhook.failing_since > now - PAUSED_AFTER),
        Webhook.told_id < select(func.max(AuditEntry.id)).scalar_subquery(),
    )
    return [_delivery(session, row) for row in session.scalars(query)]


def _delivery(session: Session, row: Webhook) -> Delivery:
    after = select(AuditEntry).where(AuditEntry.id > row.told_id).order_by(AuditEntry.id)
    entries = session.scalars(after.limit(BATCH)).all()
    return Delivery(
        webhook_id=row.id,
        url=row.url,
        sealed_secret=row.secret,
        messages=tuple(_message(entry) for entry in entries if _concerns(row, entry)),
        passed_id=entries[-1].id,
    )


def _concerns(row: Webhook, entry: AuditEntry) -> bool:
    if entry.action == TEST:
        return entry.subject == f"webhook:{row.id}"
    return entry.action.partition(".")[0] in row.actions


def _message(entry: AuditEntry) -> Message:
    content = {
        "id": entry.id,
        "at": entry.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "action": entry.action,
        "subject": entry.subject,
    }
    return Message(entry.id, json.dumps(content, separators=(",", ":")).encode())


def signature(secret: str, body: bytes, at: datetime) -> str:
    """ "t=unix seconds,v1=HMAC-SHA-256 of `t.body` in hex"; the time stops replays."""
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def note_told(session: Session, webhook_id: int, told_id: int, now: datetime) -> None:
    """The address answered for everything up to that entry."""
    row = session.get_one(Webhook, webhook_id)
    row.told_id = max(row.told_id, told_id)
    row.failures, row.failing_since, row.problem = 0, None, ""
    row.told_at, row.due_at = now, now


def note_passed(session: Session, webhook_id: int, passed_id: int) -> None:
    """Nothing up to that entry concerned the address."""
    row = session.get_one(Webhook, webhook_id)
    row.told_id = max(row.told_id, passed_id)


def note_failed(session: Session, webhook_id: int, problem: str, now: datetime) -> None:
    """The address did not answer; it is tried again after a wait that doubles, up to an hour."""
    row = session.get_one(Webhook, webhook_id)
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(row.failures, 20))
    row.failures += 1
    row.failing_since = row.failing_since or now
    row.problem, row.due_at = problem[:500], now + wait


def _row(session: Session, actor: Actor, webhook_id: int) -> Webhook:
    require_role(actor, ADMINISTRATOR)
    row = session.get(Webhook, webhook_id)
    if row is None or row.ended_at is not None:
        raise NotFound("webhook", webhook_id)
    return row


def _last_id(session: Session) -> int:
    return session.scalar(select(func.max(AuditEntry.id))) or 0


def _view(session: Session, row: Webhook, now: datetime) -> WebhookView:
    concerns = [AuditEntry.action.startswith(f"{one}.", autoescape=True) for one in row.actions]
    waiting = select(func.count()).where(AuditEntry.id > row.told_id, or_(*concerns))
    return WebhookView(
        id=row.id,
        name=row.name,
        url=row.url,
        actions=tuple(row.actions),
        state=_state(row, now),
        waiting=session.scalar(waiting) or 0,
        told_at=row.told_at,
        due_at=row.due_at,
        problem=row.problem,
    )


def _state(row: Webhook, now: datetime) -> State:
    if row.failing_since is None:
        return "working"
    return "paused" if now - row.failing_since >= PAUSED_AFTER else "waiting"


def _audit(
    session: Session,
    actor: Actor,
    action: str,
    webhook_id: int,
    now: datetime,
    facts: Mapping[str, object],
) -> None:
    subject = f"webhook:{webhook_id}"
    audit.append(session, actor, action=action, subject=subject, at=now, facts=facts)
