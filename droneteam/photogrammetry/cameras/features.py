"""Features and verified matches in a COLMAP database: the part of the mapping that is resumable.

Photos are read one by one and described in worker processes (the extractor holds Python's lock),
so that memory stays at about 1 GB per process whatever their number.  A photo whose features and
a pair whose matches are already in the database are not done again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras.match_pairs import Pair
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, Progress, SfmParams
from droneteam.photogrammetry.executor import Executor, LocalExecutor

DEFAULT_FOCAL_FACTOR = 1.2
"""Focal length over the long side when nothing is known (COLMAP's default)."""
EXTRACTOR_BYTES = 1_200_000_000
"""What finding features takes in a photo of 3200 pixels (measured)."""
FEATURES_PER_PIXEL = 2000e-6
MIN_FEATURES = 2000
PAIRS_PER_CALL = 25
"""How many pairs are matched between two progress reports."""

Features = tuple[NDArray[np.float32], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class FeatureDatabase:
    """A database file and the ids of its images, in the order of the photos."""

    path: Path
    image_ids: tuple[int, ...]
    camera_ids: tuple[int, ...]
    """Per photo."""


def open_database(
    photos: Sequence[PhotoInput], workdir: Path, params: SfmParams
) -> FeatureDatabase:
    """The database of these photos, new unless one for the same photos and settings is there."""
    quiet()
    workdir.mkdir(parents=True, exist_ok=True)
    path, key_path = workdir / "features.db", workdir / "features.key"
    key = _database_key(photos, params)
    if not (path.exists() and key_path.exists() and key_path.read_text() == key):
        key_path.unlink(missing_ok=True)
        for leftover in workdir.glob("features.db*"):
            leftover.unlink()
        _write_cameras_and_images(photos, path)
        key_path.write_text(key)
    return _read_ids(photos, path)


def _database_key(photos: Sequence[PhotoInput], params: SfmParams) -> str:
    """A digest of what features and matches depend on."""
    facts: list[Any] = [params.detector, params.max_features, params.max_image_px, params.seed]
    for photo in photos:
        stat = photo.path.stat()
        known = photo.known_camera
        calibration = None if known is None else (known.model, known.params)
        size = (photo.width_px, photo.height_px, stat.st_size, stat.st_mtime_ns)
        facts.append(
            (photo.name, str(photo.path), size, photo.camera_key, photo.focal_prior_px, calibration)
        )
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _write_cameras_and_images(photos: Sequence[PhotoInput], path: Path) -> None:
    camera_of: dict[tuple[object, ...], tuple[int, int]] = {}
    with pycolmap.Database.open(str(path)) as database:
        for index, photo in enumerate(photos):
            key = (photo.camera_key, photo.width_px, photo.height_px, photo.known_camera)
            if key not in camera_of:
                camera_id = database.write_camera(_start_camera(photo))
                rig = pycolmap.Rig()
                rig.add_ref_sensor(_sensor(camera_id))
                camera_of[key] = (camera_id, database.write_rig(rig))
            camera_id, rig_id = camera_of[key]
            image = pycolmap.Image(name=image_name(index), camera_id=camera_id)
            image_id = database.write_image(image)
            frame = pycolmap.Frame()
            frame.rig_id = rig_id
            frame.add_data_id(pycolmap.data_t(sensor_id=_sensor(camera_id), id=image_id))
            database.write_frame(frame)


def image_name(index: int) -> str:
    """A photo's name inside the database; a pair list cannot carry names with spaces."""
    return f"{index:06d}"


def _sensor(camera_id: int) -> Any:
    return pycolmap.sensor_t(type=pycolmap.SensorType.CAMERA, id=camera_id)


def _start_camera(photo: PhotoInput) -> Any:
    known = photo.known_camera
    if known is not None:
        camera = pycolmap.Camera(
            model=known.model, width=known.width_px, height=known.height_px, params=known.params
        )
        camera.has_prior_focal_length = True
        return camera
    long_side = max(photo.width_px, photo.height_px)
    focal = photo.focal_prior_px or DEFAULT_FOCAL_FACTOR * long_side
    camera = pycolmap.Camera(
        model="SIMPLE_RADIAL",
        width=photo.width_px,
        height=photo.height_px,
        params=[focal, photo.width_px / 2.0, photo.height_px / 2.0, 0.0],
    )
    camera.has_prior_focal_length = photo.focal_prior_px is not None
    return camera


def _read_ids(photos: Sequence[PhotoInput], path: Path) -> FeatureDatabase:
    with pycolmap.Database.open(str(path)) as database:
        images = [database.read_image_with_name(image_name(index)) for index in range(len(photos))]
    found = [image for image in images if image is not None]
    return FeatureDatabase(
        path, tuple(i.image_id for i in found), tuple(i.camera_id for i in found)
    )


def extract(
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    params: SfmParams,
    progress: Progress,
    executor: Executor | None = None,
) -> dict[str, str]:
    """Features of every photo into the database; returns the photos that could not be read."""
    executor = executor or LocalExecutor(params.threads)
    with pycolmap.Database.open(str(store.path)) as database:
        todo = [
            (photo, image_id)
            for photo, image_id in zip(photos, store.image_ids, strict=True)
            if not (database.exists_keypoints(image_id) and database.exists_descriptors(image_id))
        ]
        done = len(photos) - len(todo)
        failures: dict[str, str] = {}
        for (photo, image_id), found in zip(
            todo, _described([p for p, _ in todo], params, executor), strict=True
        ):
            if isinstance(found, str):
                failures[photo.name] = found
            else:
                _store(database, image_id, found)
            done += 1
            progress("sfm", 0.45 * done / len(photos), f"features {done}/{len(photos)}")
    return failures


def _store(database: Any, image_id: int, found: Features) -> None:
    """Keypoints, then descriptors: a photo counts as done when both are there.

    No DatabaseTransaction: it ends in a destructor, and where the disk takes no more its error
    there ends the whole process with a stack trace (pycolmap 4.2).
    """
    keypoints, descriptors = found
    typed = pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, descriptors)
    if not database.exists_keypoints(image_id):  # a killed run's are the same
        database.write_keypoints(image_id, keypoints)
    database.write_descriptors(image_id, typed)


def _described(
    photos: Sequence[PhotoInput], params: SfmParams, executor: Executor
) -> Iterator[Features | str]:
    """Features of each photo in order, or what is wrong with it."""
    files = [(str(p.path), (p.width_px, p.height_px)) for p in photos]
    return executor.map(_describe_file, params, files, holds_lock=True, unit_bytes=EXTRACTOR_BYTES)


def quiet() -> None:
    """Keeps COLMAP's information lines out of standard error."""
    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR.value)


