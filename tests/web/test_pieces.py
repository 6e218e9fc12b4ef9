"""Lists that grow for years: nothing is lost between two pieces, and no page grows without end."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import event

from droneteam import db
from droneteam.detection.models import AlertRow
from droneteam.fleet.models import Request
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
    assert f'<td class="number">{mission.n_photos}</td>' in row
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
