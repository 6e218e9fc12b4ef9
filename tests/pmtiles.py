"""A PMTiles archive (version 3) of a few tiles, written from its specification."""

from __future__ import annotations

import struct
from collections.abc import Mapping

PNG = 2


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def archive(tiles: Mapping[int, bytes], min_zoom: int, max_zoom: int) -> bytes:
    """The archive of uncompressed PNG tiles by tile id (0 is the world in one tile)."""
    ids = sorted(tiles)
    directory = _varint(len(ids))
    directory += b"".join(_varint(b - a) for a, b in zip([0, *ids], ids, strict=False))
    directory += b"".join(_varint(1) for _ in ids)
    directory += b"".join(_varint(len(tiles[one])) for one in ids)
    directory += b"".join(_varint(1 if n == 0 else 0) for n in range(len(ids)))
    data = b"".join(tiles[one] for one in ids)
    metadata = b"{}"
    root = 127
    places = (root, len(directory), root + len(directory), len(metadata), 0, 0,
              root + len(directory) + len(metadata), len(data))  # fmt: skip
    header = b"PMTiles\x03" + struct.pack("<8Q", *places)
    header += struct.pack("<3Q", len(ids), len(ids), len(ids))
    header += bytes([1, 1, 1, PNG, min_zoom, max_zoom])
    header += struct.pack("<4i", -1_800_000_000, -850_000_000, 1_800_000_000, 850_000_000)
    header += bytes([0]) + struct.pack("<2i", 0, 0)
    assert len(header) == root
    return header + directory + metadata + data
