"""A photo of a street that repeats itself goes back to its receiver, if matches carry that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras.features import VerifiedPair
from droneteam.photogrammetry.cameras.misplaced import find_misplaced, misplaced_m
from droneteam.photogrammetry.cameras.reregister import reregistered
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup
from droneteam.photogrammetry.scene import SparseCloud, View
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import CAMERA, ORIGIN

STEP_M = 20.0
"""The street looks the same this far on."""
SCALE = 0.2
"""Of the reconstruction's own frame."""
LOST = 3
"""The photo that was placed one step too far east."""
RTK = (0.015, 0.015, 0.03)
GNSS = (1.5, 1.5, 3.0)


def street() -> tuple[list[np.ndarray], np.ndarray]:
    """Poses of three strips of ten along a street, and points whose second half repeats the first
    STEP_M further east."""
    rng = np.random.default_rng(5)
    poses = [
        networks.looking(np.array([4.0 * i, 5.0 * j, 20.0 + 0.4 * (i % 3)]), 0.0, -88.0 + j)
        for j in (-1, 0, 1)
        for i in range(10)
    ]
    first = rng.uniform([-6.0, -10.0, -0.5], [14.0, 10.0, 0.5], (600, 3))
    return poses, np.concatenate([first, first + [STEP_M, 0.0, 0.0]])


class Scene:
    """What structure from motion would hand over after it fell for the repetition.

    true_matches : how many points the lost photo shares with each of its true neighbours.
    """

    def __init__(self, true_matches: int, sigma_m: tuple[float, float, float] = RTK) -> None:
        poses, points = street()
        rng = np.random.default_rng(9)
        half = len(points) // 2
        views = [View(f"{i}.jpg", Path(f"{i}.jpg"), CAMERA, pose) for i, pose in enumerate(poses)]
        pixels = np.array([networks.project(v, points) for v in views])
        pixels += rng.normal(0.0, 0.3, pixels.shape)
        # The lost photo's tracks are those of the look-alikes: pixel of X, point X + STEP.
        seen_by = [np.flatnonzero(np.isfinite(p[:, 0])) for p in pixels]
        lost = [x for x in seen_by[LOST] if x < half]
        tracks: dict[int, list[tuple[int, np.ndarray]]] = {k: [] for k in range(len(points))}
        for i, seen in enumerate(seen_by):
            for k in seen if i != LOST else ():
                tracks[int(k)].append((i, pixels[i, k]))
        for k in lost:
            tracks[k + half].append((LOST, pixels[LOST, k]))
        long = [k for k, rows in tracks.items() if len(rows) >= 2]
        self.true_centre = views[LOST].centre_enu_m
        shifted = poses[LOST].copy()
        shifted[:, 3] = -shifted[:, :3] @ (self.true_centre + [STEP_M, 0.0, 0.0])
        placed = [replace(v, cam_from_enu=shifted) if i == LOST else v for i, v in enumerate(views)]
        self.group = SfmGroup(
            tuple(replace(v, cam_from_enu=_small(v.cam_from_enu)) for v in placed),
            SparseCloud(
                points_enu_m=SCALE * points[long],
                colors=np.full((len(long), 3), 128, np.uint8),
                track_offsets=np.cumsum([0] + [len(tracks[k]) for k in long]).astype(np.int64),
                track_views=np.array([i for k in long for i, _ in tracks[k]], np.int32),
                track_pixels=np.array([p for k in long for _, p in tracks[k]]),
            ),
            0.3, 0, 0, "incremental",
        )  # fmt: skip
        self.verified = [
            *self._pairs(pixels, seen_by, lambda k: k + half, 10_000),
            *self._pairs(pixels, seen_by, lambda k: k, true_matches),
        ]
        enu = EnuFrame(ORIGIN)
        at = [v.centre_enu_m + rng.normal(0.0, sigma_m) for v in views]
        self.photos = [
            PhotoInput(
                name=v.name, path=v.path, width_px=CAMERA.width_px, height_px=CAMERA.height_px,
                camera_key="c", position=GeoPoint(*map(float, enu.geodetic_from_enu(a))),
                position_sigma_m=sigma_m,
            )
            for v, a in zip(views, at, strict=True)
        ]  # fmt: skip

    def _pairs(self, pixels, seen_by, image_of, most: int) -> list[VerifiedPair]:
        """Matches of the lost photo with every other one, of each point with `image_of` it."""
        half = pixels.shape[1] // 2
        pairs = []
        for other in range(len(pixels)):
            if other == LOST:
                continue
            both = [k for k in seen_by[LOST] if k < half and image_of(k) in set(seen_by[other])]
            both = both[:most]
            if len(both) < 15:
                continue
            own = pixels[LOST, both]
            theirs = pixels[other, [image_of(k) for k in both]]
            ordered = (LOST, other, own, theirs) if other > LOST else (other, LOST, theirs, own)
            pairs.append(VerifiedPair(*ordered))
        return pairs

    def error_m(self, group: SfmGroup) -> float:
        """From the lost photo's centre to where it was taken."""
        view = next(v for v in group.views if v.name == f"{LOST}.jpg")
        return float(np.linalg.norm(view.centre_enu_m / SCALE - self.true_centre))


def _small(pose: np.ndarray) -> np.ndarray:
    return np.column_stack([pose[:, :3], SCALE * pose[:, 3]])


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(true_matches=40)


