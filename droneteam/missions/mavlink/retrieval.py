"""Bringing a sortie's onboard log home: which one, over which protocol, without I/O.

LOG_REQUEST first, because it is thirty times faster (measured on ArduCopter 4.7: 1.4 MB/s against
42 kB/s); MAVFTP where the vehicle does not answer for its list or says that it has no log there.
The newest log is taken.  A vehicle that is armed meanwhile is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from droneteam.missions.mavlink import ftp, ftplist, logs
from droneteam.missions.mavlink.ftp import FileFetch
from droneteam.missions.mavlink.ftplist import Folder, FolderEntry, FolderList
from droneteam.missions.mavlink.handshake import Failed, Sends, Timing
from droneteam.missions.mavlink.logs import Fetched, Listed, LogFetch, LogList, Pieces
from droneteam.missions.mavlink.messages import Heartbeat, Inbound, Transfer
from droneteam.missions.mavlink.spans import Spans

LOG_FOLDER = "/APM/LOGS"
LIST_LIMIT_S = 20.0
"""How long the list may take before the other protocol is tried."""


@dataclass(frozen=True, slots=True)
class ChosenLog:
    """Which log: its name on the vehicle, and how it is fetched.

    source : "LOG_DATA" or "MAVFTP"; name : its number or path; began_at : as the list told.
    """

    source: str
    name: str
    size_bytes: int
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier attempt brought of which log."""

    log: ChosenLog
    have: Spans

    def of(self, log: ChosenLog) -> Spans:
        """The bytes that still count: the same log, which may have grown meanwhile."""
        same = (self.log.source, self.log.name, self.log.began_at) == (
            log.source,
            log.name,
            log.began_at,
        )
        return self.have if same and log.size_bytes >= self.log.size_bytes else ()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A log that was fetched whole; size and checksum as the vehicle told them."""

    log: ChosenLog
    size_bytes: int
    crc32: int | None


_Task = LogList | LogFetch | FolderList | FileFetch


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A log on its way home; chosen : once it is known which."""

    timing: Timing
    task: _Task
    first_seq: int
    known: Known | None = None
    chosen: ChosenLog | None = None
    outcome: Retrieved | Failed | None = None

    @property
    def have(self) -> Spans:
        """Which bytes of the chosen log are there."""
        return self.task.have if isinstance(self.task, LogFetch | FileFetch) else ()


RetrievalStep = tuple[Retrieval, Sends, Pieces]


def start_retrieval(
    timing: Timing, now_s: float, *, known: Known | None = None, first_seq: int = 0
) -> RetrievalStep:
    """A retrieval and its first message; first_seq : of MAVFTP, another one each time."""
    task, sends = logs.start_list(replace(timing, deadline_s=LIST_LIMIT_S), now_s)
    return Retrieval(timing, task, first_seq, known), sends, ()


def retrieval_step(state: Retrieval, message: Inbound | None, now_s: float) -> RetrievalStep:
    """The next state, what to send, and what to store."""
    if state.outcome is not None:
        return state, (), ()
    if isinstance(message, Heartbeat) and message.armed:
        detail = "the vehicle was armed; its log is fetched after it has landed"
        return replace(state, outcome=Failed("log-armed", detail)), (), ()
    if message is not None and not isinstance(message, Transfer):
        return state, (), ()
    task, sends, pieces = _advance(state.task, message, now_s)
    state = replace(state, task=task)
    if task.outcome is None:
        return state, sends, pieces
    state, more, _ = _follow(state, task.outcome, now_s)
    return state, sends + more, pieces


def _advance(task: _Task, message: Transfer | None, now_s: float) -> tuple[_Task, Sends, Pieces]:
    match task:
        case LogList():
            return *logs.list_step(task, message, now_s), ()
        case FolderList():
            return *ftplist.folder_step(task, message, now_s), ()
        case LogFetch():
            return logs.fetch_step(task, message, now_s)
        case FileFetch():
            return ftp.file_step(task, message, now_s)


def _follow(
    state: Retrieval, outcome: Listed | Fetched | Folder | Failed, now_s: float
) -> RetrievalStep:
    """What comes after a part has ended."""
    match outcome:
        case Listed(entries=(*_, newest)):
            log = ChosenLog("LOG_DATA", str(newest.log_id), newest.size_bytes, newest.began_at)
            return _fetch(state, log, now_s)
        case Fetched(size_bytes=size, crc32=crc):
            assert state.chosen is not None
            return replace(state, outcome=Retrieved(state.chosen, size, crc)), (), ()
        case Folder(entries=entries):
            found = [one for one in entries if one.name.upper().endswith(".BIN")]
            if not found:
                return _fail(state, Failed("log-none", f"no log in {LOG_FOLDER}"))
            last = max(found, key=lambda one: one.name)
            return _fetch(state, _on_card(last), now_s)
        case Failed() if not isinstance(state.task, LogList):
            return _fail(state, outcome)
    task, sends = ftplist.start_folder(LOG_FOLDER, state.timing, now_s, first_seq=state.first_seq)
    return replace(state, task=task), sends, ()


def _on_card(entry: FolderEntry) -> ChosenLog:
    return ChosenLog("MAVFTP", f"{LOG_FOLDER}/{entry.name}", entry.size_bytes or 0)


def _fetch(state: Retrieval, log: ChosenLog, now_s: float) -> RetrievalStep:
    have = state.known.of(log) if state.known is not None else ()
    if log.source == "LOG_DATA":
        task, sends, _ = logs.start_fetch(int(log.name), log.size_bytes, state.timing, now_s, have)
        state = replace(state, chosen=log, task=task)
        if task.outcome is not None:
            state, _, _ = _follow(state, task.outcome, now_s)
        return state, sends, ()
    seq = (state.first_seq + 1000) % 65536
    file, sends, _ = ftp.start_file(log.name, state.timing, now_s, have, first_seq=seq)
    return replace(state, chosen=log, task=file), sends, ()


def _fail(state: Retrieval, failed: Failed) -> RetrievalStep:
    return replace(state, outcome=failed), (), ()
