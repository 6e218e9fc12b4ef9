"""A sky of scripted transmitters, for the tests of tracks, matches and alerts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from droneteam.detection import rid
from droneteam.detection.track import Received

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
LAT_DEG, LON_DEG = 50.8197, 4.3908
DEGREE_M = 111_320.0


@dataclass(frozen=True)
class Aircraft:
    """Flies straight at constant speed from an offset in metres about LAT_DEG, LON_DEG."""

    transmitter: str = "02:00:00:00:00:01"
    uas_id: str | None = "1581F4BND2280"
    east_m: float = 0.0
    north_m: float = 0.0
    speed_mps: float = 10.0
    course_deg: float = 90.0
    identity_from_s: float = 0.0
    latency_s: float = 1.2

    def position(self, t_s: float) -> tuple[float, float]:
        course = math.radians(self.course_deg)
        east_m = self.east_m + self.speed_mps * t_s * math.sin(course)
        north_m = self.north_m + self.speed_mps * t_s * math.cos(course)
        scale = math.cos(math.radians(LAT_DEG))
        return LAT_DEG + north_m / DEGREE_M, LON_DEG + east_m / (DEGREE_M * scale)

    def location(self, t_s: float) -> rid.Location:
        lat_deg, lon_deg = self.position(t_s)
        at = START + timedelta(seconds=t_s)
        return rid.Location(
            rid.Status.AIRBORNE,
            lat_deg,
            lon_deg,
            direction_deg=self.course_deg,
            speed_mps=self.speed_mps,
            height_m=40.0,
            horizontal_accuracy_m=3.0,
            speed_accuracy_mps=1.0,
            second_of_hour_s=at.minute * 60.0 + at.second + at.microsecond / 1e6,
        )

    def receptions(self, t_s: float, copies: int = 1, receiver: str = "roof") -> Iterator[Received]:
        """What is heard of second t_s: location copies, and the identity every third second."""
        at = START + timedelta(seconds=t_s + self.latency_s)
        messages: list[rid.Message] = [self.location(t_s)]
        if self.uas_id and t_s >= self.identity_from_s and round(t_s) % 3 == 0:
            messages.append(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, self.uas_id))
        for message in messages:
            for copy in range(copies):
                heard = at + timedelta(milliseconds=20 * copy)
                payload = rid.encode(message)
                yield Received(heard, receiver, "wifi-beacon", self.transmitter, payload, -60)


def fly(*aircraft: Aircraft, seconds: int = 60, copies: int = 1) -> Iterator[Received]:
    """Everything heard of the aircraft, in the order of hearing."""
    heard = [
        received
        for t_s in range(seconds)
        for one in aircraft
        for received in one.receptions(float(t_s), copies)
    ]
    return iter(sorted(heard, key=lambda received: received.at))


def spoofed(real: Aircraft, transmitter: str, **change: float) -> Aircraft:
    """Another radio with the same serial number."""
    return replace(real, transmitter=transmitter, **change)  # type: ignore[arg-type]
