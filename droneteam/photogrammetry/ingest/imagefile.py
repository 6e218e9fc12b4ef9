"""Opening image files that come from outside: size before decoding, then pixels, then nothing else.

Pixels are handed out upright, as every viewer shows them: the EXIF orientation is applied once,
here, so that a mark clicked on a screen and a pixel of the reconstruction are the same place.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from droneteam.errors import DecodeError
from droneteam.photogrammetry.ingest.exif import ExifFields, read_exif
from droneteam.photogrammetry.ingest.xmp import XmpFields, parse_xmp

FORMATS = ("JPEG", "PNG", "TIFF")
"""As Pillow names its openers; multi-picture files (MPO), which DJI writes, open as JPEG."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
RAW_SUFFIXES = frozenset({".dng", ".arw", ".cr2", ".cr3", ".nef", ".heic", ".heif", ".raw"})
MAX_PIXELS = 150_000_000
"""The largest survey cameras have 150 MP; more is a scan, a panorama or a decompression bomb."""
_WARNINGS_LOCK = threading.Lock()
_TURNED = frozenset({5, 6, 7, 8})
_PIL_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image with this EXIF orientation upright (EXIF 2.32, 4.6.4 A)."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before its pixels are decoded; width and height are of the upright image."""

    format: str
    width_px: int
    height_px: int
    bits: int
    plain: bool
    """True when any program shows the file as this one reads it: 8-bit grey or RGB, upright."""
    exif: ExifFields
    xmp: XmpFields


def read_header(path: Path, *, max_pixels: int = MAX_PIXELS) -> Header:
    """The header of an image file; no pixel is decoded.

    Raises
    ------
    DecodeError
        Not an image of a known format, or larger than `max_pixels`; says what to do.
    """
    with _opened(path, max_pixels) as image:
        exif = _exif(image)
        width_px, height_px = image.size
        bits = _bits(image)
        return Header(
            format="JPEG" if image.format == "MPO" else str(image.format),
            width_px=height_px if exif.orientation in _TURNED else width_px,
            height_px=width_px if exif.orientation in _TURNED else height_px,
            bits=bits,
            plain=bits == 8 and image.mode in ("RGB", "L") and exif.orientation == 1,
            exif=exif,
            xmp=parse_xmp(_xmp_packet(image)),
        )


def decode_gray(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """(h, w) uint8, as stored (not turned upright): for figures that do not depend on direction.

    Raises
    ------
    DecodeError
        The file ends early or is damaged.
    """
    with _opened(path, max_pixels) as image:
        if _bits(image) == 16:
            return cv2.cvtColor(_decode_16_bit(path), cv2.COLOR_RGB2GRAY).astype(np.uint8)
        image.draft("L", image.size)
        _load(image, path)
        return np.asarray(image.convert("L"))


def decode_rgb(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """(h, w, 3) uint8, upright.

    Raises
    ------
    DecodeError
        The file ends early or is damaged.
    """
    with _opened(path, max_pixels) as image:
        orientation = _exif(image).orientation
        if _bits(image) == 16:
            upright = Image.fromarray(_decode_16_bit(path))
        else:
            _load(image, path)
            upright = image.convert("RGB")
    turn = _PIL_TURN.get(orientation)
    return np.asarray(upright if turn is None else upright.transpose(turn))


def decode_reduced(
    path: Path, max_side_px: int, *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """(h, w, 3) uint8, upright, with a longer side of at most `max_side_px`.

    A JPEG is decoded at an eighth, a quarter or a half where that suffices: many times faster.

    Raises
    ------
    DecodeError
        The file ends early or is damaged.
    """
    with _opened(path, max_pixels) as image:
        orientation = _exif(image).orientation
        if _bits(image) == 16:
            small = Image.fromarray(_decode_16_bit(path))
        else:
            image.draft("RGB", (max_side_px, max_side_px))
            _load(image, path)
            small = image.convert("RGB")
    small.thumbnail((max_side_px, max_side_px), Image.Resampling.BOX)
    turn = _PIL_TURN.get(orientation)
    return np.asarray(small if turn is None else small.transpose(turn))


def _opened(path: Path, max_pixels: int) -> Image.Image:
    try:
        with _quiet():
            image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(path, "more pixels than any camera takes") from error
    except UnidentifiedImageError as error:
        raise DecodeError(
            f"{path.name} is not a JPEG, PNG or TIFF image; copy it again from the card, or "
            "remove it from the folder"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise damaged(path.name, error) from error
    for width_px, height_px in (image.size, _tile_px(image)):
        if width_px * height_px > max_pixels:
            image.close()
            raise _too_large(path, f"{width_px} × {height_px} pixels")
    return image


def _tile_px(image: Image.Image) -> tuple[int, int]:
    """Of a TIFF that is stored in tiles; they are unpacked whole, however small the picture is."""
    tags = getattr(image, "tag_v2", None) or {}
    width_px, height_px = tags.get(322), tags.get(323)
    if isinstance(width_px, int) and isinstance(height_px, int):
        return width_px, height_px
    return 0, 0


@contextmanager
def _quiet() -> Iterator[None]:
    """A block in which Pillow's warnings (odd EXIF, large images) are dropped: it is judged here.

    Python keeps one list of warning filters for all threads, hence the lock.
    """
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _exif(image: Image.Image) -> ExifFields:
    with _quiet():
        return read_exif(image)


def _load(image: Image.Image, path: Path) -> None:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise damaged(path.name, error) from error


def damaged(name: str, why: object) -> DecodeError:
    """What is said of a file whose content cannot be had."""
    return DecodeError(
        f"{name} is damaged or cut off ({why}); copy it again from the card, or remove it "
        "from the folder"
    )


def _too_large(path: Path, size: str) -> DecodeError:
    return DecodeError(
        f"{path.name} claims {size}, beyond the {MAX_PIXELS // 1_000_000} million pixels that "
        "a photo may have; it was not decoded. Remove it from the folder"
    )


def _bits(image: Image.Image) -> int:
    """Bits per sample: 16 also where Pillow would quietly drop the lower ones."""
    if image.mode.startswith("I"):
        return 16
    tags = getattr(image, "tag_v2", None)
    stated = tags.get(258) if tags is not None else None
    return 16 if stated and max(stated) > 8 else 8


def _xmp_packet(image: Image.Image) -> bytes | str | None:
    packet = image.info.get("xmp")
    if packet is None:
        tags = getattr(image, "tag_v2", None)
        packet = tags.get(700) if tags is not None else image.info.get("XML:com.adobe.xmp")
    return packet if isinstance(packet, bytes | str) else None


def _decode_16_bit(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3) RGB uint8, as stored.

    The values are shifted by whole bits, down to 8: 12-bit data in a 16-bit file would be black
    with a fixed shift, and a stretch per photo would make neighbours differ in brightness.
    """
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    pixels: NDArray[Any] | None = cv2.imread(str(path), flags)
    if pixels is None:
        raise DecodeError(f"{path.name} is a 16-bit image that cannot be read; save it as 8-bit")
    if pixels.dtype != np.uint16 and pixels.dtype != np.uint8:
        raise DecodeError(f"{path.name} holds {pixels.dtype} pixels; save it as 8- or 16-bit")
    shift = max(0, int(pixels.max()).bit_length() - 8)
    narrow: NDArray[np.uint8] = np.right_shift(pixels, shift).astype(np.uint8)
    if narrow.ndim == 2:
        return np.repeat(narrow[:, :, None], 3, axis=2)
    return np.ascontiguousarray(narrow[:, :, 2::-1])
