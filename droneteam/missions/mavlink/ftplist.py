"""Listing a folder with MAVLink's file transfer protocol, without I/O.

Entries come as text with zeros between: ``F`` name tab size for a file, ``D`` name for a folder,
``S`` for one that is left out; the next request's offset counts all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from droneteam.missions.mavlink.ftp import Op, Refusal
from droneteam.missions.mavlink.handshake import Failed, Sends, Timing
from droneteam.missions.mavlink.logs import LONGEST_WAIT_S
from droneteam.missions.mavlink.messages import FtpPacket, Transfer


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A file with its size, or a folder (None)."""

    name: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds."""

    entries: tuple[FolderEntry, ...]


@dataclass(frozen=True, slots=True)
class FolderList:
    """Listing one folder; seen : entries so far, those left out counted too."""

    path: str
    timing: Timing
    started_at_s: float
    seq: int
    sent_at_s: float
    wait_s: float
    entries: tuple[FolderEntry, ...] = ()
    seen: int = 0
    outcome: Folder | Failed | None = None


def start_folder(
    path: str, timing: Timing, now_s: float, *, first_seq: int = 0
) -> tuple[FolderList, Sends]:
    """A listing and its first message."""
    state = FolderList(path, timing, now_s, first_seq, now_s, timing.announce_s)
    return state, (_request(state),)


def folder_step(
    state: FolderList, message: Transfer | None, now_s: float
) -> tuple[FolderList, Sends]:
    """The next state and what to send."""
    if state.outcome is not None:
        return state, ()
    match message:
        case FtpPacket(req_opcode=Op.LIST, seq=seq) if seq == (state.seq + 1) % 65536:
            return _answered(state, message, now_s)
        case None:
            return _tick(state, now_s)
    return state, ()


def _request(state: FolderList) -> FtpPacket:
    path = state.path.encode()
    return FtpPacket(state.seq, 0, Op.LIST, len(path), state.seen, path)


def _answered(state: FolderList, packet: FtpPacket, now_s: float) -> tuple[FolderList, Sends]:
    if packet.opcode == Op.NAK:
        code = packet.data[0] if packet.data else 0
        if code == Refusal.END_OF_FILE:
            return replace(state, outcome=Folder(state.entries)), ()
        name = "ftp-not-found" if code in (Refusal.NOT_FOUND, Refusal.FAIL_ERRNO) else "ftp-refused"
        return replace(state, outcome=Failed(name, f"{state.path}: error {code}")), ()
    texts = [text.decode("utf-8", "replace") for text in packet.data.split(b"\0") if text]
    if not texts:
        return replace(state, outcome=Folder(state.entries)), ()
    found = tuple(entry for entry in map(_entry, texts) if entry is not None)
    state = replace(
        state,
        entries=state.entries + found,
        seen=state.seen + len(texts),
        seq=(state.seq + 2) % 65536,
        sent_at_s=now_s,
    )
    return state, (_request(state),)


def _entry(text: str) -> FolderEntry | None:
    name, _, size = text[1:].partition("\t")
    if text[0] == "D":
        return None if name in (".", "..") else FolderEntry(name, None)
    if text[0] == "F":
        return FolderEntry(name, int(size) if size.isdigit() else 0)
    return None


def _tick(state: FolderList, now_s: float) -> tuple[FolderList, Sends]:
    if now_s - state.started_at_s >= state.timing.deadline_s:
        detail = f"{state.path}: {len(state.entries)} entries, then no answer"
        return replace(state, outcome=Failed("ftp-timeout", detail)), ()
    if now_s - state.sent_at_s < state.wait_s:
        return state, ()
    wait_s = min(LONGEST_WAIT_S, 1.5 * state.wait_s)
    return replace(state, sent_at_s=now_s, wait_s=wait_s), (_request(state),)
