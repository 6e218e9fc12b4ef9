"""One fault of many photos is said once, with what differs among them, in every language."""

from __future__ import annotations

import pytest

from droneteam.errors import SceneError
from droneteam.photogrammetry.export.numbers import Language
from droneteam.photogrammetry.export.sentences import translated
from droneteam.photogrammetry.ingest.photo_words import BETWEEN_FAULTS, MANY_LOST, ONE_LOST, told
from tests.photogrammetry.languages import known

NO_FIX = "states latitude 0°, longitude 0°: its receiver had no fix; position not used"
FEW = "only {} features found: blurred, dark or without texture"
NAMES = [f"DJI_{i:04d}.JPG" for i in range(1, 31)]


def test_three_photos_are_named_one_by_one() -> None:
    assert told([(name, NO_FIX) for name in NAMES[:3]]) == [f"{n}: {NO_FIX}" for n in NAMES[:3]]


def test_the_same_fault_of_thirty_photos_is_one_sentence_with_the_first_and_last_name() -> None:
    (said,) = told([(name, NO_FIX) for name in NAMES])
    assert said.startswith(f"each of 30 photos {NO_FIX} (DJI_0001.JPG, ")
    assert said.endswith(" … DJI_0030.JPG)")
    assert said.count(".JPG") == 6


def test_numbers_that_differ_become_a_range_and_those_that_do_not_stay() -> None:
    blur = "is blurred (blur effect {}, the set's 0.31)"
    (said,) = told([(NAMES[i], blur.format(v)) for i, v in enumerate((0.52, 0.9, 0.61, 0.7))])
    assert "blur effect 0.52–0.9, the set's 0.31" in said


def test_the_names_of_files_are_no_amounts() -> None:
    rows = [(NAMES[i], f"shows the same as {NAMES[i + 1]}") for i in range(5)]
    assert told(rows) == [f"{name}: {what}" for name, what in rows]


def test_other_faults_stand_apart_in_the_order_in_which_they_came() -> None:
    rows = [("a.jpg", NO_FIX), *[(n, FEW.format(40 + i)) for i, n in enumerate(NAMES[:4])]]
    first, second = told(rows, ONE_LOST, MANY_LOST)
    assert first == f"a.jpg has no place: {NO_FIX}"
    assert second.startswith("4 photos have no place: only 40–43 features found")


def test_nothing_said_is_nothing_told() -> None:
    assert told([]) == []


@pytest.mark.parametrize("language", ["nl", "fr"])
@pytest.mark.parametrize("count", [1, 12])
def test_what_is_told_of_photos_reaches_every_reader_in_his_language(
    count: int, language: Language
) -> None:
    faults = [(name, NO_FIX) for name in NAMES[:count]]
    lost = [(name, FEW.format(43 + i)) for i, name in enumerate(NAMES[:count])]
    for said in (*told(faults), *told(lost, ONE_LOST, MANY_LOST)):
        form = translated(said, language)
        assert known(said), form
        assert NAMES[0] in form
        assert form != said


@pytest.mark.parametrize("language", ["nl", "fr"])
def test_why_no_photo_could_be_oriented_is_said_in_every_language(language: Language) -> None:
    lost = [("odd one.png", "shares no view with any other photo")]
    lost += [(name, FEW.format(43 + i)) for i, name in enumerate(NAMES[:9])]
    lost += [
        (name, "overlaps other photos but too weakly to be placed among them") for name in NAMES
    ]
    error = SceneError(
        "sfm",
        f"no three photos could be oriented ({BETWEEN_FAULTS.join(told(lost))})",
        help="Photos of a scene must overlap by 60 % or more and show structure; take more photos, "
        "or leave out those of other places",
    )
    form = translated(str(error), language)
    assert known(str(error)), form
    assert "43–51" in form
    assert "odd one.png" in form
