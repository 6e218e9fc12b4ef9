"""Cases keep what they take in, say who looked, and let go when retention asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import accounts, audit
from droneteam.accounts import Actor
from droneteam.db import session_scope
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.evidence import bag, blobs, exporting, service

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Desk:
    """A database with two zones and an investigator, and a store of its own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.store = folder / "store"
        with session_scope(engine) as session:
            kind = accounts.OrganisationKind.ZONE
            for code in ("5344", "5341", "TEAM"):
                accounts.add_organisation(session, code=code, kind=kind, names=(code,) * 3)
            self.nord = self._user(session, "5344", "requester")
            self.midi = self._user(session, "5341", "requester")
            self.investigator = self._user(session, "TEAM", "investigator")
            self.administrator = self._user(session, "TEAM", "administrator")
            draft = service.CaseDraft(self.nord.organisation_id, "Accident", "art. 1")
            self.case_id = service.open_case(session, self.investigator, draft, NOW).id

    def _user(self, session: Session, code: str, role: str) -> Actor:
        login = f"{role}@{code}"
        new = accounts.NewUser(login, login, code, (role,), "a long password")
        return accounts.add_user(session, new)

    def add(self, name: str, content: bytes, case_id: int | None = None) -> service.ItemView:
        path = self.folder / name
        path.write_bytes(content)
        new = service.NewItem(path, "photos", name, "photo", "sortie:1", {"gsd_m": 0.01})
        with session_scope(self.engine) as session:
            return service.add_item(
                session, self.investigator, case_id or self.case_id, new, self.store, NOW
            )

    def export(self, reason: str = "asked for by the prosecutor") -> service.ExportView:
        with session_scope(self.engine) as session:
            return exporting.export_bag(
                session,
                self.investigator,
                self.case_id,
                reason=reason,
                store=self.store,
                out_dir=self.folder / "bags",
                key=KEY,
                now=NOW,
            )


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path)


def test_an_exported_case_verifies_and_tells_its_custody(desk: Desk) -> None:
    desk.add("a.jpg", b"one")
    desk.add("b.jpg", b"two")
    exported = desk.export()
    report = bag.verify_bag(desk.folder / "bags" / exported.folder, exported.key_id)
    assert report.ok
    assert report.files_checked == 2
    with session_scope(desk.engine) as session:
        custody = service.get_case(session, desk.nord, desk.case_id).custody
        assert [step.action for step in custody] == ["open", "add", "add", "export"]
        assert audit.verify(session) == []


def test_a_second_export_is_a_second_bag(desk: Desk) -> None:
    desk.add("a.jpg", b"one")
    assert desk.export().folder != desk.export().folder


def test_the_original_may_change_after_it_was_taken(desk: Desk) -> None:
    desk.add("a.jpg", b"one")
    (desk.folder / "a.jpg").write_bytes(b"changed")
    folder = desk.folder / "bags" / desk.export().folder
    assert (folder / "data/photos/a.jpg").read_bytes() == b"one"


def test_a_changed_stored_file_stops_the_export(desk: Desk) -> None:
    item = desk.add("a.jpg", b"one")
    stored = blobs.content_path(desk.store, item.sha256)
    stored.chmod(0o644)
    stored.write_bytes(b"rot")
    with pytest.raises(Conflict, match="backup"):
        desk.export()


def test_the_same_file_twice_is_one_item(desk: Desk) -> None:
    assert desk.add("a.jpg", b"one").id == desk.add("a.jpg", b"one").id


def test_another_file_under_the_same_name_is_refused(desk: Desk) -> None:
    desk.add("a.jpg", b"one")
    with pytest.raises(Conflict, match="new name"):
        desk.add("a.jpg", b"two")


def test_a_missing_file_is_named(desk: Desk) -> None:
    new = service.NewItem(desk.folder / "gone", "photos", "gone", "photo", "s:1", {})
    with session_scope(desk.engine) as session, pytest.raises(InputError, match="gone"):
        service.add_item(session, desk.investigator, desk.case_id, new, desk.store, NOW)


def test_an_empty_case_is_not_exported(desk: Desk) -> None:
    with pytest.raises(InputError, match="nothing to export"):
        desk.export()


def test_an_export_without_a_reason_is_refused(desk: Desk) -> None:
    desk.add("a.jpg", b"one")
    with pytest.raises(InputError, match="say why"):
        desk.export("  ")


def test_another_zones_case_does_not_exist(desk: Desk) -> None:
    with session_scope(desk.engine) as session:
        assert service.get_case(session, desk.nord, desk.case_id).title == "Accident"
        assert service.list_cases(session, desk.midi) == []
        with pytest.raises(NotFound):
            service.get_case(session, desk.midi, desk.case_id)


