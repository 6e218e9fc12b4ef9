"""Texts on a drawing do not hide each other and stay near what they name."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.photogrammetry.export.labels import LETTER_MM, LINE_MM, corners, meet, spread


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


def test_a_turned_text_gives_way_along_its_line() -> None:
    start = np.array([4.0, 4.0 * np.sqrt(3.0)])
    at = spread([(0.0, 0.0), start.tolist()], ["x" * 4, "y" * 20], [-50.0, 60.0])
    moved = at[1] - start
    assert abs(np.cross(np.append(moved, 0.0), [0.5, np.sqrt(0.75), 0.0])[2]) < 1e-9
    assert LINE_MM / 2 <= np.linalg.norm(moved) <= LETTER_MM * 20


def test_what_is_taken_is_passed() -> None:
    name = corners(np.array([0.0, 0.0]), 20.0, LINE_MM, 0.0)
    at = spread([(5.0, 1.0)], ["area: 4 m²"], [0.0], [name])
    assert abs(at[0, 1]) >= LINE_MM - 1e-9


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    st.floats(-90, 90), st.floats(-90, 90), st.floats(1, 30), st.floats(1, 30),
)  # fmt: skip
def test_turned_boxes_meet_where_a_point_lies_in_both(
    away: tuple[float, float], turn_a: float, turn_b: float, wide_a: float, wide_b: float
) -> None:
    """Brute force: a fine grid of one box's points, tested in the other's own axes."""
    a = corners(np.zeros(2), wide_a, LINE_MM, turn_a)
    b = corners(np.array(away), wide_b, LINE_MM, turn_b)
    u, v = np.meshgrid(np.linspace(0, 1, 120), np.linspace(0, 1, 60))
    inside_a = a[0] + u.ravel()[:, None] * (a[1] - a[0]) + v.ravel()[:, None] * (a[3] - a[0])
    turn = np.radians(turn_b)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    own = np.abs((inside_a - away) @ axes.T)
    deep = (own < np.array([wide_b, LINE_MM]) / 2 - 0.3).all(axis=1).any()
    near = (own < np.array([wide_b, LINE_MM]) / 2 + 0.3).all(axis=1).any()
    assert meet(a, b) <= near
    assert meet(a, b) >= deep
