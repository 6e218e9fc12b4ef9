"""A sealed bag holds up against an independent BagIt reader and against every tampering."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import bagit
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from droneteam.errors import Conflict, DecodeError, InputError
from droneteam.evidence import bag, manifest

AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CONTENTS = {"photos/DJI_0001.JPG": b"\xff\xd8 one", "logs/flight 1.tlog": b"\xfd" * 5000}


def make_bag(tmp_path: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    files = []
    for number, (path, content) in enumerate(contents.items()):
        stored = tmp_path / f"stored{number}"
        stored.write_bytes(content)
        item = manifest.BagItem(
            path=path,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            kind="photo",
            source="sortie:1",
            added_at=AT.isoformat(),
            added_by="pilot 3",
            facts={"gsd_m": 0.01},
        )
        files.append(bag.PayloadFile(item, stored))
    statement = manifest.CaseStatement(
        case={"id": 1, "identifier": "case-1-1", "title": "Accident, chaussée de Wavre"},
        items=tuple(file.item for file in files),
        custody=(),
        exported_at=AT.isoformat(),
        exported_by="investigator 1",
        reason="asked for by the public prosecutor",
        software={"droneteam": "0"},
    )
    return bag.write_bag(tmp_path / "out" / "bag", statement, files, KEY, AT)


def test_an_independent_reader_finds_the_bag_valid(tmp_path: Path) -> None:
    folder = make_bag(tmp_path)
    other = bagit.Bag(str(folder))
    assert other.validate()
    assert other.info["Payload-Oxum"] == "5006.2"
    assert other.version_info == (1, 0)


def test_our_reader_finds_the_bag_intact_and_names_its_signer(tmp_path: Path) -> None:
    signer = manifest.key_id(KEY.public_key())
    report = bag.verify_bag(make_bag(tmp_path), trusted_key_id=signer)
    assert report.ok
    assert (report.files_checked, report.bytes_checked) == (2, 5006)
    assert (report.signer, report.signer_known) == (signer, True)


def test_a_bag_of_an_independent_writer_is_read_but_lacks_the_seal(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "photo.jpg").write_bytes(b"x")
    bagit.make_bag(str(tmp_path / "theirs"), checksums=["sha256"])
    report = bag.verify_bag(tmp_path / "theirs")
    assert {problem.path for problem in report.problems} == {"statement.json", "signature.json"}


@pytest.mark.parametrize(
    "name",
    [
        "data/photos/DJI_0001.JPG",
        "data/logs/flight 1.tlog",
        "bagit.txt",
        "bag-info.txt",
        "manifest-sha256.txt",
        "statement.json",
        "signature.json",
        "tagmanifest-sha256.txt",
    ],
)
def test_one_flipped_bit_in_any_file_is_found(tmp_path: Path, name: str) -> None:
    folder = make_bag(tmp_path)
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert not bag.verify_bag(folder).ok


def remove(folder: Path) -> None:
    (folder / "data/photos/DJI_0001.JPG").unlink()


def add(folder: Path) -> None:
    (folder / "data/photos/DJI_0002.JPG").write_bytes(b"slipped in")


def swap_for_link(folder: Path) -> None:
    target = folder / "data/photos/DJI_0001.JPG"
    elsewhere = folder.parent / "elsewhere"
    shutil.move(target, elsewhere)
    target.symlink_to(elsewhere)


def unseal(folder: Path) -> None:
    (folder / "signature.json").unlink()


def reseal_payload(folder: Path) -> None:
    """Change a photo and put every plain hash right: only the signature can tell."""
    photo = folder / "data/photos/DJI_0001.JPG"
    photo.write_bytes(b"\xff\xd8 two")
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        lines = []
        for line in (folder / name).read_text().splitlines():
            path = line.split("  ")[1]
            lines.append(f"{bag.hash_file(folder / path)[0]}  {path}\n")
        (folder / name).write_text("".join(lines))


def sign_with_another_key(folder: Path) -> None:
    statement = (folder / "statement.json").read_bytes()
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    (folder / "signature.json").write_bytes(manifest.signature_bytes(statement, other))
    tags = manifest.parse_manifest((folder / "tagmanifest-sha256.txt").read_bytes())
    tags["signature.json"] = bag.hash_file(folder / "signature.json")[0]
    (folder / "tagmanifest-sha256.txt").write_bytes(manifest.tag_manifest(tags))


@pytest.mark.parametrize(
    "tamper", [remove, add, swap_for_link, unseal, reseal_payload, sign_with_another_key]
)
def test_every_tampering_is_found(tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    folder = make_bag(tmp_path)
    tamper(folder)
    report = bag.verify_bag(folder, trusted_key_id=manifest.key_id(KEY.public_key()))
    assert not report.ok


def test_a_stored_file_that_has_rotted_stops_the_export(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="no longer what was accepted"):
        rotten_bag(tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def rotten_bag(tmp_path: Path) -> None:
    stored = tmp_path / "stored"
    stored.write_bytes(b"rotten")
    item = manifest.BagItem("a.jpg", "0" * 64, 6, "photo", "s:1", "", "", {})
    case = {"title": "t", "identifier": "i"}
    statement = manifest.CaseStatement(case, (item,), (), "", "", "", {})
    files = [bag.PayloadFile(item, stored)]
    bag.write_bag(tmp_path / "out" / "bag", statement, files, KEY, AT)


def test_a_bag_is_never_overwritten(tmp_path: Path) -> None:
    make_bag(tmp_path)
    with pytest.raises(Conflict, match="never overwritten"):
        make_bag(tmp_path)


def test_a_zipped_bag_verifies_like_its_folder(tmp_path: Path) -> None:
    archive = bag.zip_bag(make_bag(tmp_path))
    assert bag.verify_bag(archive).ok


def test_a_zip_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bag/../../evil", "x")
    with pytest.raises(InputError, match="one bag folder"):
        bag.verify_bag(path)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bag/data/zeros", bytes(5_000_000))
    with pytest.raises(InputError, match="not an evidence bag"):
        bag.verify_bag(path)


def test_a_path_without_a_bag_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither"):
        bag.verify_bag(tmp_path / "nothing")


def test_the_statement_says_where_everything_came_from(tmp_path: Path) -> None:
    statement = json.loads((make_bag(tmp_path) / "statement.json").read_text())
    assert statement["items"][0]["source"] == "sortie:1"
    assert statement["items"][0]["facts"] == {"gsd_m": 0.01}
    assert statement["reason"] == "asked for by the public prosecutor"


@given(st.dictionaries(st.text(min_size=1).map(lambda t: "data/" + t), st.just("a" * 64)))
def test_manifests_round_trip(hashes: dict[str, str]) -> None:
    assume(not any("\\" in path or ".." in path for path in hashes))
    assert manifest.parse_manifest(manifest.tag_manifest(hashes)) == hashes


@pytest.mark.parametrize(
    "line", ["no hash", f"{'a' * 64}  ../x", f"{'a' * 64}  /etc/passwd", f"{'a' * 63}  data/x"]
)
def test_wrong_manifest_lines_are_named(line: str) -> None:
    with pytest.raises(DecodeError, match="line 2"):
        manifest.parse_manifest(f"{'b' * 64}  data/ok\n{line}\n".encode())


@given(st.text())
def test_safe_paths_hold_only_safe_characters(name: str) -> None:
    try:
        path = manifest.safe_path("photos", name)
    except InputError:
        return
    assert path.isascii()
    assert path.startswith("photos/")
    assert path.count("/") == 1
    assert ".." not in path.split("/")
