"""The mock transmitter against every receiver that is to hear it."""

from __future__ import annotations

import socket
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from droneteam.detection import rid
from droneteam.detection.receivers import Tally, parse_json, read_file
from droneteam.detection.records import Received
from droneteam.detection.sources.dronescout import messages_of
from droneteam.detection.sources.mavlink import OdidParser
from droneteam.geo import great_circle_distance_m
from sitl import airwaves, transmit
from sitl.beacons import Sighting, transmitter_address
from sitl.places import PLACES
from sitl.transmit import flight, main, uas_data
from tests.detection.sources.test_mqtt import configuration, running
from tests.detection.sources.waiting import PATIENCE_S

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
PLACE = PLACES["accident"]


def sightings(seconds: int = 5, kind: str = "registered") -> list[Sighting]:
    return list(flight(kind, PLACE, START, seconds))


def captured(path: Path) -> list[Received]:
    tally = Tally()
    found = list(read_file(path, tally))
    assert tally.refused == 0, tally.last_problem
    return [one for one in found if isinstance(one, Received)]


def test_a_capture_holds_the_flight_over_every_radio(tmp_path: Path) -> None:
    path = tmp_path / "flight.pcapng"
    arguments = ["--kind", "registered", "--seconds", "5", "--speedup", "0"]
    assert main([*arguments, "--start", START.isoformat(), "--pcapng", str(path)]) == 0
    found = captured(path)
    assert Counter(one.transport for one in found) == {
        "wifi-beacon": 5,
        "wifi-nan": 5,
        "ble-legacy": 20,
        "ble-long-range": 5,
    }
    (address,) = {one.transmitter for one in found}
    truth = sightings()
    assert address == transmitter_address(truth[0].serial)
    assert {one.rssi_dbm for one in found} == {transmit.RSSI_DBM}
    assert [one.at for one in found if one.transport == "wifi-nan"] == [one.at for one in truth]
    for transport in ("wifi-beacon", "wifi-nan", "ble-long-range"):
        packs = [one for one in found if one.transport == transport]
        assert [one.counter for one in packs] == list(range(5))
        for received, seen in zip(packs, truth, strict=True):
            check(rid.decode(received.payload).messages, seen)


def check(messages: tuple[rid.Message, ...], seen: Sighting) -> None:
    basic, location, system, operator = messages
    assert basic == rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, seen.serial)
    assert isinstance(location, rid.Location)
    assert location.lat_deg is not None
    assert location.lon_deg is not None
    away_m = great_circle_distance_m(location.lat_deg, location.lon_deg, seen.lat_deg, seen.lon_deg)
    assert away_m < 0.02
    assert location.height_m == pytest.approx(seen.height_m, abs=0.26)
    assert location.speed_mps == pytest.approx(seen.speed_mps, abs=0.13)
    assert isinstance(system, rid.System)
    assert system.operator_lat_deg == pytest.approx(seen.operator_lat_deg, abs=1e-7)
    assert operator == rid.OperatorId(0, seen.operator_id or "")


def test_a_sensors_structure_holds_the_same(tmp_path: Path) -> None:
    for seen in sightings():
        check(tuple(map(rid.decode_message, messages_of(uas_data(seen)))), seen)


def test_the_checksum_belongs_to_its_packet() -> None:
    packet = airwaves.bluetooth_legacy(bytes(6), 0, bytes(25), -60)
    pdu = packet[14:-3]
    assert airwaves._checksum(pdu) == packet[-3:]
    assert airwaves._checksum(b"") == (0xAAAAAA).to_bytes(3, "little")
    changed = bytes((pdu[0], pdu[1], pdu[2] ^ 1)) + pdu[3:]
    assert airwaves._checksum(changed) != packet[-3:]


@pytest.fixture
def ear() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE_S)
        yield receiver


def address_of(receiver: socket.socket) -> str:
    host, port = receiver.getsockname()
    return f"{host}:{port}"


def test_datagrams_are_what_the_listener_reads(ear: socket.socket) -> None:
    arguments = ["--seconds", "3", "--speedup", "0", "--start", START.isoformat()]
    assert main([*arguments, "--udp", address_of(ear)]) == 0
    records = [parse_json(ear.recv(4096)) for _ in range(3)]
    assert [one.at for one in records] == [START + timedelta(seconds=n) for n in range(3)]


def test_mavlink_is_what_the_receiver_reads(ear: socket.socket) -> None:
    arguments = ["--kind", "registered", "--seconds", "3", "--speedup", "0"]
    assert main([*arguments, "--start", START.isoformat(), "--mavlink", address_of(ear)]) == 0
    parser, found = OdidParser("mast"), []
    for _ in range(6):
        found += parser.feed(ear.recv(4096), START)
    assert parser.refused == 0
    for received, seen in zip(found, sightings(3), strict=True):
        check(rid.decode(received.payload).messages, seen)


def test_a_broker_is_published_to() -> None:
    from tests.detection.sources.test_mqtt import Broker, Feed, Inbox, gather, heard

    inbox = Inbox()
    with running(configuration()) as broker:
        feed = Feed("north", Broker("127.0.0.1", broker.port), inbox)
        feed.start()
        try:
            gather(inbox, lambda _found: feed.connections == 1)
            told = ["--seconds", "3", "--speedup", "0", "--mqtt", f"127.0.0.1:{broker.port}"]
            assert main(told) == 0
            records = gather(inbox, lambda found: len(heard(found)) >= 3)
        finally:
            feed.close()
    assert {one.receiver for one in heard(records)} == {f"north/{transmit.SENSOR}"}


def test_time_passes_at_its_pace() -> None:
    slept: list[float] = []
    count = transmit.transmit(iter(sightings(4)), [], speedup=2.0, sleep=slept.append)
    assert count == 4
    assert slept == [pytest.approx(n / 2.0, abs=0.2) for n in range(4)]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--udp", "nowhere"],
        ["--seconds", "0", "--udp", "127.0.0.1:9"],
        ["--start", "2026-05-04T08:00:00", "--udp", "127.0.0.1:9"],
        ["--mqtt", "127.0.0.1:1"],
    ],
)
def test_what_cannot_be_transmitted_is_refused(
    arguments: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--speedup", "0", *arguments]) == 2
    assert caplog.records[-1].levelname == "ERROR"
