"""Lists that grow for years: nothing is lost between two pieces, and no page grows without end."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import event

from droneteam import audit, db
from droneteam.accounts import SYSTEM
from droneteam.detection.models import AlertRow, TrackRow
from droneteam.fleet.models import Plan, Request
from droneteam.photogrammetry.models import SceneRow
from droneteam.web import pieces
from tests.web import worlds
from tests.web.conftest import Site

COUNT = 2 * pieces.PAGE_ROWS + 7


@pytest.fixture
def old(site: Site) -> Site:
    """A site with more alerts and closed requests than two pages hold, and one open request."""
    first = worlds.ask(site)
    with db.session_scope(site.engine) as session:
        model = session.get_one(Request, first.id)
        kept = {c: getattr(model, c) for c in model.__mapper__.columns.keys() if c != "id"}  # noqa: SIM118
        at = site.clock()
        for number in range(COUNT):
            title = f"Closed {number:03d}"
            session.add(Request(**{**kept, "title": title, "state": "cancelled", "closed_at": at}))
            session.add(_alert(site, number))
    return site


def _alert(site: Site, number: int) -> AlertRow:
    at = site.clock() + timedelta(seconds=number)
    return AlertRow(
        kind="unregistered_flight",
        key=f"drone-{number}",
        uas_id=f"drone-{number:03d}",
        evidence=[],
        facts={},
        raised_at=at,
        updated_at=at,
        cleared_at=at,
    )


def every_piece(site: Site, path: str, login: str, limit: int) -> list[list[int]]:
    """The numbers of each piece, as a program follows them."""
    client, found, before = site.client(login), [], ""
    while True:
        answer = client.get(f"{path}?limit={limit}{before}").get_json()
        found.append([row["id"] for row in answer["items"]])
        if "next_before_id" not in answer:
            return found
        before = f"&before_id={answer['next_before_id']}"


def numbers(found: list[list[int]]) -> list[int]:
    return [number for piece in found for number in piece]


def test_a_program_meets_every_alert_once_the_newest_first(old: Site) -> None:
    for limit in (9, 40, COUNT - 1, COUNT, COUNT + 1, 1000):
        found = every_piece(old, "/api/v1/alerts", "coordinator", limit)
        assert [number for piece in found for number in piece] == list(range(COUNT, 0, -1))
        assert all(len(piece) == limit for piece in found[:-1])
        assert 0 < len(found[-1]) <= limit


def test_a_program_meets_every_request_of_its_own_zone_once(old: Site) -> None:
    found = every_piece(old, "/api/v1/requests/", "requester", 30)
    assert [number for piece in found for number in piece] == list(range(COUNT + 1, 0, -1))
    assert every_piece(old, "/api/v1/requests/", "neighbour", 30) == [[]]


def _track(site: Site, number: int) -> TrackRow:
    at = site.clock() - timedelta(seconds=number)  # the later numbers were heard of earlier
    return TrackRow(
        id=number, transmitters=[], receivers=[], status=2, lat_deg=50.8, lon_deg=4.4,
        speed_mps=3.0, course_deg=90.0, sigma_m=3.0, height_reference=0, started_at=at, last_at=at,
        ended=number % 2 == 0, flags=[], match_kind="unknown", match_evidence=[],
    )  # fmt: skip


def _plan(site: Site) -> Plan:
    return Plan(
        state="draft", status="optimal", base_revision=1, solved_at=site.clock(), seed=1, gap=0.0,
        terms=[], unserved=[],
    )  # fmt: skip


def test_a_program_meets_every_track_and_plan_once(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        session.add_all(_track(site, number) for number in range(1, 24))
        session.add_all(_plan(site) for _ in range(23))
    everything = list(range(23, 0, -1))
    assert numbers(every_piece(site, "/api/v1/plans", "coordinator", 10)) == everything
    path = "/api/v1/tracks"
    living = numbers(every_piece(site, path, "coordinator", 5))
    assert living == everything[::2]
    client, found = site.client("coordinator"), []
    query = "?ended=true&limit=10"
    while query:
        answer = client.get(path + query).get_json()
        found += [row["id"] for row in answer["items"]]
        before = answer.get("next_before_id")
        query = f"?ended=true&limit=10&before_id={before}" if before else ""
    assert found == everything


def test_a_program_meets_every_entry_of_the_audit_once(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        made = [
            audit.append(session, SYSTEM, action="test.turn", subject="x", at=site.clock()).id
            for _ in range(25)
        ]
    path = "/api/v1/audit"
    for limit in (10, 24, 25, 1000):
        found = every_piece(site, path, "auditor", limit)
        assert all(len(piece) == limit for piece in found[:-1])
        assert [number for piece in found for number in piece if number in made] == made[::-1]


SHORT = {
    "/api/v1/agreement/shares": "one for each organisation",
    "/api/v1/agreement/versions": "one for each agreement",
    "/api/v1/assignments/{assignment_id}/missions": "of one task",
    "/api/v1/batteries": "the fleet",
    "/api/v1/calendars": "one's own",
    "/api/v1/cases/{case_id}": "no list: the items of one case",
    "/api/v1/cases/{case_id}/exports": "the bags of one case",
    "/api/v1/coverage": "one for each receiver",
    "/api/v1/drones": "the fleet",
    "/api/v1/displaced": "what is open",
    "/api/v1/escalations": "what is open",
    "/api/v1/figures/sizes": "sizes that were asked for",
    "/api/v1/geozones": "what is in force, for whole maps",
    "/api/v1/organisations": "the zones of a country",
    "/api/v1/people": "the accounts",
    "/api/v1/pilots": "the team",
    "/api/v1/places": "the best matches",
    "/api/v1/plans/compare": "plans that were asked for",
    "/api/v1/plans/current/conflicts": "of one plan",
    "/api/v1/receivers": "the receivers",
    "/api/v1/registry/batteries/{battery_id}/measurements": "of one battery's life",
    "/api/v1/registry/models": "the kinds of drone",
    "/api/v1/registry/mountings": "what carries what",
    "/api/v1/registry/notices": "what is open",
    "/api/v1/registry/payloads": "the fleet",
    "/api/v1/requests/series/{series}": "of one series, which is bounded",
    "/api/v1/requests/{request_id}/airspace": "of one request",
    "/api/v1/requests/{request_id}/attachments": "of one request",
    "/api/v1/requests/{request_id}/history": "of one request",
    "/api/v1/scenes/{scene_id}/points": "of one scene",
    "/api/v1/scenes/{scene_id}/uploads": "of one scene, whose photos are bounded",
    "/api/v1/sessions": "one's own",
    "/api/v1/speeds": "one for each vehicle and time of day",
    "/api/v1/terrains": "rasters that somebody added by hand",
    "/api/v1/tracks/points": "cut by its own cursor",
    "/api/v1/weather": "the latest forecasts",
    "/api/v1/weather/expected": "the hours ahead",
    "/api/v1/webhooks": "addresses that somebody added by hand",
}
"""Lists without pieces, and what bounds them."""


def test_every_list_that_grows_for_years_says_where_its_next_piece_begins(site: Site) -> None:
    described = site.client().get("/api/openapi.json").get_json()
    schemas, without = described["components"]["schemas"], set()
    for path, item in described["paths"].items():
        for content in (
            item.get("get", {}).get("responses", {}).get("200", {}).get("content", {}).values()
        ):
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            members = schemas.get(name, {}).get("properties", {})
            if "items" in members and "next_before_id" not in members:
                without.add(path)
    assert without == set(SHORT)


def test_a_piece_that_cannot_be_is_refused(site: Site) -> None:
    client = site.client("coordinator")
    for query in ("limit=0", "limit=1001", "before_id=0", "before_id=x"):
        assert client.get(f"/api/v1/alerts?{query}").status_code == 422, query


def test_the_page_holds_what_is_open_first_and_leads_to_everything_that_is_over(
    old: Site,
) -> None:
    client, path, titles, pages = old.client("requester"), "/requests/", [], 0
    while path:
        text = client.get(path).get_data(as_text=True)
        assert ("Collision of two cars" in text) is (pages == 0)
        titles += re.findall(r">(Closed \d+)</a>", text)
        pages += 1
        older = re.search(r'href="(/requests/\?before=\d+)"', text)
        path = older[1] if older else ""
    assert titles == [f"Closed {number:03d}" for number in reversed(range(COUNT))]
    assert pages == 3


def test_a_page_before_no_number_is_the_first_one(old: Site) -> None:
    client = old.client("coordinator")
    for before in ("0", "-3", "x", "99999999999999999999"):
        text = client.get(f"/alerts/?before={before}").get_data(as_text=True)
        assert f"drone-{COUNT - 1:03d}" in text, before


def statements(site: Site, login: str, path: str) -> int:
    """How many statements a page takes, apart from its session's."""
    client, seen = site.client(login), []

    def note(*heard: object) -> None:
        seen.append(heard[2])

    client.get(path)
    event.listen(site.engine, "before_cursor_execute", note)
    assert client.get(path).status_code == 200
    event.remove(site.engine, "before_cursor_execute", note)
    return len(seen)


