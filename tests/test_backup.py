"""A snapshot brings everything back, costs what is new, and shows every damage."""

from __future__ import annotations

import errno
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from droneteam import accounts, audit, backup, cli, db
from droneteam.accounts import SYSTEM, OrganisationKind
from droneteam.errors import Conflict, DecodeError, SetupError
from droneteam.settings import Settings

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
KEPT = {
    "logs/sortie-1/flight.tlog": b"packets" * 999,
    "evidence/ab/abcd": b"\x00\xffphoto",
    "scenes/1/products/ortho.tif": b"raster",
}
PASSING = {
    "cache/tile.png": b"again",
    "uploads/1.part": b"half",
    "scenes/1/.writing.tmp": b"half",
    "secret": b"secret",
    "keys/evidence.pem": b"key",
}


def install(engine: Engine, folder: Path) -> Settings:
    """A data folder beside the database, which holds one organisation and one audit entry."""
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(folder / "data", url, "secret")
    for name, content in {**KEPT, **PASSING}.items():
        path = settings.data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with db.session_scope(engine) as session:
        made = accounts.add_organisation(
            session, code="5341", kind=OrganisationKind.ZONE, names=("Midi", "Zuid", "South")
        )
        audit.append(
            session, SYSTEM, action="organisation.add", subject=f"organisation:{made.id}", at=NOW
        )
    return settings


@pytest.fixture
def installed(engine: Engine, tmp_path: Path) -> Settings:
    return install(engine, tmp_path)


def elsewhere(engine: Engine, tmp_path: Path) -> Settings:
    """The settings of another, empty installation with the same kind of database."""
    data_dir = tmp_path / "restored"
    if engine.dialect.name == "sqlite":
        return Settings(data_dir, f"sqlite:///{data_dir / 'droneteam.db'}", "secret")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = f"{engine.url.database}_restored"
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = engine.url.set(database=name).render_as_string(hide_password=False)
    return Settings(data_dir, url, "secret")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "droneteam.db" not in path.name
    }


def test_what_was_kept_is_restored_to_the_byte(
    engine: Engine, installed: Settings, tmp_path: Path
) -> None:
    path = backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    assert path.name == "20260504T080000Z"
    assert backup.check_snapshot(path) == []
    other = elsewhere(engine, tmp_path)
    backup.restore_snapshot(path, other)
    assert files_of(other.data_dir) == KEPT
    restored = db.make_engine(other.database_url)
    with db.read_scope(restored) as session:
        assert [row.code for row in accounts.organisations(session)] == ["5341"]
        assert audit.verify(session) == []
        assert audit.count(session) == 1
    restored.dispose()
    with db.read_scope(engine) as session:
        (entry,) = audit.entries(session, action=backup.ACTION)
    assert entry.subject == f"backup:{path.name}"
    assert entry.facts["files"] == len(KEPT)


def test_a_second_snapshot_links_what_is_unchanged(
    engine: Engine, installed: Settings, tmp_path: Path
) -> None:
    first = backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    changed = installed.data_dir / "logs/sortie-1/flight.tlog"
    changed.write_bytes(b"other")
    second = backup.make_snapshot(installed, engine, tmp_path / "backups", NOW + timedelta(days=1))
    for name in KEPT:
        same = (first / "files" / name).stat().st_ino == (second / "files" / name).stat().st_ino
        assert same == (name != "logs/sortie-1/flight.tlog")
    assert (first / "files/logs/sortie-1/flight.tlog").read_bytes() == KEPT[
        "logs/sortie-1/flight.tlog"
    ]
    assert backup.check_snapshot(first) == backup.check_snapshot(second) == []


