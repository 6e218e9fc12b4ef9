"""Who looked at evidence: every route of a scene says so, and no way of asking hides a taking."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from droneteam import audit, db
from droneteam.evidence.models import CustodyEvent
from droneteam.web.scene_looks import SHOWS_NOTHING
from tests.web import worlds
from tests.web.conftest import Site, csrf_token
from tests.web.test_access import PASSES, address, routes
from tests.web.test_cases import export

PRODUCT = "/scenes/1/products/orthophoto"


LOOKS = ("scene.look", "scene.take", "evidence.look", "evidence.take")


def entries(site: Site, subject: str = "scene:1") -> list[audit.EntryView]:
    """What the chain says of looking at it and taking it, the newest first."""
    with db.read_scope(site.engine) as session:
        found = audit.entries(session, subject=subject, limit=1000)
    return [entry for entry in found if entry.action in LOOKS]


def noted(site: Site, action: str) -> list[int | None]:
    """Who did that to scene 1, the first one first."""
    return [entry.user_id for entry in reversed(entries(site)) if entry.action == action]


@pytest.fixture
def scene(site: Site) -> Site:
    assert worlds.built_scene(site) == 1
    return site


def test_every_route_that_shows_something_of_a_scene_leaves_an_entry(scene: Site) -> None:
    """Also those that will be added: a route that shows nothing is named in SHOWS_NOTHING."""
    shown = 0
    for method, rule, endpoint, name in routes(scene):
        if "<id:scene_id>" not in rule or method != "GET" or endpoint in SHOWS_NOTHING:
            continue
        scene.clock.forward(hours=2)
        before = len(entries(scene))
        path = re.sub(r"<(photo|name)>", "none", address(rule, 1))
        with scene.client("requester").get(path) as answer:
            left = len(entries(scene)) - before
            assert left == (1 if answer.status_code < 400 else 0), (name, answer.status_code)
        shown += answer.status_code < 400
    assert shown >= 12


def test_routes_that_show_nothing_are_routes(scene: Site) -> None:
    assert {endpoint for _, _, endpoint, _ in routes(scene)} >= SHOWS_NOTHING
    scene.client("requester").get("/scenes/1/progress.json")
    assert entries(scene) == []


def test_tiles_alone_are_a_look_once_an_hour_for_each_person(scene: Site) -> None:
    for _ in range(3):
        for login in ("requester", "auditor"):
            with scene.client(login).get("/scenes/1/ortho/0/0/0.png") as answer:
                assert answer.status_code == 200
    who = [scene.actor(login).user_id for login in ("requester", "auditor")]
    assert noted(scene, "scene.look") == who
    scene.clock.forward(minutes=61)
    scene.client("auditor").get("/scenes/1/ortho/0/0/0.png").close()
    assert noted(scene, "scene.look") == [*who, who[1]]


def test_programs_look_too_and_are_named(scene: Site) -> None:
    client = scene.client("auditor")
    data = {"csrf_token": csrf_token(client), "name": "archive", "days": "1", "role_auditor": "1"}
    page = client.post("/account/programs", data=data).get_data(as_text=True)
    token = re.search(r'class="mono">([\w-]{40,})<', page)
    assert token is not None
    header = {"Authorization": f"Bearer {token.group(1)}"}
    assert scene.app.test_client().get("/api/v1/scenes/1", headers=header).status_code == 200
    (entry,) = entries(scene)
    assert (entry.action, entry.actor) == ("scene.look", "auditor 1 (archive)")


def test_another_zone_is_shown_nothing_on_any_route_of_a_scene(scene: Site) -> None:
    """Every route with a scene's number × every method: 404, and no entry that looks like one."""
    scene.app.config["WTF_CSRF_METHODS"] = set()
    client, tried = scene.client("neighbour"), 0
    for method, rule, _, name in routes(scene):
        if "<id:scene_id>" not in rule or "requester" not in PASSES[name]:
            continue
        path = re.sub(r"<(photo|name)>", "none", address(rule, 1))
        bodies = {
            "point": "1", "kind": "distance", "points": ["1"], "view": "top", "x_px": 1, "y_px": 1,
            "x": 1, "y": 1, "photo": "none", "east_m": 0, "north_m": 0, "up_m": 0, "name": "x",
            "column_px": 1, "row_px": 1, "place": [0, 0, 0], "places": [[0, 0], [1, 1]],
        }  # fmt: skip
        sent = {"json": bodies} if method != "GET" and rule.startswith("/api/") else {}
        with client.open(path + "?point=1&x=1&y=1", method=method, **sent) as answer:
            allowed = {404} if method == "GET" else {404, 422}
            assert answer.status_code in allowed, (name, answer.status_code)
            assert b"Collision" not in answer.data
        tried += 1
    assert tried >= 25
    assert entries(scene) == []