def test_a_requester_cannot_open_a_case(desk: Desk) -> None:
    draft = service.CaseDraft(desk.nord.organisation_id, "Accident", "art. 1")
    with session_scope(desk.engine) as session, pytest.raises(NotAllowed):
        service.open_case(session, desk.nord, draft, NOW)


@pytest.mark.parametrize("field", ["title", "legal_basis"])
def test_a_case_needs_a_title_and_a_legal_basis(field: str) -> None:
    draft = service.CaseDraft(1, "Accident", "art. 1")
    with pytest.raises(InputError, match="needs a"):
        replace(draft, **{field: " "})


def test_looking_needs_a_reason_and_is_kept(desk: Desk) -> None:
    item = desk.add("a.jpg", b"one")
    with session_scope(desk.engine) as session:
        path, name = service.open_content(
            session, desk.nord, item.id, "court date", desk.store, NOW
        )
        assert name == item.path.rpartition("/")[2]
        assert path.read_bytes() == b"one"
        last = service.get_case(session, desk.nord, desk.case_id).custody[-1]
        assert (last.action, last.reason, last.item_path) == ("read", "court date", item.path)
        with pytest.raises(InputError, match="say why"):
            service.open_content(session, desk.nord, item.id, "", desk.store, NOW)
        with pytest.raises(NotFound):
            service.open_content(session, desk.midi, item.id, "curious", desk.store, NOW)


def retain(desk: Desk, *, hold: bool) -> list[int]:
    with session_scope(desk.engine) as session:
        service.set_retention(
            session,
            desk.administrator,
            desk.case_id,
            keep_until=NOW + timedelta(days=30),
            basis="art. 1",
            legal_hold=hold,
            now=NOW,
        )
    with session_scope(desk.engine) as session:
        later = NOW + timedelta(days=31)
        assert service.erase_expired(session, desk.administrator, desk.store, NOW) == []
        return service.erase_expired(session, desk.administrator, desk.store, later)


def test_retention_erases_the_content_and_keeps_the_hash(desk: Desk) -> None:
    item = desk.add("a.jpg", b"one")
    assert retain(desk, hold=False) == [item.id]
    assert not blobs.content_path(desk.store, item.sha256).exists()
    with session_scope(desk.engine) as session:
        kept = service.get_case(session, desk.nord, desk.case_id).items[0]
        assert kept.sha256 == item.sha256
        assert kept.erased_at is not None
        with pytest.raises(Conflict, match="erased"):
            service.open_content(session, desk.nord, item.id, "late", desk.store, NOW)


def test_a_legal_hold_outlasts_retention(desk: Desk) -> None:
    item = desk.add("a.jpg", b"one")
    assert retain(desk, hold=True) == []
    assert blobs.content_path(desk.store, item.sha256).exists()


def test_content_that_another_case_keeps_is_not_erased(desk: Desk) -> None:
    item = desk.add("a.jpg", b"one")
    with session_scope(desk.engine) as session:
        draft = service.CaseDraft(desk.midi.organisation_id, "Other", "art. 2")
        other = service.open_case(session, desk.investigator, draft, NOW).id
    desk.add("a.jpg", b"one", case_id=other)
    assert retain(desk, hold=False) == [item.id]
    assert blobs.content_path(desk.store, item.sha256).exists()


def test_a_list_of_cases_holds_what_each_case_holds(desk: Desk) -> None:
    draft = service.CaseDraft(desk.nord.organisation_id, "Second", "art. 2")
    with session_scope(desk.engine) as session:
        second = service.open_case(session, desk.investigator, draft, NOW).id
        empty = service.open_case(session, desk.investigator, draft, NOW).id
    desk.add("b.jpg", b"two")
    desk.add("a.jpg", b"one")
    desk.add("a.jpg", b"other", second)
    desk.export()
    retain(desk, hold=True)
    with session_scope(desk.engine) as session:
        listed = service.list_cases(session, desk.investigator)
        assert [one.id for one in listed] == [empty, second, desk.case_id]
        for one in listed:
            assert one == service.get_case(session, desk.investigator, one.id)
    held = {one.id: one for one in listed}
    assert [item.path for item in held[desk.case_id].items] == ["photos/a.jpg", "photos/b.jpg"]
    assert held[desk.case_id].legal_hold
    assert len(held[desk.case_id].exports) == 1
    assert [item.path for item in held[second].items] == ["photos/a.jpg"]
    assert (held[empty].items, held[empty].exports, held[empty].legal_hold) == ((), (), False)
