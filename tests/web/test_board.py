"""The coordinator's board: the queue's order, solving, comparing and publishing."""

from __future__ import annotations

import re
from datetime import timedelta

from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token


def test_the_queue_begins_with_what_is_breached_first(site: Site) -> None:
    worlds.ask(
        site,
        title="planned, far away",
        priority="P3",
        start_at=NOW + timedelta(days=9),
        end_at=NOW + timedelta(days=9, hours=1),
    )
    worlds.ask(site, "neighbour", title="urgent, now", priority="P0")
    text = site.client("coordinator").get("/board/").get_data(as_text=True)
    assert re.search("urgent, now.*planned, far away", text, re.S)


def test_a_plan_is_solved_compared_and_published_without_scripts(site: Site) -> None:
    worlds.ask(site)
    client = site.client("coordinator")
    data = {"csrf_token": csrf_token(client)}
    draft = client.post("/board/solve", data=data).headers["Location"]
    text = client.get(draft).get_data(as_text=True)
    assert "What publishing changes" in text
    assert "Collision of two cars" in text
    base = re.search(r'name="base" value="(\d+)"', text)
    assert base is not None
    path = draft.split("?")[0] + "/publish"
    assert client.post(path, data={**data, "base": base.group(1)}).status_code == 302
    board = client.get("/board/").get_data(as_text=True)
    assert "<svg" in board
    assert 'class="bar"' in board
    assert "proven best" in board


def test_publishing_over_somebody_elses_plan_is_refused_and_says_so(site: Site) -> None:
    worlds.ask(site)
    mine, theirs = site.client("coordinator"), site.client("coordinator")
    data = {"csrf_token": csrf_token(mine)}
    my_draft = mine.post("/board/solve", data=data).headers["Location"]
    their_data = {"csrf_token": csrf_token(theirs)}
    their_draft = theirs.post("/board/solve", data=their_data).headers["Location"]
    published = theirs.post(
        their_draft.split("?")[0] + "/publish", data={**their_data, "base": "0"}
    )
    assert published.status_code == 302
    text = mine.get(my_draft).get_data(as_text=True)
    assert "Meanwhile plan" in text
    answer = mine.post(my_draft.split("?")[0] + "/publish", data={**data, "base": "0"})
    assert answer.status_code == 409
    assert "Someone else changed this meanwhile" in answer.get_data(as_text=True)


def test_the_picture_has_a_table_with_the_same_assignments(site: Site) -> None:
    worlds.ask(site)
    plan = worlds.publish(site)
    text = site.client("coordinator").get("/board/").get_data(as_text=True)
    for row in plan.assignments:
        assert text.count(f'href="/requests/{row.request_id}"') >= 3  # two pictures, one table
        assert f"<td>{row.drone_name}</td>" in text


def test_drones_and_pilots_show_their_readiness_with_reasons(site: Site) -> None:
    site.clock.forward(days=400)  # services and credentials have run out
    text = site.client("coordinator").get("/board/").get_data(as_text=True)
    assert "not ready" in text
    assert "drone-01" in text


def test_a_manager_reads_the_board_and_finds_no_buttons(site: Site) -> None:
    text = site.client("manager").get("/board/").get_data(as_text=True)
    assert "Make a plan" not in text
