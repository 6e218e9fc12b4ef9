"""Cases and audit as pages: custody, sealed bags, and what a changed byte does."""

from __future__ import annotations

import ast
import errno
import inspect
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask_babel import force_locale

from droneteam import db, jobs
from droneteam.accounts import SYSTEM
from droneteam.evidence import bag, checking, exporting, gathering
from droneteam.evidence import service as evidence
from droneteam.fleet import service as fleet
from droneteam.web import custody
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token


@pytest.fixture
def case(site: Site, tmp_path: Path) -> Site:
    assert worlds.case_with_item(site, tmp_path) == 1
    return site


def export(site: Site) -> str:
    """The address of a new export's page, asked for on the case's page and written by a worker."""
    client = site.client("investigator")
    data = {"csrf_token": csrf_token(client), "reason": "for the public prosecutor"}
    assert client.post("/cases/1/export", data=data).headers["Location"] == "/cases/1"
    work(site)
    text = client.get("/cases/1").get_data(as_text=True)
    found = re.findall(r'href="(/cases/exports/\d+)"', text)
    return str(found[-1])


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
    assert "Opened the case. Legal basis: CPP 44/11" in text


def test_a_bag_is_exported_verified_and_downloaded(case: Site) -> None:
    client = case.client("investigator")
    page = export(case)
    text = client.get(page).get_data(as_text=True)
    assert "The bag was intact on" in text
    assert "The .zip that is handed out is the same, byte for byte." in text
    assert "found only by verifying again" in text
    with client.get(f"{page}/bag.zip") as answer:
        names = zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert any(name.endswith("bagit.txt") for name in names)
    assert any(name.endswith("photo.jpg") for name in names)
    custody = client.get("/cases/1").get_data(as_text=True)
    assert "for the public prosecutor" in custody


def test_a_flipped_byte_is_found_by_verifying_again_and_the_page_says_not_to_use_the_bag(
    case: Site,
) -> None:
    page, client = export(case), case.client("auditor")
    (photo,) = (case.settings.data_dir / "bags").rglob("photo.jpg")
    photo.chmod(0o644)
    content = bytearray(photo.read_bytes())
    content[0] ^= 1
    photo.write_bytes(content)
    assert "The bag was intact on" in client.get(page).get_data(as_text=True), "what was found then"
    sent = client.post(f"{page}/verify", data={"csrf_token": csrf_token(client)})
    assert sent.status_code == 302
    text = client.get(page).get_data(as_text=True)
    assert "The verification waits for a worker." in text
    assert f'data-progress="{page}/progress.json"' in text
    told = client.get(f"{page}/progress.json").get_json()
    assert told["state"] == "running"
    assert [row["name"] for row in told["stages"]] == ["check", "compare"]
    work(case)
    text = client.get(page).get_data(as_text=True)
    assert "NOT intact" in text
    assert "photo.jpg" in text
    assert client.get(f"{page}/progress.json").get_json()["state"] == "done"


def test_a_program_verifies_a_bag_and_reads_its_verdict(case: Site) -> None:
    export(case)
    client = case.client("auditor")
    before = client.get("/api/v1/exports/1").get_json()
    assert before["verdict"]["intact"] is True
    assert before["verdict"]["signer"] == before["export"]["key_id"]
    bag.zip_path(case.settings.blob_dir("bags") / before["export"]["folder"]).write_bytes(b"PK")
    header = {"X-CSRFToken": csrf_token(client)}
    jobs_asked = {
        client.post("/api/v1/exports/1/verify", headers=header).get_json()["job"]["id"]
        for _ in range(2)
    }
    assert len(jobs_asked) == 1, "one that waits is not begun again"
    work(case)
    after = client.get("/api/v1/exports/1").get_json()
    assert after["job"]["state"] == "done"
    assert after["verdict"]["intact"] is False
    assert [row["text"] for row in after["verdict"]["problems"]] == [
        "cannot be read as a .zip file"
    ]
    assert after["verdict"]["entry_id"] > before["verdict"]["entry_id"]


def test_an_export_without_a_reason_is_refused_beside_its_field(case: Site) -> None:
    client = case.client("investigator")
    answer = client.post("/cases/1/export", data={"csrf_token": csrf_token(client), "reason": " "})
    assert answer.status_code == 422
    assert 'id="reason-problem"' in answer.get_data(as_text=True)


