"""What the stages say reaches the reader in the report's language, facts and all."""

from __future__ import annotations

import ast
import json
import re
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from droneteam.photogrammetry.cameras import calibration
from droneteam.photogrammetry.cameras.adjust import _gate_note, adjust
from droneteam.photogrammetry.cameras.calibration import Gate
from droneteam.photogrammetry.cameras.placement import ELLIPSOID, HOME, NONE, RECEIVER
from droneteam.photogrammetry.export.numbers import Language
from droneteam.photogrammetry.export.sentences import UNTRANSLATED, translated
from droneteam.photogrammetry.ingest.photos import read_folder
from droneteam.photogrammetry.measuring import measure, surface_measure
from droneteam.photogrammetry.scene_document import scale_statement
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import control_of, photo_inputs, sfm_result
from tests.photogrammetry.test_adjust import START, flat, strong
from tests.photogrammetry.test_consensus import marks_in, ring, shifted
from tests.photogrammetry.test_surface_measure import ground, hole

LANGUAGES = ("nl", "fr")


def table() -> list[dict[str, str]]:
    package = resources.files("droneteam.photogrammetry.export")
    rows: list[dict[str, str]] = json.loads((package / "sentences.json").read_text("utf-8"))
    return rows


def test_every_sentence_has_the_same_facts_in_every_language() -> None:
    for row in table():
        parts = [set(re.findall(r"\{(\w+)\}", row[language])) for language in ("en", "nl", "fr")]
        assert parts[0] == parts[1] == parts[2], row["en"]


def test_every_sentence_is_still_said_somewhere() -> None:
    """Some long run of words between the facts of each row stands in the code that says it."""
    package = Path(str(resources.files("droneteam.photogrammetry")))
    said = {
        node.value
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for row in table():
        fixed = [part.strip(" .") for part in re.split(r"\{\w+\}%?|[;:,()]", row["en"])]
        telling = [part for part in fixed if len(part) >= 20] or [max(fixed, key=len)]
        assert any(part in text for part in telling for text in said), row["en"]


def test_every_sentence_is_recognised_with_facts_in_it() -> None:
    for row in table():
        text = re.sub(r"\{n_\w+\}", "12.5", row["en"])
        text = re.sub(r"\{text\w*\}", "the photos state no height", text)
        text = re.sub(r"\{\w+\}", "DJI_0001.JPG", text)
        for language in LANGUAGES:
            got = translated(text, language)  # type: ignore[arg-type]
            assert not got.startswith(UNTRANSLATED), text
            assert "12.5" not in got
            assert ("12,5" in got) == ("12.5" in text)


def test_what_an_adjustment_warns_of_is_known() -> None:
    truth = strong()
    wrong = control_of(truth, [0, 1, 2, 3, 4, 5], seed=3)
    lonely = adjust(
        sfm_result(truth, noise_px=0.3, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=(2, 2, 4), seed=2, bias_m=(0.0, 0.0, 50.0)),
        wrong,
    )
    unknown = adjust(
        sfm_result(truth, noise_px=0.3, seed=1), photo_inputs(truth, sigma_m=None, seed=2)
    )
    open_depth = adjust(
        sfm_result(flat(), noise_px=0.5, seed=1, start_camera=START, points=slice(0, 120)),
        photo_inputs(flat(), sigma_m=(0.02, 0.02, 3.0), seed=2, focal_prior_px=1380.0),
    )
    said = [w for net in (lonely, unknown, open_depth) for w in net.accuracy.warnings]
    assert len(said) >= 4
    assert all(known(text) for text in said), said


def test_the_gates_note_keeps_its_figures() -> None:
    (note,) = _gate_note(
        Gate(determined=False, reprojection_change=0.031, depth_change=0.29, mode=None)
    )
    assert "29 %" in translated(note, "fr")
    assert "3,1 %" in translated(note, "fr")
    assert calibration.honesty_gate is not None


def test_what_measurements_remark_is_known() -> None:
    net = ring(6)
    marks = marks_in(net, 1)
    bad = shifted(shifted(marks, "a", "p03", (1700.0, 0.0)), "b", "p01", (0.0, 900.0))
    rejected = measure.distance(net, bad, "a", "b")
    assert rejected.note.count("not used") == 2
    two = [m for m in marks if m.photo in ("p00", "p02")]
    missed = measure.distance(net, shifted(two, "a", "p02", (250.0, 250.0)), "a", "b")
    places = np.array([[-4.0, -4.0], [4.0, -4.0], [4.0, 4.0], [-4.0, 4.0]])
    said = [
        rejected,
        missed,
        measure.distance(net, two, "a", "b"),
        measure.distance(net, marks, "a", "nowhere"),
        surface_measure.volume(net, hole(ground(), 2, 1.0), places),
        surface_measure.volume(net, hole(ground(), 0, 3.0), places),
        surface_measure.from_surface(net, ground(), "height", places[:2] * 9.0),
        surface_measure.profile(net, hole(ground(), 2, 1.0), places[::2]),
    ]
    for measured in said:
        assert measured.note
        assert known(measured.note), translated(measured.note, "nl")
    french = translated(rejected.note, "fr")
    assert "p03 : la marque de a s'écarte de 1700 px ; non utilisée" in french
    assert "p01 : la marque de b s'écarte de 900 px ; non utilisée" in french


@pytest.mark.parametrize(
    "content", [b"", b"no image at all", b"\xff\xd8\xff\xe0cut"], ids=["empty", "text", "cut off"]
)
def test_why_a_file_is_no_photo_is_known(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    (tmp_path / "b.dng").write_bytes(b"raw")
    problems = read_folder(tmp_path).problems
    assert len(problems) == 2
    for problem in problems:
        assert known(problem.message), problem.message


@pytest.mark.parametrize("heights", [ELLIPSOID, RECEIVER, HOME, NONE])
def test_what_heights_are_above_is_known(heights: object) -> None:
    assert known(heights.datum)  # type: ignore[attr-defined]
    assert known(heights.note)  # type: ignore[attr-defined]


def test_an_unknown_sentence_is_shown_and_marked() -> None:
    assert translated("the moon is full", "nl") == "[en] the moon is full"
    assert translated("the moon is full", "en") == "the moon is full"
    mixed = translated("the moon is full; the photos state no height", "fr")
    assert mixed == "[en] the moon is full; les photos n'indiquent aucune hauteur"
    assert translated("", "fr") == ""
    assert Path(str(resources.files("droneteam.photogrammetry.export") / "sentences.json")).exists()


@pytest.mark.parametrize("determined", [True, False, None])
@pytest.mark.parametrize("kind", ["enu", "local"])
@pytest.mark.parametrize("language", ["nl", "fr"])
def test_what_is_said_of_the_vertical_scale_is_said_in_every_language(
    determined: bool | None, kind: str, language: Language
) -> None:
    accuracy = SimpleNamespace(vertical_scale_determined=determined)
    frame = SimpleNamespace(metric=kind == "enu")
    said = scale_statement(accuracy, frame)  # type: ignore[arg-type]
    form = translated(said, language)
    assert not form.startswith("[en]")
    assert form != said
