"""A copter coarse enough to fly a sortie in milliseconds, with the failsafes that matter.

Behaviour as measured on ArduCopter 4.7: nothing streams until asked for, GUIDED arming needs a
position estimate that comes late, take-off while disarmed fails, AUTO on the ground waits for
MISSION_START, the ground-station failsafe is off by default and stays in RTL afterwards.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from droneteam.missions.flight.control import step
from droneteam.missions.flight.state import Event, Flight, Heard, Note, Phase, Send, Tick
from droneteam.missions.items import MissionType, stored_form
from droneteam.missions.mavlink.messages import (
    Attitude,
    CommandAck,
    CommandLong,
    CopterMode,
    EkfStatus,
    GpsFix,
    GroundHeartbeat,
    Heartbeat,
    ItemReached,
    MissionCurrent,
    Position,
    RemoteIdStatus,
    StatusText,
    SystemStatus,
)
from tests.missions.fake_vehicle import BadLink, FakeVehicle

STEP_S = 0.1
CLIMB_MPS = 2.5
ITEM_S = 4.0
EKF_READY_S = 20.0


def default_params() -> dict[str, float]:
    return {
        "ARMING_CHECK": 0.0,
        "BATT_LOW_VOLT": 10.5,
        "BATT_CRT_VOLT": 0.0,
        "FS_GCS_ENABLE": 0.0,
        "FENCE_TYPE": 7.0,
        "FENCE_ALT_MAX": 100.0,
        "FENCE_ACTION": 1.0,
        "FENCE_ENABLE": 0.0,
        "BATT_FS_LOW_ACT": 0.0,
        "BATT_FS_CRT_ACT": 0.0,
        "RTL_ALT": 1500.0,
        "RTL_ALT_TYPE": 0.0,
        "RTL_ALT_FINAL": 0.0,
        "RTL_CONE_SLOPE": 3.0,
        "FS_OPTIONS": 16.0,
        "FS_EKF_ACTION": 1.0,
        "MAV_GCS_SYSID": 255.0,
    }


@dataclass
class FakeCopter(FakeVehicle):
    """The vehicle above the handshakes: modes, height, mission, failsafes."""

    lat_deg: float = 50.8197
    lon_deg: float = 4.3908
    params: dict[str, float] = field(default_factory=default_params)
    boot_s: float = 0.0
    mode: int = CopterMode.STABILIZE
    armed: bool = False
    alt_m: float = 0.0
    target_m: float = 0.0
    seq: int = 0
    item_since_s: float = 0.0
    started: bool = False
    streams: set[int] = field(default_factory=set)
    battery_pct: float = 95.0
    drain_pct_per_s: float = 0.02
    ekf_ready_s: float = EKF_READY_S
    remote_id: RemoteIdStatus | None = None
    ground_heard_s: float = 0.0
    failsafe_on: bool = False
    takeoffs: int = 0
    refuse: frozenset[int] = frozenset()
    ignore_modes: bool = False
    texts: list[str] = field(default_factory=list)

    def hear(self, message: object, now_s: float) -> list[object]:
        if isinstance(message, GroundHeartbeat):
            self.ground_heard_s = now_s
            if self.failsafe_on:
                self.failsafe_on = False
                return [StatusText(4, "GCS Failsafe Cleared")]
            return []
        if isinstance(message, CommandLong):
            self.commands.append(message)
            return [CommandAck(message.command, self._obey(message)), *self._said()]
        return super().hear(message, now_s)

    def _obey(self, message: CommandLong) -> int:
        if message.command in self.refuse:
            return 4
        match message.command:
            case 511:
                self.streams.add(int(message.params[0]))
            case 176:
                if not self.ignore_modes:
                    self.set_mode(int(message.params[1]))
            case 400 if message.params[0] == 0.0:
                self.armed = self.alt_m > 0.5
            case 400:
                if self.mode == CopterMode.GUIDED and self.boot_s < self.ekf_ready_s:
                    self.texts.append("Arm: Need Position Estimate")
                    return 4
                self.armed = True
            case 22:
                if not self.armed:
                    return 4
                self.takeoffs += self.target_m == 0.0 and self.alt_m == 0.0
                self.target_m = message.params[6]
            case 300:
                if self.mode != CopterMode.AUTO:
                    return 4
                self.started = True
        return 0

    def set_mode(self, mode: int) -> None:
        """Change the mode, whoever asked."""
        if mode != self.mode and mode == CopterMode.AUTO:
            self.seq, self.item_since_s = 1, self.boot_s
            self.started = self.alt_m > 1.0
        self.mode = mode

    def _said(self) -> list[object]:
        said: list[object] = [StatusText(4, text) for text in self.texts]
        self.texts.clear()
        return said

    def tick(self, now_s: float) -> list[object]:
        messages = [*super().tick(now_s), *self._said()]
        self.boot_s += STEP_S
        if self.armed:
            self.battery_pct -= self.drain_pct_per_s * STEP_S
            messages += self._failsafe(now_s)
            messages += self._move()
        beat = round(self.boot_s / STEP_S)
        if beat % 10 == 0:
            messages.append(Heartbeat(int(self.mode), self.armed))
            messages += self._told()
        if 33 in self.streams and beat % 2 == 0:
            messages.append(self._position())
        return messages

    def _told(self) -> list[object]:
        """What was asked for, once a second."""
        ready = self.boot_s >= self.ekf_ready_s
        told = {
            1: SystemStatus(self.battery_pct, 15.0, ready),
            24: GpsFix(3 if ready else 1, 10),
            30: Attitude(self.boot_s, 0.0, 0.0, 0.0),
            42: MissionCurrent(self.seq),
            193: EkfStatus(ready),
        }
        transmitter = [] if self.remote_id is None or not self.streams else [self.remote_id]
        return [message for one, message in told.items() if one in self.streams] + transmitter

    def _position(self) -> Position:
        alt_amsl_m = 50.0 + self.alt_m
        return Position(
            self.boot_s, self.lat_deg, self.lon_deg, alt_amsl_m, self.alt_m, 0.0, 0.0, 0.0, 0.0
        )

    def _failsafe(self, now_s: float) -> list[object]:
        lost = now_s - self.ground_heard_s > 5.0 and self.params["FS_GCS_ENABLE"] == 1.0
        if lost and not self.failsafe_on and self.mode in (CopterMode.AUTO, CopterMode.GUIDED):
            self.failsafe_on = True
            self.set_mode(CopterMode.RTL)
            return [StatusText(4, "GCS Failsafe")]
        return []

    def _move(self) -> list[object]:
        if self.mode == CopterMode.GUIDED:
            self.alt_m = min(self.target_m, self.alt_m + CLIMB_MPS * STEP_S)
        elif self.mode in (CopterMode.RTL, CopterMode.LAND):
            return self._descend()
        elif self.mode == CopterMode.AUTO and self.started:
            return self._fly_mission()
        return []

    def _fly_mission(self) -> list[object]:
        stored = self.lists[MissionType.MISSION]
        if self.seq >= len(stored) or stored[self.seq].command == 20:
            return self._descend()
        if self.boot_s - self.item_since_s < ITEM_S:
            return []
        reached, self.seq, self.item_since_s = self.seq, self.seq + 1, self.boot_s
        return [ItemReached(reached)]

    def _descend(self) -> list[object]:
        self.alt_m = max(0.0, self.alt_m - 1.5 * STEP_S)
        if self.alt_m == 0.0:
            self.armed, self.target_m = False, 0.0
            return [Heartbeat(int(self.mode), False), StatusText(6, "Disarming motors")]
        return []


@dataclass
class Outcome:
    """What remains after a sortie: both sides, what was sent and noted."""

    flight: Flight
    copter: FakeCopter
    sent: list[tuple[float, object]]
    notes: list[Note]
    took_s: float


def fly_fake(
    flight: Flight,
    copter: FakeCopter,
    link: BadLink | None = None,
    *,
    limit_s: float = 2000.0,
    meddle: Callable[[float, FakeCopter], Event | None] = lambda now_s, copter: None,
    watch: Callable[[FakeCopter, Flight], None] = lambda copter, flight: None,
) -> Outcome:
    """Run a sortie to its end, then the copter until it is disarmed on the ground.

    meddle : called every step; may change the copter as a pilot would, or return an event.
    """
    run = _Run(flight, copter, link or BadLink())
    now_s = 0.0
    while run.flight.phase is not Phase.ENDED or copter.armed:
        now_s += STEP_S
        assert now_s < limit_s, f"hangs in {run.flight.phase}, armed {copter.armed}"
        run.deliver(now_s)
        for message in copter.tick(now_s):
            run.post(now_s, "ground", message)
        event = meddle(now_s, copter)
        if event is not None:
            run.feed(event, now_s)
        run.feed(Tick(now_s), now_s)
        watch(copter, run.flight)
    return Outcome(run.flight, copter, run.sent, run.notes, now_s)


class _Run:
    def __init__(self, flight: Flight, copter: FakeCopter, link: BadLink) -> None:
        self.flight, self.copter, self.link = flight, copter, link
        self.sent: list[tuple[float, object]] = []
        self.notes: list[Note] = []
        self._random = random.Random(link.seed)
        self._order = itertools.count()
        self._queue: list[tuple[float, int, str, object]] = []

    def post(self, at_s: float, to: str, message: object) -> None:
        if self.link.cut_s[0] <= at_s < self.link.cut_s[1]:
            return
        for _ in range(2 if self._random.random() < self.link.duplicate else 1):
            if self._random.random() >= self.link.loss:
                arrival = at_s + self.link.delay_s + self._random.random() * self.link.jitter_s
                heapq.heappush(self._queue, (arrival, next(self._order), to, message))

    def deliver(self, now_s: float) -> None:
        while self._queue and self._queue[0][0] <= now_s:
            at_s, _, to, message = heapq.heappop(self._queue)
            if to == "vehicle":
                for answer in self.copter.hear(message, at_s):
                    self.post(at_s, "ground", answer)
            else:
                self.feed(Heard(message, at_s), at_s)  # type: ignore[arg-type]

    def feed(self, event: Event, now_s: float) -> None:
        self.flight, commands = step(self.flight, event)
        for command in commands:
            match command:
                case Send(message=message):
                    if not isinstance(message, GroundHeartbeat):
                        self.sent.append((now_s, message))
                    self.post(now_s, "vehicle", message)
                case Note():
                    self.notes.append(command)


def holds_approved_mission(copter: FakeCopter, flight: Flight) -> bool:
    """Whether what the copter stores is what was approved."""
    stored = copter.lists[MissionType.MISSION][1:]
    wanted = flight.order.items[1:]
    return [stored_form(one) for one in stored] == [stored_form(one) for one in wanted]
