"""Report and diagram as they are asked for, and the audit of who looked and took."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import ezdxf
import pytest

from droneteam import audit, db
from droneteam.photogrammetry import measurements, service
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene import Measurement
from droneteam.photogrammetry.scene_document import scene_document
from droneteam.photogrammetry.scene_params import SceneParams
from tests.photogrammetry.box_stages import CORNERS, build_box
from tests.photogrammetry.test_export_report import text_of
from tests.web import worlds
from tests.web.conftest import NOW, Site

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture
def site_with_box(site: Site, tmp_path: Path) -> tuple[Site, int]:
    """A scene of the requester's zone with a length that counts and one that was removed."""
    built = build_box(tmp_path, SceneParams(title="Box", language="fr"))
    investigator = site.actor("investigator")
    new = service.NewScene(
        "Box", tmp_path / "in", SceneParams(), site.actor("requester").organisation_id
    )
    ends = (CORNERS["a"], CORNERS["b"])
    side = Measurement("kerb", "distance", 6.0, "m", 5.99, 6.01, "multi-ray", ("00.jpg",),
                       points_enu_m=ends)  # fmt: skip
    asked = {"on": "photos", "points": ["a", "b"]}
    with db.session_scope(site.engine) as session:
        scene_id = service.create_scene(session, investigator, new, site.settings, NOW)
        row = session.get_one(SceneRow, scene_id)
        row.folder, row.built_at = str(built.folder), NOW
        row.summary = json.loads(json.dumps(scene_document(built)))
        for name in ("kerb", "mistake"):
            kept = service.record_measurement(
                session, investigator, scene_id, replace(side, name=name), NOW, request=asked
            )
        measurements.remove(session, investigator, scene_id, kept, "the wrong corner", NOW)
    return site, scene_id


def actions(site: Site, scene_id: int, prefix: str) -> list[audit.EntryView]:
    with db.read_scope(site.engine) as session:
        return audit.entries(session, subject=f"scene:{scene_id}", action=prefix)


@pytest.mark.parametrize(("language", "number"), [("en", "6.000 m"), ("nl", "6,000 m")])
def test_the_report_lists_what_is_in_force_in_the_language_asked_for(
    site_with_box: tuple[Site, int], tmp_path: Path, language: str, number: str
) -> None:
    site, scene_id = site_with_box
    path = f"/scenes/{scene_id}/report-measured.pdf?language={language}"
    answer = site.client("requester", language="fr").get(path)
    assert answer.status_code == 200
    assert answer.mimetype == "application/pdf"
    (tmp_path / "r.pdf").write_bytes(answer.data)
    text = " ".join(text_of(tmp_path / "r.pdf").split())
    assert "kerb" in text
    assert number in text
    assert "mistake" not in text


def test_the_diagram_is_drawn_to_the_scale_asked_for(site_with_box: tuple[Site, int]) -> None:
    site, scene_id = site_with_box
    client = site.client("investigator")
    answer = client.get(f"/scenes/{scene_id}/diagram-measured.dxf?scale=100")
    assert answer.status_code == 200
    space = ezdxf.read(io.StringIO(answer.data.decode())).modelspace()
    assert {t.dxf.text for t in space.query('TEXT[layer=="POINT_NAMES"]')} == {"a", "b"}
    assert client.get(f"/scenes/{scene_id}/diagram-measured.pdf").data[:5] == b"%PDF-"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("diagram-measured.pdf?scale=7", 422, "1:7 is not one of"),
        ("diagram-measured.pdf?scale=big", 422, "whole number"),
        ("report-measured.pdf?language=de", 422, "language is one of"),
        ("diagram-measured.svg", 404, ""),
    ],
)
def test_what_cannot_be_drawn_is_said_and_is_no_taking(
    site_with_box: tuple[Site, int], path: str, status: int, words: str
) -> None:
    site, scene_id = site_with_box
    answer = site.client("investigator").get(f"/scenes/{scene_id}/{path}")
    assert answer.status_code == status
    assert words in answer.get_data(as_text=True)
    assert actions(site, scene_id, "scene.take") == []


def test_a_zone_takes_no_document_of_another_zones_scene(site_with_box: tuple[Site, int]) -> None:
    site, scene_id = site_with_box
    for name in ("report-measured.pdf", "diagram-measured.pdf"):
        assert site.client("neighbour").get(f"/scenes/{scene_id}/{name}").status_code == 404
    assert actions(site, scene_id, "scene.take") == []


def test_who_takes_a_document_or_a_product_stands_in_the_audit(site: Site) -> None:
    scene_id = worlds.built_scene(site)
    client = site.client("requester")
    whole = client.get(f"/scenes/{scene_id}/products/report")
    resumed = client.get(f"/scenes/{scene_id}/products/report", headers={"Range": "bytes=4-7"})
    assert (whole.status_code, resumed.status_code) == (200, 206)
    whole.close()
    resumed.close()
    taken = actions(site, scene_id, "scene.take")
    assert [entry.actor for entry in taken] == ["requester 1"]
    with db.read_scope(site.engine) as session:
        row = session.get_one(SceneRow, scene_id)
        assert row.summary is not None
        (product,) = [p for p in row.summary["products"] if p["kind"] == "report"]
    assert taken[0].facts["sha256"] == product["sha256"]


def test_looking_is_noted_once_an_hour_for_each_person(site: Site) -> None:
    scene_id = worlds.built_scene(site)
    first, second = site.client("requester"), site.client("investigator")
    for client in (first, first, second):
        assert client.get(f"/scenes/{scene_id}").status_code == 200
    assert first.get(f"/api/v1/scenes/{scene_id}").status_code == 200
    who = [entry.actor for entry in actions(site, scene_id, "scene.look")]
    assert sorted(who) == ["investigator 1", "requester 1"]
    site.clock.forward(minutes=61)
    assert first.get(f"/api/v1/scenes/{scene_id}").status_code == 200
    assert len(actions(site, scene_id, "scene.look")) == 3


def test_who_may_not_see_a_scene_leaves_no_look(site: Site) -> None:
    scene_id = worlds.built_scene(site)
    assert site.client("neighbour").get(f"/scenes/{scene_id}").status_code == 404
    assert actions(site, scene_id, "scene.look") == []
