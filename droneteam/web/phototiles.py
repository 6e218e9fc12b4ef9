"""Photos for browsers: tiles of an upright photo, small pictures, and exact cut-outs.

Every tile is a full square, padded where the photo ends: viewers stretch what is smaller.

A 20-megapixel photo is never sent whole: the viewer asks for the tiles that it shows.  All tiles
of one level are cut at once, because decoding is what costs, and kept in a cache folder that is
bounded.  Level 0 is the whole photo in one tile; the last level has the photo's own pixels.  A
list of many photos shows cut-outs of a level between, of which a JPEG is decoded reduced.
"""

from __future__ import annotations

import io
import math
import shutil
import threading
import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from droneteam.errors import NotFound
from droneteam.photogrammetry.ingest import imagefile

TILE_PX = 512
QUALITY = 88
THUMB_PX = 256
PREVIEW_PX = 192
OVERVIEW_PX = 1000
"""The longer side from which a photo is an overview: a JPEG of 20 MP is decoded at a quarter."""
CACHE_BYTES = 2_000_000_000
MAX_CUT_PX = 256
_DECODING = threading.Semaphore(2)
"""Two photos of 150 MP at once are 900 MB; more would not be faster on few cores."""


def levels(width_px: int, height_px: int) -> int:
    """How many levels of tiles a photo has."""
    return 1 + max(0, math.ceil(math.log2(max(width_px, height_px) / TILE_PX)))


def tile(photo: Path, size_px: tuple[int, int], place: tuple[int, int, int], cache: Path) -> Path:
    """The file of one tile (level, column, row), cut when it is missing.

    Raises
    ------
    NotFound
        There is no such tile.
    """
    level, column, row = place
    top = levels(*size_px) - 1
    if not 0 <= level <= top:
        raise NotFound("level of tiles", level)
    reach = TILE_PX * 2 ** (top - level)
    if not (0 <= column * reach < size_px[0] and 0 <= row * reach < size_px[1]):
        raise NotFound("tile", f"{level}/{column}/{row}")
    folder = cache / f"{_stamp(photo)}-{level}"
    path = folder / f"{column}-{row}.jpg"
    if not path.is_file():
        _cut_level(photo, size_px, top - level, folder)
    return path


def thumb(photo: Path, cache: Path) -> Path:
    """The file of a small picture of the whole photo."""
    path = cache / f"{_stamp(photo)}-thumb.jpg"
    if not path.is_file():
        with _DECODING:
            pixels = imagefile.decode_reduced(photo, THUMB_PX)
        partial = cache / f".{uuid.uuid4().hex}.jpg"
        Image.fromarray(pixels).save(partial, quality=QUALITY)
        partial.replace(path)
    return path


def cut(
    photo: Path, size_px: tuple[int, int], at_px: tuple[int, int], side_px: int, cache: Path
) -> bytes:
    """A PNG of the photo's own pixels, `side_px` square, its top-left pixel at `at_px`.

    What lies outside the photo is grey.

    Raises
    ------
    NotFound
        The cut-out would be too large.
    """
    if not 1 <= side_px <= MAX_CUT_PX:
        raise NotFound("cut-out of pixels", side_px)
    pixels = _cut_out(photo, size_px, levels(*size_px) - 1, (at_px, side_px), cache)
    return _encoded(pixels, "PNG", compress_level=1)


def overview_halvings(width_px: int, height_px: int) -> int:
    """How often a photo is halved to be an overview of 1,000 to 2,000 pixels, or itself."""
    return max(0, math.floor(math.log2(max(width_px, height_px) / OVERVIEW_PX)))


def facts(width_px: int, height_px: int) -> dict[str, int]:
    """What a viewer must know of a photo to ask for its tiles and previews."""
    return {
        "widthPx": width_px,
        "heightPx": height_px,
        "levels": levels(width_px, height_px),
        "overview": 2 ** overview_halvings(width_px, height_px),
    }