PAGES = (
    ("requester", "/requests/"),
    ("coordinator", "/alerts/"),
    ("coordinator", "/board/"),
    ("coordinator", "/missions/"),
)


def test_a_page_asks_the_database_no_more_often_for_more_rows(old: Site) -> None:
    """One statement for each row is what makes a page slow that was quick in its first week."""
    before = {path: statements(old, login, path) for login, path in PAGES}
    for number in range(3):
        worlds.ask(old, title=f"one more {number}")
    with db.session_scope(old.engine) as session:
        session.add_all(_alert(old, COUNT + number) for number in range(40))
    for login, path in PAGES:
        assert statements(old, login, path) <= before[path] + 1, path


def test_a_list_of_missions_is_what_their_plans_say(site: Site) -> None:
    worlds.ask(site)
    worlds.publish(site)
    mission = worlds.plan_mission(site)
    text = site.client("pilot").get("/missions/").get_data(as_text=True)
    row = text.split(f'href="/missions/{mission.id}"', 1)[1].split("</tr>", 1)[0]
    assert f'data-label="Photos">{mission.n_photos}</td>' in row
    assert mission.duration_s > 60


def test_reading_twice_in_one_session_asks_once_and_writing_asks_again(site: Site) -> None:
    asked = []

    def read() -> int:
        asked.append(1)
        return len(asked)

    with db.read_scope(site.engine) as session:
        assert [db.once(session, "key", read), db.once(session, "key", read)] == [1, 1]
        assert db.once(session, "other", read) == 2
    with db.read_scope(site.engine) as session:
        assert db.once(session, "key", read) == 3
    with db.session_scope(site.engine) as session:
        assert [db.once(session, "key", read), db.once(session, "key", read)] == [4, 5]


def test_a_scene_below_a_number_is_found_on_the_next_page(site: Site) -> None:
    scene = worlds.built_scene(site)
    with db.session_scope(site.engine) as session:
        model = session.get_one(SceneRow, scene)
        kept = {c: getattr(model, c) for c in model.__mapper__.columns.keys() if c != "id"}  # noqa: SIM118
        session.add_all(SceneRow(**kept) for _ in range(pieces.PAGE_ROWS))
    client = site.client("investigator")
    first = client.get("/scenes/").get_data(as_text=True)
    older = re.search(r'href="(/scenes/\?before=\d+)"', first)
    assert older is not None
    assert f'href="/scenes/{scene}"' not in first
    assert f'href="/scenes/{scene}"' in client.get(older[1]).get_data(as_text=True)
