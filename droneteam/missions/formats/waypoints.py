"""MAVLink waypoint text ("QGC WPL 110"), as Mission Planner and MAVProxy keep it.

One header line, then one item per line, twelve columns divided by tabs: index, current, frame,
command, param1…4, x (latitude), y (longitude), z (altitude), autocontinue.  Item 0 is home.
"""

from __future__ import annotations

import math

import numpy as np

from droneteam.errors import DecodeError, InputError
from droneteam.missions.formats.missionfile import (
    MAX_FILE_BYTES,
    MissionFile,
    item_from_numbers,
    numbers_of,
)
from droneteam.missions.items import Frame, HomePoint, MissionCommand, MissionItem

HEADER = "QGC WPL 110"
_COLUMNS = 12


def write_waypoints(mission: MissionFile) -> str:
    """The file's text; the fence and rally points have no place in this format."""
    home = mission.home
    first = (0, 1, Frame.GLOBAL, MissionCommand.WAYPOINT, 0, 0, 0, 0)
    rows = [(*first, f"{home.lat_deg:.7f}", f"{home.lon_deg:.7f}", _single(home.written_amsl_m), 1)]
    for index, item in enumerate(mission.items, start=1):
        frame, (p1, p2, p3, p4, x, y, z) = numbers_of(item)
        place = (f"{x:.7f}", f"{y:.7f}", _single(z))
        params = tuple(_single(value) for value in (p1, p2, p3, p4))
        rows.append((index, 0, frame, item.command, *params, *place, 1))  # type: ignore[arg-type]
    lines = ["\t".join(str(_plain(value)) for value in row) for row in rows]
    return "\n".join([HEADER, *lines]) + "\n"


def _single(value: float) -> str:
    """The shortest text that a link's 32 bit number is read back from."""
    return str(np.format_float_positional(np.float32(value), trim="-"))


def _plain(value: object) -> object:
    return int(value) if isinstance(value, Frame | MissionCommand) else value


def read_waypoints(text: str) -> MissionFile:
    """The mission in a waypoint text.

    Raises
    ------
    DecodeError
        Names the line and what is wrong with it.
    """
    if len(text) > MAX_FILE_BYTES:
        raise DecodeError(
            "the file is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    lines = [line.strip() for line in text.splitlines()]
    if not lines or not lines[0].startswith("QGC WPL"):
        raise DecodeError(
            "line 1: not a waypoint file, it does not start with {header!r}", header=HEADER
        )
    rows = [(n, _row(n, line)) for n, line in enumerate(lines[1:], start=2) if line]
    if not rows:
        raise DecodeError("line 2: no home position")
    home = _home(*rows[0])
    return MissionFile(home, tuple(_item(number, row, home) for number, row in rows[1:]))


def _home(number: int, row: tuple[float, ...]) -> HomePoint:
    try:
        return HomePoint(row[8], row[9], row[10])
    except InputError as error:
        raise DecodeError("line {number}: {error}", number=number, error=error) from error


def _item(number: int, row: tuple[float, ...], home: HomePoint) -> MissionItem:
    try:
        return item_from_numbers(int(row[3]), int(row[2]), row[4:11], home)
    except DecodeError as error:
        raise DecodeError("line {number}: {error}", number=number, error=error) from error


def _row(number: int, line: str) -> tuple[float, ...]:
    parts = line.split()
    if len(parts) != _COLUMNS:
        raise DecodeError(
            "line {number}: {parts} columns, {limit} are needed",
            number=number,
            parts=len(parts),
            limit=_COLUMNS,
        )
    try:
        values = tuple(float(part) for part in parts)
    except ValueError as error:
        raise DecodeError("line {number}: {error}", number=number, error=error) from error
    if not all(math.isfinite(value) for value in values):
        raise DecodeError("line {number}: not a finite number", number=number)
    return values
