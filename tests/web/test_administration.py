"""What an administrator keeps: organisations, people by API, and the installation's health."""

from __future__ import annotations

import shutil
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest

from droneteam import audit, backup, db, jobs
from droneteam.web.views import operations
from tests.web.conftest import NOW, Site, csrf_token

DiskUsage = namedtuple("DiskUsage", ("total", "used", "free"))
LIEGE = {"code": "5277", "kind": "zone", "name_fr": "Liège", "name_nl": "Luik", "name_en": "Liège"}


def test_an_organisation_is_added_and_people_can_belong_to_it(site: Site) -> None:
    client = site.client("administrator")
    token = csrf_token(client)
    answer = client.post("/organisations/", data={"csrf_token": token, **LIEGE})
    assert answer.status_code == 302
    assert "Luik" in client.get("/organisations/").get_data(as_text=True)
    assert 'value="5277"' in client.get("/people/").get_data(as_text=True)
    again = client.post("/organisations/", data={"csrf_token": token, **LIEGE})
    assert again.status_code == 422
    assert "5277 is taken" in again.get_data(as_text=True)


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"code": ""}, "code"), ({"code": "x" * 21}, "code"), ({"kind": "club"}, "kind"),
     ({"name_nl": " "}, "name_nl"), ({"name_fr": "x" * 121}, "name_fr")],
)  # fmt: skip
def test_what_is_wrong_with_an_organisation_is_said(
    site: Site, changed: dict[str, str], field: str
) -> None:
    client = site.client("administrator")
    data = {"csrf_token": csrf_token(client), **LIEGE, **changed}
    answer = client.post("/organisations/", data=data)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert f'href="#{field}"' in page
    assert 'value="Liège"' in page


def test_an_organisation_is_renamed_on_record(site: Site) -> None:
    client = site.client("administrator")
    names = {"name_fr": "Midi", "name_nl": "Zuid", "name_en": "South"}
    data = {"csrf_token": csrf_token(client), **names}
    assert client.post("/organisations/5341/names", data=data).status_code == 302
    assert client.post("/organisations/0000/names", data=data).status_code == 404
    assert '<span lang="nl">Zuid</span>' in client.get("/organisations/").get_data(as_text=True)
    with db.read_scope(site.engine) as session:
        (entry,) = audit.entries(session, action="organisation.rename")
    assert entry.facts["after"] == ["Midi", "Zuid", "South"]


def test_programs_administrate_people_and_organisations(site: Site) -> None:
    client = site.client("administrator")
    header = {"X-CSRFToken": csrf_token(client)}
    made = client.post("/api/v1/organisations", json=LIEGE, headers=header)
    assert made.status_code == 201
    new = {"login": "newcomer", "display_name": "newcomer 1", "organisation_code": "5277",
           "roles": ["requester"], "password": "a long enough one"}  # fmt: skip
    person = client.post("/api/v1/people", json=new, headers=header).json
    assert person is not None
    assert (person["organisation_code"], person["roles"]) == ("5277", ["requester"])
    assert "password" not in person
    assert client.post("/api/v1/people", json=new, headers=header).status_code == 409
    address = f"/api/v1/people/{person['id']}"
    changed = client.put(f"{address}/roles", json={"roles": ["pilot"]}, headers=header).json
    assert changed is not None
    assert changed["roles"] == ["pilot"]
    closed = {"active": False, "reason": "left the zone"}
    assert client.put(f"{address}/active", json=closed, headers=header).json["active"] is False  # type: ignore[index]
    listed = client.get("/api/v1/people").json["items"]  # type: ignore[index]
    assert [one["active"] for one in listed if one["login"] == "newcomer"] == [False]
    names = {name: LIEGE[name] for name in ("name_fr", "name_nl")} | {"name_en": "Liege"}
    put = client.put("/api/v1/organisations/5277/names", json=names, headers=header)
    assert put.json["name_en"] == "Liege"  # type: ignore[index]
    codes = [one["code"] for one in client.get("/api/v1/organisations").json["items"]]  # type: ignore[index]
    assert "5277" in codes


def test_without_a_backup_somebody_is_told(site: Site) -> None:
    page = site.client("administrator").get("/operations/").get_data(as_text=True)
    assert "No backup has been made yet" in page
    assert "look here" in page


def test_a_backup_is_shown_until_it_is_a_day_old(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: DiskUsage(10**12, 0, 10**12))
    (site.settings.data_dir / "logs").mkdir(parents=True)
    (site.settings.data_dir / "logs" / "a.tlog").write_bytes(b"packets")
    backup.make_snapshot(site.settings, site.engine, tmp_path / "backups", NOW)
    client = site.client("administrator")
    page = client.get("/operations/").get_data(as_text=True)
    assert "20260504T080000Z" in page
    assert "7\u00a0B" in page
    assert "all well" in page
    site.clock.forward(hours=27)
    later = site.client("administrator").get("/operations/").get_data(as_text=True)
    assert "more than a day old" in later


def test_jobs_that_failed_or_were_left_alone_are_named(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        for subject in ("scene:1", "scene:2", "scene:3"):
            jobs.enqueue(session, "scene.build", {}, subject=subject, at=NOW)
        rows = {row.subject: row for row in session.query(jobs.Job)}
        rows["scene:2"].state = "failed"
        rows["scene:2"].error = "the disk is full"
        rows["scene:2"].finished_at = NOW
        rows["scene:3"].state = "running"
        rows["scene:3"].lease_until = NOW + timedelta(hours=1)
    site.clock.forward(minutes=30)
    client = site.client("administrator")
    page = client.get("/operations/").get_data(as_text=True)
    assert "is droneteam work running?" in page
    assert "the disk is full" in page
    health = client.get("/api/v1/operations").json
    assert health is not None
    assert {job["subject"]: job["state"] for job in health["jobs"]} == {
        "scene:1": "queued", "scene:2": "failed", "scene:3": "running"
    }  # fmt: skip
    site.clock.forward(days=8)
    later = site.client("administrator").get("/api/v1/operations").json
    assert later is not None
    assert {job["subject"] for job in later["jobs"]} == {"scene:1", "scene:3"}


def test_a_disk_that_fills_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = operations.shutil._ntuple_diskusage(1_000_000, 950_000, 50_000)
    monkeypatch.setattr(operations.shutil, "disk_usage", lambda _path: sizes)
    page = site.client("auditor").get("/operations/").get_data(as_text=True)
    assert "Little room is left" in page
