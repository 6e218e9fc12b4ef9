"""An alert with the messages that caused it, as one document that can be checked again.

Every payload is given as it was received, with the time, the receiver and what it decodes to.  The
digest is SHA-256 over one line for each message, in the order of reception: the seven values of
`frame_line`, separated by "|".  Whoever has the document can compute it again, without this
program; in a sealed bag the file's own hash is signed as well.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.detection import rid, service
from droneteam.detection.service import SEES_OPERATORS, AlertView, MessageView
from droneteam.errors import DecodeError

FORMAT = "droneteam alert evidence 1"


@dataclass(frozen=True, slots=True)
class Frame:
    """One payload as it was received, and what it says.

    part : "cause" up to the raising of the alert, "course" after it. fields : one object for each
    message of the payload; problems : what could not be decoded.
    """

    at: datetime
    receiver: str
    transport: str
    transmitter: str
    rssi_dbm: int | None
    payload_hex: str
    sha256: str
    part: str
    fields: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """An alert's document; sha256 is that of its messages."""

    format: str
    alert: AlertView
    track: service.TrackView | None
    way: tuple[tuple[datetime, float, float], ...]
    messages: tuple[Frame, ...]
    sha256: str


def alert_proof(session: Session, actor: Actor, alert_id: int) -> Proof:
    """The document of an alert, of what retention has not erased yet."""
    require_role(actor, *SEES_OPERATORS)
    alert = service.get_alert(session, actor, alert_id)
    heard = service.alert_messages(session, actor, alert_id)
    frames = tuple(frame_of(message, alert.raised_at) for message in heard)
    track: service.TrackView | None = None
    way: tuple[tuple[datetime, float, float], ...] = ()
    if alert.track_id is not None:
        track = service.get_track(session, actor, alert.track_id)
        way = tuple(service.track_way(session, actor, alert.track_id))
    return Proof(FORMAT, alert, track, way, frames, digest(map(frame_line, frames)))


def frame_of(message: MessageView, raised_at: datetime) -> Frame:
    """A stored message with its hash and its fields."""
    payload = bytes.fromhex(message.payload_hex)
    try:
        pack = rid.decode(payload)
        fields = tuple({"type": type(one).__name__, **plain(one)} for one in pack.messages)
        problems = tuple(str(problem) for problem in pack.problems)
    except DecodeError as error:
        fields, problems = (), (str(error),)
    return Frame(
        at=message.at,
        receiver=message.receiver,
        transport=message.transport,
        transmitter=message.transmitter,
        rssi_dbm=message.rssi_dbm,
        payload_hex=message.payload_hex,
        sha256=hashlib.sha256(payload).hexdigest(),
        part="cause" if message.at <= raised_at else "course",
        fields=fields,
        problems=problems,
    )


def frame_line(frame: Frame) -> str:
    """The line of a message that the digest is made of; the time in UTC with microseconds."""
    at = frame.at.astimezone(UTC).isoformat(timespec="microseconds")
    rssi = "" if frame.rssi_dbm is None else str(frame.rssi_dbm)
    where = (frame.receiver, frame.transport, frame.transmitter)
    return "|".join((at, *where, rssi, frame.payload_hex, frame.sha256))


def digest(lines: Iterable[str]) -> str:
    """SHA-256 over the lines, each with its end."""
    found = hashlib.sha256()
    for line in lines:
        found.update(line.encode() + b"\n")
    return found.hexdigest()


def plain(value: Any) -> Any:
    """The value in JSON's terms; codes by their names, bytes in hexadecimal."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(one) for one in value]
    return value
