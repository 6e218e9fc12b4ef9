"""From the air to the page: how late an alert is at 1,000 messages a second.

A process sends datagrams over loopback at their own pace: drones that are registered, four
messages each second, and now and then one that is not.  A second process listens as
`droneteam detect listen` does; a third is the page's server and reads the live feed's event
stream.  An alert's clock starts when the message was sent that makes its condition true (the third
position), plus the time that the rule itself waits; it stops when the stream has the alert.

    python -m benchmarks.alerting [--rate 1000] [--seconds 30] [--strangers 40]
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from sqlalchemy import func, select

from droneteam import db, schema
from droneteam.accounts import SYSTEM
from droneteam.detection import rid
from droneteam.detection.alert import AlertRules
from droneteam.detection.listen import Listener, listen
from droneteam.detection.match import RegisteredFlight
from droneteam.detection.models import RidMessage
from droneteam.detection.receivers import DatagramReceiver
from droneteam.detection.watch import Known
from droneteam.web.feed import Feed
from droneteam.web.live_state import LiveFeeds

Told: TypeAlias = "multiprocessing.Queue[Any]"
"""The listener's address, then what it used and received."""
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


def hear(url: str, load: Load, told: Told, stop: Event) -> None:
    """The listening process: tells its address, then its CPU seconds and what it stored."""
    names = frozenset(f"BENCH{n:08d}" for n in range(load.drones))
    now = datetime.now(UTC)
    flight = RegisteredFlight("F", names, now - timedelta(hours=1), now + timedelta(hours=1), ())
    logging.disable(logging.WARNING)
    engine = db.make_engine(url)
    listener = Listener(engine, lambda _session, _at: Known(flights=(flight,)), now)
    receiver = DatagramReceiver("127.0.0.1", 0)
    told.put(receiver.address)
    stopping = threading.Event()
    threading.Thread(target=lambda: (stop.wait(), stopping.set()), daemon=True).start()
    cpu_s = time.process_time()
    listen(listener, receiver, stopping)
    told.put((time.process_time() - cpu_s, receiver.tally.received, listener.storage.waited_s))
    receiver.close()


def measure(load: Load) -> dict[str, float]:
    """Latency of every stranger's alert; those that never came are counted."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'sky.db'}"
        engine = db.make_engine(url)
        schema.create_all(engine)
        told: Told = multiprocessing.Queue()
        due: Due = multiprocessing.Queue()
        stop = multiprocessing.Event()
        hearing = multiprocessing.Process(target=hear, args=(url, load, told, stop))
        hearing.start()
        sender = multiprocessing.Process(target=transmit, args=(told.get(), load, due))
        sender.start()
        cpu_s = time.process_time()
        feed = LiveFeeds(engine, lambda: datetime.now(UTC)).of(SYSTEM)
        seen, sent = watch_feed(feed, load, due)
        server_cpu_s = time.process_time() - cpu_s
        sender.join()
        stop.set()
        listener_cpu_s, received, waited_s = told.get()
        hearing.join()
        with engine.connect() as connection:
            stored = connection.scalar(select(func.count()).select_from(RidMessage))
        engine.dispose()
    late_ms = sorted(
        1000.0 * (seen[name] - at_s - AlertRules().raise_after_s)
        for name, at_s in sent.items()
        if name in seen
    )
    return {
        "alerts due": float(len(sent)),
        "missed": float(len(sent) - len(late_ms)),
        "received per s": received / load.seconds,
        "not stored": received - float(stored or 0),
        "storage waited s": waited_s,
        "listener CPU s/s": listener_cpu_s / load.seconds,
        "server CPU s/s": server_cpu_s / load.seconds,
        "p50 ms": float(np.percentile(late_ms, 50)),
        "p90 ms": float(np.percentile(late_ms, 90)),
        "p99 ms": float(np.percentile(late_ms, 99)),
        "max ms": late_ms[-1],
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
                    if row.get("kind") == "alert":
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
        print(f"{name:>16} {value:10.2f}")


if __name__ == "__main__":
    main()
