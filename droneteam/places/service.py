"""Address files into the database, and texts looked up in what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Select, delete, insert, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError
from droneteam.places.address_file import AddressFile, read_address_file
from droneteam.places.gazetteer import Gazetteer, Match, Named, Street
from droneteam.places.models import AddressSet, HouseRow, StreetRow

ADMINISTRATOR = "administrator"
MAX_SOURCE = 200
_ROWS_AT_ONCE = 5_000
_STREETS_OF_A_SET = 1_000_000
"""A street's number is its set's times so many and its place in it: no set shares one."""
_ready: WeakKeyDictionary[Engine, tuple[int, tuple[Named, ...], Gazetteer]] = WeakKeyDictionary()
"""What each database's newest set was built into; building takes a second, a look-up nothing."""


@dataclass(frozen=True, slots=True)
class AddressSetView:
    """The addresses that are searched.

    unplaced : lines of the file that had no usable coordinates.
    """

    source: str
    sha256: str
    streets: int
    houses: int
    unplaced: int
    loaded_at: datetime


def load_addresses(
    session: Session, actor: Actor, path: Path, source: str, now: datetime
) -> AddressSetView:
    """Take a file's addresses in the place of those that were there.

    Raises
    ------
    InputError
        The file is no such list; nothing is changed then.
    NotAllowed
        The actor is no administrator.
    """
    require_role(actor, ADMINISTRATOR)
    if not source.strip() or len(source) > MAX_SOURCE:
        raise InputError(f"source: say who publishes it, in at most {MAX_SOURCE} characters")
    found = read_address_file(path)
    row = AddressSet(
        source=source.strip(),
        sha256=_sha256(path),
        streets=len(found.streets),
        houses=found.houses,
        unplaced=found.unplaced,
        loaded_at=now,
        loaded_by=actor.user_id or None,
    )
    session.execute(delete(HouseRow))
    session.execute(delete(StreetRow))
    session.add(row)
    session.flush()
    for rows in _in_lots(_street_rows(row.id, found)):
        session.execute(insert(StreetRow), rows)
    for rows in _in_lots(_house_rows(row.id, found)):
        session.execute(insert(HouseRow), rows)
    facts = {"source": row.source, "sha256": row.sha256, "houses": row.houses}
    audit.append(
        session, actor, action="places.load", subject=f"address_set:{row.id}", at=now, facts=facts
    )
    return _view(row)


def _street_rows(set_id: int, found: AddressFile) -> Iterator[dict[str, Any]]:
    for number, street in enumerate(found.streets):
        yield {
            "id": set_id * _STREETS_OF_A_SET + number,
            "set_id": set_id,
            "name_fr": street.name_fr,
            "name_nl": street.name_nl,
            "town_fr": street.town_fr,
            "town_nl": street.town_nl,
            "postcode": street.postcode,
            "lat_deg": street.lat_deg,
            "lon_deg": street.lon_deg,
            "radius_m": street.radius_m,
        }


def _house_rows(set_id: int, found: AddressFile) -> Iterator[dict[str, Any]]:
    for number, street in enumerate(found.streets):
        for house, (lat_deg, lon_deg) in street.houses.items():
            yield {
                "street_id": set_id * _STREETS_OF_A_SET + number,
                "number": house,
                "lat_deg": lat_deg,
                "lon_deg": lon_deg,
            }


def _in_lots(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while lot := list(islice(rows, _ROWS_AT_ONCE)):
        yield lot


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def current_addresses(session: Session) -> AddressSetView | None:
    """The addresses that are searched; None where none were loaded."""
    row = session.scalar(_newest())
    return None if row is None else _view(row)


def _newest() -> Select[AddressSet]:
    return select(AddressSet).order_by(AddressSet.id.desc()).limit(1)


def _view(row: AddressSet) -> AddressSetView:
    return AddressSetView(
        row.source, row.sha256, row.streets, row.houses, row.unplaced, row.loaded_at
    )


def find_places(
    session: Session, text: str, language: str, named: Sequence[Named] = ()
) -> tuple[Match, ...]:
    """The places that the text may mean, the most likely first; none where nothing fits.

    named : places to be found beside the streets.  language : fr or nl names places in it.
    """

    def numbers(street_id: int) -> Mapping[str, tuple[float, float]]:
        houses = session.execute(
            select(HouseRow.number, HouseRow.lat_deg, HouseRow.lon_deg).where(
                HouseRow.street_id == street_id
            )
        )
        return {number: (lat_deg, lon_deg) for number, lat_deg, lon_deg in houses}

    return _gazetteer(session, tuple(named)).search(text, language, numbers)


def locate(session: Session, address: str) -> tuple[float, float]:
    """(lat_deg, lon_deg) of an address or crossing that can be only one.

    Raises
    ------
    InputError
        No house or crossing of that name is known, or several are.
    """
    found = find_places(session, address, "")
    exact = [one for one in found if one.kind in {"address", "crossing"} and not one.note]
    if found and found[0].kind == "coordinates":
        exact = [found[0]]
    if len(exact) != 1:
        raise _unplaced(address, exact, found)
    return exact[0].lat_deg, exact[0].lon_deg


def _gazetteer(session: Session, named: tuple[Named, ...]) -> Gazetteer:
    """Of the newest set; built when it is first asked for."""
    row = session.scalar(_newest())
    set_id = 0 if row is None else row.id
    engine = session.get_bind()
    if not isinstance(engine, Engine):
        engine = engine.engine
    kept = _ready.get(engine)
    if kept is not None and kept[0] == set_id and kept[1] == named:
        return kept[2]
    rows = session.scalars(select(StreetRow).where(StreetRow.set_id == set_id))
    built = Gazetteer((_street(one) for one in rows), named)
    _ready[engine] = (set_id, named, built)
    return built


def _street(row: StreetRow) -> Street:
    return Street(
        row.id, row.name_fr, row.name_nl, row.town_fr, row.town_nl, row.postcode,
        row.lat_deg, row.lon_deg, row.radius_m,
    )  # fmt: skip


def _unplaced(address: str, exact: Sequence[Match], found: Sequence[Match]) -> InputError:
    """What is to be said of an address that is no single place."""
    known = "; ".join(one.label for one in (exact or found)[:3])
    if exact:
        said = f"{address!r} fits several places: {known}; state lat and lon, or the whole address"
    elif known:
        said = (
            f"{address!r} is no address that is known here (near: {known}); "
            "state lat and lon, or the whole address"
        )
    else:
        said = (
            f"{address!r} is no address that is known here; state lat and lon, or the whole address"
        )
    return InputError(said, field="address")
