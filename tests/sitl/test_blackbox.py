"""The onboard log is one that others read: pymavlink's DFReader is the judge."""

from __future__ import annotations

import functools
import struct
import zlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymavlink.DFReader import DFReader_binary
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.filetransfer import HEAD, Op, Packet, Refusal
from sitl.items import Cmd
from sitl.modes import Mode
from tests.sitl.bench import BOOT_AT, HOME_ITEM, RETURN, TAKE_OFF_20, Bench, Gcs, at, do

ITEMS = [
    HOME_ITEM,
    TAKE_OFF_20,
    do(Cmd.DO_SET_CAM_TRIGG_DIST, 10.0),
    at(30.0, 0.0, 20.0),
    do(Cmd.DO_SET_CAM_TRIGG_DIST, 0.0),
    RETURN,
]


@functools.cache
def flown() -> Bench:
    """A bench whose vehicle has flown a short mission; only read from."""
    bench = Bench()
    bench.fly_mission(ITEMS)
    return bench


def fresh(bench: Bench) -> Gcs:
    return bench.join(255)


def read(tmp_path: Path, data: bytes) -> list[Any]:
    """Every message, as pymavlink reads it."""
    path = tmp_path / "log.bin"
    path.write_bytes(data)
    reader = DFReader_binary(str(path))
    messages = []
    while (message := reader.recv_msg()) is not None:
        messages.append(message)
    reader.close()
    return messages


def test_pymavlink_reads_every_byte_of_the_log(tmp_path: Path) -> None:
    (log,) = flown().station.blackbox.logs
    messages = read(tmp_path, log.data)
    assert sum(message.fmt.len for message in messages) == log.size
    counts = Counter(message.get_type() for message in messages)
    armed_s = (messages[-1].TimeUS - next(m.TimeUS for m in messages if m.fmt.name == "ARM")) / 1e6
    assert 0.9 * 10 * armed_s <= counts["ATT"] <= 1.1 * 10 * armed_s
    assert 0.9 * 5 * armed_s <= counts["GPS"] <= 1.1 * 5 * armed_s
    assert counts["CMD"] == len(ITEMS)
    assert counts["CAM"] == len(flown().shots)
    assert counts["PARM"] == len(flown().ap.params)


def test_the_log_tells_the_flight_as_it_was(tmp_path: Path) -> None:
    bench = flown()
    messages = read(tmp_path, bench.station.blackbox.logs[0].data)
    highest = max(m.RelHomeAlt for m in messages if m.get_type() == "POS")
    assert highest == pytest.approx(max(point[2] for point in bench.track), abs=0.1)
    modes = [m.ModeNum for m in messages if m.get_type() == "MODE"]
    assert modes == [Mode.GUIDED, Mode.AUTO]
    texts = [m.Message for m in messages if m.get_type() == "MSG"]
    assert texts[0].startswith("ArduCopter V4.7")
    assert "Disarming motors" in texts
    states = [m.ArmState for m in messages if m.get_type() == "ARM"]
    assert states == [1, 0]
    percents = [m.RemPct for m in messages if m.get_type() == "BAT"]
    assert percents == sorted(percents, reverse=True)


def test_the_logs_photos_stand_where_and_when_the_shutter_fired(tmp_path: Path) -> None:
    bench = flown()
    messages = read(tmp_path, bench.station.blackbox.logs[0].data)
    photos = [m for m in messages if m.get_type() == "CAM"]
    for photo, shot in zip(photos, bench.shots, strict=True):
        assert photo.Img == shot.index
        assert photo.Lat == pytest.approx(shot.lat_deg, abs=2e-7)
        since_s = photo.GPSWeek * 604_800 + photo.GPSTime / 1000 - 18
        unix_s = datetime(1980, 1, 6, tzinfo=UTC).timestamp() + since_s
        assert unix_s == pytest.approx(shot.at.timestamp(), abs=0.002)


def test_units_are_told_as_ardupilot_does(tmp_path: Path) -> None:
    messages = read(tmp_path, flown().station.blackbox.logs[0].data)
    position = next(m for m in messages if m.get_type() == "POS")
    assert position.fmt.get_unit("Lat") == "deglatitude"
    assert position.fmt.get_unit("RelHomeAlt") == "m"


