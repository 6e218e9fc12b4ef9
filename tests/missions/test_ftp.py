"""A file comes home whole over MAVFTP, or the failure has a name."""

from __future__ import annotations

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.missions.mavlink import ftp, ftplist
from droneteam.missions.mavlink.ftplist import FolderEntry
from droneteam.missions.mavlink.handshake import Failed, Timing
from droneteam.missions.mavlink.logs import Fetched
from droneteam.missions.mavlink.messages import FtpPacket
from tests.missions.card import Card, Line, Run, transfer
from tests.missions.test_logs import BAD, FAR, LOG, SIZE, bad

TIMING = Timing()
PATH = "/APM/LOGS/00000001.BIN"


def fetch(card: Card, path: str = PATH, seq: int = 700, **more: object) -> Run:
    begun = ftp.start_file(path, TIMING, card.now_s, first_seq=seq)
    return transfer(card, begun, ftp.file_step, **more)  # type: ignore[arg-type]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_the_checksum_is_the_one_without_inversions(data: bytes, cut: int) -> None:
    crc = 0
    for byte in data:  # bit by bit, as ArduPilot's crc32_small does
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    assert ftp.vehicle_crc32(data) == crc
    assert ftp.vehicle_crc32(data[cut:], ftp.vehicle_crc32(data[:cut])) == crc
    assert binascii.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF == crc


def test_a_good_link_brings_the_file_with_its_checksum_and_closes_the_session() -> None:
    card = Card([LOG])
    run = fetch(card)
    assert bytes(run.file) == LOG
    assert run.state.outcome == Fetched(SIZE, ftp.vehicle_crc32(LOG))
    ops = [one.opcode for one in card.asked if isinstance(one, FtpPacket)]
    assert ops == [ftp.Op.OPEN_RO, ftp.Op.BURST, ftp.Op.CRC32, ftp.Op.TERMINATE]


@pytest.mark.parametrize("line", [BAD, FAR], ids=["near", "two seconds away"])
@pytest.mark.parametrize("seed", range(4))
def test_a_link_that_loses_a_third_brings_every_byte(line: Line, seed: int) -> None:
    card = Card([LOG], up=bad(line, seed), down=bad(line, seed + 50))
    run = fetch(card)
    assert isinstance(run.state.outcome, Fetched), run.state.outcome
    assert bytes(run.file) == LOG
    assert run.state.outcome.crc32 in (None, ftp.vehicle_crc32(LOG))


