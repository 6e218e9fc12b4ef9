"""How far a scene's stages are is said in the visitor's language."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import droneteam.photogrammetry
from droneteam.photogrammetry.pace import Pace
from droneteam.web.stage_words import book, stage_said
from tests.web.conftest import Site

FOLDER = Path(next(iter(droneteam.photogrammetry.__path__)))


def told() -> set[str]:
    """Every text that a stage gives to its progress, with 7 for each number in it."""
    found = set()
    for path in FOLDER.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(call, ast.Call)
                and ast.unparse(call.func).endswith("progress")
                and call.args
            ):
                found |= _text(call.args[-1])
    return found


def _text(node: ast.expr) -> set[str]:
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.JoinedStr():
            parts = [p.value if isinstance(p, ast.Constant) else "7" for p in node.values]
            return {"".join(str(part) for part in parts)}
    return set()


@pytest.mark.parametrize("language", ["fr", "nl"])
def test_every_message_of_a_stage_has_its_form(language: str) -> None:
    messages = {m.replace("copy of 7", "copy of DJI_1.JPG") for m in told()} | {"started"}
    assert len(messages) > 20
    passed_on = {"77", "7, 7"}
    assert [m for m in messages - passed_on if book().one(m, language) is None] == []


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("features 3/9, about 45 s left", "kenmerken 3/9"),
        ("matching 12/40 pairs, 2 to 5 min left", "12/40 paren vergeleken"),
        ("stereo pair 3 of 28, 50 s to 2 min left", "stereopaar 3 van 28"),
        ("DJI_0003.JPG, about 1.5 h left", "DJI_0003.JPG"),
        ("orthophoto.tif", "orthophoto.tif"),
        ("reprojection 0.25 px", "herprojectie 0,25\u00a0px"),
        ("", ""),
    ],
)
def test_a_message_is_said_without_the_stages_own_time_left(
    site: Site, message: str, said: str
) -> None:
    with site.app.test_request_context(headers={"Accept-Language": "nl"}):
        assert stage_said(message) == said


def test_every_pace_is_recognised(site: Site) -> None:
    with site.app.test_request_context(headers={"Accept-Language": "fr"}):
        for seconds in (20.0, 300.0, 2000.0, 30_000.0):
            pace = Pace()
            for at_s in range(0, 400, 20):
                pace.report(float(at_s), at_s / (400.0 + seconds))
            assert stage_said(f"fusing, {pace.words()}" if pace.words() else "fusing") == "fusion"
