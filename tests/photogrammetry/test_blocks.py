"""Blocks cover every photo, join where they agree and nowhere else, and one adjustment straightens.

Networks of known truth; a pixel on the ground is 21 mm.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.photogrammetry.cameras.block_mapping import adjusted
from droneteam.photogrammetry.cameras.blocks import join, partition
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup
from droneteam.photogrammetry.scene import FloatArray
from tests.photogrammetry import block_network
from tests.photogrammetry.block_network import (
    START_CAMERA,
    aligned_rms,
    block,
    centre_rms_m,
    field,
    observed,
)
from tests.photogrammetry.networks import Network, photo_inputs

NOISE_PX = 0.5


@cache
def small() -> tuple[Network, FloatArray]:
    """81 photos."""
    truth = field(side=9, n_points=1500)
    return truth, observed(truth, NOISE_PX, seed=1)


def names(truth: Network) -> list[str]:
    return [view.name for view in truth.views]


def cut(truth: Network, pixels: FloatArray, size: int, bend: float = 0.0) -> list[SfmGroup]:
    parts = partition(len(truth.views), block_network.links(truth), size)
    return [
        block(truth, pixels, part, seed=10 + n, bend=bend * (-1) ** n)
        for n, part in enumerate(parts)
    ]


def photos(truth: Network, *, known: bool = False) -> list[PhotoInput]:
    return photo_inputs(truth, sigma_m=None, seed=0, known=known)


def observations(group: SfmGroup) -> set[tuple[str, float, float]]:
    cloud = group.sparse
    return {
        (group.views[view].name, float(x), float(y))
        for view, (x, y) in zip(cloud.track_views, cloud.track_pixels, strict=True)
    }


# --- the partition ----------------------------------------------------------------------------


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 39), st.integers(0, 39)).filter(lambda p: p[0] < p[1]),
        st.integers(1, 500),
        max_size=150,
    ),
    st.integers(4, 20),
)
@settings(max_examples=40, deadline=None)
def test_every_linked_photo_is_in_a_block_and_none_is_too_large(
    links: dict[tuple[int, int], int], size: int
) -> None:
    parts = partition(40, links, size)
    linked = {i for pair in links for i in pair}
    assert {i for part in parts for i in part} == linked
    assert all(len(part) <= size + max(12, np.ceil(0.3 * size)) for part in parts)
    assert all(part == sorted(set(part)) for part in parts)
    assert parts == partition(40, dict(reversed(links.items())), size), "order does not matter"


def test_a_set_that_fits_is_one_block() -> None:
    links = {(i, i + 1): 50 for i in range(9)}
    assert partition(10, links, 10) == [list(range(10))]


def test_the_cut_goes_through_the_weak_link() -> None:
    """Two tight groups of ten that two weak pairs join."""
    links = {(i, j): 300 for k in (0, 10) for i in range(k, k + 10) for j in range(i + 1, k + 10)}
    links |= {(9, 10): 16, (3, 14): 16}
    parts = partition(20, links, 12, overlap=0.0)
    assert sorted(parts) == [list(range(10)), list(range(10, 20))]
    grown = sorted(partition(20, links, 12, overlap=0.1))
    assert set(grown[0]) >= {*range(10), 10, 14}
    assert set(grown[1]) >= {*range(10, 20), 9, 3}


def test_separate_places_are_never_in_one_block() -> None:
    links = {(i, j): 40 for k in (0, 6) for i in range(k, k + 6) for j in range(i + 1, k + 6)}
    assert sorted(partition(12, links, 50)) == [list(range(6)), list(range(6, 12))]


def test_neighbouring_blocks_share_photos() -> None:
    truth, _ = small()
    parts = partition(len(truth.views), block_network.links(truth), 30)
    assert 3 <= len(parts) <= 5
    for part in parts:
        assert max(len(set(part) & set(other)) for other in parts if other is not part) >= 6


# --- joining ----------------------------------------------------------------------------------


def test_joined_blocks_have_every_photo_and_every_observation_once() -> None:
    """Against the tracks of the whole network, mapped at once."""
    truth, pixels = small()
    (group,) = join(cut(truth, pixels, 30), names(truth))
    linked = sorted({i for pair in block_network.links(truth) for i in pair})
    whole = block(truth, pixels, linked, seed=3)
    assert [view.name for view in group.views] == [names(truth)[i] for i in linked]
    assert group.mapper == "blocks"
    found, expected = observations(group), observations(whole)
    assert len(found) == len(group.sparse.track_views), "no observation twice"
    assert found <= expected
    assert len(found) > 0.98 * len(expected), "all but points seen once in every block"
    longest = np.diff(group.sparse.track_offsets).max()
    assert longest == np.diff(whole.sparse.track_offsets).max(), "tracks run across blocks"


def test_blocks_without_bending_join_to_the_truth() -> None:
    truth, pixels = small()
    (group,) = join(cut(truth, pixels, 30), names(truth))
    assert centre_rms_m(group, truth) < 0.05


def test_a_block_that_contradicts_the_others_stays_apart() -> None:
    """Its photos are the others', its world is another: half the scale along one axis."""
    truth, pixels = small()
    blocks = cut(truth, pixels, 30)
    odd = blocks[-1]
    squeezed = odd.sparse.points_enu_m * [1.0, 1.0, 0.2]
    rng = np.random.default_rng(5)
    wrong = replace(odd, sparse=replace(odd.sparse, points_enu_m=rng.permutation(squeezed)))
    groups = join([*blocks[:-1], wrong], names(truth))
    joined = {view.name for view in groups[0].views}
    assert joined == {view.name for b in blocks[:-1] for view in b.views}
    assert centre_rms_m(groups[0], truth) < 0.1


