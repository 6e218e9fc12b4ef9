"""Ground control: control and check points, scale bars and their marks in photos.

Two text formats are read.

ODM's ``gcp_list.txt``: the first line names the coordinate system (``EPSG:4979``, ``WGS84 UTM
31N``, or ``LOCAL`` for a survey in metres of its own), every further line is
``x y z x_px y_px photo [name]`` with x east or longitude; ``#`` starts a comment.  Rows of the
same name (or, without names, of the same coordinates) are marks of one point.

A CSV whose rows say what they are, for what the first cannot carry::

    crs,EPSG:3812+5710
    control,name,x,y,z[,sigma_horizontal_m,sigma_vertical_m]
    check,name,x,y,z
    scale_bar,name,point_a,point_b,length_m[,sigma_m]
    check_bar,name,point_a,point_b,length_m
    mark,point,photo,x_px,y_px[,sigma_px]

Pixels count from the photo's top-left corner, so that the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from droneteam.errors import InputError
from droneteam.geo import GeoPoint

Role = Literal["control", "check"]

GCP_SIGMA_M = (0.01, 0.01, 0.015)
"""Network RTK or a total station on a target (Flepos states 1 cm horizontal, 2 cm vertical)."""
MARK_SIGMA_PX = 0.5
"""A careful click on a target."""
BAR_SIGMA_M = 0.001
"""A calibrated scale bar; a taped distance states its own."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a named point was clicked in a photo."""

    point: str
    photo: str
    x_px: float
    y_px: float
    sigma_px: float = MARK_SIGMA_PX


@dataclass(frozen=True, slots=True)
class SurveyPoint:
    """A surveyed point; check points stay out of the adjustment.

    position : on WGS84 (heights above the control's datum), or None for a local survey.
    local_m : east, north, up of a local survey, else None.
    """

    name: str
    role: Role
    position: GeoPoint | None
    local_m: tuple[float, float, float] | None = None
    sigma_m: tuple[float, float, float] = GCP_SIGMA_M


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A known distance between two marked points."""

    name: str
    a: str
    b: str
    length_m: float
    sigma_m: float = BAR_SIGMA_M
    role: Role = "control"


@dataclass(frozen=True, slots=True)
class Control:
    """Everything surveyed and marked, in one system.

    vertical_datum : what the heights of positions are above.
    """

    points: tuple[SurveyPoint, ...] = ()
    bars: tuple[ScaleBar, ...] = ()
    marks: tuple[Mark, ...] = ()
    vertical_datum: str = "WGS84 ellipsoid"

    @property
    def local(self) -> bool:
        """True when the points are in a survey's own metres, without a place on the earth."""
        return any(point.local_m is not None for point in self.points)


NO_CONTROL = Control()


@dataclass(frozen=True, slots=True)
class CoordinateSystem:
    """How a file's x, y, z become WGS84; `transformer` is None for a local survey."""

    name: str
    vertical_datum: str
    transformer: Transformer | None = field(repr=False)
    moves_height: bool = True

    def to_geodetic(self, x: float, y: float, z: float) -> GeoPoint:
        """The position of x (east or longitude), y, z.

        Raises
        ------
        InputError
            The point lies outside the system's area or a geoid grid is missing.
        """
        assert self.transformer is not None
        try:
            lon, lat, height = self.transformer.transform(x, y, z, errcheck=True)
        except ProjError as error:
            raise InputError(
                f"({x}, {y}, {z}) cannot be converted from {self.name}: {error}; "
                "a vertical datum needs its geoid grid in PROJ's data folder"
            ) from error
        return GeoPoint(lat, lon, height if self.moves_height else z)


def coordinate_system(text: str) -> CoordinateSystem:
    """The system that a header names.

    A system without a vertical axis leaves heights as they are and says so.

    Raises
    ------
    InputError
        Unknown name, or heights in a datum whose grid is not installed.
    """
    name = text.strip()
    if name.upper() == "LOCAL":
        return CoordinateSystem("LOCAL", "local survey", None)
    try:
        crs = CRS.from_user_input(_utm(name) or name)
    except CRSError as error:
        raise InputError(
            f"coordinate system {name!r} is not known; write e.g. EPSG:4979, EPSG:3812+5710, "
            "WGS84 UTM 31N or LOCAL",
            field="crs",
        ) from error
    vertical = len(crs.axis_info) == 3 or crs.is_compound
    source = crs.to_3d() if len(crs.axis_info) == 2 else crs
    try:
        transformer = Transformer.from_crs(
            source, "EPSG:4979", always_xy=True, allow_ballpark=False, only_best=True
        )
    except ProjError as error:
        raise InputError(f"{name} cannot be converted to WGS84: {error}", field="crs") from error
    if not vertical:
        datum = f"as given with the control points ({name} names no vertical datum)"
        return CoordinateSystem(name, datum, transformer, moves_height=False)
    return CoordinateSystem(name, "WGS84 ellipsoid", transformer)


