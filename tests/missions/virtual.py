"""The real controller and the real simulator in one thread and in simulated time.

Between them lies an `Ether`: every packet passes the faults of its direction and arrives when they
say.  No sockets and no waiting, so that a sortie takes a fraction of a second, and the same seed
gives the same sortie.  Controller side: `FlightDeck` with its links, logs and journals, as they
are.  Vehicle side: `sitl`'s stations, as they are.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from droneteam.missions.flight.airwatch import Advice
from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.intruders import Intruder
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.runner import Clocks, SortieOrder, SortieResult
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.link import MavlinkLink, VehicleLink
from droneteam.missions.mavlink.signing import Signer
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress
from sitl.channel import Channel
from sitl.faults import PERFECT, FaultSpec, FaultyLine
from sitl.places import place_named
from sitl.shot import Shot
from sitl.simulation import FleetSpec, Simulation, build_fleet
from sitl.station import Station

BOOT_AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
STEP_S = 0.02
"""The simulator's own step."""
EXACT_TIMES = Timing()


@dataclass(frozen=True)
class Spell:
    """How the link is from a moment on."""

    from_s: float
    faults: FaultSpec = PERFECT
    cut: bool = False


class Ether:
    """One way between a ground station and a vehicle, both directions of it."""

    def __init__(
        self, station: Station, clock: Callable[[], float], spells: Sequence[Spell], seed: int
    ) -> None:
        self._station, self._clock = station, clock
        self._spells = sorted(spells, key=lambda spell: spell.from_s)
        self._up = FaultyLine(PERFECT, random.Random(seed))
        self._down = FaultyLine(PERFECT, random.Random(seed + 1))
        self._order = itertools.count()
        self._rising: list[tuple[float, int, bytes]] = []
        self._falling: list[tuple[float, int, bytes]] = []
        self._channel: Channel = station.open(self._fall)

    def weather(self) -> None:
        """Make the link as bad as it is to be by now."""
        while self._spells and self._spells[0].from_s <= self._clock():
            spell = self._spells.pop(0)
            for line in (self._up, self._down):
                line.spec, line.cut = spell.faults, spell.cut

    def lift(self) -> None:
        """Hand over to the vehicle what has arrived there."""
        while self._rising and self._rising[0][0] <= self._clock():
            self._station.receive(self._channel, heapq.heappop(self._rising)[2])

    @property
    def waiting(self) -> bool:
        """Whether something has arrived at the ground station."""
        return bool(self._falling) and self._falling[0][0] <= self._clock()

    def _fall(self, frame: bytes) -> None:
        for arrival_s in self._down.arrivals(self._clock()):
            heapq.heappush(self._falling, (arrival_s, next(self._order), frame))

    # The ground station's end, as `droneteam.missions.mavlink.transports.Transport` has it

    def fileno(self) -> int:
        return -1

    def read(self) -> bytes:
        frames = []
        while self.waiting:
            frames.append(heapq.heappop(self._falling)[2])
        return b"".join(frames)

    def answer(self) -> None:
        """An ether has one other end."""

    def write(self, data: bytes) -> None:
        for arrival_s in self._up.arrivals(self._clock()):
            heapq.heappush(self._rising, (arrival_s, next(self._order), data))

    def close(self) -> None:
        self._station.close(self._channel)


