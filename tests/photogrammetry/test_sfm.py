"""Structure from motion on painted photos of exactly known geometry."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras import features, mapping, sfm
from droneteam.photogrammetry.cameras.georef import fit_similarity
from droneteam.photogrammetry.cameras.sfm import PhotoInput, SfmGroup, SfmParams, SfmResult
from droneteam.photogrammetry.cameras.sfm_files import load_sfm, save_sfm
from droneteam.photogrammetry.scene import Camera
from tests.photogrammetry import networks, painted

PARAMS = SfmParams(threads=1, max_features=2500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def photos(folder: Path) -> list[PhotoInput]:
    return painted.photograph(folder, painted.shots(), seed=1)


@pytest.fixture(scope="module")
def result(photos: list[PhotoInput], folder: Path) -> SfmResult:
    return sfm.reconstruct(photos, folder / "work", PARAMS)


def centre_rms(group: SfmGroup, taken: list[painted.Shot]) -> float:
    """Metres between true and found centres after a similarity."""
    true = {s.name: -s.pose[:, :3].T @ s.pose[:, 3] for s in taken}
    found = np.array([v.centre_enu_m for v in group.views])
    target = np.array([true[v.name] for v in group.views])
    error = fit_similarity(found, target).points(found) - target
    return float(np.sqrt((error**2).sum(axis=1).mean()))


def test_all_photos_are_oriented_to_a_fraction_of_a_pixel(result: SfmResult) -> None:
    (group,) = result.groups
    assert len(group.views) == 6
    assert result.unregistered == ()
    # 14 m / 560 px = 25 mm on the ground per pixel
    assert centre_rms(group, painted.shots()) < 0.02
    assert 0.02 < group.reprojection_px < 1.0
    assert group.agreeing_matches > 0.95 * group.verified_matches


def test_no_photo_gives_more_features_than_asked_and_the_largest_are_kept() -> None:
    """COLMAP alone returns twice as many here; matching would take four times as long."""
    rng = np.random.default_rng(0)
    blobs = cv2.GaussianBlur(rng.integers(0, 256, (500, 640)).astype(np.uint8), (0, 0), 1.5)
    image = np.asarray(cv2.normalize(blobs, None, 0, 255, cv2.NORM_MINMAX), dtype=np.uint8)
    many, _ = features.describe(image, SfmParams(max_features=8192))
    few, descriptors = features.describe(image, SfmParams(max_features=500))
    assert len(many) == features.MIN_FEATURES
    assert few.shape == (500, 4)
    assert descriptors.shape == (500, 128)
    assert np.sort(few[:, 2])[0] >= np.sort(many[:, 2])[-500]


def test_a_given_calibration_is_held(result: SfmResult) -> None:
    assert all(v.camera == painted.CAMERA for v in result.groups[0].views)
    assert len(result.calibrated) == 6


def test_tracks_hold_what_the_cameras_see(result: SfmResult) -> None:
    group = result.groups[0]
    cloud = group.sparse
    assert len(cloud.points_enu_m) > 300
    owner = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    for index, view in enumerate(group.views):
        rows = cloud.track_views == index
        pixels = networks.project(view, cloud.points_enu_m[owner[rows]])
        assert np.median(np.linalg.norm(pixels - cloud.track_pixels[rows], axis=1)) < 0.6
    assert len(np.unique(cloud.colors[:, 0])) > 20


def test_a_second_run_finds_features_and_matches_again(
    result: SfmResult, photos: list[PhotoInput], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("described again")

    monkeypatch.setattr(features, "_describe_file", refuse)
    before = matches_in(folder / "work" / "features.db")
    again = sfm.reconstruct(photos, folder / "work", PARAMS)
    assert matches_in(folder / "work" / "features.db") == before
    assert len(again.groups[0].views) == 6


def matches_in(path: Path) -> int:
    with sqlite3.connect(path) as database:
        return int(database.execute("SELECT COUNT(*) FROM matches").fetchone()[0])


def test_a_killed_run_resumes_at_the_photo_where_it_stopped(
    photos: list[PhotoInput], tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(_: str, __: float, message: str) -> None:
        if message == "features 3/6":
            raise Killed

    with pytest.raises(Killed):
        sfm.reconstruct(photos, tmp_path, PARAMS, kill)
    messages: list[str] = []
    store = features.open_database(photos, tmp_path, PARAMS)
    features.extract(photos, store, PARAMS, lambda _, __, message: messages.append(message))
    assert messages == ["features 4/6", "features 5/6", "features 6/6"]


def test_other_settings_start_anew(photos: list[PhotoInput], tmp_path: Path) -> None:
    store = features.open_database(photos[:2], tmp_path, PARAMS)
    features.extract(photos[:2], store, PARAMS, quiet)
    assert min(features.keypoint_counts(store)) > 0
    other = replace(PARAMS, max_features=500)
    assert features.keypoint_counts(features.open_database(photos[:2], tmp_path, other)) == [0, 0]


def quiet(*_: object) -> None:
    """No progress."""


def test_two_scenes_are_reported_apart_and_never_forced_together(
    photos: list[PhotoInput], tmp_path: Path
) -> None:
    elsewhere = painted.photograph(
        tmp_path, painted.shots(5, 500.0, "other"), seed=50, centre_m=500.0
    )
    result = sfm.reconstruct([*photos, *elsewhere], tmp_path / "work", PARAMS)
    names = [{v.name.split()[0] for v in group.views} for group in result.groups]
    assert names == [{"photo"}, {"other"}]
    assert [len(group.views) for group in result.groups] == [6, 5]


def test_photos_that_cannot_be_placed_say_why(photos: list[PhotoInput], tmp_path: Path) -> None:
    blank, broken, foreign = tmp_path / "blank.png", tmp_path / "broken.png", tmp_path / "else.png"
    cv2.imwrite(str(blank), np.full((480, 640), 128, np.uint8))
    broken.write_bytes(b"\x89PNG and nothing more")
    cv2.imwrite(str(foreign), painted.render(painted.shots()[0], 99))
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), np.zeros((100, 100), np.uint8))
    more = [
        replace(photos[0], name=path.name, path=path) for path in (blank, broken, foreign, small)
    ]
    result = sfm.reconstruct([*photos, *more], tmp_path / "work", PARAMS)
    why = dict(result.unregistered)
    assert len(result.groups[0].views) == 6
    assert "features found" in why["blank.png"]
    assert "cannot be read" in why["broken.png"]
    assert "shares no view" in why["else.png"]
    assert "100×100" in why["small.png"]


def test_self_calibration_finds_the_focal_length(photos: list[PhotoInput], tmp_path: Path) -> None:
    free = [replace(p, known_camera=None) for p in photos]
    result = sfm.reconstruct(free, tmp_path, PARAMS)
    camera = result.groups[0].views[0].camera
    assert camera.model == "SIMPLE_RADIAL"
    assert camera.focal_px[0] == pytest.approx(560.0, rel=0.03)
    assert result.calibrated == frozenset()


def test_the_fast_detector_orients_them_too(photos: list[PhotoInput], tmp_path: Path) -> None:
    result = sfm.reconstruct(photos, tmp_path, replace(PARAMS, detector="opencv"))
    assert len(result.groups[0].views) == 6
    assert centre_rms(result.groups[0], painted.shots()) < 0.05


def test_both_mappers_agree(result: SfmResult, photos: list[PhotoInput], folder: Path) -> None:
    store = features.open_database(photos, folder / "work", PARAMS)
    verified = features.verified_pairs(store, PARAMS.min_matches)
    models = mapping.global_models(photos, store, PARAMS)
    (group,) = mapping.groups_from_models(models, photos, store, verified, "global")
    assert group.mapper == "global"
    assert centre_rms(group, painted.shots()) < 0.03


def test_large_sets_are_mapped_globally_first(
    result: SfmResult, photos: list[PhotoInput], folder: Path
) -> None:
    few = replace(PARAMS, incremental_up_to=5, second_opinion_below=0.5)
    large = sfm.reconstruct(photos, folder / "work", few)
    assert large.groups[0].mapper == "global"
    assert result.groups[0].mapper == "incremental"
    assert centre_rms(large.groups[0], painted.shots()) < 0.03


def test_a_second_opinion_is_kept_only_where_it_explains_more(
    photos: list[PhotoInput], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def weaker(*args: object) -> list[SfmGroup]:
        asked.append("global")
        return []

    monkeypatch.setattr(sfm, "_global", weaker)
    doubting = replace(PARAMS, second_opinion_below=1.1)
    kept = sfm.reconstruct(photos, folder / "work", doubting)
    assert asked == ["global"]
    assert kept.groups[0].mapper == "incremental"


def test_a_result_survives_being_stored(result: SfmResult, folder: Path, tmp_path: Path) -> None:
    told = replace(result, notes=("a note",))
    save_sfm(told, tmp_path)
    again = load_sfm(tmp_path, {v.name: v.path for v in result.groups[0].views})
    assert again.notes == ("a note",)
    assert again.calibrated == result.calibrated
    assert again.unregistered == result.unregistered
    first, second = result.groups[0], again.groups[0]
    np.testing.assert_array_equal(first.sparse.track_pixels, second.sparse.track_pixels)
    for a, b in zip(first.views, second.views, strict=True):
        assert (a.name, a.path, a.camera) == (b.name, b.path, b.camera)
        np.testing.assert_array_equal(a.cam_from_enu, b.cam_from_enu)


def test_agreement_falls_when_a_camera_is_wrong(
    result: SfmResult, photos: list[PhotoInput], folder: Path
) -> None:
    store = features.open_database(photos, folder / "work", PARAMS)
    verified = features.verified_pairs(store, PARAMS.min_matches)
    by_name = {p.name: i for i, p in enumerate(photos)}
    views = {by_name[v.name]: v for v in result.groups[0].views}
    good, total = mapping.agreement(views, verified)
    wrong = replace(views[0], cam_from_enu=views[0].cam_from_enu + [[0, 0, 0, 0.3]] * 3)
    worse, same_total = mapping.agreement({**views, 0: wrong}, verified)
    assert same_total == total
    assert worse < good - 0.1 * total


def test_two_photos_of_one_name_are_refused(photos: list[PhotoInput], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two photos are called"):
        sfm.reconstruct([photos[0], photos[0]], tmp_path, PARAMS)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_photos_are_a_result_not_a_crash(
    photos: list[PhotoInput], tmp_path: Path, n: int
) -> None:
    result = sfm.reconstruct(photos[:n], tmp_path, PARAMS)
    assert result.groups == ()
    assert len(result.unregistered) == n


def test_a_calibration_of_another_size_is_refused(photos: list[PhotoInput]) -> None:
    other = Camera("PINHOLE", 100, 100, (100.0, 100.0, 50.0, 50.0))
    with pytest.raises(InputError, match="640×480"):
        replace(photos[0], known_camera=other)


@pytest.mark.slow
def test_worker_processes_find_the_same_features(photos: list[PhotoInput], tmp_path: Path) -> None:
    counts = []
    for threads in (1, 2):
        params = replace(PARAMS, threads=threads)
        store = features.open_database(photos, tmp_path / str(threads), params)
        features.extract(photos, store, params, quiet)
        counts.append(features.keypoint_counts(store))
    assert counts[0] == counts[1]


def test_a_cancel_during_mapping_arrives_as_it_was_raised(
    result: SfmResult, photos: list[PhotoInput], folder: Path
) -> None:
    """Through the mapper's own C++ and back; the next run finds features and matches again."""

    class Stopped(Exception):
        pass

    def stop(_: str, __: float, message: str) -> None:
        if message == "mapping 3 photos":
            raise Stopped

    with pytest.raises(Stopped):
        sfm.reconstruct(photos, folder / "work", PARAMS, stop)
    again = sfm.reconstruct(photos, folder / "work", PARAMS)
    assert len(again.groups[0].views) == len(result.groups[0].views)
