"""The command `python -m sitl.transmit`: one simulated flight, as every kind of receiver gives it.

A drone crosses the accident's place and is written, each second, to whatever was asked for: a
capture with all four radios, the JSON datagrams of `detect listen`, the messages of a DroneScout
sensor to an MQTT broker, OPEN_DRONE_ID messages over MAVLink.  Nothing is put on the air.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import math
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import DroneteamError, InputError, LinkError
from sitl import airwaves
from sitl.beacons import (
    KINDS,
    MULTIROTOR,
    Beacon,
    Sighting,
    crossing,
    datagram,
    encode_pack,
    transmitter_address,
)
from sitl.places import PLACES, place_named
from sitl.simulation import Place

log = logging.getLogger("sitl.transmit")

RSSI_DBM = -62
SENSOR = "ds-sim"
PATIENCE_S = 10.0
_PACK_HEAD_BYTES, _MESSAGE_BYTES, _MAX_MESSAGES = 3, 25, 9


class Sink(Protocol):
    """Somewhere that a second of the flight is written to."""

    def write(self, seen: Sighting, counter: int) -> None:
        """What is broadcast in one second."""

    def close(self) -> None:
        """Write what is left, and end."""


@dataclass(slots=True)
class CaptureSink:
    """A pcapng file; every radio carries every second."""

    path: Path

    def __post_init__(self) -> None:
        self.path.write_bytes(airwaves.capture_head())

    def write(self, seen: Sighting, counter: int) -> None:
        """Add a second of all four radios."""
        address = airwaves.radio_address(transmitter_address(seen.serial))
        pack = encode_pack(seen)
        wifi = [
            make(address, counter, pack, RSSI_DBM)
            for make in (airwaves.wifi_beacon, airwaves.wifi_nan)
        ]
        radio = [
            airwaves.bluetooth_legacy(address, counter, message, RSSI_DBM)
            for message in _messages(pack)
        ]
        radio.append(airwaves.bluetooth_long_range(address, counter, pack, RSSI_DBM))
        with self.path.open("ab") as file:
            file.write(airwaves.captured(airwaves.LINK_RADIOTAP, seen.at, wifi))
            file.write(airwaves.captured(airwaves.LINK_BLUETOOTH, seen.at, radio))

    def close(self) -> None:
        """Nothing is left: every second is in the file."""


@dataclass(slots=True)
class DatagramSink:
    """The JSON datagrams of `droneteam detect listen`."""

    address: tuple[str, int]
    place: Place
    _socket: socket.socket | None = None

    def write(self, seen: Sighting, counter: int) -> None:
        """Send a second as one datagram."""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.sendto(datagram(seen, self.place), self.address)

    def close(self) -> None:
        """Release the socket."""
        if self._socket is not None:
            self._socket.close()


class MavlinkSink:
    """OPEN_DRONE_ID_MESSAGE_PACK and a heartbeat, in UDP datagrams."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender = dialect.MAVLink(None, srcSystem=42, srcComponent=236)

    def write(self, seen: Sighting, counter: int) -> None:
        """Send a heartbeat and a message pack."""
        pack = encode_pack(seen)
        address = airwaves.radio_address(transmitter_address(seen.serial))
        heartbeat = dialect.MAVLink_heartbeat_message(34, 8, 0, 0, 4, 3)  # MAV_TYPE_ODID
        message = dialect.MAVLink_open_drone_id_message_pack_message(
            0,
            0,
            tuple(address.ljust(20, b"\0")),
            _MESSAGE_BYTES,
            len(_messages(pack)),
            tuple(pack[_PACK_HEAD_BYTES:].ljust(_MESSAGE_BYTES * _MAX_MESSAGES, b"\0")),
        )
        for one in (heartbeat, message):
            self._socket.sendto(one.pack(self._sender), self._address)

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()


class MqttSink:
    """What a DroneScout sensor publishes."""

    def __init__(self, address: tuple[str, int], place: Place) -> None:
        self._place = place
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        try:
            self._client.connect(*address)
        except OSError as error:
            raise LinkError(f"broker {address[0]}:{address[1]}: {error.strerror}") from error
        self._client.loop_start()

    def write(self, seen: Sighting, counter: int) -> None:
        """Publish a second; now and then also that the sensor works."""
        now_ms = round(seen.at.timestamp() * 1000.0)
        told = {"sensor ID": SENSOR, "timestamp": now_ms}
        detection = {
            "RSSI": RSSI_DBM,
            "channel": 6,
            "MAC address": transmitter_address(seen.serial).upper(),
            "type": "WiFi beacon",
            "UASdata": base64.b64encode(uas_data(seen)).decode("ascii"),
        }
        self._publish({"protocol": 1.0, "data": told | detection})
        if counter % 30 == 0:
            self._publish({"protocol": 1.0, "status": told | {"status": "normal"}})

    def _publish(self, message: dict[str, object]) -> None:
        content = json.dumps(message).encode()
        sent = self._client.publish(f"/sensor/{SENSOR}/upload", content, qos=1)
        sent.wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def _messages(pack: bytes) -> list[bytes]:
    body = pack[_PACK_HEAD_BYTES:]
    return [body[at : at + _MESSAGE_BYTES] for at in range(0, len(body), _MESSAGE_BYTES)]