def _describe_file(params: SfmParams, file: tuple[str, tuple[int, int]]) -> Features | str:
    quiet()
    path, size = file
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        return "the file cannot be read as an image"
    if image.shape[::-1] != size:
        return f"has {image.shape[1]}×{image.shape[0]} pixels where {size[0]}×{size[1]} were stated"
    return describe(np.asarray(image, dtype=np.uint8), params)


def describe(image: NDArray[np.uint8], params: SfmParams) -> Features:
    """Keypoints (n, 4: x, y, scale, orientation; COLMAP's pixels) and descriptors (n, 128)."""
    scale = min(1.0, params.max_image_px / max(image.shape))
    small = image
    if scale < 1.0:
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    find = _colmap_sift if params.detector == "colmap" else _opencv_sift
    keypoints, descriptors = find(small, _feature_limit(small, params.max_features))
    factors = np.array(image.shape[::-1]) / np.array(small.shape[::-1])
    keypoints[:, :2] *= factors
    keypoints[:, 2] *= factors.mean()
    return keypoints.astype(np.float32), descriptors


def _feature_limit(image: NDArray[np.uint8], max_features: int) -> int:
    """How many features a photo of that size may give.

    Matching costs the square of their number; a small photo with as many features as a large one
    spends it on its faintest ones.
    """
    by_size = round(image.size * FEATURES_PER_PIXEL)
    return min(max_features, max(MIN_FEATURES, by_size))


