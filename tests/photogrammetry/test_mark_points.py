"""A mark on the wrong nail is left out and named; the point stays where the others put it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras.consensus import GROSS_SIGMA, agreed_point
from droneteam.photogrammetry.cameras.locate import locate
from droneteam.photogrammetry.cameras.mark_points import check_marks, mark_consensus, rough_points
from droneteam.photogrammetry.cameras.mark_points import marks_in as marks_of
from droneteam.photogrammetry.cameras.triangulation import intersect, optics
from droneteam.photogrammetry.control import Control, Mark
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import Network, control_of
from tests.photogrammetry.test_consensus import marks_in, ring, shifted

SIGMA_PX = 0.3


def seen_by_all() -> Network:
    """A ring of eight photos; every point near the middle is in all of them."""
    return networks.network(networks.orbit_poses(), half_width_m=4.0, n_points=20, seed=2)


def observed(truth: Network, photos: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(m,) views and (m, 2) noisy pixels of the first point."""
    rng = np.random.default_rng(seed)
    views = np.arange(photos)
    return views, truth.pixels[views, 0] + rng.normal(0.0, SIGMA_PX, (photos, 2))


def agreed(truth: Network, views: np.ndarray, pixels: np.ndarray):
    return agreed_point(optics(truth.views), views, pixels, np.full(len(views), SIGMA_PX))


def test_marks_that_agree_give_the_least_squares_point() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 8)
    found = agreed(truth, views, pixels)
    plain = intersect(optics(truth.views), views, pixels, np.full(8, SIGMA_PX))
    assert found is not None
    assert plain is not None
    assert found.agrees.all()
    np.testing.assert_array_equal(found.found.point, plain.point)


@pytest.mark.parametrize("off_px", [(30.0, 0.0), (1700.0, 40.0), (-300.0, 500.0)])
@pytest.mark.parametrize("photos", [4, 5, 8])
def test_one_wrong_mark_does_not_move_the_point(photos: int, off_px: tuple[float, float]) -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, photos)
    pixels[1] += off_px
    found = agreed(truth, views, pixels)
    assert found is not None
    assert np.flatnonzero(~found.agrees).tolist() == [1]
    assert found.off_px[1] == pytest.approx(np.hypot(*off_px), rel=0.05)
    error_m = np.linalg.norm(found.found.point - truth.points[0])
    assert 0.0 < error_m < 0.03  # 0.3 px at 31 m; least squares over all is metres off


def test_least_squares_over_all_marks_would_be_far_off() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 8)
    pixels[1] += 400.0
    plain = intersect(optics(truth.views), views, pixels, np.full(8, SIGMA_PX))
    assert plain is None or np.linalg.norm(plain.point - truth.points[0]) > 0.3


def test_a_minority_of_three_in_eight_is_left_out() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 8)
    pixels[[0, 3, 6]] += [[80.0, 10.0], [-200.0, 90.0], [5.0, 60.0]]
    found = agreed(truth, views, pixels)
    assert found is not None
    assert np.flatnonzero(~found.agrees).tolist() == [0, 3, 6]


def test_two_marks_that_contradict_each_other_are_not_decided() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 2)
    pixels[0] += 300.0
    assert agreed(truth, views, pixels) is None


def test_two_halves_that_see_different_points_are_not_decided() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 8)
    pixels[4:] = truth.pixels[4:8, 1]
    assert agreed(truth, views, pixels) is None


def test_tolerance_grows_with_what_the_cameras_may_be_off() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 8)
    pixels[1] += [12.0, 0.0]
    strict = agreed(truth, views, pixels)
    sigma, cameras = np.full(8, SIGMA_PX), np.full(8, 15.0 / GROSS_SIGMA)
    loose = agreed_point(optics(truth.views), views, pixels, sigma, cameras)
    assert strict is not None
    assert loose is not None
    assert not strict.agrees[1]
    assert loose.agrees.all()


def with_wrong_mark(control: Control, index: int, x_px: float) -> tuple[Control, Mark]:
    marks = list(control.marks)
    marks[index] = replace(marks[index], x_px=x_px)
    return replace(control, marks=tuple(marks)), marks[index]


def test_a_control_points_wrong_mark_is_named_with_its_photo_and_not_used() -> None:
    truth = seen_by_all()
    control, wrong = with_wrong_mark(control_of(truth, [0, 1, 2], seed=3), 3, 5.0)
    found = rough_points(control, truth.views)
    assert wrong not in found.marks
    assert len(found.marks) == len(control.marks) - 1
    (note,) = found.notes
    assert f"mark of {wrong.point} in {wrong.photo} lies " in note
    assert known(note)
    assert np.linalg.norm(found.points[wrong.point] - truth.points[0]) < 0.05


