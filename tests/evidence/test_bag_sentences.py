"""What is wrong with a bag reaches its reader in Dutch and French."""

from __future__ import annotations

import ast
import json
import re
from importlib import resources
from pathlib import Path

import pytest

from droneteam.evidence.sentences import told
from droneteam.sentences import UNTRANSLATED

EVIDENCE = Path(str(resources.files("droneteam.evidence")))


def table() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads((EVIDENCE / "sentences.json").read_text("utf-8"))
    return rows


def text_of(node: ast.AST) -> str:
    """A text with what a reader would find in the places of its facts."""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values
        )
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def said() -> list[str]:
    """The text of every `Problem`, of every `DecodeError` and of what a signature lacks."""
    found = []
    for name in ("bag.py", "manifest.py"):
        tree = ast.parse((EVIDENCE / name).read_text("utf-8"))
        for node in ast.walk(tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and called in ("Problem", "DecodeError"):
                found.append(text_of(node.args[-1]))
            if isinstance(node, ast.FunctionDef) and node.name == "signature_problem":
                returned = (one.value for one in ast.walk(node) if isinstance(one, ast.Return))
                found += [text_of(one) for one in returned if one is not None]
    return [f"{one} (at byte 7)" if one.endswith("not UTF-8") else one for one in found if one]


@pytest.mark.parametrize("language", ["nl", "fr"])
def test_every_fault_of_a_bag_is_said_in_every_language(language: str) -> None:
    texts = said()
    assert len(texts) >= 14
    assert [one for one in texts if UNTRANSLATED in told(one, language)] == []
    assert [one for one in texts if told(one, language) == one] == []


def test_every_form_has_the_facts_of_its_sentence() -> None:
    for row in table():
        parts = [set(re.findall(r"\{(\w+)\}", row[language])) for language in ("en", "nl", "fr")]
        assert parts[0] == parts[1] == parts[2]


def test_a_line_keeps_its_number_and_its_path() -> None:
    form = told("manifest line 12: '../x; y' leaves the bag", "nl")
    assert form == "regel 12 van het manifest: '../x; y' ligt buiten de zak"
