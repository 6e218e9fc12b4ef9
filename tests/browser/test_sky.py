"""The sky in a browser: shapes, filters, past moments, coverage, warnings, one stream for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from droneteam import db
from droneteam.detection.models import AlertRow, Sighting, TrackRow
from droneteam.missions import service as missions
from tests.browser.conftest import OpenPage, Server, keep_picture, serve
from tests.browser.test_journeys import wait_until
from tests.browser.test_pages import BUDGET_BYTES, script_bytes, settle, too_wide, violations
from tests.web import sky_world, worlds
from tests.web.conftest import open_site

STATUS = "document.querySelector('#live-status').textContent"


@pytest.fixture
def air(seeded: Path, tmp_path: Path) -> Iterator[Server]:
    """A server with one of everything in its sky."""
    site = open_site(seeded, tmp_path)
    sky_world.fill(site)
    yield from serve(site)
    site.engine.dispose()


def rows(kind: str) -> str:
    """The shown rows of a table, as JavaScript."""
    return f"document.querySelectorAll('tbody[data-kind={kind}] tr').length"


@pytest.mark.parametrize(
    ("path", "login", "look"),
    [
        ("/live/", "pilot", ("phone", "nl", "dark")),
        ("/live/history/", "investigator", ("desktop", "fr", "dark")),
        ("/live/coverage/", "manager", ("desktop", "nl", "light")),
        ("/privacy/", "administrator", ("desktop", "en", "dark")),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("/live/", "coordinator", ("desktop", "en", "light")),
                ("/live/history/", "pilot", ("phone", "en", "light")),
                ("/live/coverage/", "coordinator", ("phone", "fr", "dark")),
                ("/privacy/", "auditor", ("phone", "nl", "light")),
                (f"/alerts/{sky_world.SPOOF}", "investigator", ("desktop", "fr", "light")),
            )
        ),
    ],
)
def test_a_page_of_the_sky_is_accessible_silent_and_small(
    air: Server, open_page: OpenPage, path: str, login: str, look: tuple[str, str, str]
) -> None:
    size, language, theme = look
    opened = open_page(air, path, login, size=size, language=language, theme=theme)
    settle(opened)
    assert violations(opened) == []
    assert too_wide(opened) <= 0
    assert script_bytes(opened) <= BUDGET_BYTES
    opened.check()
    name = "-".join(part for part in path.split("/") if part)
    keep_picture(opened.page, f"{name}-{size}-{theme}")


def test_a_filter_hides_rows_on_the_page_as_the_server_does(
    air: Server, open_page: OpenPage
) -> None:
    opened = open_page(air, "/live/", "coordinator")
    page = opened.page
    wait_until(page, f"{STATUS} === 'live'", "the stream")
    wait_until(page, f"{rows('track')} === 5 && {rows('drone')} === 1", "every row")
    for query, control in (
        ("class=suspect", "input[value=suspect]"),
        ("alerted=1", "input[name=alerted]"),
    ):
        page.check(control)
        plain = air.site.client("coordinator").get(f"/live/?{query}").get_data(as_text=True)
        served = sorted(re.findall(r'data-key="((?:track|drone):\d+)"', plain))
        shown = page.evaluate(
            "[...document.querySelectorAll('tr[data-key]')].map(r => r.dataset.key)"
            ".filter(k => /^(track|drone)/.test(k)).sort()"
        )
        assert shown == served
        assert 1 <= len(served) < 6
        page.uncheck(control)
    page.fill("#q", "bnd003")
    wait_until(page, f"{rows('track')} === 1 && {rows('drone')} === 0", "the search")
    assert "1 of 6" in page.inner_text("#shown")
    opened.check()


@pytest.mark.slow
def test_a_chosen_track_is_told_and_followed_by_keyboard(air: Server, open_page: OpenPage) -> None:
    opened = open_page(air, "/live/", "coordinator")
    page = opened.page
    wait_until(page, f"{STATUS} === 'live'", "the stream")
    assert page.is_disabled("#follow")
    page.click("tr[data-key='track:13'] th")
    assert "1581F4BND003: unknown drone, height 60 m, 8.0 m/s" in page.inner_text("#map-result")
    page.focus("#follow")
    page.keyboard.press("Enter")
    assert page.get_attribute("#follow", "aria-pressed") == "true"
    opened.check()


def test_tabs_of_one_browser_share_one_stream_and_another_takes_over(
    air: Server, open_page: OpenPage
) -> None:
    opened = open_page(air, "/live/", "coordinator")
    first = opened.page
    wait_until(first, f"{STATUS} === 'live'", "the first tab's stream")
    asked: list[str] = []
    second = first.context.new_page()
    second.on("request", lambda request: asked.append(request.url))
    second.goto(air.url + "/live/")
    wait_until(second, f"{STATUS} === 'live, through another tab'", "the second tab")
    wait_until(second, f"{rows('track')} === 5", "its rows")
    assert not [url for url in asked if "/events" in url]
    move(air, 50.8301)
    for page in (first, second):
        wait_until(page, "document.body.innerText.includes('50.83010')", "the change in both tabs")
    first.close()
    wait_until(second, f"{STATUS} === 'live'", "the second tab leads")
    resumed = [url for url in asked if "/events?last=" in url]
    assert len(resumed) == 1
    move(air, 50.8302)
    wait_until(second, "document.body.innerText.includes('50.83020')", "what comes after that")


def move(air: Server, lat_deg: float) -> None:
    with db.session_scope(air.site.engine) as session:
        session.get_one(TrackRow, 12).lat_deg = lat_deg


@pytest.mark.slow
def test_another_person_in_the_same_browser_does_not_get_the_first_ones_stream(
    air: Server, open_page: OpenPage
) -> None:
    opened = open_page(air, "/live/", "coordinator")
    wait_until(opened.page, f"{STATUS} === 'live'", "the stream")
    other = air.site.client("manager").get("/live/").get_data(as_text=True)
    mine = air.site.client("coordinator").get("/live/").get_data(as_text=True)
    names = [re.findall(r'"channel": "(\w+)"', text)[0] for text in (mine, other)]
    assert names[0] != names[1]
    assert "50.8181" not in other


def test_the_slider_shows_where_everything_was(air: Server, open_page: OpenPage) -> None:
    opened = open_page(air, "/live/history/", "pilot")
    page = opened.page
    wait_until(page, f"{rows('track')} === 5", "the last moment")
    for minutes in (5, 2):
        at = air.site.clock() - timedelta(minutes=minutes)
        page.evaluate(
            "s => { const e = document.querySelector('#slider'); e.value = s;"
            " e.dispatchEvent(new Event('input')); }",
            str(int(at.timestamp())),
        )
        _, lon_deg = sky_world.place(2, minutes * 60.0)
        wait_until(page, f"document.body.innerText.includes('{lon_deg:.5f}')", "the place then")
    before = page.input_value("#slider")
    page.select_option("#speed", "50")
    page.click("#play")
    wait_until(page, f"Number(document.querySelector('#slider').value) > {before} + 30", "playing")
    wait_until(page, "document.querySelector('#play').textContent === 'Play'", "the end")
    assert page.input_value("#slider") == page.get_attribute("#slider", "max")
    opened.check()


@pytest.mark.slow
def test_a_link_to_a_moment_shows_that_moment_to_somebody_else(
    air: Server, open_page: OpenPage
) -> None:
    opened = open_page(air, "/live/history/", "pilot")
    page = opened.page
    wait_until(page, f"{rows('track')} === 5", "the last moment")
    page.check("input[value=manned]")
    at = air.site.clock() - timedelta(minutes=3)
    page.evaluate(
        "s => { const e = document.querySelector('#slider'); e.value = s;"
        " e.dispatchEvent(new Event('input')); }",
        str(int(at.timestamp())),
    )
    page.click("#share")
    wait_until(page, "location.search.includes('at=')", "the address")
    shared = page.evaluate("location.pathname + location.search")
    plain = air.site.client("auditor").get(shared).get_data(as_text=True)
    assert f"{sky_world.place(4, 180.0)[1]:.5f}" in plain
    assert "G-POLC" in plain
    assert "1581F4BND003" not in plain.split('data-kind="track"')[1].split("</tbody>")[0]
    opened.check()


def test_a_conflict_reaches_the_pilots_page_as_a_proposal_and_can_be_answered(
    air: Server, open_page: OpenPage
) -> None:
    site = air.site
    worlds.ask(site)
    worlds.publish(site)
    mission_id = worlds.plan_mission(site).id
    with db.session_scope(site.engine) as session:
        mission = missions.get_mission(session, site.actor("coordinator"), mission_id)
        alert = session.get_one(AlertRow, sky_world.CONFLICT)
        alert.cleared_at, alert.acknowledged_at = site.clock(), None
    opened = open_page(air, f"/missions/{mission_id}/live", "pilot")
    page = opened.page
    wait_until(page, f"{STATUS} === 'live'", "the stream")
    assert page.inner_text("#warnings .empty") == "No conflict."
    with db.session_scope(site.engine) as session:
        alert = session.get_one(AlertRow, sky_world.CONFLICT)
        alert.cleared_at = None
        alert.facts = {**alert.facts, "drone": mission.drone_name}
    wait_until(page, "document.querySelector('.conflict') !== null", "the warning")
    text = page.inner_text(".conflict")
    assert "closest in 21.5 s, at 34 m" in text
    assert "Proposal: Turn right by 90°. You decide." in text
    page.click(".conflict button")
    wait_until(page, "document.body.innerText.includes('seen by pilot 1')", "the answer")
    assert violations(opened) == []
    opened.check()


@pytest.mark.slow
def test_cells_of_coverage_are_told_when_they_are_tapped(air: Server, open_page: OpenPage) -> None:
    opened = open_page(air, "/live/coverage/?receiver=roof&band=1", "manager")
    page = opened.page
    settle(opened)
    box = page.locator("#map").bounding_box()
    assert box is not None
    told = []
    for share in (0.3, 0.35, 0.4, 0.45, 0.55, 0.6, 0.65, 0.7):
        page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.45)
        page.wait_for_timeout(400)  # a single click is told from a double one
        told.append(page.inner_text("#map-result"))
    assert any(re.match(r"roof: \d+ messages, strongest -6\d dBm", text) for text in told), told
    opened.check()


@pytest.mark.slow
def test_history_reaches_over_many_pieces(air: Server, open_page: OpenPage) -> None:
    """More points than one answer holds: the page asks on until it has all."""
    now = air.site.clock()
    with db.session_scope(air.site.engine) as session:
        session.add_all(
            Sighting(
                track_id=13,
                at=now - timedelta(seconds=100) + timedelta(milliseconds=10 * n),
                lat_deg=50.8,
                lon_deg=4.3 + n * 1e-6,
            )
            for n in range(9000)
        )
    opened = open_page(air, "/live/history/", "pilot")
    with opened.page.expect_request(lambda request: "cursor=" in request.url):
        opened.page.reload()
    wait_until(opened.page, f"{rows('track')} === 5", "the last moment")
    opened.check()
