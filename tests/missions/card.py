"""The simulator's card behind a bad link, in simulated time: the other end of a transfer."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.missions.mavlink import codec
from droneteam.missions.mavlink.framing import Framer
from droneteam.missions.mavlink.logs import Piece
from droneteam.missions.mavlink.messages import Inbound, Outbound
from sitl.autopilot import Autopilot, VehicleSetup
from sitl.blackbox import StoredLog
from sitl.dataflash import DataFlashWriter
from sitl.station import Station
from tests.sitl.bench import BOOT_AT, EXACT, HOME


@dataclass
class Line:
    """Each message is lost, delayed, doubled and overtaken, each way."""

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    duplication: float = 0.0
    seed: int = 1
    cut_from_s: float = float("inf")

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._queue: list[tuple[float, int, Any]] = []
        self._order = itertools.count()

    def put(self, thing: Any, now_s: float) -> None:
        for _ in range(2 if self._rng.random() < self.duplication else 1):
            if self._rng.random() >= self.loss and now_s < self.cut_from_s:
                at_s = now_s + self.delay_s + self._rng.random() * self.jitter_s
                heapq.heappush(self._queue, (at_s, next(self._order), thing))

    def due(self, now_s: float) -> list[Any]:
        found = []
        while self._queue and self._queue[0][0] <= now_s:
            found.append(heapq.heappop(self._queue)[2])
        return found


def contents(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass
class Card:
    """A resting vehicle with logs of random bytes, and a ground station's end of its link."""

    logs: list[bytes]
    up: Line = field(default_factory=Line)
    down: Line = field(default_factory=Line)
    asked: list[Outbound] = field(default_factory=list)

    def __post_init__(self) -> None:
        setup = VehicleSetup(1, "drone-01", "DTSMA0000000001", HOME, BOOT_AT, 1, gps=EXACT)
        self.ap = Autopilot(setup)
        self.station = Station(self.ap)
        for number, content in enumerate(self.logs, start=1):
            writer = DataFlashWriter(0)
            writer.data = bytearray(content)
            self.station.blackbox.logs.append(StoredLog(number, writer, BOOT_AT))
        self._channel = self.station.open(lambda frame: self.down.put(frame, self.ap.t_s))
        self._framer = Framer()
        self._packer = dialect.MAVLink(None, srcSystem=255, srcComponent=190)

    @property
    def now_s(self) -> float:
        return self.ap.t_s

    def send(self, message: Outbound) -> None:
        self.asked.append(message)
        raw = bytes(codec.encode(message, 1).pack(self._packer))
        self._packer.seq = (self._packer.seq + 1) % 256
        self.up.put(raw, self.now_s)

    def pass_time(self) -> list[Inbound]:
        """One step of the vehicle; what has arrived here by its end."""
        for raw in self.up.due(self.now_s):
            self.station.receive(self._channel, raw)
        self.ap.step(self.ap.step_s)
        self.station.poll()
        heard = []
        for raw in self.down.due(self.now_s):
            for frame in self._framer.feed(raw):
                message = codec.decode(frame)
                if message is not None:
                    heard.append(message)
        return heard


@dataclass
class Run:
    """What a transfer did."""

    state: Any
    file: bytearray
    seconds: float
    pieces: int


def transfer(
    card: Card,
    begun: tuple[Any, ...],
    step: Callable[..., tuple[Any, ...]],
    *,
    file: bytearray | None = None,
    stop: Callable[[Any], bool] = lambda state: False,
) -> Run:
    """Let a machine and the card talk until the machine ends or is stopped."""
    file = bytearray() if file is None else file
    started_s, pieces = card.now_s, 0

    def take(result: tuple[Any, ...]) -> Any:
        nonlocal pieces
        for message in result[1]:
            card.send(message)
        for piece in result[2] if len(result) > 2 else ():
            store(file, piece)
            pieces += 1
        return result[0]

    state = take(begun)
    while state.outcome is None and not stop(state):
        assert card.now_s - started_s < 4000.0, f"hangs: {state}"
        for message in card.pass_time():
            state = take(step(state, message, card.now_s))
        state = take(step(state, None, card.now_s))
    return Run(state, file, card.now_s - started_s, pieces)


def store(file: bytearray, piece: Piece) -> None:
    end = piece.offset + len(piece.data)
    if len(file) < end:
        file.extend(bytes(end - len(file)))
    file[piece.offset : end] = piece.data
