"""Files that belong to a request: bounded, recognised by their content, kept under their hash."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.intake.requests import request_row

MAX_BYTES = 10_000_000
"""An operations order or a weather report; photos of a scene take their own way."""
MAX_PER_REQUEST = 20
MAX_NAME = 200
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file of a request."""

    id: int
    request_id: int
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    added_at: datetime


def media_type_of(content: bytes) -> str:
    """PDF, PNG, JPEG or plain text, by the content itself: names and claims are not believed.

    Raises
    ------
    InputError
        It is none of these.
    """
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return media_type
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\x00"
    if any(unicodedata.category(c) == "Cc" and c not in "\t\n\r\f" for c in text):
        raise InputError(
            "the file is no PDF, PNG, JPEG or text in UTF-8; save it as one of them", field="file"
        )
    return "text/plain"


def add_attachment(
    session: Session,
    actor: Actor,
    request_id: int,
    name: str,
    content: bytes,
    store: Path,
    now: datetime,
) -> AttachmentView:
    """The stored file; the same content twice is one attachment.

    Raises
    ------
    InputError
        The file is empty, too large, of a kind that is not kept, or one too many.
    """
    require_role(actor, "requester", "coordinator", "pilot")
    row = request_row(session, actor, request_id)
    if not 0 < len(content) <= MAX_BYTES:
        raise InputError(
            f"the file has {len(content)} bytes; 1 to {MAX_BYTES} are allowed", field="file"
        )
    digest = hashlib.sha256(content).hexdigest()
    known = session.scalar(
        select(models.Attachment).where(
            models.Attachment.request_id == row.id, models.Attachment.sha256 == digest
        )
    )
    if known is not None:
        return _view(known)
    _check_count(session, row.id)
    made = models.Attachment(
        request_id=row.id,
        name=_plain_name(name),
        media_type=media_type_of(content),
        size_bytes=len(content),
        sha256=digest,
        added_by=actor.user_id or None,
        added_at=now,
    )
    _keep(store, digest, content)
    session.add(made)
    session.flush()
    facts = {"name": made.name, "sha256": digest, "size_bytes": made.size_bytes}
    subject = f"request:{row.id}"
    audit.append(session, actor, action="request.attach", subject=subject, at=now, facts=facts)
    return _view(made)


def _check_count(session: Session, request_id: int) -> None:
    query = select(func.count()).where(models.Attachment.request_id == request_id)
    if (session.scalar(query) or 0) >= MAX_PER_REQUEST:
        raise InputError(f"a request holds at most {MAX_PER_REQUEST} files", field="file")


def _plain_name(name: str) -> str:
    """The last part of the name, without control characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable()).strip()[:MAX_NAME] or "file"


def _keep(store: Path, digest: str, content: bytes) -> None:
    """The content on disk under its hash; a half-written file never bears the name."""
    path = store / digest
    if path.exists():
        return
    part = store / f"{digest}.part"
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # a full disk must not keep what nobody will look for
        raise


def list_attachments(session: Session, actor: Actor, request_id: int) -> list[AttachmentView]:
    """The request's files in the order of their arrival."""
    row = request_row(session, actor, request_id)
    query = select(models.Attachment).where(models.Attachment.request_id == row.id)
    return [_view(found) for found in session.scalars(query.order_by(models.Attachment.id))]


def attachment_file(
    session: Session, actor: Actor, attachment_id: int, store: Path
) -> tuple[AttachmentView, Path]:
    """The attachment and where its content lies; NotFound for another organisation's.

    Raises
    ------
    InputError
        The stored content is not the one that was attached.
    """
    row = session.get(models.Attachment, attachment_id)
    if row is None:
        raise NotFound("attachment", attachment_id)
    try:
        request_row(session, actor, row.request_id)
    except NotFound:
        raise NotFound("attachment", attachment_id) from None
    path = store / row.sha256
    if not path.is_file():
        raise NotFound("content of attachment", attachment_id)
    if hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
        raise InputError(f"attachment {attachment_id} does not match its hash any more")
    return _view(row), path


def _view(row: models.Attachment) -> AttachmentView:
    return AttachmentView(
        id=row.id,
        request_id=row.request_id,
        name=row.name,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        added_at=row.added_at,
    )
