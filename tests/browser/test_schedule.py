"""The coordinator moves bars: by mouse, by keyboard, by touch, and without scripts."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from droneteam import db
from droneteam.fleet import service as fleet
from tests.browser.conftest import OpenPage, Server, Watched, keep_picture
from tests.browser.test_journeys import wait_until
from tests.web import worlds

STATUS = "document.querySelector('[data-schedule-status]').textContent"


@pytest.fixture
def planned(fresh: Server) -> Server:
    """Two requests with a drone each: a photogrammetry at 13:00 and a march at 14:00."""
    now = fresh.site.clock()
    worlds.ask(fresh.site)
    worlds.ask(
        fresh.site,
        "neighbour",
        kind="demonstration",
        title="March from Nord to Midi",
        priority="P2",
        polygon=(),
        lat_deg=50.8467,
        lon_deg=4.3525,
        start_at=now + timedelta(hours=4),
        end_at=now + timedelta(hours=7),
    )
    worlds.publish(fresh.site)
    return fresh


def given(server: Server, request_id: int, plan_id: int | None = None) -> fleet.AssignmentView:
    """What a plan, by default the one in force, gives the request."""
    with db.read_scope(server.site.engine) as session:
        me = server.site.actor("coordinator")
        plan = (
            fleet.current_plan(session, me)
            if plan_id is None
            else fleet.get_plan(session, me, plan_id)
        )
    assert plan is not None
    return next(row for row in plan.assignments if row.request_id == request_id)


def bar(page: Page, request_id: int, group: str = "drone") -> Any:
    return page.locator(f"svg[data-group={group}] .piece[data-request='{request_id}'] .bar").first


def twin(server: Server, drone_id: int, other_than: int) -> int:
    """Another drone of the same model that holds nothing."""
    with db.read_scope(server.site.engine) as session:
        drones = fleet.list_drones(session, server.site.actor("coordinator"), server.site.clock())
    model = next(drone.model for drone in drones if drone.id == drone_id)
    return next(
        drone.id
        for drone in drones
        if drone.model == model and drone.id not in (drone_id, other_than)
    )


def test_a_bar_is_dragged_to_another_drone_and_the_draft_shows_who_changes(
    planned: Server, open_page: OpenPage
) -> None:
    opened = open_page(planned, "/board/", "coordinator")
    page = opened.page
    before = given(planned, 2)
    rows = page.locator("svg[data-group=drone]").get_attribute("data-lanes").split()
    free = twin(planned, before.drone_id, given(planned, 1).drone_id)
    target, here = rows.index(f"drone:{free}"), rows.index(f"drone:{before.drone_id}")
    drag(page, 2, dy=48 * (target - here))
    page.wait_for_url("**/board/plans/2**")
    after = given(planned, 2, plan_id=2)
    assert f"drone:{after.drone_id}" == rows[target]
    assert after.start_at == before.start_at
    assert given(planned, 2) == before, "nothing is in force before it is published"
    changes = page.locator("#changes").inner_text()
    assert "March from Nord to Midi" in changes
    assert "another drone" in changes
    assert "1.000 → 1.000" in changes
    assert page.locator(".piece.before[data-request='2']").count() >= 1
    assert page.locator(".piece.changed[data-request='2']").count() >= 1
    page.fill("#publish-reason", "the other drone is nearer")
    keep_picture(page, "plan-draft")
    page.get_by_role("button", name="Publish this plan").click()
    page.wait_for_url("**/board/")
    assert given(planned, 2).drone_id == after.drone_id
    opened.check()


def drag(page: Page, request_id: int, *, dx: float = 0, dy: float = 0, drop: bool = True) -> None:
    """From the bar's middle, in several steps, as a hand does."""
    found = bar(page, request_id)
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for part in (0.3, 0.7, 1.0):
        page.mouse.move(x + part * dx, y + part * dy)
    if drop:
        page.mouse.up()


def test_a_dragged_bar_says_what_is_in_its_way_and_escape_leaves_it(
    planned: Server, open_page: OpenPage
) -> None:
    opened = open_page(planned, "/board/", "coordinator")
    page = opened.page
    rows = page.locator("svg[data-group=drone]").get_attribute("data-lanes").split()
    one, two = (rows.index(f"drone:{given(planned, number).drone_id}") for number in (1, 2))
    drag(page, 2, dy=48 * (one - two), drop=False)
    said = page.locator("[data-schedule-status]").inner_text()
    assert "request 1" in said
    assert page.locator(".ghost.clash").count() == 1
    page.keyboard.press("Escape")
    page.mouse.up()
    assert "Left where it was." in page.locator("[data-schedule-status]").inner_text()
    assert page.locator(".ghost").count() == 0
    assert page.url.endswith("/board/")
    opened.check()


def test_a_bar_is_moved_by_the_keyboard_alone(planned: Server, open_page: OpenPage) -> None:
    opened = open_page(planned, "/board/", "coordinator", language="nl")
    page = opened.page
    before = given(planned, 1)
    page.locator("svg[data-group=drone] .piece[data-request='1']").first.focus()
    page.keyboard.press("Space")
    assert "Opgenomen" in page.locator("[data-schedule-status]").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert "13:45" in page.locator("[data-schedule-status]").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/board/plans/2**")
    after = given(planned, 1, plan_id=2)
    assert after.start_at - before.start_at == timedelta(minutes=45)
    assert after.drone_id == before.drone_id
    assert "ander tijdstip" in page.locator("#changes").inner_text()
    opened.check()


