"""DroneScout's messages against the structure as a C compiler lays it out."""

from __future__ import annotations

import json
import lzma
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.detection import rid
from droneteam.detection.records import Alive, Placed, Plot, Received, Record, Trouble
from droneteam.detection.sources.dronescout import MAX_MESSAGE_BYTES, Scouts, messages_of
from droneteam.errors import DecodeError
from tests.detection.radio import START
from tests.detection.sources import scout
from tests.detection.sources.scout import UasData, flying, message, published

AT = datetime.fromtimestamp(1_777_881_600.25, UTC)


def read(payload: bytes, **settings: Any) -> list[Record]:
    scouts = Scouts("north", **settings)
    records = scouts.read(payload, START)
    assert scouts.refused == 0, scouts.problem
    return records


def decoded(data: UasData) -> list[rid.Message]:
    return [rid.decode_message(one) for one in messages_of(bytes(data))]


def test_a_detection_becomes_what_was_broadcast() -> None:
    alive, received = read(published(message(flying())))
    assert alive == Alive(START, "north/ds230-07")
    assert isinstance(received, Received)
    assert (received.at, received.receiver) == (AT, "north/ds230-07")
    assert (received.transport, received.transmitter) == ("wifi-beacon", "60:60:1f:1e:30:1e")
    assert received.rssi_dbm == -63
    assert rid.decode(received.payload).messages == (
        rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"),
        rid.Location(
            status=rid.Status.AIRBORNE,
            lat_deg=50.8197,
            lon_deg=4.3908,
            direction_deg=123.0,
            speed_mps=10.25,
            vertical_speed_mps=-2.5,
            alt_pressure_m=None,
            alt_ellipsoid_m=144.0,
            height_m=44.5,
            height_reference=rid.HeightReference.GROUND,
            horizontal_accuracy_m=3.0,
            vertical_accuracy_m=3.0,
            pressure_accuracy_m=None,
            speed_accuracy_mps=1.0,
            second_of_hour_s=1234.5,
            time_accuracy_s=0.2,
        ),
    )


@pytest.mark.parametrize(
    ("kind", "transport"),
    [
        ("WiFi beacon", "wifi-beacon"),
        ("WiFi NaN", "wifi-nan"),
        ("BLE legacy", "ble-legacy"),
        ("BLE long range", "ble-long-range"),
    ],
)
def test_the_radio_is_named_as_every_receiver_names_it(kind: str, transport: str) -> None:
    _, received = read(published(message(flying(), type=kind)))
    assert isinstance(received, Received)
    assert received.transport == transport


def test_every_part_of_the_structure_is_read() -> None:
    data = flying()
    data.BasicID[1] = scout.BasicId(2, 2, b"BE.123456")
    data.BasicIDValid[1] = 1
    data.SelfID = scout.SelfId(0, b"roof inspection")
    data.System = scout.System(1, 1, 50.82, 4.391, 3, 20, 150.0, -1000.0, 1, 3, 100.0, 1000)
    data.OperatorID = scout.OperatorId(0, b"BELoperator00001")
    data.Auth[0] = scout.Auth(0, 1, 1, 40, 500, (7,) * 17)
    data.Auth[1] = scout.Auth(1, 1, 0, 0, 0, (9,) * 23)
    data.SelfIDValid = data.SystemValid = data.OperatorIDValid = 1
    data.AuthValid[0] = data.AuthValid[1] = 1
    _, registration, _, first, second, described, system, operator = decoded(data)
    assert registration == rid.BasicId(rid.IdType.REGISTRATION, 2, "BE.123456")
    assert described == rid.SelfId(0, "roof inspection")
    assert operator == rid.OperatorId(0, "BELoperator00001")
    assert isinstance(first, rid.Authentication)
    assert isinstance(second, rid.Authentication)
    assert (first.last_page, first.length_bytes, first.data) == (1, 40, bytes((7,)) * 17)
    assert (second.page, second.data) == (1, bytes((9,)) * 23)
    assert isinstance(system, rid.System)
    assert (system.operator_lat_deg, system.operator_lon_deg) == (50.82, 4.391)
    assert (system.area_count, system.area_radius_m, system.area_ceiling_m) == (3, 20.0, 150.0)
    assert (system.area_floor_m, system.ua_category, system.ua_class) == (None, 1, 3)
    assert system.operator_alt_ellipsoid_m == 100.0
    assert system.at == datetime(2019, 1, 1, 0, 16, 40, tzinfo=UTC)


def test_more_messages_than_a_pack_holds_come_in_two() -> None:
    data = flying()
    for page in range(10):
        data.Auth[page] = scout.Auth(page, 1, 9, 200, 500, (7,) * 17)
        data.AuthValid[page] = 1
    packs = [one for one in read(published(message(data))) if isinstance(one, Received)]
    assert [len(rid.decode(one.payload).messages) for one in packs] == [9, 3]


def test_what_is_marked_unknown_is_unknown() -> None:
    data = flying()
    data.Location = scout.Location(
        *(0, 361.0, 255.0, 63.0, 0.0, 0.0, -1000.0, -1000.0, 0, -1000.0),
        *(0, 0, 0, 0, 0, 65535.0),
    )
    (_, location) = decoded(data)
    assert location == rid.Location(rid.Status.UNDECLARED, None, None)


