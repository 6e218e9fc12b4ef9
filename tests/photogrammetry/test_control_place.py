"""Control of another place, another system or another zero is told apart from wrong points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from droneteam.errors import SceneError
from droneteam.geo import GeoPoint
from droneteam.photogrammetry.cameras import control_place
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.control import Control, SurveyPoint
from droneteam.photogrammetry.scene import CameraNetwork
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import ORIGIN, Network, control_of, photo_inputs, sfm_result
from tests.photogrammetry.test_adjust import CHECKS, CONTROL, strong

RTK_M = (0.015, 0.015, 0.03)
FAR = np.full((1, 3), np.inf)


def moved(control: Control, by: Callable[[GeoPoint], GeoPoint], *names: str) -> Control:
    """The control with the named points (all without a name) elsewhere."""
    points = tuple(
        replace(p, position=by(p.position))
        if p.position is not None and (not names or p.name in names)
        else p
        for p in control.points
    )
    return replace(control, points=points)


def exchanged(at: GeoPoint) -> GeoPoint:
    return GeoPoint(at.lon_deg, at.lat_deg, at.alt_ellipsoid_m)


def adjusted(truth: Network, control: Control) -> CameraNetwork:
    photos = photo_inputs(truth, sigma_m=RTK_M, seed=2)
    return adjust(sfm_result(truth, noise_px=0.4, seed=1), photos, control)


def check_errors_m(net: CameraNetwork) -> np.ndarray:
    rows = [row.residual_enu_m for row in net.accuracy.rows if row.role == "check"]
    assert len(rows) == len(CHECKS)
    return np.abs(np.array(rows))


def test_exchanged_columns_are_an_error_that_says_so() -> None:
    truth = strong()
    control = moved(control_of(truth, CONTROL, seed=3), exchanged)
    with pytest.raises(SceneError) as caught:
        adjusted(truth, control)
    assert "once latitude and longitude are exchanged" in str(caught.value)
    assert "x (east or longitude)" in str(caught.value)


def test_control_in_another_system_counts_alone_and_its_distance_is_told() -> None:
    truth = strong()
    control = moved(
        control_of(truth, CONTROL, seed=3, checks=CHECKS),
        lambda at: replace(at, lon_deg=at.lon_deg + 6.0),
    )
    net = adjusted(truth, control)
    said = [text for text in net.accuracy.warnings if "from the photos' positions" in text]
    assert len(said) == 1
    assert "422 km" in said[0]
    assert known(said[0])
    assert not any(row.rejected for row in net.accuracy.rows)
    assert net.frame.origin is not None
    assert net.frame.origin.lon_deg == pytest.approx(ORIGIN.lon_deg + 6.0, abs=1e-3)
    assert 0.001 < check_errors_m(net).max() < 0.08


def test_heights_above_another_zero_accuse_no_point() -> None:
    truth = strong()
    control = moved(
        control_of(truth, CONTROL, seed=3, checks=CHECKS),
        lambda at: replace(at, alt_ellipsoid_m=at.alt_ellipsoid_m - 44.5),
    )
    net = adjusted(truth, control)
    assert not any(row.rejected for row in net.accuracy.rows)
    said = [text for text in net.accuracy.warnings if "above the geoid" in text]
    assert len(said) == 1
    assert "about 44.5 m above" in said[0]
    assert known(said[0])
    assert net.accuracy.sigma_frame_m is not None
    assert max(net.accuracy.sigma_frame_m) < 0.02, "it rests on the control alone"
    assert 0.001 < check_errors_m(net).max() < 0.08


def test_one_row_with_exchanged_columns_moves_neither_frame_nor_scene() -> None:
    truth = strong()
    control = moved(control_of(truth, CONTROL, seed=3, checks=CHECKS), exchanged, "gcp1")
    net = adjusted(truth, control)
    assert [row.name for row in net.accuracy.rows if row.rejected] == ["gcp1"]
    assert net.frame.origin is not None
    assert net.frame.origin.lat_deg == pytest.approx(ORIGIN.lat_deg, abs=1e-3)
    assert 0.001 < check_errors_m(net).max() < 0.08


def test_two_points_with_each_others_names_are_named_as_such() -> None:
    truth = strong()
    control = control_of(truth, CONTROL, seed=3)
    at = {p.name: p.position for p in control.points}
    points = tuple(
        replace(p, position=at[{"gcp2": "gcp4", "gcp4": "gcp2"}.get(p.name, p.name)])
        for p in control.points
    )
    net = adjusted(truth, replace(control, points=points))
    assert {row.name for row in net.accuracy.rows if row.rejected} == {"gcp2", "gcp4"}
    said = [text for text in net.accuracy.warnings if "exchange their names" in text]
    assert len(said) == 1
    assert "gcp2" in said[0]
    assert "gcp4" in said[0]
    assert known(said[0])


@pytest.mark.slow
def test_two_wrong_points_are_not_taken_for_exchanged_ones() -> None:
    truth = strong()
    control = control_of(truth, CONTROL, seed=3)
    wrong = moved(control, lambda at: replace(at, lat_deg=at.lat_deg + 2e-5), "gcp2", "gcp4")
    net = adjusted(truth, wrong)
    assert {row.name for row in net.accuracy.rows if row.rejected} == {"gcp2", "gcp4"}
    assert not any("exchange their names" in text for text in net.accuracy.warnings)


@pytest.mark.parametrize(
    ("off_m", "opens"),
    [
        ((0.0, 0.0, 0.0), (False, False, False)),
        ((0.5, 0.0, -3.5), (False, False, False)),
        ((0.0, 0.0, 44.5), (False, False, True)),
        ((90.0, -60.0, 2.0), (True, True, False)),
    ],
)
def test_a_shift_is_freed_only_where_an_unadjusted_network_cannot_explain_it(
    off_m: tuple[float, float, float], opens: tuple[bool, bool, bool]
) -> None:
    placed = np.array([[0.0, 0.0, 30.0], [9.0, 0.0, 31.0], [0.0, 9.0, 30.0]])
    sigma = np.tile(RTK_M, (3, 1))
    found = control_place.shift_against(
        placed, placed + off_m, sigma, np.zeros((4, 3)), same_datum=True
    )
    assert (found.sigma_m >= control_place.SHIFT_SIGMA_M).tolist() == list(opens)
    assert (found.sigma_m >= control_place.SAME_DATUM_SHIFT_M).all()
    assert bool(found.warnings) == (opens == (False, False, True))


def test_without_positions_nothing_shifts() -> None:
    found = control_place.shift_against(
        np.zeros((1, 3)), np.zeros((1, 3)), FAR, np.zeros((3, 3)), same_datum=False
    )
    assert not found.sigma_m.any()
    assert found.warnings == ()


def test_control_of_a_local_survey_is_nowhere() -> None:
    point = SurveyPoint("a", "control", None, (0.0, 0.0, 0.0))
    photos = photo_inputs(strong(), sigma_m=RTK_M, seed=2)
    assert control_place.require_not_exchanged([point], photos) == ()