def test_pruning_keeps_the_newest_and_what_they_share(
    engine: Engine, installed: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    made = [
        backup.make_snapshot(installed, engine, folder, NOW + timedelta(days=n)) for n in range(4)
    ]
    assert backup.prune(folder, 2) == made[:2]
    assert backup.list_snapshots(folder) == made[2:]
    assert [backup.check_snapshot(path) for path in made[2:]] == [[], []]


def test_private_files_come_only_when_asked_for(
    engine: Engine, installed: Settings, tmp_path: Path
) -> None:
    path = backup.make_snapshot(installed, engine, tmp_path / "safe", NOW, private=True)
    names = {file.path for file in backup.read_snapshot(path).files}
    assert names == {*KEPT, "secret", "keys/evidence.pem"}
    other = elsewhere(engine, tmp_path)
    backup.restore_snapshot(path, other)
    assert (other.data_dir / "secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: (path / "files/evidence/ab/abcd").write_bytes(b"\x00\xfePhoto"),
         "evidence/ab/abcd was changed"),
        (lambda path: (path / "files/scenes/1/products/ortho.tif").unlink(),
         "scenes/1/products/ortho.tif is missing"),
    ],
)  # fmt: skip
def test_a_damaged_snapshot_is_named_and_never_restored(
    engine: Engine, installed: Settings, tmp_path: Path, damage: object, said: str
) -> None:
    path = backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    assert callable(damage)
    damage(path)
    assert backup.check_snapshot(path) == [said]
    other = Settings(tmp_path / "restored", f"sqlite:///{tmp_path / 'restored/d.db'}", "secret")
    with pytest.raises(DecodeError, match="nothing is restored"):
        backup.restore_snapshot(path, other)
    assert not other.data_dir.exists()


def test_a_damaged_database_copy_is_named(
    engine: Engine, installed: Settings, tmp_path: Path
) -> None:
    path = backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    copy = path / backup.read_snapshot(path).database
    content = bytearray(copy.read_bytes())
    content[: len(content) // 2] = b"\x55" * (len(content) // 2)
    copy.write_bytes(content)
    problems = backup.check_snapshot(path)
    assert problems[0] == f"{copy.name} was changed"
    assert len(problems) >= 2
    copy.unlink()
    assert backup.check_snapshot(path) == [f"{copy.name} is missing"]


def test_a_manifest_that_leads_outside_is_refused(
    engine: Engine, installed: Settings, tmp_path: Path
) -> None:
    path = backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    plain = json.loads((path / "manifest.json").read_text())
    plain["files"][0]["path"] = "../../etc/passwd"
    (path / "manifest.json").write_text(json.dumps(plain))
    with pytest.raises(DecodeError, match="leads out"):
        backup.check_snapshot(path)
    with pytest.raises(DecodeError, match="is no backup"):
        backup.check_snapshot(tmp_path)


def test_nothing_is_ever_written_over(engine: Engine, installed: Settings, tmp_path: Path) -> None:
    path = backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    with pytest.raises(Conflict, match="empty folder"):
        backup.restore_snapshot(path, installed)
    with pytest.raises(Conflict, match="there already"):
        backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    used = Settings(tmp_path / "empty", installed.database_url, "secret")
    with pytest.raises(Conflict):
        backup.restore_snapshot(path, used)


def test_a_backup_within_the_data_folder_is_refused(engine: Engine, installed: Settings) -> None:
    with pytest.raises(SetupError, match="belongs elsewhere"):
        backup.make_snapshot(installed, engine, installed.data_dir / "backups", NOW)


def test_a_full_disk_leaves_nothing_half_made(
    engine: Engine, installed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(backup.os, "fsync", full)
        with pytest.raises(SetupError, match="No space left"):
            backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)
    assert list((tmp_path / "backups").iterdir()) == []
    with db.read_scope(engine) as session:
        assert audit.entries(session, action=backup.ACTION) == []
    backup.make_snapshot(installed, engine, tmp_path / "backups", NOW)


def test_the_command_makes_lists_checks_and_restores(
    engine: Engine, installed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("DRONETEAM_DATABASE", installed.database_url)
    monkeypatch.setenv("DRONETEAM_DATA", str(installed.data_dir))
    folder = str(tmp_path / "backups")
    assert cli.main(["backup", "make", folder, "--keep", "3"]) == 0
    out = capsys.readouterr().out
    assert "left out: cache, processes, uploads, keys, secret" in out
    path = out.splitlines()[0]
    assert cli.main(["backup", "check", path]) == 0
    assert cli.main(["backup", "list", folder]) == 0
    assert f"{Path(path).name}\t{len(KEPT)} files" in capsys.readouterr().out
    assert cli.main(["backup", "restore", path]) == 1
    assert "empty folder" in capsys.readouterr().err
    shutil.rmtree(Path(path) / "files" / "evidence")
    assert cli.main(["backup", "check", path]) == 1
    assert "evidence/ab/abcd is missing" in capsys.readouterr().err
