"""Scenes as rows: who may, what survives a dead worker, what is written down."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from droneteam import accounts, audit, jobs
from droneteam.accounts import Actor, OrganisationKind
from droneteam.db import session_scope
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.photogrammetry import pipeline, service, workdir
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene import Camera, Measurement
from droneteam.photogrammetry.scene_params import SceneParams, params_document, params_of
from droneteam.settings import Settings
from tests.photogrammetry.fake_stages import fake_table, runs
from tests.photogrammetry.pictures import Tags, noise, write_jpeg
from tests.photogrammetry.rows import any_row
from tests.photogrammetry.test_binding import Fired

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
LAT, LON = 50.8197, 4.3908


@pytest.fixture
def zones(engine: Engine) -> tuple[int, int]:
    """Two organisations' ids."""
    with session_scope(engine) as session:
        made = [
            accounts.add_organisation(
                session, code=code, kind=OrganisationKind.ZONE, names=(code, code, code)
            ).id
            for code in ("5339", "5342")
        ]
    return made[0], made[1]


@pytest.fixture
def photos(settings: Settings) -> Path:
    """Four photos, two seconds and eight metres apart, in the data folder."""
    folder = settings.blob_dir("photos") / "sortie-1"
    for index in range(4):
        tags = Tags(
            taken_at=NOW + timedelta(seconds=2 * index + 7200.3),
            lat_deg=LAT + 8.0 * index / 111_320.0,
            lon_deg=LON,
            alt_m=95.0,
        )
        write_jpeg(folder / f"DJI_{index:04d}.JPG", noise(seed=index), tags)
    return folder


