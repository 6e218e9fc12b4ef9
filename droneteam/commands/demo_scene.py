"""The demonstration's end: photos to a measured scene, and the evidence sealed."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from droneteam import db, jobs
from droneteam.commands.demo_stage import Stage, Step
from droneteam.evidence import bag, checking, exporting, gather, keys, manifest
from droneteam.missions import service as missions
from droneteam.photogrammetry import service as photogrammetry
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.measuring.measure import Kind
from droneteam.photogrammetry.measuring.requests import MeasureRequest
from droneteam.photogrammetry.scene import Measurement
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.photogrammetry.service import NewScene
from droneteam.photogrammetry.views import SceneView

PHOTOS_TIMEOUT_S = 600.0
BUILD_TIMEOUT_S = 1800.0
LENGTH_TOLERANCE_M = 0.03
"""Three GSD: what a road-accident investigator accepts of a length."""
AREA_TOLERANCE = 0.02
MAX_LEFT_OUT = 2
"""A photo that its pixels put in the wrong place is left out and named, not averaged in."""


def collect(stage: Stage) -> None:
    """The card is read, every photo bound to its trigger, and the scene's build queued."""
    with stage.acting("pilot") as (session, actor):
        sortie = missions.get_sortie(session, actor, stage.sortie_id, stage.settings.data_dir)
        mission = missions.get_mission(session, actor, sortie.mission_id)
    card = stage.card / mission.drone_name
    _wait_for_photos(stage, card, len(sortie.triggers))
    folder = stage.settings.blob_dir("photos") / f"sortie-{sortie.id}"
    shutil.copytree(card, folder)
    truth = stage.truth / mission.drone_name
    new = NewScene(
        name="Accident, boulevard Général Jacques",
        photos_folder=folder,
        params=SceneParams(
            gcp_path=truth / "gcp_list.txt",
            check_path=truth / "check_list.txt",
            language="fr",
            area=mission.polygon,
        ),
        organisation_id=mission.organisation_id,
        mission_id=mission.id,
        sortie_id=sortie.id,
    )
    with stage.acting("investigator") as (session, actor):
        now = stage.now()
        stage.scene_id = photogrammetry.create_scene(session, actor, new, stage.settings, now)
        bound = photogrammetry.bind_photos_to_sortie(
            session, actor, stage.scene_id, sortie.id, sortie.triggers, stage.settings, now
        )
        photogrammetry.request_build(session, actor, stage.scene_id, now)
    count = sum(binding.trigger_index is not None for binding in bound.bindings)
    stage.say(f"{count} of {len(bound.bindings)} photos bound to their triggers")
    stage.require(count == len(sortie.triggers), f"only {count} photos bound")


def _wait_for_photos(stage: Stage, card: Path, count: int) -> None:
    deadline_s = time.monotonic() + PHOTOS_TIMEOUT_S
    said = 0
    while (found := len(list(card.glob("*.JPG")))) < count:
        stage.processes.require_running()
        stage.require(time.monotonic() < deadline_s, f"{found} of {count} photos on the card")
        if found >= said + 10:
            stage.say(f"{found} of {count} photos on the card")
            said = found
        time.sleep(0.5)
    stage.say(f"{count} photos on the card")