@given(
    raw=st.builds(
        rid.Location,
        st.sampled_from(rid.Status),
        st.integers(-900_000_000, 900_000_000).map(lambda v: v / 1e7),
        st.integers(1, 1_800_000_000).map(lambda v: v / 1e7),
        direction_deg=st.none() | st.integers(0, 359).map(float),
        speed_mps=st.none() | st.integers(0, 255).map(lambda v: v * 0.25),
        vertical_speed_mps=st.none() | st.integers(-124, 124).map(lambda v: v * 0.5),
        alt_pressure_m=st.none() | st.integers(1, 65535).map(lambda v: v * 0.5 - 1000.0),
        alt_ellipsoid_m=st.none() | st.integers(1, 65535).map(lambda v: v * 0.5 - 1000.0),
        height_m=st.none() | st.integers(1, 65535).map(lambda v: v * 0.5 - 1000.0),
        height_reference=st.sampled_from(rid.HeightReference),
        second_of_hour_s=st.none() | st.integers(0, 36000).map(lambda v: v / 10.0),
    )
)
def test_what_a_field_can_hold_comes_back_exactly(raw: rid.Location) -> None:
    def marked(value: float | None, unknown: float) -> float:
        return unknown if value is None else value

    data = flying()
    data.Location = scout.Location(
        raw.status,
        marked(raw.direction_deg, 361.0),
        marked(raw.speed_mps, 255.0),
        marked(raw.vertical_speed_mps, 63.0),
        marked(raw.lat_deg, 0.0),
        marked(raw.lon_deg, 0.0),
        marked(raw.alt_pressure_m, -1000.0),
        marked(raw.alt_ellipsoid_m, -1000.0),
        raw.height_reference,
        marked(raw.height_m, -1000.0),
        *(0, 0, 0, 0, 0),
        marked(raw.second_of_hour_s, 65535.0),
    )
    assert decoded(data)[1] == raw


def test_messages_follow_each_other_without_anything_between_them() -> None:
    other = message(flying(b"OTHER"), **{"sensor ID": "ds230-08"})
    records = read(published(message(flying()), other) + b"\n\0")
    assert {one.receiver for one in records if isinstance(one, Received)} == {
        "north/ds230-07",
        "north/ds230-08",
    }


def test_a_message_may_be_compressed() -> None:
    _, received = read(lzma.compress(published(message(flying()))))
    assert isinstance(received, Received)


def test_a_message_that_grows_without_end_is_refused() -> None:
    bomb = lzma.compress(b" " * (4 * MAX_MESSAGE_BYTES))
    scouts = Scouts("north")
    assert scouts.read(bomb, START) == []
    assert scouts.refused == 1


@pytest.mark.parametrize("part", ["status", "data"])
def test_a_status_is_a_sign_of_life_and_may_be_a_complaint(part: str) -> None:
    told = {"sensor ID": "ds230-07", "timestamp": 1, "model": "ds230", "status": "normal"}
    assert read(json.dumps({"protocol": 1.0, part: told}).encode()) == [
        Alive(START, "north/ds230-07")
    ]
    told["status"] = "no GNSS"
    _, trouble = read(json.dumps({"protocol": 1.0, part: told}).encode())
    assert trouble == Trouble(START, "north/ds230-07", "its status is 'no GNSS'")


def test_a_sensor_that_tells_its_place_is_placed_where_its_range_is_known() -> None:
    told = {"sensor ID": "ds230-07", "timestamp": 1_777_881_600_250, "latitude": 50.8}
    payload = json.dumps({"protocol": 1.0, "location": told | {"longitude": 4.4}}).encode()
    _, standing = read(payload, range_m=3000.0)
    assert standing == Placed(AT, "north/ds230-07", 50.8, 4.4, 3000.0)
    assert read(payload) == [Alive(START, "north/ds230-07")]


def test_an_aircraft_receiver_behind_a_sensor_is_heard() -> None:
    line = "MSG,3,1,1,44CE6F,1,2026/05/04,08:00:00.000,2026/05/04,08:00:00.000,,3000,,,50.9,4.5,,"
    told = {"sensor ID": "ds230-07", "timestamp": 1_777_881_600_250, "SBS": f"{line};{line}\n"}
    _, *plots = read(json.dumps({"protocol": 1.0, "aircraft": told}).encode())
    assert [type(one) for one in plots] == [Plot, Plot]
    assert isinstance(plots[0], Plot)
    assert (plots[0].identity, plots[0].sensor) == ("icao:44ce6f", "north/ds230-07")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"hello", "LZMAError"),
        (b"{", "JSONDecodeError"),
        (b"[]", "a cut one"),
        (b'{"protocol": 2.0}', "protocol 2.0"),
        (b'{"protocol": 1.0, "data": {"RSSI": 1}}', "sensor ID"),
        (published(message(b"short")), "5 bytes"),
        (published(message(UasData())), "holds nothing"),
        (published(message(flying(), UASdata="???")), "Error"),
        (published(message(flying(b"\xff\xff"))), "printable"),
        (published(message(flying(lat_deg=95.0))), "not on the globe"),
        (published(message(flying(), timestamp=1e300)), "Error"),
        (published({"protocol": 1.0, "data": {"sensor ID": "x"}, "status": 7}), "TypeError"),  # type: ignore[dict-item]
    ],
)
def test_what_cannot_be_read_is_counted_and_named(payload: bytes, why: str) -> None:
    scouts = Scouts("north")
    assert [one for one in scouts.read(payload, START) if isinstance(one, Received)] == []
    assert scouts.refused == 1
    assert why in scouts.problem


@given(st.binary(max_size=1200).map(lambda raw: raw.ljust(920, b"\1")))
def test_any_structure_gives_messages_or_says_why_not(raw: bytes) -> None:
    try:
        messages = messages_of(raw)
    except DecodeError:
        return
    for one in messages:
        rid.decode_message(one)
