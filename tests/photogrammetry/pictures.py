"""Small photos with EXIF and DJI XMP, written byte by byte where Pillow would not."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

XMP_NAMESPACE = "http://www.dji.com/drone-dji/1.0/"


@dataclass(frozen=True)
class Tags:
    """What goes into a photo's EXIF and XMP; None leaves the tag out."""

    make: str = "DJI"
    model: str = "M3E"
    taken_at: datetime | None = None
    offset: str | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    alt_m: float | None = None
    alt_ref: bytes = b"\x00"
    focal_mm: float | None = None
    focal_35mm: int | None = None
    orientation: int | None = None
    xmp: dict[str, str] | None = None


def noise(width_px: int = 320, height_px: int = 240, seed: int = 1) -> NDArray[np.uint8]:
    """A sharp random picture with structure at several scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height_px, width_px, 3))
    for scale in (1, 4, 16, 64):
        small = rng.normal(size=(height_px // scale + 1, width_px // scale + 1, 3))
        total += cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 25 * total, 0, 255).astype(np.uint8)


def write_jpeg(path: Path, pixels: NDArray[np.uint8], tags: Tags | None = None) -> Path:
    """A JPEG of quality 92 with the tags."""
    tags = tags or Tags(make="", model="")
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {} if tags.xmp is None else {"xmp": xmp_packet(tags.xmp)}
    Image.fromarray(pixels).save(path, "JPEG", quality=92, exif=_exif(tags), **options)
    return path


def xmp_packet(values: dict[str, str], pad: bytes = b"") -> bytes:
    """A packet as DJI writes it: attributes of one rdf:Description."""
    attributes = "\n".join(f'   drone-dji:{name}="{value}"' for name, value in values.items())
    text = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description rdf:about="DJI Meta Data"\n'
        f'   xmlns:drone-dji="{XMP_NAMESPACE}"\n{attributes}>\n'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return text.encode() + pad


def png_that_claims(path: Path, width_px: int, height_px: int) -> Path:
    """A PNG of a few bytes whose header states any size."""
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\x00" * 1000)
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", body), _chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _exif(tags: Tags) -> Image.Exif:
    exif = Image.Exif()
    if tags.make:
        exif[0x010F], exif[0x0110] = tags.make, tags.model
    if tags.orientation is not None:
        exif[0x0112] = tags.orientation
    shot = exif.get_ifd(0x8769)
    if tags.taken_at is not None:
        shot[0x9003] = tags.taken_at.strftime("%Y:%m:%d %H:%M:%S")
        shot[0x9291] = f"{tags.taken_at.microsecond // 1000:03d}"
    if tags.offset is not None:
        shot[0x9011] = tags.offset
    if tags.focal_mm is not None:
        shot[0x920A] = IFDRational(round(tags.focal_mm * 1000), 1000)
    if tags.focal_35mm is not None:
        shot[0xA405] = tags.focal_35mm
    if tags.lat_deg is not None and tags.lon_deg is not None:
        _write_gps(exif.get_ifd(0x8825), tags)
    return exif


def _write_gps(gps: dict[int, object], tags: Tags) -> None:
    assert tags.lat_deg is not None
    assert tags.lon_deg is not None
    gps[1], gps[2] = ("N" if tags.lat_deg >= 0 else "S"), _dms(abs(tags.lat_deg))
    gps[3], gps[4] = ("E" if tags.lon_deg >= 0 else "W"), _dms(abs(tags.lon_deg))
    if tags.alt_m is not None:
        gps[5] = tags.alt_ref
        gps[6] = IFDRational(round(abs(tags.alt_m) * 1000), 1000)


def _dms(degrees: float) -> tuple[IFDRational, ...]:
    whole = int(degrees)
    minutes = int((degrees - whole) * 60)
    seconds = Fraction(round((degrees - whole - minutes / 60) * 3600 * 1_000_000), 1_000_000)
    return (
        IFDRational(whole, 1),
        IFDRational(minutes, 1),
        IFDRational(seconds.numerator, seconds.denominator),
    )