@dataclass
class Air:
    """A simulated fleet, the ethers to it, and the time that both sides share.

    meddle : called every step with the time; the hand of the world or of the pilot; on_shot :
    called with the true pose of every photo.
    """

    drones: int = 1
    seed: int = 1
    params: tuple[tuple[str, float], ...] = ()
    meddle: Callable[[float], None] = lambda _now_s: None
    on_shot: Callable[[Shot], None] | None = None
    now_s: float = 0.0
    ethers: list[Ether] = field(default_factory=list)

    def __post_init__(self) -> None:
        place = place_named("accident")
        spec = FleetSpec(self.drones, place, BOOT_AT, self.seed, params=self.params)
        fleet = build_fleet(spec, self.on_shot)
        self.sim = Simulation(fleet)
        self.vehicles = fleet

    def clock(self) -> float:
        """Seconds since the vehicles' power-on."""
        return self.now_s

    def utc(self) -> datetime:
        """The world's calendar time."""
        return BOOT_AT + timedelta(seconds=self.now_s)

    def connect(
        self,
        number: int,
        tlog: TlogWriter,
        spells: Sequence[Sequence[Spell]] = ((),),
        signer: Signer | None = None,
    ) -> MavlinkLink:
        """A link to the vehicle of a number (from 1) over one ether for each of the spells."""
        ways = [
            Ether(self.sim.stations[number - 1], self.clock, each, 1000 * self.seed + place)
            for place, each in enumerate(spells)
        ]
        self.ethers += ways
        addresses = [LinkAddress("tcp", "ether", place) for place in range(len(ways))]
        return MavlinkLink(
            addresses,
            tlog,
            signer=signer,
            unix_s=lambda: self.utc().timestamp(),
            monotonic_s=self.clock,
            open_way=lambda address: ways[address.port],
        )

    def step(self) -> None:
        """One step of the world."""
        self.now_s += STEP_S
        self.meddle(self.now_s)
        for ether in self.ethers:
            ether.weather()
            ether.lift()
        self.sim.advance(STEP_S)

    @property
    def waiting(self) -> bool:
        """Whether something has arrived on the ground."""
        return any(ether.waiting for ether in self.ethers)


@dataclass
class Flown:
    """What a sortie in simulated time left behind."""

    results: tuple[SortieResult, ...]
    took_s: float
    hung: bool


def fly_in(
    air: Air,
    orders: Sequence[SortieOrder],
    spells: Sequence[Spell] = (),
    *,
    limit_s: float = 2000.0,
    on_state: Callable[[LiveState], None] | None = None,
    on_advice: Callable[[Advice], None] | None = None,
    asks: Callable[[], Sequence[Wish]] = tuple,
    bars: Callable[[], Mapping[int, tuple[str, ...]]] = dict,
    intruders: Callable[[], Sequence[Intruder]] = tuple,
    timing: Timing = EXACT_TIMES,
    until: Callable[[], bool] = lambda: False,
    connect: Callable[[SortieOrder, TlogWriter], VehicleLink] | None = None,
) -> Flown:
    """Fly orders (drone n is vehicle n) over links of the same weather, to the end or a limit.

    until : ends it early, as a kill of the controller would; connect : None for one ether each.
    """

    def over_ether(sortie: SortieOrder, tlog: TlogWriter) -> VehicleLink:
        return air.connect(sortie.drone_id, tlog, (spells,))

    deck = FlightDeck(
        orders,
        on_state=on_state,
        clocks=Clocks(air.clock, air.utc),
        timing=timing,
        asks=asks,
        bars=bars,
        on_advice=on_advice,
        intruders=intruders,
        connect=connect or over_ether,
    )
    began_s, due_s = air.now_s, 0.0
    deck.begin()
    try:
        while deck.busy and air.now_s - began_s < limit_s and not until():
            air.step()
            if air.waiting or air.now_s >= due_s:
                deck.turn()
                due_s = max(due_s, air.now_s) if air.now_s < due_s else air.now_s + deck.tick_s
        return Flown(deck.results(), air.now_s - began_s, deck.busy)
    finally:
        deck.close()


def let_land(air: Air, limit_s: float = 2000.0) -> bool:
    """Let the world go on without a controller; whether every vehicle came to rest disarmed."""
    until_s = air.now_s + limit_s
    while any(vehicle.armed for vehicle in air.vehicles):
        if air.now_s >= until_s:
            return False
        air.step()
    return True


def sortie_order(order_of: Callable[[int], SortieOrder], drones: int) -> list[SortieOrder]:
    """One order for each vehicle."""
    return [order_of(number) for number in range(1, drones + 1)]


def in_folder(order: object, number: int, folder: Path, **more: object) -> SortieOrder:
    """An order for the vehicle of a number with its record in a folder."""
    address = LinkAddress("tcp", "ether", 0)
    return SortieOrder(order, number, f"drone-{number:02d}", address, folder, **more)  # type: ignore[arg-type]
