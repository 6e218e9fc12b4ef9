"""A list of requests as CSV: read line by line, judged, and submitted whole or in part.

The first line names the columns, in any order; comma, semicolon or tab separates them.  Times
are local ("2026-05-10 14:00") unless they carry an offset.  The same line sent again is known by
its content and makes no second request.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import parse_wall
from droneteam.fleet.intake.requests import by_key, check_submittable, draft_columns, submitted_row
from droneteam.fleet.terms import RequestKind
from droneteam.fleet.views import RequestDraft
from droneteam.places import service as places

MAX_LINES = 500
MAX_CHARACTERS = 1_000_000
REQUIRED = ("title", "kind", "priority", "start", "end", "legal_basis", "contact")
PLACE = ("lat", "lon")
"""Needed unless there is an address to find them by."""
OPTIONAL = ("address", "payload", "sensitive", "low_noise", "notes")
_YES = {"1", "yes", "true", "x", "oui", "ja"}
_NO = {"", "0", "no", "false", "non", "nee"}

Verdict = Literal["new", "known", "wrong"]
Locate = Callable[[str], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list, judged.

    number : of the line in the file; key : names its content; field, problem : what is wrong
    """

    number: int
    title: str
    draft: RequestDraft | None
    key: str = ""
    verdict: Verdict = "new"
    field: str = ""
    problem: str = ""
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class ListImport:
    """What became of a list."""

    lines: tuple[Line, ...]
    stored: bool

    @property
    def counts(self) -> Mapping[str, int]:
        """How many lines got each verdict."""
        return {
            verdict: sum(line.verdict == verdict for line in self.lines)
            for verdict in ("new", "known", "wrong")
        }


def read_list(text: str, now: datetime, locate: Locate) -> tuple[Line, ...]:
    """The list's lines, each a draft or what is wrong with it.

    locate : an address without coordinates → where it is.

    Raises
    ------
    InputError
        The text is no such list at all: too long, no header, a column missing or unknown.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"the list is longer than {MAX_CHARACTERS} characters", field="file")
    rows = list(_rows(text.removeprefix("\ufeff")))
    if not rows:
        raise InputError("the list has no line below its header", field="file")
    if len(rows) > MAX_LINES:
        raise InputError(f"the list has {len(rows)} lines; {MAX_LINES} are allowed", field="file")
    return tuple(_line(number, row, now, locate) for number, row in rows)


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, value by column) of each line that is not empty."""
    head = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(cells)
                continue
            padded = [*cells, *[""] * (len(columns) - len(cells))]
            row = dict(zip(columns, (cell.strip() for cell in padded), strict=False))
            if len(cells) > len(columns):
                row["_extra"] = str(len(cells))
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is no CSV: {error}", field="file") from error


def _columns(cells: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    needed = REQUIRED if "address" in columns else (*REQUIRED, *PLACE)
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InputError(f"the header lacks {', '.join(missing)}", field="file")
    unknown = [name for name in columns if name not in (*REQUIRED, *PLACE, *OPTIONAL)]
    if unknown:
        raise InputError(f"the header has unknown columns: {', '.join(unknown)}", field="file")
    if len(set(columns)) < len(columns):
        raise InputError("the header has a column twice", field="file")
    return columns


def _line(number: int, row: Mapping[str, str], now: datetime, locate: Locate) -> Line:
    title = row["title"][:200]
    try:
        if "_extra" in row:
            raise InputError(f"the line has {row['_extra']} cells, more than the header")
        draft = _draft(row, locate)
        check_submittable(draft, now)
    except InputError as error:
        return Line(
            number, title, None, verdict="wrong", field=error.field or "", problem=str(error)
        )
    return Line(number, title, draft, key=_key(draft))


def _draft(row: Mapping[str, str], locate: Locate) -> RequestDraft:
    lat_deg, lon_deg = _place(row, locate)
    return RequestDraft(
        kind=_kind(row["kind"]),
        title=row["title"],
        priority=row["priority"].upper(),
        start_at=parse_wall(row["start"], "start"),
        end_at=parse_wall(row["end"], "end"),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        polygon=(),
        legal_basis=row["legal_basis"],
        contact=row["contact"],
        payload=row.get("payload") or None,
        sensitive=_flag(row, "sensitive"),
        low_noise=_flag(row, "low_noise"),
        notes=row.get("notes", ""),
        address=row.get("address", ""),
    )


def _place(row: Mapping[str, str], locate: Locate) -> tuple[float, float]:
    """(lat_deg, lon_deg) as stated, or of the address where nothing is stated."""
    lat, lon, address = (row.get(name, "") for name in (*PLACE, "address"))
    if address and not lat and not lon:
        return locate(address)
    return _degrees(lat, "lat"), _degrees(lon, "lon")


def _kind(text: str) -> RequestKind:
    try:
        return RequestKind(text.lower())
    except ValueError:
        allowed = ", ".join(RequestKind)
        raise InputError(f"kind {text!r} is none of {allowed}", field="kind") from None


def _degrees(text: str, name: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name} {text!r} is no number of degrees", field=name)
    return value


def _flag(row: Mapping[str, str], name: str) -> bool:
    text = row.get(name, "").lower()
    if text not in _YES | _NO:
        raise InputError(f"{name} {text!r} is neither yes nor no", field=name)
    return text in _YES


def _key(draft: RequestDraft) -> str:
    """Names the line by its content; without an address as before there were any."""
    columns = draft_columns(draft)
    if not columns["address"]:
        del columns["address"]
    canonical = json.dumps(columns, sort_keys=True, default=str)
    return f"list-{hashlib.sha256(canonical.encode()).hexdigest()[:40]}"


def import_list(
    session: Session,
    actor: Actor,
    text: str,
    now: datetime,
    *,
    store: bool,
    partial: bool = False,
) -> ListImport:
    """The list's verdicts; with store the new lines are submitted.

    partial : submit the good lines of a list that has wrong ones; without it a single wrong line
    keeps the whole list out
    """
    require_role(actor, "requester", "coordinator")
    judged = read_list(text, now, lambda address: places.locate(session, address))
    lines = tuple(_known(session, actor, line) for line in _once(judged))
    if not store or (not partial and any(line.verdict == "wrong" for line in lines)):
        return ListImport(lines, stored=False)
    return ListImport(tuple(_stored(session, actor, line, now) for line in lines), stored=True)


def _once(lines: tuple[Line, ...]) -> Iterator[Line]:
    """The lines; one that repeats an earlier line of the list is wrong."""
    seen: dict[str, int] = {}
    for line in lines:
        if line.key and line.key in seen:
            problem = f"the line repeats line {seen[line.key]}"
            yield Line(line.number, line.title, None, verdict="wrong", problem=problem)
        else:
            seen[line.key] = line.number
            yield line


def _known(session: Session, actor: Actor, line: Line) -> Line:
    found = by_key(session, actor, line.key) if line.key else None
    if found is None:
        return line
    return Line(line.number, line.title, line.draft, line.key, "known", request_id=found.id)


def _stored(session: Session, actor: Actor, line: Line, now: datetime) -> Line:
    if line.verdict != "new" or line.draft is None:
        return line
    row = submitted_row(session, actor, line.draft, now, submit_key=line.key)
    return Line(line.number, line.title, line.draft, line.key, "new", request_id=row.id)
