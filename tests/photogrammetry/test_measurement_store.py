"""Measurements are kept with their question, asked again after a rebuild, and never overwritten."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from droneteam import accounts
from droneteam.db import session_scope
from droneteam.errors import DecodeError, InputError, NotFound
from droneteam.photogrammetry import service
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.measuring import measurement_file
from droneteam.photogrammetry.measuring.measurement_file import (
    current,
    keep,
    kept_measurements,
    measure_in,
    retake,
)
from droneteam.photogrammetry.measuring.requests import (
    MeasureRequest,
    SurfaceRequest,
    measurement_document,
    measurement_of,
    placed,
    point_names,
    request_document,
    request_of,
)
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene import CameraNetwork, Frame
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.scene_params import SceneParams, params_document
from droneteam.settings import Settings
from tests.photogrammetry import fake_stages, test_service
from tests.photogrammetry.fake_stages import fake_table
from tests.photogrammetry.networks import ORIGIN
from tests.photogrammetry.pictures import Tags, noise, write_jpeg
from tests.photogrammetry.test_measuring import known, marks_of

zones, photos = test_service.zones, test_service.photos
STRETCH = 1.002


def stretched(make: Callable[..., CameraNetwork]) -> Callable[..., CameraNetwork]:
    """The network of a rebuild: everything two thousandths larger."""

    def network(names: list[str], paths: dict[str, Path]) -> CameraNetwork:
        net = make(names, paths)
        views = tuple(
            replace(
                v,
                cam_from_enu=np.column_stack(
                    [v.cam_from_enu[:, :3], STRETCH * v.cam_from_enu[:, 3]]
                ),
            )
            for v in net.views
        )
        return replace(net, views=views)

    return network


def build(folder: Path, preset: str = "normal") -> Scene:
    params = SceneParams(preset=preset)  # type: ignore[arg-type]
    return build_scene(
        folder / "in", folder / "out", params, stages=fake_table(preset_matters_to="adjust")
    )


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for index in range(3):
        write_jpeg(tmp_path / "in" / f"{index}.jpg", noise(seed=index), Tags())
    monkeypatch.setattr(fake_stages, "network", known(fake_stages.network))
    return build(tmp_path)


def diagonal(scene: Scene, kind: str = "distance") -> MeasureRequest:
    assert scene.network is not None
    points = ("a", "c") if kind != "height" else ("c", "top")
    return MeasureRequest(kind, points, marks_of(scene.network), f"{kind} 1")


def test_a_rebuild_gives_old_and_new_side_by_side(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("distance", "height"):
        request = diagonal(scene, kind)
        keep(scene, request, measure_in(scene, request))
    before = (scene.folder / measurement_file.FILE_NAME).read_bytes()
    assert retake(scene) == ()  # nothing has changed
    assert (scene.folder / measurement_file.FILE_NAME).read_bytes() == before

    monkeypatch.setattr(fake_stages, "network", stretched(fake_stages.network))
    rebuilt = build(tmp_path, "full")
    length, height = retake(rebuilt)
    assert length.old.measurement.value == pytest.approx(5.0, abs=1e-6)
    assert length.new.measurement.value == pytest.approx(5.0 * STRETCH, abs=1e-6)
    assert length.change == pytest.approx(0.01, abs=1e-6)
    assert length.agrees is not None
    assert height.new.measurement.value == pytest.approx(1.5 * STRETCH, abs=1e-6)
    assert length.new.adjust_digest != length.old.adjust_digest
    kept = kept_measurements(rebuilt.folder)
    assert [row.number for row in kept] == [1, 2, 3, 4]
    assert [row.supersedes for row in kept] == [None, None, 1, 2]
    assert [m.value for m in current(kept)] == [
        length.new.measurement.value,
        height.new.measurement.value,
    ]
    assert (
        json.loads(before)["measurements"]
        == json.loads((rebuilt.folder / measurement_file.FILE_NAME).read_bytes())["measurements"][
            :2
        ]
    )
    assert retake(rebuilt) == ()


def test_a_list_that_is_not_one_is_refused(scene: Scene) -> None:
    (scene.folder / measurement_file.FILE_NAME).write_text('{"format": "x", "measurements": []}')
    with pytest.raises(DecodeError, match="another format"):
        kept_measurements(scene.folder)


def test_a_surface_that_is_not_there_is_said(scene: Scene) -> None:
    with pytest.raises(NotFound):
        measure_in(replace(scene, stages=scene.stages[:1], network=None), diagonal(scene))


def test_the_database_keeps_both_too(
    engine: Engine,
    settings: Settings,
    photos: Path,
    zones: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fake_stages, "network", known(fake_stages.network))
    stages = fake_table(preset_matters_to="adjust")
    monkeypatch.setattr(
        test_service.pipeline,
        "build_scene",
        lambda photos, folder, params, **callbacks: build_scene(
            photos, folder, params, stages=stages, **callbacks
        ),
    )
    scene_id = test_service.make(engine, settings, photos, zones[0])
    built = test_service.build(engine, settings, scene_id)
    network = fake_stages.network(
        [p.name for p in built.photos], {p.name: p.path for p in built.photos}
    )
    marks = tuple(m for m in marks_of(network) if m.point in ("a", "c"))
    request = MeasureRequest("distance", ("a", "c"), marks, "skid")
    investigator = test_service.actor(zones[0], "investigator")
    with session_scope(engine) as session:
        first = service.measure_and_record(
            session, investigator, scene_id, request, settings, test_service.NOW
        )
        later = test_service.NOW + timedelta(hours=1)
        assert service.retake_measurements(session, investigator, scene_id, settings, later) == ()
    assert first.request is not None
    assert request_of(first.request) == request

    monkeypatch.setattr(fake_stages, "network", stretched(fake_stages.network))
    with session_scope(engine) as session:
        session.execute(test_service.update(SceneRow).values(params=_full()))
    test_service.build(engine, settings, scene_id)
    with session_scope(engine) as session:
        (pair,) = service.retake_measurements(session, investigator, scene_id, settings, later)
    assert pair.old == first
    assert pair.new.supersedes == first.id
    assert pair.new.measurement.value == pytest.approx(5.0 * STRETCH, abs=1e-6)
    shown = test_service.view(engine, settings, scene_id).measurements
    assert [m.measurement.value for m in shown] == pytest.approx([5.0, 5.0 * STRETCH], abs=1e-6)
    with session_scope(engine) as session:
        again = service.retake_measurements(session, accounts.SYSTEM, scene_id, settings, later)
    assert again == ()


def _full() -> dict[str, object]:
    return params_document(SceneParams(preset="full", title="t"))


names = st.text(min_size=1, max_size=8)
marks = st.builds(Mark, names, names, st.floats(0, 4000), st.floats(0, 3000), st.floats(0.1, 3.0))


@given(st.lists(marks, max_size=5), st.lists(names, min_size=2, max_size=5))
def test_a_request_comes_back_as_it_was_asked(found: list[Mark], points: list[str]) -> None:
    named = tuple(replace(m, point=points[i % len(points)]) for i, m in enumerate(found))
    request = MeasureRequest("polyline", tuple(points), named, "x")
    assert request_of(json.loads(json.dumps(request_document(request)))) == request
    places = tuple((m.x_px, m.y_px) for m in found) or ((0.0, 0.0),)
    if len(places) > 1:
        surface = SurfaceRequest("profile", places, step_m=0.5, name="p")
        assert request_of(json.loads(json.dumps(request_document(surface)))) == surface


def test_a_measurement_comes_back_as_it_was(scene: Scene) -> None:
    measured = measure_in(scene, diagonal(scene, "height"))
    document = json.loads(json.dumps(measurement_document(measured), allow_nan=False))
    assert measurement_of(document) == measured
    unknown = replace(measured, value=math.nan, ci95_low=math.nan, ci95_high=math.nan)
    back = measurement_of(measurement_document(replace(unknown, determined=False)))
    assert math.isnan(back.value)
    with pytest.raises(DecodeError):
        measurement_of({"name": "x"})
    with pytest.raises(DecodeError):
        request_of({"on": "photos"})


def test_places_on_the_surface_stay_where_they_are_on_the_earth() -> None:
    frame = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
    request = SurfaceRequest("profile", ((0.0, 0.0), (100.0, 0.0)), name="p")
    kept = placed(request, frame)
    assert kept.geographic
    assert kept.places[0] == pytest.approx((ORIGIN.lat_deg, ORIGIN.lon_deg))
    assert placed(kept, frame) == kept
    named = placed(SurfaceRequest("profile", request.places, place_names=("a", "b")), frame)
    assert point_names(request_of(request_document(named))) == ("a", "b")
    assert point_names(kept) == ()
    east = math.radians(kept.places[1][1] - ORIGIN.lon_deg) * 6378137.0
    assert east * math.cos(math.radians(ORIGIN.lat_deg)) == pytest.approx(100.0, rel=0.003)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("volume", {"places": ((0.0, 0.0), (1.0, 0.0))}),
        ("profile", {"places": ((0.0, 0.0),)}),
        ("distance", {"points": ("a", "b")}),
        ("depth", {"places": ((0.0, 0.0), (1.0, 0.0))}),
        ("distance", {"places": ((0.0, 0.0), (1.0, 0.0)), "place_names": ("a",)}),
        ("distance", {"places": ((95.0, 0.0), (1.0, 0.0)), "geographic": True}),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(kind: str, more: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SurfaceRequest(kind, **more)  # type: ignore[arg-type]
