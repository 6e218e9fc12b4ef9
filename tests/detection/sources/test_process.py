"""Sniffers as programs: small stand-ins that write captures, end, complain and hang."""

from __future__ import annotations

import os
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from droneteam.detection import frames, rid
from droneteam.detection.feeds import Backoff, Feed, Inbox
from droneteam.detection.records import Alive
from droneteam.detection.sources.process import CaptureProcess
from droneteam.errors import InputError
from tests.detection.sources.waiting import PATIENCE_S, gather, heard, troubles

QUICK = Backoff(first_s=0.02, limit_s=0.1)
MESSAGE = rid.encode(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"))
ADDRESS = bytes((0x01, 0x02, 0x03, 0x04, 0x05, 0xC6))


def link_layer(payload: bytes, counter: int = 9, kind: int = 2) -> bytes:
    """An advertisement of Remote ID as it is on the air: PDU header, address, service data."""
    data = b"\x16\xfa\xff\x0d" + bytes((counter,)) + payload
    body = ADDRESS + bytes((len(data),)) + data
    return bytes((kind, len(body))) + body


def extended(payload: bytes) -> bytes:
    data = b"\x16\xfa\xff\x0d\x01" + payload
    header = b"\x01" + ADDRESS  # AdvA only
    body = bytes((len(header),)) + header + bytes((len(data),)) + data
    return bytes((7, len(body))) + body


def with_phdr(pdu: bytes, *, rssi: int = -71, flags: int = 0x0C13, coding: bytes = b"") -> bytes:
    """As Sniffle writes it: header, access address, indicator of the coding, PDU, checksum."""
    head = struct.pack("<BbbBIH", 0, rssi, -128, 0, 0x8E89BED6, flags)
    return head + struct.pack("<I", 0x8E89BED6) + coding + pdu + b"\1\2\3"


def pcap(*packets: bytes, at: float = 1.7e9, link_type: int = 256) -> bytes:
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)
    rows = [struct.pack("<IIII", int(at), 0, len(one), len(one)) + one for one in packets]
    return head + b"".join(rows)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def stand_in(folder: Path, content: bytes, then: str, target: str = "") -> tuple[str, ...]:
    """A program that writes a capture to its output, or to a path, and then does something."""
    (folder / "capture").write_bytes(content)
    script = folder / "sniffer.py"
    script.write_text(
        "import os, sys, time\n"
        f"out = open(sys.argv[1], 'wb') if {bool(target)} else sys.stdout.buffer\n"
        f"out.write(open({str(folder / 'capture')!r}, 'rb').read()); out.flush()\n{then}\n"
    )
    return (sys.executable, str(script), *([target] if target else []))


FOR_LONG = "time.sleep(600)"


@pytest.mark.parametrize("target", ["", "{fifo}"])
def test_what_a_program_captures_is_heard_while_it_runs(
    tmp_path: Path, inbox: Inbox, target: str
) -> None:
    packets = pcap(with_phdr(link_layer(MESSAGE)), with_phdr(b"\x00\x02\x01\x02"))
    feed = Feed("sniffer", CaptureProcess(stand_in(tmp_path, packets, FOR_LONG, target)), inbox)
    feed.start()
    try:
        records = gather(inbox, lambda found: bool(heard(found)))
    finally:
        feed.close()
    (received,) = heard(records)
    assert received.payload == MESSAGE
    assert (received.transport, received.transmitter) == ("ble-legacy", "c6:05:04:03:02:01")
    assert (received.receiver, received.rssi_dbm, received.counter) == ("sniffer", -71, 9)
    assert received.at == datetime.fromtimestamp(1.7e9, UTC), "clocks.py judges the stamp"
    assert any(isinstance(one, Alive) and one.kind == "capture" for one in records)
    assert troubles(records) == []


def test_a_program_that_ends_is_started_again_and_says_why(tmp_path: Path, inbox: Inbox) -> None:
    command = stand_in(
        tmp_path,
        pcap(with_phdr(link_layer(MESSAGE))),
        "print('no dongle at /dev/ttyUSB0', file=sys.stderr); sys.exit(3)",
    )
    feed = Feed("sniffer", CaptureProcess(command), inbox, QUICK)
    feed.start()
    try:
        records = gather(inbox, lambda found: len(heard(found)) >= 2 and len(troubles(found)) >= 2)
    finally:
        feed.close()
    assert feed.connections >= 2
    assert all("ended with status 3; no dongle at /dev/ttyUSB0" in one for one in troubles(records))


