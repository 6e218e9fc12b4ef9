"""What the first visit of each page loads, compressed: ``python -m benchmarks.page_weight``.

Renders every page as somebody who may see it and follows what it links: the page itself, its
styles, and its scripts with all that they import before they run.  Scripts that a page asks for
only later, workers too, are not in the sum; tests/browser holds what a browser really loaded
against the same bounds.  The exit status is 1 when a page is over its bound.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.web_site import empty_site
from droneteam.web.assets import BASE_URL, DIST
from tests.browser.conftest import tell
from tests.browser.test_pages import BUDGET_3D_BYTES, BUDGET_BYTES, EVERY
from tests.web.conftest import Site

LEVEL = 6
"""As a proxy in front of the server compresses."""
SCRIPT = re.compile(r'<script[^>]* src="([^"]+)"')
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
WITH_3D = frozenset({"scene"})


@dataclass(frozen=True, slots=True)
class Weight:
    """Compressed bytes of a page's first visit."""

    name: str
    page_bytes: int
    style_bytes: int
    script_bytes: int
    bound_bytes: int


def weights(site: Site) -> list[Weight]:
    """Every page, the heaviest scripts first."""
    found = [weigh(site, name, login, path) for name, (login, path) in EVERY.items()]
    return sorted(found, key=lambda weight: (-weight.script_bytes, weight.name))


def weigh(site: Site, name: str, login: str | None, path: str) -> Weight:
    """One page as that login gets it."""
    text = site.client(login).get(path).get_data(as_text=True)
    scripts = with_imports(SCRIPT.findall(text), manifest())
    return Weight(
        name=name,
        page_bytes=len(gzip.compress(text.encode(), LEVEL)),
        style_bytes=sum(map(compressed, set(STYLE.findall(text)))),
        script_bytes=sum(map(compressed, scripts)),
        bound_bytes=BUDGET_3D_BYTES if name in WITH_3D else BUDGET_BYTES,
    )


def manifest() -> dict[str, Any]:
    """Vite's own account of what imports what."""
    chunks: dict[str, Any] = json.loads((DIST / ".vite" / "manifest.json").read_text())
    return chunks


def with_imports(urls: list[str], chunks: dict[str, Any]) -> set[str]:
    """The scripts and all that they import before they run."""
    keys = {BASE_URL + chunk["file"]: key for key, chunk in chunks.items()}
    open_keys, found = [keys[url] for url in urls], set()
    while open_keys:
        key = open_keys.pop()
        if key not in found:
            found.add(key)
            open_keys += chunks[key].get("imports", [])
    return {BASE_URL + chunks[key]["file"] for key in found}


def compressed(url: str) -> int:
    path = DIST.parent / url.removeprefix("/static/")
    return len(gzip.compress(path.read_bytes(), LEVEL))


def main() -> int:
    with empty_site() as site, tempfile.TemporaryDirectory() as folder:
        tell(site, Path(folder))
        rows = weights(site)
    print(f"{'page':16s}{'page kB':>9s}{'style kB':>10s}{'script kB':>11s}{'at most':>9s}")
    for row in rows:
        sizes = (row.page_bytes, row.style_bytes, row.script_bytes, row.bound_bytes)
        page, style, script, bound = (size / 1000 for size in sizes)
        print(f"{row.name:16s}{page:9.1f}{style:10.1f}{script:11.1f}{bound:9.0f}")
    over = [row.name for row in rows if row.script_bytes > row.bound_bytes]
    print(f"{len(rows)} pages, over their bound: {', '.join(over) or 'none'}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
