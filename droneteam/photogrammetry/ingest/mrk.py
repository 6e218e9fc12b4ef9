"""DJI's Timestamp.MRK: where each photo of a flight was taken, as the RTK receiver has it.

One line per photo, written beside the photos (manuals of Phantom 4 RTK, Zenmuse P1, Matrice 4,
"Image Log File"), its columns parted by white space:

====================  =============================================================================
``7``                 number of the photo in this file
``433145.468823``     seconds of the GPS week at the exposure
``[2190]``            GPS week
``24,N 8,E 184,V``    millimetres from the antenna to the camera, north, east, *down*
``22.53,Lat 113.9,Lon 75.683,Ellh``  of the camera: the lever arm is already in it; ellipsoidal
``0.014, 0.015, 0.033``  standard deviations north, east, up, in metres
``50,Q``              0 none, 16 single, 32 to 49 float, 50 fixed
====================  =============================================================================

Photos carry the same position rounded, and often without deviations, hence this file.  A line
belongs to the photo of its number; the photo's own position must agree, because cards are copied
together and numbers start anew with every flight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from droneteam.geo import great_circle_distance_m
from droneteam.photogrammetry.ingest.xmp import RtkFix

SUFFIX = ".mrk"
GPS_EPOCH = datetime(1980, 1, 6, tzinfo=UTC)
LEAP_S = 18
"""GPS time minus UTC, since 2017-01-01 (IERS Bulletin C 52)."""
SAME_PLACE_M = 10.0
"""How far a photo's own position may lie from its line's: a receiver's last fix may be a second
old, at survey speed."""
MAX_BYTES = 8 << 20
"""A flight of 30,000 photos; more is another kind of file."""
_REAL = r"([-+]?\d+(?:\.\d*)?)"
_LINE = re.compile(
    rf"^\s*(\d+)\s+{_REAL}\s+\[\s*(\d+)\s*\]"
    rf"\s*,?\s*{_REAL}\s*,\s*N\s*,?\s*{_REAL}\s*,\s*E\s*,?\s*{_REAL}\s*,\s*V"
    rf"\s*,?\s*{_REAL}\s*,\s*Lat\s*,?\s*{_REAL}\s*,\s*Lon\s*,?\s*{_REAL}\s*,\s*Ellh"
    rf"\s*,?\s*{_REAL}\s*,\s*{_REAL}\s*,\s*{_REAL}\s*,?\s*(\d+)\s*,\s*Q\s*$"
)
_NUMBER = re.compile(r"(\d{3,5})(?:_[A-Z])?$")


@dataclass(frozen=True, slots=True)
class MrkRecord:
    """One photo's line.

    sigma_enu_m : None where the receiver stated none.  lever_arm_ned_m : from the antenna to the
    camera, already in the position.
    """

    number: int
    at: datetime
    lat_deg: float
    lon_deg: float
    alt_ellipsoid_m: float
    sigma_enu_m: tuple[float, float, float] | None
    lever_arm_ned_m: tuple[float, float, float]
    fix: RtkFix


@dataclass(frozen=True, slots=True)
class MrkFile:
    """A file's records by their number, and the lines that could not be read (from 1)."""

    name: str
    records: dict[int, MrkRecord]
    unreadable: tuple[int, ...]

    @property
    def flight(self) -> str:
        """What its photos' names may begin with: the name up to "Timestamp"."""
        return re.split(r"[-_]?timestamp", self.name, flags=re.IGNORECASE)[0]


def parse_mrk(name: str, text: str) -> MrkFile:
    """The file's records; a line that is cut off or damaged costs that line only."""
    records: dict[int, MrkRecord] = {}
    unreadable = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        record = _record(line)
        if record is None:
            unreadable.append(number)
        else:
            records[record.number] = record
    return MrkFile(name, records, tuple(unreadable))


def _record(line: str) -> MrkRecord | None:
    found = _LINE.match(line)
    if found is None:
        return None
    numbers = [float(value) for value in found.groups()]
    photo, tow_s, week, north_mm, east_mm, down_mm, lat, lon, height, *sigma, quality = numbers
    if not (abs(lat) <= 90.0 and abs(lon) <= 180.0) or (lat == 0.0 == lon) or week > 10_000:
        return None
    north_m, east_m, up_m = sigma
    return MrkRecord(
        number=int(photo),
        at=GPS_EPOCH + timedelta(weeks=week, seconds=tow_s - LEAP_S),
        lat_deg=lat,
        lon_deg=lon,
        alt_ellipsoid_m=height,
        sigma_enu_m=(east_m, north_m, up_m) if min(sigma) > 0.0 else None,
        lever_arm_ned_m=(north_mm / 1000.0, east_mm / 1000.0, down_mm / 1000.0),
        fix=_fix(int(quality)),
    )


def _fix(quality: int) -> RtkFix:
    if quality == 50:
        return "fixed"
    if 32 <= quality < 50:
        return "float"
    return "single" if quality == 16 else "none"


def mrk_paths(photos: Iterable[Path]) -> list[Path]:
    """The MRK files beside the photos, sorted."""
    folders = sorted({path.parent for path in photos})
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() == SUFFIX and not path.name.startswith(".") and path.is_file()
    ]


def read_mrk(path: Path) -> MrkFile:
    """The file's records; bytes that are no text make their line unreadable."""
    with path.open("rb") as file:
        text = file.read(MAX_BYTES).decode("utf-8", "replace")
    return parse_mrk(path.name, text.lstrip("\ufeff"))


def photo_number(name: str) -> int | None:
    """The number that a camera gave a photo: the last group of three to five digits.

    A letter behind it names the lens (``DJI_20260504103015_0007_V.JPG``).
    """
    found = _NUMBER.search(Path(name).stem)
    return None if found is None else int(found[1])


@dataclass(frozen=True, slots=True)
class MrkMatch:
    """A photo's record, or why the one of its number is not used; both None without any."""

    record: MrkRecord | None = None
    refused: str | None = None


def match_record(
    photo: str, at_deg: tuple[float, float] | None, files: Sequence[MrkFile]
) -> MrkMatch:
    """The record of a photo among the files of its folder.

    at_deg : the photo's own latitude and longitude; None when it states none.
    """
    number = photo_number(photo)
    named = [f for f in files if f.flight and photo.startswith(f.flight)]
    candidates = [f.records[number] for f in named or files if number in f.records]
    if not candidates:
        cut = [f.name for f in named or files if f.unreadable]
        return MrkMatch(refused=f"has no readable line in {cut[0]}" if cut else None)
    if at_deg is None:
        if len(candidates) == 1:
            return MrkMatch(candidates[0])
        return MrkMatch(refused=f"is number {number} of {len(candidates)} MRK files; none is used")
    off_m, best = min(((_distance_m(r, at_deg), r) for r in candidates), key=lambda pair: pair[0])
    if off_m <= SAME_PLACE_M:
        return MrkMatch(best)
    return MrkMatch(
        refused=f"lies {off_m:.0f} m from the MRK line of its number; its own position is used"
    )


def _distance_m(record: MrkRecord, at_deg: tuple[float, float]) -> float:
    distance = great_circle_distance_m(record.lat_deg, record.lon_deg, *at_deg)
    return distance if math.isfinite(distance) else math.inf
