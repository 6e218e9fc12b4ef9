"""Everything that a request led to, taken into its case: request, plan, flight, photos, scene."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.detection import proof
from droneteam.detection import service as detection
from droneteam.errors import Conflict, DecodeError
from droneteam.evidence import bag, blobs, manifest, service
from droneteam.evidence.service import CaseDraft, CaseView, ItemView, NewItem
from droneteam.fleet import service as fleet
from droneteam.fleet.explanations import explain
from droneteam.missions import service as missions
from droneteam.missions.record.report.sortie import LANGUAGES
from droneteam.photogrammetry import service as photogrammetry
from droneteam.photogrammetry.views import SceneView
from droneteam.settings import Settings

DOCUMENTS = "documents"


def open_request_case(session: Session, actor: Actor, request_id: int, now: datetime) -> CaseView:
    """The request's case: the one it has, or a new one on the request's legal basis."""
    request = fleet.get_request(session, actor, request_id)
    for case in service.list_cases(session, actor):
        if case.request_id == request_id and case.closed_at is None:
            return case
    draft = CaseDraft(
        organisation_id=request.organisation_id,
        title=request.title,
        legal_basis=request.legal_basis,
        request_id=request_id,
    )
    return service.open_case(session, actor, draft, now)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """Something for a case whose content is in the store already."""

    item: NewItem
    taken: blobs.Taken


def gather_request(
    session: Session, actor: Actor, case_id: int, settings: Settings, now: datetime
) -> list[ItemView]:
    """The case's items after everything that its request led to was taken in.

    What the case holds already is left as it is, so that gathering twice adds only what is new.

    Raises
    ------
    Conflict
        The case belongs to no request.
    """
    found = collect(session, actor, case_id, settings)
    return register(session, actor, case_id, found, now)


def collect(
    session: Session,
    actor: Actor,
    case_id: int,
    settings: Settings,
    progress: Callable[[float, str], None] = lambda fraction, name: None,
) -> list[Found]:
    """What the case's request led to, copied into the store; nothing is written to the database.

    progress : called with the part that is done and the name of the file that comes next.
    """
    case = service.get_case(session, actor, case_id)
    if case.request_id is None:
        raise Conflict(f"case {case_id} belongs to no request; add its files one by one")
    store = settings.blob_dir("evidence")
    held = {item.path: item.sha256 for item in case.items}
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        sources = _Sources(session, actor, case.request_id, settings, Path(scratch))
        items = list(sources.items())
        for number, new in enumerate(items):
            progress(number / len(items), new.name)
            version = _version(new, held)
            taken = blobs.take_content(version.content, store)
            held[manifest.safe_path(*version.folder.split("/"), version.name)] = taken.sha256
            found.append(Found(version, taken))
    return found


def register(
    session: Session, actor: Actor, case_id: int, found: Sequence[Found], now: datetime
) -> list[ItemView]:
    """The case's items after what was collected was written down."""
    for one in found:
        service.register_item(session, actor, case_id, one.item, one.taken, now)
    return list(service.get_case(session, actor, case_id).items)


def add_alert(
    session: Session,
    actor: Actor,
    case_id: int,
    alert_id: int,
    settings: Settings,
    now: datetime,
) -> ItemView:
    """The case's item that proves an alert; the one that it has when nothing was added since."""
    case = service.get_case(session, actor, case_id)
    held = {item.path: item.sha256 for item in case.items}
    with tempfile.TemporaryDirectory() as scratch:
        content = proof.plain(proof.alert_proof(session, actor, alert_id))
        new = _document(Path(scratch), f"alert-{alert_id}", content, f"alert:{alert_id}")
        store = settings.blob_dir("evidence")
        return service.add_item(session, actor, case_id, _version(new, held), store, now)


def _version(new: NewItem, held: Mapping[str, str]) -> NewItem:
    """The item, renamed to -2, -3, ... when the case holds an earlier state of it."""
    sha256, _ = bag.hash_file(new.content)
    stem, dot, suffix = new.name.partition(".")
    for number in itertools.count(1):
        name = new.name if number == 1 else f"{stem}-{number}{dot}{suffix}"
        path = manifest.safe_path(*new.folder.split("/"), name)
        if held.get(path, sha256) == sha256:
            return dataclasses.replace(new, name=name)
    raise AssertionError("unreachable")


