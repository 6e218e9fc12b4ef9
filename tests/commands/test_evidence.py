"""The evidence command on an installation of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from droneteam import accounts, cli, db, schema
from droneteam.evidence import service
from droneteam.fleet import service as fleet
from droneteam.settings import Settings

NOW = datetime.now(UTC)


@pytest.mark.parametrize(("hold", "erased"), [(False, 1), (True, 0)])
def test_erase_lets_go_of_what_is_past_its_time_and_not_on_hold(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    hold: bool,
    erased: int,
) -> None:
    monkeypatch.setenv("DRONETEAM_DATA", str(tmp_path))
    monkeypatch.delenv("DRONETEAM_DATABASE", raising=False)
    settings = Settings.from_env()
    engine = db.make_engine(settings.database_url)
    schema.upgrade(engine)
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"a photo")
    store = settings.blob_dir("evidence")
    with db.session_scope(engine) as session:
        fleet.seed_reference(session, NOW)
        new = accounts.NewUser("admin", "A", "DRONE", ("administrator",), "a long password")
        admin = accounts.add_user(session, new)
        draft = service.CaseDraft(admin.organisation_id, "Accident", "art. 1")
        case = service.open_case(session, admin, draft, NOW - timedelta(days=40))
        item = service.NewItem(photo, "photos", "a.jpg", "photo", "sortie:1", {})
        kept = service.add_item(session, admin, case.id, item, store, NOW)
        service.set_retention(
            session, admin, case.id, keep_until=NOW - timedelta(days=1), basis="art. 2",
            legal_hold=hold, now=NOW,
        )  # fmt: skip
    assert cli.main(["evidence", "erase", "--user", "admin"]) == 0
    assert capsys.readouterr().out == f"{erased} files erased\n"
    assert service.content_path(store, kept.sha256).exists() == hold
    with db.read_scope(engine) as session:
        (row,) = service.get_case(session, admin, case.id).items
    engine.dispose()
    assert row.sha256 == kept.sha256
    assert (row.erased_at is not None) == (erased == 1)
