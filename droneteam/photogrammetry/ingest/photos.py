"""Photos as they come from the card: hash, EXIF, XMP, quality verdict.

Originals are read and hashed, never written.  Four heights exist and never mix: above the
ellipsoid (RTK), in the receiver's own datum, above take-off (barometer), and above ground, which
no photo states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from droneteam.errors import DecodeError, InputError
from droneteam.photogrammetry.ingest import imagefile, quality
from droneteam.photogrammetry.ingest.exif import Clock
from droneteam.photogrammetry.ingest.imagefile import Header
from droneteam.photogrammetry.ingest.lens import LensGuess, guess_lens
from droneteam.photogrammetry.ingest.mrk import MrkFile, match_record, mrk_paths, read_mrk
from droneteam.photogrammetry.ingest.photo_words import told
from droneteam.photogrammetry.ingest.quality import Finding, Quality
from droneteam.photogrammetry.ingest.shutter import movement_findings
from droneteam.photogrammetry.ingest.xmp import Attitude, RtkFix, XmpFields

Verdict = Literal["use", "warn", "skip"]
Progress = Callable[[str, float, str], None]

MIN_PHOTOS = 3
"""Two photos give depth but nothing that checks it: every point then has exactly two rays."""
HASH_BLOCK_BYTES = 1 << 20
READ_WORKERS = 2
GNSS_SIGMA_M = (3.0, 3.0, 6.0)
"""1-sigma of a consumer receiver's single-point fix (u-blox M8 data sheet, times its usual
vertical dilution), when the camera states none."""
RTK_FIXED_SIGMA_M = (0.02, 0.02, 0.03)
"""1-sigma of a fixed RTK solution (makers' data sheets), when the camera states none."""
RTK_FLOAT_SIGMA_M = (0.5, 0.5, 1.0)
NO_FIX_DEG = 1e-6
NO_FIX = Finding(
    "no_position", "states latitude 0°, longitude 0°: its receiver had no fix; position not used"
)


@dataclass(frozen=True, slots=True)
class PhotoPosition:
    """Where a photo says it was taken; a height that is not stated is None.

    source : "mrk" where the receiver's log beside the photos gave it.
    lever_arm_ned_m : from the antenna to the camera, as the log states it; it is already in the
    position.
    """

    lat_deg: float
    lon_deg: float
    alt_ellipsoid_m: float | None
    alt_receiver_m: float | None
    alt_home_m: float | None
    sigma_enu_m: tuple[float, float, float]
    rtk_fix: RtkFix
    source: Literal["photo", "mrk"] = "photo"
    lever_arm_ned_m: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """One original photo; width and height are of the upright image.

    taken_at is aware; with clock "unzoned" it is the camera's local clock read as UTC.
    """

    name: str
    path: Path
    sha256: str
    size_bytes: int
    width_px: int
    height_px: int
    format: str
    plain: bool
    make: str
    model: str
    serial: str
    taken_at: datetime | None
    clock: Clock
    exposure_s: float | None
    position: PhotoPosition | None
    gimbal: Attitude | None
    flight: Attitude | None
    velocity_ned_mps: tuple[float, float, float] | None
    lens: LensGuess
    verdict: Verdict = "use"
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PhotoProblem:
    """A file that is not used, why, and what to do about it."""

    name: str
    code: Literal["unreadable", "unsupported", "duplicate"]
    message: str


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """The usable photos of a folder, ordered by name, and the files that are not."""

    photos: tuple[Photo, ...]
    problems: tuple[PhotoProblem, ...]


def read_photo(path: Path, *, max_pixels: int = imagefile.MAX_PIXELS) -> Photo:
    """One photo with its quality judged on its own.

    Raises
    ------
    DecodeError
        Not an image, damaged or too large; names the file and says what to do.
    """
    photo, figures = _examine(path, path.name, max_pixels)
    return _with_findings(photo, photo.findings + quality.findings([figures])[0])


def read_folder(folder: Path, *, progress: Progress | None = None) -> PhotoSet:
    """Every photo of a folder (or of its subfolders, when it holds none itself).

    Raises
    ------
    InputError
        No such folder, or no photo in it; says what to do.
    """
    paths = find_photos(folder)
    return read_photos(paths, progress=progress)


def read_photos(paths: Sequence[Path], *, progress: Progress | None = None) -> PhotoSet:
    """The photos of these files; those that cannot be used become problems, not errors."""
    names = unique_names(paths)
    examined: list[tuple[Photo, Quality]] = []
    pairs = list(zip(paths, names, strict=True))
    raw = [name for path, name in pairs if path.suffix.lower() in imagefile.RAW_SUFFIXES]
    problems = [_unsupported(name) for name in raw]
    readable = [(path, name) for path, name in pairs if name not in raw]
    with ThreadPoolExecutor(READ_WORKERS) as pool:
        results = pool.map(lambda pair: _examine_or_problem(*pair), readable)
        for done, result in enumerate(results, start=1):
            if isinstance(result, PhotoProblem):
                problems.append(result)
            else:
                examined.append(result)
            if progress is not None:
                progress("photos", done / len(readable), readable[done - 1][1])
    kept, duplicates = _without_duplicates(examined)
    return PhotoSet(_judged(_with_mrk(kept)), tuple(problems + duplicates))


def require_enough(photos: PhotoSet) -> None:
    """Nothing, when a scene can be built.

    Raises
    ------
    InputError
        Fewer than three usable photos; lists the files that are not usable and says what to do.
    """
    count = sum(photo.verdict != "skip" for photo in photos.photos)
    if count >= MIN_PHOTOS:
        return
    reasons = [problem.message for problem in photos.problems]
    skipped = [photo for photo in photos.photos if photo.verdict == "skip"]
    found = [(photo.name, finding.message) for photo in skipped for finding in photo.findings]
    reasons += told(found, "{name} {what}")
    listing = "".join(f"\n  - {reason}" for reason in reasons)
    raise InputError(
        f"{count} usable photo{'' if count == 1 else 's'}, and a scene needs at least {MIN_PHOTOS} "
        "that overlap (60 % or more; 8 or more photos for a reliable result). Add photos of the "
        f"same scene and run again{':' if listing else '.'}{listing}",
        field="photos",
    )


def find_photos(folder: Path) -> list[Path]:
    """The image files of a folder, sorted; of its subfolders when it holds none itself.

    Raises
    ------
    InputError
        No such folder, or nothing in it that could be a photo.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; give the folder with the photos", field="photos"
        )
    wanted = imagefile.SUFFIXES | imagefile.RAW_SUFFIXES
    for candidates in (folder.glob("*"), _visible_below(folder)):
        paths = sorted(
            path
            for path in candidates
            if path.suffix.lower() in wanted and not path.name.startswith(".") and path.is_file()
        )
        if paths:
            return paths
    raise InputError(
        f"{folder} holds no photos (.jpg, .png or .tif); copy the photos from the drone's card "
        "into it, or give the folder that holds them",
        field="photos",
    )


def unique_names(paths: Sequence[Path]) -> list[str]:
    """File names; where two are equal, with as many parent folders as tell them apart."""
    names = [path.name for path in paths]
    depth = 1
    while len(set(names)) < len(names) and depth < max(len(p.parts) for p in paths):
        depth += 1
        taken = {name for name in names if names.count(name) > 1}
        names = [
            "_".join(path.parts[-depth:]) if name in taken else name
            for path, name in zip(paths, names, strict=True)
        ]
    if len(set(names)) < len(names):
        raise InputError("the same file is given twice", field="photos")
    return names


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _visible_below(folder: Path) -> Iterable[Path]:
    return (
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _examine_or_problem(path: Path, name: str) -> tuple[Photo, Quality] | PhotoProblem:
    try:
        return _examine(path, name, imagefile.MAX_PIXELS)
    except DecodeError as error:  # it names the file, which two folders may have
        return PhotoProblem(name, "unreadable", str(error).replace(path.name, name, 1))
    except PermissionError:
        return PhotoProblem(
            name, "unreadable", f"{name} may not be read; give your user permission to read it"
        )
    except OSError as error:  # a bad sector, a card pulled out
        return PhotoProblem(name, "unreadable", str(imagefile.damaged(name, error.strerror)))


def _examine(path: Path, name: str, max_pixels: int) -> tuple[Photo, Quality]:
    with path.open("rb") as file:  # the system says here what image libraries hide
        if not file.read(1):
            raise DecodeError(f"{path.name} is empty; copy it again from the card")
    header = imagefile.read_header(path, max_pixels=max_pixels)
    figures = quality.assess(imagefile.decode_gray(path, max_pixels=max_pixels))
    return _photo(path, name, header), figures


def _photo(path: Path, name: str, header: Header) -> Photo:
    exif, xmp = header.exif, header.xmp
    return Photo(
        name=name,
        path=path,
        sha256=file_sha256(path),
        size_bytes=path.stat().st_size,
        width_px=header.width_px,
        height_px=header.height_px,
        format=header.format,
        plain=header.plain,
        make=exif.make,
        model=exif.model,
        serial=exif.serial,
        taken_at=exif.taken_at,
        clock=exif.clock,
        exposure_s=exif.exposure_s,
        position=_position(header),
        gimbal=xmp.gimbal,
        flight=xmp.flight,
        velocity_ned_mps=xmp.velocity_ned_mps,
        lens=guess_lens(exif, xmp, header.width_px, header.height_px),
        findings=(NO_FIX,) if _no_fix(header) else (),
    )


def _no_fix(header: Header) -> bool:
    """Whether the position is the 0°, 0° that receivers write before their first fix."""
    lat_deg, lon_deg = header.exif.lat_deg, header.exif.lon_deg
    return lat_deg is not None and lon_deg is not None and abs(lat_deg) + abs(lon_deg) < NO_FIX_DEG


def _position(header: Header) -> PhotoPosition | None:
    """The stated position; none where there was no fix."""
    exif, xmp = header.exif, header.xmp
    if exif.lat_deg is None or exif.lon_deg is None or _no_fix(header):
        return None
    alt_ellipsoid_m = _first_stated(xmp.alt_ellipsoid_m, exif.alt_ellipsoid_m)
    receiver_m = _first_stated(exif.alt_receiver_m, xmp.alt_unknown_datum_m)
    return PhotoPosition(
        lat_deg=exif.lat_deg,
        lon_deg=exif.lon_deg,
        alt_ellipsoid_m=alt_ellipsoid_m,
        alt_receiver_m=None if alt_ellipsoid_m is not None else receiver_m,
        alt_home_m=xmp.alt_home_m,
        sigma_enu_m=_sigma_enu_m(xmp, exif.sigma_horizontal_m),
        rtk_fix=xmp.rtk_fix,
    )


def _with_mrk(examined: Sequence[tuple[Photo, Quality]]) -> list[tuple[Photo, Quality]]:
    """The photos with the positions of the receiver's log, where one lies beside them."""
    files = {path: read_mrk(path) for path in mrk_paths(photo.path for photo, _ in examined)}
    if not files:
        return list(examined)
    return [
        (_logged(photo, [f for path, f in files.items() if path.parent == photo.path.parent]), q)
        for photo, q in examined
    ]


def _logged(photo: Photo, files: Sequence[MrkFile]) -> Photo:
    own = photo.position
    at_deg = None if own is None else (own.lat_deg, own.lon_deg)
    found = match_record(photo.path.name, at_deg, files)
    if found.refused is not None:
        return replace(photo, findings=(*photo.findings, Finding("other_log", found.refused)))
    record = found.record
    if record is None or record.fix == "none":
        return photo
    position = PhotoPosition(
        lat_deg=record.lat_deg,
        lon_deg=record.lon_deg,
        alt_ellipsoid_m=record.alt_ellipsoid_m,
        alt_receiver_m=None,
        alt_home_m=None if own is None else own.alt_home_m,
        sigma_enu_m=record.sigma_enu_m or _sigma_of_fix(record.fix),
        rtk_fix=record.fix,
        source="mrk",
        lever_arm_ned_m=record.lever_arm_ned_m,
    )
    stated = tuple(finding for finding in photo.findings if finding is not NO_FIX)
    return replace(photo, position=position, findings=stated)


def _sigma_of_fix(fix: RtkFix) -> tuple[float, float, float]:
    """What is usual for a kind of fix."""
    if fix == "fixed":
        return RTK_FIXED_SIGMA_M
    return RTK_FLOAT_SIGMA_M if fix == "float" else GNSS_SIGMA_M


def _first_stated(first: float | None, second: float | None) -> float | None:
    return second if first is None else first


def _sigma_enu_m(xmp: XmpFields, horizontal_m: float | None) -> tuple[float, float, float]:
    """The stated standard deviations, else those usual for the kind of fix."""
    if xmp.sigma_enu_m is not None:
        return xmp.sigma_enu_m
    if xmp.rtk_fix in ("fixed", "float") or horizontal_m is None:
        return _sigma_of_fix(xmp.rtk_fix)
    return horizontal_m, horizontal_m, 2.0 * horizontal_m


def _without_duplicates(
    examined: Sequence[tuple[Photo, Quality]],
) -> tuple[list[tuple[Photo, Quality]], list[PhotoProblem]]:
    """Each content once; the later names of the same bytes become problems."""
    first: dict[str, Photo] = {}
    kept: list[tuple[Photo, Quality]] = []
    problems: list[PhotoProblem] = []
    for photo, figures in examined:
        original = first.setdefault(photo.sha256, photo)
        if original is photo:
            kept.append((photo, figures))
            continue
        message = f"{photo.name} is the same file as {original.name}; only one of them is used"
        problems.append(PhotoProblem(photo.name, "duplicate", message))
    return kept, problems


def _judged(examined: Sequence[tuple[Photo, Quality]]) -> tuple[Photo, ...]:
    over_set = quality.findings([figures for _, figures in examined])
    near = quality.near_duplicates([figures for _, figures in examined])
    some_placed = any(photo.position is not None for photo, _ in examined)
    judged = []
    for (photo, _), found, twin in zip(examined, over_set, near, strict=True):
        named = tuple(
            replace(finding, message=f"shows the same as {examined[twin][0].name}")
            if finding.code == "near_duplicate" and twin is not None
            else finding
            for finding in found
        )
        moved = _movement_findings(photo)
        found = photo.findings + named + moved + _position_findings(photo, some_placed)
        judged.append(_with_findings(photo, found))
    return tuple(judged)


def _position_findings(photo: Photo, some_placed: bool) -> tuple[Finding, ...]:
    """A gap among placed photos; a set without any position is said once, for the scene."""
    if photo.position is None and some_placed and NO_FIX not in photo.findings:
        return (Finding("no_position", "carries no usable GNSS position"),)
    return ()


def _movement_findings(photo: Photo) -> tuple[Finding, ...]:
    height_m = None if photo.position is None else photo.position.alt_home_m
    focal_px = photo.lens.camera.focal_px[0]
    velocity = photo.velocity_ned_mps
    return movement_findings(photo.model, velocity, height_m, focal_px, photo.exposure_s)


def _with_findings(photo: Photo, found: tuple[Finding, ...]) -> Photo:
    """A uniform photo is skipped; any other flaw only warns, because a gap harms more."""
    codes = {finding.code for finding in found}
    verdict: Verdict = "skip" if "flat" in codes else "warn" if codes - {"no_position"} else "use"
    return replace(photo, verdict=verdict, findings=found)


def _unsupported(name: str) -> PhotoProblem:
    return PhotoProblem(
        name,
        "unsupported",
        f"{name} is a raw or HEIF file, which is not read; export it as JPEG or 16-bit TIFF",
    )
