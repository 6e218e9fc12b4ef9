"""What people do, in a real browser: on a phone, without scripts, and while things move."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from droneteam import db
from droneteam.accounts import SYSTEM
from droneteam.missions import service as missions
from droneteam.places import service as places
from tests.browser.conftest import OpenPage, Server, live_state
from tests.places.streets import write
from tests.web import scene_world, worlds
from tests.web.conftest import NOW, PASSWORD

PATIENCE_S = 60.0


def wait_until(page: Page, expression: str, what: str) -> Any:
    """The expression's value once it is true; polls, because the policy blocks eval in pages."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = page.evaluate(expression)
        if value:
            return value
        page.wait_for_timeout(100)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s for {what}")


def fill_request(
    page: Page, start: str = "2026-05-04T14:00", end: str = "2026-05-04T16:00"
) -> None:
    page.fill("#title", "Collision of two cars")
    page.fill("#start_at", "2026-05-04T14:00")
    page.fill("#end_at", end)
    page.fill("#legal_basis", "CPP 44/11")
    page.fill("#contact", "officer 3")


def test_a_zone_asks_on_a_phone_by_tapping_the_place_and_gets_an_answer_first(
    fresh: Server, open_page: OpenPage
) -> None:
    opened = open_page(fresh, "/requests/new", "requester", size="phone", language="fr")
    page = opened.page
    fill_request(page)
    page.locator("#map canvas").first.wait_for()
    page.locator("#map").tap(position={"x": 170, "y": 150})
    latitude = float(wait_until(page, "document.querySelector('#lat_deg').value", "the place"))
    assert 50.7 < latitude < 51.0
    wait_until(
        page,
        "['yes','maybe','no'].some(c => document.querySelector('#answer').classList.contains(c))",
        "the answer",
    )
    assert page.locator("#answer li").count() >= 1
    page.get_by_role("button", name="Envoyer la demande").tap()
    page.wait_for_url("**/requests/1")
    assert "Collision of two cars" in page.locator("h1").inner_text()
    opened.check()


