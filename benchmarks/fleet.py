"""Many simulated drones flown by one controller process, in real time over real sockets.

    python benchmarks/fleet.py --drones 10     # the share of a core, and what the logs lost
    python benchmarks/fleet.py --drones 100    # the round trip of every command

Every drone has a sortie of its own: streams, fence, parameters, mission, checks, take-off, a short
line, way home.  Attitude and position come ten times a second.  The simulator is another process;
only the controller's CPU time counts.  A round trip is from the first sending of a command to its
acknowledgement as the flight loop hears it.  On a machine that is busy with other work, round
trips are this work's; ``chrt -r 1 python benchmarks/fleet.py`` measures the controller's own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from droneteam.missions.flight.fly import FlightDeck, open_link
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.mavlink.link import VehicleLink
from droneteam.missions.mavlink.messages import CommandAck, CommandLong, Inbound, Outbound
from droneteam.missions.mavlink.tlog import TlogReader, TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress
from tests.missions.conftest import PLACE
from tests.missions.simulator import Simulator, simulator

FULL_HZ = {30: 10.0, 33: 10.0}
LINE_M = 40.0
ASKED_MS = 200.0


@dataclass
class Timed:
    """A link that remembers how long each command took to be acknowledged."""

    link: VehicleLink
    trips_s: list[float]
    _sent: dict[int, float] = field(default_factory=dict)

    def fileno(self) -> int:
        """As the link's."""
        return self.link.fileno()

    def receive(self) -> list[Inbound]:
        """As the link's, with the clock stopped for acknowledgements."""
        heard = self.link.receive()
        for message in heard:
            if isinstance(message, CommandAck) and message.command in self._sent:
                self.trips_s.append(time.monotonic() - self._sent.pop(message.command))
        return heard

    def send(self, message: Outbound) -> None:
        """As the link's, with the clock started; full telemetry instead of the usual rates."""
        if isinstance(message, CommandLong):
            if message.command == 511 and int(message.params[0]) in FULL_HZ:
                number = int(message.params[0])
                message = CommandLong(511, (float(number), 1e6 / FULL_HZ[number]))
            self._sent.setdefault(message.command, time.monotonic())
        self.link.send(message)

    def arrived_pct(self, now_s: float) -> float | None:
        """As the link's."""
        return self.link.arrived_pct(now_s)

    def flush(self, now_s: float) -> None:
        """As the link's."""
        self.link.flush(now_s)

    def close(self) -> None:
        """As the link's."""
        self.link.close()


def order_of(number: int, link: str, folder: Path, home: HomePoint) -> SortieOrder:
    """Up to 12 m and more, a line northwards, and home; each on a way home of its own height."""
    up_m = 12.0 + number % 10
    north = MissionItem(
        MissionCommand.WAYPOINT,
        lat_deg=home.lat_deg + LINE_M / 111_200.0,
        lon_deg=home.lon_deg,
        alt_home_m=up_m,
    )
    takeoff = MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=up_m)
    items = (takeoff, north, MissionItem(MissionCommand.RETURN_TO_LAUNCH))
    order = flight_order(number, items, home, rtl_extra_m=3.0 * (number % 10))
    return SortieOrder(order, number, f"drone-{number}", LinkAddress.parse(link), folder)


def lost_packets(tlog: Path) -> tuple[int, int]:
    """Packets of the vehicle in a log, and how many are missing by their numbers."""
    packets = missing = 0
    before: dict[int, int] = {}  # each component of a vehicle numbers its own packets
    for record in TlogReader(tlog.read_bytes()).records():
        if record.frame.system_id == 255:
            continue
        number, component = record.frame.raw[4], record.frame.component_id
        if component in before:
            missing += (number - before[component] - 1) % 256
        before[component] = number
        packets += 1
    return packets, missing


def measure(sim: Simulator, folder: Path) -> None:
    """Fly every vehicle of the simulator and print what it took."""
    trips_s: list[float] = []

    def connect(sortie: SortieOrder, tlog: TlogWriter) -> VehicleLink:
        return Timed(open_link(sortie, tlog), trips_s)

    standing = sim.tell(cmd="status")["drones"]
    homes = [HomePoint(one["lat_deg"], one["lon_deg"], PLACE.alt_amsl_m) for one in standing]
    orders = [
        order_of(n, link, folder, home)
        for n, (link, home) in enumerate(zip(sim.links, homes, strict=True), start=1)
    ]
    cpu_s, wall_s = time.process_time(), time.monotonic()
    results = FlightDeck(orders, connect=connect).fly()
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    endings = Counter(result.ending.value for result in results)
    found = [lost_packets(result.tlog_path) for result in results]
    packets, missing = (sum(column) for column in zip(*found, strict=True))
    trips_ms = 1e3 * np.array(trips_s)
    print(f"{len(orders)} drones, {wall_s:.0f} s, endings: {dict(endings)}")
    print(
        f"{packets} packets of vehicles in the logs ({packets / wall_s:.0f}/s), {missing} missing"
    )
    print(f"controller: {cpu_s:.1f} CPU s, {100.0 * cpu_s / wall_s:.1f} % of one core")
    print(
        f"{len(trips_ms)} commands, round trip median {np.median(trips_ms):.0f} ms, "
        f"quartiles {np.quantile(trips_ms, 0.25):.0f} to {np.quantile(trips_ms, 0.75):.0f} ms, "
        f"p99 {np.quantile(trips_ms, 0.99):.0f} ms, worst {trips_ms.max():.0f} ms"
    )
    print(f"asked: p99 <= {ASKED_MS:.0f} ms with 100 drones, and every one held to its end")


def main() -> None:
    """Print what one fleet took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--drones", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with simulator(folder, drones=args.drones, speedup=1.0) as sim:
            measure(sim, folder)


if __name__ == "__main__":
    main()
