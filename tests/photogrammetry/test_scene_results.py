"""A built scene's measurements, diagram and report from the command line, from real stage files."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import ezdxf
import numpy as np
import pytest
from sqlalchemy import Engine

from droneteam import accounts, cli
from droneteam.accounts import OrganisationKind
from droneteam.db import session_scope
from droneteam.errors import Conflict
from droneteam.photogrammetry import service
from droneteam.photogrammetry.measuring import measurement_service
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene import (
    Measurement,
)
from droneteam.photogrammetry.scene_document import Scene, scene_document
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.settings import Settings
from tests.photogrammetry.box_stages import CORNERS, build_box
from tests.photogrammetry.networks import project
from tests.photogrammetry.test_export_report import text_of
from tests.photogrammetry.test_service import NOW

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("results")
    built = build_box(folder, SceneParams(title="Box", language="nl"))
    assert built.network is not None
    rows = ["photo,point,x_px,y_px"]
    for view in built.network.views:
        pixels = project(view, np.array(list(CORNERS.values())))
        rows += [
            f"{view.name},{name},{x},{y}"
            for name, (x, y) in zip(CORNERS, pixels, strict=True)
            if np.isfinite(x)
        ]
    (folder / "marks.csv").write_text("\n".join(rows))
    places = [f"{name},{e},{n}" for name, (e, n, _) in CORNERS.items()]
    (folder / "places.csv").write_text("\n".join(["point,east_m,north_m", *places]))
    return built


def run(scene: Scene, *words: str) -> int:
    action, *rest = words
    return cli.main(["scene", action, str(scene.folder), *rest])


def test_measure_keep_draw_and_report(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marks, places = (str(scene.folder.parent / f"{name}.csv") for name in ("marks", "places"))
    assert (
        run(scene, "measure", "distance", "a", "b", "--marks", marks, "--name", "zijde", "--save")
        == 0
    )
    assert "zijde: 6.00" in capsys.readouterr().out
    profile = str(tmp_path / "p.csv")
    assert run(scene, "measure", "profile", "a", "c", "--places", places, "--step", "0.5",
               "--name", "profiel", "--save", "--csv", profile) == 0  # fmt: skip
    assert Path(profile).read_text().startswith("station_m,height_m")
    assert run(scene, "measure", "section", "a", "b", "--places", places, "--width", "0.5",
               "--step", "0.5", "--json") == 0  # fmt: skip
    said = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(said)["kind"] == "section"
    assert run(scene, "remeasure") == 0
    assert "nothing to measure again" in capsys.readouterr().out

    plan = tmp_path / "d.dxf"
    assert (
        run(scene, "diagram", "-o", str(plan), "-o", str(tmp_path / "d.pdf"), "--scale", "100") == 0
    )
    space = ezdxf.readfile(plan).modelspace()
    names = {text.dxf.text for text in space.query('TEXT[layer=="POINT_NAMES"]')}
    assert names == {"a", "b", "c"}, "c is an end of the profile, chosen by its place"
    (dimension,) = space.query("DIMENSION")
    assert dimension.get_measurement() == pytest.approx(6.0, abs=0.01)
    assert "6,00" in dimension.dxf.text
    assert "1:100" in text_of(tmp_path / "d.pdf")

    for name in ("one.pdf", "two.pdf"):
        assert run(scene, "report", "-o", str(tmp_path / name)) == 0
    one, two = ((tmp_path / name).read_bytes() for name in ("one.pdf", "two.pdf"))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()
    text = " ".join(text_of(tmp_path / "one.pdf").split())
    assert "zijde afstand 6,00" in text
    assert "de toetspunten liggen 1,7 keer verder af dan voorspeld" in text
    assert "profiel" in text


@pytest.mark.parametrize(
    ("language", "phrase", "day"),
    [
        ("fr", "s'écartent 1,7 fois plus que prévu", "14 mai 2026 à 09:30 CEST"),
        ("en", "lie 1.7 times farther off", "14 May 2026 at 09:30 CEST"),
    ],
)
def test_the_report_can_be_made_in_another_language_and_of_another_date(
    scene: Scene, tmp_path: Path, language: str, phrase: str, day: str
) -> None:
    path = tmp_path / "r.pdf"
    words = ["report", "-o", str(path), "--lang", language, "--date", "2026-05-14T09:30+02:00"]
    assert run(scene, *words) == 0
    text = " ".join(text_of(path).split()).replace("’", "'")
    assert phrase in text
    assert day in text


def test_a_later_report_names_the_control_that_the_scene_was_built_with(
    scene: Scene, tmp_path: Path
) -> None:
    """The files themselves may be gone by then."""
    folder = shutil.copytree(scene.folder, tmp_path / "scene")
    path = folder / "scene.json"
    document = json.loads(path.read_text())
    document["params"]["control"] |= {"gcp_path": "/gone/survey.csv"}
    path.write_text(json.dumps(document))
    assert cli.main(["scene", "report", str(folder), "-o", str(tmp_path / "r.pdf")]) == 0
    text = " ".join(text_of(tmp_path / "r.pdf").split())
    assert "survey.csv" in text
    assert "Bestand met controlepunten" in text
    assert "gcp_path" not in text


def test_the_change_between_a_scene_and_itself_is_none(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    places = str(scene.folder.parent / "places.csv")
    words = ["change", str(scene.folder), "a", "b", "c", "--places", places, "--json"]
    assert run(scene, *words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["value"] == pytest.approx(0.0, abs=1e-3)
    assert said["ci95_low"] < 0.0 < said["ci95_high"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("report", "--date", "2026-05-14"), "time zone"),
        (("report", "--date", "yesterday"), "not a date"),
        (("diagram", "-o", "d.svg"), ".pdf or a .dxf"),
        (("measure", "distance", "a", "z", "--places", "PLACES"), "has no point z"),
        (("measure", "distance", "a", "b", "--places", "MARKS"), "must begin with the header"),
    ],
)
def test_what_cannot_be_done_is_said(
    scene: Scene, words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name.upper(): str(scene.folder.parent / f"{name}.csv") for name in ("marks", "places")}
    assert run(scene, *(files.get(word, word) for word in words)) == 1
    assert complaint in capsys.readouterr().err


def test_the_application_writes_both_with_its_own_measurements(
    engine: Engine, settings: Settings, scene: Scene, tmp_path: Path
) -> None:
    with session_scope(engine) as session:
        zone = accounts.add_organisation(
            session, code="5339", kind=OrganisationKind.ZONE, names=("a", "b", "c")
        ).id
        new = service.NewScene("Box", scene.folder.parent / "in", SceneParams(language="fr"), zone)
        scene_id = service.create_scene(session, accounts.SYSTEM, new, settings, NOW)
        with pytest.raises(Conflict, match="has not been built"):
            service.write_report(session, accounts.SYSTEM, scene_id, settings, tmp_path / "r.pdf")
        row = session.get_one(SceneRow, scene_id)
        row.folder, row.summary = str(scene.folder), scene_document(scene)
        ends = (CORNERS["a"], CORNERS["b"])
        kept = Measurement("côté", "distance", 6.0, "m", 5.99, 6.01, "multi-ray", ("00.jpg",),
                           points_enu_m=ends)  # fmt: skip
        asked = {"on": "photos", "points": ["a", "b"]}
        first = service.record_measurement(
            session, accounts.SYSTEM, scene_id, replace(kept, value=5.0), NOW, request=asked
        )
        measurement_service.record_measurement(
            session, accounts.SYSTEM, scene_id, kept, NOW, request=asked, supersedes=first
        )
        for name in ("r.pdf", "d.dxf"):
            write = service.write_report if name == "r.pdf" else service.write_diagram
            write(session, accounts.SYSTEM, scene_id, settings, tmp_path / name)
    text = " ".join(text_of(tmp_path / "r.pdf").split())
    assert "côté" in text
    assert "6,000 m" in text
    assert "5,000 m" not in text
    space = ezdxf.readfile(tmp_path / "d.dxf").modelspace()
    assert {t.dxf.text for t in space.query('TEXT[layer=="POINT_NAMES"]')} == {"a", "b"}
