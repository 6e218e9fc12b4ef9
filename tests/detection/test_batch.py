"""The batch decoder says what the scalar one says, of every byte string."""

from __future__ import annotations

import dataclasses
import math
import random
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.detection import batch, rid
from droneteam.detection.fields import EPOCH_2019
from droneteam.detection.receivers import Tally, read_file
from droneteam.errors import DecodeError

CAPTURES = Path(__file__).parents[3] / "shared" / "data" / "remote-id"


def scalar(payloads: list[bytes]) -> tuple[list[rid.Message], list[int], list[bool]]:
    """Messages in order, how many each payload gave, and which payloads had a flaw."""
    messages: list[rid.Message] = []
    counts, flawed = [], []
    for payload in payloads:
        try:
            pack = rid.decode(payload)
        except DecodeError:
            counts.append(0)
            flawed.append(True)
            continue
        messages.extend(pack.messages)
        counts.append(len(pack.messages))
        flawed.append(bool(pack.problems))
    return messages, counts, flawed


def none_if_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def columns_of(found: batch.Locations | batch.Systems, index: int) -> dict[str, object]:
    return {
        field.name: none_if_nan(getattr(found, field.name)[index].item())
        for field in dataclasses.fields(found)
    }


def check(payloads: list[bytes]) -> int:
    """Every message agrees in kind, order and every field; returns how many there were."""
    messages, counts, flawed = scalar(payloads)
    found = batch.split(payloads)
    assert found.salvaged.tolist() == counts
    assert found.flawed.tolist() == flawed
    good = np.flatnonzero(found.problem == 0)
    assert [_KINDS[int(kind)] for kind in found.kind[good]] == [type(m) for m in messages]
    of_location = found.of(rid.MessageType.LOCATION)
    locations = batch.locations(found.data[of_location])
    expected = [m for m in messages if isinstance(m, rid.Location)]
    for index, message in enumerate(expected):
        assert columns_of(locations, index) == dataclasses.asdict(message)
    of_system = found.of(rid.MessageType.SYSTEM)
    systems = batch.systems(found.data[of_system])
    for index, system in enumerate(m for m in messages if isinstance(m, rid.System)):
        columns = columns_of(systems, index)
        seconds = columns.pop("seconds")
        assert isinstance(seconds, int)
        columns["at"] = EPOCH_2019 + timedelta(seconds=seconds) if seconds else None
        assert columns == dataclasses.asdict(system)
    return len(messages)


_KINDS = {
    0: rid.BasicId,
    1: rid.Location,
    2: rid.Authentication,
    3: rid.SelfId,
    4: rid.System,
    5: rid.OperatorId,
}

EDGES = (0, 1, 63, 64, 124, 125, 126, 127, 128, 130, 131, 132, 178, 179, 180, 181, 182, 254, 255)
"""Bytes where some field turns from known to unknown or out of range."""


def adversarial(generator: random.Random) -> bytes:
    """A message whose head is plausible and whose bytes sit on the edges of their ranges."""
    head = generator.choice((0x00, 0x02, 0x10, 0x12, 0x12, 0x12, 0x22, 0x32, 0x42, 0x42, 0x52))
    body = bytearray(generator.choice(EDGES) for _ in range(24))
    if generator.random() < 0.5:  # a plausible status or identity type, so that the rest counts
        body[0] = generator.choice((0x12, 0x20, 0x21, 0x22, 0x23, 0x26, 0x30, 0x40))
    if generator.random() < 0.5:  # a position on the globe
        for start in (1, 4) if head == 0x42 else (4,):
            body[start : start + 8] = generator.choice(
                (bytes(8), bytes([1]) + bytes(7), b"\x01" * 8)
            )
    if generator.random() < 0.5:
        body[20:22] = generator.choice((b"\xff\xff", b"\xa0\x8c", b"\xa1\x8c", b"\x00\x00"))
    return bytes([head, *body])


def test_adversarial_messages_agree() -> None:
    generator = random.Random(3)
    payloads = [adversarial(generator) for _ in range(20_000)]
    assert check(payloads) > 1500


def test_adversarial_packs_agree() -> None:
    generator = random.Random(4)
    payloads = []
    for _ in range(3000):
        held = b"".join(adversarial(generator) for _ in range(generator.randrange(11)))
        declared = generator.choice((0, 1, 2, 5, 9, 10, 255))
        size = generator.choice((25, 25, 25, 25, 24, 0))
        whole = bytes((0xF2, size, declared)) + held
        payloads.append(whole[: len(whole) - generator.choice((0, 0, 0, 1, 24))])
    assert check(payloads) > 1500


def test_random_bytes_agree() -> None:
    generator = random.Random(5)
    payloads = [generator.randbytes(generator.randrange(260)) for _ in range(5000)]
    check(payloads)


@given(st.lists(st.binary(max_size=240), max_size=6))
def test_any_bytes_agree(payloads: list[bytes]) -> None:
    check(payloads)


def test_no_payload_is_no_message() -> None:
    found = batch.split([])
    assert len(found.data) == 0
    assert len(batch.locations(found.data).lat_deg) == 0


@pytest.mark.skipif(
    not CAPTURES.is_dir(), reason="the recorded captures are not beside this checkout"
)
def test_recorded_flights_agree() -> None:
    payloads = [
        received.payload
        for path in sorted(CAPTURES.glob("*.pcap*"))
        for received in read_file(path, Tally())
    ]
    assert check(payloads) > 500
