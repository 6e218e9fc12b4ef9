"""Verifying a bag: every fault that its files can have is in the verdict, and the verdict stays."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from droneteam import audit, jobs
from droneteam.db import read_scope, session_scope
from droneteam.errors import NotFound
from droneteam.evidence import bag, checking, exporting
from droneteam.settings import Settings
from tests.evidence.test_exporting import FILES, ask, case_of
from tests.evidence.test_service import NOW, Desk


@pytest.fixture
def desk(sqlite_engine: Engine, tmp_path: Path, settings: Settings) -> Desk:
    """A case with one sealed bag, read back once."""
    made = Desk(sqlite_engine, tmp_path)
    made.store = settings.blob_dir("evidence")
    for name, content in FILES.items():
        made.add(name, content)
    ask(made)
    assert jobs.run_once(made.engine, settings, exporting.HANDLERS)
    assert jobs.run_once(made.engine, settings, checking.HANDLERS)
    return made


def verdict_of(desk: Desk) -> checking.Verdict:
    with read_scope(desk.engine) as session:
        found = checking.last_verdict(session, case_of(desk).exports[0].id)
    assert found is not None
    return found


def verify(desk: Desk, settings: Settings) -> checking.Verdict:
    """What verifying the bag again finds."""
    export = case_of(desk).exports[0].id
    with session_scope(desk.engine) as session:
        checking.request_check(session, desk.investigator, export, NOW)
    assert jobs.run_once(desk.engine, settings, checking.HANDLERS)
    return verdict_of(desk)


def test_a_bag_is_read_back_after_it_was_sealed_and_the_chain_keeps_what_was_found(
    desk: Desk, settings: Settings
) -> None:
    found, (export,) = verdict_of(desk), case_of(desk).exports
    folder = settings.blob_dir("bags") / export.folder
    assert (found.intact, found.packed, found.n_problems) == (True, True, 0)
    assert found.bytes_checked == sum(map(len, FILES.values()))
    assert found.signer == export.key_id
    assert found.tag_manifest_sha256 == bag.hash_file(folder / "tagmanifest-sha256.txt")[0]
    with read_scope(desk.engine) as session:
        entry = audit.entries(session, subject=f"export:{export.id}")[0]
        assert (entry.id, entry.action) == (found.entry_id, "evidence.verify")
        assert audit.verify(session) == []


def flip(folder: Path) -> None:
    (photo,) = (path for path in folder.rglob("a.jpg"))
    photo.write_bytes(b"b" + photo.read_bytes()[1:])


def lose(folder: Path) -> None:
    next(folder.rglob("b.jpg")).unlink()


def add(folder: Path) -> None:
    (folder / "data" / "planted.jpg").write_bytes(b"planted")


def unpack(folder: Path) -> None:
    """The .zip holds another file than the folder, in a sound archive."""
    target = bag.zip_path(folder)
    with zipfile.ZipFile(target) as old:
        held = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(target, "w") as new:
        for name, content in held.items():
            new.writestr(name, b"x" + content[1:] if name.endswith("a.jpg") else content)


def garble(folder: Path) -> None:
    """A byte of the .zip's content is another; its directory is as it was."""
    target = bag.zip_path(folder)
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)


def cut(folder: Path) -> None:
    target = bag.zip_path(folder)
    target.write_bytes(target.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (flip, "has been changed"),
        (lose, "is missing"),
        (add, "is not in the manifest"),
        (unpack, "differs from the bag's folder"),
        (garble, "differs from the bag's folder"),
        (cut, "cannot be read as a .zip file"),
    ],
)
def test_what_was_changed_is_found_by_verifying_again(
    desk: Desk, settings: Settings, harm: Callable[[Path], None], said: str
) -> None:
    harm(settings.blob_dir("bags") / case_of(desk).exports[0].folder)
    assert verdict_of(desk).intact, "a verdict is of its time"
    found = verify(desk, settings)
    assert not found.intact
    assert any(said in problem.text for problem in found.problems), found.problems
    with read_scope(desk.engine) as session:
        kept = audit.entries(session, action=checking.ACTION)
    assert [entry.facts["intact"] for entry in kept] == [False, True], "the old one stays"


def test_a_bag_whose_folder_is_gone_is_not_intact(desk: Desk, settings: Settings) -> None:
    folder = settings.blob_dir("bags") / case_of(desk).exports[0].folder
    folder.rename(folder.with_name("elsewhere"))
    found = verify(desk, settings)
    assert (found.intact, found.tag_manifest_sha256) == (False, None)
    assert [(one.path, one.text) for one in found.problems] == [(folder.name, "is missing")]


def test_a_bag_that_is_being_verified_is_not_verified_twice(desk: Desk) -> None:
    export = case_of(desk).exports[0].id
    with session_scope(desk.engine) as session:
        first = checking.request_check(session, desk.investigator, export, NOW)
        assert checking.request_check(session, desk.investigator, export, NOW) == first


def test_nobody_verifies_what_they_may_not_see(desk: Desk) -> None:
    with session_scope(desk.engine) as session, pytest.raises(NotFound):
        checking.request_check(session, desk.midi, case_of(desk).exports[0].id, NOW)


def test_a_verification_that_is_stopped_leaves_no_verdict(desk: Desk, settings: Settings) -> None:
    before, export = verdict_of(desk), case_of(desk).exports[0].id
    with session_scope(desk.engine) as session:
        job = checking.request_check(session, desk.investigator, export, NOW)
        jobs.cancel(session, job, at=NOW)
    assert not jobs.run_once(desk.engine, settings, checking.HANDLERS)
    assert verdict_of(desk) == before
