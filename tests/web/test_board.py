"""The coordinator's board: the queue's order, solving, comparing and publishing."""

from __future__ import annotations

import json
import re
from datetime import timedelta

from droneteam import db
from droneteam.fleet import service
from droneteam.fleet.service import RequestKind
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


def test_displacing_beyond_the_agreement_asks_for_a_reason_on_the_page_and_over_the_api(
    site: Site,
) -> None:
    at = {"start_at": NOW + timedelta(days=1, hours=2), "end_at": NOW + timedelta(days=1, hours=5)}
    wish = {"kind": RequestKind.EVENT, "payload": None, **at}
    with db.read_scope(site.engine) as session:
        crowd = len(service.list_pilots(session, site.actor("coordinator"), NOW))
    for number in range(crowd):
        worlds.ask(site, title=f"patrol {number}", priority="P4", **wish)
    base = worlds.publish(site)
    assert len(base.assignments) == crowd
    worlds.ask(site, title="march", priority="P3", **wish)
    client = site.client("coordinator")
    data = {"csrf_token": csrf_token(client)}
    page = client.post("/board/solve", data=data).headers["Location"]
    plan_id = int(re.search(r"/plans/(\d+)", page).group(1))  # type: ignore[union-attr]
    text = client.get(page).get_data(as_text=True)
    assert "lose their drone although the agreement" in text
    assert 'name="reason"' in text
    (row,) = client.get(f"/api/v1/plans/compare?plan={plan_id}").get_json()["items"]
    assert row["beyond"] == row["lost"]
    assert len(row["lost"]) == 1
    assert "Displaced beyond the agreement" in client.get(
        f"/what-if/compare?plan={plan_id}"
    ).get_data(as_text=True)
    path, sent = page.split("?")[0] + "/publish", {**data, "base": str(base.id)}
    assert client.post(path, data=sent).status_code == 422
    assert client.post(path, data={**sent, "reason": "Royal visit"}).status_code == 302
    with db.read_scope(site.engine) as session:
        current = service.current_plan(session, site.actor("coordinator"))
    assert current is not None
    assert current.id == plan_id


def test_the_picture_has_a_table_with_the_same_assignments(site: Site) -> None:
    worlds.ask(site)
    plan = worlds.publish(site)
    text = site.client("coordinator").get("/board/").get_data(as_text=True)
    for row in plan.assignments:
        assert text.count(f'href="/requests/{row.request_id}"') >= 3  # two pictures, one table
        assert f'<td data-label="Drone">{row.drone_name}</td>' in text


def test_drones_and_pilots_show_their_readiness_with_reasons(site: Site) -> None:
    site.clock.forward(days=400)  # services and credentials have run out
    text = site.client("coordinator").get("/board/").get_data(as_text=True)
    assert "not ready" in text
    assert "drone-01" in text


def test_a_manager_reads_the_board_and_finds_no_buttons(site: Site) -> None:
    text = site.client("manager").get("/board/").get_data(as_text=True)
    assert "Make a plan" not in text


def test_a_clock_that_was_met_late_no_longer_leads_the_queue(site: Site) -> None:
    """Acknowledged late, the breach stays on record; the next clock decides the order."""
    late = worlds.ask(
        site,
        title="acknowledged late",
        priority="P3",
        start_at=NOW + timedelta(days=20),
        end_at=NOW + timedelta(days=20, hours=1),
    )
    site.clock.forward(days=4)
    worlds.ask(
        site,
        "neighbour",
        title="to be decided soon",
        priority="P2",
        start_at=site.clock() + timedelta(hours=8),
        end_at=site.clock() + timedelta(hours=9),
    )
    client = site.client("coordinator")
    before = client.get("/board/").get_data(as_text=True)
    assert re.search("acknowledged late.*to be decided soon", before, re.S)
    client.post(f"/requests/{late.id}/acknowledge", data={"csrf_token": csrf_token(client)})
    after = client.get("/board/").get_data(as_text=True)
    queue = after.split('id="queue"', 1)[1].split("</section>", 1)[0]
    assert re.search("to be decided soon.*acknowledged late", queue, re.S)


def test_a_defect_after_the_plan_is_on_the_schedule_with_its_reason(site: Site) -> None:
    worlds.ask(site)
    (given,) = worlds.publish(site).assignments
    with db.session_scope(site.engine) as session:
        service.report_defect(session, site.actor("pilot"), given.drone_id, "cracked arm", NOW)
    for language, words in (("en", "grounded by a defect"), ("fr", "immobilisé par un défaut")):
        text = site.client("coordinator", language).get("/board/").get_data(as_text=True)
        assert 'class="piece trouble"' in text
        assert words in text.split("</svg>", 1)[0], "in the bar's own title"


def test_a_request_is_put_elsewhere_by_its_form_and_twice_in_one_draft(site: Site) -> None:
    """The second placement builds on the first; the draft names both and what they are."""
    worlds.ask(site)
    worlds.ask(
        site,
        "neighbour",
        title="the other one",
        start_at=NOW + timedelta(hours=6),
        end_at=NOW + timedelta(hours=9),
    )
    worlds.publish(site)
    client = site.client("coordinator")
    data = {"csrf_token": csrf_token(client), "day": "2026-05-04", "zoom": "day"}
    form = {**data, "plan": "0", "request_id": "1", "start_at": "2026-05-04T13:30"}
    first = client.post("/what-if/place", data=form)
    assert first.status_code == 302
    assert "/board/plans/2?" in first.headers["Location"]
    form = {**data, "plan": "2", "request_id": "2", "start_utc": "2026-05-04T14:30:00Z"}
    second = client.post("/what-if/place", data=form).headers["Location"]
    text = client.get(second).get_data(as_text=True)
    assert text.count("is put here") == 2
    assert "4 May 13:30" in text
    assert "4 May 16:30" in text
    assert text.count("another time") == 2


def test_a_form_that_says_nothing_and_one_that_cannot_be_say_why(site: Site) -> None:
    worlds.ask(site)
    worlds.publish(site)
    client = site.client("coordinator")
    data = {"csrf_token": csrf_token(client), "plan": "0"}
    for fields, words in (
        ({"request_id": "1"}, "Choose a drone, a pilot or a start."),
        ({"request_id": "1", "start_at": "tomorrow"}, "Write a date and a time"),
        ({"request_id": "1", "drone_id": "9"}, "Request 1 cannot be there: drone-09"),
        ({"request_id": "1", "start_at": "2026-05-05T13:00"}, "within the window asked for"),
    ):
        answer = client.post("/what-if/place", data={**data, **fields}, follow_redirects=True)
        text = answer.get_data(as_text=True)
        assert words in text.replace("&#39;", "'"), fields
        assert 'value="1" selected' in text, "the request stays chosen"
    assert (
        client.post(
            "/what-if/place", data={**data, "request_id": "77", "drone_id": "1"}
        ).status_code
        == 404
    )
    assert client.get("/board/?zoom=month").status_code == 422


def test_the_map_of_the_day_has_its_requests_and_bases_only(site: Site) -> None:
    worlds.ask(site)
    worlds.ask(
        site,
        title="another week",
        start_at=NOW + timedelta(days=6),
        end_at=NOW + timedelta(days=6, hours=2),
    )
    worlds.publish(site)
    client = site.client("coordinator")
    for query, wanted in (("", {1}), ("?zoom=week", {1, 2}), ("?day=2026-05-10", {2})):
        text = client.get(f"/board/{query}").get_data(as_text=True)
        block = text.split('id="day-data">', 1)[1].split("</script>", 1)[0]
        assert {row["id"] for row in json.loads(block)["requests"]} == wanted, query