def test_a_bar_is_moved_by_touch_with_buttons_of_a_finger_s_size(
    planned: Server, open_page: OpenPage
) -> None:
    opened = open_page(planned, "/board/", "coordinator", size="phone", language="fr")
    page = opened.page
    before = given(planned, 1)
    page.get_by_role("button", name="Déplacer au doigt").tap()
    bar(page, 1).scroll_into_view_if_needed()
    bar(page, 1).tap()
    for name in ("Plus tard", "Rangée", "ici"):
        for button in page.locator("[data-picked] button", has_text=name).all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44
    page.locator("[data-tool=later]").tap()
    page.locator("[data-tool=later]").tap()
    page.locator("[data-tool=drop]").tap()
    page.wait_for_url("**/board/plans/2**")
    assert given(planned, 1, plan_id=2).start_at - before.start_at == timedelta(minutes=30)
    opened.check()


def test_what_cannot_be_is_refused_by_name_and_nothing_is_made(
    planned: Server, open_page: OpenPage
) -> None:
    opened = open_page(planned, "/board/", "coordinator")
    page = opened.page
    drag(page, 2, dx=200)  # a march keeps its window
    page.locator(".notice.wrong").wait_for()
    said = page.locator(".notice.wrong").inner_text()
    assert "Request 2 cannot be there" in said
    assert "within the window asked for" in said
    with db.read_scope(planned.site.engine) as session:
        assert len(fleet.list_plans(session, planned.site.actor("coordinator"))) == 1
    opened.check()


def test_without_scripts_the_form_does_the_same(planned: Server, open_page: OpenPage) -> None:
    opened = open_page(planned, "/board/", "coordinator", java_script_enabled=False)
    page = opened.page
    free = twin(planned, given(planned, 2).drone_id, given(planned, 1).drone_id)
    page.get_by_role("link", name="Move 2 March from Nord to Midi").click()
    assert page.locator("#request_id").input_value() == "2"
    page.select_option("#drone_id", str(free))
    page.get_by_role("button", name="Plan around it").click()
    assert given(planned, 2, plan_id=2).drone_id == free
    page.get_by_role("button", name="Put the draft aside").click()
    assert "Nothing has changed" in page.locator(".notice").inner_text()
    assert given(planned, 2).drone_id != free


def test_a_click_opens_the_request_and_a_manager_moves_nothing(
    planned: Server, open_page: OpenPage
) -> None:
    opened: Watched = open_page(planned, "/board/", "manager")
    page = opened.page
    assert page.locator("[data-movable]").count() == 0
    assert page.locator("[data-move-form]").count() == 0
    bar(page, 2).click()
    page.wait_for_url("**/requests/2")
    opened.check()


def test_the_week_shows_every_day_and_steps_by_hours(planned: Server, open_page: OpenPage) -> None:
    opened = open_page(planned, "/board/?zoom=week", "coordinator")
    page = opened.page
    days = page.locator("svg[data-group=drone] .tick-line.midnight").count()
    assert days == 7
    page.locator("svg[data-group=drone] .piece[data-request='1']").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    assert wait_until(page, f"{STATUS}.includes('14:00')", "the time one hour later")
    opened.check()


def test_the_map_of_the_day_has_a_table_twin_and_names_what_is_tapped(
    planned: Server, open_page: OpenPage
) -> None:
    worlds.ask(planned.site, title="one without a drone", lat_deg=50.87, lon_deg=4.30)
    opened = open_page(planned, "/board/", "manager", language="fr")
    page = opened.page
    page.locator("#day-map canvas").first.wait_for()
    rows = page.locator("section:has(#day-map) tbody tr")
    assert rows.count() == 3
    assert "sans drone" in page.locator("section:has(#day-map)").inner_text()
    data = page.evaluate("JSON.parse(document.getElementById('day-data').textContent)")
    assert [one["served"] for one in data["requests"]].count(False) == 1
    assert all((one["base"] is None) is not one["served"] for one in data["requests"])
    page.locator("#day-map").scroll_into_view_if_needed()
    box = page.locator("#day-map").bounding_box()
    assert box is not None
    shown = [*data["requests"], *data["bases"]]
    tapped = next(one for one in data["requests"] if not one["served"])
    x, y = on_map(shown, tapped, box["width"], box["height"])
    page.locator("#day-map").click(position={"x": x, "y": y})
    wait_until(page, "document.querySelector('#day-result a') !== null", "the tapped request")
    assert "one without a drone" in page.locator("#day-result").inner_text()
    page.locator("#day-result a").click()
    page.wait_for_url(f"**{tapped['url']}")
    opened.check()


def on_map(
    shown: list[dict[str, Any]], one: dict[str, Any], width: float, height: float
) -> tuple[float, float]:
    """Where a place lies in a map that was fitted to all of them with 48 pixels around."""
    xs, ys = zip(*(mercator(place) for place in shown), strict=True)
    m_per_px = max(
        (max(xs) - min(xs)) / (width - 96), (max(ys) - min(ys)) / (height - 96), 156_543.034 / 2**14
    )
    x, y = mercator(one)
    return (
        width / 2 + (x - (min(xs) + max(xs)) / 2) / m_per_px,
        height / 2 - (y - (min(ys) + max(ys)) / 2) / m_per_px,
    )


def mercator(place: dict[str, Any]) -> tuple[float, float]:
    """Metres of web Mercator (EPSG:3857)."""
    lat, lon = math.radians(place["latDeg"]), math.radians(place["lonDeg"])
    return 6_378_137.0 * lon, 6_378_137.0 * math.log(math.tan(math.pi / 4 + lat / 2))