def test_a_bag_on_its_way_is_shown_with_its_stages_and_can_be_stopped(case: Site) -> None:
    client = case.client("investigator")
    token = {"csrf_token": csrf_token(client)}
    client.post("/cases/1/export", data={**token, "reason": "for the court"})
    text = client.get("/cases/1").get_data(as_text=True)
    assert "The bag waits for a worker." in text
    assert 'data-progress="/cases/1/progress.json"' in text
    assert "Export a sealed bag" not in text, "one export at a time"
    told = client.get("/cases/1/progress.json").get_json()
    assert told["state"] == "running"
    assert [(row["name"], row["fraction"]) for row in told["stages"]] == [("bag", 0), ("pack", 0)]
    again = client.post("/cases/1/export", data={**token, "reason": "another"})
    assert again.status_code == 409
    assert "under way" in again.get_data(as_text=True)
    assert client.post("/cases/1/export/stop", data=token).status_code == 302
    work(case)
    text = client.get("/cases/1").get_data(as_text=True)
    assert "Nothing was exported yet." in text
    assert "Export a sealed bag" in text
    assert "for the court" not in text, "what did not leave is not in the custody"


def test_an_export_that_comes_to_nothing_says_why(case: Site) -> None:
    client = case.client("investigator")
    (stored,) = (p for p in case.settings.blob_dir("evidence").rglob("*") if p.is_file())
    data = {"csrf_token": csrf_token(client), "reason": "for the court"}
    client.post("/cases/1/export", data=data)
    stored.unlink()
    work(case)
    text = client.get("/cases/1").get_data(as_text=True)
    assert "photos/photo.jpg: the stored file is gone; restore it from a backup" in text
    assert client.get("/cases/1/progress.json").get_json() == {
        "left_s": None, "stages": [], "state": "done",
    }  # fmt: skip
    assert list(case.settings.blob_dir("bags").iterdir()) == []


def test_a_program_exports_follows_and_stops_as_the_page_does(case: Site) -> None:
    client = case.client("investigator")
    header = {"X-CSRFToken": csrf_token(client)}
    for _ in range(2):
        sent = client.post(
            "/api/v1/cases/1/exports", json={"reason": "for the court"}, headers=header
        )
    assert sent.status_code == 409
    stopped = client.post("/api/v1/cases/1/exports/stop", headers=header).get_json()
    assert stopped["job"]["state"] == "cancelled"
    client.post("/api/v1/cases/1/exports", json={"reason": "for the judge"}, headers=header)
    work(case)
    told = case.client("auditor").get("/api/v1/cases/1/exports").get_json()
    assert told["job"]["state"] == "done"
    assert [one["reason"] for one in told["items"]] == ["for the judge"]


def test_a_pilot_who_opens_a_case_is_told_so_and_not_refused(site: Site) -> None:
    client = site.client("pilot")
    data = {"csrf_token": csrf_token(client), "title": "Collision", "legal_basis": "CPP 44/11"}
    zone = str(site.actor("requester").organisation_id)
    answer = client.post("/cases/new", data={**data, "organisation_id": zone})
    assert answer.headers["Location"] == "/"
    text = client.get("/", follow_redirects=True).get_data(as_text=True)
    assert "Case 1 was opened; the investigators go on with it." in text


def test_a_request_leads_to_its_case_for_those_who_may(site: Site) -> None:
    worlds.ask(site)
    link = 'href="/cases/new?request_id=1"'
    seen = {
        login: link in site.client(login).get("/requests/1").get_data(as_text=True)
        for login in ("investigator", "coordinator", "requester", "pilot", "auditor")
    }
    assert [login for login, shown in seen.items() if shown] == ["investigator", "coordinator"]
    form = site.client("investigator").get("/cases/new?request_id=1").get_data(as_text=True)
    assert re.search(r'name="request_id"[^>]* value="1"', form)
    address = case_of_request(site)
    for login in ("investigator", "requester"):
        text = site.client(login).get("/requests/1").get_data(as_text=True)
        assert f'href="{address}"' in text
        assert link not in text


def test_the_items_of_a_case_are_found_without_scripts(case: Site) -> None:
    client = case.client("investigator")
    text = client.get("/cases/1?find=PHO").get_data(as_text=True)
    assert "1 item found" in text
    assert "photos/photo.jpg" in text
    text = client.get("/cases/1?find=nowhere&start=x&folder=<b>").get_data(as_text=True)
    assert "No item holds that in its name." in text
    assert "photos/photo.jpg</code></th>" not in text


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


# --- what a request led to --------------------------------------------------------------------


