"""The loop that joins flights to links: one process, one thread, many drones.

Each turn waits until a link has something or a tick is due, feeds what came in to the flights
and carries out what they answer.  The intent of every command is in the journal before the
command leaves.  Nothing in the loop waits for a database or a disk: samples for the live map go
to a callback that must not block.
"""

from __future__ import annotations

import logging
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from droneteam.missions.flight import step
from droneteam.missions.flight_state import (
    Ending,
    Event,
    Flight,
    Heard,
    Note,
    PilotWants,
    Send,
    Tick,
)
from droneteam.missions.handshake import Timing
from droneteam.missions.journal import ARMING, Entry, Journal, was_arming
from droneteam.missions.link import MavlinkLink, VehicleLink
from droneteam.missions.live import LiveState, live_state
from droneteam.missions.messages import (
    CommandId,
    CommandLong,
    MissionCount,
    Outbound,
    ParamSet,
)
from droneteam.missions.preflight import FlightOrder
from droneteam.missions.signing import Signer
from droneteam.missions.tlog import TlogWriter
from droneteam.missions.transports import LinkAddress

log = logging.getLogger(__name__)

SAMPLE_S = 0.25
"""Time between samples for the live map."""


@dataclass(frozen=True, slots=True)
class SortieOrder:
    """One drone's part of a call to `fly`: what, which drone, and over which link.

    spare_links : used while the first one is silent; forward : a ground station that listens
    and speaks along; signing_key : 32 bytes, None for a vehicle that does not sign.
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

    @property
    def tlog_path(self) -> Path:
        """The sortie's packet log; a restart appends to it."""
        return self.log_dir / f"mission-{self.order.mission_id}.tlog"

    @property
    def journal_path(self) -> Path:
        """The sortie's journal."""
        return self.log_dir / f"mission-{self.order.mission_id}.journal.jsonl"


