"""A stage's key changes with all that decides its result and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import DecodeError
from droneteam.photogrammetry import manifest
from droneteam.photogrammetry.manifest import FileRecord, Manifest
from droneteam.photogrammetry.resources import Usage
from droneteam.photogrammetry.scene import Camera

FACTOR = 3
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def helper() -> int:
    return FACTOR


def uses_helper() -> int:
    return helper()


def key(**changes: object) -> str:
    parts = {
        "stage": "dense",
        "params": {"a": 1},
        "inputs": {"adjust": "x"},
        "software": {"source": "y"},
    }
    return manifest.stage_key(**{**parts, **changes})  # type: ignore[arg-type]


def made(folder: Path) -> Manifest:
    (folder / "depth").mkdir(exist_ok=True)
    (folder / "cloud.npz").write_bytes(b"cloud")
    (folder / "depth" / "0.npy").write_bytes(b"depth")
    outputs = manifest.record_outputs(folder)
    return Manifest("dense", key(), {"a": 1}, {"adjust": "x"}, {}, outputs, Usage(1.0, 2.0, 3))


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "surface"},
        {"params": {"a": 2}},
        {"params": {"a": 1, "b": None}},
        {"inputs": {"adjust": "z"}},
        {"software": {"source": "y", "numpy": "2"}},
    ],
)
def test_each_ingredient_changes_the_key(change: dict[str, object]) -> None:
    assert key(**change) != key()


@settings(deadline=None)
@given(st.dictionaries(st.text(), values))
def test_the_order_of_parameters_does_not_matter(params: dict[str, object]) -> None:
    assert key(params=params) == key(params=dict(reversed(params.items())))


@settings(deadline=None)
@given(values, values)
def test_different_parameters_give_different_keys(first: object, second: object) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (key(params={"v": first}) == key(params={"v": second})) == same


def test_the_digest_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = made(tmp_path / "first"), made(tmp_path / "second")
    assert first.digest == second.digest
    (tmp_path / "second" / "cloud.npz").rename(tmp_path / "second" / "dense.npz")
    assert manifest.record_outputs(tmp_path / "second") != first.outputs


def test_a_manifest_reads_as_written(tmp_path: Path) -> None:
    original = made(tmp_path)
    manifest.write(original, tmp_path)
    assert manifest.read(tmp_path) == original
    assert manifest.record_outputs(tmp_path) == original.outputs, "it does not list itself"


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda folder: (folder / "cloud.npz").unlink(), ["cloud.npz"]),
        (lambda folder: (folder / "cloud.npz").write_bytes(b"clout"), ["cloud.npz"]),
        (lambda folder: (folder / "depth" / "0.npy").write_bytes(b"d"), ["depth/0.npy"]),
        (lambda folder: (folder / "extra").write_bytes(b"x"), []),
    ],
)
def test_damage_is_found_and_named(
    tmp_path: Path, harm: Callable[[Path], object], named: list[str]
) -> None:
    original = made(tmp_path)
    harm(tmp_path)
    assert manifest.damaged_outputs(original, tmp_path) == named


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "x": 2}'])
def test_a_torn_or_foreign_manifest_is_a_decode_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DecodeError):
        manifest.read(tmp_path)


def test_dataclasses_paths_and_times_become_plain() -> None:
    content = {
        "camera": Camera("SIMPLE_PINHOLE", 4, 3, (5.0, 2.0, 1.5)),
        "path": Path("a") / "b",
        "at": datetime(2026, 5, 4, tzinfo=UTC),
        "set": {"b", "a"},
        "record": FileRecord("x", "y", 1),
    }
    plain = manifest.plain(content)
    assert json.loads(json.dumps(plain)) == plain
    assert plain["camera"]["params"] == [5.0, 2.0, 1.5]
    assert plain["set"] == ["a", "b"]


def test_a_number_that_json_lacks_is_refused_in_a_key() -> None:
    with pytest.raises(ValueError, match="JSON"):
        key(params={"a": float("nan")})


def test_the_software_of_a_stage_covers_helpers_and_constants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def source() -> str:
        return manifest.software(uses_helper, "droneteam.errors", ())["source"]

    before = source()
    assert source() == before
    monkeypatch.setattr(f"{__name__}.FACTOR", 4)
    assert source() != before


def test_the_source_of_a_module_covers_what_it_imports() -> None:
    """scene.py imports geo.py: a change there must change the digest of both."""
    sources: dict[str, bytes] = {}
    manifest._collect_sources("droneteam.photogrammetry.scene", sources)
    assert {"droneteam.geo", "droneteam.errors"} <= set(sources)
    assert "droneteam.photogrammetry.dense.cloud" not in sources


def test_a_library_is_named_with_its_version() -> None:
    found = manifest.software(helper, "droneteam.errors", ("numpy",))
    assert found["numpy"][0].isdigit()
