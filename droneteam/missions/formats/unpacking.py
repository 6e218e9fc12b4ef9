"""What comes packed or marked up from outside: one file of an archive, one tree of XML, bounded.

Neither believes what the file says of itself: an archive's directory may state any size, and XML
in UTF-16 hides its document type from a search for the bytes.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from xml.etree import ElementTree
from xml.parsers import expat

from droneteam.errors import DecodeError
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES

_ZIP_MAGIC = b"PK\x03\x04"


def names_in(data: bytes) -> list[str]:
    """The names in an archive, as its directory has them.

    Raises
    ------
    DecodeError
        It is no ZIP archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise DecodeError("not a KMZ: {error}", error=error) from error


def member(data: bytes, name: str, max_bytes: int) -> bytes:
    """One file of an archive, unpacked; never more than the bound is unpacked.

    Raises
    ------
    DecodeError
        There is none of that name, it is larger, encrypted or damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as file:
            content = file.read(max_bytes + 1)
    except KeyError:
        raise DecodeError("no {name} in this KMZ", name=name) from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError,
            zlib.error) as error:  # fmt: skip
        raise DecodeError("not a KMZ: {error}", error=error) from error
    if len(content) > max_bytes:
        raise DecodeError(
            "{name} in this KMZ is larger than {limit_mb:.0f} MB",
            name=name,
            limit_mb=max_bytes / 1e6,
        )
    return content


def xml_root(data: bytes) -> ElementTree.Element:
    """The root of an XML document that declares no document type, and so no entities.

    Raises
    ------
    DecodeError
        It declares one, in whatever encoding, or is no XML.
    """
    try:
        _refuse_document_type(data)
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError("not XML: {error}", error=error) from error


def _refuse_document_type(data: bytes) -> None:
    def refuse(*_declared: object) -> None:
        raise DecodeError("XML with a document type declaration is refused")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)


def kml_root(data: bytes) -> ElementTree.Element:
    """The root of a KML, or of the document of a KMZ.

    Raises
    ------
    DecodeError
        It is neither, or too large.
    """
    if data.startswith(_ZIP_MAGIC):
        data = _document_of_kmz(data)
    if len(data) > MAX_FILE_BYTES:
        raise DecodeError(
            "the file is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    return xml_root(data)


def _document_of_kmz(data: bytes) -> bytes:
    """The first KML at the root, `doc.kml` before others; those in folders are linked parts."""
    names = [name for name in names_in(data) if name.lower().endswith(".kml")]
    if not names:
        raise DecodeError("no .kml in this KMZ")
    first = min(names, key=lambda name: (name.count("/"), name.lower() != "doc.kml"))
    return member(data, first, MAX_FILE_BYTES)
