"""Where receptions come from: capture files, and datagrams of one JSON object each.

A datagram (and a line of a .jsonl file) is
{"at": ISO 8601, "receiver": name, "transport": name, "transmitter": address, "rssi_dbm": number
or null, "payload": hexadecimal}, and may hold "counter", the radio frame's message counter.

A sensor that sees without being told (camera, radar, RF direction finding) sends plots:
{"at", "sensor": name, "transport": "radar", "lat_deg", "lon_deg", "sigma_m"}, and where it knows
them "identity", "speed_mps", "course_deg", "alt_ellipsoid_m", "alt_pressure_m".  A receiver that
works and hears nothing sends {"at", "receiver": name, "alive": true} once a minute; one that has
done so and stops is a silent receiver.  One that cannot work says why: {"at", "receiver": name,
"problem": text}.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from droneteam.detection import capture, frames
from droneteam.detection.records import Alive, Plot, Received, Record, Trouble
from droneteam.errors import DecodeError, InputError, LinkError

MAX_DATAGRAM_BYTES = 4096
MAX_PAYLOAD_BYTES = 3 + 25 * 9
_CAPTURES = (".pcap", ".pcapng", ".cap")


@dataclass(slots=True)
class Tally:
    """What came in and what was refused, for the receiver's health.

    packets : frames of a capture, of whatever kind; received : those of them that are Remote ID.
    """

    packets: int = 0
    received: int = 0
    refused: int = 0
    last_problem: str = ""

    def refuse(self, problem: object) -> None:
        """Count one reception that could not be used."""
        self.refused += 1
        self.last_problem = str(problem)


def parse_json(content: bytes) -> Record:
    """The reception, plot or sign of life that a datagram or a line holds.

    Raises
    ------
    DecodeError
        Names the field that is missing or wrong.
    """
    try:
        record = _record(json.loads(content))
    except KeyError as error:
        raise DecodeError(f"a reception without {error}") from None
    except (TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise DecodeError(f"not a reception: {error}") from None
    if record.at.tzinfo is None:
        raise DecodeError(f"the time {record.at.isoformat()} has no time zone")
    return record


def _record(fields: dict[str, Any]) -> Record:
    at = datetime.fromisoformat(fields["at"])
    if "lat_deg" in fields:
        return _plot(at, fields)
    if fields.get("problem"):
        return Trouble(at, _name(fields, "receiver"), str(fields["problem"])[:200])
    if fields.get("alive") is True:
        return Alive(at, _name(fields, "receiver"))
    return _received(at, fields)


def _received(at: datetime, fields: dict[str, Any]) -> Received:
    payload = bytes.fromhex(fields["payload"])
    rssi, counter = fields.get("rssi_dbm"), fields.get("counter")
    receiver, transport, transmitter = (
        _name(fields, name) for name in ("receiver", "transport", "transmitter")
    )
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise DecodeError(f"a payload of {len(payload)} bytes")
    return Received(
        at,
        receiver,
        transport,
        transmitter,
        payload,
        None if rssi is None else int(rssi),
        None if counter is None else int(counter) & 0xFF,
    )


def _plot(at: datetime, fields: dict[str, Any]) -> Plot:
    return Plot(
        at,
        _name(fields, "sensor"),
        _name(fields, "transport"),
        float(fields["lat_deg"]),
        float(fields["lon_deg"]),
        float(fields["sigma_m"]),
        identity=None if fields.get("identity") is None else _name(fields, "identity"),
        speed_mps=_finite(fields, "speed_mps"),
        course_deg=_finite(fields, "course_deg"),
        alt_ellipsoid_m=_finite(fields, "alt_ellipsoid_m"),
        alt_pressure_m=_finite(fields, "alt_pressure_m"),
    )


def _finite(fields: dict[str, Any], name: str) -> float | None:
    if fields.get(name) is None:
        return None
    value = float(fields[name])
    if not math.isfinite(value):
        raise DecodeError(f"{name} {value} is not finite")
    return value


def _name(fields: dict[str, Any], name: str) -> str:
    return str(fields[name])[:80]


def read_file(path: Path, tally: Tally) -> Iterator[Record]:
    """The records in a capture (.pcap, .pcapng) or a .jsonl file, in its order.

    What cannot be read is counted in the tally; a damaged file gives what comes before the damage.

    Raises
    ------
    InputError
        The file is missing or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    if path.suffix in _CAPTURES:
        yield from _read_capture(path, tally)
    elif path.suffix == ".jsonl":
        yield from _read_lines(path, tally)
    else:
        known = ", ".join((*_CAPTURES, ".jsonl"))
        raise InputError(f"{path.name}: captures end with one of {known}")


def _read_capture(path: Path, tally: Tally) -> Iterator[Received]:
    with path.open("rb") as file:
        packets = capture.read_packets(file)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except DecodeError as error:
                tally.refuse(error)
                return
            tally.packets += 1
            try:
                received = of_packet(packet, path.name)
            except DecodeError as error:
                tally.refuse(error)
                continue
            if received is not None:
                tally.received += 1
                yield received


def of_packet(packet: capture.Packet, receiver: str) -> Received | None:
    """The Remote ID reception in a captured packet; None when it carries none.

    Raises
    ------
    DecodeError
        It announces Remote ID and is malformed, or it is of an unknown link type.
    """
    frame = frames.extract(packet.link_type, packet.data)
    if frame is None:
        return None
    return Received(
        at=packet.at,
        receiver=receiver,
        transport=frame.transport,
        transmitter=frame.transmitter,
        payload=frame.payload,
        rssi_dbm=frame.rssi_dbm,
        counter=frame.counter,
    )


def _read_lines(path: Path, tally: Tally) -> Iterator[Record]:
    with path.open("rb") as file:
        for line in file:
            try:
                received = parse_json(line)
            except DecodeError as error:
                tally.refuse(error)
                continue
            tally.received += 1
            yield received


class DatagramReceiver:
    """Receptions that arrive as datagrams on one UDP port."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise LinkError(f"udp {host}:{port}: {error.strerror or error}") from error
        self.tally = Tally()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def receive_many(self, timeout_s: float, limit: int) -> list[Record]:
        """What has come: at most `limit`, waiting only for the first."""
        records: list[Record] = []
        wait_s = timeout_s
        for _ in range(limit):
            content = self._datagram(wait_s)
            if content is None:
                break
            wait_s = 0.0
            try:
                records.append(parse_json(content))
            except DecodeError as error:
                self.tally.refuse(error)
        self.tally.received += len(records)
        return records

    def _datagram(self, timeout_s: float) -> bytes | None:
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(MAX_DATAGRAM_BYTES)
        except (TimeoutError, BlockingIOError):
            return None

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
