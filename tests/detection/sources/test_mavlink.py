"""OPEN_DRONE_ID_* messages, as pymavlink packs them, against what they say."""

from __future__ import annotations

import os
import pty
import socket
import tty
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.detection import rid
from droneteam.detection.feeds import Feed, Inbox
from droneteam.detection.records import Alive, Received, Record, Trouble
from droneteam.detection.sources import mavlink
from droneteam.detection.sources.mavlink import OdidParser
from droneteam.detection.sources.streams import StreamAddress
from droneteam.errors import InputError
from tests.detection.radio import START
from tests.detection.sources.waiting import gather, heard

MAC = (0x60, 0x60, 0x1F, 0x1E, 0x30, 0x1E) + (0,) * 14
NOBODY = (0,) * 20


def packed(*messages: Any, system: int = 7) -> bytes:
    sender = dialect.MAVLink(None, srcSystem=system, srcComponent=236)
    return b"".join(message.pack(sender) for message in messages)


def basic(name: bytes = b"1581F4BND2280", mac: tuple[int, ...] = MAC, id_type: int = 1) -> Any:
    return dialect.MAVLink_open_drone_id_basic_id_message(
        0, 0, mac, id_type, 2, tuple(name.ljust(20, b"\0"))
    )


def place(**change: Any) -> Any:
    told = {
        "target_system": 0,
        "target_component": 0,
        "id_or_mac": MAC,
        "status": 2,
        "direction": 12300,
        "speed_horizontal": 1025,
        "speed_vertical": -250,
        "latitude": 508197000,
        "longitude": 43908000,
        "altitude_barometric": 120.5,
        "altitude_geodetic": 144.0,
        "height_reference": 1,
        "height": 44.5,
        "horizontal_accuracy": 11,
        "vertical_accuracy": 5,
        "barometer_accuracy": 4,
        "speed_accuracy": 3,
        "timestamp": 1234.5,
        "timestamp_accuracy": 2,
    }
    return dialect.MAVLink_open_drone_id_location_message(**(told | change))


def ground(**change: Any) -> Any:
    told = {
        "target_system": 0,
        "target_component": 0,
        "id_or_mac": MAC,
        "operator_location_type": 1,
        "classification_type": 1,
        "operator_latitude": 508200000,
        "operator_longitude": 43910000,
        "area_count": 1,
        "area_radius": 20,
        "area_ceiling": 150.0,
        "area_floor": -1000.0,
        "category_eu": 1,
        "class_eu": 3,
        "operator_altitude_geo": 100.0,
        "timestamp": 1000,
    }
    return dialect.MAVLink_open_drone_id_system_message(**(told | change))


def read(*messages: Any) -> list[rid.Message]:
    parser = OdidParser("mast")
    receptions = parser.feed(packed(*messages), START)
    assert parser.refused == 0
    return [one for reception in receptions for one in rid.decode(reception.payload).messages]


def test_a_location_keeps_every_value() -> None:
    (told,) = read(place())
    assert told == rid.Location(
        status=rid.Status.AIRBORNE,
        lat_deg=50.8197,
        lon_deg=4.3908,
        direction_deg=123.0,
        speed_mps=10.25,
        vertical_speed_mps=-2.5,
        alt_pressure_m=120.5,
        alt_ellipsoid_m=144.0,
        height_m=44.5,
        height_reference=rid.HeightReference.GROUND,
        horizontal_accuracy_m=3.0,
        vertical_accuracy_m=3.0,
        pressure_accuracy_m=10.0,
        speed_accuracy_mps=1.0,
        second_of_hour_s=1234.5,
        time_accuracy_s=0.2,
    )


def test_what_the_standard_marks_as_unknown_is_unknown() -> None:
    (told,) = read(
        place(
            direction=36100,
            speed_horizontal=25500,
            speed_vertical=6300,
            latitude=0,
            longitude=0,
            altitude_barometric=-1000.0,
            altitude_geodetic=-1000.0,
            height=-1000.0,
            horizontal_accuracy=0,
            vertical_accuracy=0,
            barometer_accuracy=0,
            speed_accuracy=0,
            timestamp=0xFFFF,
            timestamp_accuracy=0,
        )
    )
    assert told == rid.Location(
        rid.Status.AIRBORNE, None, None, height_reference=rid.HeightReference.GROUND
    )


