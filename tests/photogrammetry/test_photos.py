"""Photos: fields that never mix, damaged files that are named, verdicts."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from droneteam.errors import DecodeError, InputError
from droneteam.photogrammetry.cameras.placement import choose_heights, sfm_inputs
from droneteam.photogrammetry.ingest import imagefile, quality
from droneteam.photogrammetry.ingest.photo_files import (
    load_photos,
    save_photos,
    working_paths,
    write_working_copy,
)
from droneteam.photogrammetry.ingest.photos import (
    PhotoSet,
    find_photos,
    read_folder,
    read_photo,
    require_enough,
    unique_names,
)
from droneteam.photogrammetry.ingest.xmp import XmpFields, parse_xmp
from tests.photogrammetry.pictures import (
    Tags,
    noise,
    png_that_claims,
    write_jpeg,
    xmp_packet,
)

AT = datetime(2026, 5, 4, 10, 30, 15, 250_000, tzinfo=UTC)
RTK = {
    "AltitudeType": "RtkAlt",
    "AbsoluteAltitude": "+137.250",
    "RelativeAltitude": "+35.100",
    "GimbalYawDegree": "-170.10",
    "GimbalPitchDegree": "-89.90",
    "GimbalRollDegree": "+0.00",
    "RtkFlag": "50",
    "RtkStdLon": "0.011",
    "RtkStdLat": "0.012",
    "RtkStdHgt": "0.021",
}


def placed(path: Path, **changes: object) -> Path:
    tags = {"lat_deg": 50.8197, "lon_deg": 4.3908, "alt_m": 93.5, "taken_at": AT, **changes}
    seed = int(hashlib.sha256(path.name.encode()).hexdigest()[:6], 16)
    return write_jpeg(path, noise(seed=seed), Tags(**tags))  # type: ignore[arg-type]


# --- fields -----------------------------------------------------------------------------------


def test_the_heights_of_an_rtk_photo_are_three_different_fields(tmp_path: Path) -> None:
    photo = read_photo(placed(tmp_path / "a.jpg", xmp=RTK))
    assert photo.position is not None
    assert photo.position.alt_ellipsoid_m == 137.25
    assert photo.position.alt_home_m == 35.1
    assert photo.position.alt_receiver_m is None, "an ellipsoidal height leaves nothing to guess"
    assert photo.position.sigma_enu_m == (0.011, 0.012, 0.021)
    assert photo.position.rtk_fix == "fixed"


def test_a_consumer_photo_has_no_ellipsoidal_height(tmp_path: Path) -> None:
    xmp = {"AbsoluteAltitude": "+94.10", "RelativeAltitude": "+35.10"}
    photo = read_photo(placed(tmp_path / "a.jpg", xmp=xmp))
    assert photo.position is not None
    assert photo.position.alt_ellipsoid_m is None
    assert photo.position.alt_receiver_m == pytest.approx(93.5), "EXIF comes before XMP"
    assert photo.position.sigma_enu_m[0] >= 1.0


@pytest.mark.parametrize(
    ("alt_ref", "receiver_m", "ellipsoid_m"),
    [(b"\x00", 93.5, None), (b"\x01", -93.5, None), (b"\x02", None, 93.5), (b"\x03", None, -93.5)],
)
def test_the_altitude_reference_decides_sign_and_datum(
    tmp_path: Path, alt_ref: bytes, receiver_m: float | None, ellipsoid_m: float | None
) -> None:
    photo = read_photo(placed(tmp_path / "a.jpg", alt_ref=alt_ref))
    assert photo.position is not None
    assert photo.position.alt_receiver_m == receiver_m
    assert photo.position.alt_ellipsoid_m == ellipsoid_m


def test_southern_and_western_positions_are_negative(tmp_path: Path) -> None:
    photo = read_photo(placed(tmp_path / "a.jpg", lat_deg=-33.8568, lon_deg=-70.6483))
    assert photo.position is not None
    assert photo.position.lat_deg == pytest.approx(-33.8568, abs=1e-9)
    assert photo.position.lon_deg == pytest.approx(-70.6483, abs=1e-9)


def test_a_position_of_zero_zero_is_no_position(tmp_path: Path) -> None:
    placed(tmp_path / "a.jpg", lat_deg=0.0, lon_deg=0.0)
    placed(tmp_path / "b.jpg")
    photo = read_folder(tmp_path).photos[0]
    assert photo.position is None
    assert [finding.code for finding in photo.findings] == ["no_position"]


def test_a_stated_offset_gives_utc_and_a_bare_clock_says_so(tmp_path: Path) -> None:
    zoned = read_photo(placed(tmp_path / "a.jpg", offset="+02:00"))
    bare = read_photo(placed(tmp_path / "b.jpg"))
    assert zoned.taken_at == datetime(2026, 5, 4, 8, 30, 15, 250_000, tzinfo=UTC)
    assert zoned.clock == "offset"
    assert bare.taken_at == AT
    assert bare.clock == "unzoned"


def test_xmp_padded_with_nuls_reads_as_without() -> None:
    plain = parse_xmp(xmp_packet(RTK))
    padded = parse_xmp(xmp_packet(RTK, pad=b"\x00" * 4000).replace(b"=", b"=\x00"))
    assert padded == plain
    assert plain.gimbal is not None
    assert plain.gimbal.yaw_deg == -170.1


def test_xmp_elements_read_as_attributes_do() -> None:
    packet = b"<drone-dji:RelativeAltitude>+12.5</drone-dji:RelativeAltitude>"
    assert parse_xmp(packet).alt_home_m == 12.5


def test_xmp_cut_in_the_middle_gives_what_came_before_the_cut() -> None:
    packet = xmp_packet(RTK)
    cut = parse_xmp(packet[: packet.index(b"GimbalPitch")])
    assert cut.alt_ellipsoid_m == 137.25
    assert cut.gimbal is None


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_parse_as_xmp(packet: bytes) -> None:
    assert isinstance(parse_xmp(packet), XmpFields)


@settings(deadline=None)
@given(st.text(alphabet='drone-dji:AbsoluteRtkFlag=" +0123456789.einfa', max_size=120))
def test_near_misses_parse_as_xmp(text: str) -> None:
    fields = parse_xmp(text)
    assert fields.alt_ellipsoid_m is None or np.isfinite(fields.alt_ellipsoid_m)


def test_dewarp_data_gives_focal_length_and_centre(tmp_path: Path) -> None:
    data = "2022-06-08;3713.29,3713.29,7.02,-8.72,-0.11,0.015,-0.0003,0.0001,-0.04"
    lens = read_photo(placed(tmp_path / "a.jpg", xmp={"DewarpData": data})).lens
    assert lens.source == "dewarp"
    assert lens.camera.focal_px == (3713.29, 3713.29)
    assert lens.camera.principal_px == (160 + 7.02, 120 - 8.72)
    assert lens.camera.distortion.tolist()[:5] == [-0.11, 0.015, -0.0003, 0.0001, -0.04]


@pytest.mark.parametrize(
    ("tags", "source", "focal_px"),
    [
        ({"model": "FC300S", "focal_mm": 3.61, "focal_35mm": 20}, "sensor", 3.61 / 6.25 * 320),
        ({"model": "unknown", "focal_35mm": 24}, "exif_35mm", 24 / 34.61 * 320),
        ({"model": "unknown"}, "assumed", 0.85 * 320),
    ],
)
def test_the_focal_length_comes_from_the_best_source_there_is(
    tmp_path: Path, tags: dict[str, object], source: str, focal_px: float
) -> None:
    lens = read_photo(placed(tmp_path / "a.jpg", **tags)).lens
    assert lens.source == source
    assert lens.camera.focal_px[0] == pytest.approx(focal_px, rel=1e-3)


# --- damaged and hostile files ----------------------------------------------------------------


def test_a_truncated_jpeg_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        placed(tmp_path / f"{name}.jpg")
    whole = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    found = read_folder(tmp_path)
    assert [photo.name for photo in found.photos] == ["a.jpg", "c.jpg"]
    assert len(found.problems) == 1
    assert "b.jpg is damaged or cut off" in found.problems[0].message
    assert "copy it again" in found.problems[0].message


def test_a_small_picture_in_a_tile_that_fills_all_memory_is_refused(tmp_path: Path) -> None:
    """16 × 16 pixels, stored as one tile of 268 million."""
    path, side = tmp_path / "DJI_0001.tif", 16_384
    with rasterio.open(
        path, "w", driver="GTiff", width=16, height=16, count=3, dtype="uint8", tiled=True,
        blockxsize=side, blockysize=side, sparse_ok=True, photometric="RGB", interleave="pixel",
        transform=rasterio.Affine(1.0, 0.0, 0.0, 0.0, -1.0, 9.0),
    ):  # fmt: skip
        pass
    assert path.stat().st_size < 10_000
    for read in (imagefile.read_header, imagefile.decode_rgb):
        with pytest.raises(DecodeError, match="16384 × 16384 pixels"):
            read(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    bomb = png_that_claims(tmp_path / "bomb.png", 60_000, 60_000)
    with pytest.raises(DecodeError, match=r"bomb\.png claims .* not decoded"):
        read_photo(bomb)


def test_a_picture_above_the_limit_but_below_pillows_is_refused_too(tmp_path: Path) -> None:
    big = png_that_claims(tmp_path / "big.png", 13_000, 12_000)
    with pytest.raises(DecodeError, match="13000 × 12000 pixels"):
        read_photo(big)


def test_a_text_file_called_jpg_is_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("battery 3 was low")
    with pytest.raises(DecodeError, match=r"notes\.jpg is not a JPEG, PNG or TIFF"):
        read_photo(tmp_path / "notes.jpg")


def test_an_empty_file_says_that_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(DecodeError, match="empty"):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_the_disk_does_not_give_is_named_and_the_others_are_kept(
    tmp_path: Path,
) -> None:
    """Reading the beginning of /proc/self/mem is a real input/output error (EIO)."""
    placed(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("/proc/self/mem")
    found = read_folder(tmp_path)
    assert [photo.name for photo in found.photos] == ["a.jpg"]
    (problem,) = found.problems
    assert (problem.name, problem.code) == ("b.jpg", "unreadable")
    assert problem.message.startswith("b.jpg is damaged or cut off (Input/output error); copy it")


def test_a_damaged_file_is_named_with_its_folder_where_two_have_its_name(tmp_path: Path) -> None:
    placed(tmp_path / "one" / "a.jpg")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.jpg").write_text("no photo")
    (tmp_path / "two" / "b.dng").write_bytes(b"raw")
    found = read_folder(tmp_path)
    assert [photo.name for photo in found.photos] == ["one_a.jpg"]
    said = {problem.name: problem.message for problem in found.problems}
    assert said["two_a.jpg"].startswith("two_a.jpg is not a JPEG")
    assert said["b.dng"].startswith("b.dng is a raw")


@pytest.mark.parametrize(
    "tags",
    [
        {0x9003: "0001:01:01 00:30:00", 0x9011: "+01:00"},
        {0x9003: "9999:12:31 23:30:00", 0x9011: "-01:00"},
        {0x9003: "2026:05:04 10:30:15", 0x9011: "+99:99"},
    ],
)
def test_a_clock_that_no_calendar_holds_leaves_the_photo(
    tags: dict[int, str], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update(tags)
    exif.get_ifd(0x8825).update({7: (4e9, 0, 0), 29: "2026:05:04"})
    path = tmp_path / "a.jpg"
    Image.fromarray(noise()).save(path, exif=exif)
    photo = read_photo(path)
    assert photo.clock == "unzoned"
    assert photo.verdict == "use"


def test_a_raw_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    placed(tmp_path / "a.jpg")
    (tmp_path / "b.DNG").write_bytes(b"II*\x00")
    problems = read_folder(tmp_path).problems
    assert [problem.code for problem in problems] == ["unsupported"]
    assert "export it as JPEG" in problems[0].message


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(2, 2500), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_give_a_photo_or_a_decode_error(flips: list[tuple[int, int]]) -> None:
    """The first 2,500 bytes hold EXIF, XMP and the JPEG tables."""
    content = bytearray(_sample_jpeg())
    for place, value in flips:
        content[place] = value
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"droneteam-fuzz-{os.getpid()}.jpg"
    path.write_bytes(content)
    try:
        read_photo(path)
    except DecodeError:
        pass
    finally:
        path.unlink()


_SAMPLE: list[bytes] = []


def _sample_jpeg() -> bytes:
    if not _SAMPLE:
        path = Path(os.environ.get("TMPDIR", "/tmp")) / f"droneteam-sample-{os.getpid()}.jpg"
        tags = Tags(lat_deg=50.0, lon_deg=4.0, alt_m=90.0, taken_at=AT, xmp=RTK)
        _SAMPLE.append(write_jpeg(path, noise(64, 48), tags).read_bytes())
        path.unlink()
    return _SAMPLE[0]


# --- folders ----------------------------------------------------------------------------------


def test_an_empty_folder_says_what_to_put_in(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no photos .* copy the photos"):
        read_folder(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is not a folder"):
        read_folder(tmp_path / "nowhere")


def test_two_photos_are_too_few_and_the_message_says_how_many_it_takes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        placed(tmp_path / f"{name}.jpg")
    (tmp_path / "c.jpg").write_text("not a photo")
    with pytest.raises(InputError, match=r"2 usable photos.*at least 3") as caught:
        require_enough(read_folder(tmp_path))
    assert "c.jpg is not a JPEG" in str(caught.value)


def test_a_uniform_photo_does_not_count_as_usable(tmp_path: Path) -> None:
    for name in ("a", "b"):
        placed(tmp_path / f"{name}.jpg")
    write_jpeg(tmp_path / "cap.jpg", np.full((240, 320, 3), 90, np.uint8), Tags())
    with pytest.raises(InputError, match=r"2 usable photos[\s\S]*cap\.jpg shows nothing"):
        require_enough(read_folder(tmp_path))


def test_photos_in_subfolders_are_found_when_the_folder_holds_none(tmp_path: Path) -> None:
    placed(tmp_path / "drone-01" / "DJI_0001.JPG")
    placed(tmp_path / "drone-02" / "DJI_0001.JPG", lat_deg=50.81)
    placed(tmp_path / ".trash" / "DJI_0009.JPG")
    names = [photo.name for photo in read_folder(tmp_path).photos]
    assert names == ["drone-01_DJI_0001.JPG", "drone-02_DJI_0001.JPG"]


def test_photos_in_the_folder_itself_leave_subfolders_alone(tmp_path: Path) -> None:
    placed(tmp_path / "a.jpg")
    placed(tmp_path / "products" / "b.jpg")
    assert [path.name for path in find_photos(tmp_path)] == ["a.jpg"]


def test_the_same_file_twice_is_used_once(tmp_path: Path) -> None:
    placed(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    found = read_folder(tmp_path)
    assert [photo.name for photo in found.photos] == ["a.jpg"]
    assert found.problems[0].message == (
        "b.jpg is the same file as a.jpg; only one of them is used"
    )


def test_equal_paths_are_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        unique_names([Path("x/a.jpg"), Path("x/a.jpg")])


def test_reading_does_not_touch_the_originals(tmp_path: Path) -> None:
    path = placed(tmp_path / "a.jpg", xmp=RTK)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    photo = read_folder(tmp_path).photos[0]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert photo.sha256 == hashlib.sha256(before[0]).hexdigest()


# --- pixels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_upright_whatever_the_orientation_flag(tmp_path: Path, orientation: int) -> None:
    """Oracle: OpenCV, which turns by EXIF on its own."""
    ramp = np.zeros((40, 64, 3), np.uint8)
    ramp[:16, :16] = (255, 80, 0)
    path = write_jpeg(tmp_path / "a.jpg", ramp, Tags(orientation=orientation))
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]
    upright = imagefile.decode_rgb(path)
    header = imagefile.read_header(path)
    assert upright.shape == expected.shape
    assert np.abs(upright.astype(int) - expected).mean() < 3.0
    assert (header.height_px, header.width_px) == upright.shape[:2]
    assert header.plain == (orientation == 1)


def test_a_16_bit_tiff_with_12_bit_data_is_not_black(tmp_path: Path) -> None:
    pixels = (noise().astype(np.uint16) << 4) + 7
    path = tmp_path / "a.tif"
    assert cv2.imwrite(str(path), pixels[..., ::-1])
    header = imagefile.read_header(path)
    assert header.bits == 16
    assert not header.plain
    assert np.array_equal(imagefile.decode_rgb(path), noise())


def test_a_16_bit_tiff_gets_a_working_copy_and_keeps_its_original(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.tif"
    path.parent.mkdir()
    cv2.imwrite(str(path), (noise().astype(np.uint16) << 8)[..., ::-1])
    found = read_folder(path.parent)
    write_working_copy(found.photos[0], tmp_path)
    copy = working_paths(found, tmp_path)["a.tif"]
    assert np.array_equal(np.asarray(Image.open(copy)), noise())


def test_a_plain_photo_needs_no_working_copy(tmp_path: Path) -> None:
    path = placed(tmp_path / "a.jpg")
    assert working_paths(read_folder(tmp_path), tmp_path / "x") == {"a.jpg": path}


# --- quality ----------------------------------------------------------------------------------


def test_a_photo_blurred_along_one_axis_stands_out(tmp_path: Path) -> None:
    for index in range(4):
        write_jpeg(tmp_path / f"{index}.jpg", noise(640, 480, seed=index), Tags())
    smeared = cv2.blur(noise(640, 480, seed=9), (15, 1))
    write_jpeg(tmp_path / "smeared.jpg", smeared, Tags())
    verdicts = {photo.name: photo.verdict for photo in read_folder(tmp_path).photos}
    assert verdicts.pop("smeared.jpg") == "warn"
    assert set(verdicts.values()) == {"use"}


def test_blur_grows_with_the_width_of_the_blur() -> None:
    sharp = noise(400, 400)[..., 0]
    figures = [quality.blur_effect(sharp)]
    figures += [quality.blur_effect(cv2.GaussianBlur(sharp, (0, 0), s)) for s in (1.0, 2.0, 4.0)]
    assert figures == sorted(figures)
    assert figures[0] < 0.4 < figures[-1] <= 1.0


def test_a_uniform_photo_is_skipped_and_keeps_out_of_matching(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "cap.jpg", np.full((240, 320, 3), 90, np.uint8), Tags())
    placed(tmp_path / "a.jpg")
    found = read_folder(tmp_path)
    assert {photo.name: photo.verdict for photo in found.photos}["cap.jpg"] == "skip"
    paths = working_paths(found, tmp_path)
    inputs = sfm_inputs(found.photos, paths, None, choose_heights([]))
    assert [item.name for item in inputs] == ["a.jpg"]


@pytest.mark.parametrize(("level", "code"), [(0, "dark"), (255, "bright")])
def test_a_badly_exposed_photo_says_how(tmp_path: Path, level: int, code: str) -> None:
    pixels = noise()
    pixels[: 240 // 2] = level
    write_jpeg(tmp_path / "a.jpg", pixels, Tags())
    assert code in {finding.code for finding in read_photo(tmp_path / "a.jpg").findings}


def test_a_near_duplicate_names_its_twin(tmp_path: Path) -> None:
    placed(tmp_path / "a.jpg")
    pixels = imagefile.decode_rgb(tmp_path / "a.jpg")
    write_jpeg(tmp_path / "b.jpg", np.minimum(pixels, 250), Tags())
    second = read_folder(tmp_path).photos[1]
    assert second.verdict == "warn"
    assert [finding.message for finding in second.findings if finding.code == "near_duplicate"] == [
        "shows the same as a.jpg"
    ]


# --- what structure from motion gets ----------------------------------------------------------


def test_mixed_photos_use_one_kind_of_height(tmp_path: Path) -> None:
    for name in ("a", "b"):
        placed(tmp_path / f"{name}.jpg", xmp=RTK)
    placed(tmp_path / "c.jpg")
    photos = read_folder(tmp_path).photos
    heights = choose_heights([p.position for p in photos if p.position is not None])
    inputs = sfm_inputs(photos, {p.name: p.path for p in photos}, None, heights)
    assert heights.kind == "ellipsoid"
    stated = [None if i.position is None else i.position.alt_ellipsoid_m for i in inputs]
    assert stated == [137.25, 137.25, None], "the receiver's altitude is not an ellipsoidal height"


def test_photos_without_height_are_not_placed(tmp_path: Path) -> None:
    placed(tmp_path / "a.jpg", alt_m=None)
    photos = read_folder(tmp_path).photos
    heights = choose_heights([p.position for p in photos if p.position is not None])
    assert heights.kind == "none"
    assert sfm_inputs(photos, {"a.jpg": tmp_path}, None, heights)[0].position is None


def test_photos_survive_being_stored(tmp_path: Path) -> None:
    for name in ("a", "b"):
        placed(tmp_path / f"{name}.jpg", xmp=RTK, offset="+02:00")
    (tmp_path / "c.jpg").write_text("not a photo")
    found = read_folder(tmp_path)
    save_photos(found, tmp_path)
    assert load_photos(tmp_path, {p.name: p.path for p in found.photos}) == found


def test_an_unreadable_photos_file_is_a_decode_error(tmp_path: Path) -> None:
    (tmp_path / "photos.json").write_text("{}")
    with pytest.raises(DecodeError):
        load_photos(tmp_path, {})
    assert PhotoSet((), ()).photos == ()
