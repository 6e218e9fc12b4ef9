"""The Remote ID codec against hand-laid bytes, its own range rules, and arbitrary bytes."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.detection import rid
from droneteam.errors import DecodeError, InputError


def location_bytes(**change: int) -> bytes:
    """A location laid out by hand from the standard's table, not by our encoder."""
    fields = {
        "flags": 0x20,  # airborne, height above take-off, eastern half, single speed steps
        "direction": 90,
        "speed": 40,
        "vertical": -3,
        "lat": 508197000,
        "lon": 43908000,
        "pressure": 2113,
        "geodetic": 2280,
        "height": 2080,
        "accuracy": 0x5B,
        "more": 0x42,
        "tenths": 18005,
        "time_accuracy": 0x02,
    } | change
    return struct.pack("<BBBBbiiHHHBBHBB", 0x12, *fields.values(), 0)


def test_a_hand_laid_location_reads_as_the_table_says() -> None:
    assert rid.decode_message(location_bytes()) == rid.Location(
        status=rid.Status.AIRBORNE,
        lat_deg=50.8197,
        lon_deg=4.3908,
        direction_deg=90.0,
        speed_mps=10.0,
        vertical_speed_mps=-1.5,
        alt_pressure_m=56.5,
        alt_ellipsoid_m=140.0,
        height_m=40.0,
        height_reference=rid.HeightReference.TAKE_OFF,
        horizontal_accuracy_m=3.0,
        vertical_accuracy_m=3.0,
        pressure_accuracy_m=10.0,
        speed_accuracy_mps=3.0,
        second_of_hour_s=1800.5,
        time_accuracy_s=0.2,
    )


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"flags": 0x22, "direction": 90}, "direction_deg", 270.0),
        ({"flags": 0x22, "direction": 181}, "direction_deg", None),
        ({"flags": 0x21, "speed": 1}, "speed_mps", 64.5),
        ({"flags": 0x21, "speed": 255}, "speed_mps", None),
        ({"flags": 0x20, "speed": 255}, "speed_mps", 63.75),
        ({"vertical": 126}, "vertical_speed_mps", None),
        ({"lat": 0, "lon": 0}, "lat_deg", None),
        ({"lat": 0}, "lat_deg", 0.0),
        ({"pressure": 0}, "alt_pressure_m", None),
        ({"geodetic": 0}, "alt_ellipsoid_m", None),
        ({"height": 0}, "height_m", None),
        ({"tenths": 0xFFFF}, "second_of_hour_s", None),
        ({"tenths": 36000}, "second_of_hour_s", 3600.0),
        ({"time_accuracy": 0}, "time_accuracy_s", None),
        ({"accuracy": 0}, "horizontal_accuracy_m", None),
        ({"flags": 0x24}, "height_reference", rid.HeightReference.GROUND),
    ],
)
def test_special_values_are_typed(change: dict[str, int], field: str, value: object) -> None:
    assert getattr(rid.decode_message(location_bytes(**change)), field) == value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"direction": 180}, "direction 180"),
        ({"flags": 0x22, "direction": 180}, "direction 360"),
        ({"direction": 181}, "direction 181"),
        ({"vertical": 125}, "vertical speed"),
        ({"vertical": -128}, "vertical speed"),
        ({"lat": 900000001}, "latitude"),
        ({"lon": -1800000001}, "longitude"),
        ({"tenths": 36001}, "after the hour"),
        ({"flags": 0x50}, "Status 5 is reserved"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, int], words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        rid.decode_message(location_bytes(**change))


def test_a_hand_laid_basic_id_reads_as_the_table_says() -> None:
    data = b"\x02\x12" + b"1581F4BND2280".ljust(20, b"\0") + bytes(3)
    assert rid.decode_message(data) == rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280")


def test_an_identity_fills_all_twenty_bytes() -> None:
    data = b"\x02\x12" + b"A" * 20 + b"XYZ"
    assert rid.decode_message(data) == rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "A" * 20)


def test_an_identity_of_other_bytes_is_refused() -> None:
    with pytest.raises(DecodeError, match="printable"):
        rid.decode_message(b"\x02\x12" + b"AB\xff".ljust(20, b"\0") + bytes(3))


def test_a_hand_laid_system_reads_as_the_table_says() -> None:
    seconds = 86400 * 365
    data = struct.pack(
        "<BBiiHBHHBHIB", 0x42, 0x05, 508000000, 43000000, 1, 3, 2240, 2000, 0x23, 2100, seconds, 0
    )
    assert rid.decode_message(data) == rid.System(
        operator_lat_deg=50.8,
        operator_lon_deg=4.3,
        operator_location_type=1,
        classification=1,
        area_count=1,
        area_radius_m=30.0,
        area_ceiling_m=120.0,
        area_floor_m=0.0,
        ua_category=2,
        ua_class=3,
        operator_alt_ellipsoid_m=50.0,
        at=datetime(2020, 1, 1, tzinfo=UTC),
    )


locations = st.builds(
    rid.Location,
    status=st.sampled_from(rid.Status),
    lat_deg=st.floats(-90, 90),
    lon_deg=st.floats(-180, 180),
    direction_deg=st.none() | st.floats(0, 360),
    speed_mps=st.none() | st.floats(0, 254),
    vertical_speed_mps=st.none() | st.floats(-62, 62),
    alt_pressure_m=st.none() | st.floats(-999, 31000),
    alt_ellipsoid_m=st.none() | st.floats(-999, 31000),
    height_m=st.none() | st.floats(-999, 31000),
    height_reference=st.sampled_from(rid.HeightReference),
    horizontal_accuracy_m=st.sampled_from([None, 1.0, 3.0, 185.2]),
    vertical_accuracy_m=st.sampled_from([None, 1.0, 150.0]),
    pressure_accuracy_m=st.sampled_from([None, 25.0]),
    speed_accuracy_mps=st.sampled_from([None, 0.3, 10.0]),
    second_of_hour_s=st.none() | st.floats(0, 3600),
    time_accuracy_s=st.sampled_from([None, 0.1, 1.5]),
)