def test_a_place_is_found_by_its_address_with_the_keyboard_alone(
    fresh: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    with db.session_scope(fresh.site.engine) as session:
        register = write(tmp_path / "addresses.csv")
        places.load_addresses(session, SYSTEM, register, "register, May 2026", NOW)
    opened = open_page(fresh, "/requests/new", "requester", size="phone", language="nl")
    page = opened.page
    page.locator("#map canvas").first.wait_for()
    page.locator("#address").press_sequentially("kroonlaan 227")
    wait_until(page, "document.querySelectorAll('#places [role=option]').length", "the list")
    page.keyboard.press("ArrowDown")
    field, marked = page.locator("#address"), page.locator("#places [aria-selected=true]")
    assert marked.inner_text() == "Kroonlaan 227, 1050 Elsene"
    assert marked.get_attribute("id") == field.get_attribute("aria-activedescendant")
    page.keyboard.press("Enter")
    assert page.input_value("#address") == "Kroonlaan 227, 1050 Elsene"
    assert page.input_value("#lat_deg") == "50.818650"
    page.fill("#address", "ter kameren")
    wait_until(page, "document.querySelectorAll('#places [role=option]').length", "the list")
    page.locator("#places [role=option]").first.tap()
    assert page.input_value("#lat_deg") == ""  # a wood is no place yet: the map only goes there
    assert "tik op de juiste plaats" in page.locator("#place-note").inner_text()
    opened.check()


def test_an_area_is_drawn_on_the_map_and_written_into_its_field(
    fresh: Server, open_page: OpenPage
) -> None:
    opened = open_page(fresh, "/requests/new", "requester")
    page = opened.page
    page.locator("#map canvas").first.wait_for()
    page.get_by_role("button", name="Draw the area").click()
    for x, y in ((200, 90), (330, 90), (330, 200), (200, 200)):
        page.locator("#map").click(position={"x": x, "y": y})
        page.wait_for_timeout(350)  # two quick clicks would be a double click
    page.locator("#map").click(position={"x": 200, "y": 90})
    corners = wait_until(page, "document.querySelector('#polygon').value", "the corners")
    assert len(corners.splitlines()) == 4
    text = "document.querySelector('#area-text').textContent"
    assert "m²" in wait_until(page, text, "the area's size")
    opened.check()


def test_everything_works_without_scripts(fresh: Server, open_page: OpenPage) -> None:
    opened = open_page(fresh, "/sign-in", java_script_enabled=False)
    page = opened.page
    page.fill("#login", "requester")
    page.fill("#password", PASSWORD)
    page.click("main button.primary")
    page.goto(fresh.url + "/requests/new")
    fill_request(page, end="2026-05-04T13:00")
    page.fill("#lat_deg", "50.8197")
    page.fill("#lon_deg", "4.3908")
    page.click("main button.primary")
    assert "The end must be after the start." in page.locator("#end_at-problem").inner_text()
    assert page.input_value("#title") == "Collision of two cars"
    page.fill("#end_at", "2026-05-04T16:00")
    page.click("main button.primary")
    assert page.url.endswith("/requests/1")
    page.click("button[name=language][value=nl]")
    assert "Ontvangstmelding" in page.locator(".clocks").inner_text()


def test_the_clocks_run(story: Server, open_page: OpenPage) -> None:
    opened = open_page(story, "/requests/2", "neighbour")
    text = "[...document.querySelectorAll('[data-state=running] [data-clock-text]')]"
    first = opened.page.evaluate(f"{text}.map(e => e.textContent).join()")
    assert "left" in first
    wait_until(
        opened.page, f"{text}.map(e => e.textContent.trim()).every(t => t.length > 3)", "clocks"
    )
    opened.check()


def test_the_pilot_reads_the_map_by_tapping_and_approves(
    fresh: Server, open_page: OpenPage
) -> None:
    worlds.ask(fresh.site)
    worlds.publish(fresh.site)
    worlds.plan_mission(fresh.site)
    opened = open_page(fresh, "/missions/1", "pilot", size="phone")
    page = opened.page
    page.locator("#map canvas").first.wait_for()
    page.get_by_label("Footprints").check()
    page.wait_for_timeout(500)
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.locator("#map").tap(position={"x": box["width"] / 2, "y": 12})
    assert "Tap a photo position" in wait_until(
        page, "document.querySelector('#map-result').textContent", "the map's answer"
    )
    page.fill("#reason", "the authority's map was consulted")
    page.get_by_label("What is marked as not checked").tap()
    page.get_by_role("button", name="Approve this plan").tap()
    page.get_by_text("Approved: exactly this plan may be flown.").wait_for()
    opened.check()


def test_the_live_map_follows_what_moves_and_announces_a_new_drone(
    fresh: Server, open_page: OpenPage
) -> None:
    put_drones(fresh, lambda: [live_state(fresh.site, 1, 0.0)])
    opened = open_page(fresh, "/live/", "coordinator")
    page = opened.page
    wait_until(page, "document.querySelector('#live-status').textContent === 'live'", "the stream")
    assert page.locator("tr[data-key='drone:1']").count() == 1
    moved = [live_state(fresh.site, 1, 0.001, speed_mps=9.5), live_state(fresh.site, 2, 0.002)]
    put_drones(fresh, lambda: moved)
    wait_until(page, "!!document.querySelector(\"tr[data-key='drone:2']\")", "the second drone")
    assert "9.5 m/s" in page.locator("tr[data-key='drone:1']").inner_text()
    fresh.site.clock.at = NOW + timedelta(hours=1)
    wait_until(page, "!document.querySelector(\"tr[data-key='drone:1']\")", "the drones to leave")
    opened.check()


def test_a_browser_without_event_streams_polls(fresh: Server, open_page: OpenPage) -> None:
    put_drones(fresh, lambda: [live_state(fresh.site, 1, 0.0)])
    opened = open_page(fresh, "/requests/", "coordinator")
    opened.page.add_init_script("delete window.EventSource")
    opened.page.goto(fresh.url + "/live/")
    wait_until(
        opened.page,
        "document.querySelector('#live-status').textContent === 'live, every 2 s'",
        "the first poll",
    )
    opened.check()


def test_a_distance_is_measured_on_the_orthophoto_and_kept_by_name(
    fresh: Server, open_page: OpenPage
) -> None:
    scene_world.marked_scene(fresh.site)
    opened = open_page(fresh, "/scenes/1", "investigator")
    page = opened.page
    page.locator("#ortho-map canvas").first.wait_for()
    page.get_by_role("button", name="Tap the points").click()
    box = page.locator("#ortho-map").bounding_box()
    assert box is not None
    middle = box["height"] / 2
    page.locator("#ortho-map").click(position={"x": box["width"] / 2 - 150, "y": middle})
    page.wait_for_timeout(400)
    page.locator("#ortho-map").click(position={"x": box["width"] / 2 + 150, "y": middle})
    result = "document.querySelector('#ortho-result').textContent"
    text = wait_until(page, f"{result}.includes('95 % interval') && {result}", "the distance")
    metres, low, high = float(text.split()[0]), float(text.split()[5]), float(text.split()[7])
    # The whole raster, 9 m high, is fitted into the window: 300 pixels are that share of it,
    # and the ground under them rises.
    level_m = 300.0 / ((box["height"] - 20) / 9.0)
    assert metres == pytest.approx(level_m * math.hypot(1.0, scene_world.RISE), rel=0.03)
    assert low < metres < high < low + 0.5
    page.fill("#ortho-name", "skid 7")
    page.get_by_role("button", name="Keep the measurement").click()
    page.locator("tr", has_text="skid 7").wait_for()
    page.reload()
    row = page.locator("tr", has_text="skid 7").inner_text()
    assert f"{metres:.3f}\u00a0m" in row
    assert "surface model" in row
    opened.check()


def test_the_cloud_is_drawn_turned_and_measured(fresh: Server, open_page: OpenPage) -> None:
    scene_world.marked_scene(fresh.site)
    opened = open_page(fresh, "/scenes/1", "investigator")
    page = opened.page
    wait_until(page, "document.querySelector('#cloud-view').dataset.ready", "the cloud")
    page.locator("#cloud-view").scroll_into_view_if_needed()
    page.get_by_role("button", name="From above").click()
    page.locator("#cloud-measure").click()
    box = page.locator("#cloud-view").bounding_box()
    assert box is not None
    for x in (-60, 60):
        at = {"x": box["width"] / 2 + x, "y": box["height"] / 2 + 110}
        page.locator("#cloud-view").click(position=at)
        page.wait_for_timeout(300)
    result = "document.querySelector('#cloud-result').textContent"
    text = wait_until(page, f"{result}.includes('95 % interval') && {result}", "the distance")
    assert 0.3 < float(text.split()[0]) < 10.0
    opened.check()


def put_drones(server: Server, states: Callable[[], list[Any]]) -> None:
    with db.session_scope(server.site.engine) as session:
        missions.update_live_states(session, states())


def test_tomorrows_storm_entered_on_a_phone_is_on_the_board_with_what_it_breaks(
    fresh: Server, open_page: OpenPage
) -> None:
    worlds.ask(fresh.site)
    worlds.publish(fresh.site)
    opened = open_page(fresh, "/registry/weather", "coordinator", size="phone", language="nl")
    page = opened.page
    for name, value in (
        ("start_at", "2026-05-04T12:00"),
        ("end_at", "2026-05-04T18:00"),
        ("gust_mps", "17,5"),
        ("source", "KMI"),
    ):
        page.fill(f"#period-{name}", value)
    page.fill("#period-end_at", "2026-05-04T11:00")
    page.get_by_role("button", name="Verwachting invoeren").tap()
    page.get_by_text("Er is nog niets gewijzigd.").wait_for()
    assert page.input_value("#period-gust_mps") == "17,5"
    page.fill("#period-end_at", "2026-05-04T18:00")
    page.get_by_role("button", name="Verwachting invoeren").tap()
    page.get_by_text("alle modellen").wait_for()
    page.goto(f"{fresh.url}/board/")
    page.get_by_role("heading", name="Het geldende plan houdt niet meer voor").wait_for()
    assert "Windstoten van 17,5\u00a0m/s verwacht" in page.inner_text("main")
    assert opened.outside == []
