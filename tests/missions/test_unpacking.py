"""Archives and XML from outside: bounded whatever they claim, and never more than a document."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest

from droneteam.errors import DecodeError
from droneteam.missions.formats import kml, places, unpacking, wpml

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB_XML = f'<!DOCTYPE kml [<!ENTITY l0 "lol">{LAUGHS}]><kml>&l9;</kml>'
OUTSIDE_XML = '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/hostname">]><kml>&x;</kml>'
ENCODINGS = ("utf-8", "utf-16", "utf-16-le")


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", [BOMB_XML, OUTSIDE_XML, "<!DOCTYPE kml><kml/>"])
def test_a_document_type_is_refused_in_every_encoding(text: str, encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding[:6].upper()}"?>' + text
    with pytest.raises(DecodeError, match=r"document type|not XML"):
        unpacking.xml_root(declared.encode(encoding))
    with pytest.raises(DecodeError):
        kml.read_area(declared.encode(encoding))
    with pytest.raises(DecodeError):
        wpml.read_wpml(archive(wpmz__waylines_wpml=declared.encode(encoding)))


def test_the_entities_of_xml_itself_are_read() -> None:
    root = unpacking.xml_root(b"<kml><name>a &amp; b &lt;c&gt; &#233;</name></kml>")
    assert root.findtext("name") == "a & b <c> é"


def test_a_bomb_is_unpacked_to_its_bound_and_no_further() -> None:
    bomb = archive(doc_kml=bytes(200_000_000))
    assert len(bomb) < 300_000
    tracemalloc.start()
    with pytest.raises(DecodeError, match=r"doc\.kml in this KMZ is larger than 1 MB"):
        unpacking.member(bomb, "doc.kml", 1_000_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1_000_000 < peak_bytes < 10_000_000


def test_a_directory_that_understates_a_size_gains_nothing() -> None:
    honest = archive(doc_kml=bytes(5_000_000))
    claimed = (5_000_000).to_bytes(4, "little")
    assert honest.count(claimed) == 2
    lying = honest.replace(claimed, (10).to_bytes(4, "little"))
    with pytest.raises(DecodeError):
        unpacking.member(lying, "doc.kml", 1_000_000)


def test_exactly_the_bound_is_taken() -> None:
    packed = archive(doc_kml=b"x" * 1_000)
    assert unpacking.member(packed, "doc.kml", 1_000) == b"x" * 1_000
    with pytest.raises(DecodeError, match="larger"):
        unpacking.member(packed, "doc.kml", 999)


@pytest.mark.parametrize("name", ["mission.kmz", "mission.kml"])
def test_damage_anywhere_in_an_archive_is_told_and_nothing_else(name: str) -> None:
    """Every byte of the archive is turned over once."""
    whole = archive(
        doc_kml=b"<kml><Polygon><coordinates>4,50 5,50 5,51</coordinates></Polygon></kml>"
    )
    assert len(places.read_places(name, whole).places) == 3
    refused = 0
    for at in range(len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            places.read_places(name, damaged)
        except DecodeError:
            refused += 1
    assert len(whole) / 2 < refused <= len(whole)


@pytest.mark.parametrize("content", [b"MZ\x90\x00" + bytes(500), b"%PDF-1.7", b"", b"\xff\xfe\x00"])
def test_what_is_renamed_is_told_by_its_content(content: bytes) -> None:
    for name in ("m.kmz", "m.kml", "m.geojson", "m.plan", "m.csv", "m.waypoints"):
        with pytest.raises(DecodeError):
            places.read_places(name, content)
