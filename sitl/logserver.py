"""Onboard logs over LOG_REQUEST_LIST and LOG_REQUEST_DATA, as ArduPilot serves them.

One transfer at a time: while one runs, further requests of its ground station are dropped in
silence and those of another are told so.  An armed vehicle serves nothing.  A piece shorter than
90 bytes ends a transfer.
"""

from __future__ import annotations

from dataclasses import dataclass

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.autopilot import Autopilot
from sitl.blackbox import Blackbox
from sitl.channel import Channel
from sitl.telemetry import Message

PIECE_BYTES = 90
PIECES_PER_POLL = 60
ENTRIES_PER_POLL = 5


@dataclass(slots=True)
class _Listing:
    channel: Channel
    next_id: int
    last_id: int


@dataclass(slots=True)
class _Sending:
    channel: Channel
    number: int
    offset: int
    left: int


class LogServer:
    """Serves one vehicle's logs."""

    def __init__(self, ap: Autopilot, blackbox: Blackbox) -> None:
        self._ap = ap
        self._box = blackbox
        self._listing: _Listing | None = None
        self._sending: _Sending | None = None

    def on_list(self, channel: Channel, message: Message) -> None:
        """LOG_REQUEST_LIST."""
        if self._busy_for(channel):
            return
        count = len(self._box.logs)
        if count == 0:
            channel.send(mav.MAVLink_log_entry_message(0, 0, 0, 0, 0))
            return
        last = min(message.end, count)
        self._listing = _Listing(channel, max(1, message.start), last)

    def on_data(self, channel: Channel, message: Message) -> None:
        """LOG_REQUEST_DATA."""
        if self._busy_for(channel):
            return
        if 1 <= message.id <= len(self._box.logs):
            self._listing = None
            self._sending = _Sending(channel, message.id, message.ofs, message.count)

    def on_end(self, channel: Channel, message: Message) -> None:
        """LOG_REQUEST_END."""
        self._sending = self._listing = None

    def on_erase(self, channel: Channel, message: Message) -> None:
        """LOG_ERASE; not in flight."""
        if not self._ap.armed:
            self._sending = self._listing = None
            self._box.erase()

    def on_gone(self, channel: Channel) -> None:
        """The connection is closed."""
        for name in ("_listing", "_sending"):
            job = getattr(self, name)
            if job is not None and job.channel is channel:
                setattr(self, name, None)

    def poll(self) -> None:
        """Sends the next pieces."""
        if self._ap.armed:
            return
        if self._listing is not None:
            self._list_some(self._listing)
        if self._sending is not None:
            self._send_some(self._sending)

    def _busy_for(self, channel: Channel) -> bool:
        if self._sending is None:
            return False
        if self._sending.channel is not channel:
            text = mav.MAVLink_statustext_message(6, b"Log download in progress")
            channel.send(text)
        return True

    def _list_some(self, job: _Listing) -> None:
        logs = self._box.logs
        for _ in range(ENTRIES_PER_POLL):
            if job.next_id > job.last_id:
                self._listing = None
                return
            log = logs[job.next_id - 1]
            unix_s = int(log.began_at.timestamp()) if log.began_at is not None else 0
            entry = (job.next_id, len(logs), len(logs), unix_s, log.size)
            job.channel.send(mav.MAVLink_log_entry_message(*entry))
            job.next_id += 1

    def _send_some(self, job: _Sending) -> None:
        log = self._box.logs[job.number - 1]
        for _ in range(PIECES_PER_POLL):
            length = max(0, min(PIECE_BYTES, job.left, log.size - job.offset))
            data = bytes(log.writer.data[job.offset : job.offset + length])
            padded = data.ljust(PIECE_BYTES, b"\0")
            job.channel.send(mav.MAVLink_log_data_message(job.number, job.offset, length, padded))
            job.offset += length
            job.left -= length
            if length < PIECE_BYTES or job.left == 0:
                self._sending = None
                return
