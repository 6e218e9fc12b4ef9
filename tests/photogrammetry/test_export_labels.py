"""Texts on a drawing do not hide each other and stay near what they name."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.photogrammetry.export.labels import LETTER_MM, LINE_MM, spread


def boxes(places: np.ndarray, texts: list[str]) -> np.ndarray:
    """(n, 4) left, top, right, bottom of level texts."""
    half = np.array([[LETTER_MM * len(text), LINE_MM] for text in texts]) / 2.0
    return np.hstack([places - half, places + half])


def overlaps(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a[:2] < b[2:] - 1e-9).all() and (b[:2] < a[2:] - 1e-9).all())


def test_a_lone_text_stays_where_it_is() -> None:
    np.testing.assert_array_equal(
        spread([(10.0, 20.0)], ["skid 1: 12.8 m"], [30.0]), [[10.0, 20.0]]
    )


def test_two_texts_of_one_place_stand_below_each_other() -> None:
    at = spread([(10.0, 20.0)] * 2, ["glass: 171 m² ± 16", "angle: 165°"], [0.0, 0.0])
    assert at[0].tolist() == [10.0, 20.0]
    assert at[1, 0] == 10.0
    assert LINE_MM <= abs(at[1, 1] - 20.0) <= 1.5 * LINE_MM


def test_texts_far_apart_are_left_alone() -> None:
    places = [(0.0, 0.0), (100.0, 0.0), (0.0, 50.0)]
    np.testing.assert_array_equal(spread(places, ["a", "b", "c"], [0.0] * 3), places)


def test_an_upright_text_is_passed_at_its_length() -> None:
    long = "x" * 20
    at = spread([(0.0, 0.0), (0.0, 8.0)], [long, "y"], [90.0, 0.0])
    assert abs(at[1, 1]) >= (LETTER_MM * 20 + LINE_MM) / 2 - 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.floats(0, 60), st.integers(1, 25)), min_size=1, max_size=8
    )
)
def test_no_two_of_a_few_texts_overlap(rows: list[tuple[float, float, int]]) -> None:
    texts = ["m" * n for _, _, n in rows]
    at = spread([(x, y) for x, y, _ in rows], texts, [0.0] * len(rows))
    found = boxes(at, texts)
    for i in range(len(rows)):
        assert not any(overlaps(found[i], found[j]) for j in range(i))
        assert at[i, 0] == rows[i][0]


def test_nothing_to_place() -> None:
    assert spread([], [], []).shape == (0, 2)
