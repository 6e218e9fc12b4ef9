"""Both decoders say what a second reading of the standard's tables says."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from benchmarks.vectors import compare, messages
from tests.detection import rid_oracle


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_decoders_agree_with_the_tables(seed: int) -> None:
    counts = Counter[str]()
    assert compare(messages(4000, random.Random(seed)), counts) == []
    # Not all refused, not all of one kind.
    assert counts["Location"] > 600
    assert min(counts[name] for name, _ in rid_oracle.KINDS.values()) > 100
    assert counts["refused"] > 600


def test_the_tables_own_messages_are_in_range() -> None:
    chance = random.Random(4)
    kinds = Counter(rid_oracle.read(rid_oracle.in_range(chance))[0] for _ in range(3000))
    assert len(kinds) == len(rid_oracle.KINDS)


def test_the_tables_read_a_message_laid_out_by_hand() -> None:
    # Type 1, airborne, 90 degrees, 10 m/s, sinking 1.5 m/s, 50.8197 N, 4.3908 E.
    data = bytes.fromhex("12205a28fd88494a1ef0ff9d024108e80820085b4255460200")
    kind, fields = rid_oracle.read(data)
    assert kind == "Location"
    wanted = {
        "status": 2,
        "direction_deg": 90.0,
        "speed_mps": 10.0,
        "vertical_speed_mps": -1.5,
        "lat_deg": 50.8197,
        "lon_deg": 4.3909,
        "alt_pressure_m": 56.5,
        "alt_ellipsoid_m": 140.0,
        "height_m": 40.0,
        "horizontal_accuracy_m": 3.0,
        "vertical_accuracy_m": 3.0,
        "pressure_accuracy_m": 10.0,
        "speed_accuracy_mps": 3.0,
        "second_of_hour_s": 1800.5,
        "time_accuracy_s": 0.2,
        "height_reference": 0,
    }
    lat_e7, lon_e7 = 508197000, 43909000
    whole = data[:5] + lat_e7.to_bytes(4, "little") + lon_e7.to_bytes(4, "little") + data[13:]
    assert rid_oracle.read(whole)[1] == wanted
    assert set(fields) == set(wanted)


@pytest.mark.parametrize(
    ("byte", "value"), [(0, 0x92), (1, 0x50), (2, 180), (4, 0x7D), (4, 0x82), (8, 0x7F), (22, 0xFE)]
)
def test_the_tables_refuse_what_is_out_of_range(byte: int, value: int) -> None:
    data = bytearray(rid_oracle.in_range(random.Random(9)))
    while data[0] >> 4 != 1 or data[1] & 2:
        data = bytearray(rid_oracle.in_range(random.Random(data[5] * 256 + data[6])))
    data[byte] = value
    with pytest.raises(rid_oracle.Refused):
        rid_oracle.read(bytes(data))