def test_a_stream_of_something_else_is_named(tmp_path: Path, inbox: Inbox) -> None:
    command = stand_in(tmp_path, b"Sniffle 1.10\nwaiting\n" * 3, FOR_LONG)
    feed = Feed("sniffer", CaptureProcess(command), inbox, QUICK)
    feed.start()
    try:
        records = gather(inbox, lambda found: bool(troubles(found)))
    finally:
        feed.close()
    assert "not a pcap or pcapng" in troubles(records)[0]


def test_packets_of_another_link_are_named(tmp_path: Path, inbox: Inbox) -> None:
    command = stand_in(tmp_path, pcap(b"x" * 60, link_type=1), FOR_LONG)
    feed = Feed("sniffer", CaptureProcess(command), inbox, QUICK)
    feed.start()
    try:
        records = gather(inbox, lambda found: bool(troubles(found)))
    finally:
        feed.close()
    assert "link type 1;" in troubles(records)[0]


def test_a_program_that_is_not_there_is_named(inbox: Inbox) -> None:
    feed = Feed("sniffer", CaptureProcess(("no-such-sniffer", "-o", "{fifo}")), inbox, QUICK)
    feed.start()
    try:
        records = gather(inbox, lambda found: len(troubles(found)) >= 2)
    finally:
        feed.close()
    assert "no-such-sniffer is not a program" in troubles(records)[0]


def test_a_program_that_does_not_want_to_end_is_ended(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("droneteam.detection.sources.process.ENDED_S", 0.3)
    stubborn = (
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); {FOR_LONG}"
    )
    command = stand_in(tmp_path, pcap(with_phdr(link_layer(MESSAGE))), stubborn)
    feed = Feed("sniffer", CaptureProcess(command), inbox)
    feed.start()
    gather(inbox, lambda found: bool(heard(found)) and (tmp_path / "pid").exists())
    deadline = time.monotonic() + PATIENCE_S
    while not (pid := (tmp_path / "pid").read_text()):
        assert time.monotonic() < deadline
    feed.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_damaged_remote_id_is_counted_and_the_next_is_heard(tmp_path: Path, inbox: Inbox) -> None:
    cut = bytearray(link_layer(MESSAGE))
    cut[8] += 9  # service data that says it is longer than it is
    packets = pcap(with_phdr(bytes(cut)), with_phdr(link_layer(MESSAGE)))
    feed = Feed("sniffer", CaptureProcess(stand_in(tmp_path, packets, FOR_LONG)), inbox)
    feed.start()
    try:
        gather(inbox, lambda found: bool(heard(found)))
    finally:
        feed.close()
    assert feed.counts.refused == 1


def test_a_command_without_a_program_is_refused() -> None:
    with pytest.raises(InputError, match="names no program"):
        CaptureProcess(())


PACK = rid.encode_pack((rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"),))
CODED = 0x0C13 | 2 << 14


def test_long_range_packets_have_an_indicator_of_their_coding() -> None:
    data = with_phdr(extended(PACK), flags=CODED, coding=b"\x00")
    frame = frames.extract(frames.LINK_BLE_WITH_PHDR, data)
    assert frame is not None
    assert (frame.transport, frame.payload) == ("ble-long-range", PACK)
    assert frame.transmitter == "c6:05:04:03:02:01"


@pytest.mark.parametrize(
    ("flags", "heard_it"),
    [(0x0C13, True), (0x0413, False), (0x0013, True)],
    ids=["checksum right", "checksum wrong", "checksum not looked at"],
)
def test_a_packet_with_a_wrong_checksum_is_dropped(flags: int, heard_it: bool) -> None:
    data = with_phdr(link_layer(MESSAGE), flags=flags)
    assert (frames.extract(frames.LINK_BLE_WITH_PHDR, data) is not None) is heard_it


def test_a_strength_that_was_not_measured_is_unknown() -> None:
    frame = frames.extract(frames.LINK_BLE_WITH_PHDR, with_phdr(link_layer(MESSAGE), flags=0x0C11))
    assert frame is not None
    assert frame.rssi_dbm is None
