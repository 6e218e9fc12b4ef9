"""How fast the link is: `python benchmarks/link.py [--runs 7]`.

Two tables: the cost of the flight loop for drones at full telemetry (packets framed, logged,
decoded and fed to a flight; the share of one core is for the rate that a real fleet sends), and
uploads with read-back against a simulated ArduCopter on loopback: median and extremes of several.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.missions.flight.control import step
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.state import Flight, Heard
from droneteam.missions.items import (
    HomePoint,
    MissionCommand,
    MissionItem,
    WireItem,
    wire_mission,
)
from droneteam.missions.mavlink import codec, protocol
from droneteam.missions.mavlink.framing import Framer
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.link import MavlinkLink
from droneteam.missions.mavlink.messages import Handshake
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress

HOME = HomePoint(50.81964215, 4.39053806, 56.4)
DRONES = 10
SECONDS = 60
PER_SECOND = {"attitude": 10, "position": 10, "status": 1}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=7, help="uploads of each size")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        telemetry(Path(folder))
        uploads(Path(folder), args.runs)


def telemetry(folder: Path) -> None:
    """Packets of ten drones through framer, log, codec and flight."""
    flight = Flight(flight_order(1, items(5), HOME), Timing())
    stream = b"".join(second_of_telemetry(second) for second in range(SECONDS)) * DRONES
    writer, framer = TlogWriter(folder / "bench.tlog"), Framer()
    cpu, wall = time.process_time(), time.perf_counter()
    packets = 0
    for at in range(0, len(stream), 4096):
        for frame in framer.feed(stream[at : at + 4096]):
            packets += 1
            writer.write(frame.raw, 1_700_000_000_000_000 + packets)
            message = codec.decode(frame)
            if message is not None:
                flight, _ = step(flight, Heard(message, packets * 1e-3))
    writer.close()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    rate = packets / SECONDS
    print(f"{'telemetry':<34}{'packets':>9}{'packets/s':>11}{'cpu s':>8}{'wall s':>8}")
    print(
        f"{'frame, log, decode, step':<34}{packets:>9}{packets / cpu:>11.0f}{cpu:>8.2f}{wall:>8.2f}"
    )
    print(f"{DRONES} drones send {rate:.0f} packets/s: {100 * cpu / SECONDS:.1f} % of one core\n")


def second_of_telemetry(second: int) -> bytes:
    """What a vehicle sends in a second at full telemetry."""
    mav = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    ms = second * 1000
    sent = [
        dialect.MAVLink_attitude_message(ms + 100 * n, 0.1, 0.1, 1.0, 0, 0, 0) for n in range(10)
    ]
    sent += [
        dialect.MAVLink_global_position_int_message(
            ms + 100 * n, 508196421, 43905380, 70000, 14000, 100, 0, 0, 9000
        )
        for n in range(10)
    ]
    sent += [
        dialect.MAVLink_heartbeat_message(2, 3, 209, 3, 4, 3),
        dialect.MAVLink_sys_status_message(0, 0, 0x10000000, 0, 15000, 100, 90, 0, 0, 0, 0, 0, 0),
        dialect.MAVLink_mission_current_message(3),
        dialect.MAVLink_gps_raw_int_message(0, 3, 508196421, 43905380, 70000, 80, 80, 0, 0, 12),
        dialect.MAVLink_ekf_status_report_message(831, 0.1, 0.1, 0.1, 0.1, 0.1),
        dialect.MAVLink_system_time_message(1_700_000_000_000_000, ms),
    ]
    return b"".join(bytes(message.pack(mav)) for message in sent)


def uploads(folder: Path, runs: int) -> None:
    """Missions written to a simulated vehicle and read back."""
    endpoints = folder / "endpoints.json"
    command = [sys.executable, "-m", "sitl", "--drones", "1", "--endpoints", str(endpoints)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while not endpoints.exists():
                time.sleep(0.1)
            address = json.loads(endpoints.read_text())["drones"][0]["link"]
            link = MavlinkLink(LinkAddress.parse(address), TlogWriter(folder / "upload.tlog"))
            while link.system_id is None:
                link.receive()
                time.sleep(0.01)
            time.sleep(2.0)  # just after boot the vehicle answers NO_SPACE
            print(f"{'upload and read back, loopback':<34}{'items':>9}{'done':>9}  wall s, cpu s")
            for count in (50, 600):
                mission = wire_mission(items(count - 1), HOME)
                report(count, [upload(link, mission) for _ in range(runs)])
            link.close()
        finally:
            process.terminate()


def report(count: int, found: list[tuple[str, float, float]]) -> None:
    """One row of the table: medians, and the least and the most."""
    done = sum(outcome == "done" for outcome, _, _ in found)
    cpu, wall = (np.array([one[column] for one in found]) for column in (1, 2))
    print(
        f"{'median (least to most)':<34}{count:>9}{done:>6}/{len(found)}"
        f"  {np.median(wall):.2f} ({wall.min():.2f} to {wall.max():.2f})"
        f", {np.median(cpu):.2f} ({cpu.min():.2f} to {cpu.max():.2f})"
    )


def upload(link: MavlinkLink, mission: tuple[WireItem, ...]) -> tuple[str, float, float]:
    """The outcome's name, CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    state, sends = protocol.start_upload(mission, Timing(), time.monotonic())
    while True:
        for send in sends:
            link.send(send)
        if state.outcome is not None:
            name = type(state.outcome).__name__.lower()
            return name, time.process_time() - cpu, time.perf_counter() - wall
        sends = ()
        for message in link.receive():
            if isinstance(message, Handshake):
                state, more = protocol.upload_step(state, message, time.monotonic())
                sends += more
        if not sends:
            state, sends = protocol.upload_step(state, None, time.monotonic())
            select.select([link.fileno()], [], [], 0.01)


def items(count: int) -> tuple[MissionItem, ...]:
    """A take-off and waypoints around home."""
    takeoff = MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=15.0)
    waypoints = (
        MissionItem(
            MissionCommand.WAYPOINT,
            lat_deg=HOME.lat_deg + 1e-6 * n,
            lon_deg=HOME.lon_deg,
            alt_home_m=15.0,
        )
        for n in range(count - 1)
    )
    return (takeoff, *waypoints)


if __name__ == "__main__":
    main()
