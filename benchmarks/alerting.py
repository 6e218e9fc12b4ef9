"""From the air to the page: how late an alert is at 1,000 messages a second.

A process sends datagrams over loopback at their own pace: drones that are registered, four
messages each second, and now and then one that is not.  `listen` hears, follows, judges and
stores; a reader asks the live feed as the page's server does.  An alert's clock starts when the
message was sent that makes its condition true (the third position), plus the time that the rule
itself waits; it stops when the feed has the alert.

    python -m benchmarks.alerting [--rate 1000] [--seconds 30] [--strangers 40]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import numpy as np
from sqlalchemy.orm import Session

from droneteam import db, schema
from droneteam.accounts import SYSTEM
from droneteam.detection import rid
from droneteam.detection.alert import AlertRules
from droneteam.detection.listen import Listener, listen
from droneteam.detection.match import RegisteredFlight
from droneteam.detection.receivers import DatagramReceiver
from droneteam.detection.watch import Known
from droneteam.web.feed import Feed
from droneteam.web.live_state import LiveFeeds

Due: TypeAlias = "multiprocessing.Queue[tuple[str, float]]"
"""Serial numbers, and when their alert's last message was sent (monotonic)."""
LAT_DEG, LON_DEG = 50.82, 4.39
PER_DRONE_HZ = 4.0
WARM_UP_S = 6.0
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: messages a second, for how long, and how many strangers among them."""

    rate: float
    seconds: float
    strangers: int

    @property
    def drones(self) -> int:
        """How many registered drones give that rate."""
        return round(self.rate / PER_DRONE_HZ)


def payload(number: int, beat: int, at: datetime) -> bytes:
    """The identity with every fourth message, else the position: 8 m/s north."""
    serial = f"BENCH{number:08d}"
    if beat % 4 == 0:
        return rid.encode(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, serial))
    row, column = divmod(number, 64)
    return rid.encode(
        rid.Location(
            rid.Status.AIRBORNE,
            LAT_DEG + row * 0.004 + beat / PER_DRONE_HZ * 8.0 / 111_320.0,
            LON_DEG + column * 0.006,
            direction_deg=0.0,
            speed_mps=8.0,
            height_m=60.0,
            horizontal_accuracy_m=3.0,
            second_of_hour_s=(at.minute * 60.0 + at.second) + at.microsecond / 1e6,
        )
    )


def transmit(address: tuple[str, int], load: Load, due: Due) -> None:
    """Send at the pace; `due` gets each stranger's serial and when its third position was sent."""
    count = load.drones + load.strangers
    generator = np.random.default_rng(4)
    offsets_s = generator.uniform(0.0, 1.0 / PER_DRONE_HZ, count)
    first_s = np.zeros(count)
    first_s[load.drones :] = np.linspace(WARM_UP_S, load.seconds - 4.0, load.strangers)
    beats = np.arange(round(load.seconds * PER_DRONE_HZ))
    plan = sorted(
        (float(first_s[n] + offsets_s[n] + beat / PER_DRONE_HZ), int(n), int(beat))
        for n in range(count)
        for beat in beats
        if first_s[n] + offsets_s[n] + beat / PER_DRONE_HZ < load.seconds
    )
    start_s = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for at_s, number, beat in plan:
            time.sleep(max(0.0, start_s + at_s - time.monotonic()))
            now = datetime.now(UTC)
            fields = {
                "at": now.isoformat(),
                "receiver": "roof",
                "transport": "wifi-beacon",
                "transmitter": f"02:{number:010x}",
                "rssi_dbm": -60,
                "payload": payload(number, beat, now).hex(),
            }
            sender.sendto(json.dumps(fields).encode(), address)
            if number >= load.drones and beat == 3:
                due.put((f"BENCH{number:08d}", time.monotonic()))


def measure(load: Load) -> dict[str, float]:
    """Latency of every stranger's alert; those that never came are counted."""
    names = frozenset(f"BENCH{n:08d}" for n in range(load.drones))
    now = datetime.now(UTC)
    flight = RegisteredFlight("F", names, now - timedelta(hours=1), now + timedelta(hours=1), ())

    def known(_session: Session, _at: datetime) -> Known:
        return Known(flights=(flight,))

    with tempfile.TemporaryDirectory() as folder:
        engine = db.make_engine(f"sqlite:///{Path(folder) / 'sky.db'}")
        schema.create_all(engine)
        listener, receiver = Listener(engine, known, now), DatagramReceiver("127.0.0.1", 0)
        stop = threading.Event()
        thread = threading.Thread(target=listen, args=(listener, receiver, stop))
        thread.start()
        due: Due = multiprocessing.Queue()
        sender = multiprocessing.Process(target=transmit, args=(receiver.address, load, due))
        sender.start()
        feed = LiveFeeds(engine, lambda: datetime.now(UTC)).of(SYSTEM)
        seen, sent = watch_feed(feed, load, due)
        cpu_s = time.process_time()
        sender.join()
        stop.set()
        thread.join()
        received = receiver.tally.received
        receiver.close()
        engine.dispose()
    late_ms = sorted(
        1000.0 * (seen[name] - at_s - AlertRules().raise_after_s)
        for name, at_s in sent.items()
        if name in seen
    )
    return {
        "sent": float(len(sent)),
        "missed": float(len(sent) - len(late_ms)),
        "received_per_s": received / load.seconds,
        "cpu_s": cpu_s,
        "p50_ms": float(np.percentile(late_ms, 50)),
        "p99_ms": float(np.percentile(late_ms, 99)),
        "max_ms": late_ms[-1],
    }


def watch_feed(feed: Feed, load: Load, due: Due) -> tuple[dict[str, float], dict[str, float]]:
    """When the event stream first showed each alert, and when each was due."""
    seen: dict[str, float] = {}
    sent: dict[str, float] = {}
    end_s = time.monotonic() + load.seconds + PATIENCE_S
    for block in feed.stream(lifetime_s=load.seconds + PATIENCE_S):
        at_s = time.monotonic()
        while not due.empty():
            sent.update([due.get()])
        for line in block.decode().splitlines():
            if line.startswith("data: "):
                for row in json.loads(line[6:]).get("set", ()):
                    if row["kind"] == "alert":
                        seen.setdefault(row["label"], at_s)
        if at_s > end_s or (len(sent) == load.strangers and sent.keys() <= seen.keys()):
            break
    return seen, sent


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--strangers", type=int, default=40)
    args = parser.parse_args()
    for name, value in measure(Load(args.rate, args.seconds, args.strangers)).items():
        print(f"{name:>16} {value:10.1f}")


if __name__ == "__main__":
    main()
