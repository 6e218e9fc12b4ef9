"""Random skies whose truth is known: who sent every message, whatever it says of itself."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from droneteam.detection import frames, rid
from droneteam.detection.records import Received
from tests.detection.radio import DEGREE_M, LAT_DEG, LON_DEG, START
from tests.detection.test_frames import bluetooth, radiotap

RECEIVERS = ("roof", "van", "mast")
STEP_S = 10.0


@dataclass
class Flyer:
    """An aircraft: where it is, what it says it is, and how its radios behave."""

    name: str
    serial: str
    east_m: float
    north_m: float
    speed_mps: float
    course_deg: float
    turn_dps: float
    radios: tuple[str, ...]
    """"wifi", "ble": each with an address of its own."""
    rotates_every_s: float = math.inf
    clone_of: str = ""
    """The flyer whose addresses it copies."""
    way: list[tuple[float, float, float]] = field(default_factory=list)

    def fly(self, seconds: int, chance: random.Random) -> None:
        """Its places and courses, one each second."""
        for _ in range(seconds):
            self.way.append((self.east_m, self.north_m, self.course_deg))
            if chance.random() < 0.1:
                self.turn_dps = chance.choice((0.0, 0.0, chance.uniform(-15.0, 15.0)))
            course = math.radians(self.course_deg)
            self.east_m += self.speed_mps * math.sin(course)
            self.north_m += self.speed_mps * math.cos(course)
            self.course_deg = (self.course_deg + self.turn_dps) % 360.0

    def address(self, radio: str, second: float) -> str:
        turn = 0 if math.isinf(self.rotates_every_s) else int(second // self.rotates_every_s)
        return f"{self.clone_of or self.name}/{radio}/{turn}"


@dataclass(frozen=True)
class Sent:
    """A reception, who truly sent it, and whether it is a position."""

    name: str
    received: Received
    located: bool


def sky(
    chance: random.Random, seconds: int = 40, *, in_step: bool = False
) -> tuple[list[Flyer], list[Sent]]:
    """Honest drones, copies of their serials, one clone of an address; and what is heard.

    in_step : the cloned drone takes new addresses, and the clone copies each of them at once.
    """
    honest = [_honest(number, chance) for number in range(chance.randint(4, 8))]
    if in_step:
        honest[1].rotates_every_s = STEP_S
    fakes = [_fake(number, one, chance) for number, one in enumerate(honest) if number % 3 == 0]
    clone = _clone(honest[1], chance)
    if in_step:
        clone.rotates_every_s = STEP_S
    flyers = [*honest, *fakes, clone]
    for one in flyers:
        one.fly(seconds, chance)
    heard = [sent for one in flyers for sent in _heard_of(one, seconds, chance)]
    return flyers, sorted(heard, key=lambda sent: sent.received.at)


def _honest(number: int, chance: random.Random) -> Flyer:
    return Flyer(
        name=f"real{number}",
        serial=f"SERIAL{number:04d}",
        east_m=chance.uniform(-800.0, 800.0),
        north_m=chance.uniform(-800.0, 800.0),
        speed_mps=chance.choice((0.0, chance.uniform(2.0, 20.0))),
        course_deg=chance.uniform(0.0, 360.0),
        turn_dps=0.0,
        radios=chance.choice((("wifi",), ("ble",), ("wifi", "ble"))),
        rotates_every_s=chance.choice((math.inf, math.inf, 15.0)),
    )


def _fake(number: int, real: Flyer, chance: random.Random) -> Flyer:
    """The serial of another, from a radio of its own, half a kilometre away or more."""
    bearing = chance.uniform(0.0, 2.0 * math.pi)
    away_m = chance.uniform(500.0, 4000.0)
    return replace(
        real,
        name=f"fake{number}",
        east_m=real.east_m + away_m * math.sin(bearing),
        north_m=real.north_m + away_m * math.cos(bearing),
        course_deg=chance.uniform(0.0, 360.0),
        speed_mps=chance.uniform(0.0, 20.0),
        rotates_every_s=math.inf,
        radios=("wifi",),
        way=[],
    )


def _clone(real: Flyer, chance: random.Random) -> Flyer:
    """Serial and addresses of another; too far for the two ever to be one.

    It keeps the address that it has copied when the other takes a new one.
    """
    return replace(
        real,
        name="clone",
        clone_of=real.name,
        north_m=real.north_m + chance.uniform(6000.0, 9000.0),
        rotates_every_s=math.inf,
        way=[],
    )


def _heard_of(one: Flyer, seconds: int, chance: random.Random) -> Iterator[Sent]:
    """Positions each second, the identity with a third of them; lost, late and copied."""
    for second in range(seconds):
        for radio in one.radios:
            address = one.address(radio, second)
            messages: list[rid.Message] = [location(one, second, chance)]
            if second % 3 == len(radio) % 3:
                messages.insert(0, rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, one.serial))
            for message in messages:
                located = isinstance(message, rid.Location)
                for received in _receptions(message, address, radio, second, chance):
                    yield Sent(one.name, received, located)


def location(one: Flyer, second: int, chance: random.Random) -> rid.Location:
    east_m, north_m, course_deg = one.way[second]
    at = START + timedelta(seconds=second)
    return rid.Location(
        rid.Status.AIRBORNE,
        LAT_DEG + (north_m + chance.gauss(0.0, 1.2)) / DEGREE_M,
        LON_DEG + (east_m + chance.gauss(0.0, 1.2)) / (DEGREE_M * math.cos(math.radians(LAT_DEG))),
        direction_deg=course_deg,
        speed_mps=one.speed_mps,
        height_m=50.0,
        horizontal_accuracy_m=3.0,
        speed_accuracy_mps=1.0,
        second_of_hour_s=at.minute * 60.0 + at.second,
    )


def _receptions(
    message: rid.Message, address: str, radio: str, second: int, chance: random.Random
) -> Iterator[Received]:
    payload = rid.encode(message)
    for receiver in RECEIVERS[: 1 + len(address) % 3]:
        if chance.random() < 0.2:
            continue
        at = START + timedelta(seconds=second + chance.uniform(0.9, 1.8))
        for copy in range(chance.choice((1, 1, 2, 3))):
            heard = at + timedelta(milliseconds=15 * copy)
            yield Received(heard, receiver, radio, address, payload, chance.randint(-90, -50))


def over_the_air(received: Received, chance: random.Random, bad: bool) -> Received | None:
    """The same after a radio frame; a bad one has wrong bits and a checksum that says so."""
    content = bytearray(b"\x07\xf2\x19\x01" + received.payload)
    if bad:
        for _ in range(chance.randint(1, 6)):
            content[chance.randrange(4, len(content))] ^= 1 << chance.randrange(8)
    if received.transport == "wifi":
        data, link = radiotap(_beacon(bytes(content)), flags=0x40 if bad else 0), 127
    else:
        data, link = bluetooth(bytes(content), flags=0x20 if bad else 0x21), 272
    frame = frames.extract(link, data)
    return None if frame is None else replace(received, payload=frame.payload)


def _beacon(content: bytes) -> bytes:
    mac = b"\x80\x00\x00\x00" + b"\xff" * 6 + bytes(12) + b"\x00\x00"
    element = b"\xfa\x0b\xbc\x0d" + content
    return mac + bytes(12) + bytes((221, len(element))) + element
