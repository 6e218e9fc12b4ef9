from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import InputError
from sitl.camera import SurveySpec, main, render_survey, survey_shots
from sitl.lens import Pose, SimCamera
from sitl.materials import Material
from sitl.photo import CLICK_SIGMA_PX, clicked, visible_points
from sitl.render import depth_map
from sitl.truth import SURVEY_SIGMA_M, TruthWriter, surface_reference
from sitl.world import World
from tests.sitl_camera.conftest import looking

PHOTOS = 6


@pytest.fixture(scope="module")
def survey(accident: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("survey")
    spec = SurveySpec(photos=PHOTOS, gsd_m=0.06)
    render_survey(accident, out, spec, 1, camera=SimCamera().resized(400))
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_photo_has_a_pose_and_marks(survey: Path) -> None:
    names = sorted(p.name for p in (survey / "images").iterdir())
    assert len(names) == PHOTOS
    assert [row["photo"] for row in rows(survey / "poses.csv")] == names
    assert {row["photo"] for row in rows(survey / "marks.csv")} == set(names)


def test_marks_are_true_projections_with_a_careful_persons_error(survey: Path) -> None:
    """Recomputed from the files alone, with the collinearity equations written out."""
    facts = json.loads((survey / "world.json").read_text())
    f, _, cx, cy, k1, k2, _, _ = facts["camera"]["params"]
    poses = {row["photo"]: row for row in rows(survey / "poses.csv")}
    errors = []
    for mark in rows(survey / "marks.csv"):
        pose = poses[mark["photo"]]
        centre = np.array([float(pose[k]) for k in ("east_m", "north_m", "up_m")])
        rotation = np.array([[float(pose[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
        x, y, z = rotation @ (np.array(facts["points"][mark["point"]]["enu_m"]) - centre)
        r2 = (x / z) ** 2 + (y / z) ** 2
        scale = f * (1 + k1 * r2 + k2 * r2**2) / z
        errors += [float(mark["x_px"]) - cx - scale * x, float(mark["y_px"]) - cy - scale * y]
    assert len(errors) > 100
    assert np.std(errors) == pytest.approx(CLICK_SIGMA_PX, rel=0.25)
    assert np.abs(errors).max() < 5.0 * CLICK_SIGMA_PX


def test_hidden_points_are_not_marked(accident: World) -> None:
    """An independent judge: the depth map's surface at the point's pixel lies at its depth."""
    camera = SimCamera().resized(800)
    names = [p.name for p in accident.points]
    hidden = 0
    for yaw in (0.0, 90.0, 180.0, 270.0):
        back = np.array([-np.sin(np.radians(yaw)), -np.cos(np.radians(yaw)), 0.0])
        east, north, up = 9.0 * back + [0.0, 0.0, 4.0]
        pose = looking((float(east), float(north), float(up)), yaw, -20.0)
        seen, pixels = visible_points(accident, camera, pose)
        depth = depth_map(accident, camera, pose)
        for k, (x, y) in zip(seen, pixels, strict=True):
            window = depth[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
            true = float(pose.to_camera(np.array(accident.points[k].enu_m))[2])
            assert window.max() > true - 0.08, names[k]
        hidden += len(names) - len(seen)
    assert hidden > 10


def test_control_lists_hold_surveyed_coordinates_of_their_kind(
    survey: Path, accident: World
) -> None:
    facts = json.loads((survey / "world.json").read_text())
    for file, kind in (("gcp_list.txt", "gcps"), ("check_list.txt", "check_points")):
        header, *lines = (survey / file).read_text().splitlines()
        assert header == "EPSG:4979"
        assert lines
        for line in lines:
            lon, lat, alt, _, _, photo, name = line.split()
            assert name in facts[kind]
            assert photo.startswith("DJI_")
            enu = accident.frame.enu_from_geodetic(np.array([lat, lon, alt], dtype=float))
            error = enu - accident.point(name).enu_m
            assert 1e-5 < np.linalg.norm(error) < 6.0 * SURVEY_SIGMA_M
            np.testing.assert_allclose(enu, facts["surveyed"][name]["enu_m"], atol=2e-4)


def test_world_facts_state_one_frame_in_two_ways(survey: Path, accident: World) -> None:
    facts = json.loads((survey / "world.json").read_text())
    assert facts["geoid_undulation_m"] == 43.6
    for point in facts["points"].values():
        geodetic = np.array([point["lat_deg"], point["lon_deg"], point["alt_ellipsoid_m"]])
        np.testing.assert_allclose(
            accident.frame.enu_from_geodetic(geodetic), point["enu_m"], atol=1e-6
        )
    assert set(facts["lengths"]) >= {"skid_1", "skid_2", "skid_3", "car_1", "car_2"}


def test_the_reference_surface_lies_on_the_world(accident: World) -> None:
    surface = surface_reference(accident)
    rng = np.random.default_rng(1)
    some = rng.choice(len(surface["points_enu_m"]), 300, replace=False)
    points = surface["points_enu_m"][some].astype(float)
    normals = surface["normals"][some].astype(float)
    distance = accident.first_hits(points + 0.02 * normals, -normals)
    assert (np.abs(distance - 0.02) < 1e-4).mean() > 0.93  # elsewhere another surface is nearer
    assert set(np.unique(surface["labels"])) >= {Material.ASPHALT, Material.CAR_BODY}
    assert len(surface["label_names"]) == len(Material)


def test_the_reference_height_map_is_the_first_surface_from_above(accident: World) -> None:
    surface = surface_reference(accident)
    cell, corner, dsm = surface["dsm_cell_m"], surface["dsm_corner_m"], surface["dsm_m"]
    rng = np.random.default_rng(3)
    i, j = rng.integers(0, dsm.shape[0], 200), rng.integers(0, dsm.shape[1], 200)
    places = corner + (np.stack([j, i], axis=1) + 0.5) * cell
    origins = np.column_stack([places, np.full(200, 80.0)])
    hits = 80.0 - accident.first_hits(origins, np.tile([0.0, 0.0, -1.0], (200, 1)))
    np.testing.assert_allclose(dsm[i, j], hits, atol=1e-4)
    assert (surface["dsm_m"] >= surface["dtm_m"]).all()


def test_a_photo_is_entered_once(accident: World, tmp_path: Path) -> None:
    from sitl.photo import Taken
    from tests.sitl_camera.conftest import shot_over

    pose = looking((0.0, 0.0, 9.0))
    taken = Taken("DJI_0001.JPG", shot_over(accident, 0.0, 0.0, 9.0), pose, ())
    truth = TruthWriter(accident, tmp_path, 1)
    truth.add("DJI_0001.JPG", taken)
    with pytest.raises(InputError, match="entered twice"):
        truth.add("DJI_0001.JPG", taken)


def test_clicks_depend_on_the_seed_alone(accident: World) -> None:
    camera, pose = SimCamera(), looking((0.0, 0.0, 14.0))

    def click(seed: int, pose: Pose = pose) -> list[float]:
        rng = np.random.default_rng(seed)
        return [m.x_px for m in clicked(accident, camera, pose, (0.0, 0.0, 0.0), rng)]

    assert click(1) == click(1) != click(2)


def test_a_survey_has_the_photos_asked_for_and_covers_its_polygon(accident: World) -> None:
    camera = SimCamera()
    for photos in (12, 40, 77):
        shots = survey_shots(accident, camera, SurveySpec(photos=photos), 1)
        assert len(shots) == photos
        assert [s.index for s in shots] == list(range(1, photos + 1))
        assert all(a.at < b.at for a, b in pairwise(shots))
        nadir = [s for s in shots if s.pitch_deg < -85.0]
        assert 0.4 * photos < len(nadir) <= round(0.65 * photos)
    from sitl.photo import pose_of
    from sitl.render import true_pixels

    seen = np.zeros(len(accident.points), int)
    points = np.array([p.enu_m for p in accident.points])
    for shot in survey_shots(accident, camera, SurveySpec(photos=40), 1):
        pixels = true_pixels(camera, pose_of(accident.frame, shot), points)
        seen += np.isfinite(pixels[:, 0])
    assert seen.min() >= 4


@pytest.mark.parametrize(
    ("field", "value"), [("photos", 0), ("gsd_m", 0.0), ("gsd_m", float("nan")),
                         ("nadir_share", 1.5)],
)  # fmt: skip
def test_a_senseless_survey_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        SurveySpec(**{field: value})  # type: ignore[arg-type]


def test_the_command_reports_a_bad_value_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--photos", "0", "--out", str(tmp_path)]) == 2
    assert "photos 0 outside [1, 5000]" in caplog.text
