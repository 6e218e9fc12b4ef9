"""A sortie flown by the simulator within the test, and its packet log, in simulated time."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

from droneteam.missions.mavlink.framing import Framer
from droneteam.missions.record.journal import Entry
from sitl.items import Cmd
from tests.sitl.bench import BOOT_AT, HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at, do

CLOCK_AHEAD_S = 3.0
"""Our clock against the simulated world's."""
ITEMS = [
    HOME_ITEM,
    TAKE_OFF_20,
    do(Cmd.DO_SET_CAM_TRIGG_DIST, 6.0),
    at(30.0, 0.0, 20.0),
    at(30.0, 25.0, 30.0),
    do(Cmd.DO_SET_CAM_TRIGG_DIST, 0.0),
    RETURN,
]
RATES_HZ = {33: 5.0, 30: 10.0, 1: 2.0, 2: 1.0, 24: 1.0, 285: 5.0}


@functools.cache
def packet_log() -> bytes:
    """The log of the whole sortie, as the controller would have written it."""
    return b"".join(raw for raw, _ in _records())


@functools.cache
def onboard_log() -> bytes:
    """The same sortie as the vehicle logged it."""
    _records()
    return _bench().station.blackbox.logs[0].data


@functools.cache
def _bench() -> Bench:
    return Bench()


@functools.cache
def _records() -> tuple[tuple[bytes, datetime], ...]:
    bench = _bench()
    found: list[tuple[bytes, datetime]] = []
    framer = Framer()

    def hear(data: bytes) -> None:
        at_utc = BOOT_AT + timedelta(seconds=bench.ap.t_s + CLOCK_AHEAD_S)
        for frame in framer.feed(data):
            stamp = int(at_utc.timestamp() * 1e6).to_bytes(8, "big")
            found.append((stamp + frame.raw, at_utc))

    channel = bench.station.open(hear)
    for message_id, rate_hz in RATES_HZ.items():
        channel.set_interval(message_id, 1.0 / rate_hz, bench.ap.t_s)
    bench.run(3.0)
    bench.fly_mission(ITEMS)
    bench.run(2.0)
    return tuple(found)


def first_heard() -> datetime:
    """When the log begins, by our clock."""
    return _records()[0][1]


def journal() -> list[Entry]:
    """What a controller might have noted, by our clock."""
    start = first_heard()
    return [
        Entry(start + timedelta(seconds=1), "contact", "STABILIZE, armed False"),
        Entry(start + timedelta(seconds=2), "check", "battery: 100 %"),
        Entry(start + timedelta(seconds=6), "text", "Arming motors"),
        Entry(start + timedelta(seconds=10), "link", "silent for 5.0 s"),
        Entry(start + timedelta(seconds=20), "returning", "the pilot asked to return"),
    ]


def utc_of(boot_s: float) -> datetime:
    """The simulated world's time at a time of the vehicle's clock."""
    return (BOOT_AT + timedelta(seconds=boot_s)).astimezone(UTC)
