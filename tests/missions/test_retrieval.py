"""Which log is brought home and how; what lies on the disk is what the vehicle holds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from droneteam.missions.mavlink.fetching import LogFetcher
from droneteam.missions.mavlink.ftp import vehicle_crc32
from droneteam.missions.mavlink.handshake import Failed, Timing
from droneteam.missions.mavlink.logs import Piece
from droneteam.missions.mavlink.logstore import PartFile, StoredLog
from droneteam.missions.mavlink.messages import FtpPacket, Heartbeat, LogDataRequest, LogListRequest
from droneteam.missions.mavlink.retrieval import (
    ChosenLog,
    Known,
    Retrieved,
    retrieval_step,
    start_retrieval,
)
from tests.missions.card import Card, Line, Run, contents, transfer
from tests.sitl.bench import BOOT_AT

TIMING = Timing()
OLD, NEW = contents(5000, 1), contents(30_000, 2)


def retrieve(card: Card, known: Known | None = None) -> Run:
    begun = start_retrieval(TIMING, card.now_s, known=known, first_seq=40)
    return transfer(card, begun, retrieval_step)


def test_the_newest_log_is_taken_over_the_quick_protocol() -> None:
    card = Card([OLD, NEW])
    run = retrieve(card)
    assert bytes(run.file) == NEW
    chosen = ChosenLog("LOG_DATA", "2", len(NEW), BOOT_AT)
    assert run.state.outcome == Retrieved(chosen, len(NEW), None)
    assert not [one for one in card.asked if isinstance(one, FtpPacket)]


class OnlyFiles(Card):
    """A vehicle that does not know the log protocol."""

    def send(self, message: object) -> None:
        if not isinstance(message, LogListRequest | LogDataRequest):
            super().send(message)  # type: ignore[arg-type]


def test_a_vehicle_that_knows_only_file_transfer_gives_its_newest_file() -> None:
    run = retrieve(OnlyFiles([OLD, NEW]))
    assert bytes(run.file) == NEW
    assert run.state.outcome == Retrieved(
        ChosenLog("MAVFTP", "/APM/LOGS/00000002.BIN", len(NEW)), len(NEW), vehicle_crc32(NEW)
    )


def test_an_empty_card_and_a_silent_vehicle_have_names() -> None:
    empty = retrieve(Card([])).state.outcome
    assert empty == Failed("log-none", "no log in /APM/LOGS")
    silent = retrieve(Card([NEW], down=Line(cut_from_s=0.0)))
    assert isinstance(silent.state.outcome, Failed)
    assert silent.state.outcome.name == "ftp-timeout"
    assert silent.seconds < 2 * TIMING.deadline_s


def test_a_vehicle_that_is_armed_meanwhile_is_left_alone() -> None:
    state, _, _ = start_retrieval(TIMING, 0.0)
    state, sends, _ = retrieval_step(state, Heartbeat(0, armed=False), 0.1)
    assert (state.outcome, sends) == (None, ())
    state, sends, _ = retrieval_step(state, Heartbeat(3, armed=True), 0.2)
    assert isinstance(state.outcome, Failed)
    assert state.outcome.name == "log-armed"
    assert sends == ()


def test_an_earlier_part_counts_only_for_the_same_log_that_may_have_grown() -> None:
    log = ChosenLog("LOG_DATA", "2", 1000, BOOT_AT)
    known = Known(log, ((0, 500),))
    assert known.of(log) == ((0, 500),)
    assert known.of(ChosenLog("LOG_DATA", "2", 2000, BOOT_AT)) == ((0, 500),)
    assert known.of(ChosenLog("LOG_DATA", "2", 900, BOOT_AT)) == ()
    assert known.of(ChosenLog("LOG_DATA", "2", 1000, None)) == ()
    assert known.of(ChosenLog("LOG_DATA", "3", 1000, BOOT_AT)) == ()
    assert known.of(ChosenLog("MAVFTP", "2", 1000, BOOT_AT)) == ()


# The file


CHOSEN = ChosenLog("MAVFTP", "x", 10, BOOT_AT)


def test_what_was_written_and_noted_is_known_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    PartFile(path).write(CHOSEN, (Piece(0, b"abcd"),), ((0, 4),), 0.0)
    assert PartFile(path).known == Known(CHOSEN, ((0, 4),))
    again = PartFile(path)
    again.write(CHOSEN, (Piece(4, b"efghij"),), ((0, 10),), 5.0)
    stored = again.finish(Retrieved(CHOSEN, 10, vehicle_crc32(b"abcdefghij")))
    assert stored == StoredLog(
        path,
        hashlib.sha256(b"abcdefghij").hexdigest(),
        10,
        "MAVFTP",
        "x",
        checked=True,
        listed_bytes=10,
    )
    assert path.read_bytes() == b"abcdefghij"
    assert [one.name for one in tmp_path.iterdir()] == ["a.bin"]


def test_another_log_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    PartFile(path).write(CHOSEN, (Piece(0, b"abcd"),), ((0, 4),), 0.0)
    other = ChosenLog("MAVFTP", "y", 2)
    fresh = PartFile(path)
    fresh.write(other, (Piece(0, b"zz"),), ((0, 2),), 0.0)
    fresh.finish(Retrieved(other, 2, None))
    assert path.read_bytes() == b"zz"


@pytest.mark.parametrize("note", ["", "{", '{"log": {}, "have": []}', '{"have": [[0, 99]]}'])
def test_a_note_that_was_being_written_is_not_believed(tmp_path: Path, note: str) -> None:
    path = tmp_path / "a.bin"
    PartFile(path).write(CHOSEN, (Piece(0, b"abcd"),), ((0, 4),), 0.0)
    (tmp_path / "a.bin.part.json").write_text(note)
    assert PartFile(path).known is None


def test_a_note_about_bytes_that_are_not_there_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    PartFile(path).write(CHOSEN, (Piece(0, b"abcd"),), ((0, 4),), 0.0)
    note = tmp_path / "a.bin.part.json"
    document = json.loads(note.read_text())
    note.write_text(json.dumps({**document, "have": [[0, 9]]}))
    assert PartFile(path).known is None


def test_a_wrong_checksum_is_named_and_nothing_is_taken_for_the_log(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    part = PartFile(path)
    part.write(CHOSEN, (Piece(0, b"abcdefghij"),), ((0, 10),), 0.0)
    failed = part.finish(Retrieved(CHOSEN, 10, 0x12345678))
    assert isinstance(failed, Failed)
    assert failed.name == "log-checksum"
    assert "12345678" in failed.detail
    assert not path.exists()
    assert PartFile(path).known is None


# Both together


def drive(card: Card, fetcher: LogFetcher, steps: int) -> None:
    for _ in range(steps):
        for message in card.pass_time():
            fetcher.hear(message, card.now_s)
        fetcher.tick(card.now_s)
        if not fetcher.running:
            return


def a_fetcher(card: Card, path: Path, notes: list[str]) -> LogFetcher:
    return LogFetcher(path, TIMING, first_seq=7, send=card.send, note=notes.append)


def test_a_fetcher_stores_the_log_and_says_what_it_did(tmp_path: Path) -> None:
    card, notes = Card([OLD, NEW]), list[str]()
    fetcher = a_fetcher(card, tmp_path / "a.bin", notes)
    assert fetcher.finish() is None
    fetcher.start(card.now_s)
    drive(card, fetcher, 10_000)
    stored = fetcher.finish()
    assert isinstance(stored, StoredLog)
    assert (tmp_path / "a.bin").read_bytes() == NEW
    assert notes == ["log 2 of 30000 bytes, over LOG_DATA", f"sha256 {stored.sha256}"]


def test_an_interrupted_fetch_keeps_what_came_and_goes_on_with_it(tmp_path: Path) -> None:
    card, notes = Card([NEW], down=Line(loss=0.2, seed=8)), list[str]()
    first = a_fetcher(card, tmp_path / "a.bin", notes)
    first.start(card.now_s)
    while not (tmp_path / "a.bin.part").exists():
        drive(card, first, 1)
    stopped = first.finish()
    assert isinstance(stopped, Failed)
    assert stopped.name == "log-interrupted"
    known = PartFile(tmp_path / "a.bin").known
    assert known is not None
    second = a_fetcher(card, tmp_path / "a.bin", notes)
    second.start(card.now_s)
    drive(card, second, 10_000)
    assert isinstance(second.finish(), StoredLog)
    assert (tmp_path / "a.bin").read_bytes() == NEW