def test_the_scene_fools_the_pixels_and_not_the_receiver(scene: Scene) -> None:
    assert scene.error_m(scene.group) == pytest.approx(STEP_M)
    assert misplaced_m(scene.group.views, scene.photos) == {
        f"{LOST}.jpg": pytest.approx(STEP_M, abs=0.2)
    }


def test_the_photo_goes_back_to_where_it_was_taken(scene: Scene) -> None:
    group, notes = reregistered(scene.group, scene.photos, scene.verified)
    assert 0.0 < scene.error_m(group) < 0.05
    assert len(group.views) == len(scene.group.views)
    assert misplaced_m(group.views, scene.photos) == {}
    (note,) = notes
    assert known(note)
    assert note.startswith(f"{LOST}.jpg was first placed 20.0 m from where its receiver was")


def test_its_observations_move_to_the_tracks_it_really_sees(scene: Scene) -> None:
    group, _ = reregistered(scene.group, scene.photos, scene.verified)
    lost = next(i for i, v in enumerate(group.views) if v.name == f"{LOST}.jpg")
    cloud = group.sparse
    owner = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    rows = np.flatnonzero(cloud.track_views == lost)
    assert len(rows) >= 30
    assert len(np.unique(owner[rows])) == len(rows)
    view = replace(
        group.views[lost],
        cam_from_enu=np.column_stack(
            [group.views[lost].cam_from_enu[:, :3], group.views[lost].cam_from_enu[:, 3] / SCALE]
        ),
    )
    pixels = networks.project(view, cloud.points_enu_m[owner[rows]] / SCALE)
    assert np.nanmedian(np.linalg.norm(pixels - cloud.track_pixels[rows], axis=1)) < 1.0
    assert cloud.track_offsets[-1] == len(cloud.track_views) == len(cloud.track_pixels)
    assert (np.diff(cloud.track_offsets) >= 2).all()


def test_agreement_is_counted_anew(scene: Scene) -> None:
    group, _ = reregistered(scene.group, scene.photos, scene.verified)
    true = sum(len(p.pixels_first) for p in scene.verified if _is_true(p))
    assert group.verified_matches == sum(len(p.pixels_first) for p in scene.verified)
    assert true <= group.agreeing_matches < group.verified_matches


def _is_true(pair: VerifiedPair) -> bool:
    return len(pair.pixels_first) <= 40


def test_a_position_alone_makes_no_pose() -> None:
    lonely = Scene(true_matches=0)
    group, notes = reregistered(lonely.group, lonely.photos, lonely.verified)
    assert group is lonely.group
    assert notes == ()


def test_photos_in_their_places_are_left_alone(scene: Scene) -> None:
    right, _ = reregistered(scene.group, scene.photos, scene.verified)
    again, notes = reregistered(right, scene.photos, scene.verified)
    assert again is right
    assert notes == ()


def test_a_plain_receiver_finds_a_gross_misplacement_too() -> None:
    vague = Scene(true_matches=40, sigma_m=GNSS)
    assert list(misplaced_m(vague.group.views, vague.photos)) == [f"{LOST}.jpg"]
    group, _ = reregistered(vague.group, vague.photos, vague.verified)
    assert vague.error_m(group) < 0.05


@pytest.mark.parametrize("sigma_m", [RTK, GNSS, (5.0, 5.0, 10.0)])
@pytest.mark.parametrize("seed", range(5))
def test_noise_of_a_receiver_accuses_nobody(seed: int, sigma_m: tuple[float, float, float]) -> None:
    poses, _ = street()
    rng = np.random.default_rng(seed)
    enu = EnuFrame(ORIGIN)
    views = [View(f"{i}.jpg", Path(f"{i}.jpg"), CAMERA, _small(p)) for i, p in enumerate(poses)]
    photos = [
        PhotoInput(
            v.name, v.path, CAMERA.width_px, CAMERA.height_px, "c", position_sigma_m=sigma_m,
            position=GeoPoint(
                *map(float, enu.geodetic_from_enu(v.centre_enu_m / SCALE + rng.normal(0, sigma_m)))
            ),
        )
        for v in views
    ]  # fmt: skip
    assert find_misplaced(views, photos) == {}


def test_a_block_that_bends_accuses_nobody() -> None:
    poses, _ = street()
    enu = EnuFrame(ORIGIN)
    photos, views = [], []
    for i, pose in enumerate(poses):
        centre = -pose[:, :3].T @ pose[:, 3]
        bent = centre + [0.0, 0.0, 0.004 * (centre[0] - 18.0) ** 2]  # a metre at its ends
        shifted = np.column_stack([pose[:, :3], -pose[:, :3] @ bent])
        views.append(View(f"{i}.jpg", Path(f"{i}.jpg"), CAMERA, _small(shifted)))
        at = GeoPoint(*map(float, enu.geodetic_from_enu(centre)))
        photos.append(
            PhotoInput(f"{i}.jpg", Path(f"{i}.jpg"), CAMERA.width_px, CAMERA.height_px, "c",
                       position=at, position_sigma_m=RTK)
        )  # fmt: skip
    assert find_misplaced(views, photos) == {}


def test_a_receiver_that_jumped_out_of_the_scene_is_wrong_itself(scene: Scene) -> None:
    right, _ = reregistered(scene.group, scene.photos, scene.verified)
    photos = list(scene.photos)
    at = photos[7].position
    assert at is not None
    photos[7] = replace(photos[7], position=replace(at, lat_deg=at.lat_deg + 0.002))  # 220 m
    assert misplaced_m(right.views, photos) == {}
