"""What is asked for by name is measured between the right points, and checked first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam import cli
from droneteam.errors import InputError
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.measuring.requests import (
    MeasureRequest,
    marks_document,
    measurement_document,
    take,
)
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene import CameraNetwork, NetworkCovariance
from droneteam.photogrammetry.scene_params import SceneParams
from tests.photogrammetry import fake_stages
from tests.photogrammetry.fake_stages import fake_table
from tests.photogrammetry.pictures import Tags, noise, write_jpeg

CORNERS = {"a": (2.0, 1.0, 0.0), "b": (6.0, 1.0, 0.0), "c": (6.0, 4.0, 0.0), "top": (6.0, 4.0, 1.5)}
"""In metres; a–b 4 m, b–c 3 m, a–c 5 m, and 1.5 m up."""


def known(make: Callable[..., CameraNetwork]) -> Callable[..., CameraNetwork]:
    """The fake network, with cameras known to a millimetre and to a hundredth of a milliradian."""

    def network(names: list[str], paths: dict[str, Path]) -> CameraNetwork:
        covariance = NetworkCovariance(
            matrix=np.diag(np.tile([1e-10] * 3 + [1e-6] * 3, len(names))),
            pose_columns=np.arange(0, 6 * len(names), 6),
            intrinsics_columns=np.full((len(names), 12), -1),
        )
        return replace(make(names, paths), covariance=covariance)

    return network


known_network = known(fake_stages.network)


def marks_of(network: CameraNetwork) -> tuple[Mark, ...]:
    """Where each corner is seen: the pinhole projection, written out."""
    marks = []
    for view in network.views:
        for point, xyz in CORNERS.items():
            x, y, z = view.cam_from_enu[:, :3] @ xyz + view.cam_from_enu[:, 3]
            marks.append(Mark(point, view.name, 400.0 * x / z + 160.0, 400.0 * y / z + 120.0))
    return tuple(marks)


@pytest.mark.parametrize(
    ("kind", "points", "value", "unit"),
    [
        ("distance", ("a", "b"), 4.0, "m"),
        ("height", ("c", "top"), 1.5, "m"),
        ("polyline", ("a", "b", "c"), 7.0, "m"),
        ("area", ("a", "b", "c"), 6.0, "m²"),
        ("angle", ("a", "b", "c"), 90.0, "°"),
    ],
)
def test_each_kind_measures_what_it_says(
    kind: str, points: tuple[str, ...], value: float, unit: str
) -> None:
    network = known_network(["0", "1", "2"], {n: Path(n) for n in "012"})
    request = MeasureRequest(kind, points, marks_of(network), "x")  # type: ignore[arg-type]
    measured = take(network, request)
    assert measured.value == pytest.approx(value, abs=1e-6)
    assert measured.unit == unit
    assert measured.ci95_low < value < measured.ci95_high
    assert measured.name == "x"


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("distance", ("a",)),
        ("distance", ("a", "b", "c")),
        ("area", ("a", "b")),
        ("angle", ("a", "b")),
        ("volume", ("a", "b", "c")),
        ("point", ("a",)),
    ],
)
def test_a_wrong_number_of_points_is_refused(kind: str, points: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        MeasureRequest(kind, points, ())  # type: ignore[arg-type]


def test_only_the_marks_that_count_are_kept() -> None:
    marks = (Mark("a", "0", 1.0, 2.0), Mark("b", "0", 3.0, 4.0), Mark("z", "0", 5.0, 6.0))
    kept = marks_document(MeasureRequest("distance", ("a", "b"), marks))
    assert [mark["point"] for mark in kept] == ["a", "b"]


def test_what_is_not_determined_has_no_number_in_json() -> None:
    network = known_network(["0", "1"], {n: Path(n) for n in "01"})
    one_photo = tuple(mark for mark in marks_of(network) if mark.photo == "0")
    measured = take(network, MeasureRequest("distance", ("a", "b"), one_photo))
    document = measurement_document(measured)
    assert document["value"] is None
    assert document["determined"] is False
    json.dumps(document, allow_nan=False)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built scene's folder with a marks file beside it."""
    for index in range(3):
        write_jpeg(tmp_path / "in" / f"{index}.jpg", noise(seed=index), Tags())
    monkeypatch.setattr(fake_stages, "network", known(fake_stages.network))
    scene = build_scene(tmp_path / "in", tmp_path / "out", SceneParams(), stages=fake_table())
    assert scene.network is not None
    rows = [f"{m.photo},{m.point},{m.x_px},{m.y_px}" for m in marks_of(scene.network)]
    (tmp_path / "marks.csv").write_text("\n".join(["photo,point,x_px,y_px", *rows]))
    return tmp_path / "out"


def command(built: Path, *words: str) -> int:
    marks = str(built.parent / "marks.csv")
    return cli.main(["scene", "measure", str(built), *words, "--marks", marks])


def test_the_command_prints_value_and_interval(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(built, "distance", "a", "c", "--name", "skid 1") == 0
    line = capsys.readouterr().out
    assert line.startswith("skid 1: 5.0000 m, 95 % interval 4.9")
    assert "multi-ray from 3 photos" in line


def test_the_command_prints_json(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(built, "area", "a", "b", "c", "--json") == 0
    assert json.loads(capsys.readouterr().out)["value"] == pytest.approx(6.0, abs=1e-6)


def test_a_point_nobody_marked_gives_status_2_and_a_reason(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(built, "distance", "a", "nowhere") == 2
    assert "nowhere is marked in 0" in capsys.readouterr().out


def test_a_folder_without_a_scene_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "marks.csv").write_text("photo,point,x_px,y_px\n")
    marks = str(tmp_path / "marks.csv")
    assert (
        cli.main(["scene", "measure", str(tmp_path), "distance", "a", "b", "--marks", marks]) == 1
    )
    assert "no scene" in capsys.readouterr().err