@dataclasses.dataclass(frozen=True, slots=True)
class _Sources:
    """Where a request's evidence comes from; documents are written to scratch first."""

    session: Session
    actor: Actor
    request_id: int
    settings: Settings
    scratch: Path

    def items(self) -> Iterator[NewItem]:
        """Everything, in the order in which it happened."""
        yield from self._request()
        flown = [
            mission
            for mission in missions.list_missions(self.session, self.actor)
            if mission.request_id == self.request_id
        ]
        for mission in reversed(flown):
            yield self._document(f"mission-{mission.id}", mission, f"mission:{mission.id}")
        ids = {mission.id for mission in flown}
        folder = self.settings.data_dir
        for sortie in missions.list_sorties(self.session, self.actor, folder):
            if sortie.mission_id in ids:
                yield from self._sortie(sortie)
        for scene in photogrammetry.list_scenes(self.session, self.actor, self.settings):
            if scene.mission_id in ids:
                yield from self._scene(scene.id)

    def _request(self) -> Iterator[NewItem]:
        request = fleet.get_request(self.session, self.actor, self.request_id)
        source = f"request:{request.id}"
        history = fleet.request_history(self.session, self.actor, self.request_id)
        reasons = [] if request.explanation is None else list(request.explanation.reasons)
        words = {lang: [explain.sentence(r, lang) for r in reasons] for lang in ("fr", "nl", "en")}
        plain = _plain(request)
        for clock in plain["clocks"]:
            del clock["fraction"]  # runs on while nothing happens
        content = {"request": plain, "history": history, "explanation": words}
        yield self._document(f"request-{request.id}", content, source)

    def _sortie(self, sortie: missions.SortieView) -> Iterator[NewItem]:
        source = f"sortie:{sortie.id}"
        yield self._document(f"sortie-{sortie.id}", sortie, source)
        facts = {"packets": sortie.packets, "complete": sortie.log_complete}
        log = sortie.log_path
        yield NewItem(log, "logs", log.name, "flight log", source, facts)
        onboard = sortie.onboard_log
        if onboard is not None and onboard.path.is_file():
            told: dict[str, Any] = {"source": onboard.source, "name": onboard.name}
            told |= {"note": onboard.note, "uncertainty_s": onboard.uncertainty_s}
            yield NewItem(onboard.path, "logs", onboard.path.name, "onboard log", source, told)
        journal = log.with_name(log.stem + ".journal.jsonl")
        if journal.is_file():
            yield NewItem(journal, "logs", journal.name, "controller journal", source, {})
        yield from self._report(sortie, source)
        yield from self._alerts(sortie, source)

    def _report(self, sortie: missions.SortieView, source: str) -> Iterator[NewItem]:
        """The sortie's report in every language, and its track for other programs."""
        folder = self.settings.data_dir
        try:
            missions.sortie_log(sortie)
        except DecodeError:
            return  # nothing was ever heard: the sortie's record says so
        bound = photogrammetry.photos_bound(self.session, self.actor, sortie.id)
        for language in LANGUAGES:
            path = self.scratch / f"sortie-{sortie.id}-{language}.pdf"
            made = missions.sortie_report(
                self.session,
                self.actor,
                sortie.id,
                folder,
                language=language,
                photos_bound=bound,
            )
            path.write_bytes(made)
            facts = {"language": language}
            yield NewItem(path, "reports", path.name, "sortie report", source, facts)
        content, _ = missions.sortie_track(self.session, self.actor, sortie.id, folder, "gpx")
        path = self.scratch / f"sortie-{sortie.id}.gpx"
        path.write_bytes(content)
        yield NewItem(path, "logs", path.name, "track", source, {})

    def _alerts(self, sortie: missions.SortieView, source: str) -> Iterator[NewItem]:
        """What the watch of the air said while the sortie was flown, with the bytes behind it."""
        for alert in detection.list_alerts(self.session, self.actor):
            over = alert.cleared_at or sortie.ended_at
            if alert.raised_at <= sortie.ended_at and over >= sortie.started_at:
                found = proof.alert_proof(self.session, self.actor, alert.id)
                yield self._document(f"alert-{alert.id}", proof.plain(found), source)

    def _scene(self, scene_id: int) -> Iterator[NewItem]:
        scene = photogrammetry.get_scene(self.session, self.actor, scene_id, self.settings)
        source = f"scene:{scene.id}"
        for photo in scene.photos:
            path = scene.photos_folder / photo.name
            facts = {"sha256": photo.sha256, "trigger_index": photo.trigger_index}
            yield NewItem(path, "photos", photo.name, "photo", f"sortie:{scene.sortie_id}", facts)
        content = {"measurements": scene.measurements, "accuracy": scene.accuracy}
        yield self._document(f"scene-{scene.id}-measurements", content, source)
        yield from _products(scene, source)
        if scene.measurements and any(stage["name"] == "surface" for stage in scene.stages):
            yield from self._measured(scene, source)

    def _measured(self, scene: SceneView, source: str) -> Iterator[NewItem]:
        """Report and diagram with the measurements in force, dated by the last of them."""
        last = max(kept.measured_at for kept in scene.measurements)
        report = self.scratch / f"scene-{scene.id}-report-measured.pdf"
        photogrammetry.write_report(
            self.session, self.actor, scene.id, self.settings, report, made_at=last
        )
        yield NewItem(report, "scene", report.name, "report", source, {})
        if "diagram" in scene.products:
            diagram = self.scratch / f"scene-{scene.id}-diagram-measured.pdf"
            photogrammetry.write_diagram(self.session, self.actor, scene.id, self.settings, diagram)
            yield NewItem(diagram, "scene", diagram.name, "diagram", source, {})

    def _document(self, name: str, content: Any, source: str) -> NewItem:
        return _document(self.scratch, name, content, source)


def _document(folder: Path, name: str, content: Any, source: str) -> NewItem:
    """A record as a file in the folder."""
    path = folder / f"{name}.json"
    text = json.dumps(_plain(content), indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n")
    return NewItem(path, DOCUMENTS, path.name, "record", source, {})


def _products(scene: SceneView, source: str) -> Iterator[NewItem]:
    summary = scene.summary or {}
    facts = {
        "frame": summary.get("frame"),
        "gsd_m": summary.get("gsd_m"),
        "software": [stage.get("software") for stage in scene.stages[-1:]],
    }
    for name in ("scene.json", "cameras.json"):
        if (scene.folder / name).is_file():
            yield NewItem(scene.folder / name, "scene", name, "scene record", source, facts)
    for kind, path in sorted(scene.products.items()):
        yield NewItem(path, "scene", path.name, kind, source, facts)


def _plain(value: Any) -> Any:
    """The value in JSON's terms: dataclasses as objects, times in ISO 8601, paths by name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.name
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict | tuple | list | set | frozenset) or hasattr(value, "items"):
        if hasattr(value, "items"):
            return {str(key): _plain(item) for key, item in value.items()}
        return [_plain(item) for item in value]
    return value
