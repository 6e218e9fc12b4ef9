"""Our controller flies a real ArduCopter: ``ARDUCOPTER=… python -m benchmarks.arducopter``.

``ARDUCOPTER`` names the binary of ArduCopter's own simulator.  Each scenario starts a new vehicle,
flies a survey of an accident with it, and lets happen what the name says; the table tells how the
sortie ended, beside how it had to.  Others' hands (parameters, a transmitter's mode) come over the
vehicle's second line from a station of another number.

    ARDUCOPTER=… python -m benchmarks.arducopter [--only survey] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import multiprocessing
import random
import select
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pymavlink.dialects.v20 import ardupilotmega as mav

from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder, SortieResult
from droneteam.missions.flight.state import Ending
from droneteam.missions.items import HomePoint
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from droneteam.missions.record.journal import Entry, read_journal
from droneteam.missions.record.sortie import read_sortie
from tests.missions.conftest import SCENE
from tests.sitl.client import Client
from tests.sitl.vehicles import HOME, Vehicle, named, started_arducopter

PLACE = HomePoint(*HOME[:3])
SURVEY = SurveyParams(
    gsd_m=0.010, crosshatch=False, orbit=False, forward_overlap=0.7, side_overlap=0.6
)
PATIENCE_S = 240.0
LOITER, LAND = 5, 9
REBOOT = 246
_FORK = multiprocessing.get_context("fork")


class Relay(threading.Thread):
    """Between the vehicle's TCP line and a controller that listens on UDP: loses and delays."""

    def __init__(self, link: str, loss: float = 0.0, delay_s: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.loss, self.delay_s, self.cut = loss, delay_s, False
        _, host, port = link.split(":")
        self._vehicle = socket.create_connection((host, int(port)))
        self._ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self._controller = free.getsockname()
        self._framer = mav.MAVLink(None)
        self._framer.robust_parsing = True
        self._random = random.Random(1)
        self._waiting: list[tuple[float, int, bool, bytes]] = []

    @property
    def link(self) -> str:
        """Where the controller listens."""
        return f"udpin:127.0.0.1:{self._controller[1]}"

    def run(self) -> None:
        """Until the vehicle hangs up."""
        while True:
            ready, _, _ = select.select([self._vehicle, self._ours], [], [], 0.01)
            if self._vehicle in ready:
                data = self._vehicle.recv(1 << 16)
                if not data:
                    return
                for message in self._framer.parse_buffer(data) or []:
                    self._take(message.get_msgbuf(), up=False)
            if self._ours in ready:
                self._take(self._ours.recv(1 << 16), up=True)
            self._deliver()

    def _take(self, packet: bytes, *, up: bool) -> None:
        if not self.cut and self._random.random() >= self.loss:
            at_s = time.monotonic() + self.delay_s * (1.0 + self._random.random())
            heapq.heappush(self._waiting, (at_s, self._random.getrandbits(32), up, bytes(packet)))

    def _deliver(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, up, packet = heapq.heappop(self._waiting)
            if up:
                self._vehicle.sendall(packet)
            else:
                self._ours.sendto(packet, self._controller)


@dataclass
class Sortie:
    """One flight of one vehicle, and the hands that reach into it."""

    vehicle: Vehicle
    folder: Path
    phase: str = ""
    wishes: list[Wish] = field(default_factory=list)
    relay: Relay | None = None

    def order(self) -> SortieOrder:
        """The survey, as approved."""
        items = plan_survey(SCENE, SIMULATED, SURVEY, PLACE).items
        order = flight_order(1, items, PLACE, time_scale=self.vehicle.speedup)
        link = LinkAddress.parse(self.relay.link if self.relay else self.vehicle.link)
        whole = self.relay is None  # over a radio the log takes longer than the flight
        return SortieOrder(order, 1, "under test", link, self.folder, fetch_log=whole)

    def fly(self) -> SortieResult:
        """From the first contact to the end."""
        deck = FlightDeck(
            [self.order()],
            time_scale=self.vehicle.speedup,
            on_state=self._told,
            asks=self._taken,
        )
        return deck.fly()[0]

    def _told(self, state: LiveState) -> None:
        self.phase = state.phase

    def _taken(self) -> Sequence[Wish]:
        return [self.wishes.pop(0) for _ in range(len(self.wishes))]

    def until(self, phase: str) -> None:
        """Wait for the controller to come to a phase."""
        until_s = time.monotonic() + PATIENCE_S
        while self.phase != phase:
            if time.monotonic() > until_s:
                raise TimeoutError(f"still {self.phase}, not {phase}")
            time.sleep(0.02)

    def pause(self, seconds: float) -> None:
        """Let time pass, on the vehicle's clock."""
        time.sleep(seconds / self.vehicle.speedup)

    def ask(self, what: str, then: str) -> None:
        """The pilot asks for something, and sees it done."""
        self.wishes.append(Wish(1, what))
        self.until(then)
        self.pause(5.0)

    @contextlib.contextmanager
    def stranger(self) -> Iterator[Client]:
        """Another station, on the vehicle's second line."""
        kind, host, port = self.vehicle.link.split(":")
        with Client(f"{kind}:{host}:{int(port) + 2}") as client:
            yield client


def nothing(_sortie: Sortie) -> None:
    """Nobody reaches in."""


def pilot_asks(sortie: Sortie) -> None:
    """Hold, look ahead, go on, stop at once, go on, come home."""
    sortie.ask("pause", "paused")
    sortie.wishes.append(Wish(1, "look_ahead"))
    sortie.pause(8.0)
    sortie.ask("resume", "flying")
    sortie.ask("brake", "paused")
    sortie.ask("resume", "flying")
    sortie.ask("rtl", "returning")


def link_cut(sortie: Sortie) -> None:
    """The radio is silent for a minute, longer than the failsafe waits."""
    assert sortie.relay is not None
    sortie.relay.cut = True
    sortie.pause(60.0)
    sortie.relay.cut = False


def pack_sags(sortie: Sortie) -> None:
    """The pack's voltage falls below the profile's threshold."""
    with sortie.stranger() as hand:
        hand.set_param("SIM_BATT_VOLTAGE", 10.2)


def position_lost(sortie: Sortie) -> None:
    """The receiver of satellites goes out."""
    with sortie.stranger() as hand:
        hand.set_param("SIM_GPS1_ENABLE", 0.0)


def transmitter_takes_over(sortie: Sortie) -> None:
    """Somebody else holds it in place, and lands it."""
    with sortie.stranger() as hand:
        hand.command(mav.MAV_CMD_DO_SET_MODE, 1, LOITER)
        sortie.until("handed over")
        hand.command(mav.MAV_CMD_DO_SET_MODE, 1, LAND)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens while it flies, and how the sortie then has to end.

    loss, delay_s : of a radio, each way; None flies without one; word : in the reason.
    """

    name: str
    happens: Callable[[Sortie], None]
    ending: Ending
    word: str = ""
    loss: float | None = None
    delay_s: float = 0.0
    killed: bool = False


SCENARIOS = (
    Scenario("survey", nothing, Ending.COMPLETED),
    Scenario("20 % loss, 50 to 100 ms, each way", nothing, Ending.COMPLETED, "", 0.2, 0.05),
    Scenario("controller killed in flight", nothing, Ending.COMPLETED, "adopted", killed=True),
    Scenario("pilot asks", pilot_asks, Ending.RETURNED, "pilot asked"),
    Scenario("link cut for a minute", link_cut, Ending.RETURNED, "link had been lost", 0.0),
    Scenario("pack sags", pack_sags, Ending.RETURNED, "Battery Failsafe"),
    Scenario("position lost", position_lost, Ending.RETURNED, "EKF Failsafe"),
    Scenario("transmitter takes over", transmitter_takes_over, Ending.HANDED_OVER, "LOITER"),
)


def with_camera(vehicle: Vehicle) -> None:
    """Fit a camera; ArduCopter looks for one when it starts."""
    with vehicle.connect() as client:
        client.set_param("CAM1_TYPE", 1.0)
        client.set_param("MNT1_TYPE", 1.0)
        client.set_param("SERVO9_FUNCTION", 7.0)
        client.command(REBOOT, 1)
    time.sleep(2.0)


def flown(scenario: Scenario, binary: Path, folder: Path, instance: int) -> tuple[bool, str]:
    """Whether a scenario ended as it had to, and the line of the table."""
    with started_arducopter(binary, folder, instance) as vehicle:
        with_camera(vehicle)
        sortie = Sortie(vehicle, folder)
        if scenario.loss is not None:
            sortie.relay = Relay(vehicle.link, scenario.loss, scenario.delay_s)
            sortie.relay.start()
        if scenario.killed:
            kill_in_flight(sortie)
        hand = threading.Thread(target=_when_it_flies, args=(sortie, scenario), daemon=True)
        hand.start()
        result = sortie.fly()
    log = read_sortie(result.tlog_path)
    planned = plan_survey(SCENE, SIMULATED, SURVEY, PLACE).n_photos
    fine = result.ending is scenario.ending and scenario.word in result.reason
    if scenario is SCENARIOS[0]:
        fine = fine and len(log.triggers) == planned and isinstance(result.onboard_log, StoredLog)
    counted = f"{len(log.triggers)} of {planned} photos, highest {log.max_alt_home_m:.1f} m"
    words = f"{result.ending.value}: {result.reason or 'as planned'}; {counted}"
    return fine, f"{'as it had to' if fine else 'NOT SO':12}  {scenario.name:34}  {words}"


def _when_it_flies(sortie: Sortie, scenario: Scenario) -> None:
    if scenario.happens is nothing:
        return
    sortie.until("flying")
    sortie.pause(6.0)
    scenario.happens(sortie)


def kill_in_flight(sortie: Sortie) -> None:
    """A controller process that is killed on its way; the next one comes two seconds later."""
    first = _FORK.Process(target=sortie.fly)
    first.start()
    until_s = time.monotonic() + PATIENCE_S
    journal = sortie.order().journal_path
    while not any(_is_start(entry) for entry in read_journal(journal)):
        if time.monotonic() > until_s:
            raise TimeoutError("the first controller does not come to the mission")
        time.sleep(0.05)
    sortie.pause(8.0)
    first.kill()
    first.join()
    sortie.pause(2.0)


def _is_start(entry: Entry) -> bool:
    return entry.kind == "mission" and entry.detail == "started"


def main() -> int:
    """0 when every scenario ended as it had to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="scenarios whose name begins so")
    parser.add_argument("--keep", type=Path, help="a folder for the logs")
    args = parser.parse_args()
    binary = named("arducopter")
    if binary is None or not binary.is_file():
        print("ARDUCOPTER names no binary: nothing was flown", file=sys.stderr)
        return 2
    fine = True
    with tempfile.TemporaryDirectory() as scratch:
        for number, scenario in enumerate(SCENARIOS):
            if scenario.name.startswith(args.only):
                folder = (args.keep or Path(scratch)) / f"flight-{number}"
                folder.mkdir(parents=True)
                ended_well, line = flown(scenario, binary, folder.resolve(), number)
                fine &= ended_well
                print(line, flush=True)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
