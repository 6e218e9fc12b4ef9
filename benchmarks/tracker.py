"""CPU seconds to follow N identified drones that each send once a second.

python benchmarks/tracker.py [--drones 1000 10000] [--seconds 5]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from datetime import UTC, datetime, timedelta

from droneteam.detection import rid
from droneteam.detection.track import Received, Tracker

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def receptions(drone: int, second: int) -> Received:
    """One pack of drone number `drone`: identity and location."""
    lat_deg = 50.6 + (drone % 100) * 0.005 + second * 1e-4
    lon_deg = 4.0 + (drone // 100) * 0.005
    location = rid.Location(
        rid.Status.AIRBORNE,
        lat_deg,
        lon_deg,
        direction_deg=0.0,
        speed_mps=11.0,
        horizontal_accuracy_m=3.0,
        second_of_hour_s=float(second),
    )
    payload = rid.encode_pack(
        (rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, f"SERIAL{drone:06d}"), location)
    )
    address = f"02:00:00:{drone >> 16:02x}:{drone >> 8 & 255:02x}:{drone & 255:02x}"
    at = START + timedelta(seconds=second + 1.0)
    return Received(at, "roof", "wifi-beacon", address, payload, -60)


def measure(drones: int, seconds: int) -> tuple[list[float], list[float]]:
    """CPU and wall seconds that each second of receptions took."""
    tracker = Tracker()
    cpu_s, wall_s = [], []
    for second in range(seconds):
        batch = [receptions(drone, second) for drone in range(drones)]
        cpu, wall = time.process_time(), time.perf_counter()
        for received in batch:
            tracker.observe(received)
        cpu_s.append(time.process_time() - cpu)
        wall_s.append(time.perf_counter() - wall)
    assert len(tracker.tracks) == drones
    return cpu_s, wall_s


def main() -> None:
    """Print one row per number of drones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drones", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--seconds", type=int, default=5)
    args = parser.parse_args()
    print("drones  CPU s per s: median  min    max    wall median  peak MB")
    for drones in args.drones:
        cpu_s, wall_s = measure(drones, args.seconds)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{drones:6d}  {statistics.median(cpu_s):19.3f}  {min(cpu_s):5.3f}  {max(cpu_s):5.3f}"
            f"  {statistics.median(wall_s):11.3f}  {peak_mb:7.0f}"
        )


if __name__ == "__main__":
    main()
