"""The evidence command on an installation of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from droneteam import accounts, cli, db, schema
from droneteam.evidence import blobs, service
from droneteam.fleet import service as fleet
from droneteam.settings import Settings

NOW = datetime.now(UTC)


def test_erase_lets_go_of_what_is_past_its_time_and_not_on_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRONETEAM_DATA", str(tmp_path))
    monkeypatch.delenv("DRONETEAM_DATABASE", raising=False)
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.create_all(engine)
    monkeypatch.setattr(schema, "require_current", lambda engine: None)  # has its own tests
    store = settings.blob_dir("evidence")
    kept = {}
    with db.session_scope(engine) as session:
        fleet.seed_reference(session, NOW)
        new = accounts.NewUser("admin", "A", "DRONE", ("administrator",), "a long password")
        admin = accounts.add_user(session, new)
        for name, days, hold in (("past", -1, False), ("held", -1, True), ("kept", 1, False)):
            photo = tmp_path / f"{name}.jpg"
            photo.write_text(name)
            draft = service.CaseDraft(admin.organisation_id, name, "art. 1")
            case = service.open_case(session, admin, draft, NOW - timedelta(days=40))
            item = service.NewItem(photo, "photos", photo.name, "photo", "sortie:1", {})
            kept[case.id] = service.add_item(session, admin, case.id, item, store, NOW)
            service.set_retention(
                session, admin, case.id, keep_until=NOW + timedelta(days=days), basis="art. 2",
                legal_hold=hold, now=NOW,
            )  # fmt: skip
    assert cli.main(["evidence", "erase", "--user", "admin"]) == 0
    assert capsys.readouterr().out == "1 files erased\n"
    with db.read_scope(engine) as session:
        for case_id, item_view in kept.items():
            case = service.get_case(session, admin, case_id)
            (row,) = case.items
            gone = case.title == "past"
            assert row.sha256 == item_view.sha256
            assert (row.erased_at is not None) == gone
            assert blobs.content_path(store, row.sha256).exists() != gone
    engine.dispose()
