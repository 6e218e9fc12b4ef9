"""Cards that come back wrong: folders of small photos of known worlds, each with one fault.

Everything is photographed by ray casting (box_world); what a fault changes is written out here, so
that a test can say what the scene must do about it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.scene import Camera, View
from tests.photogrammetry.box_world import BoxWorld, _bilinear, block_poses, look_at, small_camera
from tests.photogrammetry.pictures import Tags, write_jpeg

ORIGIN = GeoPoint(50.8197, 4.3908, 100.0)
RTK = {"AltitudeType": "RtkAlt", "RtkFlag": "50", "RtkStdLon": "0.01", "RtkStdLat": "0.01"}
CAMERA = small_camera()
SIX_BOXES = (
    (-1.0, 1.0, -0.5, 0.5, 0.0, 0.8),
    (-2.6, -1.9, 0.9, 1.6, 0.0, 0.5),
    (1.6, 2.3, -1.7, -0.9, 0.0, 0.6),
)


EXIF_MARK_BYTES = 6
"""Of "Exif" and two zeros before the TIFF header in a JPEG."""


@dataclass(frozen=True)
class Fault:
    """What is changed of a photo's tags, by its number."""

    tags: Callable[[int, Tags], Tags] = lambda index, tags: tags
    camera: Callable[[int], Camera] = lambda index: CAMERA


def tags_of(view: View, focal_35mm: int = 30) -> Tags:
    """EXIF position and DJI's RTK fields, exact to a millimetre."""
    lat, lon, alt = EnuFrame(ORIGIN).geodetic_from_enu(view.centre_enu_m).tolist()
    above_home_m = alt - ORIGIN.alt_ellipsoid_m
    heights = {"AbsoluteAltitude": f"{alt:+.3f}", "RelativeAltitude": f"{above_home_m:+.2f}"}
    xmp = {**RTK, "RtkStdHgt": "0.015", **heights}
    return Tags(lat_deg=lat, lon_deg=lon, alt_m=alt, focal_35mm=focal_35mm, xmp=xmp)


def card(
    folder: Path,
    world: BoxWorld,
    poses: Sequence[np.ndarray],
    fault: Fault = Fault(),
    prefix: str = "",
) -> list[View]:
    """The photos as JPEGs with what the fault makes of them; the true views come back."""
    views = []
    for index, pose in enumerate(poses):
        path = folder / f"{prefix}{index:02d}.jpg"
        view = View(path.name, path, fault.camera(index), pose)
        pixels, _ = world.photograph(view, noise=1.0)
        write_jpeg(path, pixels, fault.tags(index, tags_of(view)))
        views.append(view)
    return views


@dataclass(frozen=True)
class Pond(BoxWorld):
    """The box world with a calm pond that shows the sky, or one whose waves differ per photo.

    pond : x0, x1, y0, y1 in metres; sky_m : height of what is mirrored; None for waves.
    """

    pond: tuple[float, float, float, float] = (0.6, 6.0, -6.0, 6.0)
    sky_m: float | None = 25.0

    def trace(self, origin: np.ndarray, directions: np.ndarray):
        """As the box world's, with the pond's colours where a ray ends in it."""
        t, colours = super().trace(origin, directions)
        points = origin + np.where(np.isfinite(t), t, 0.0)[:, None] * directions
        x0, x1, y0, y1 = self.pond
        x, y, z = points.T
        wet = np.isfinite(t) & (np.abs(z) < 1e-6) & (x > x0) & (x < x1) & (y > y0) & (y < y1)
        colours[wet] = self._water(origin, points[wet], directions[wet])
        return t, colours

    def _water(self, origin: np.ndarray, points: np.ndarray, directions: np.ndarray) -> np.ndarray:
        if self.sky_m is None:
            seed = int(abs(origin.sum()) * 1e6)
            return np.random.default_rng(seed).normal(120.0, 25.0, (len(points), 1)).repeat(3, 1)
        reach = self.sky_m / -directions[:, 2]
        at = points[:, :2] + reach[:, None] * directions[:, :2]
        size = len(self.textures[5]) - 1
        u, v = (at / (5.0 * self.texel_m)).T % size
        return _bilinear(self.textures[5], u, v)


def no_overlap(folder: Path, n: int = 4) -> None:
    """Every photo of another place."""
    for index in range(n):
        world = BoxWorld(seed=10 + index)
        moved = Fault(tags=lambda _, tags, k=index: moved_east(tags, 0.002 * k))
        card(folder, world, block_poses()[:1], moved, prefix=f"{index}_")


