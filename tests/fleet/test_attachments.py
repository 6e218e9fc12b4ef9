"""Files of a request: recognised by content, bounded, hashed, and of no other zone's business."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from droneteam.errors import InputError, NotAllowed, NotFound
from droneteam.fleet import service
from droneteam.fleet.intake import attachments
from tests.fleet.conftest import NOW, Actors

Submit = Callable[..., int]
PDF = b"%PDF-1.7\norders of the day"


def test_a_file_is_kept_under_its_hash_and_read_back(
    session: Session, actors: Actors, submit: Submit, tmp_path: Path
) -> None:
    request_id, north = submit("north"), actors["north"]
    view = service.add_attachment(session, north, request_id, "a/b\\order.pdf", PDF, tmp_path, NOW)
    assert (view.name, view.media_type, view.size_bytes) == ("order.pdf", "application/pdf", 26)
    assert view.sha256 == hashlib.sha256(PDF).hexdigest()
    found, path = service.attachment_file(session, actors["coordinator"], view.id, tmp_path)
    assert (found, path.read_bytes()) == (view, PDF)
    again = service.add_attachment(session, north, request_id, "copy.pdf", PDF, tmp_path, NOW)
    assert again == view
    assert service.list_attachments(session, north, request_id) == [view]
    assert [
        path.name for path in tmp_path.iterdir() if path.is_file() and len(path.name) == 64
    ] == [view.sha256]


def test_another_zone_has_no_such_file(
    session: Session, actors: Actors, submit: Submit, tmp_path: Path
) -> None:
    request_id = submit("north")
    view = service.add_attachment(
        session, actors["north"], request_id, "x.txt", b"hello", tmp_path, NOW
    )
    for act in (
        lambda: service.attachment_file(session, actors["midi"], view.id, tmp_path),
        lambda: service.list_attachments(session, actors["midi"], request_id),
        lambda: service.add_attachment(
            session, actors["midi"], request_id, "y.txt", b"ho", tmp_path, NOW
        ),
    ):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(NotAllowed):
        service.add_attachment(
            session, actors["manager"], request_id, "y.txt", b"ho", tmp_path, NOW
        )


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\x00 a program called report.pdf",
        b"PK\x03\x04 an archive",
        b"\x7fELF",
        "é".encode("latin-1"),
        b"",
        b"x" * (attachments.MAX_BYTES + 1),
    ],
    ids=["exe", "zip", "elf", "latin-1", "empty", "large"],
)
def test_what_is_no_document_is_refused_whatever_its_name(
    session: Session, actors: Actors, submit: Submit, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(InputError):
        service.add_attachment(
            session, actors["north"], submit("north"), "report.pdf", content, tmp_path, NOW
        )
    assert list(tmp_path.glob("*.part")) == []


def test_an_svg_is_plain_text_and_never_an_image() -> None:
    assert attachments.media_type_of(b"<svg onload='alert(1)'/>") == "text/plain"
    assert attachments.media_type_of(b"\x89PNG\r\n\x1a\n....") == "image/png"
    assert attachments.media_type_of(b"\xff\xd8\xff\xe0") == "image/jpeg"


def test_a_request_holds_so_many_files_and_no_more(
    session: Session, actors: Actors, submit: Submit, tmp_path: Path
) -> None:
    request_id, north = submit("north"), actors["north"]
    for number in range(attachments.MAX_PER_REQUEST):
        text = f"page {number}".encode()
        service.add_attachment(session, north, request_id, "p.txt", text, tmp_path, NOW)
    with pytest.raises(InputError, match="at most 20"):
        service.add_attachment(session, north, request_id, "p.txt", b"more", tmp_path, NOW)


def test_a_file_changed_on_disk_is_noticed(
    session: Session, actors: Actors, submit: Submit, tmp_path: Path
) -> None:
    view = service.add_attachment(
        session, actors["north"], submit("north"), "x.txt", b"hello", tmp_path, NOW
    )
    (tmp_path / view.sha256).write_bytes(b"other")
    with pytest.raises(InputError, match="does not match its hash"):
        service.attachment_file(session, actors["north"], view.id, tmp_path)
    (tmp_path / view.sha256).unlink()
    with pytest.raises(NotFound, match="content"):
        service.attachment_file(session, actors["north"], view.id, tmp_path)
