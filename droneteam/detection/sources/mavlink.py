"""OPEN_DRONE_ID_* messages of a MAVLink link: ArduRemoteID, receiver dongles, routers.

A message comes either from the aircraft that the link leads to, or, with its radio address in
`id_or_mac`, from any aircraft that a receiver at the other end has heard
(https://mavlink.io/en/services/opendroneid.html).  A message pack (12915) holds the broadcast
bytes; the others (12900-12905, 12919) hold values, which become those bytes again.

Nothing is sent over the link: the listener is no ground station.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from droneteam.detection import rid
from droneteam.detection.records import Received
from droneteam.detection.sources import values
from droneteam.detection.sources.streams import Parser, StreamAddress, StreamSource
from droneteam.errors import DecodeError
from droneteam.missions.mavlink.codec import decode_raw
from droneteam.missions.mavlink.framing import Frame, Framer

TRANSPORT = "mavlink"
_BASIC_ID, _PACK, _SYSTEM, _SYSTEM_UPDATE = 12900, 12915, 12904, 12919
_MAC_BYTES = 6
_E7, _CENTI = 1e7, 100.0
MAX_SYSTEMS = 256


@dataclass(slots=True)
class OdidParser:
    """Receptions out of a MAVLink stream.

    refused : messages that could not be used; packets : of any kind, a sign of life.
    """

    sensor: str
    refused: int = 0
    packets: int = 0
    _framer: Framer = field(default_factory=Framer)
    _systems: dict[tuple[int, int], Any] = field(default_factory=dict)
    """The last SYSTEM of each sender, which a SYSTEM_UPDATE changes in part."""

    def feed(self, content: bytes, at: datetime) -> list[Received]:
        """The receptions that these bytes complete, received at a moment."""
        receptions = []
        for frame in self._framer.feed(content):
            self.packets += 1
            if frame.message_id not in _READERS and frame.message_id != _SYSTEM_UPDATE:
                continue
            try:
                message = decode_raw(frame)
                payload = self._payload(frame, message)
            except DecodeError:
                self.refused += 1
                continue
            if payload is not None:
                receptions.append(self._received(frame, message, payload, at))
        return receptions

    def _payload(self, frame: Frame, message: Any) -> bytes | None:
        sender = (frame.system_id, frame.component_id)
        if frame.message_id == _SYSTEM_UPDATE:
            return self._updated(sender, message)
        if frame.message_id == _SYSTEM:
            if len(self._systems) >= MAX_SYSTEMS and sender not in self._systems:
                del self._systems[next(iter(self._systems))]
            self._systems[sender] = message
        return _READERS[frame.message_id](message)

    def _updated(self, sender: tuple[int, int], update: Any) -> bytes | None:
        """The system with the operator's new place; None before the whole of it was heard."""
        known = self._systems.get(sender)
        if known is None:
            return None
        for name in ("operator_latitude", "operator_longitude", "operator_altitude_geo"):
            setattr(known, name, getattr(update, name))
        known.timestamp = update.timestamp
        return _system(known)

    def _received(self, frame: Frame, message: Any, payload: bytes, at: datetime) -> Received:
        address = bytes(getattr(message, "id_or_mac", ()))[:_MAC_BYTES]
        if any(address):
            transmitter = ":".join(f"{byte:02x}" for byte in address)
        else:
            transmitter = f"{self.sensor}/{frame.system_id}.{frame.component_id}"
        return Received(at, self.sensor, TRANSPORT, transmitter, payload)


def _basic_id(x: Any) -> bytes:
    return values.basic_id(x.id_type, x.ua_type, bytes(x.uas_id))


def _location(x: Any) -> bytes:
    return values.location(
        values.Whereabouts(
            status=x.status,
            direction_deg=x.direction / _CENTI,
            speed_mps=x.speed_horizontal / _CENTI,
            vertical_speed_mps=x.speed_vertical / _CENTI,
            lat_deg=x.latitude / _E7,
            lon_deg=x.longitude / _E7,
            alt_pressure_m=x.altitude_barometric,
            alt_ellipsoid_m=x.altitude_geodetic,
            height_reference=x.height_reference,
            height_m=x.height,
            horizontal_code=x.horizontal_accuracy,
            vertical_code=x.vertical_accuracy,
            pressure_code=x.barometer_accuracy,
            speed_code=x.speed_accuracy,
            second_of_hour_s=x.timestamp,
            time_code=x.timestamp_accuracy,
        )
    )


def _authentication(x: Any) -> bytes:
    head = (x.last_page_index, x.length, x.timestamp)
    data = bytes(x.authentication_data)
    return values.authentication(x.authentication_type, x.data_page, data, head)


def _self_id(x: Any) -> bytes:
    return values.self_id(x.description_type, x.description.encode("utf-8", "replace"))


def _system(x: Any) -> bytes:
    return values.system(
        values.Ground(
            operator_location_type=x.operator_location_type,
            classification=x.classification_type,
            operator_lat_deg=x.operator_latitude / _E7,
            operator_lon_deg=x.operator_longitude / _E7,
            area_count=x.area_count,
            area_radius_m=x.area_radius,
            area_ceiling_m=x.area_ceiling,
            area_floor_m=x.area_floor,
            ua_category=x.category_eu,
            ua_class=x.class_eu,
            operator_alt_ellipsoid_m=x.operator_altitude_geo,
            seconds_since_2019=x.timestamp,
        )
    )


def _operator_id(x: Any) -> bytes:
    return values.operator_id(x.operator_id_type, x.operator_id.encode("utf-8", "replace"))


def _pack(x: Any) -> bytes:
    """The broadcast itself; one that lies about its length keeps its whole messages."""
    if x.single_message_size != rid.MESSAGE_BYTES or not 1 <= x.msg_pack_size <= 9:
        raise DecodeError(f"a pack of {x.msg_pack_size} messages of {x.single_message_size} bytes")
    raw = bytes(x.messages)
    messages = [raw[at : at + 25] for at in range(0, 25 * x.msg_pack_size, 25)]
    return values.pack([one for one in messages if len(one) == rid.MESSAGE_BYTES])


_READERS: dict[int, Callable[[Any], bytes]] = {
    _BASIC_ID: _basic_id,
    12901: _location,
    12902: _authentication,
    12903: _self_id,
    _SYSTEM: _system,
    12905: _operator_id,
    _PACK: _pack,
}


def source(address: StreamAddress) -> StreamSource:
    """Remote ID messages over a MAVLink link; a link that carries nothing is silent."""
    return StreamSource(TRANSPORT, address, OdidParser, life=_packets)


def _packets(parser: Parser) -> int:
    return parser.packets if isinstance(parser, OdidParser) else 0