@pytest.mark.parametrize("span", ["bytes=1-", "bytes=-1000000", "bytes=1-1000000", "bytes=7-9"])
def test_whoever_leaves_the_first_byte_out_has_taken_the_file_all_the_same(
    scene: Site, span: str
) -> None:
    with scene.client("requester").get(PRODUCT, headers={"Range": span}) as answer:
        assert answer.status_code == 206
    assert noted(scene, "scene.take") == [scene.actor("requester").user_id]


def test_a_download_that_goes_on_is_one_taking_of_one_person_and_file(scene: Site) -> None:
    def take(login: str, span: str, path: str = PRODUCT) -> None:
        with scene.client(login).get(path, headers={"Range": span}) as answer:
            assert answer.status_code == 206

    requester, auditor = (scene.actor(one).user_id for one in ("requester", "auditor"))
    take("requester", "bytes=0-99")
    take("requester", "bytes=100-199")
    take("requester", "bytes=200-")
    assert noted(scene, "scene.take") == [requester]
    take("auditor", "bytes=100-199")
    assert noted(scene, "scene.take") == [requester, auditor]
    take("requester", "bytes=100-199", "/scenes/1/products/cloud")
    assert noted(scene, "scene.take") == [requester, auditor, requester]
    scene.clock.forward(minutes=61)
    take("requester", "bytes=100-199")
    assert noted(scene, "scene.take") == [requester, auditor, requester, requester]


def test_measurements_that_are_taken_as_files_are_takings(scene: Site) -> None:
    for kind in ("csv", "geojson"):
        with scene.client("requester").get(f"/scenes/1/measurements.{kind}") as answer:
            assert answer.status_code == 200
    what = [one.facts["what"] for one in reversed(entries(scene)) if one.action == "scene.take"]
    assert what == ["measurements.csv", "measurements.geojson"]


def test_who_takes_a_sealed_bag_is_in_its_custody_once_for_each_download(
    site: Site, tmp_path: Path
) -> None:
    assert worlds.case_with_item(site, tmp_path) == 1
    path = f"{export(site)}/bag.zip"
    for login, span in (
        ("requester", None), ("requester", "bytes=50-"), ("auditor", "bytes=1-"),
        ("requester", "bytes=0-"), ("requester", "bytes=-5"),
    ):  # fmt: skip
        headers = {} if span is None else {"Range": span}
        with site.client(login).get(path, headers=headers) as answer:
            assert answer.status_code in {200, 206}
    with db.read_scope(site.engine) as session:
        steps = [
            (row.actor, row.reason)
            for row in session.query(CustodyEvent).filter_by(action="take").order_by("id")
        ]
    why = "droneteam-case-1-1: for the public prosecutor"
    assert steps == [("requester 1", why), ("auditor 1", why), ("requester 1", why)]
    chain = [one for one in entries(site, "case:1") if one.action == "evidence.take"]
    assert [one.actor for one in reversed(chain)] == ["requester 1", "auditor 1", "requester 1"]
    with site.client("neighbour").get(path) as answer:
        assert answer.status_code == 404
    assert len([one for one in entries(site, "case:1") if one.action == "evidence.take"]) == 3
    page = site.client("auditor").get("/cases/1").get_data(as_text=True)
    assert f"Took the sealed bag {why}" in page


def test_looking_at_a_case_or_its_bag_is_an_entry_an_hour_for_each_person(
    site: Site, tmp_path: Path
) -> None:
    worlds.case_with_item(site, tmp_path)
    page = f"/cases/exports/{worlds.export_case(site, 1, 'why')}"
    paths = ("/cases/1", "/api/v1/cases/1", page, "/api/v1/exports/1")
    for path in paths:
        assert site.client("auditor").get(path).status_code == 200
        assert site.client("neighbour").get(path).status_code == 404
    assert [one.actor for one in entries(site, "case:1")] == ["auditor 1"]
    for number, path in enumerate(paths, start=2):
        site.clock.forward(minutes=61)
        assert site.client("auditor").get(path).status_code == 200
        assert len(entries(site, "case:1")) == number, path
