"""ArduPilot's onboard log format, written.

A log describes itself: FMT messages name every type's fields and their C types, FMTU messages
their units.  Each message is ``A3 95 type`` and its packed fields::

    b B h H i I q Q   integers of 8, 16, 32, 64 bits        f d   IEEE floats
    c C e E           16 and 32 bit integers times 100      L     degrees times 1e7
    M                 flight mode                           n N Z text of 4, 16, 64 bytes
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD = b"\xa3\x95"
FMT_TYPE = 128
_CODES = {
    "b": "b", "B": "B", "h": "h", "H": "H", "i": "i", "I": "I", "q": "q", "Q": "Q",
    "f": "f", "d": "d", "c": "h", "C": "H", "e": "i", "E": "I", "L": "i", "M": "B",
    "n": "4s", "N": "16s", "Z": "64s",
}  # fmt: skip
_SCALE = {"c": 100.0, "C": 100.0, "e": 100.0, "E": 100.0, "L": 1e7}


@dataclass(frozen=True, slots=True)
class Kind:
    """One message type: number, name, field types, labels, and their units and multipliers."""

    number: int
    name: str
    types: str
    labels: str
    units: str = ""
    multipliers: str = ""

    @property
    def packer(self) -> struct.Struct:
        """How the fields are packed."""
        return struct.Struct("<" + "".join(_CODES[code] for code in self.types))


FMT = Kind(FMT_TYPE, "FMT", "BBnNZ", "Type,Length,Name,Format,Columns")
UNIT = Kind(177, "UNIT", "QbZ", "TimeUS,Id,Label")
FMTU = Kind(178, "FMTU", "QBNN", "TimeUS,FmtType,UnitIds,MultIds")
MULT = Kind(179, "MULT", "Qbd", "TimeUS,Id,Mult")
PARM = Kind(64, "PARM", "QNff", "TimeUS,Name,Value,Default", "s---", "F---")
MSG = Kind(91, "MSG", "QZ", "TimeUS,Message", "s-", "F-")
GPS = Kind(
    75, "GPS", "QBBIHBcLLeffffB",
    "TimeUS,I,Status,GMS,GWk,NSats,HDop,Lat,Lng,Alt,Spd,GCrs,VZ,Yaw,U",
    "s#-s-S-DUmnhnh-", "F--C-0BGGB000--",
)  # fmt: skip
ATT = Kind(
    86, "ATT", "QffffffB", "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw,AEKF",
    "sddddhh-", "F000000-",
)  # fmt: skip
POS = Kind(80, "POS", "QLLfff", "TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt", "sDUmmm", "FGG000")
BAT = Kind(
    87, "BAT", "QBfffffcfBBB",
    "TimeUS,Inst,Volt,VoltR,Curr,CurrTot,EnrgTot,Temp,Res,RemPct,H,SH",
    "s#vvAaXOw%-%", "F-000C0?0000",
)  # fmt: skip
MODE = Kind(92, "MODE", "QMBB", "TimeUS,Mode,ModeNum,Rsn", "s---", "F---")
ARM = Kind(93, "ARM", "QBIBB", "TimeUS,ArmState,ArmChecks,Forced,Method", "s----", "F----")
CMD = Kind(
    94, "CMD", "QHHHffffLLfB",
    "TimeUS,CTot,CNum,CId,Prm1,Prm2,Prm3,Prm4,Lat,Lng,Alt,Frame",
    "s-------DUm-", "F-------GG0-",
)  # fmt: skip
CAM = Kind(
    95, "CAM", "QBHIHLLeeeccC",
    "TimeUS,I,Img,GPSTime,GPSWeek,Lat,Lng,Alt,RelAlt,GPSAlt,R,P,Y",
    "s#---DUmmmddh", "F----GGBBBBBB",
)  # fmt: skip
KINDS = (FMT, UNIT, FMTU, MULT, PARM, MSG, GPS, ATT, POS, BAT, MODE, ARM, CMD, CAM)
UNITS = (
    ("-", ""), ("s", "s"), ("#", "instance"), ("S", "satellites"), ("D", "deglatitude"),
    ("U", "deglongitude"), ("m", "m"), ("n", "m/s"), ("h", "degheading"), ("d", "deg"),
    ("v", "V"), ("A", "A"), ("a", "Ah"), ("X", "W.h"), ("O", "degC"), ("w", "Ohm"), ("%", "%"),
)  # fmt: skip
MULTIPLIERS = (
    ("-", 0.0),
    ("?", 1.0),
    ("0", 1.0),
    ("B", 1e-2),
    ("C", 1e-3),
    ("F", 1e-6),
    ("G", 1e-7),
)


class DataFlashWriter:
    """A log in memory, as the card of a vehicle would hold it."""

    def __init__(self, now_us: int) -> None:
        self.data = bytearray()
        self._packers = {kind.number: kind.packer for kind in KINDS}
        for kind in KINDS:
            self._describe(kind)
        for letter, label in UNITS:
            self.write(UNIT, now_us, ord(letter), label)
        for letter, factor in MULTIPLIERS:
            self.write(MULT, now_us, ord(letter), factor)
        for kind in KINDS:
            if kind.units:
                self.write(FMTU, now_us, kind.number, kind.units, kind.multipliers)

    def _describe(self, kind: Kind) -> None:
        length = self._packers[kind.number].size + 3
        self.write(FMT, kind.number, length, kind.name, kind.types, kind.labels)

    def write(self, kind: Kind, *values: float | str) -> None:
        """Appends one message; numbers are given in the units of its labels."""
        packed = [_raw(code, value) for code, value in zip(kind.types, values, strict=True)]
        self.data += HEAD + bytes((kind.number,)) + self._packers[kind.number].pack(*packed)


def _raw(code: str, value: float | str) -> float | int | bytes:
    if isinstance(value, str):
        return value.encode("ascii", "replace")
    if code in _SCALE:
        return round(value * _SCALE[code])
    return value if code in "fd" else int(value)
