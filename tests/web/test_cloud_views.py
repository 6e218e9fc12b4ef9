"""Pictures of a cloud and the points behind them, against a picture drawn point by point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from droneteam.errors import InputError, NotFound
from droneteam.web.cloud_views import (
    PICTURE_PX,
    REACH_PX,
    VIEWS,
    drawn,
    point_behind,
    project,
)
from droneteam.web.points import POINT

BACKGROUND = (16, 22, 29)


def cloud(count: int = 3000, seed: int = 5) -> np.ndarray[Any, Any]:
    """Points in a box, each with a colour that no other one has."""
    rng = np.random.default_rng(seed)
    made = np.zeros(count, POINT)
    made["xyz"] = rng.uniform((-20, -12, -3), (20, 12, 8), (count, 3))
    number = np.arange(1, count + 1)
    made["rgb"] = np.column_stack([number % 256, number // 256, np.full(count, 200)])
    return made


def index_of(colour: np.ndarray[Any, Any]) -> int:
    return int(colour[0]) + 256 * int(colour[1]) - 1


@pytest.mark.parametrize("view", list(VIEWS))
def test_a_tap_on_a_pixel_gives_the_point_that_was_drawn_there(view: str) -> None:
    points = cloud()
    image = drawn(points, view)
    rows, columns = np.nonzero(np.any(image != BACKGROUND, axis=2))
    agreed = 0
    picks = np.random.default_rng(1).choice(len(rows), 400, replace=False)
    for row, column in zip(rows[picks], columns[picks], strict=True):
        found = point_behind(points, view, float(column), float(row))
        assert found is not None
        shown = points["xyz"][index_of(image[row, column])]
        agreed += np.allclose(found.place, shown, atol=1e-6)
    # On the border of two points' squares rounding may give either.
    assert agreed >= 0.97 * len(picks)


@pytest.mark.parametrize("view", list(VIEWS))
def test_a_tap_beside_all_points_takes_the_nearest_in_reach_or_none(view: str) -> None:
    points = cloud(60)
    flat = project(points["xyz"], view)
    width, height = PICTURE_PX
    met = missed = 0
    for column, row in np.random.default_rng(2).uniform((0, 0), (width, height), (500, 2)):
        off_px = [
            float(np.hypot(c - column, r - row))
            for c, r in zip(flat.columns, flat.rows, strict=True)
        ]
        found = point_behind(points, view, column, row)
        if min(off_px) > REACH_PX + 0.01:
            assert found is None
            missed += 1
        elif 3.0 < min(off_px) < REACH_PX - 0.01:
            assert found is not None
            assert found.place == pytest.approx(points["xyz"][int(np.argmin(off_px))])
            met += 1
    assert met > 3
    assert missed > 300


def test_the_front_of_two_points_behind_each_other_is_taken() -> None:
    points = cloud(200)
    points["xyz"][:2] = [(1.0, 2.0, -1.0), (1.0, 2.0, 5.0)]
    flat = project(points["xyz"], "top")
    found = point_behind(points, "top", float(flat.columns[0]), float(flat.rows[0]))
    assert found is not None
    assert found.place == (1.0, 2.0, 5.0)


def test_a_point_is_found_again_where_the_other_pictures_show_it() -> None:
    points = cloud(200)
    flat = project(points["xyz"], "south")
    for index in range(20):
        found = point_behind(points, "south", float(flat.columns[index]), float(flat.rows[index]))
        assert found is not None
        assert set(found.pixels) == set(VIEWS)
        # From above, columns are the same as from the south only if both scales are; east is east.
        for view, (column, row) in found.pixels.items():
            again = project(points["xyz"], view)
            place = int(np.argmin(np.hypot(again.columns - column, again.rows - row)))
            assert points["xyz"][place] == pytest.approx(found.place)


def test_places_outside_the_picture_and_other_views_are_refused() -> None:
    for column, row in ((-1.0, 5.0), (5.0, 641.0), (float("nan"), 5.0)):
        with pytest.raises(InputError, match="outside"):
            point_behind(cloud(10), "top", column, row)
    with pytest.raises(NotFound):
        project(cloud(10)["xyz"], "west")


def test_an_empty_cloud_has_no_point_behind_its_picture() -> None:
    assert point_behind(np.zeros(0, POINT), "top", 10.0, 10.0) is None
