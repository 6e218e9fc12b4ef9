"""Where receptions come from: capture files, and datagrams of one JSON object each.

A datagram (and a line of a .jsonl file) is
{"at": ISO 8601, "receiver": name, "transport": name, "transmitter": address, "rssi_dbm": number
or null, "payload": hexadecimal}.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from droneteam.detection import capture, frames
from droneteam.detection.records import Received
from droneteam.errors import DecodeError, InputError

MAX_DATAGRAM_BYTES = 4096
MAX_PAYLOAD_BYTES = 3 + 25 * 9
_CAPTURES = (".pcap", ".pcapng", ".cap")


@dataclass(slots=True)
class Tally:
    """What came in and what was refused, for the receiver's health."""

    received: int = 0
    refused: int = 0
    last_problem: str = ""

    def refuse(self, problem: object) -> None:
        """Count one reception that could not be used."""
        self.refused += 1
        self.last_problem = str(problem)


def parse_json(content: bytes) -> Received:
    """The reception that a datagram or a line holds.

    Raises
    ------
    DecodeError
        Names the field that is missing or wrong.
    """
    try:
        fields = json.loads(content)
        at = datetime.fromisoformat(fields["at"])
        payload = bytes.fromhex(fields["payload"])
        rssi = fields.get("rssi_dbm")
        receiver, transport, transmitter = (
            str(fields[name])[:80] for name in ("receiver", "transport", "transmitter")
        )
        rssi_dbm = None if rssi is None else int(rssi)
    except KeyError as error:
        raise DecodeError(f"a reception without {error}") from None
    except (TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise DecodeError(f"not a reception: {error}") from None
    if at.tzinfo is None:
        raise DecodeError(f"the time {at.isoformat()} has no time zone")
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise DecodeError(f"a payload of {len(payload)} bytes")
    return Received(at, receiver, transport, transmitter, payload, rssi_dbm)


def read_file(path: Path, tally: Tally) -> Iterator[Received]:
    """The receptions in a capture (.pcap, .pcapng) or a .jsonl file, in its order.

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
            try:
                frame = frames.extract(packet.link_type, packet.data)
            except DecodeError as error:
                tally.refuse(error)
                continue
            if frame is not None:
                tally.received += 1
                yield Received(
                    at=packet.at,
                    receiver=path.name,
                    transport=frame.transport,
                    transmitter=frame.transmitter,
                    payload=frame.payload,
                    rssi_dbm=frame.rssi_dbm,
                )


def _read_lines(path: Path, tally: Tally) -> Iterator[Received]:
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
        self._socket.bind((host, port))
        self.tally = Tally()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._socket.getsockname()
        return str(host), int(port)

    def receive(self, timeout_s: float) -> Received | None:
        """The next reception, or None when none came in time or the datagram was refused."""
        self._socket.settimeout(timeout_s)
        try:
            content = self._socket.recv(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            return None
        try:
            received = parse_json(content)
        except DecodeError as error:
            self.tally.refuse(error)
            return None
        self.tally.received += 1
        return received

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
