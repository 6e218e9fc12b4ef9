"""What the simulator costs: CPU per simulated second, on the ground and in flight.

    python benchmarks/simulator.py [--drones 10] [--seconds 60]

No sockets: vehicles, autopilots and MAVLink packing only, which is nearly all of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.items import Cmd, Frame, MissionItem
from sitl.modes import Mode
from sitl.places import place_named
from sitl.simulation import FleetSpec, Simulation, build_fleet

RATES_HZ = {30: 10, 33: 5, 74: 2, 1: 2, 42: 1, 24: 2, 147: 1, 193: 1, 242: 0.5, 245: 1}
"""Attitude 10 Hz, position 5 Hz, the rest 0.5 to 2 Hz: 27 messages a second."""
SPEEDUP = 20


def main() -> None:
    """Prints one row per situation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drones", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    print(f"{options.drones} drones, {options.seconds:.0f} simulated seconds each row\n")
    head = ("situation", "wall s", "CPU s", "messages", "CPU ms/drone s", f"core at x{SPEEDUP}")
    print("{:28}{:>8}{:>8}{:>10}{:>16}{:>12}".format(*head))
    sent = [0, 0]
    simulation = simulated(options.drones)
    simulation.advance(45.0)
    row("on the ground, no telemetry", simulation, options.seconds, sent)
    for station in simulation.stations:
        take_off(station.ap)
    simulation.advance(30.0)
    row("flying a mission", simulation, options.seconds, sent)
    for station in simulation.stations:
        channel = station.open(counting(sent))
        for message_id, rate_hz in RATES_HZ.items():
            channel.set_interval(message_id, 1.0 / rate_hz, station.ap.t_s)
    row("flying, 27 messages/s each", simulation, options.seconds, sent)


def simulated(drones: int) -> Simulation:
    """A fleet in gusty wind."""
    params = (("SIM_WIND_SPD", 5.0), ("SIM_WIND_TURB", 1.0))
    spec = FleetSpec(drones, place_named("accident"), datetime.now(UTC), 1, params=params)
    return Simulation(build_fleet(spec))


def counting(sent: list[int]) -> Callable[[bytes], None]:
    """A sink that counts messages and bytes."""

    def send(frame: bytes) -> None:
        sent[0] += 1
        sent[1] += len(frame)

    return send


def take_off(ap: object) -> None:
    """Uploads a lawn-mower mission that lasts, and starts it."""
    from sitl.autopilot import Autopilot

    assert isinstance(ap, Autopilot)
    items = [MissionItem(Cmd.NAV_WAYPOINT), MissionItem(Cmd.NAV_TAKEOFF, Frame.GLOBAL_RELATIVE_ALT,
                                                        z=20.0)]  # fmt: skip
    for line in range(40):
        for end in (0, 80) if line % 2 else (80, 0):
            lat_deg, lon_deg = ap.frame.degrees(float(end), 8.0 * line)
            x, y = round(lat_deg * 1e7), round(lon_deg * 1e7)
            items.append(MissionItem(Cmd.NAV_WAYPOINT, Frame.GLOBAL_RELATIVE_ALT, x=x, y=y, z=20.0))
    for seq, item in enumerate(items):
        ap.mission_items.write(seq, item)
    ap.change_mode(Mode.GUIDED)
    ap.arm()
    ap.start_mission()


def row(name: str, simulation: Simulation, seconds: float, sent: list[int]) -> None:
    """Runs for so long and prints what it cost."""
    drones, before = len(simulation.stations), sent[0]
    wall, cpu = time.perf_counter(), time.process_time()
    simulation.advance(seconds)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    flying = sum(not station.ap.landed for station in simulation.stations)
    assert flying in (0, drones)
    per_second = cpu / seconds
    print(
        f"{name:28}{wall:8.2f}{cpu:8.2f}{sent[0] - before:10d}"
        f"{1000 * per_second / drones:16.3f}{100 * SPEEDUP * per_second:11.0f}%"
    )


if __name__ == "__main__":
    assert mav.WIRE_PROTOCOL_VERSION == "2.0"
    main()
