"""What a real ArduCopter 4.7 sent is understood, and the simulator writes the same formats."""

from __future__ import annotations

import functools
import struct
from pathlib import Path

import pytest
from pymavlink.DFReader import DFReader_binary

from droneteam.missions.mavlink import codec, logs
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.logs import Listed
from droneteam.missions.mavlink.messages import LogData, LogEntry
from droneteam.missions.mavlink.tlog import TlogReader
from droneteam.missions.record.dataflash import DataFlashReader, read_onboard_log
from droneteam.missions.record.sortie import read_sortie
from tests.missions.card import store
from tests.missions.test_record import real_log
from tests.sitl.test_blackbox import flown

SENT_BYTES = 300_000
"""The recording's client asked for so much of the third log."""


@functools.cache
def transfer() -> tuple[tuple[LogEntry, ...], bytes]:
    """The recorded list, and the log that the fetching machine makes of the recorded pieces."""
    listing, _ = logs.start_list(Timing(), 0.0)
    fetch, file = None, bytearray()
    for record in TlogReader(real_log("t2.tlog").read_bytes()).records():
        if record.frame.message_id not in (118, 120):
            continue
        message = codec.decode(record.frame)
        now_s = record.at.timestamp()
        if isinstance(message, LogEntry):
            listing, _ = logs.list_step(listing, message, now_s)
        elif isinstance(message, LogData):
            if fetch is None:
                fetch, _, _ = logs.start_fetch(message.log_id, SENT_BYTES, Timing(), now_s)
            fetch, _, pieces = logs.fetch_step(fetch, message, now_s)
            for piece in pieces:
                store(file, piece)
    assert fetch is not None
    assert fetch.outcome == logs.Fetched(SENT_BYTES)
    assert isinstance(listing.outcome, Listed)
    return listing.outcome.entries, bytes(file)


def test_the_recorded_list_and_pieces_make_a_log() -> None:
    entries, data = transfer()
    assert [entry.log_id for entry in entries] == [1, 2, 3]
    assert len(data) == SENT_BYTES
    log = read_onboard_log(data)
    assert log.texts[0][1] == "Arming motors"
    assert log.note.startswith("cut in mid-message")  # the client asked for no more
    assert log.time is not None
    assert log.time.uncertainty_s < 0.25


def test_pymavlink_counts_the_same_messages_in_it(tmp_path: Path) -> None:
    _, data = transfer()
    path = tmp_path / "real.bin"
    path.write_bytes(data)
    theirs = DFReader_binary(str(path))
    counted = 0
    while (message := theirs.recv_msg()) is not None:
        counted += message.get_type() != "FMT"
    theirs.close()
    ours = DataFlashReader(data)
    assert sum(1 for _ in ours.rows()) == counted
    assert ours.skipped_bytes == 0


def formats(data: bytes) -> dict[str, tuple[str, str]]:
    """Types and labels by name, from the FMT messages alone."""
    found, at = {}, 0
    while (at := data.find(b"\xa3\x95\x80", at)) >= 0 and at + 89 <= len(data):
        _, _, name, types, labels = struct.unpack_from("<BB4s16s64s", data, at + 3)
        text = [raw.split(b"\0", 1)[0].decode("ascii", "replace") for raw in (name, types, labels)]
        found.setdefault(text[0], (text[1], text[2]))
        at += 89
    return found


def test_the_simulators_messages_have_the_real_ones_types_and_labels() -> None:
    real = formats(transfer()[1])
    ours = formats(flown().station.blackbox.logs[0].data)
    assert len(real) > 150
    assert {name: real[name] for name in ours} == ours


@pytest.mark.parametrize("name", ["t1.tlog", "t2.tlog", "t3.tlog"])
def test_a_real_logs_times_are_bound_by_its_calendar(name: str) -> None:
    log = read_sortie(real_log(name))
    assert log.time is not None
    assert log.time.source == "calendar"
    assert log.time.uncertainty_s < 1.0
    assert log.channels.lost_share is not None
    assert log.channels.lost_share < 0.05
