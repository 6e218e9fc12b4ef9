"""Address files: taken whole or not at all, replaced as a whole, looked up at once."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import SYSTEM
from droneteam.errors import InputError, NotAllowed
from droneteam.places import service
from droneteam.places.address_file import read_address_file
from tests.fleet.conftest import NOW
from tests.places.streets import GENERAL, HEAD, IXELLES, LOI, line, write


def load(
    session: Session, path: Path, source: str = "register, May 2026"
) -> service.AddressSetView:
    return service.load_addresses(session, SYSTEM, path, source, NOW)


def test_a_file_is_taken_and_the_audit_says_which(session: Session, tmp_path: Path) -> None:
    found = load(session, write(tmp_path / "a.csv"))
    assert (found.streets, found.houses, found.unplaced) == (6, 405, 0)
    entry = audit.entries(session)[0]
    assert (entry.action, entry.facts["sha256"]) == ("places.load", found.sha256)
    assert service.find_places(session, "Wetstraat 16", "nl")[0].lat_deg == 50.84635


def test_the_next_file_takes_the_place_of_the_last_at_once(
    session: Session, tmp_path: Path
) -> None:
    load(session, write(tmp_path / "a.csv"))
    assert service.find_places(session, "couronne 9", "fr")
    renamed = tmp_path / "b.csv"
    renamed.write_text(
        "\n".join([HEAD, line(("Avenue Neuve", "Nieuwelaan"), IXELLES, "9", 50.8, 4.3)])
    )
    load(session, renamed, "register, June 2026")
    assert service.find_places(session, "couronne 9", "fr") == ()
    assert service.find_places(session, "neuve 9", "fr")[0].lat_deg == 50.8
    current = service.current_addresses(session)
    assert current is not None
    assert current.source == "register, June 2026"


def test_addresses_that_are_not_current_or_lie_nowhere_are_left_out(tmp_path: Path) -> None:
    more = (line(LOI, IXELLES, "1", 50.8, 4.3, "retired"), line(LOI, IXELLES, "3", 0.0, 0.0))
    found = read_address_file(write(tmp_path / "a.csv", *more))
    assert (found.houses, found.unplaced) == (405, 1)


def test_a_packed_register_and_one_in_lambert_72_are_read(tmp_path: Path) -> None:
    text = write(tmp_path / "a.csv").read_text()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("openaddress.csv", text)
    assert read_address_file(tmp_path / "a.zip").houses == 405
    cells = line(GENERAL, IXELLES, "7", 0.0, 0.0).split(",")
    cells[0], cells[1] = "150000.0", "170000.0"
    grid = tmp_path / "grid.csv"
    grid.write_text(f"{HEAD}\n{','.join(cells)}\n")
    (street,) = read_address_file(grid).streets
    # 150 km east is the grid's middle meridian, 4°22'02.952" on Belge 1972, 90 m west of WGS84's
    assert street.lon_deg == pytest.approx(4.0 + 22 / 60 + 2.952 / 3600, abs=0.0015)
    assert 50.83 < street.lat_deg < 50.85


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "lacks the columns"),
        (b"name,lat,lon\nx,50,4\n", "lacks the columns streetname_fr"),
        (HEAD.replace("EPSG:", "").encode(), "has neither EPSG:4326_lat"),
        (HEAD.encode() + b"\n", "holds no address"),
        (HEAD.encode() + b"\n\xff\xfe\n", "utf-8"),
        (b"PK\x03\x04 broken", "lacks the columns"),
    ],
)
def test_what_is_no_register_is_named_and_changes_nothing(
    session: Session, tmp_path: Path, content: bytes, said: str
) -> None:
    load(session, write(tmp_path / "good.csv"))
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load(session, bad)
    assert service.find_places(session, "couronne 9", "fr")


def test_a_zip_with_two_lists_is_not_guessed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("one.csv", "")
        archive.writestr("two.csv", "")
    with pytest.raises(InputError, match="holds 2 CSV files"):
        read_address_file(tmp_path / "two.zip")


def test_only_an_administrator_loads_addresses(session: Session, tmp_path: Path) -> None:
    pilot = replace(SYSTEM, roles=frozenset({"pilot"}))
    with pytest.raises(NotAllowed):
        service.load_addresses(session, pilot, write(tmp_path / "a.csv"), "register", NOW)


def test_an_address_that_can_be_only_one_is_located_and_no_other(
    session: Session, tmp_path: Path
) -> None:
    load(session, write(tmp_path / "a.csv"))
    assert service.locate(session, "Rue de la Loi 16, 1000 Bruxelles") == (50.84635, 4.36685)
    assert service.locate(session, "50.8467, 4.3525") == (50.8467, 4.3525)
    for doubtful, said in [
        ("rue de l'église 1", "fits several places"),
        ("rue de la loi 151", "near: Rue de la Loi 155"),
        ("rue de la loi", "is no address that is known"),
        ("zzzz", "is no address that is known"),
    ]:
        with pytest.raises(InputError, match=said):
            service.locate(session, doubtful)


def test_without_a_file_only_names_and_coordinates_are_found(session: Session) -> None:
    assert service.current_addresses(session) is None
    assert service.find_places(session, "Rue de la Loi 16", "fr") == ()
    assert service.find_places(session, "50.8467 4.3525", "fr")[0].kind == "coordinates"
