"""Bags as jobs: whole and in the custody, or nothing; nobody waits for the database meanwhile."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from droneteam import jobs
from droneteam.db import read_scope, session_scope
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.evidence import bag, exporting, keys, manifest, service
from droneteam.settings import Settings
from tests.evidence.test_service import NOW, Desk

FILES = {"a.jpg": b"a" * 3_000_000, "b.jpg": b"b" * 1_000_000}


@pytest.fixture
def desk(sqlite_engine: Engine, tmp_path: Path, settings: Settings) -> Desk:
    """On SQLite, where one writer keeps all others waiting."""
    made = Desk(sqlite_engine, tmp_path)
    made.store = settings.blob_dir("evidence")
    for name, content in FILES.items():
        made.add(name, content)
    return made


def ask(desk: Desk, reason: str = "for the court") -> int:
    with session_scope(desk.engine) as session:
        return exporting.request_export(
            session, desk.investigator, desk.case_id, reason, desk.store, NOW
        )


def work(desk: Desk, settings: Settings) -> jobs.JobView:
    """What became of the case's newest export."""
    assert jobs.run_once(desk.engine, settings, exporting.HANDLERS)
    with read_scope(desk.engine) as session:
        found = exporting.exporting(session, desk.case_id)
    assert found is not None
    return found


def case_of(desk: Desk) -> service.CaseView:
    with read_scope(desk.engine) as session:
        return service.get_case(session, desk.investigator, desk.case_id)


def test_a_worker_seals_packs_and_writes_down_a_bag(desk: Desk, settings: Settings) -> None:
    ask(desk)
    assert work(desk, settings).state == "done"
    (export,) = case_of(desk).exports
    own = manifest.key_id(keys.own_key(settings.data_dir).public_key())
    folder = settings.blob_dir("bags") / export.folder
    for packed in (folder, bag.zip_path(folder)):
        report = bag.verify_bag(packed, own)
        assert report.ok
        assert report.bytes_checked == sum(map(len, FILES.values()))
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        export.folder, f"{export.folder}.zip",
    ]  # fmt: skip
    last = case_of(desk).custody[-1]
    assert (last.action, last.reason) == ("export", "for the court")
    assert b'"reason": "for the court"' in (folder / "statement.json").read_bytes()


def test_the_progress_of_writing_and_packing_rises_by_bytes(tmp_path: Path, desk: Desk) -> None:
    told: list[tuple[float, str]] = []
    with read_scope(desk.engine) as session:
        plan = exporting.plan_bag(
            session, desk.investigator, desk.case_id, reason="why", store=desk.store, now=NOW
        )
    key = keys.signing_key(tmp_path / "key.pem")
    folder = bag.write_bag(
        tmp_path / "bag", plan.statement, plan.files, key, NOW, lambda *said: told.append(said)
    )
    assert told == [(0.0, "photos/a.jpg"), (0.75, "photos/b.jpg")]
    told.clear()
    with zipfile.ZipFile(bag.zip_bag(folder, lambda *said: told.append(said))) as archive:
        assert len(archive.namelist()) == len(told)
    parts = [part for part, _name in told]
    assert parts == sorted(parts)
    assert parts[0] == 0.0
    assert 0.9 < parts[-1] < 1.0


def test_others_write_while_a_bag_is_written(
    desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, written = bag.copy_hashed, []

    def copy_while_somebody_works(source: Path, target: Path) -> tuple[str, int]:
        with session_scope(desk.engine) as session:  # would wait for ever behind a write lock
            draft = service.CaseDraft(desk.nord.organisation_id, "Another", "art. 2")
            written.append(service.open_case(session, desk.investigator, draft, NOW).id)
        return copy(source, target)

    ask(desk)
    monkeypatch.setattr(bag, "copy_hashed", copy_while_somebody_works)
    assert work(desk, settings).state == "done"
    assert len(written) == len(FILES)


@pytest.mark.parametrize("stage", exporting.STAGES)
def test_a_stopped_export_leaves_nothing_behind(
    desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    progress = jobs.JobContext.progress

    def stop_there(self: jobs.JobContext, at: str, fraction: float, message: str = "") -> None:
        if at == stage:
            with session_scope(desk.engine) as session:
                assert exporting.stop_export(session, desk.investigator, desk.case_id, NOW)
        progress(self, at, fraction, message)

    ask(desk)
    monkeypatch.setattr(jobs.JobContext, "progress", stop_there)
    assert work(desk, settings).state == "cancelled"
    assert list(settings.blob_dir("bags").iterdir()) == []
    assert case_of(desk).exports == ()
    assert case_of(desk).custody[-1].action == "add"


def test_what_a_dead_worker_left_is_thrown_away_and_the_bag_written_anew(
    desk: Desk, settings: Settings
) -> None:
    bags = settings.blob_dir("bags")
    name = f"droneteam-case-{desk.case_id}-1"
    others = f".droneteam-case-{desk.case_id}-10-abc"  # of an export that is not ours
    for left in (name, f".{name}-abc", others):
        (bags / left / "data").mkdir(parents=True)
        (bags / left / "data" / "half.jpg").write_bytes(b"half")
    (bags / f".{name}-abc.part").write_bytes(b"half")
    bag.zip_path(bags / name).write_bytes(b"half")
    ask(desk)
    assert work(desk, settings).state == "done"
    assert sorted(path.name for path in bags.iterdir()) == [others, name, f"{name}.zip"]
    assert bag.verify_bag(bags / name).ok
    assert bag.verify_bag(bag.zip_path(bags / name)).ok


def test_a_disk_without_room_is_found_before_the_first_byte(
    desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=6_000_000))
    ask(desk)
    ended = work(desk, settings)
    assert ended.state == "failed"
    assert "has no room: 8 MB are to come" in (ended.error or "")
    assert list(settings.blob_dir("bags").iterdir()) == []


def test_two_exports_of_one_plan_are_never_both_written_down(desk: Desk) -> None:
    with session_scope(desk.engine) as session:
        plan = exporting.plan_bag(
            session, desk.investigator, desk.case_id, reason="why", store=desk.store, now=NOW
        )
    exported = desk.export()
    assert exported.folder == plan.identifier
    key = keys.signing_key(desk.folder / "key.pem")
    folder = desk.folder / "bags" / plan.identifier
    with pytest.raises(Conflict, match="meanwhile"), session_scope(desk.engine) as session:
        exporting.keep_export(session, desk.investigator, plan, folder, key)
    assert len(case_of(desk).exports) == 1


def test_who_may_not_export_neither_starts_nor_stops_one(desk: Desk) -> None:
    other = replace(desk.investigator, roles=frozenset({"coordinator"}))
    with session_scope(desk.engine) as session:
        with pytest.raises(NotAllowed):
            exporting.request_export(session, other, desk.case_id, "why", desk.store, NOW)
        with pytest.raises(NotAllowed):
            exporting.stop_export(session, desk.nord, desk.case_id, NOW)
        with pytest.raises(InputError, match="say why"):
            exporting.request_export(session, desk.investigator, desk.case_id, " ", desk.store, NOW)
        with pytest.raises(NotFound):
            exporting.request_export(session, desk.investigator, 99, "why", desk.store, NOW)
        draft = service.CaseDraft(desk.nord.organisation_id, "Empty", "art. 1")
        empty = service.open_case(session, desk.investigator, draft, NOW).id
        with pytest.raises(InputError, match="holds nothing"):
            exporting.request_export(session, desk.investigator, empty, "why", desk.store, NOW)
        assert not exporting.stop_export(session, desk.investigator, desk.case_id, NOW)