@dataclass(frozen=True, slots=True)
class SortieResult:
    """How one drone's sortie ended and where its record lies."""

    mission_id: int
    drone_id: int
    ending: Ending
    reason: str
    started_at: datetime
    ended_at: datetime
    tlog_path: Path
    journal_path: Path
    packets: int


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time comes from; tests give their own."""

    monotonic_s: Callable[[], float] = time.monotonic
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(slots=True)
class _Runner:
    """One flight with its link and its record."""

    sortie: SortieOrder
    flight: Flight
    link: VehicleLink
    tlog: TlogWriter
    journal: Journal
    clocks: Clocks
    started_at: datetime
    result: SortieResult | None = None
    registered: int = -1

    def handle(self, event: Event) -> None:
        """Advance the flight by one event and carry out what follows."""
        self.flight, commands = step(self.flight, event)
        for command in commands:
            match command:
                case Send(message=message, why=why):
                    self._write_intent(message, why)
                    self.link.send(message)
                case Note(kind=kind, detail=detail):
                    log.info("%s: %s: %s", self.sortie.drone_name, kind, detail)
                    self.journal.write(Entry(self.clocks.utc_now(), kind, detail))
        if self.flight.ending is not None and self.result is None:
            self._finish(self.flight.ending)

    def _write_intent(self, message: Outbound, why: str) -> None:
        kind = _intent_kind(message)
        if kind is None:
            return
        entry = Entry(self.clocks.utc_now(), kind, f"{message} because: {why}")
        self.journal.write(entry, durable=kind == ARMING)

    def _finish(self, ending: Ending) -> None:
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
        case CommandLong() | MissionCount() | ParamSet():
            return "intent"
    return None


@dataclass(slots=True)
class FlightDeck:
    """Flies sorties together until all have ended.

    on_state : called with samples for the live map, at most every SAMPLE_S per drone; must not
    block.  timing : None for the one that belongs to time_scale.  asks : (drone_id, "rtl" or
    "land") that the pilots put in; taken every turn.
    """

    sorties: Sequence[SortieOrder]
    time_scale: float = 1.0
    on_state: Callable[[LiveState], None] | None = None
    clocks: Clocks = field(default_factory=Clocks)
    timing: Timing | None = None
    asks: Callable[[], Sequence[tuple[int, str]]] = tuple
    _runners: list[_Runner] = field(default_factory=list)

    def fly(self) -> tuple[SortieResult, ...]:
        """The results, in the order of the sorties."""
        timing = self.timing or Timing.scaled(self.time_scale)
        tick_s = min(0.1, max(0.005, 0.1 / self.time_scale))
        selector = selectors.DefaultSelector()
        try:
            self._runners = [self._runner(sortie, timing) for sortie in self.sorties]
            self._loop(selector, tick_s)
        finally:
            selector.close()
            for runner in self._runners:
                runner.close()
        return tuple(runner.result for runner in self._runners if runner.result is not None)

    def _runner(self, sortie: SortieOrder, timing: Timing) -> _Runner:
        sortie.log_dir.mkdir(parents=True, exist_ok=True)
        tlog = TlogWriter(sortie.tlog_path)
        return _Runner(
            sortie=sortie,
            flight=Flight(_after_restart(sortie), timing),
            link=_link(sortie, tlog),
            tlog=tlog,
            journal=Journal(sortie.journal_path),
            clocks=self.clocks,
            started_at=self.clocks.utc_now(),
        )

    def _loop(self, selector: selectors.BaseSelector, tick_s: float) -> None:
        next_tick_s = self.clocks.monotonic_s()
        next_sample_s = next_tick_s
        while active := [runner for runner in self._runners if runner.result is None]:
            _register(selector, self._runners)
            selector.select(max(0.0, next_tick_s - self.clocks.monotonic_s()))
            now_s = self.clocks.monotonic_s()
            for runner in active:
                for message in runner.link.receive():
                    runner.handle(Heard(message, now_s))
            self._take_asks(active, now_s)
            if now_s >= next_tick_s:
                next_tick_s = now_s + tick_s
                for runner in active:
                    runner.handle(Tick(now_s))
            for runner in active:
                runner.link.flush(now_s)
            if now_s >= next_sample_s:
                next_sample_s = now_s + SAMPLE_S
                self._sample(active)

    def _take_asks(self, active: Sequence[_Runner], now_s: float) -> None:
        for drone_id, what in self.asks():
            for runner in active:
                if runner.sortie.drone_id == drone_id:
                    runner.handle(PilotWants(what, now_s))

    def _sample(self, active: Sequence[_Runner]) -> None:
        if self.on_state is None:
            return
        for runner in active:
            sortie = runner.sortie
            state = live_state(
                runner.flight, sortie.drone_id, sortie.drone_name, self.clocks.utc_now()
            )
            if state is not None:
                self.on_state(state)


def _link(sortie: SortieOrder, tlog: TlogWriter) -> MavlinkLink:
    return MavlinkLink(
        (sortie.link, *sortie.spare_links),
        tlog,
        system_id=sortie.system_id,
        forward=sortie.forward,
        signer=None if sortie.signing_key is None else Signer(sortie.signing_key),
    )


def _after_restart(sortie: SortieOrder) -> FlightOrder:
    """The order, without leave to arm when the sortie had already come to arming."""
    if not was_arming(sortie.journal_path):
        return sortie.order
    return replace(sortie.order, may_arm=False)


def _register(selector: selectors.BaseSelector, runners: Sequence[_Runner]) -> None:
    """Wait on the sockets that exist now: connections break and come back."""
    for runner in runners:
        current = runner.link.fileno() if runner.result is None else -1
        if current == runner.registered:
            continue
        if runner.registered >= 0:
            selector.unregister(runner.registered)
        if current >= 0:
            selector.register(current, selectors.EVENT_READ)
        runner.registered = current


def fly(
    sorties: Sequence[SortieOrder],
    *,
    time_scale: float = 1.0,
    on_state: Callable[[LiveState], None] | None = None,
) -> tuple[SortieResult, ...]:
    """Fly sorties together until every one has ended; the results, in their order."""
    return FlightDeck(sorties, time_scale=time_scale, on_state=on_state).fly()