def case_of_request(site: Site, **typed: str) -> str:
    """The address of a new case of request 1; only its number is typed unless more is given."""
    client = site.client("investigator")
    data = {"csrf_token": csrf_token(client), "request_id": "1", **typed}
    answer = client.post("/cases/new", data=data)
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return str(answer.headers["Location"])


def work(site: Site) -> None:
    """What a worker does with all jobs that wait."""
    handlers = {**gathering.HANDLERS, **exporting.HANDLERS, **checking.HANDLERS}
    while jobs.run_once(site.engine, site.settings, handlers):
        pass


def test_a_case_takes_title_zone_and_basis_of_its_request(site: Site) -> None:
    number = worlds.ask(site).id
    assert number == 1
    address = case_of_request(site)
    text = site.client("investigator").get(address).get_data(as_text=True)
    with db.read_scope(site.engine) as session:
        wanted = fleet.get_request(session, SYSTEM, number)
        (kept,) = evidence.list_cases(session, SYSTEM)
    assert (kept.title, kept.legal_basis) == (wanted.title, wanted.legal_basis)
    assert (kept.organisation_id, kept.request_id) == (wanted.organisation_id, number)
    assert f'href="/requests/{number}"' in text
    other = case_of_request(site, title="The second car", legal_basis="art. 9")
    text = site.client("investigator").get(other).get_data(as_text=True)
    assert "The second car" in text
    assert "art. 9" in text


def test_a_case_of_a_request_that_nobody_sees_is_not_opened(site: Site) -> None:
    client = site.client("investigator")
    data = {"csrf_token": csrf_token(client), "title": "A", "legal_basis": "B"}
    for number in ("99", "0", "x", "-1", "1.5", "9" * 30):
        answer = client.post("/cases/new", data={**data, "request_id": number})
        assert answer.status_code == 422, number
        assert 'id="request_id-problem"' in answer.get_data(as_text=True), number
    with db.read_scope(site.engine) as session:
        assert evidence.list_cases(session, SYSTEM) == []


def test_what_a_request_led_to_is_taken_in_by_a_worker_and_told_in_sentences(site: Site) -> None:
    worlds.ask(site)
    address = case_of_request(site)
    client = site.client("investigator")
    token = {"csrf_token": csrf_token(client)}
    for _ in range(2):  # a double click is one job
        assert client.post(f"{address}/gather", data=token).status_code == 302
    text = client.get(address).get_data(as_text=True)
    assert "The files wait for a worker." in text
    assert "Take in what is new" not in text
    work(site)
    text = client.get(address).get_data(as_text=True)
    assert "Take in what is new" in text
    assert "Took 1 file into the case." in text
    assert "documents/request-1.json" in text
    assert ">request 1<" in text
    client.post(f"{address}/gather", data=token)
    work(site)
    again = client.get(address).get_data(as_text=True)
    assert again.count("Took 1 file into the case.") == 1, "nothing is new"


def test_a_gathering_that_fails_says_why_and_leaves_the_case_as_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds.ask(site)
    address = case_of_request(site)
    client = site.client("investigator")

    def full(source: Path, target: Path) -> tuple[str, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bag, "copy_hashed", full)
    client.post(f"{address}/gather", data={"csrf_token": csrf_token(client)})
    work(site)
    text = client.get(address).get_data(as_text=True)
    assert "No space left on device" in text
    assert "The case holds nothing yet." in text
    assert not list(site.settings.blob_dir("evidence").rglob("*.part"))


def test_a_case_without_a_request_gathers_nothing(case: Site) -> None:
    client = case.client("investigator")
    answer = client.post("/cases/1/gather", data={"csrf_token": csrf_token(client)})
    assert answer.status_code == 409
    assert "Take in what is new" not in client.get("/cases/1").get_data(as_text=True)


def test_an_item_is_opened_from_the_page_only_with_a_reason_that_its_custody_keeps(
    case: Site,
) -> None:
    client = case.client("investigator")
    text = client.get("/cases/1").get_data(as_text=True)
    assert 'action="/cases/items/1/content"' in text
    assert "original photo" in text
    token = csrf_token(client)
    refused = client.post("/cases/items/1/content", data={"csrf_token": token, "reason": " "})
    assert refused.status_code == 422
    data = {"csrf_token": token, "reason": "to compare the plates"}
    with client.post("/cases/items/1/content", data=data) as answer:
        assert answer.status_code == 200
        assert answer.data == b"\xff\xd8 photo"
        assert "photo.jpg" in answer.headers["Content-Disposition"]
        assert answer.mimetype == "image/jpeg"
    assert "Looked at the file: to compare the plates" in client.get("/cases/1").get_data(
        as_text=True
    )


