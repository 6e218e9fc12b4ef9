"""CPU seconds to follow N identified drones that each send once a second.

python benchmarks/tracker.py [--drones 1000 10000] [--seconds 5]

Each drone sends a pack of identity and position once a second; the receptions come in ten batches
a second, as the listening loop hands them over.  "follow" is everything from payload bytes to
filtered tracks: decoding, joining, filtering.  "views" is what reading every track once a second
costs on top.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from datetime import UTC, datetime, timedelta

from droneteam.detection import rid
from droneteam.detection.records import Received
from droneteam.detection.track import Tracker

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
BATCHES = 10


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
    """CPU seconds that each second of receptions took to follow, and to read as tracks."""
    tracker = Tracker()
    follow_s, view_s = [], []
    for second in range(seconds):
        heard = [receptions(drone, second) for drone in range(drones)]
        start = time.process_time()
        for part in range(BATCHES):
            tracker.observe_many(heard[part::BATCHES])
        followed = time.process_time()
        tracks = tracker.tracks
        view_s.append(time.process_time() - followed)
        follow_s.append(followed - start)
        assert len(tracks) == drones
        assert all(track.n_fixes == second + 1 for track in tracks)
    # The first second starts the tracks; it is not what following them takes.
    return follow_s[1:], view_s[1:]


def main() -> None:
    """Print one row per number of drones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drones", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--seconds", type=int, default=6)
    args = parser.parse_args()
    print("drones  follow, CPU s per s: median  min    max    views  peak MB")
    for drones in args.drones:
        follow_s, view_s = measure(drones, args.seconds)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{drones:6d}  {statistics.median(follow_s):27.3f}  {min(follow_s):5.3f}"
            f"  {max(follow_s):5.3f}  {statistics.median(view_s):5.3f}  {peak_mb:7.0f}"
        )


if __name__ == "__main__":
    main()