def two_places(folder: Path) -> None:
    """Seven photos of one place and five of another, 280 m to the east."""
    card(folder, BoxWorld(), block_poses()[:7])
    far = Fault(tags=lambda _, tags: moved_east(tags, 0.004))
    other = BoxWorld(seed=99, boxes=((-0.5, 0.5, -0.5, 0.5, 0.0, 0.4),))
    card(folder, other, block_poses()[:5], far, prefix="other_")


def moved_east(tags: Tags, by_deg: float) -> Tags:
    assert tags.lon_deg is not None
    return replace(tags, lon_deg=tags.lon_deg + by_deg)


def straight_ahead(folder: Path, n: int = 9) -> list[View]:
    """A flight along the view: every photo zooms into the last."""
    poses = []
    for index in range(n):
        eye = np.array([0.0, -7.0 + 0.45 * index, 2.2])
        poses.append(look_at(eye, eye + [0.0, 1.0, -0.12]))
    return card(folder, BoxWorld(boxes=SIX_BOXES), poses)


def as_sixteen_bit_tiff(path: Path, shift: int = 4) -> Path:
    """The JPEG as a 16-bit TIFF with the same EXIF and XMP, 12 bits used; the JPEG is gone.

    Pillow writes no 16-bit RGB: the file is its EXIF block, which is a TIFF without a picture, with
    the tags of one baseline strip (TIFF 6.0, section 6) and the samples behind it.  Pillow adds the
    block's own length to the strip's offset.
    """
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(np.uint16) << shift
        exif, packet = image.getexif(), image.info.get("xmp")
    height, width = pixels.shape[:2]
    strip = {256: width, 257: height, 258: (16, 16, 16), 259: 1, 262: 2, 277: 3, 278: height}
    for tag, value in {**strip, 279: pixels.nbytes, 273: 0, 700: packet}.items():
        exif[tag] = value
    wide = path.with_suffix(".tif")
    header = exif.tobytes()[EXIF_MARK_BYTES:]
    order = "<u2" if header.startswith(b"II") else ">u2"
    wide.write_bytes(header + pixels.astype(order).tobytes())
    path.unlink()
    return wide


def turned(path: Path, orientation: int = 6) -> None:
    """The photo as a phone held upright stores it: sensor rows, and a flag for how to turn them."""
    with Image.open(path) as image:
        exif, packet = image.getexif(), image.info.get("xmp")
        stored = image.transpose(Image.Transpose.ROTATE_90)
    exif[0x0112] = orientation
    stored.save(path, "JPEG", quality=92, exif=exif, xmp=packet)


def cut_off(path: Path, share: float = 0.6) -> None:
    """The file as a pulled card leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def twice(path: Path) -> Path:
    """The same file under another name."""
    other = path.with_name(f"copy_of_{path.name}")
    shutil.copyfile(path, other)
    return other


def control_csv(path: Path, views: Sequence[View], wrong: dict[str, float]) -> None:
    """Eight surveyed points with exact marks; `wrong` adds metres to a point's northing.

    Pixels are projected here, by the pinhole's formula.
    """
    at = [(-1.8, -1.3, 0), (1.8, -1.3, 0), (-1.8, 1.3, 0), (1.8, 1.3, 0)]
    at += [(0, 1.6, 0), (0, -1.6, 0), (-0.7, 0, 0.8), (0.7, 0, 0.8)]
    lines = ["crs,EPSG:4979"]
    for number, place in enumerate(np.array(at, dtype=float), start=1):
        name = f"nail {number}"
        surveyed = place + [0.0, wrong.get(name, 0.0), 0.0]
        lat, lon, alt = EnuFrame(ORIGIN).geodetic_from_enu(surveyed).tolist()
        lines.append(f"control,{name},{lon:.10f},{lat:.10f},{alt:.4f},0.005,0.005")
        lines += [
            f"mark,{name},{view.name},{x:.2f},{y:.2f},0.5"
            for view in views
            for x, y in [_pixel(view, place)]
            if 0 < x < view.camera.width_px and 0 < y < view.camera.height_px
        ]
    path.write_text("\n".join(lines) + "\n")


def _pixel(view: View, place: np.ndarray) -> tuple[float, float]:
    x, y, z = view.cam_from_enu[:, :3] @ place + view.cam_from_enu[:, 3]
    fx, fy, cx, cy = view.camera.params
    return fx * x / z + cx, fy * y / z + cy