def test_retention_is_set_on_the_page_by_those_who_may(case: Site) -> None:
    client = case.client("manager")
    data = {
        "csrf_token": csrf_token(client),
        "keep_until": "2031-05-04T00:00",
        "basis": "order of the judge",
        "legal_hold": "1",
    }
    wrong = client.post("/cases/1/retention", data={**data, "basis": "", "keep_until": "soon"})
    assert wrong.status_code == 422
    assert 'id="basis-problem"' in wrong.get_data(as_text=True)
    assert client.post("/cases/1/retention", data=data).status_code == 302
    with db.read_scope(case.engine) as session:
        kept = evidence.get_case(session, SYSTEM, 1)
    assert kept.legal_hold
    assert kept.keep_until == datetime(2031, 5, 3, 22, 0, tzinfo=UTC)
    text = client.get("/cases/1").get_data(as_text=True)
    assert "Put the case on legal hold, else kept until 03.05.2031: order of the judge" in text
    token = csrf_token(case.client("investigator"))
    denied = case.client("investigator").post(
        "/cases/1/retention", data={**data, "csrf_token": token}
    )
    assert denied.status_code == 403


# --- custody in words -------------------------------------------------------------------------


def event(action: str, reason: str = "", path: str | None = None, at: datetime = NOW) -> Any:
    return evidence.CustodyView(at, "An investigator", action, reason, path)


def case_with(*events: Any, paths: tuple[str, ...] = ()) -> Any:
    """A case with that custody and items of those paths."""
    items = tuple(
        evidence.ItemView(n, path, "photo", "sortie:2", "0" * 64, 1, NOW, "A", {}, None)
        for n, path in enumerate(paths)
    )
    return evidence.CaseView(1, 1, None, "t", "b", NOW, None, items, tuple(events), (), None, False)


def sentences(site: Site, case: Any, language: str = "en") -> list[str]:
    with site.app.test_request_context(), force_locale(language):
        return [step.sentence for step in custody.steps(case)]


def test_files_that_came_together_are_one_step_and_others_are_not(site: Site) -> None:
    later = NOW + timedelta(seconds=5)
    told = case_with(
        event("open", "art. 1"),
        event("add", "photo from sortie:2", "a.jpg"),
        event("add", "record from request:3", "b.json"),
        event("read", "a look", "a.jpg"),
        event("read", "another look", "a.jpg"),
        event("add", "photo from sortie:2", "c.jpg", later),
        paths=("a.jpg", "b.json", "c.jpg"),
    )
    assert sentences(site, told) == [
        "Opened the case. Legal basis: art. 1",
        "Took 2 files into the case.",
        "Looked at the file: a look",
        "Looked at the file: another look",
        "Took 1 file into the case.",
    ]
    with site.app.test_request_context(), force_locale("en"):
        files = [[item.path for item in step.files] for step in custody.steps(told)]
    assert files == [[], ["a.jpg", "b.json"], ["a.jpg"], ["a.jpg"], ["c.jpg"]]


def test_every_action_of_custody_is_a_sentence_of_the_language(site: Site) -> None:
    """Those that the service writes, found in its source; none is left as a code."""
    written = {
        call.args[3].value
        for module in (evidence, exporting)
        for call in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(call, ast.Call)
        and "note" in (getattr(call.func, "id", ""), getattr(call.func, "attr", ""))
        and isinstance(call.args[3], ast.Constant)
    }
    assert written == {"open", "add", "read", "export", "retain", "erase"}
    reasons = {"retain": "until 2031-05-04, on legal hold: article 5"}
    for action in sorted(written):
        case = case_with(event(action, reasons.get(action, "why")))
        told = {language: sentences(site, case, language)[0] for language in ("nl", "fr", "en")}
        assert len(set(told.values())) == 3, told
        assert not any(sentence.startswith(action) for sentence in told.values())
    for language in ("nl", "fr", "en"):
        plain = case_with(event("retain", "until 2031-05-04: article 5"))
        (said,) = sentences(site, plain, language)
        assert "04.05.2031" in said
        assert "article 5" in said


def test_where_an_item_is_from_is_said_in_words(site: Site) -> None:
    with site.app.test_request_context(), force_locale("nl"):
        assert custody.source_words("sortie:12") == "vlucht 12"
        assert custody.source_words("handed over: by hand") == "handed over: by hand"
        assert custody.source_words("") == ""