def test_identity_operator_description_and_authentication_come_through() -> None:
    operator = dialect.MAVLink_open_drone_id_operator_id_message(0, 0, MAC, 0, b"BELoperator00001")
    described = dialect.MAVLink_open_drone_id_self_id_message(0, 0, MAC, 0, b"roof inspection")
    page = dialect.MAVLink_open_drone_id_authentication_message(
        0, 0, MAC, 1, 0, 1, 40, 500, (7,) * 17 + (0,) * 6
    )
    more = dialect.MAVLink_open_drone_id_authentication_message(0, 0, MAC, 1, 1, 0, 0, 0, (9,) * 23)
    told = read(basic(), operator, described, page, more)
    assert told[0] == rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280")
    assert told[1] == rid.OperatorId(0, "BELoperator00001")
    assert told[2] == rid.SelfId(0, "roof inspection")
    first, second = told[3:]
    assert isinstance(first, rid.Authentication)
    assert isinstance(second, rid.Authentication)
    assert (first.last_page, first.length_bytes, first.data) == (1, 40, bytes((7,)) * 17)
    assert (second.page, second.data) == (1, bytes((9,)) * 23)


def test_an_update_moves_the_operator_and_keeps_the_rest() -> None:
    update = dialect.MAVLink_open_drone_id_system_update_message(
        0, 0, 508300000, 43920000, 90.0, 1060
    )
    before, after = read(ground(), update)
    assert isinstance(before, rid.System)
    assert isinstance(after, rid.System)
    assert (before.operator_lat_deg, after.operator_lat_deg) == (50.82, 50.83)
    assert after.operator_alt_ellipsoid_m == 90.0
    assert (after.ua_class, after.area_ceiling_m, after.area_floor_m) == (3, 150.0, None)
    assert before.at is not None
    assert after.at is not None
    assert (after.at - before.at).total_seconds() == 60.0


def test_an_update_before_its_system_says_nothing() -> None:
    update = dialect.MAVLink_open_drone_id_system_update_message(0, 0, 1, 1, 0.0, 1)
    assert OdidParser("mast").feed(packed(update), START) == []


def test_a_pack_is_the_broadcast_itself() -> None:
    broadcast = rid.encode_pack(
        (
            rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"),
            rid.Location(rid.Status.AIRBORNE, 50.8, 4.4),
        )
    )
    message = dialect.MAVLink_open_drone_id_message_pack_message(
        0, 0, MAC, 25, 2, tuple(broadcast[3:].ljust(225, b"\0"))
    )
    (received,) = OdidParser("mast").feed(packed(message), START)
    assert received.payload == broadcast
    assert received.transmitter == "60:60:1f:1e:30:1e"
    assert (received.receiver, received.transport, received.at) == ("mast", "mavlink", START)


def test_the_aircraft_at_the_other_end_is_told_from_those_that_it_hears() -> None:
    near, heard_by_it = OdidParser("mast").feed(packed(basic(mac=NOBODY), basic()), START)
    assert near.transmitter == "mast/7.236"
    assert heard_by_it.transmitter == "60:60:1f:1e:30:1e"


@pytest.mark.parametrize(
    "message",
    [
        place(status=9),
        place(latitude=950000000),
        place(height_reference=7),
        basic(name=b"\xff\xfe"),
        basic(id_type=9),
        ground(operator_location_type=9),
        dialect.MAVLink_open_drone_id_message_pack_message(0, 0, MAC, 24, 2, (0,) * 225),
        dialect.MAVLink_open_drone_id_message_pack_message(0, 0, MAC, 25, 0, (0,) * 225),
        place(speed_vertical=-32768, altitude_geodetic=1e9),
    ],
)
def test_a_message_outside_its_ranges_is_refused_and_the_next_is_read(message: Any) -> None:
    parser = OdidParser("mast")
    (received,) = parser.feed(packed(message, basic()), START)
    assert parser.refused == 1
    assert rid.decode(received.payload).messages[0] == rid.BasicId(
        rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"
    )