def test_what_was_there_before_is_not_fetched_again() -> None:
    half = fetch(Card([LOG]), stop=lambda state: state.share > 0.5)
    again = Card([LOG])
    begun = ftp.start_file(PATH, TIMING, again.now_s, half.state.have)
    rest = transfer(again, begun, ftp.file_step, file=half.file)
    assert bytes(rest.file) == LOG
    assert half.pieces + rest.pieces <= -(-SIZE // ftp.DATA_BYTES) + 1


def test_a_lost_session_is_opened_again_and_what_was_read_stays() -> None:
    card = Card([LOG], down=Line(loss=0.2, seed=5))
    lost = []

    def lose_once(state: ftp.FileFetch) -> bool:
        if state.share > 0.5 and not lost:
            card.station.files.lose_session()
            lost.append(state.share)
        return False

    run = fetch(card, stop=lose_once)
    assert bytes(run.file) == LOG
    assert run.state.sessions == 2
    assert lost


def test_a_vehicle_that_loses_every_session_is_given_up() -> None:
    card = Card([LOG], down=Line(loss=0.3, seed=5))

    def lose_always(state: ftp.FileFetch) -> bool:
        card.station.files.lose_session()
        return False

    outcome = fetch(card, stop=lose_always).state.outcome
    assert isinstance(outcome, Failed)
    assert outcome.name == "ftp-session-lost"


def test_somebody_elses_session_is_reset() -> None:
    card = Card([LOG])
    fetch(card, stop=lambda state: state.share > 0.2)
    run = fetch(card, seq=9000)
    assert bytes(run.file) == LOG
    assert ftp.Op.RESET in [one.opcode for one in card.asked if isinstance(one, FtpPacket)]


def test_an_empty_file_is_whole_at_once() -> None:
    run = fetch(Card([b""]))
    assert run.state.outcome == Fetched(0, 0)
    assert run.file == b""


def test_what_is_not_there_is_named() -> None:
    outcome = fetch(Card([LOG]), "/APM/LOGS/00000009.BIN").state.outcome
    assert outcome == Failed("ftp-not-found", "/APM/LOGS/00000009.BIN: NOT_FOUND (10)")


def test_silence_ends_with_a_name_and_without_a_flood() -> None:
    for cut_from_s in (0.0, 0.5):
        card = Card([LOG], down=Line(cut_from_s=cut_from_s))
        run = fetch(card)
        assert isinstance(run.state.outcome, Failed)
        assert run.state.outcome.name == "ftp-silent"
        assert TIMING.deadline_s <= run.seconds <= TIMING.deadline_s + 5.0
        assert 5 <= len(card.asked) <= 40


def test_a_vehicle_without_checksums_is_believed() -> None:
    state, _, _ = ftp.start_file(PATH, TIMING, 0.0)
    opened = FtpPacket(1, 3, ftp.Op.ACK, 4, 0, bytes(4), ftp.Op.OPEN_RO)
    state, sends, _ = ftp.file_step(state, opened, 0.1)
    (asked,) = sends
    assert isinstance(asked, FtpPacket)
    assert asked.opcode == ftp.Op.CRC32
    no = FtpPacket(asked.seq + 1, 3, ftp.Op.NAK, 1, 0, b"\7", ftp.Op.CRC32)
    state, sends, _ = ftp.file_step(state, no, 0.2)
    (closing,) = sends
    assert isinstance(closing, FtpPacket)
    ended = FtpPacket(closing.seq + 1, 3, ftp.Op.ACK, 0, 0, b"", ftp.Op.TERMINATE)
    state, _, _ = ftp.file_step(state, ended, 0.3)
    assert state.outcome == Fetched(0, None)


def test_an_answer_to_another_number_is_not_ours() -> None:
    state, _, _ = ftp.start_file(PATH, TIMING, 0.0, first_seq=10)
    strange = FtpPacket(40, 3, ftp.Op.ACK, 4, 0, bytes(4), ftp.Op.OPEN_RO)
    again, sends, pieces = ftp.file_step(state, strange, 0.1)
    assert (again, sends, pieces) == (state, (), ())


def test_numbers_wrap_around() -> None:
    card = Card([LOG], down=Line(loss=0.2, seed=2))
    begun = ftp.start_file(PATH, TIMING, card.now_s, first_seq=65_530)
    run = transfer(card, begun, ftp.file_step)
    assert bytes(run.file) == LOG


# Folders


def folder(card: Card, path: str) -> Run:
    return transfer(card, ftplist.start_folder(path, TIMING, card.now_s), ftplist.folder_step)


def test_a_folder_of_many_files_is_listed_over_a_bad_link() -> None:
    sizes = [10 * n for n in range(1, 31)]
    for seed in range(3):
        card = Card([bytes(n) for n in sizes], up=bad(FAR, seed), down=bad(FAR, seed + 7))
        outcome = folder(card, "/APM/LOGS").state.outcome
        assert isinstance(outcome, ftplist.Folder)
        named = [FolderEntry(f"{n:08d}.BIN", size) for n, size in enumerate(sizes, start=1)]
        assert list(outcome.entries) == [*named, FolderEntry("LASTLOG.TXT", 4)]


def test_folders_are_told_from_files_and_a_missing_one_is_named() -> None:
    outcome = folder(Card([LOG]), "/").state.outcome
    assert outcome == ftplist.Folder((FolderEntry("APM", None),))
    missing = folder(Card([LOG]), "/nowhere").state.outcome
    assert isinstance(missing, Failed)
    assert missing.name == "ftp-not-found"
    silent = folder(Card([LOG], down=Line(cut_from_s=0.0)), "/").state.outcome
    assert isinstance(silent, Failed)
    assert silent.name == "ftp-timeout"


def test_entries_left_out_are_counted_but_not_shown() -> None:
    state, _ = ftplist.start_folder("/x", TIMING, 0.0)
    data = b"S\0Da\0D.\0Fb\t12\0Fc\0"
    answer = FtpPacket(1, 0, ftp.Op.ACK, len(data), 0, data, ftp.Op.LIST)
    state, sends = ftplist.folder_step(state, answer, 0.1)
    assert state.entries == (FolderEntry("a", None), FolderEntry("b", 12), FolderEntry("c", 0))
    (following,) = sends
    assert isinstance(following, FtpPacket)
    assert following.offset == 5
