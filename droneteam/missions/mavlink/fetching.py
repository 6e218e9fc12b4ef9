"""Fetching a vehicle's onboard log: as the last part of a sortie, or on its own."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from droneteam.missions.mavlink.handshake import Failed, Timing
from droneteam.missions.mavlink.link import MavlinkLink
from droneteam.missions.mavlink.logstore import PartFile, StoredLog
from droneteam.missions.mavlink.messages import GroundHeartbeat, Heartbeat, Inbound, Outbound
from droneteam.missions.mavlink.retrieval import (
    Retrieval,
    RetrievalStep,
    Retrieved,
    retrieval_step,
    start_retrieval,
)
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress

log = logging.getLogger(__name__)

TICK_S = 0.02
HEARTBEAT_WAIT_S = 0.2


class LogFetcher:
    """Joins a retrieval to its file; what is to be sent goes to ``send``, news to ``note``."""

    def __init__(
        self,
        path: Path,
        timing: Timing,
        *,
        first_seq: int,
        send: Callable[[Outbound], None],
        note: Callable[[str], None],
    ) -> None:
        self._file = PartFile(path)
        self._timing = timing
        self._first_seq = first_seq
        self._send = send
        self._note = note
        self._state: Retrieval | None = None
        self._heartbeat_at_s = float("-inf")

    @property
    def running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._state is not None and self._state.outcome is None

    def start(self, now_s: float) -> None:
        """Begin, or go on where an earlier process stopped."""
        known = self._file.known
        if known is not None:
            self._note(f"log {known.log.name}: an earlier attempt left {len(known.have)} parts")
        self._take(
            start_retrieval(self._timing, now_s, known=known, first_seq=self._first_seq), now_s
        )

    def hear(self, message: Inbound, now_s: float) -> None:
        """The vehicle said something."""
        if self._state is not None and self.running:
            self._take(retrieval_step(self._state, message, now_s), now_s)

    def tick(self, now_s: float) -> None:
        """Time passed; our heartbeats go on, so that the vehicle sees its ground station."""
        if self._state is None or not self.running:
            return
        if now_s - self._heartbeat_at_s >= self._timing.heartbeat_s:
            self._heartbeat_at_s = now_s
            self._send(GroundHeartbeat())
        self._take(retrieval_step(self._state, None, now_s), now_s)

    def _take(self, step: RetrievalStep, now_s: float) -> None:
        before = self._state
        state, sends, pieces = step
        self._state = state
        if state.chosen is not None and (before is None or before.chosen is None):
            log = state.chosen
            self._note(f"log {log.name} of {log.size_bytes} bytes, over {log.source}")
        if state.chosen is not None and pieces:
            self._file.write(state.chosen, pieces, state.have, now_s)
        self._send_all(sends)

    def _send_all(self, messages: Iterable[Outbound]) -> None:
        for message in messages:
            self._send(message)

    def finish(self) -> StoredLog | Failed | None:
        """The stored log or what went wrong; None when there was nothing to fetch.

        Waits for the disk: call it when nothing flies any more.
        """
        if self._state is None:
            return None
        outcome = self._state.outcome
        if isinstance(outcome, Retrieved):
            stored = self._file.finish(outcome)
            text = stored.detail if isinstance(stored, Failed) else f"sha256 {stored.sha256}"
            self._note(text)
            return stored
        if self._state.chosen is not None and self._state.have:
            self._file.write(self._state.chosen, (), self._state.have, float("inf"))
        self._file.close()
        failed = outcome or Failed("log-interrupted", "the controller was stopped meanwhile")
        self._note(f"{failed.name}: {failed.detail}")
        return failed


def fetch_log(
    address: LinkAddress, path: Path, timing: Timing, *, system_id: int | None = None
) -> StoredLog | Failed:
    """The newest log of a vehicle on the ground, fetched outside any sortie.

    What an earlier attempt left beside ``path`` is not fetched again; the packets are logged in
    ``path`` with the ending ``.tlog`` like those of a flight.
    """
    tlog = TlogWriter(path.with_name(path.name + ".tlog"))
    link = MavlinkLink(address, tlog, system_id=system_id)
    fetcher = LogFetcher(
        path,
        timing,
        first_seq=int(time.monotonic() * 1000.0) % 65536,
        send=link.send,
        note=lambda text: log.info("%s: %s", path.name, text),
    )
    try:
        heard = _wait_for_vehicle(link, timing)
        if isinstance(heard, Failed):
            return heard
        if heard.armed:
            return Failed("log-armed", "the vehicle is armed; its log is fetched after landing")
        fetcher.start(time.monotonic())
        while fetcher.running:
            for message in _received(link, TICK_S):
                fetcher.hear(message, time.monotonic())
            fetcher.tick(time.monotonic())
        found = fetcher.finish()
        assert found is not None
        return found
    finally:
        link.close()


def _wait_for_vehicle(link: MavlinkLink, timing: Timing) -> Heartbeat | Failed:
    started_s = time.monotonic()
    while time.monotonic() - started_s < timing.silence_s:
        link.send(GroundHeartbeat())
        for message in _received(link, HEARTBEAT_WAIT_S):
            if isinstance(message, Heartbeat):
                return message
    return Failed("link-silent", f"no vehicle was heard for {timing.silence_s:.0f} s")


def _received(link: MavlinkLink, wait_s: float) -> list[Inbound]:
    """What has come, or comes within the time."""
    descriptor = link.fileno()
    if descriptor >= 0:
        select.select([descriptor], [], [], wait_s)
    else:
        time.sleep(wait_s)
    messages = link.receive()
    link.flush(time.monotonic())
    return messages
