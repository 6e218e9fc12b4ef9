"""Cases and audit as pages: custody, sealed bags, and what a changed byte does."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from droneteam import db
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token


@pytest.fixture
def case(site: Site, tmp_path: Path) -> Site:
    assert worlds.case_with_item(site, tmp_path) == 1
    return site


def export(site: Site) -> str:
    """The address of a new export's page."""
    client = site.client("investigator")
    data = {"csrf_token": csrf_token(client), "reason": "for the public prosecutor"}
    return client.post("/cases/1/export", data=data).headers["Location"]


def test_a_case_is_opened_without_scripts_and_needs_its_legal_basis(site: Site) -> None:
    client = site.client("investigator")
    zone = str(site.actor("requester").organisation_id)
    data = {"csrf_token": csrf_token(client), "title": "Collision", "organisation_id": zone}
    answer = client.post("/cases/new", data=data)
    assert answer.status_code == 422
    assert 'id="legal_basis-problem"' in answer.get_data(as_text=True)
    answer = client.post("/cases/new", data={**data, "legal_basis": "CPP 44/11"})
    assert answer.status_code == 302
    text = client.get(answer.headers["Location"]).get_data(as_text=True)
    assert "CPP 44/11" in text
    assert "opened" in text


def test_a_bag_is_exported_checked_and_downloaded(case: Site) -> None:
    client = case.client("investigator")
    page = export(case)
    text = client.get(page).get_data(as_text=True)
    assert "The bag is intact." in text
    with client.get(f"{page}/bag.zip") as answer:
        names = zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert any(name.endswith("bagit.txt") for name in names)
    assert any(name.endswith("photo.jpg") for name in names)
    custody = client.get("/cases/1").get_data(as_text=True)
    assert "for the public prosecutor" in custody


def test_a_flipped_byte_is_found_and_the_page_says_not_to_use_the_bag(case: Site) -> None:
    page = export(case)
    (photo,) = (case.settings.data_dir / "bags").rglob("photo.jpg")
    photo.chmod(0o644)
    content = bytearray(photo.read_bytes())
    content[0] ^= 1
    photo.write_bytes(content)
    text = case.client("auditor").get(page).get_data(as_text=True)
    assert "NOT intact" in text
    assert "photo.jpg" in text
    api = case.client("auditor").get("/api/v1/exports/1").get_json()
    assert api["intact"] is False
    assert api["problems"]


def test_an_export_without_a_reason_is_refused_beside_its_field(case: Site) -> None:
    client = case.client("investigator")
    answer = client.post("/cases/1/export", data={"csrf_token": csrf_token(client), "reason": " "})
    assert answer.status_code == 422
    assert 'id="reason-problem"' in answer.get_data(as_text=True)


def test_looking_at_an_item_takes_a_reason_and_is_kept(case: Site) -> None:
    client = case.client("investigator")
    data = {"csrf_token": csrf_token(client), "reason": "to see the plate"}
    with client.post("/cases/items/1/content", data=data) as answer:
        assert answer.data == b"\xff\xd8 photo"
    assert "to see the plate" in client.get("/cases/1").get_data(as_text=True)
    answer = client.post("/cases/items/1/content", data={**data, "reason": ""})
    assert answer.status_code == 422


def test_the_audit_page_finds_what_was_done_to_a_record(case: Site) -> None:
    export(case)
    client = case.client("auditor")
    text = client.get("/audit/?subject=case:1").get_data(as_text=True)
    assert "evidence.export" in text
    assert "evidence.open" in text
    assert "evidence.export" not in client.get("/audit/?subject=case:2").get_data(as_text=True)


def test_the_audit_pages_turn_over_without_gaps(site: Site) -> None:
    from droneteam import audit

    with db.session_scope(site.engine) as session:
        before = audit.count(session)
        for number in range(205):
            audit.append(
                session, site.actor("pilot"), action="test.turn", subject=f"x:{number}", at=NOW
            )
    client, seen, path = site.client("auditor"), [], "/audit/?action=test."
    import re

    while path:
        text = client.get(path).get_data(as_text=True)
        seen += re.findall(r"<code>x:(\d+)</code>", text)
        more = re.search(r'href="(/audit/\?[^"]*before=[^"]*)"', text)
        path = more.group(1).replace("&amp;", "&") if more else ""
    assert [int(number) for number in seen] == list(range(204, -1, -1))
    assert f"{before + 205} entries" in client.get("/audit/").get_data(as_text=True)


def test_a_broken_chain_is_shown_with_the_entries(case: Site) -> None:
    client = case.client("auditor")
    assert "The chain is whole" in client.get("/audit/check").get_data(as_text=True)
    with case.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_UPDATE")
        connection.exec_driver_sql("UPDATE audit_entry SET reason = 'other' WHERE id = 1")
    text = client.get("/audit/check").get_data(as_text=True)
    assert "The chain is broken" in text
