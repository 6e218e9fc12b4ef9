"""The CSV of Litchi's mission hub: one row per waypoint, up to fifteen actions each."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

from droneteam.errors import DecodeError, InputError
from droneteam.missions.formats.fileplaces import FilePlaces, LeftOut
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES
from droneteam.missions.formats.photostops import PhotoStop
from droneteam.missions.planner.heights import HeightKind

MAX_WAYPOINTS = 99
"""What the application flies in one mission."""
_ACTIONS = 15
_NONE, _STAY, _PHOTO, _TILT = -1, 0, 1, 5
_ABOVE_GROUND = "1"
_AT_POINT = 1.0
"""Of gimbalmode: the camera looks at the point of interest."""
COLUMNS = (
    "latitude", "longitude", "altitude(m)", "heading(deg)", "curvesize(m)", "rotationdir",
    "gimbalmode", "gimbalpitchangle",
    *(f"action{part}{n}" for n in range(1, _ACTIONS + 1) for part in ("type", "param")),
    "altitudemode", "speed(m/s)", "poi_latitude", "poi_longitude", "poi_altitude(m)",
    "poi_altitudemode", "photo_timeinterval", "photo_distinterval",
)  # fmt: skip


def write_litchi(stops: Sequence[PhotoStop]) -> str:
    """The file's text; heights are relative to take-off.

    Raises
    ------
    InputError
        There are more places than the application flies.
    """
    if not 0 < len(stops) <= MAX_WAYPOINTS:
        raise InputError(
            "{count} waypoints; Litchi flies 1 to {limit}: split the area",
            count=len(stops),
            limit=MAX_WAYPOINTS,
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for stop in stops:
        actions = [(_STAY, round(stop.stay_s * 1000))] if stop.stay_s else []
        actions += [(_PHOTO, 0)] if stop.photo else []
        actions += [(_NONE, 0)] * (_ACTIONS - len(actions))
        writer.writerow(
            [
                f"{stop.lat_deg:.7f}", f"{stop.lon_deg:.7f}", f"{stop.alt_home_m:.2f}",
                f"{stop.yaw_deg:.1f}", 0, 0, 2, f"{stop.pitch_deg:.1f}",
                *(value for action in actions for value in action),
                0, f"{stop.speed_mps:g}", 0, 0, 0, 0, -1, -1,
            ]
        )  # fmt: skip
    return text.getvalue()


def read_litchi(text: str) -> tuple[PhotoStop, ...]:
    """The places of a file.

    Raises
    ------
    DecodeError
        Names the row and what is wrong with it; heights above ground are refused, because
        nobody here knows that ground.
    """
    rows = _rows(text)
    for number, row in rows:
        if _mode(number, row) == _ABOVE_GROUND:
            raise DecodeError(
                "row {number}: heights above ground need a terrain model", number=number
            )
    return tuple(_stop(number, row) for number, row in rows)


def read_path(text: str) -> FilePlaces:
    """The places of a file with their heights: above take-off or above the ground, as it says.

    Raises
    ------
    DecodeError
        Names the row and what is wrong with it; rows of different altitude modes are refused.
    """
    rows = _rows(text)
    modes = {_mode(number, row) for number, row in rows}
    if len(modes) > 1:
        raise DecodeError("some rows are above take-off, some above the ground: choose one")
    stops = [_stop(number, row) for number, row in rows]
    intervals = ("photo_timeinterval", "photo_distinterval")
    timed = any(_number(n, row, name, -1.0) > 0.0 for n, row in rows for name in intervals)
    curved = any(_number(n, row, "curvesize(m)", 0.0) > 0.0 for n, row in rows[1:-1])
    aimed = any(_aims(n, row) for n, row in rows)
    said: dict[LeftOut, bool] = {"intervals": timed, "curves": curved, "aim": aimed}
    return FilePlaces(
        tuple((stop.lat_deg, stop.lon_deg) for stop in stops),
        "path",
        HeightKind.AGL if modes == {_ABOVE_GROUND} else HeightKind.HOME,
        tuple(stop.alt_home_m for stop in stops),
        photo=all(stop.photo for stop in stops),
        left_out=tuple(name for name, found in said.items() if found),
    )


_Row = Mapping[str, str | None]


def _aims(number: int, row: Mapping[str, str | None]) -> bool:
    """Whether the drone or its camera looks at a point of interest on the way."""
    poi = (_number(number, row, name, 0.0) for name in ("poi_latitude", "poi_longitude"))
    return any(poi) or _number(number, row, "gimbalmode", 0.0) == _AT_POINT


def _rows(text: str) -> list[tuple[int, _Row]]:
    """The rows with their numbers, the header being the first."""
    if len(text) > MAX_FILE_BYTES:
        raise DecodeError(
            "the file is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    try:
        reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
        missing = [name for name in COLUMNS[:8] if name not in (reader.fieldnames or ())]
        if missing:
            raise DecodeError("row 1: no column {name!r}: not a Litchi mission", name=missing[0])
        rows: list[tuple[int, _Row]] = list(enumerate(reader, start=2))
    except csv.Error as error:
        raise DecodeError("not CSV: {error}", error=error) from error
    if not rows:
        raise DecodeError("row 2: the mission has no waypoint")
    return rows


def _mode(number: int, row: _Row) -> str:
    mode = (row.get("altitudemode") or "0").strip()
    if mode not in ("0", _ABOVE_GROUND):
        raise DecodeError(
            "row {number}: altitudemode {mode!r} is neither 0 nor 1", number=number, mode=mode
        )
    return mode


def _stop(number: int, row: _Row) -> PhotoStop:
    kinds = {int(_number(number, row, f"actiontype{n}", _NONE)): n for n in range(1, _ACTIONS + 1)}
    stay = _number(number, row, f"actionparam{kinds[_STAY]}", 0.0) if _STAY in kinds else 0.0
    pitch = _number(number, row, "gimbalpitchangle", 0.0)
    if _TILT in kinds:
        pitch = _number(number, row, f"actionparam{kinds[_TILT]}", pitch)
    speed = _number(number, row, "speed(m/s)", 0.0)
    try:
        return PhotoStop(
            _number(number, row, "latitude"),
            _number(number, row, "longitude"),
            _number(number, row, "altitude(m)"),
            _number(number, row, "heading(deg)") % 360.0,
            pitch,
            speed or 5.0,
            stay / 1000.0,
            _PHOTO in kinds,
        )
    except InputError as error:
        raise DecodeError("row {number}: {error}", number=number, error=error) from error


def _number(
    number: int, row: Mapping[str, str | None], name: str, fallback: float | None = None
) -> float:
    text = (row.get(name) or "").strip()
    if not text and fallback is not None:
        return fallback
    try:
        value = float(text)
    except ValueError:
        raise DecodeError(
            "row {number}: {name} {text!r} is not a number", number=number, name=name, text=text
        ) from None
    if not math.isfinite(value):
        raise DecodeError("row {number}: {name} is not a finite number", number=number, name=name)
    return value