def uas_data(seen: Sighting) -> bytes:
    """ODID_UAS_Data of opendroneid-core-c, as a 64-bit little-endian machine lays it out."""
    raw = bytearray(920)
    struct.pack_into("<II20s", raw, 0, MULTIROTOR, 1, seen.serial.encode("ascii"))
    second_s = seen.at.minute * 60.0 + seen.at.second + seen.at.microsecond * 1e-6
    struct.pack_into(
        "<ifffddffifiiiiif",
        raw,
        64,
        *(2 if seen.airborne else 1, seen.direction_deg, seen.speed_mps, seen.vertical_speed_mps),
        *(seen.lat_deg, seen.lon_deg, -1000.0, seen.alt_ellipsoid_m, 0, seen.height_m),
        *(11, 5, 0, 4, 1, math.floor(second_s * 10.0) / 10.0),
    )
    struct.pack_into("<IIdd", raw, 808, 0, 1, seen.operator_lat_deg, seen.operator_lon_deg)
    struct.pack_into("<HHffIIfI", raw, 832, 1, 0, -1000.0, -1000.0, 0, 0, -1000.0, 0)
    raw[892] = raw[894] = raw[912] = 1
    if seen.operator_id is not None:
        struct.pack_into("<I20s", raw, 864, 0, seen.operator_id.encode("ascii"))
        raw[913] = 1
    return bytes(raw)


def flight(kind: str, place: Place, start_at: datetime, seconds: int) -> Iterator[Sighting]:
    """What is broadcast in each second of a scripted flight."""
    beacon = Beacon(crossing(kind, place, 0.0), place, start_at)
    for second in range(seconds):
        seen = beacon.sighting(float(second))
        if seen is None:
            return
        yield seen


def transmit(
    sightings: Iterator[Sighting],
    sinks: list[Sink],
    *,
    speedup: float,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """How many seconds were written; speedup : times real time, 0 for as fast as possible."""
    started_s, first_at, count = time.monotonic(), None, 0
    for seen in sightings:
        first_at = first_at or seen.at
        if speedup:
            due_s = (seen.at - first_at).total_seconds() / speedup
            sleep(max(0.0, due_s - (time.monotonic() - started_s)))
        for sink in sinks:
            sink.write(seen, count)
        count += 1
    return count


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise InputError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sitl.transmit", description=__doc__)
    add = parser.add_argument
    add("--kind", choices=KINDS, default="unregistered", help="whose flight it is")
    add("--world", choices=sorted(PLACES), default="accident")
    add("--seconds", type=int, default=60, help="of flight at most")
    add("--speedup", type=float, default=1.0, help="times real time; 0 as fast as possible")
    add("--start", type=datetime.fromisoformat, help="when the flight begins; now without")
    add("--pcapng", type=Path, help="write a capture")
    add("--udp", metavar="HOST:PORT", help="send JSON datagrams")
    add("--mqtt", metavar="HOST:PORT", help="publish as a DroneScout sensor")
    add("--mavlink", metavar="HOST:PORT", help="send OPEN_DRONE_ID messages in UDP datagrams")
    return parser


def _sinks(given: argparse.Namespace, place: Place) -> Iterator[Sink]:
    if given.pcapng is not None:
        yield CaptureSink(given.pcapng)
    if given.udp:
        yield DatagramSink(_address(given.udp), place)
    if given.mqtt:
        yield MqttSink(_address(given.mqtt), place)
    if given.mavlink:
        yield MavlinkSink(_address(given.mavlink))


def main(arguments: list[str] | None = None) -> int:
    """Transmit; 2 when the options or the machine do not allow it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    given = _parser().parse_args(arguments)
    place = place_named(given.world)
    start_at = given.start or datetime.now(UTC)
    try:
        if start_at.tzinfo is None or not given.speedup >= 0.0 or given.seconds < 1:
            raise InputError("--start needs a time zone, --speedup 0 or more, --seconds 1 or more")
        with ExitStack() as stack:
            sinks = list(_sinks(given, place))
            for sink in sinks:
                stack.callback(sink.close)
            if not sinks:
                raise InputError("nowhere to transmit to: --pcapng, --udp, --mqtt or --mavlink")
            sightings = flight(given.kind, place, start_at, given.seconds)
            count = transmit(sightings, sinks, speedup=given.speedup)
    except (DroneteamError, OSError) as error:
        log.error("%s", error)
        return 2
    log.info("transmitted %d s, until %s", count, start_at + timedelta(seconds=count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