def reconstruct(stage: Stage) -> None:
    """The worker builds the scene; its products and its accuracy are shown."""
    view = _wait_for_build(stage)
    for row in view.stages:
        stage.say(
            f"{row['name']}: {row['wall_s']:.0f} s, CPU {row['cpu_s']:.0f} s, "
            f"peak {row['peak_memory_mb']:.0f} MB"
        )
    summary = view.summary or {}
    stage.say(f"registered {summary['registered']} of {summary['total']}")
    for warning in view.warnings:
        stage.say(f"warning: {warning}")
    for kind, path in sorted(view.products.items()):
        stage.say(f"{kind}: {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    left_out = summary["total"] - summary["registered"]
    stage.require(left_out <= MAX_LEFT_OUT, f"{left_out} photos were left out")


def _wait_for_build(stage: Stage) -> SceneView:
    deadline_s = time.monotonic() + BUILD_TIMEOUT_S
    shown = ""
    while True:
        stage.processes.require_running()
        with db.read_scope(stage.engine) as session:
            job = jobs.latest(session, f"scene:{stage.scene_id}")
        stage.require(job is not None, "the build was not queued")
        assert job is not None
        if job.stage != shown:
            shown = job.stage
            stage.say(f"{shown} …")
        stage.require(
            job.state not in ("failed", "cancelled"), f"the build {job.state}: {job.error}"
        )
        stage.require(time.monotonic() < deadline_s, f"the build hangs at {job.stage}")
        if job.state == "done":
            break
        time.sleep(0.5)
    with stage.acting("investigator") as (session, actor):
        return photogrammetry.get_scene(session, actor, stage.scene_id, stage.settings)


def measure(stage: Stage) -> None:
    """A skid mark, a car and an area, marked in the photos as a person would, against the truth."""
    world = stage.world()
    marks = _marks(stage)
    wanted: tuple[tuple[Kind, str, list[str], str], ...] = (
        ("distance", "skid_1", world["lengths"]["skid_1"]["points"], "length_m"),
        ("distance", "car_1", world["lengths"]["car_1"]["points"], "length_m"),
        ("area", "debris_field", world["areas"]["debris_field"]["points"], "area_m2"),
    )
    for kind, name, points, unit in wanted:
        with stage.acting("investigator") as (session, actor):
            request = MeasureRequest(
                kind, tuple(points), tuple(mark for mark in marks if mark.point in points), name
            )
            measured = photogrammetry.measure_and_record(
                session, actor, stage.scene_id, request, stage.settings, stage.now()
            ).measurement
        truth = world["lengths" if kind == "distance" else "areas"][name][unit]
        _judge(stage, measured, truth)


def _marks(stage: Stage) -> list[Mark]:
    """Where a person clicked: the simulator's clicks, noise included."""
    with stage.acting("pilot") as (session, actor):
        drone = missions.get_mission(session, actor, stage.mission_id).drone_name
    with (stage.truth / drone / "marks.csv").open(newline="") as file:
        return [
            Mark(row["point"], row["photo"], float(row["x_px"]), float(row["y_px"]))
            for row in csv.DictReader(file)
        ]


def _judge(stage: Stage, measured: Measurement, truth: float) -> None:
    error = measured.value - truth
    inside = measured.ci95_low <= truth <= measured.ci95_high
    stage.say(
        f"{measured.name}: {measured.value:.3f} {measured.unit} "
        f"[{measured.ci95_low:.3f}, {measured.ci95_high:.3f}], truth {truth:.3f}, "
        f"error {error:+.4f} {measured.unit}, "
        f"{'inside' if inside else 'OUTSIDE'} the 95 % interval"
    )
    limit = LENGTH_TOLERANCE_M if measured.unit == "m" else AREA_TOLERANCE * truth
    stage.require(measured.determined, f"{measured.name} is not determined: {measured.note}")
    stage.require(abs(error) <= limit, f"{measured.name} is off by {error:.3f} {measured.unit}")


def seal(stage: Stage) -> None:
    """Everything from the request on goes into one bag; a flipped bit in a copy is found."""
    settings = stage.settings
    store = settings.blob_dir("evidence")
    key = keys.own_key(settings.data_dir)
    with stage.acting("investigator") as (session, actor):
        now = stage.now()
        request_id = stage.requests["accident"]
        case = gather.open_request_case(session, actor, request_id, now)
        stage.case_id = case.id
        items = gather.gather_request(session, actor, case.id, settings, now)
        exported = exporting.export_bag(
            session,
            actor,
            case.id,
            reason="requested by the public prosecutor",
            store=store,
            out_dir=settings.blob_dir("bags"),
            key=key,
            now=now,
        )
    folder = settings.blob_dir("bags") / exported.folder
    report = bag.verify_bag(folder, manifest.key_id(key.public_key()))
    with stage.acting("investigator") as (session, actor):
        checking.keep_verdict(session, actor, exported, report, stage.now(), packed=False)
    stage.say(f"{len(items)} items, {report.bytes_checked / 1e6:.0f} MB, {folder.name}")
    stage.require(report.ok, f"the bag does not verify: {report.problems[:3]}")
    measured = [item.path for item in items if item.path.endswith("report-measured.pdf")]
    stage.require(bool(measured), "the bag holds no report with the measurements")
    stage.say(f"the report with the three measurements is {measured[0]}")
    stage.say("the bag verifies, signed by this installation's key")
    _tamper(stage, folder, items)


def _tamper(stage: Stage, folder: Path, items: Sequence[Any]) -> None:
    copy = folder.with_name(folder.name + "-tampered")
    shutil.copytree(folder, copy)
    target = copy / "data" / items[len(items) // 2].path
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(bytes(content))
    report = bag.verify_bag(copy)
    shutil.rmtree(copy)
    stage.require(not report.ok, "a flipped bit was not found")
    stage.say(f"one bit flipped in a copy: {report.problems[0].path} {report.problems[0].text}")


STEPS = (
    Step("Photos bound to the sortie", collect),
    Step("Scene reconstructed", reconstruct),
    Step("Measurements against the truth", measure),
    Step("Evidence sealed and checked", seal),
)
