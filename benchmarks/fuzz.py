"""Damaged input by the million: nothing but DecodeError may come of it, and no memory may grow.

    python -m benchmarks.fuzz [--frames 10000000] [--seed 1]

Valid input of every framing is cut, flipped, overwritten, stretched and spliced with other input,
and given to what reads it: radio frames (Wi-Fi beacon and NAN, Bluetooth legacy, 5 and long range)
to `frames`, payloads and packs to `batch` and a share of them to `rid` too (which must refuse the
same), capture files to `capture`, datagrams to `receivers.parse_json`, streams to the Beast, SBS
and MAVLink parsers, and what survives of all that to a limiter and a watch.  The seed gives the
same input again; an exception prints the bytes that caused it.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from droneteam.detection import batch, capture, frames, receivers, rid
from droneteam.detection.aircraft import BeastParser, SbsParser
from droneteam.detection.clocks import Clocks
from droneteam.detection.limit import Limiter
from droneteam.detection.records import Received
from droneteam.detection.watch import Known, Watch
from droneteam.errors import DecodeError
from droneteam.missions.mavlink.framing import Framer
from tests.detection import rid_oracle
from tests.detection.test_frames import beacon, bluetooth, nan, pcap, radiotap

ROUND = 20_000
START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
POOL, RENEWED = 500, 0.05
STREAM_BYTES = 200
"""Of a stream, so many bytes are counted as one frame."""


class Surprise(Exception):
    """Something else than DecodeError, with the input that caused it."""


@dataclass
class Fuzz:
    """A source of damaged input, and what has come of it so far."""

    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter[str])
    watch: Watch = field(default_factory=lambda: Watch(lambda _at: Known()))
    clocks: Clocks = field(default_factory=Clocks)
    limiter: Limiter = field(default_factory=Limiter)
    framer: Framer = field(default_factory=Framer)
    beast: BeastParser = field(default_factory=lambda: BeastParser("fuzz"))
    sbs: SbsParser = field(default_factory=lambda: SbsParser("fuzz"))
    at: datetime = START
    pool: list[bytes] = field(default_factory=list)

    def payload(self) -> bytes:
        """A message, or a pack of some, of a pool that is renewed."""
        if len(self.pool) < POOL or self.chance.random() < RENEWED:
            self.pool = [*self.pool[-POOL + 1 :], self._new_payload()]
            return self.pool[-1]
        return self.chance.choice(self.pool)

    def _new_payload(self) -> bytes:
        count = self.chance.choice((0, 1, 2, 5, 9))
        if not count:
            return rid_oracle.in_range(self.chance)
        content = b"".join(rid_oracle.in_range(self.chance) for _ in range(count))
        return bytes((0xF2, 25, count)) + content

    def damaged(self, data: bytes) -> bytes:
        """The bytes with one to four faults."""
        changed = bytearray(data)
        for _ in range(self.chance.choice((1, 1, 2, 4))):
            self._damage(changed)
        return bytes(changed)

    def _damage(self, data: bytearray) -> None:
        chance = self.chance
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256)))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 4:
            data[at:at] = chance.randbytes(chance.randrange(1, 30))
        elif kind == 5:
            data[at:at] = data[at : at + chance.randrange(1, 60)]
        elif at + 4 <= len(data):
            struct.pack_into("<I", data, at, chance.choice((0, 0xFFFFFFFF, 0x80000000, 255, 26)))


# ---- what reads, and how much of the input it gets


def fuzz_payloads(fuzz: Fuzz, count: int) -> None:
    """Damaged in columns, for speed; one in twenty is read one at a time too."""
    generator = np.random.default_rng(fuzz.chance.randrange(1 << 32))
    seeds = [fuzz.payload() for _ in range(50)]
    payloads = [seeds[number] for number in generator.integers(0, len(seeds), count)]
    whole = bytearray(b"".join(payloads))
    content: NDArray[np.uint8] = np.frombuffer(whole, dtype=np.uint8)
    places = generator.integers(0, len(content), 3 * count)
    content[places] ^= generator.integers(0, 256, len(places), dtype=np.uint8)
    ends = np.cumsum([len(one) for one in payloads])
    cuts = np.where(generator.random(count) < 0.3, generator.integers(0, 40, count), 0)
    firsts = np.concatenate([[0], ends[:-1]])
    spans = zip(firsts.tolist(), np.maximum(firsts, ends - cuts).tolist(), strict=True)
    damaged = [bytes(whole[first:last]) for first, last in spans]
    _read_payloads(fuzz, damaged, every=20)


def _read_payloads(fuzz: Fuzz, payloads: Sequence[bytes], every: int) -> None:
    found = batch.split(payloads)
    for kind, read in (
        (rid.MessageType.LOCATION, batch.locations),
        (rid.MessageType.SYSTEM, batch.systems),
    ):
        read(found.data[found.of(kind)])
    fuzz.counts["messages read"] += int((found.problem == 0).sum())
    fuzz.counts["messages refused"] += int((found.problem != 0).sum())
    for number in range(0, len(payloads), every):
        try:
            told = len(rid.decode(payloads[number]).messages)
        except DecodeError:
            told = 0
        if told != found.salvaged[number]:
            raise Surprise(f"batch {found.salvaged[number]}, scalar {told}: {payloads[number]!r}")
        fuzz.counts["read by both decoders"] += 1


def legacy(content: bytes) -> bytes:
    """An ADV_NONCONN_IND of Bluetooth 4, as the sniffer gives it."""
    data = bytes((len(content) + 4,)) + b"\x16\xfa\xff\x0d" + content
    pdu = bytes((0x42, 6 + len(data))) + bytes.fromhex("2443608ac841") + data
    head = struct.pack("<BHBHBBBBBHI", 3, 0, 3, 1, 2, 10, 0x01, 37, 53, 0, 0)
    return head + struct.pack("<I", 0x8E89BED6) + pdu + bytes(3)


FRAMINGS: tuple[tuple[int, Callable[[bytes], bytes]], ...] = (
    (frames.LINK_RADIOTAP, lambda content: radiotap(beacon(content))),
    (frames.LINK_RADIOTAP, lambda content: radiotap(nan(content))),
    (frames.LINK_RADIOTAP, lambda content: radiotap(nan(content, 0x5C, b"\0\0\x02ab\x01c"))),
    (frames.LINK_NORDIC_BLE, lambda content: bluetooth(content[:240])),
    (frames.LINK_NORDIC_BLE, lambda content: bluetooth(content[:240], flags=0x01)),
    (frames.LINK_NORDIC_BLE, lambda content: legacy(content[:26])),
)


def fuzz_frames(fuzz: Fuzz, count: int) -> None:
    """Radio frames; the payloads that they give are read too."""
    payloads = []
    seeds = [
        (link, make(b"\x07" + fuzz.payload()[:230])) for _ in range(40) for link, make in FRAMINGS
    ]
    for _ in range(count):
        link, data = fuzz.chance.choice(seeds)
        try:
            frame = frames.extract(link, fuzz.damaged(data))
        except DecodeError:
            fuzz.counts["frames refused"] += 1
            continue
        if frame is not None:
            payloads.append(frame.payload)
    fuzz.counts["frames with a payload"] += len(payloads)
    _read_payloads(fuzz, payloads, every=10)


def fuzz_captures(fuzz: Fuzz, count: int) -> None:
    """Capture files of about ten packets each."""
    for _ in range(count // 10):
        packets = [radiotap(beacon(b"\x07" + fuzz.payload()[:230])) for _ in range(10)]
        make = fuzz.chance.choice((pcap, pcapng))
        try:
            for packet in capture.read_packets(io.BytesIO(fuzz.damaged(make(packets)))):
                fuzz.counts["packets of captures"] += 1
                frames.extract(packet.link_type, packet.data)
        except DecodeError:
            fuzz.counts["captures cut short"] += 1


def pcapng(packets: Sequence[bytes]) -> bytes:
    """A section, an interface in nanoseconds, and its packets."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack("<HHI", 127, 0, 0) + struct.pack("<HHB3xI", 9, 1, 9, 0))
    enhanced = (
        block(6, struct.pack("<IIIII", 0, 0x17A2B3C4, 5, len(one), len(one)) + one)
        for one in packets
    )
    return section + interface + b"".join(enhanced)