def _colmap_sift(image: NDArray[np.uint8], max_features: int) -> Features:
    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu = False
    options.num_threads = 1
    options.sift.first_octave = 0
    options.sift.max_num_features = max_features
    extractor = pycolmap.FeatureExtractor.create(options)
    keypoints, descriptors = extractor.extract_from_uint8_array(image)
    matrix = np.array(pycolmap.keypoints_to_matrix(keypoints), dtype=np.float32).reshape(-1, 4)
    return _largest(
        matrix, np.array(descriptors.data, dtype=np.uint8).reshape(-1, 128), max_features
    )


def _largest(keypoints: NDArray[np.float32], descriptors: NDArray[np.uint8], most: int) -> Features:
    """At most so many features, those of the largest scale, in the order in which they were.

    COLMAP applies its own limit to whole levels of the pyramid and returns up to 1.6 times as many,
    for which matching would pay 2.6 times as much.
    """
    kept = np.sort(np.argsort(-keypoints[:, 2], kind="stable")[:most])
    return keypoints[kept], descriptors[kept]


def _opencv_sift(image: NDArray[np.uint8], max_features: int) -> Features:
    """OpenCV's SIFT without its doubled first octave, as RootSIFT bytes like COLMAP's.

    RootSIFT: Arandjelović & Zisserman, CVPR 2012; the scale 512 is COLMAP's.
    """
    sift = cv2.SIFT.create(nfeatures=max_features, contrastThreshold=0.02)
    found, raw = sift.detectAndCompute(image, None)
    if not found:
        return np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8)
    rows = [(k.pt[0] + 0.5, k.pt[1] + 0.5, k.size / 2.0, np.radians(k.angle)) for k in found]
    root = np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-12))
    return np.array(rows, np.float32), np.clip(np.round(512.0 * root), 0, 255).astype(np.uint8)


def match(
    store: FeatureDatabase,
    pairs: Sequence[Pair],
    params: SfmParams,
    progress: Progress,
) -> None:
    """Matches of the pairs, verified by their epipolar geometry, into the database."""
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu = False
    matching.num_threads = params.threads
    verification = pycolmap.TwoViewGeometryOptions()
    verification.min_num_inliers = params.min_matches
    verification.ransac.random_seed = params.seed
    listing = store.path.with_suffix(".pairs")
    for start in range(0, len(pairs), PAIRS_PER_CALL):
        chunk = pairs[start : start + PAIRS_PER_CALL]
        listing.write_text("".join(f"{image_name(i)} {image_name(j)}\n" for i, j in chunk))
        pairing = pycolmap.ImportedPairingOptions()
        pairing.match_list_path = listing
        pycolmap.match_image_pairs(
            str(store.path),
            matching_options=matching,
            pairing_options=pairing,
            verification_options=verification,
        )
        done = start + len(chunk)
        progress("sfm", 0.45 + 0.25 * done / len(pairs), f"matching {done}/{len(pairs)} pairs")
    listing.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedPair:
    """Matched pixels of two photos that fit one epipolar geometry; (n, 2) each."""

    first: int
    second: int
    pixels_first: NDArray[np.float64]
    pixels_second: NDArray[np.float64]


def verified_pairs(store: FeatureDatabase, min_matches: int) -> list[VerifiedPair]:
    """Every verified pair with at least that many matches; indices are into the photos."""
    index_of = {image_id: index for index, image_id in enumerate(store.image_ids)}
    result = []
    with pycolmap.Database.open(str(store.path)) as database:
        keypoints = [database.read_keypoints(i)[:, :2].astype(float) for i in store.image_ids]
        pair_ids, geometries = database.read_two_view_geometries()
    for pair_id, geometry in zip(pair_ids, geometries, strict=True):
        matches = geometry.inlier_matches
        if len(matches) < min_matches:
            continue
        first, second = (index_of[i] for i in pycolmap.pair_id_to_image_pair(pair_id))
        result.append(
            VerifiedPair(
                first, second, keypoints[first][matches[:, 0]], keypoints[second][matches[:, 1]]
            )
        )
    return result


def keypoint_counts(store: FeatureDatabase) -> list[int]:
    """How many features each photo has."""
    with pycolmap.Database.open(str(store.path)) as database:
        return [int(database.num_keypoints_for_image(i)) for i in store.image_ids]