STEPS = {
    "lat_deg": 0.5e-7,
    "lon_deg": 0.5e-7,
    "vertical_speed_mps": 0.25,
    "alt_pressure_m": 0.25,
    "alt_ellipsoid_m": 0.25,
    "height_m": 0.25,
    "second_of_hour_s": 0.05,
}


@given(locations)
def test_an_encoded_location_comes_back_within_half_a_step(location: rid.Location) -> None:
    back = rid.decode_message(rid.encode(location))
    assert isinstance(back, rid.Location)
    for field, half_step in STEPS.items():
        sent, got = getattr(location, field), getattr(back, field)
        if field.endswith("_deg") and back.lat_deg is None:
            assert abs(sent) <= half_step  # rounds to 0/0, which means unknown
        elif sent is None:
            assert got is None
        else:
            assert got == pytest.approx(sent, abs=half_step * 1.001)
    if location.speed_mps is not None:
        half = 0.125 if location.speed_mps <= 63.75 else 0.375
        assert back.speed_mps == pytest.approx(location.speed_mps, abs=half * 1.001)
    if location.direction_deg is not None:
        turn = (location.direction_deg - (back.direction_deg or 0.0) + 180.0) % 360.0 - 180.0
        assert abs(turn) <= 0.5
    for field in ("status", "height_reference", "horizontal_accuracy_m", "time_accuracy_s"):
        assert getattr(back, field) == getattr(location, field)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
def test_identities_round_trip(name: str) -> None:
    for message in (
        rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, name),
        rid.OperatorId(0, name),
    ):
        assert rid.decode_message(rid.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        rid.BasicId(rid.IdType.UTM_UUID, 4, "123e4567-e89b-12d3-a456-426614174000"),
        rid.BasicId(rid.IdType.SESSION_ID, 4, "01" * 20),
        rid.SelfId(0, "looking for a person"),
        rid.Authentication(1, 0, bytes(17), 1, 20, datetime(2026, 5, 4, tzinfo=UTC)),
        rid.Authentication(1, 3, bytes(range(23))),
    ],
)
def test_other_messages_round_trip(message: rid.Message) -> None:
    assert rid.decode_message(rid.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "A" * 21),
        rid.BasicId(rid.IdType.SERIAL_NUMBER, 16, "A"),
        rid.OperatorId(0, "é"),
        rid.SelfId(0, "x" * 24),
        rid.Location(rid.Status.GROUND, 91.0, 0.0),
        rid.Location(rid.Status.GROUND, 50.0, 4.0, direction_deg=361.0),
        rid.Location(rid.Status.GROUND, 50.0, 4.0, speed_mps=-1.0),
        rid.Location(rid.Status.GROUND, 50.0, 4.0, speed_mps=float("nan")),
        rid.Location(rid.Status.GROUND, 50.0, 4.0, vertical_speed_mps=float("nan")),
        rid.Location(rid.Status.GROUND, 50.0, 4.0, height_m=40000.0),
        rid.Location(rid.Status.GROUND, 50.0, 4.0, second_of_hour_s=3601.0),
        rid.Authentication(1, 0, bytes(18)),
    ],
)
def test_what_does_not_fit_is_not_encoded(message: rid.Message) -> None:
    with pytest.raises(InputError):
        rid.encode(message)


def test_an_accuracy_is_never_overstated() -> None:
    sent = rid.Location(rid.Status.AIRBORNE, 50.0, 4.0, horizontal_accuracy_m=2.0)
    back = rid.decode_message(rid.encode(sent))
    assert isinstance(back, rid.Location)
    assert back.horizontal_accuracy_m == 3.0


def test_a_pack_gives_its_messages() -> None:
    messages = (rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "A1"), rid.SelfId(0, "hello"))
    assert rid.decode(rid.encode_pack(messages)) == rid.Pack(messages)


def test_a_pack_that_declares_too_many_gives_the_whole_ones() -> None:
    messages = tuple(rid.SelfId(0, str(number)) for number in range(4))
    pack = rid.decode(rid.encode_pack(messages)[:-1])
    assert pack.messages == messages[:3]
    assert pack.problems == ("the pack declares 4 messages and holds 3",)


def test_one_bad_message_does_not_spoil_its_pack() -> None:
    good = rid.encode(rid.SelfId(0, "fine"))
    pack = rid.decode(b"\xf2\x19\x02" + location_bytes(lat=900000001) + good)
    assert pack.messages == (rid.SelfId(0, "fine"),)
    assert "latitude" in pack.problems[0]


@pytest.mark.parametrize("payload", [b"", b"\xf2", b"\xf2\x19\x00", b"\xf2\x18\x01", b"\x70" * 25])
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        rid.decode(payload)


@given(st.binary(max_size=260))
def test_any_bytes_decode_or_raise(payload: bytes) -> None:
    try:
        pack = rid.decode(payload)
    except DecodeError:
        return
    assert 1 <= len(pack.messages) <= 9


@given(st.floats(1.5e9, 2.5e9), st.floats(-1500, 1500))
def test_the_hour_of_a_message_is_the_nearest(received_s: float, age_s: float) -> None:
    received = datetime.fromtimestamp(received_s, UTC)
    made = received - timedelta(seconds=age_s)
    since_hour = made - made.replace(minute=0, second=0, microsecond=0)
    found = rid.message_time(received, since_hour.total_seconds())
    assert abs((found - made).total_seconds()) < 0.001
