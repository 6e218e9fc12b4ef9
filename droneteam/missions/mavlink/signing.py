"""MAVLink 2 message signing: who may speak on a link.

A signed packet ends with 13 bytes: the link's id, a time in steps of 10 µs since 2015-01-01 and
the first six bytes of SHA-256 over the secret key, the packet, the link's id and the time.  A
time that does not grow is a replay.  Source: MAVLink guide, "Message Signing".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from fastcrc import crc16
from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import InputError
from droneteam.missions.mavlink.framing import Frame

KEY_BYTES = 32
_EPOCH_2015_S = 1_420_070_400
_STEPS_PER_S = 100_000
_MAX_LATE_STEPS = 60 * _STEPS_PER_S
"""A stream heard for the first time may lag behind our clock by one minute."""
_SIGNED = 0x01
_TRAILER = 13
RADIO_STATUS = 109
"""Sent by telemetry radios themselves, which hold no key; tells nothing about the vehicle."""


def key_from_text(text: str) -> bytes:
    """The key of a passphrase, or of 64 hexadecimal digits.

    A passphrase becomes its SHA-256, as Mission Planner and MAVProxy do it.
    """
    text = text.strip()
    if len(text) == 2 * KEY_BYTES:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass  # a passphrase of that length is hashed like any other
    if len(text) < 12:
        raise InputError("a signing key needs 12 characters at least", field="signing")
    return hashlib.sha256(text.encode()).digest()


def steps(unix_s: float) -> int:
    """Seconds since 1970 as a signature's time."""
    return int((unix_s - _EPOCH_2015_S) * _STEPS_PER_S)


@dataclass(slots=True)
class Signer:
    """Signs what we send and checks what we hear, with one key.

    link_id : ours, 0 to 255.
    """

    key: bytes
    link_id: int = 1
    _last_sent: int = 0
    _heard: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise InputError(f"a signing key has {KEY_BYTES} bytes, not {len(self.key)}")

    def sign(self, raw: bytes, unix_s: float) -> bytes:
        """A MAVLink 2 packet, signed; the flag and the checksum change with it."""
        if raw[0] != 0xFD:
            raise InputError("only packets of MAVLink 2 can be signed")
        body = bytearray(raw[: 10 + raw[1]])
        body[2] |= _SIGNED
        message_id = int.from_bytes(raw[7:10], "little")
        extra = dialect.mavlink_map[message_id].crc_extra
        crc = crc16.mcrf4xx(bytes(body[1:]) + bytes((extra,)))
        packet = bytes(body) + crc.to_bytes(2, "little")
        self._last_sent = max(self._last_sent + 1, steps(unix_s))
        trailer = bytes((self.link_id,)) + self._last_sent.to_bytes(6, "little")
        return packet + trailer + self._digest(packet, trailer)

    def accepts(self, frame: Frame, unix_s: float) -> bool:
        """Whether the packet is signed with the key, now and not before."""
        raw = frame.raw
        if frame.message_id == RADIO_STATUS:
            return True
        if raw[0] != 0xFD or not raw[2] & _SIGNED or len(raw) < 12 + _TRAILER:
            return False
        packet, trailer, digest = raw[:-_TRAILER], raw[-_TRAILER:-6], raw[-6:]
        if not hmac.compare_digest(digest, self._digest(packet, trailer)):
            return False
        stream = (frame.system_id, frame.component_id, trailer[0])
        sent = int.from_bytes(trailer[1:], "little")
        last = self._heard.get(stream)
        if sent <= (steps(unix_s) - _MAX_LATE_STEPS if last is None else last):
            return False
        self._heard[stream] = sent
        return True

    def _digest(self, packet: bytes, trailer: bytes) -> bytes:
        return hashlib.sha256(self.key + packet + trailer).digest()[:6]
