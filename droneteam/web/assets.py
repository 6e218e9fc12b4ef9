"""Links to what Vite built, from its manifest.

Without a build the pages still work: they are complete without scripts, and say nothing of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

DIST = Path(__file__).parent / "static" / "dist"
BASE_URL = "/static/dist/"


@dataclass(frozen=True, slots=True)
class Island:
    """What a page links to run one island: its script, and the styles that come with it.

    imports : scripts that it cannot begin without; named in the page, they come with it and not
    one after the other.
    """

    script: str
    styles: tuple[str, ...]
    imports: tuple[str, ...] = ()


def island(name: str, dist: Path = DIST) -> Island | None:
    """The built island of that name, or None when the front end is not built."""
    manifest = dist / ".vite" / "manifest.json"
    try:
        stamp = manifest.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return _islands(manifest, stamp).get(name)


@lru_cache(maxsize=4)
def _islands(manifest: Path, _stamp_ns: int) -> dict[str, Island]:
    chunks = json.loads(manifest.read_text())
    return {
        chunk["name"]: Island(
            script=BASE_URL + chunk["file"],
            styles=tuple(BASE_URL + style for style in _styles(key, chunks, set())),
            imports=tuple(BASE_URL + chunks[one]["file"] for one in _imports(key, chunks)),
        )
        for key, chunk in chunks.items()
        if chunk.get("isEntry")
    }


def _imports(key: str, chunks: dict[str, Any]) -> list[str]:
    """The keys of all that a chunk imports, directly or not, each once."""
    found: dict[str, None] = {}
    waiting = list(chunks[key].get("imports", []))
    while waiting:
        one = waiting.pop(0)
        if one not in found:
            found[one] = None
            waiting += chunks[one].get("imports", [])
    return list(found)


def _styles(key: str, chunks: dict[str, dict[str, list[str]]], seen: set[str]) -> list[str]:
    """The chunk's styles and those of what it imports, each once, in order."""
    if key in seen:
        return []
    seen.add(key)
    found: list[str] = []
    for imported in chunks[key].get("imports", []):
        found += _styles(imported, chunks, seen)
    found += chunks[key].get("css", [])
    return list(dict.fromkeys(found))
