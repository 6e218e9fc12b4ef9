"""One drone's part of a call to `fly`: its flight, its link, its record, and its log's way home.

The intent of every command is in the journal before the command leaves.  When the sortie has
ended and the vehicle is on the ground, its onboard log is fetched over the same link.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from droneteam.missions.flight.control import step
from droneteam.missions.flight.live import Sample
from droneteam.missions.flight.photowatch import NO_PHOTOS, photos_are_missing, photos_due_after
from droneteam.missions.flight.preflight import FlightOrder
from droneteam.missions.flight.state import Ending, Event, Flight, Heard, Note, Phase, Send, Tick
from droneteam.missions.mavlink.camerawatch import CameraWatch, camera_step
from droneteam.missions.mavlink.fetching import LogFetcher
from droneteam.missions.mavlink.handshake import Failed
from droneteam.missions.mavlink.link import VehicleLink
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.mavlink.messages import (
    CommandId,
    CommandLong,
    Inbound,
    MissionClear,
    MissionCount,
    Outbound,
    ParamSet,
)
from droneteam.missions.mavlink.timesync import ClockWatch, clock_step
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.record.journal import ARMING, CONTROLLER, Entry, Journal, was_arming

log = logging.getLogger(__name__)

_FOR_THE_PILOT = frozenset({"alarm", "adopted", "handed over", "separation", "intruder"})
"""Lines of the journal that a pilot must see now."""

_OURS = frozenset({Phase.FLYING, Phase.PAUSED, Phase.RETURNING})
"""Phases in which the camera may be asked for what it reported."""


@dataclass(frozen=True, slots=True)
class SortieOrder:
    """One drone's part of a call to `fly`: what, which drone, and over which link.

    spare_links : used while the first one is silent; forward : a ground station that listens
    and speaks along; signing_key : 32 bytes, None for a vehicle that does not sign; arm_until :
    when the signatures for take-off run out, None for never; fetch_log : whether its onboard log
    is fetched after landing; by : who began the flight.
    """

    order: FlightOrder
    drone_id: int
    drone_name: str
    link: LinkAddress
    log_dir: Path
    system_id: int | None = None
    spare_links: tuple[LinkAddress, ...] = ()
    forward: LinkAddress | None = None
    signing_key: bytes | None = None
    arm_until: datetime | None = None
    fetch_log: bool = False
    by: str = ""

    @property
    def tlog_path(self) -> Path:
        """The sortie's packet log; a restart appends to it."""
        return self.log_dir / f"mission-{self.order.mission_id}.tlog"

    @property
    def journal_path(self) -> Path:
        """The sortie's journal."""
        return self.log_dir / f"mission-{self.order.mission_id}.journal.jsonl"

    @property
    def onboard_log_path(self) -> Path:
        """Where the vehicle's own log comes to lie."""
        return self.log_dir / f"mission-{self.order.mission_id}.bin"