def fuzz_datagrams(fuzz: Fuzz, count: int) -> None:
    """Receptions, plots and signs of life as JSON; those that are read go to the watch."""
    strange = (None, True, -1, 1e999, "", [], {}, "x" * 500, 1 << 70, -0.0, "NaN", "2026-13-01")
    heard = []
    for _ in range(count):
        fuzz.at += timedelta(milliseconds=2)
        fields = _datagram(fuzz)
        if fuzz.chance.random() < 0.5:
            fields[fuzz.chance.choice(list(fields))] = fuzz.chance.choice(strange)
        content = json.dumps(fields).encode()
        if fuzz.chance.random() < 0.5:
            content = fuzz.damaged(content)
        try:
            record = receivers.parse_json(content)
        except DecodeError:
            fuzz.counts["datagrams refused"] += 1
            continue
        fuzz.counts["datagrams read"] += 1
        record, verdict = fuzz.clocks.judge(record, fuzz.at)
        fuzz.counts[f"dated: {verdict}"] += 1
        if verdict == "over":
            continue
        if not isinstance(record, Received) or fuzz.limiter.allows(record):
            heard.append(record)
        if len(heard) >= 50:
            fuzz.watch.feed_many(heard)
            heard = []


def _datagram(fuzz: Fuzz) -> dict[str, object]:
    at = fuzz.at.isoformat()
    kind = fuzz.chance.randrange(8)
    if kind == 0:
        return {"at": at, "receiver": "roof", "alive": True}
    if kind == 1:
        lat_deg, lon_deg = fuzz.chance.choice(((50.8, 4.4), (90.0, 0.0), (-90.0, 180.0), (0, -180)))
        place = {"lat_deg": lat_deg, "lon_deg": lon_deg, "sigma_m": 5.0, "speed_mps": 9.0}
        return {"at": at, "sensor": "radar", "transport": "radar", **place, "identity": "icao:1"}
    return {
        "at": at,
        "receiver": fuzz.chance.choice(("roof", "van")),
        "transport": "wifi-beacon",
        "transmitter": f"02:{fuzz.chance.randrange(300):010x}",
        "rssi_dbm": -60,
        "counter": fuzz.chance.randrange(256),
        "payload": fuzz.payload()[:228].hex(),
    }