def test_blocks_of_two_places_stay_two_groups() -> None:
    truth, pixels = small()
    left = [i for i, v in enumerate(truth.views) if v.centre_enu_m[0] < -15.0]
    right = [i for i, v in enumerate(truth.views) if v.centre_enu_m[0] > 5.0]
    groups = join(
        [block(truth, pixels, part, seed=n) for n, part in enumerate((left, right))], names(truth)
    )
    found = [{view.name for view in group.views} for group in groups]
    expected = [{truth.views[i].name for i in part} for part in (left, right)]
    assert sorted(found, key=len) == sorted(expected, key=len)


def test_a_track_that_shows_one_photo_twice_loses_that_photo() -> None:
    """Two tracks of the first block meet in one of the second."""
    truth, pixels = small()
    first, second = (block(truth, pixels, part, seed=n) for n, part in
                     enumerate((range(45), range(36, 81))))  # fmt: skip
    cloud = first.sparse
    owner = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    both = np.flatnonzero(np.isin(cloud.track_views, range(36, 45)))
    a, b = both[0], both[owner[both] != owner[both[0]]][0]
    swapped = cloud.track_pixels.copy()
    swapped[[a, b]] = swapped[[b, a]]
    mixed = replace(first, sparse=replace(cloud, track_pixels=swapped))
    (group,) = join([mixed, second], names(truth))
    table = np.column_stack(
        [
            np.repeat(
                np.arange(len(group.sparse.points_enu_m)), np.diff(group.sparse.track_offsets)
            ),
            group.sparse.track_views,
        ]
    )
    assert len(np.unique(table, axis=0)) == len(table)


# --- the one adjustment -----------------------------------------------------------------------


def test_one_adjustment_straightens_bent_blocks_to_what_noise_allows() -> None:
    """Every block is bent by 0.4 m at 14 m; after the adjustment a pixel's tenth is left."""
    truth, pixels = small()
    (group,) = join(cut(truth, pixels, 30, bend=2e-3), names(truth))
    assert centre_rms_m(group, truth) > 0.08
    done = adjusted(group, photos(truth))
    assert centre_rms_m(done, truth) < 0.015
    assert 0.55 * np.sqrt(2) * NOISE_PX < done.reprojection_px < 1.05 * np.sqrt(2) * NOISE_PX
    focals = {view.camera.params for view in done.views}
    (params,) = focals
    assert params[0] == pytest.approx(1420.0, rel=2e-3)
    assert params[3] == pytest.approx(-0.02, abs=2e-3)


def test_blocks_and_one_block_give_the_same_answer() -> None:
    """Both adjusted: what is left between them is far below what noise leaves in each."""
    truth, pixels = small()
    (joined,) = join(cut(truth, pixels, 30, bend=1e-3), names(truth))
    members = [names(truth).index(view.name) for view in joined.views]
    whole = adjusted(block(truth, pixels, members, seed=3), photos(truth))
    apart = adjusted(joined, photos(truth))
    one, many = (np.array([view.centre_enu_m for view in group.views]) for group in (whole, apart))
    metres = block_network.similarity(3).scale
    assert aligned_rms(many, one) / metres < 0.008
    assert centre_rms_m(whole, truth) < 0.015


def test_a_given_calibration_is_held_in_the_adjustment() -> None:
    truth, pixels = small()
    exact = [block(truth, pixels, part, seed=n, camera=truth.views[0].camera)
             for n, part in enumerate(partition(81, block_network.links(truth), 30))]  # fmt: skip
    (group,) = join(exact, names(truth))
    done = adjusted(group, photos(truth, known=True))
    assert {view.camera for view in done.views} == {truth.views[0].camera}
    assert START_CAMERA not in {view.camera for view in done.views}
    assert centre_rms_m(done, truth) < 0.015


@pytest.mark.slow
def test_four_hundred_photos_in_blocks() -> None:
    """20 × 20 photos in blocks of about 100, each bent the other way."""
    truth = field(side=20, n_points=6000)
    pixels = observed(truth, NOISE_PX, seed=2)
    blocks = cut(truth, pixels, 100, bend=1e-3)
    assert 4 <= len(blocks) <= 7
    (group,) = join(blocks, names(truth))
    assert len(group.views) == 400
    done = adjusted(group, photos(truth))
    assert centre_rms_m(done, truth) < 0.03
    assert done.reprojection_px == pytest.approx(np.sqrt(2) * NOISE_PX, rel=0.1)