@pytest.fixture(autouse=True)
def _fast_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run the fake stage table."""

    def build(photos: Path, folder: Path, params: SceneParams, **callbacks: object) -> object:
        return build_scene(photos, folder, params, stages=fake_table(), **callbacks)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "build_scene", build)


def actor(organisation_id: int, *roles: str) -> Actor:
    return Actor(0, organisation_id, frozenset(roles), f"{roles[0]} of {organisation_id}")


def make(engine: Engine, settings: Settings, photos: Path, zone: int) -> int:
    with session_scope(engine) as session:
        new = service.NewScene("Chaussée de Wavre", photos, SceneParams(), organisation_id=zone)
        return service.create_scene(session, actor(zone, "pilot"), new, settings, NOW)


def build(engine: Engine, settings: Settings, scene_id: int) -> service.SceneView:
    with session_scope(engine) as session:
        service.request_build(session, accounts.SYSTEM, scene_id, NOW)
    assert jobs.run_once(engine, settings, service.HANDLERS)
    return view(engine, settings, scene_id)


def view(engine: Engine, settings: Settings, scene_id: int) -> service.SceneView:
    with session_scope(engine) as session:
        return service.get_scene(session, accounts.SYSTEM, scene_id, settings)


def triggers(count: int) -> list[Fired]:
    return [
        Fired(i, NOW + timedelta(seconds=2 * i), LAT + 8.0 * i / 111_320.0, LON)
        for i in range(count)
    ]


def actions(session: Session) -> list[str]:
    return [entry.action for entry in audit.entries(session)][::-1]


# --- building ---------------------------------------------------------------------------------


def test_a_built_scene_shows_its_products_stages_and_warnings(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    scene = build(engine, settings, scene_id)
    assert scene.state == "done"
    assert scene.products["orthophoto"].read_bytes() == b"II*\x00"
    assert [stage["name"] for stage in scene.stages][-1] == "export"
    assert scene.accuracy is not None
    assert any("NOT determined" in warning for warning in scene.warnings)
    assert [photo.name for photo in scene.photos] == [f"DJI_{i:04d}.JPG" for i in range(4)]
    assert all(photo.path.is_file() and len(photo.sha256) == 64 for photo in scene.photos)


def test_every_step_is_audited(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    build(engine, settings, make(engine, settings, photos, zones[0]))
    with session_scope(engine) as session:
        assert actions(session) == ["scene.create", "scene.build", "scene.built"]
        assert audit.verify(session) == []


def test_asking_twice_gives_the_same_job(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    with session_scope(engine) as session:
        first = service.request_build(session, accounts.SYSTEM, scene_id, NOW)
        assert service.request_build(session, accounts.SYSTEM, scene_id, NOW) == first


def test_too_few_photos_fail_the_job_in_words(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    for index in (2, 3):
        (photos / f"DJI_{index:04d}.JPG").unlink()
    scene = build(engine, settings, make(engine, settings, photos, zones[0]))
    assert scene.state == "failed"
    assert scene.job is not None
    assert "at least 3" in (scene.job.error or "")


def test_an_empty_folder_is_refused_at_once(
    engine: Engine, settings: Settings, tmp_path: Path, zones: tuple[int, int]
) -> None:
    with pytest.raises(InputError, match="holds no photos"):
        make(engine, settings, tmp_path, zones[0])


def test_a_dead_workers_scene_is_finished_by_the_next_without_redoing(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    folder = view(engine, settings, scene_id).folder
    with session_scope(engine) as session:
        job_id = service.request_build(session, accounts.SYSTEM, scene_id, NOW)
    assert jobs.claim(engine, settings, [service.JOB_KIND], "dead worker") is not None
    build_scene(photos, folder, SceneParams(until="adjust"), stages=fake_table())
    past = datetime.now(UTC) - timedelta(seconds=1)
    with session_scope(engine) as session:
        session.execute(update(jobs.Job).where(jobs.Job.id == job_id).values(lease_until=past))
    assert jobs.run_once(engine, settings, service.HANDLERS)
    assert view(engine, settings, scene_id).state == "done"
    assert runs(folder) == ["photos", "sfm", "adjust", "dense", "surface", "export"]


def test_a_worker_waits_for_one_that_still_holds_the_folder(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    folder = view(engine, settings, scene_id).folder
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with workdir.locked(folder):
            held.set()
            done.wait(1.0)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5.0)
    started = time.monotonic()
    assert build(engine, settings, scene_id).state == "done"
    assert time.monotonic() - started > 0.5
    holder.join()


def test_a_cancelled_build_keeps_its_finished_stages(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    with session_scope(engine) as session:
        job_id = service.request_build(session, accounts.SYSTEM, scene_id, NOW)
    context = jobs.claim(engine, settings, [service.JOB_KIND], "worker")
    assert context is not None
    with session_scope(engine) as session:
        jobs.cancel(session, job_id, at=NOW)
    with pytest.raises(jobs.Cancelled):
        service.build_job(context)
    assert view(engine, settings, scene_id).summary is None


# --- tenancy and roles ------------------------------------------------------------------------


def test_another_zones_scene_is_not_found(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    with session_scope(engine) as session:
        own, other = (actor(zone, "requester") for zone in zones)
        assert [s.id for s in service.list_scenes(session, own, settings)] == [scene_id]
        assert service.list_scenes(session, other, settings) == []
        with pytest.raises(NotFound):
            service.get_scene(session, other, scene_id, settings)


@pytest.mark.parametrize("role", ["requester", "manager", "auditor"])
def test_only_builders_build(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int], role: str
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    with session_scope(engine) as session, pytest.raises(NotAllowed, match="pilot"):
        service.request_build(session, actor(zones[0], role), scene_id, NOW)


# --- binding ----------------------------------------------------------------------------------


def test_photos_keep_their_trigger_through_a_build(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    with session_scope(engine) as session:
        sortie_id = any_row(session, "sortie")
        result = service.bind_photos_to_sortie(
            session, accounts.SYSTEM, scene_id, sortie_id, triggers(5), settings, NOW
        )
    assert result.clock_offset_s == pytest.approx(7200.3)
    assert result.missing_triggers == (4,)
    scene = build(engine, settings, scene_id)
    assert scene.sortie_id == sortie_id
    assert [photo.trigger_index for photo in scene.photos] == [0, 1, 2, 3]
    assert all(abs(photo.residual_s or 0.0) < 0.01 for photo in scene.photos)
    assert all((photo.residual_m or 0.0) < 0.1 for photo in scene.photos)


def test_photos_of_two_cards_with_equal_names_are_found_again(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    """Two drones count from the same number."""
    for card in ("drone-01", "drone-02"):
        (photos / card).mkdir()
    for index in range(4):
        name = f"DJI_{index:04d}.JPG"
        card = "drone-01" if index < 2 else "drone-02"
        (photos / name).rename(photos / card / f"DJI_{index % 2:04d}.JPG")
    scene = build(engine, settings, make(engine, settings, photos, zones[0]))
    assert scene.photos[0].name == "drone-01_DJI_0000.JPG"
    assert {photo.path for photo in scene.photos} == set(photos.rglob("*.JPG"))


# --- measurements -----------------------------------------------------------------------------


def skid(value: float = 12.34) -> Measurement:
    return Measurement(
        "skid 1",
        "distance",
        value,
        "m",
        value - 0.01,
        value + 0.01,
        "multi-ray",
        ("DJI_0000.JPG", "DJI_0001.JPG"),
        points_enu_m=((0.0, 0.0, 0.0), (12.34, 0.0, 0.0)),
    )


def test_a_measurement_names_the_cameras_it_rests_on(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    scene = build(engine, settings, scene_id)
    marks = [{"photo": "DJI_0000.JPG", "point": "a", "x_px": 10.5, "y_px": 20.25}]
    with session_scope(engine) as session:
        investigator = actor(zones[1], "investigator")
        service.record_measurement(session, investigator, scene_id, skid(), NOW, marks=marks)
    kept = view(engine, settings, scene_id).measurements[0]
    assert kept.measurement == skid()
    assert kept.marks == tuple(marks)
    digests = {stage["name"]: stage["digest"] for stage in scene.stages}
    assert kept.adjust_digest == digests["adjust"]


def test_an_undetermined_measurement_keeps_its_note_and_has_no_number(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    build(engine, settings, scene_id)
    nan = float("nan")
    open_question = Measurement(
        "height", "height", nan, "m", nan, nan, "multi-ray", determined=False, note="needs a GCP"
    )
    with session_scope(engine) as session:
        service.record_measurement(session, accounts.SYSTEM, scene_id, open_question, NOW)
    kept = view(engine, settings, scene_id).measurements[0].measurement
    assert not kept.determined
    assert kept.note == "needs a GCP"
    assert kept.value != kept.value


def test_nothing_is_measured_before_the_scene_is_built(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    with session_scope(engine) as session, pytest.raises(Conflict, match="has not been built"):
        service.record_measurement(session, accounts.SYSTEM, scene_id, skid(), NOW)


def test_a_requester_may_look_but_not_measure(
    engine: Engine, settings: Settings, photos: Path, zones: tuple[int, int]
) -> None:
    scene_id = make(engine, settings, photos, zones[0])
    build(engine, settings, scene_id)
    requester = actor(zones[0], "requester")
    with session_scope(engine) as session:
        assert service.get_scene(session, requester, scene_id, settings).state == "done"
        with pytest.raises(NotAllowed):
            service.record_measurement(session, requester, scene_id, skid(), NOW)


# --- parameters -------------------------------------------------------------------------------


def test_parameters_survive_being_stored(tmp_path: Path) -> None:
    gcp = tmp_path / "gcp_list.txt"
    gcp.write_text("EPSG:4979\n")
    params = SceneParams(
        preset="full",
        camera=Camera("PINHOLE", 40, 30, (50.0, 50.0, 20.0, 15.0)),
        gcp_path=gcp,
        epsg=31370,
        language="nl",
    )
    assert params_of(params_document(params)) == params


def test_a_name_is_needed() -> None:
    with pytest.raises(InputError, match="name"):
        service.NewScene(" ", Path("x"), SceneParams())
