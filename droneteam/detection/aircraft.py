"""Manned aircraft from readsb: the Beast and SBS streams to identified plots.

Beast (binary): 0x1A, type ("1" Mode A/C, "2" Mode S short, "3" Mode S long), clock 6, signal 1,
message 2, 7 or 14; an 0x1A inside is doubled.
SBS (BaseStation, text): lines "MSG,type,...": 4 hex address, 10 call sign, 11 altitude in feet,
12 ground speed in knots, 13 track, 14 latitude, 15 longitude, counted from 0.

The parsers take bytes as they come, cut anywhere, and hold no more than one frame back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from droneteam.detection import adsb
from droneteam.detection.records import Plot
from droneteam.errors import DecodeError

_ESCAPE = 0x1A
_BODY_BYTES = {0x31: 9, 0x32: 14, 0x33: 21}
_SQUITTER = 0x33
MAX_LINE_BYTES = 512
POSITION_SIGMA_M = 30.0
"""For an aircraft whose position accuracy is not read: NACp 8 is common (92.6 m at 95 %)."""
MAX_AIRCRAFT = 5000
FRESH_S = 10.0


@dataclass(slots=True)
class _Aircraft:
    even: tuple[datetime, adsb.CprPosition] | None = None
    odd: tuple[datetime, adsb.CprPosition] | None = None
    velocity: tuple[datetime, float, float, float | None] | None = None
    callsign: str | None = None


@dataclass(slots=True)
class BeastParser:
    """Plots out of a Beast stream; refused counts the frames that were damaged."""

    sensor: str
    refused: int = 0
    _held: bytes = b""
    _aircraft: dict[str, _Aircraft] = field(default_factory=dict)

    def feed(self, content: bytes, at: datetime) -> list[Plot]:
        """The plots that these bytes complete, received at a moment."""
        plots = []
        self._held += content
        while (frame := self._next_frame()) is not None:
            kind, body = frame
            if kind != _SQUITTER:
                continue
            try:
                squitter = adsb.decode(body[7:])
            except DecodeError:
                self.refused += 1
                continue
            plot = None if squitter is None else self._hear(squitter, at)
            if plot is not None:
                plots.append(plot)
        return plots

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Type and unescaped body of the next whole frame; None until there is one."""
        while True:
            start = self._held.find(bytes((_ESCAPE,)))
            if start < 0:
                self._held = b""
                return None
            self._held = self._held[start:]
            if len(self._held) < 2:
                return None
            kind = self._held[1]
            if kind not in _BODY_BYTES:
                self._held = self._held[2:]
                continue
            body, used = _unescaped(self._held, 2, _BODY_BYTES[kind])
            if body is None:
                if used < 0:
                    return None
                # A frame began inside this one: it was cut, go on from the new one.
                self.refused += 1
                self._held = self._held[used:]
                continue
            self._held = self._held[used:]
            return kind, body

    def _hear(self, squitter: adsb.Squitter, at: datetime) -> Plot | None:
        if squitter.icao not in self._aircraft and len(self._aircraft) >= MAX_AIRCRAFT:
            del self._aircraft[next(iter(self._aircraft))]
        known = self._aircraft.setdefault(squitter.icao, _Aircraft())
        match squitter:
            case adsb.Identification():
                known.callsign = squitter.callsign
            case adsb.Velocity():
                known.velocity = (at, squitter.east_mps, squitter.north_mps, squitter.climb_mps)
            case adsb.CprPosition():
                return self._place(known, squitter, at)
        return None

    def _place(self, known: _Aircraft, half: adsb.CprPosition, at: datetime) -> Plot | None:
        if half.odd:
            known.odd = (at, half)
        else:
            known.even = (at, half)
        if known.even is None or known.odd is None:
            return None
        if abs((known.even[0] - known.odd[0]).total_seconds()) > adsb.PAIR_S:
            return None
        place = adsb.position(known.even[1], known.odd[1], half.odd)
        if place is None:
            return None
        speed_mps = course_deg = climb_mps = None
        if known.velocity is not None and (at - known.velocity[0]).total_seconds() <= FRESH_S:
            _, east_mps, north_mps, climb_mps = known.velocity
            speed_mps = math.hypot(east_mps, north_mps)
            course_deg = math.degrees(math.atan2(east_mps, north_mps)) % 360.0
        return Plot(
            at=at,
            sensor=self.sensor,
            transport="ads-b",
            lat_deg=place[0],
            lon_deg=place[1],
            sigma_m=POSITION_SIGMA_M,
            identity=f"icao:{half.icao}",
            manned=True,
            callsign=known.callsign,
            speed_mps=speed_mps,
            course_deg=course_deg,
            vertical_speed_mps=climb_mps,
            alt_ellipsoid_m=half.alt_ellipsoid_m,
            alt_pressure_m=half.alt_pressure_m,
        )


