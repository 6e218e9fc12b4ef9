"""DJI's Timestamp.MRK: fields, damaged lines, and which line belongs to which photo."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.photogrammetry.ingest.mrk import (
    MrkFile,
    MrkRecord,
    match_record,
    mrk_paths,
    parse_mrk,
    photo_number,
    read_mrk,
)
from droneteam.photogrammetry.ingest.photo_files import load_photos, save_photos
from droneteam.photogrammetry.ingest.photos import read_folder
from droneteam.photogrammetry.runner import SceneInput
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.photogrammetry.stages import STAGE_TABLE
from tests.photogrammetry.languages import known
from tests.photogrammetry.pictures import Tags, noise, write_jpeg

LINE = (
    "1\t433145.468823\t[2190]\t    24,N\t    -8,E\t   184,V\t50.81970001,Lat\t4.39080002,Lon\t"
    "137.683,Ellh\t0.014053, 0.015310, 0.033480\t50,Q"
)
AT = (50.8197, 4.3908)


def line(number: int) -> str:
    return LINE.replace("1\t", f"{number}\t", 1)


def record(text: str = LINE) -> MrkRecord:
    (found,) = parse_mrk("a.MRK", text).records.values()
    return found


def test_every_column_has_its_meaning_and_unit() -> None:
    found = record()
    assert found.number == 1
    # GPS week 2190 begins on Sunday 2021-12-26; 433145.47 s later, less 18 leap seconds
    assert found.at.replace(microsecond=0) == datetime(2021, 12, 31, 0, 18, 47, tzinfo=UTC)
    assert (found.lat_deg, found.lon_deg) == (50.81970001, 4.39080002)
    assert found.alt_ellipsoid_m == 137.683
    assert found.sigma_enu_m == (0.015310, 0.014053, 0.033480)  # the file says north first
    assert found.lever_arm_ned_m == (0.024, -0.008, 0.184)
    assert found.fix == "fixed"


@pytest.mark.parametrize(
    ("quality", "fix"), [("0", "none"), ("16", "single"), ("34", "float"), ("50", "fixed")]
)
def test_the_quality_names_the_fix(quality: str, fix: str) -> None:
    assert record(LINE.replace("50,Q", f"{quality},Q")).fix == fix


def test_deviations_of_zero_are_none_stated() -> None:
    assert record(LINE.replace("0.014053, 0.015310, 0.033480", "0, 0, 0")).sigma_enu_m is None


@pytest.mark.parametrize(
    "damaged",
    [LINE[:60], LINE.replace("50.81970001", "95.0"), LINE.replace(",Lat", ""), "\ufffd\ufffd"],
)
def test_a_damaged_line_costs_only_itself(damaged: str) -> None:
    text = "\n".join([line(1), damaged, "", line(3)])
    found = parse_mrk("a.MRK", text)
    assert sorted(found.records) == [1, 3]
    assert found.unreadable == (2,)


@given(st.text(max_size=300))
def test_any_text_parses(text: str) -> None:
    found = parse_mrk("a.MRK", text)
    lines = sum(bool(part.strip()) for part in text.splitlines())
    assert len(found.records) + len(found.unreadable) <= lines


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("DJI_0007.JPG", 7),
        ("100_0001_0012.JPG", 12),
        ("DJI_20260504103015_0007_V.JPG", 7),
        ("DJI_20260504103015_0123_D.jpg", 123),
        ("IMG.JPG", None),
    ],
)
def test_a_photos_number_is_its_last_group(name: str, number: int | None) -> None:
    assert photo_number(name) == number


def flight(name: str, lat_deg: float) -> MrkFile:
    found = parse_mrk(name, "\n".join(line(n) for n in (1, 2, 3)))
    moved = {n: replace(r, lat_deg=lat_deg) for n, r in found.records.items()}
    return replace(found, records=moved)


def test_flights_copied_together_are_told_apart_by_the_photos_own_position() -> None:
    files = [flight("A_Timestamp.MRK", 50.90), flight("B_Timestamp.MRK", 50.81970)]
    found = match_record("DJI_0002.JPG", AT, files)
    assert found.record is files[1].records[2]


def test_flights_are_told_apart_by_their_name() -> None:
    files = [flight("100_0001_Timestamp.MRK", 50.8197), flight("100_0002_Timestamp.MRK", 50.8197)]
    found = match_record("100_0002_0003.JPG", AT, files)
    assert found.record is files[1].records[3]


def test_a_line_of_another_place_is_refused_in_words() -> None:
    found = match_record("DJI_0002.JPG", AT, [flight("A_Timestamp.MRK", 50.8297)])
    assert found.record is None
    assert found.refused is not None
    assert "1112 m from the MRK line" in found.refused  # 0.01° on the mean sphere
    assert known(found.refused)


def test_without_an_own_position_only_a_single_line_is_believed() -> None:
    one, two = flight("A_Timestamp.MRK", 50.8), flight("B_Timestamp.MRK", 50.9)
    assert match_record("DJI_0002.JPG", None, [one]).record is one.records[2]
    refused = match_record("DJI_0002.JPG", None, [one, two])
    assert refused.record is None
    assert refused.refused is not None
    assert known(refused.refused)
    assert match_record("DJI_0009.JPG", None, [one, two]).refused is None


def photo(path: Path, **changes: object) -> Path:
    tags = {"lat_deg": AT[0], "lon_deg": AT[1], "alt_m": 93.5, **changes}
    return write_jpeg(path, noise(seed=int(path.stem[-1])), Tags(**tags))  # type: ignore[arg-type]


def test_photos_take_their_positions_from_the_log_beside_them(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        photo(tmp_path / f"DJI_000{number}.JPG")
    (tmp_path / "DJI_Timestamp.MRK").write_text("\n".join([line(1), line(2)]))
    assert [p.name for p in mrk_paths(tmp_path.glob("*.JPG"))] == ["DJI_Timestamp.MRK"]
    first, _, third = read_folder(tmp_path).photos
    assert first.position is not None
    assert third.position is not None
    assert first.position.source == "mrk"
    assert first.position.alt_ellipsoid_m == 137.683
    assert first.position.sigma_enu_m == (0.015310, 0.014053, 0.033480)
    assert first.position.lever_arm_ned_m == (0.024, -0.008, 0.184)
    assert third.position.source == "photo"
    assert third.position.alt_ellipsoid_m is None


def test_the_log_gives_a_position_to_photos_that_state_none_or_zero(tmp_path: Path) -> None:
    photo(tmp_path / "DJI_0001.JPG", lat_deg=None, lon_deg=None)
    photo(tmp_path / "DJI_0002.JPG", lat_deg=0.0, lon_deg=0.0)
    (tmp_path / "DJI_Timestamp.MRK").write_text("\n".join([line(1), line(2)]))
    for found in read_folder(tmp_path).photos:
        assert found.position is not None
        assert found.position.source == "mrk"
        assert found.findings == ()


def test_a_log_of_another_flight_is_named_and_the_photos_own_position_kept(tmp_path: Path) -> None:
    photo(tmp_path / "DJI_0001.JPG", lat_deg=50.9)
    (tmp_path / "DJI_Timestamp.MRK").write_text(LINE)
    (found,) = read_folder(tmp_path).photos
    assert found.position is not None
    assert found.position.lat_deg == pytest.approx(50.9)
    assert found.verdict == "warn"
    assert [f.code for f in found.findings] == ["other_log"]


def test_a_photo_whose_line_is_cut_off_says_so(tmp_path: Path) -> None:
    photo(tmp_path / "DJI_0002.JPG")
    (tmp_path / "DJI_Timestamp.MRK").write_bytes(f"{line(1)}\n{line(2)[:50]}".encode())
    (found,) = read_folder(tmp_path).photos
    assert "no readable line in DJI_Timestamp.MRK" in found.findings[0].message


def test_a_file_of_any_bytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.MRK"
    path.write_bytes(b"\xff\xfe\x00\n" + LINE.encode())
    assert list(read_mrk(path).records) == [1]


def test_logged_positions_survive_being_stored(tmp_path: Path) -> None:
    path = photo(tmp_path / "DJI_0001.JPG")
    (tmp_path / "DJI_Timestamp.MRK").write_text(LINE)
    found = read_folder(tmp_path)
    save_photos(found, tmp_path)
    assert load_photos(tmp_path, {path.name: path}) == found


def test_a_changed_log_makes_the_photos_be_read_again(tmp_path: Path) -> None:
    paths = {name: photo(tmp_path / name) for name in ("DJI_0001.JPG", "DJI_0002.JPG")}
    photos = SceneInput(paths, dict.fromkeys(paths, "0"))
    stage = next(s for s in STAGE_TABLE if s.name == "photos")
    without = stage.outside(photos, SceneParams())
    log = tmp_path / "DJI_Timestamp.MRK"
    log.write_text(line(1))
    first = stage.outside(photos, SceneParams())
    log.write_text(line(2))
    second = stage.outside(photos, SceneParams())
    assert set(first) == set(second) == {*without, "mrk:DJI_Timestamp.MRK"}
    assert first != second
