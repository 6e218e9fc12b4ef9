"""Frames and captures: laid out by hand, from real radios, and damaged."""

from __future__ import annotations

import contextlib
import io
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.detection import capture, frames, rid
from droneteam.detection.receivers import Tally, parse_json, read_file
from droneteam.errors import DecodeError, InputError

CAPTURES = Path(__file__).parents[3] / "shared" / "data" / "remote-id"
PACK = rid.encode_pack((rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"),))
ADDRESS = bytes.fromhex("84cca8604324")


def radiotap(frame: bytes, *, flags: int = 0, rssi_dbm: int = -61) -> bytes:
    head = struct.pack("<BBHIBb", 0, 0, 10, 1 << 1 | 1 << 5, flags, rssi_dbm)
    return head + frame


def beacon(content: bytes = b"\x07" + PACK) -> bytes:
    mac = b"\x80\x00\x00\x00" + b"\xff" * 6 + ADDRESS + ADDRESS + b"\x00\x00"
    element = b"\xfa\x0b\xbc\x0d" + content
    name = b"\x00\x03abc"
    return mac + bytes(12) + name + bytes((221, len(element))) + element


def nan(content: bytes = b"\x07" + PACK, control: int = 0x10, options: bytes = b"") -> bytes:
    mac = b"\xd0\x00\x00\x00" + b"\x51\x6f\x9a\x01\x00\x00" + ADDRESS + ADDRESS + b"\x00\x00"
    descriptor = b"\x88\x69\x19\x9d\x92\x09\x01\x00" + bytes((control,)) + options
    descriptor += bytes((len(content),)) + content
    attribute = b"\x03" + struct.pack("<H", len(descriptor)) + descriptor
    return mac + b"\x04\x09\x50\x6f\x9a\x13" + b"\x01\x02\x00\xaa\xbb" + attribute


def bluetooth(content: bytes = b"\x07" + PACK, *, flags: int = 0x21) -> bytes:
    data = bytes((len(content) + 4,)) + b"\x16\xfa\xff\x0d" + content
    pdu_body = b"\x09\x09" + ADDRESS[::-1] + b"\x75\x0e" + data
    pdu = bytes((0x07, len(pdu_body))) + pdu_body
    head = struct.pack("<BHBHBBBBBHI", 3, 0, 3, 1, 2, 10, flags, 10, 53, 0, 0)
    coding = b"\x00" if flags >> 4 == 2 else b""
    return head + struct.pack("<I", 0x8E89BED6) + coding + pdu + bytes(3)


@pytest.mark.parametrize(
    ("link_type", "data", "transport", "rssi_dbm"),
    [
        (frames.LINK_RADIOTAP, radiotap(beacon()), "wifi-beacon", -61),
        (frames.LINK_RADIOTAP, radiotap(beacon() + bytes(4), flags=0x10), "wifi-beacon", -61),
        (frames.LINK_RADIOTAP, radiotap(nan()), "wifi-nan", -61),
        (
            frames.LINK_RADIOTAP,
            radiotap(nan(control=0x5C, options=b"\0\0\x02ab\x01c")),
            "wifi-nan",
            -61,
        ),
        (frames.LINK_NORDIC_BLE, bluetooth(), "ble-long-range", -53),
        (frames.LINK_NORDIC_BLE, bluetooth(flags=0x01), "ble-5", -53),
    ],
)
def test_a_hand_laid_frame_gives_its_payload(
    link_type: int, data: bytes, transport: str, rssi_dbm: int
) -> None:
    frame = frames.extract(link_type, data)
    assert frame == frames.Frame(transport, "84:cc:a8:60:43:24", 7, PACK, rssi_dbm)


@pytest.mark.parametrize(
    ("link_type", "data"),
    [
        (frames.LINK_RADIOTAP, radiotap(beacon(), flags=0x40)),
        (frames.LINK_NORDIC_BLE, bluetooth(flags=0x20)),
    ],
)
def test_a_frame_with_a_bad_checksum_is_dropped(link_type: int, data: bytes) -> None:
    assert frames.extract(link_type, data) is None


def test_nan_content_that_lies_about_its_length_is_refused() -> None:
    data = radiotap(nan())
    with pytest.raises(DecodeError):
        frames.extract(frames.LINK_RADIOTAP, data[:-10])


@pytest.mark.parametrize("make", [lambda: radiotap(beacon()), lambda: radiotap(nan()), bluetooth])
@given(cut=st.integers(0, 200), flip=st.integers(0, 2000))
def test_damaged_frames_decode_or_raise(make: Callable[[], bytes], cut: int, flip: int) -> None:
    data = bytearray(make())
    data[flip // 8 % len(data)] ^= 1 << flip % 8
    for link_type in frames.LINK_TYPES:
        with contextlib.suppress(DecodeError):
            frames.extract(link_type, bytes(data[: len(data) - cut % len(data)]))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_not(data: bytes) -> None:
    for link_type in frames.LINK_TYPES:
        with contextlib.suppress(DecodeError):
            frames.extract(link_type, data)


def pcap(packets: list[bytes], order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    content = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 127)
    for packet in packets:
        content += struct.pack(order + "IIII", 1_700_000_000, 5, len(packet), len(packet)) + packet
    return content


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "fraction"), [(0xA1B2C3D4, 5), (0xA1B23C4D, 0)])
def test_classic_captures_of_every_kind_are_read(order: str, magic: int, fraction: int) -> None:
    found = list(capture.read_packets(io.BytesIO(pcap([b"ab", b"c"], order, magic))))
    assert [packet.data for packet in found] == [b"ab", b"c"]
    assert found[0].at.microsecond == fraction
    assert found[0].at.timestamp() == pytest.approx(1_700_000_000, abs=1)


def test_a_cut_capture_gives_its_whole_packets_first() -> None:
    packets = capture.read_packets(io.BytesIO(pcap([b"ab", b"cd"])[:-1]))
    assert next(packets).data == b"ab"
    with pytest.raises(DecodeError, match="cut"):
        next(packets)


def test_a_huge_packet_length_is_damage() -> None:
    content = pcap([]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    with pytest.raises(DecodeError, match="bytes"):
        list(capture.read_packets(io.BytesIO(content)))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_capture_or_not(tail: bytes, ng: bool) -> None:
    head = struct.pack("<III", 0x0A0D0D0A, 28, 0x1A2B3C4D) + bytes(12) + struct.pack("<I", 28)
    try:
        for packet in capture.read_packets(io.BytesIO((head if ng else b"") + tail)):
            assert packet.data is not None
    except DecodeError:
        pass


needs_captures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason="the recorded captures are not beside this checkout"
)


@needs_captures
@pytest.mark.parametrize(
    ("name", "identities"),
    [
        ("odid_wifi_bcn_sample.pcap", {"MFG1A0123456789"}),
        ("odid_bt5_lr_sample.pcapng", {"SSEVTFG93700070"}),
        ("parrot_anafi4_spoofed.pcapng", {"1588E040445AC004418"}),
    ],
)
def test_recorded_flights_give_their_identities_and_no_other(
    name: str, identities: set[str]
) -> None:
    found: Counter[str] = Counter()
    for received in read_file(CAPTURES / name, Tally()):
        try:
            messages = rid.decode(received.payload).messages
        except DecodeError:
            continue
        found.update(m.uas_id for m in messages if isinstance(m, rid.BasicId) and m.uas_id)
    assert set(found) == identities


@needs_captures
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.name)
def test_captures_read_as_another_reader_reads_them(path: Path) -> None:
    fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"]
    done = subprocess.run(
        ["tshark", "-r", str(path), *fields], capture_output=True, text=True, check=True
    )
    expected = [line.split("\t") for line in done.stdout.splitlines()]
    with path.open("rb") as file:
        found = list(capture.read_packets(file))
    assert [len(packet.data) for packet in found] == [int(length) for _, length in expected]
    for packet, (seconds, _) in zip(found, expected, strict=True):
        assert packet.at.timestamp() == pytest.approx(float(seconds), abs=2e-6)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{}", "without 'at'"),
        (b"[]", "not a reception"),
        (b"\xff", "not a reception"),
        (b'{"at": "2026-05-04T08:00:00", "payload": "00"}', "'receiver'"),
    ],
)
def test_a_wrong_datagram_is_named(line: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        parse_json(line)


def test_a_time_without_a_zone_is_refused() -> None:
    line = (
        b'{"at":"2026-05-04T08:00:00","receiver":"r","transport":"t",'
        b'"transmitter":"x","payload":"00"}'
    )
    with pytest.raises(DecodeError, match="time zone"):
        parse_json(line)


@pytest.mark.parametrize("name", ["gone.pcap", "notes.txt"])
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=name):
        list(read_file(tmp_path / name, Tally()))


@given(st.binary(max_size=300), st.integers(0, 0xFFFF))
def test_any_link_layer_bytes_are_a_frame_or_not(data: bytes, flags: int) -> None:
    head = struct.pack("<BbbBIHI", 0, -60, 0, 0, 0, flags, 0x8E89BED6)
    with contextlib.suppress(DecodeError):
        frame = frames.extract(frames.LINK_BLE_WITH_PHDR, head + data)
        assert frame is None or len(frame.payload) >= 1


class Pipe:
    """Bytes that cannot be read twice, as a pipe's."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        return self._file.read(size)


@pytest.mark.parametrize("path", sorted(CAPTURES.rglob("*.pcap*")), ids=lambda path: path.name)
def test_a_pipe_is_read_as_a_file_is(path: Path) -> None:
    def packets(file: capture.Readable) -> list[capture.Packet]:
        found: list[capture.Packet] = []
        with contextlib.suppress(DecodeError):
            found.extend(capture.read_packets(file))
        return found

    with path.open("rb") as file:
        from_file = packets(file)
    assert packets(Pipe(path.read_bytes())) == from_file
    assert from_file