def _unescaped(held: bytes, start: int, size: int) -> tuple[bytes | None, int]:
    """The body and where it ends; None and -1 while incomplete, None and where it was cut."""
    body = bytearray()
    offset = start
    while len(body) < size:
        if offset >= len(held):
            return None, -1
        if held[offset] == _ESCAPE:
            if offset + 1 >= len(held):
                return None, -1
            if held[offset + 1] != _ESCAPE:
                return None, offset
            offset += 1
        body.append(held[offset])
        offset += 1
    return bytes(body), offset


@dataclass(slots=True)
class SbsParser:
    """Plots out of an SBS stream; refused counts the lines that could not be read."""

    sensor: str
    refused: int = 0
    _held: bytes = b""
    _motion: dict[str, tuple[datetime, float, float]] = field(default_factory=dict)
    _callsigns: dict[str, str] = field(default_factory=dict)

    def feed(self, content: bytes, at: datetime) -> list[Plot]:
        """The plots that these bytes complete, received at a moment."""
        *lines, self._held = (self._held + content).split(b"\n")
        if len(self._held) > MAX_LINE_BYTES:
            self._held = b""
            self.refused += 1
        plots = []
        for line in lines:
            try:
                plot = self._line(line.decode("ascii").strip(), at)
            except ValueError:  # also UnicodeDecodeError and a position off the globe
                self.refused += 1
                continue
            if plot is not None:
                plots.append(plot)
        return plots

    def _line(self, line: str, at: datetime) -> Plot | None:
        fields = line.split(",")
        if fields[0] != "MSG" or len(fields) < 16:
            if line:
                self.refused += 1
            return None
        icao = fields[4].strip().lower()
        int(icao, 16)
        self._remember(icao, fields, at)
        if not fields[14] or not fields[15]:
            return None
        speed_mps = course_deg = None
        motion = self._motion.get(icao)
        if motion is not None and (at - motion[0]).total_seconds() <= FRESH_S:
            _, speed_mps, course_deg = motion
        return Plot(
            at=at,
            sensor=self.sensor,
            transport="sbs",
            lat_deg=float(fields[14]),
            lon_deg=float(fields[15]),
            sigma_m=POSITION_SIGMA_M,
            identity=f"icao:{icao}",
            manned=True,
            callsign=self._callsigns.get(icao),
            speed_mps=speed_mps,
            course_deg=course_deg,
            alt_pressure_m=float(fields[11]) * adsb.FOOT_M if fields[11] else None,
        )

    def _remember(self, icao: str, fields: list[str], at: datetime) -> None:
        for table in (self._motion, self._callsigns):
            if icao not in table and len(table) >= MAX_AIRCRAFT:
                del table[next(iter(table))]
        if fields[12] and fields[13]:
            speed_mps = float(fields[12]) * adsb.KNOT_MPS
            self._motion[icao] = (at, speed_mps, float(fields[13]) % 360.0)
        if fields[10].strip():
            self._callsigns[icao] = fields[10].strip()[:8]