def test_nothing_is_logged_on_the_ground_and_a_second_arming_goes_on_in_the_same_log() -> None:
    bench = Bench()
    assert bench.station.blackbox.logs == []
    bench.hover(5.0)
    bench.ap.force_mode(Mode.LAND)
    bench.run_until(lambda: not bench.ap.armed)
    (log,) = bench.station.blackbox.logs
    size = log.size
    bench.run(5.0)
    assert log.size == size
    bench.hover(5.0)
    assert len(bench.station.blackbox.logs) == 1
    assert log.size > size


def test_rotating_begins_a_new_log_at_each_arming() -> None:
    bench = Bench(LOG_FILE_DSRMROT=1)
    for _ in range(2):
        bench.hover(3.0)
        bench.ap.force_mode(Mode.LAND)
        bench.run_until(lambda: not bench.ap.armed)
    assert [log.number for log in bench.station.blackbox.logs] == [1, 2]


def test_the_list_names_every_log_with_its_time_and_size() -> None:
    bench = flown()
    gcs = fresh(bench)
    gcs.send(mav.MAVLink_log_request_list_message(1, 1, 0, 0xFFFF))
    bench.run(1.0)
    (entry,) = gcs.of("LOG_ENTRY")
    log = bench.station.blackbox.logs[0]
    assert (entry.id, entry.num_logs, entry.last_log_num, entry.size) == (1, 1, 1, log.size)
    assert entry.time_utc == pytest.approx(BOOT_AT.timestamp() + 42.0, abs=2.0)


def test_an_empty_card_answers_with_number_zero() -> None:
    bench = Bench(ready=False)
    bench.gcs.send(mav.MAVLink_log_request_list_message(1, 1, 0, 0xFFFF))
    bench.run(0.5)
    (entry,) = bench.gcs.of("LOG_ENTRY")
    assert (entry.id, entry.num_logs) == (0, 0)


def test_the_pieces_are_the_logs_bytes_and_a_short_one_ends_them() -> None:
    bench = flown()
    gcs = fresh(bench)
    log = bench.station.blackbox.logs[0].data
    gcs.send(mav.MAVLink_log_request_data_message(1, 1, 1, 0, 0xFFFFFFFF))
    bench.run(60.0)
    pieces = gcs.of("LOG_DATA")
    assert b"".join(bytes(p.data[: p.count]) for p in pieces) == log
    assert [p.ofs for p in pieces] == list(range(0, len(log) + 1, 90))[: len(pieces)]
    assert pieces[-1].count < 90


def test_a_request_during_a_transfer_is_dropped_in_silence() -> None:
    bench = flown()
    gcs, other = fresh(bench), bench.join(254)
    gcs.send(mav.MAVLink_log_request_data_message(1, 1, 1, 0, 9000))
    gcs.send(mav.MAVLink_log_request_data_message(1, 1, 1, 45_000, 90))
    other.send(mav.MAVLink_log_request_data_message(1, 1, 1, 0, 90))
    bench.run(2.0)
    assert max(p.ofs for p in gcs.of("LOG_DATA")) < 9000
    assert other.of("LOG_DATA") == []
    assert other.texts() == ["Log download in progress"]


def test_an_armed_vehicle_serves_no_log() -> None:
    bench = Bench()
    bench.hover(5.0)
    bench.gcs.send(mav.MAVLink_log_request_list_message(1, 1, 0, 0xFFFF))
    bench.run(2.0)
    assert bench.gcs.of("LOG_ENTRY") == []


def test_erasing_empties_the_card() -> None:
    bench = Bench()
    bench.hover(3.0)
    bench.gcs.send(mav.MAVLink_log_erase_message(1, 1))
    assert len(bench.station.blackbox.logs) == 1
    bench.ap.force_mode(Mode.LAND)
    bench.run_until(lambda: not bench.ap.armed)
    bench.gcs.send(mav.MAVLink_log_erase_message(1, 1))
    assert bench.station.blackbox.logs == []


