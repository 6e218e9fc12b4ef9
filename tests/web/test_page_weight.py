"""The reckoning of what a page loads, on a manifest whose sums are known."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks import page_weight
from droneteam.web.assets import BASE_URL

CHUNKS = {
    "a.ts": {"file": "assets/a.js", "isEntry": True, "imports": ["_c", "_b"]},
    "_b": {"file": "assets/b.js", "imports": ["_c"]},
    "_c": {"file": "assets/c.js", "imports": ["_b"], "dynamicImports": ["_d"]},
    "_d": {"file": "assets/d.js"},
    "e.ts": {"file": "assets/e.js", "isEntry": True},
}


def url(name: str) -> str:
    return f"{BASE_URL}assets/{name}.js"


@pytest.mark.parametrize(("linked", "loaded"), [("a", "abc"), ("e", "e"), ("ae", "abce"), ("", "")])
def test_a_script_brings_what_it_imports_once_and_not_what_it_may_ask_for_later(
    linked: str, loaded: str
) -> None:
    found = page_weight.with_imports([url(name) for name in linked], CHUNKS)
    assert found == {url(name) for name in loaded}


def test_a_size_is_that_of_the_compressed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    content = b"const x = 1;\n" * 500
    (tmp_path / "dist" / "assets" / "a.js").write_bytes(content)
    monkeypatch.setattr(page_weight, "DIST", tmp_path / "dist")
    size = page_weight.compressed(url("a"))
    assert size == len(gzip.compress(content, 6))
    assert 20 < size < len(content) / 20


def test_links_are_found_as_pages_write_them() -> None:
    page = (
        '<link rel="icon" href="/static/mark.svg"><link rel="stylesheet" href="/static/x.css">'
        '<script type="module" src="/static/dist/assets/a.js"></script><script id="d">{}</script>'
    )
    assert page_weight.SCRIPT.findall(page) == [url("a")]
    assert page_weight.STYLE.findall(page) == ["/static/x.css"]