def preview(
    photo: Path, size_px: tuple[int, int], at_overview_px: tuple[int, int], cache: Path
) -> bytes:
    """A JPEG of 192 by 192 pixels of the overview, its top-left pixel at that place.

    A list of photos shows one for each: decoded reduced, a photo of 20 MP costs a quarter of
    what its own pixels would, and only once, wherever the places lie.
    """
    level = levels(*size_px) - 1 - overview_halvings(*size_px)
    pixels = _cut_out(photo, size_px, level, (at_overview_px, PREVIEW_PX), cache)
    return _encoded(pixels, "JPEG", quality=QUALITY)


def _cut_out(
    photo: Path,
    size_px: tuple[int, int],
    level: int,
    square: tuple[tuple[int, int], int],
    cache: Path,
) -> NDArray[np.uint8]:
    """(side, side, 3) of a level's pixels, put together from its tiles; grey beyond the photo.

    square : the top-left pixel's place in the level, and the side.
    """
    (left, upper), side_px = square
    halvings = levels(*size_px) - 1 - level
    width, height = _size_at(size_px, halvings)
    canvas = np.full((side_px, side_px, 3), 128, dtype=np.uint8)
    for column in range(max(0, left // TILE_PX), (left + side_px - 1) // TILE_PX + 1):
        for row in range(max(0, upper // TILE_PX), (upper + side_px - 1) // TILE_PX + 1):
            if column * TILE_PX >= width or row * TILE_PX >= height:
                continue
            path = tile(photo, size_px, (level, column, row), cache)
            with Image.open(path, formats=("JPEG",)) as image:
                here = np.asarray(image)[: height - row * TILE_PX, : width - column * TILE_PX]
            _paste(canvas, here, column * TILE_PX - left, row * TILE_PX - upper)
    return canvas


def _encoded(pixels: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _size_at(size_px: tuple[int, int], halvings: int) -> tuple[int, int]:
    """Width and height of a photo that was halved so often."""
    width, height = (max(1, math.ceil(side / 2**halvings)) for side in size_px)
    return width, height


def _paste(canvas: NDArray[np.uint8], piece: NDArray[np.uint8], left: int, top: int) -> None:
    height, width = canvas.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + piece.shape[1]), min(height, top + piece.shape[0])
    if x0 < x1 and y0 < y1:
        canvas[y0:y1, x0:x1] = piece[y0 - top : y1 - top, x0 - left : x1 - left]


def _cut_level(photo: Path, size_px: tuple[int, int], halvings: int, folder: Path) -> None:
    """Writes every tile of a level; the folder appears whole or not at all."""
    width, height = _size_at(size_px, halvings)
    with _DECODING:
        if folder.is_dir():
            return
        if halvings:
            image = Image.fromarray(imagefile.decode_reduced(photo, max(width, height)))
            image = image.resize((width, height), Image.Resampling.BOX)
        else:
            image = Image.fromarray(imagefile.decode_rgb(photo))
        partial = folder.with_name(f".{uuid.uuid4().hex}")
        partial.mkdir(parents=True)
        for left in range(0, width, TILE_PX):
            for top in range(0, height, TILE_PX):
                box = (left, top, left + TILE_PX, top + TILE_PX)  # black beyond the photo
                name = f"{left // TILE_PX}-{top // TILE_PX}.jpg"
                image.crop(box).save(partial / name, quality=QUALITY)
        try:
            partial.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
        _keep_small(folder.parent)


def _keep_small(cache: Path) -> None:
    """Throws the oldest levels away until the cache is below its bound; the newest stays."""
    folders = [path for path in cache.iterdir() if path.is_dir() and path.name[0] != "."]
    sizes = {folder: sum(f.stat().st_size for f in folder.iterdir()) for folder in folders}
    total = sum(sizes.values())
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime_ns)[:-1]:
        if total <= CACHE_BYTES:
            return
        shutil.rmtree(folder, ignore_errors=True)
        total -= sizes[folder]


def _stamp(photo: Path) -> str:
    """A name that changes with the file."""
    status = photo.stat()
    return f"{photo.stem[:60]}-{status.st_mtime_ns:x}-{status.st_size:x}"