def test_check_points_are_judged_apart_from_control() -> None:
    truth = seen_by_all()
    control, wrong = with_wrong_mark(control_of(truth, [0, 1, 2], seed=3, checks=(0,)), 3, 5.0)
    assert rough_points(control, truth.views).notes == ()
    judged = check_marks(control, truth.views)
    assert wrong not in judged.marks
    assert len(judged.marks) == len(control.marks) - 1
    assert len(judged.notes) == 1
    assert wrong.photo in judged.notes[0]


def test_points_without_enough_marks_are_named() -> None:
    truth = seen_by_all()
    control = control_of(truth, [0, 1], seed=3, checks=(1,))
    first = {m.point: m for m in reversed(control.marks)}
    control = replace(control, marks=(first["gcp0"],))
    assert "one oriented photo only (photo_000.jpg)" in rough_points(control, truth.views).notes[0]
    assert "not marked in any oriented photo" in check_marks(control, truth.views).notes[0]
    notes = (*rough_points(control, truth.views).notes, *check_marks(control, truth.views).notes)
    assert all(known(note) for note in notes)


def test_marks_that_contradict_each_other_are_named_with_their_photos() -> None:
    truth = seen_by_all()
    control = control_of(truth, [0, 1], seed=3)
    wrong, _ = with_wrong_mark(control, 0, 5.0)
    two = [m for m in wrong.marks if m.point == "gcp0"][:2]
    rest = [m for m in wrong.marks if m.point != "gcp0"]
    found = rough_points(replace(control, marks=(*two, *rest)), truth.views)
    (note,) = found.notes
    assert note.startswith("gcp0: its 2 marks contradict each other (photo_000.jpg, photo_001.jpg)")
    assert known(note)
    assert set(found.points) == {"gcp1"}


@pytest.mark.parametrize("seed", range(4))
def test_checks_and_measurements_leave_out_the_same_marks(seed: int) -> None:
    """One rule: what a check point does not use, a distance to it does not use either."""
    net = ring(6)
    rng = np.random.default_rng(seed)
    marks = marks_in(net, seed)
    for photo in rng.choice([view.name for view in net.views], seed % 3, replace=False):
        marks = shifted(marks, "a", photo, tuple(rng.uniform(60.0, 400.0, 2)))
    found = mark_consensus(marks_of("a", marks, net.views), net.views, optics(net.views))
    assert found is not None
    located = locate(net, marks, ("a",))
    assert not isinstance(located, str)
    kept = [v.name for v, agrees in zip(net.views, found.agrees, strict=True) if agrees]
    assert len(kept) == 6 - seed % 3
    assert list(located.photos) == kept
    np.testing.assert_allclose(located.points[0], found.found.point, atol=1e-9)


def test_three_marks_of_three_points_are_not_decided() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 3)
    pixels += [[250.0, 0.0], [-100.0, 260.0], [-150.0, -240.0]]
    assert agreed(truth, views, pixels) is None


def test_marks_that_scatter_more_than_stated_all_count() -> None:
    """A rough hand is not a wrong nail: the tolerance follows what most marks show."""
    truth = seen_by_all()
    views = np.arange(8)
    pixels = truth.pixels[views, 0] + np.random.default_rng(5).normal(0.0, 2.5, (8, 2))
    found = agreed(truth, views, pixels)
    assert found is not None
    assert found.agrees.all()
    assert 1.0 < found.off_px.max() < 12.0


def test_the_distances_are_from_the_point_that_is_returned() -> None:
    truth = seen_by_all()
    views, pixels = observed(truth, 8)
    pixels[2] += [90.0, -40.0]
    found = agreed(truth, views, pixels)
    assert found is not None
    own = np.linalg.norm(found.found.residuals, axis=1)
    np.testing.assert_allclose(found.off_px[found.agrees], own, atol=1e-6)
    assert found.off_px[2] == pytest.approx(np.hypot(90.0, 40.0), abs=2.0)


def test_a_mark_outside_its_photo_is_refused_with_the_photos_size() -> None:
    truth = seen_by_all()
    control, _ = with_wrong_mark(control_of(truth, [0], seed=3), 0, 4000.0)
    with pytest.raises(InputError, match=r"photo_000\.jpg.*1600×1200"):
        rough_points(control, truth.views)


def test_marks_of_photos_without_a_place_are_ignored() -> None:
    truth = seen_by_all()
    control = control_of(truth, [0], seed=3)
    marks = (*control.marks, Mark("gcp0", "elsewhere.jpg", 9e9, 0.0))
    found = rough_points(replace(control, marks=marks), truth.views)
    assert found.marks == control.marks
    own = [m for m in marks if m.photo != "elsewhere.jpg"]
    assert mark_consensus(own, truth.views, optics(truth.views)) is not None