def fuzz_streams(fuzz: Fuzz, count: int) -> None:
    """Beast, SBS and MAVLink bytes, cut anywhere."""
    squitter = bytes.fromhex("8d40621d58c382d690c8ac2863a7").replace(b"\x1a", b"\x1a\x1a")
    beast = (b"\x1a3" + bytes(7) + squitter) * 8
    line = b"MSG,3,1,1,40621D,1,2026/05/04,08:00:00,,,KLM1,3000,120,90,50.8,4.4,,,0,0,0,0\r\n"
    mavlink = b"\xfd\x09\x00\x00\x05\x01\x01\x00\x00\x00" + bytes(9) + b"\x12\x34"
    feeds: tuple[tuple[bytes, Callable[[bytes], object]], ...] = (
        (beast, lambda data: fuzz.beast.feed(data, fuzz.at)),
        (line * 3, lambda data: fuzz.sbs.feed(data, fuzz.at)),
        (mavlink * 9, fuzz.framer.feed),
    )
    for _ in range(count):
        data, feed = fuzz.chance.choice(feeds)
        feed(fuzz.damaged(data)[:STREAM_BYTES])
    fuzz.counts["stream pieces"] += count


SHARES: tuple[tuple[str, float, Callable[[Fuzz, int], None]], ...] = (
    ("payloads", 0.50, fuzz_payloads),
    ("radio frames", 0.38, fuzz_frames),
    ("captures", 0.03, fuzz_captures),
    ("datagrams", 0.05, fuzz_datagrams),
    ("streams", 0.04, fuzz_streams),
)


def main() -> int:
    """Print what was read, refused and used; 1 where something else than DecodeError came."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    fuzz = Fuzz(random.Random(args.seed))
    given, cpu_s, early_mb = Counter[str](), Counter[str](), 0.0
    for number in range(0, args.frames, ROUND):
        size = min(ROUND, args.frames - number)
        for name, share, run in SHARES:
            began_s = time.process_time()
            run(fuzz, round(size * share))
            given[name] += round(size * share)
            cpu_s[name] += time.process_time() - began_s
        if number <= args.frames // 5:
            early_mb = peak_mb()
    for name, count in given.items():
        print(f"{name:>24} {count:10d}  {cpu_s[name]:7.1f} CPU s")
    for name, count in sorted(fuzz.counts.items()):
        print(f"{name:>24} {count:10d}")
    print(f"{sum(given.values())} frames, no exception but DecodeError")
    print(f"memory {early_mb:.0f} MB after a fifth, {peak_mb():.0f} MB after all")
    return 0


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