class Files:
    """A file transfer client as plain as can be."""

    def __init__(self, bench: Bench, sysid: int = 255) -> None:
        self.bench = bench
        self.gcs = bench.join(sysid)
        self.seq = 100

    def ask(
        self, op: int, data: bytes = b"", *, offset: int = 0, size: int | None = None
    ) -> Packet:
        self.seq += 2
        self.gcs.clear()
        self.again(op, data, offset=offset, size=size)
        return Packet.of(self.gcs.last("FILE_TRANSFER_PROTOCOL"))

    def again(self, op: int, data: bytes, *, offset: int = 0, size: int | None = None) -> None:
        length = len(data) if size is None else size
        payload = HEAD.pack(self.seq, 3, op, length, 0, 0, offset) + data
        message = mav.MAVLink_file_transfer_protocol_message(0, 1, 1, payload.ljust(251, b"\0"))
        self.gcs.send(message)
        self.bench.station.files.poll()


LOG = b"/APM/LOGS/00000001.BIN"


def test_the_card_is_listed_as_folders_and_files() -> None:
    files = Files(flown())
    assert files.ask(Op.LIST, b"/").data == b"DAPM\0"
    size = flown().station.blackbox.logs[0].size
    expected = b"F00000001.BIN\t%d\0FLASTLOG.TXT\t3\0" % size
    assert files.ask(Op.LIST, b"/APM/LOGS").data == expected
    end = files.ask(Op.LIST, b"/APM/LOGS", offset=2)
    assert (end.opcode, end.data[0]) == (Op.NAK, Refusal.END_OF_FILE)


def test_a_file_is_read_in_pieces_and_its_checksum_agrees() -> None:
    files = Files(flown())
    log = flown().station.blackbox.logs[0].data
    (size,) = struct.unpack("<I", files.ask(Op.OPEN_RO, LOG).data)
    assert size == len(log)
    assert files.ask(Op.READ, offset=1000, size=200).data == log[1000:1200]
    (told,) = struct.unpack("<I", files.ask(Op.CRC32, LOG).data)
    assert told == zlib.crc32(log, 0xFFFFFFFF) ^ 0xFFFFFFFF
    assert files.ask(Op.TERMINATE).opcode == Op.ACK
    lost = files.ask(Op.READ, offset=0, size=10)
    assert (lost.opcode, lost.data[0]) == (Op.NAK, Refusal.INVALID_SESSION)


def test_one_session_at_a_time_until_it_rests_for_three_seconds() -> None:
    bench = flown()
    files = Files(bench)
    assert files.ask(Op.RESET).opcode == Op.ACK
    assert files.ask(Op.OPEN_RO, LOG).opcode == Op.ACK
    other = Files(bench, 254)
    other.seq = 500
    assert other.ask(Op.OPEN_RO, LOG).data[0] == Refusal.NO_SESSIONS
    bench.run(3.5)
    assert other.ask(Op.OPEN_RO, LOG).opcode == Op.ACK


def test_a_repeated_request_gets_the_same_answer() -> None:
    files = Files(flown())
    files.ask(Op.RESET)
    first = files.ask(Op.OPEN_RO, LOG)
    files.again(Op.OPEN_RO, LOG)
    assert Packet.of(files.gcs.last("FILE_TRANSFER_PROTOCOL")) == first


def test_a_burst_counts_on_and_ends_with_the_end_of_the_file() -> None:
    bench = flown()
    files = Files(bench)
    files.ask(Op.RESET)
    files.ask(Op.OPEN_RO, LOG)
    log = bench.station.blackbox.logs[0].data
    files.ask(Op.BURST, offset=len(log) - 1000, size=239)
    bench.run(1.0)
    answers = [Packet.of(m) for m in files.gcs.of("FILE_TRANSFER_PROTOCOL")]
    assert b"".join(a.data for a in answers[:-1]) == log[-1000:]
    assert [a.seq - answers[0].seq for a in answers] == list(range(len(answers)))
    assert (answers[-1].opcode, answers[-1].data[0]) == (Op.NAK, Refusal.END_OF_FILE)


def test_what_is_not_there_or_not_allowed_is_named() -> None:
    files = Files(flown())
    files.ask(Op.RESET)
    assert files.ask(Op.OPEN_RO, b"/etc/passwd").data[0] == Refusal.NOT_FOUND
    assert files.ask(Op.LIST, b"/nowhere").data[0] == Refusal.NOT_FOUND
    assert files.ask(8, LOG).data[0] == Refusal.UNKNOWN_COMMAND