@given(
    cut=st.lists(st.integers(1, 60), max_size=12),
    noise=st.binary(max_size=30),
)
def test_a_stream_may_be_cut_anywhere_and_begin_with_noise(cut: list[int], noise: bytes) -> None:
    heartbeat = dialect.MAVLink_heartbeat_message(1, 3, 0, 0, 4, 3)
    stream = noise.replace(b"\xfd", b"").replace(b"\xfe", b"") + packed(
        heartbeat, basic(), place(), heartbeat
    )
    parser, receptions = OdidParser("mast"), []
    for size in (*cut, len(stream)):
        receptions += parser.feed(stream[:size], START)
        stream = stream[size:]
    assert [one.payload[0] >> 4 for one in receptions] == [0, 1]


@given(st.binary(max_size=400))
def test_bytes_that_are_no_stream_raise_nothing(content: bytes) -> None:
    parser = OdidParser("mast")
    assert parser.feed(content + bytes(300), START) == []


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return int(port)


def test_datagrams_are_heard(inbox: Inbox, free_port: int) -> None:
    address = StreamAddress.parse(f"udp:127.0.0.1:{free_port}")
    feed = Feed("mast", mavlink.source(address), inbox)
    feed.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            records = gather(
                inbox,
                lambda found: len(heard(found)) >= 3,
                meanwhile=lambda: sender.sendto(packed(basic()), ("127.0.0.1", free_port)),
            )
    finally:
        feed.close()
    assert {one.receiver for one in heard(records)} == {"mast"}
    assert any(isinstance(one, Alive) and one.kind == "mavlink" for one in records)
    assert all(abs((one.at - datetime.now(UTC)).total_seconds()) < 120 for one in heard(records))


def test_only_packets_are_a_sign_of_life(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("droneteam.detection.feeds.HEARTBEAT_S", 0.0)
    inbox = Inbox()
    feed = Feed("mast", mavlink.source(StreamAddress.parse(f"udp:127.0.0.1:{free_port}")), inbox)
    feed.start()

    def lives(found: list[Record]) -> int:
        return sum(isinstance(one, Alive) for one in found)

    try:
        records = gather(inbox, lambda _found: feed.connections == 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            there = ("127.0.0.1", free_port)
            for _ in range(20):
                sender.sendto(b"no packet", there)
            heartbeat = packed(dialect.MAVLink_heartbeat_message(1, 3, 0, 0, 4, 3))
            records += gather(
                inbox,
                lambda found: lives(found) >= 3,
                meanwhile=lambda: sender.sendto(heartbeat, there),
            )
    finally:
        feed.close()
    parser = OdidParser("mast")
    assert parser.feed(b"no packet" * 40, START) == []
    assert parser.packets == 0
    assert heard(records) == []


def test_a_serial_line_is_heard_and_its_loss_is_told(inbox: Inbox) -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    address = StreamAddress.parse(f"serial:{os.ttyname(theirs)}:57600")
    feed = Feed("mast", mavlink.source(address), inbox)
    feed.start()
    try:
        records = gather(
            inbox,
            lambda found: bool(heard(found)),
            meanwhile=lambda: os.write(ours, packed(basic(), place())),
        )
        os.close(ours)
        os.close(theirs)
        troubles = gather(inbox, lambda found: any(isinstance(one, Trouble) for one in found))
    finally:
        feed.close()
    assert heard(records)[0].transmitter == "60:60:1f:1e:30:1e"
    assert any(isinstance(one, Trouble) and one.problem for one in troubles)


def test_a_line_that_is_not_there_is_named(inbox: Inbox) -> None:
    feed = Feed("mast", mavlink.source(StreamAddress.parse("serial:/dev/nothing:57600")), inbox)
    feed.start()
    try:
        records = gather(inbox, lambda found: any(isinstance(one, Trouble) for one in found))
    finally:
        feed.close()
    (problem, *_) = [one.problem for one in records if isinstance(one, Trouble)]
    assert "serial:/dev/nothing:57600" in problem
    assert "No such file" in problem


@pytest.mark.parametrize("text", ["tcp:host", "udp:host:x", "avian:host:1", "tcp:h:99999", ""])
def test_an_address_that_is_none_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(InputError, match="serial:DEVICE:BAUD"):
        StreamAddress.parse(text)


def test_receptions_carry_no_signal_strength() -> None:
    (received,) = OdidParser("mast").feed(packed(basic()), START)
    assert received == Received(
        START, "mast", "mavlink", "60:60:1f:1e:30:1e", received.payload, None, None
    )
