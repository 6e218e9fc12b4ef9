"""Address files → streets with their houses (pure but for reading).

What the federal address register (BeSt) publishes for a region, as CSV or as a ZIP with one CSV in
it; any other CSV with the columns below does as well.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import great_circle_distance_m
from droneteam.places.coordinates import geodetic_from_grid

NAMES = ("streetname_fr", "streetname_nl")
TOWNS = ("municipality_name_fr", "municipality_name_nl")
NUMBER, POSTCODE, STATUS = "house_number", "postcode", "status"
GEODETIC = ("EPSG:4326_lat", "EPSG:4326_lon")
GRID = ("EPSG:31370_x", "EPSG:31370_y")
MAX_LINES = 5_000_000
MAX_BYTES = 3_000_000_000
"""Of the text, unpacked; all of Belgium takes 1.6 GB."""
_LONGEST_NAME = 120
_LONGEST_NUMBER = 12


@dataclass(frozen=True, slots=True)
class StreetAddresses:
    """One street in one municipality.

    houses : number → (lat_deg, lon_deg); radius_m reaches from the middle to the farthest house.
    """

    name_fr: str
    name_nl: str
    town_fr: str
    town_nl: str
    postcode: str
    lat_deg: float
    lon_deg: float
    radius_m: float
    houses: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class AddressFile:
    """What a file holds; unplaced : lines without usable coordinates, which are left out."""

    streets: tuple[StreetAddresses, ...]
    unplaced: int

    @property
    def houses(self) -> int:
        """How many house numbers there are."""
        return sum(len(street.houses) for street in self.streets)


def read_address_file(path: Path) -> AddressFile:
    """The streets of a file, in the order of their names.

    Raises
    ------
    InputError
        The file cannot be read, is no such list, is too long, or holds no address.
    """
    with _text(path) as lines:
        return _collected(path.name, lines)


def _collected(name: str, lines: Iterator[str]) -> AddressFile:
    header = next(lines, "")
    delimiter = max(",;|\t", key=header.count)
    reader = csv.DictReader(chain([header], lines), delimiter=delimiter, strict=True)
    _check_columns(name, reader.fieldnames or ())
    houses: dict[tuple[str, ...], dict[str, tuple[float, float]]] = {}
    unplaced = 0
    try:
        for row in reader:
            if reader.line_num > MAX_LINES:
                raise InputError(f"{name} has more than {MAX_LINES} lines", field="file")
            if (row.get(STATUS) or "current") != "current":
                continue
            at, number = _position(row), _cell(row, NUMBER, _LONGEST_NUMBER).lower()
            if at is None or not number or not (_cell(row, NAMES[0]) or _cell(row, NAMES[1])):
                unplaced += 1
                continue
            key = tuple(_cell(row, column) for column in (*NAMES, *TOWNS, POSTCODE))
            houses.setdefault(key, {}).setdefault(number, at)
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{name}, line {reader.line_num}: {error}", field="file") from error
    if not houses:
        raise InputError(f"{name} holds no address with coordinates", field="file")
    return AddressFile(tuple(_street(key, houses[key]) for key in sorted(houses)), unplaced)


@contextmanager
def _text(path: Path) -> Iterator[Iterator[str]]:
    """The file's lines, unpacked where it is a ZIP."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open(_only_csv(archive, path)) as raw:
                yield _limited(path.name, io.TextIOWrapper(raw, "utf-8-sig", newline=""))
        else:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                yield _limited(path.name, lines)
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: {error}", field="file") from error


def _only_csv(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    found = [info for info in archive.infolist() if info.filename.lower().endswith(".csv")]
    if len(found) != 1:
        raise InputError(f"{path.name} holds {len(found)} CSV files; one is needed", field="file")
    return found[0]


def _limited(name: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines; a packed file that unpacks without end is given up."""
    read = 0
    for line in lines:
        read += len(line)
        if read > MAX_BYTES:
            raise InputError(f"{name} unpacks to more than {MAX_BYTES} bytes", field="file")
        yield line


def _check_columns(name: str, columns: Sequence[str]) -> None:
    missing = [column for column in (*NAMES, *TOWNS, NUMBER, POSTCODE) if column not in columns]
    if missing:
        raise InputError(f"{name} lacks the columns {', '.join(missing)}", field="file")
    if not (set(GEODETIC) <= set(columns) or set(GRID) <= set(columns)):
        raise InputError(
            f"{name} has neither {' and '.join(GEODETIC)} nor {' and '.join(GRID)}", field="file"
        )


def _position(row: Mapping[str, str | None]) -> tuple[float, float] | None:
    """(lat_deg, lon_deg); the register writes 0 where it knows no place."""
    lat_deg, lon_deg = (_number(row.get(column)) for column in GEODETIC)
    if lat_deg and lon_deg:
        return (lat_deg, lon_deg) if abs(lat_deg) <= 90.0 and abs(lon_deg) <= 180.0 else None
    east_m, north_m = (_number(row.get(column)) for column in GRID)
    return geodetic_from_grid(31370, east_m, north_m) if east_m and north_m else None


def _number(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _cell(row: Mapping[str, str | None], column: str, longest: int = _LONGEST_NAME) -> str:
    return (row.get(column) or "").strip()[:longest]


def _street(key: tuple[str, ...], houses: Mapping[str, tuple[float, float]]) -> StreetAddresses:
    """The street; its middle is the house nearest to the mean, so that it lies on the street."""
    places = np.array(list(houses.values()))
    mean = places.mean(axis=0)
    lat_deg, lon_deg = places[int(np.argmin(np.hypot(*(places - mean).T)))]
    middle = (float(lat_deg), float(lon_deg))
    farthest = max(great_circle_distance_m(*middle, *at) for at in houses.values())
    name_fr, name_nl, town_fr, town_nl, postcode = key
    return StreetAddresses(
        name_fr, name_nl, town_fr, town_nl, postcode[:8], *middle,
        max(farthest, 30.0), houses,
    )  # fmt: skip