def _utm(name: str) -> str | None:
    """The EPSG code of ODM's "WGS84 UTM 31N"."""
    found = re.fullmatch(r"WGS84\s+UTM\s+(\d{1,2})\s*([NS])", name, re.IGNORECASE)
    if not found:
        return None
    zone = int(found[1])
    return f"EPSG:{(32600 if found[2].upper() == 'N' else 32700) + zone}"


def read_control(path: Path, *, role: Role = "control") -> Control:
    """The control in a file of either format; `role` is what a gcp_list's points are.

    Raises
    ------
    InputError
        Names the file, the line and what is wrong with it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from error
    try:
        if path.suffix.lower() == ".csv":
            return parse_csv(text)
        return parse_gcp_list(text, role=role)
    except InputError as error:
        raise InputError(f"{path.name}: {error}", field=error.field) from error


def parse_gcp_list(text: str, *, role: Role = "control") -> Control:
    """The points and marks of an ODM gcp_list.txt."""
    lines = [
        (number, line.split("#", 1)[0].strip())
        for number, line in enumerate(text.splitlines(), start=1)
    ]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise InputError("is empty; the first line must name the coordinate system")
    system = coordinate_system(lines[0][1])
    points: dict[str, SurveyPoint] = {}
    marks: list[Mark] = []
    names: dict[tuple[float, float, float], str] = {}
    for number, line in lines[1:]:
        parts = line.split()
        if len(parts) < 6:
            raise InputError(f"line {number}: x y z x_px y_px photo [name] expected, got {line!r}")
        x, y, z, x_px, y_px = _numbers(parts[:5], number)
        name = parts[6] if len(parts) > 6 else names.setdefault((x, y, z), f"gcp{len(names) + 1}")
        point = _survey_point(system, name, role, (x, y, z), number)
        if points.setdefault(name, point) != point:
            raise InputError(f"line {number}: {name} has other coordinates than before")
        marks.append(Mark(name, parts[5], x_px, y_px))
    control = Control(tuple(points.values()), (), tuple(marks), system.vertical_datum)
    return _checked(control)


def parse_csv(text: str) -> Control:
    """The control of a CSV of typed rows (see the module's description)."""
    system: CoordinateSystem | None = None
    points: list[SurveyPoint] = []
    bars: list[ScaleBar] = []
    marks: list[Mark] = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = _cells(line, number)
        if not any(cells) or cells[0].startswith("#"):
            continue
        kind, rest = cells[0].lower(), cells[1:]
        match kind:
            case "crs":
                system = coordinate_system(rest[0] if rest else "")
            case "control" | "check":
                if system is None:
                    raise InputError(f"line {number}: a crs row must come before points")
                points.append(_csv_point(system, "control" if kind == "control" else "check",
                                         rest, number))  # fmt: skip
            case "scale_bar" | "check_bar":
                bars.append(_csv_bar("control" if kind == "scale_bar" else "check", rest, number))
            case "mark":
                marks.append(_csv_mark(rest, number))
            case _:
                raise InputError(
                    f"line {number}: {cells[0]!r} is none of crs, control, check, scale_bar, "
                    "check_bar, mark"
                )
    datum = system.vertical_datum if system else NO_CONTROL.vertical_datum
    return _checked(Control(tuple(points), tuple(bars), tuple(marks), datum))


def _cells(line: str, number: int) -> list[str]:
    try:
        return [cell.strip() for row in csv.reader([line]) for cell in row]
    except csv.Error as error:
        raise InputError(f"line {number}: is not a CSV row: {error}") from error


def _csv_point(
    system: CoordinateSystem, role: Role, cells: Sequence[str], number: int
) -> SurveyPoint:
    if len(cells) not in (4, 6):
        raise InputError(f"line {number}: {role},name,x,y,z[,sigma_h_m,sigma_v_m] expected")
    x, y, z = _numbers(cells[1:4], number)
    point = _survey_point(system, cells[0], role, (x, y, z), number)
    if len(cells) == 6:
        h, v = _positive(cells[4:6], number)
        point = replace(point, sigma_m=(h, h, v))
    return point


def _csv_bar(role: Role, cells: Sequence[str], number: int) -> ScaleBar:
    if len(cells) not in (4, 5):
        raise InputError(f"line {number}: scale_bar,name,point_a,point_b,length_m[,sigma_m]")
    values = _positive(cells[3:], number)
    return ScaleBar(
        cells[0], cells[1], cells[2], values[0], values[1] if len(values) > 1 else BAR_SIGMA_M, role
    )


def _csv_mark(cells: Sequence[str], number: int) -> Mark:
    if len(cells) not in (4, 5):
        raise InputError(f"line {number}: mark,point,photo,x_px,y_px[,sigma_px] expected")
    x_px, y_px = _numbers(cells[2:4], number)
    sigma = _positive(cells[4:5], number)[0] if len(cells) == 5 else MARK_SIGMA_PX
    return Mark(cells[0], cells[1], x_px, y_px, sigma)


def read_marks(path: Path) -> tuple[Mark, ...]:
    """Marks of a CSV with the header ``photo,point,x_px,y_px[,sigma_px]``.

    Raises
    ------
    InputError
        Names the file and line.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"photo", "point", "x_px", "y_px"} <= set(rows[0]):
        raise InputError(f"{path.name}: the header must name photo, point, x_px, y_px")
    marks = []
    for number, row in enumerate(rows, start=2):
        try:
            x_px, y_px = _numbers([row["x_px"], row["y_px"]], number)
            sigma = row.get("sigma_px")
            sigma_px = _positive([sigma], number)[0] if sigma else MARK_SIGMA_PX
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from error
        marks.append(Mark(row["point"], row["photo"], x_px, y_px, sigma_px))
    return tuple(marks)


def _survey_point(
    system: CoordinateSystem, name: str, role: Role, xyz: tuple[float, float, float], number: int
) -> SurveyPoint:
    if system.transformer is None:
        return SurveyPoint(name, role, None, xyz)
    try:
        return SurveyPoint(name, role, system.to_geodetic(*xyz))
    except InputError as error:
        raise InputError(f"line {number}: {error}{_swap_hint(system, xyz)}") from error


def _swap_hint(system: CoordinateSystem, xyz: tuple[float, float, float]) -> str:
    return f"; {system.name} takes x (east or longitude) before y, here {xyz[0]} {xyz[1]}"


def _numbers(cells: Iterable[str], number: int) -> list[float]:
    values = []
    for cell in cells:
        try:
            value = float(cell)
        except ValueError as error:
            raise InputError(f"line {number}: {cell!r} is not a number") from error
        if not abs(value) < 1e12:
            raise InputError(f"line {number}: {cell!r} is not a finite number")
        values.append(value)
    return values


def _positive(cells: Iterable[str], number: int) -> list[float]:
    values = _numbers(cells, number)
    if not all(value > 0 for value in values):
        raise InputError(f"line {number}: lengths and sigmas must be positive")
    return values


def _checked(control: Control) -> Control:
    """The control, when names are unique and no point is marked twice in a photo."""
    for what, names in (
        ("point", [p.name for p in control.points]),
        ("scale bar", [b.name for b in control.bars]),
        ("mark", [f"{m.point} in {m.photo}" for m in control.marks]),
    ):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise InputError(f"{what} {name} is given twice")
            seen.add(name)
    return control


def merge(*parts: Control) -> Control:
    """One control of several files.

    Raises
    ------
    InputError
        A name is given twice, or the files' datums differ.
    """
    datums = {part.vertical_datum for part in parts if part.points}
    if len(datums) > 1:
        raise InputError(f"the control files' heights differ in datum: {', '.join(sorted(datums))}")
    merged = Control(
        tuple(p for part in parts for p in part.points),
        tuple(b for part in parts for b in part.bars),
        tuple(m for part in parts for m in part.marks),
        next(iter(datums), NO_CONTROL.vertical_datum),
    )
    return _checked(merged)


def with_marks(control: Control, marks: Iterable[Mark], gone: Iterable[tuple[str, str]]) -> Control:
    """The control with the marks that people set in place of the files', where both have one.

    gone : (point, photo) of marks that were taken away.  Marks of points that the control does
    not hold are left out: they are for measuring, not for placing.
    """
    known = {p.name for p in control.points} | {e for b in control.bars for e in (b.a, b.b)}
    kept = {(m.point, m.photo): m for m in control.marks}
    kept.update({(m.point, m.photo): m for m in marks if m.point in known})
    for place in gone:
        kept.pop(place, None)
    return replace(control, marks=tuple(kept.values()))


def write_marks(path: Path, marks: Iterable[Mark], gone: Iterable[tuple[str, str]]) -> None:
    """Write what `read_marks` and `with_marks` take; a mark that was taken away has no place."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("photo", "point", "x_px", "y_px", "sigma_px"))
        for m in marks:
            rows.writerow((m.photo, m.point, repr(m.x_px), repr(m.y_px), repr(m.sigma_px)))
        for point, photo in gone:
            rows.writerow((photo, point, "", "", ""))


def read_kept_marks(path: Path) -> tuple[tuple[Mark, ...], tuple[tuple[str, str], ...]]:
    """The marks, and the places of those taken away, that `write_marks` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    marks = tuple(
        Mark(r["point"], r["photo"], float(r["x_px"]), float(r["y_px"]), float(r["sigma_px"]))
        for r in rows
        if r["x_px"]
    )
    return marks, tuple((r["point"], r["photo"]) for r in rows if not r["x_px"])


def with_checks(control: Control, names: Iterable[str]) -> Control:
    """The control with the named points and bars kept out of the adjustment.

    Raises
    ------
    InputError
        A name that the control does not hold.
    """
    wanted = set(names)
    known = {p.name for p in control.points} | {b.name for b in control.bars}
    if missing := sorted(wanted - known):
        raise InputError(f"check points {', '.join(missing)} are not among the control")
    return replace(
        control,
        points=tuple(replace(p, role="check") if p.name in wanted else p for p in control.points),
        bars=tuple(replace(b, role="check") if b.name in wanted else b for b in control.bars),
    )