@dataclass(frozen=True, slots=True)
class SortieResult:
    """How one drone's sortie ended and where its record lies.

    onboard_log : the vehicle's own log, or why it was not fetched; None when nobody asked for it.
    """

    mission_id: int
    drone_id: int
    ending: Ending
    reason: str
    started_at: datetime
    ended_at: datetime
    tlog_path: Path
    journal_path: Path
    packets: int
    onboard_log: StoredLog | Failed | None = None


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time comes from; tests give their own."""

    monotonic_s: Callable[[], float] = time.monotonic
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(slots=True)
class Runner:
    """One flight with its link and its record.

    clock : of the vehicle, against ours; told_end : whether the live map has seen the end;
    photos_due_after : from `photowatch`, None once the pilot was told that none came, and
    in a flight that another controller began.
    """

    sortie: SortieOrder
    flight: Flight
    link: VehicleLink
    tlog: TlogWriter
    journal: Journal
    clocks: Clocks
    started_at: datetime
    clock: ClockWatch = field(default_factory=ClockWatch)
    camera: CameraWatch | None = None
    result: SortieResult | None = None
    registered: int = -1
    told_end: bool = False
    fetcher: LogFetcher | None = None
    photos_due_after: int | None = field(init=False)

    def __post_init__(self) -> None:
        began_here = self.flight.order.may_arm  # else the photos were told to a controller before
        self.photos_due_after = photos_due_after(self.flight.order.items) if began_here else None

    @property
    def busy(self) -> bool:
        """Whether the sortie goes on, or its log is on its way."""
        return self.result is None or (self.fetcher is not None and self.fetcher.running)

    def handle(self, event: Event) -> None:
        """Advance the flight by one event and carry out what follows; then the log's transfer."""
        match event:
            case Heard(message=message, now_s=now_s):
                self._watch_clock(message, now_s)
                self._watch_camera(message, now_s)
                if self.result is not None:
                    self._transfer().hear(message, now_s)
            case Tick(now_s=now_s):
                self._watch_clock(None, now_s)
                self._watch_camera(None, now_s)
                if self.result is not None:
                    self._transfer().tick(now_s)
                else:
                    self._watch_signatures()
        if self.result is None:
            self._advance(event)

    def _advance(self, event: Event) -> None:
        self.flight, commands = step(self.flight, event)
        for command in commands:
            match command:
                case Send():
                    self._write_intent(command)
                    self.link.send(command.message)
                case Note(kind=kind, detail=detail, by=by):
                    self.note(kind, detail, by)
        if self.flight.ending is not None:
            self._finish(self.flight.ending, event.now_s)

    def sample(self) -> Sample:
        """What the live map is to be told of just now."""
        now_s = self.clocks.monotonic_s()
        return Sample(
            self.sortie.drone_id,
            self.sortie.drone_name,
            self.clocks.utc_now(),
            now_s,
            self.link.arrived_pct(now_s),
        )

    def note(self, kind: str, detail: str, by: str = "") -> None:
        """Write a line into the sortie's journal; by : the person who asked for it."""
        level = logging.WARNING if kind in _FOR_THE_PILOT else logging.INFO
        log.log(level, "%s: %s: %s", self.sortie.drone_name, kind, detail)
        self.journal.write(Entry(self.clocks.utc_now(), kind, detail, by))

    def _watch_signatures(self) -> None:
        """Take back the leave to arm when the signatures run out before it came to arming."""
        until, order = self.sortie.arm_until, self.flight.order
        if until is None or not order.may_arm or self.flight.armed:
            return
        if self.clocks.utc_now() >= until:
            self.note("clearance", f"the signatures for take-off ran out at {until:%H:%M:%S} UTC")
            self.flight = replace(self.flight, order=replace(order, may_arm=False))

    def _watch_camera(self, message: Inbound | None, now_s: float) -> None:
        """Count the camera's photos while we fly; nothing is asked of a vehicle that others fly."""
        flight = self.flight
        asks = flight.phase in _OURS and not flight.link_lost
        if message is None and not asks:
            return
        watch = self.camera or CameraWatch(flight.timing)
        self.camera, sends, notes = camera_step(watch, message, now_s)
        for send in sends:
            self.link.send(send)
        for note in notes:
            self.note("camera", note)
        flies = flight.phase is Phase.FLYING and not flight.link_lost
        if flies and photos_are_missing(self.photos_due_after, flight.mission_seq, self.camera):
            self.photos_due_after = None
            self.note("alarm", NO_PHOTOS)

    def _watch_clock(self, message: Inbound | None, now_s: float) -> None:
        """Compare the clocks once the vehicle was heard; before, we only listen."""
        if self.flight.phase is Phase.LISTENING or (message is None and self.flight.link_lost):
            return
        unix_s = self.clocks.utc_now().timestamp()
        self.clock, sends, notes = clock_step(self.clock, message, now_s, unix_s)
        for send in sends:
            self.link.send(send)
        for note in notes:
            self.note("clock", note)

    def _write_intent(self, command: Send) -> None:
        kind = _intent_kind(command.message)
        if kind is None:
            return
        begun = self.sortie.by or "the system"
        by = command.by or f"{CONTROLLER}, for the flight that {begun} began"
        detail = f"{command.message} because: {command.why}"
        self.journal.write(Entry(self.clocks.utc_now(), kind, detail, by), durable=kind == ARMING)

    def _finish(self, ending: Ending, now_s: float) -> None:
        if self.camera is not None and isinstance(self.camera.outcome, Failed):
            self.note("camera", self.camera.outcome.detail)
        self.result = SortieResult(
            mission_id=self.sortie.order.mission_id,
            drone_id=self.sortie.drone_id,
            ending=ending,
            reason=self.flight.reason,
            started_at=self.started_at,
            ended_at=self.clocks.utc_now(),
            tlog_path=self.sortie.tlog_path,
            journal_path=self.sortie.journal_path,
            packets=self.tlog.packets,
        )
        if self._log_is_worth_fetching(ending):
            self._transfer().start(now_s)

    def _log_is_worth_fetching(self, ending: Ending) -> bool:
        """Never of an armed vehicle, never of one that cannot be heard or never came to arming."""
        if not self.sortie.fetch_log or self.flight.armed or ending is Ending.LINK_GONE:
            return False
        return was_arming(self.sortie.journal_path)

    def _transfer(self) -> LogFetcher:
        if self.fetcher is None:
            self.fetcher = LogFetcher(
                self.sortie.onboard_log_path,
                self.flight.timing,
                first_seq=int(self.clocks.monotonic_s() * 1000.0) % 65536,
                send=self.link.send,
                note=lambda text: self.note("log", text),
            )
        return self.fetcher

    def conclude(self) -> SortieResult | None:
        """The result with the log that was fetched; waits for the disk."""
        if self.result is None or self.fetcher is None:
            return self.result
        return replace(self.result, onboard_log=self.fetcher.finish())

    def close(self) -> None:
        """Close the link, its log and the journal."""
        self.link.close()
        self.journal.close()


def _intent_kind(message: Outbound) -> str | None:
    """The journal's word for a message that changes something on the vehicle; else None."""
    match message:
        case CommandLong(command=CommandId.COMPONENT_ARM_DISARM, params=(1.0, *_)):
            return ARMING
        case CommandLong(command=CommandId.SET_MESSAGE_INTERVAL):
            return None
        case CommandLong() | MissionClear() | MissionCount() | ParamSet():
            return "intent"
    return None
