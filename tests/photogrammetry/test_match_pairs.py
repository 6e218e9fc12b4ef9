"""Which photos are matched with which."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.photogrammetry.cameras.match_pairs import (
    choose_pairs,
    connected_groups,
    exhaustive_pairs,
    position_pairs,
    sequential_pairs,
)


def strips(n_strips: int, per_strip: int, across_m: float, along_m: float) -> np.ndarray:
    return np.array(
        [(across_m * s, along_m * i, 40.0) for s in range(n_strips) for i in range(per_strip)]
    )


def test_few_photos_are_all_matched() -> None:
    assert choose_pairs(np.full((5, 3), np.nan), 40, 20) == exhaustive_pairs(5)
    assert len(exhaustive_pairs(40)) == 780


@given(
    st.integers(2, 6), st.integers(15, 40), st.floats(5.0, 60.0), st.floats(0.5, 5.0),
    st.integers(4, 20),
)  # fmt: skip
@settings(deadline=None, max_examples=30)
def test_strips_are_linked_however_far_apart(
    n_strips: int, per_strip: int, across_m: float, along_m: float, neighbours: int
) -> None:
    centres = strips(n_strips, per_strip, across_m, along_m)
    pairs = position_pairs(centres, neighbours)
    assert len(connected_groups(len(centres), pairs)) == 1
    assert all(i < j for i, j in pairs)
    assert len(set(pairs)) == len(pairs)


def test_most_photos_of_a_block_are_matched_with_the_next_strip() -> None:
    centres = strips(4, 25, 12.0, 3.0)
    pairs = position_pairs(centres, 16)
    linked = {i for i, j in pairs if i // 25 != j // 25} | {
        j for i, j in pairs if i // 25 != j // 25
    }
    assert len(linked) > 95


def test_the_number_of_pairs_grows_with_the_photos_not_their_square() -> None:
    pairs = choose_pairs(strips(10, 50, 10.0, 3.0), 40, 20)
    assert 500 * 10 < len(pairs) < 500 * 25


def test_photos_without_positions_are_matched_in_their_order() -> None:
    pairs = choose_pairs(np.full((100, 3), np.nan), 40, 20)
    assert len(connected_groups(100, pairs)) == 1
    assert (0, 1) in pairs
    assert any(j - i >= 40 for i, j in pairs)


def test_a_photo_without_position_among_others_is_matched_too() -> None:
    centres = strips(3, 20, 10.0, 3.0)
    centres[30] = np.nan
    pairs = choose_pairs(centres, 40, 10)
    assert sum(30 in pair for pair in pairs) >= 5


def test_sequences_reach_back_by_doubling_steps() -> None:
    steps = {j - i for i, j in sequential_pairs(70, 5)}
    assert steps == {1, 2, 3, 4, 5, 10, 20, 40}


def test_groups_come_largest_first() -> None:
    assert connected_groups(6, [(4, 5), (0, 1), (1, 2)]) == [[0, 1, 2], [4, 5], [3]]


def street(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A walk along a street: at every step one photo of each side; where they stand and look."""
    steps = np.repeat(np.arange(n), 2)
    centres = np.column_stack([0.1 * (np.arange(2 * n) % 2), 2.0 * steps, np.full(2 * n, 1.7)])
    side = np.where(np.arange(2 * n) % 2, 1.0, -1.0)
    return centres, np.column_stack([side, np.zeros(2 * n), np.zeros(2 * n)])


def test_photos_taken_back_to_back_are_not_matched_but_for_a_link() -> None:
    centres, looks = street(40)
    blind, seeing = (position_pairs(centres, 10, given) for given in (None, looks))
    across = [[(i + j) % 2 for i, j in pairs] for pairs in (blind, seeing)]
    assert np.mean(across[0]) > 0.3
    assert np.mean(across[1]) < 0.1
    assert len(connected_groups(80, seeing)) == 1


def test_a_row_of_one_side_reaches_farther_along_it_instead() -> None:
    centres, looks = street(40)
    reach = [
        np.median([abs(i - j) for i, j in position_pairs(centres, 10, given) if not (i + j) % 2])
        for given in (None, looks)
    ]
    assert reach[1] > 1.3 * reach[0]


def test_oblique_photos_stay_tied_to_those_straight_down() -> None:
    block = strips(5, 12, 8.0, 4.0)
    turns = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
    ring = np.column_stack([16 + 22 * np.cos(turns), 22 + 22 * np.sin(turns), np.full(20, 38.0)])
    down = np.tile([0.0, 0.0, -1.0], (60, 1))
    aslant = np.column_stack([-np.cos(turns), -np.sin(turns), np.full(20, -1.0)]) / np.sqrt(2.0)
    pairs = position_pairs(np.vstack([block, ring]), 16, np.vstack([down, aslant]))
    tied = {j for i, j in pairs if i < 60 <= j}
    assert len(tied) >= 18


def test_a_photo_that_does_not_say_where_it_looks_is_matched_by_its_place() -> None:
    centres, looks = strips(4, 15, 10.0, 3.0), np.tile([0.0, 0.0, -1.0], (60, 1))
    looks[31] = np.nan
    assert position_pairs(centres, 8, looks) == position_pairs(centres, 8)
    assert position_pairs(centres, 8, np.full((60, 3), np.nan)) == position_pairs(centres, 8)
