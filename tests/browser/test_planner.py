"""The planner in a real browser: drawing, moving, undoing, and the plan that follows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, Server, keep_picture
from tests.browser.test_journeys import wait_until
from tests.web import worlds

PLACES = "document.querySelector('#polygon').value"
SMALL = """[...document.querySelectorAll(
  'main button, main a.button, main .chip, main select, main summary, main textarea,'
  + 'main input:not([type=hidden]):not([type=checkbox])')]
  .filter(one => one.offsetParent !== null)
  .map(one => [one.id || one.textContent.trim(), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44)
  .map(([name]) => name)"""
"""Controls that are too small for a finger."""
PHOTOS = "document.querySelector('#preview-facts dd')?.textContent"


@pytest.fixture
def assigned(fresh: Server) -> Server:
    worlds.ask(fresh.site)
    worlds.publish(fresh.site)
    return fresh


def places(page: Page) -> np.ndarray:  # type: ignore[type-arg]
    """(n, 2) latitudes and longitudes as the form holds them."""
    text = str(page.evaluate(PLACES))
    rows = [line.split(",") for line in text.splitlines() if line.strip()]
    return np.array(rows, dtype=float)


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_the_plan_follows_every_edit_and_undo_takes_it_back(
    assigned: Server, open_page: OpenPage
) -> None:
    opened = open_page(assigned, "/missions/new/1", "pilot")
    page = opened.page
    wait_until(page, PHOTOS, "the first plan")
    colours = page.eval_on_selector_all(
        "#overlap-legend .key", "keys => keys.map(key => getComputedStyle(key).backgroundColor)"
    )
    assert len(set(colours)) == 4, "every step of the overlap has a colour of its own"
    start = places(page)
    button(page, "Next")
    for _ in range(3):
        button(page, "North")
    moved = places(page)
    north_m = (moved[0][0] - start[0][0]) * 111_250.0
    assert north_m == pytest.approx(3.0, abs=0.02)
    np.testing.assert_allclose(moved[1:], start[1:])
    for _ in range(3):
        page.keyboard.press("Control+z")
    np.testing.assert_allclose(places(page), start, atol=1e-9)
    for _ in range(3):
        page.keyboard.press("Control+y")
    np.testing.assert_allclose(places(page), moved)
    for _ in range(3):
        page.keyboard.press("Control+z")
    button(page, "Add one after it")
    assert len(places(page)) == len(start) + 1
    button(page, "Remove it")
    np.testing.assert_allclose(places(page), start, atol=1e-9)
    page.fill("#gsd_mm", "15")
    page.locator("#gsd_mm").dispatch_event("input")
    facts = "document.querySelector('#preview-facts').textContent"
    wait_until(page, f"{facts}.includes('15.0 mm')", "another plan")
    page.get_by_label("Overlap", exact=True).check()
    page.get_by_label("Footprints", exact=True).check()
    keep_picture(page, "planner")
    opened.check()


def test_an_outline_traced_by_hand_becomes_few_corners(
    assigned: Server, open_page: OpenPage
) -> None:
    opened = open_page(assigned, "/missions/new/1", "pilot")
    page = opened.page
    wait_until(page, PHOTOS, "the first plan")
    before = str(page.evaluate(PLACES))
    button(page, "Trace")
    box = page.locator("#map").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    outline = [(-90, -60), (90, -60), (90, 60), (-90, 60), (-90, -58)]
    page.mouse.move(middle[0] + outline[0][0], middle[1] + outline[0][1])
    page.mouse.down()
    for x, y in outline[1:]:
        page.mouse.move(middle[0] + x, middle[1] + y, steps=12)
    page.mouse.up()
    wait_until(page, f"{PLACES} !== {before!r}", "the traced outline")
    traced = places(page)
    assert 4 <= len(traced) <= 8
    wait_until(page, PHOTOS, "the plan of the traced area")
    opened.check()


def test_a_pattern_shows_its_own_fields_only(assigned: Server, open_page: OpenPage) -> None:
    opened = open_page(assigned, "/missions/new/1", "pilot", size="phone")
    page = opened.page
    assert page.locator("#angle_deg").is_visible()
    assert not page.locator("#width_m").is_visible()
    page.select_option("#pattern", "corridor")
    assert page.locator("#width_m").is_visible()
    assert not page.locator("#angle_deg").is_visible()
    for name in ("Draw", "Undo", "North"):
        size = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert size is not None
        assert size["height"] >= 44
        assert size["width"] >= 44
    assert page.evaluate(SMALL) == []
    opened.check()


AREA = "50.8185, 4.3885\n50.8185, 4.3930\n50.8212, 4.3930\n50.8212, 4.3885"
POND = [[4.3912, 50.8200], [4.3928, 50.8200], [4.3928, 50.8210], [4.3912, 50.8210]]


def pond_map() -> bytes:
    geometry = {"type": "Polygon", "coordinates": [[*POND, POND[0]]]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"name": "pond", "poa": 0.5}}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


def test_a_probability_map_from_a_file_is_drawn_told_and_planned_with(
    assigned: Server, open_page: OpenPage
) -> None:
    opened = open_page(assigned, "/missions/new/1", "pilot")
    page = opened.page
    page.select_option("#pattern", "parallel_track")
    page.fill("#gsd_mm", "40")
    page.fill("#polygon", AREA)
    page.locator("summary", has_text="Where the person may be").click()
    page.set_input_files(
        "#chance_file",
        {"name": "poa.geojson", "mimeType": "application/json", "buffer": pond_map()},
    )
    button(page, "Take the map")
    rows = "document.querySelectorAll('#preview-chance-rows tr').length"
    wait_until(page, f"{rows} === 1", "the map's table")
    told = page.locator("#preview-chance-rows").inner_text()
    assert "pond" in told
    assert "50.0" in told
    assert page.locator("#chances-legend").is_visible()
    page.get_by_label("Probability map", exact=True).first.uncheck()
    assert not page.locator("#chances-legend").is_visible()
    page.click("main button.primary")
    page.wait_for_url("**/missions/1")
    assert page.get_by_role("rowheader", name="pond").is_visible()
    opened.check()


def test_a_files_places_are_an_edit_that_is_undone_and_redone_whole(
    assigned: Server, open_page: OpenPage
) -> None:
    """A path turns a survey into free waypoints, too: undone, the survey is back."""
    opened = open_page(assigned, "/missions/new/1", "pilot")
    page = opened.page
    page.fill("#polygon", AREA)
    page.locator("#polygon").blur()
    page.fill("#gsd_mm", "17")
    heights = page.input_value("#alt_home_m")
    track = {"type": "LineString", "coordinates": [[4.389, 50.82, 30.0], [4.392, 50.821, 40.0]]}
    page.locator("summary", has_text="Take the places from a file").click()
    page.set_input_files(
        "#file",
        {
            "name": "track.geojson",
            "mimeType": "application/json",
            "buffer": json.dumps(track).encode(),
        },
    )
    button(page, "Take them")
    places = "document.querySelector('#polygon').value"
    wait_until(page, f"{places}.includes('4.392')", "the file's places")
    assert page.url.endswith("/missions/new/1")
    assert (page.input_value("#pattern"), page.input_value("#gsd_mm")) == ("free", "17")
    told = page.locator("#map-result").inner_text()
    assert "free waypoints" in told
    assert "gives no heights" in told
    button(page, "Undo")
    assert (page.input_value("#pattern"), page.input_value("#gsd_mm")) == ("survey", "17")
    assert page.input_value("#alt_home_m") == heights != ""
    assert [line.split(",")[0][:7] for line in page.input_value("#polygon").splitlines()] == [
        line.split(",")[0] for line in AREA.splitlines()
    ]
    button(page, "Redo")
    assert page.input_value("#pattern") == "free"
    assert page.input_value("#alt_home_m") == ""
    assert page.evaluate(places).count("\n") == 1
    opened.check()


def test_what_cannot_be_planned_is_said_while_it_is_drawn(
    assigned: Server, open_page: OpenPage
) -> None:
    opened = open_page(assigned, "/missions/new/1", "pilot")
    page = opened.page
    wait_until(page, PHOTOS, "the first plan")
    page.fill("#max_photos", "4")
    said = "document.querySelector('#preview-state').textContent"
    wait_until(page, f"{said}.includes('max_photos') && {said}", "what stands against it")
    assert page.evaluate(f"{PHOTOS} ?? ''") == ""
    opened.check()


def test_without_scripts_every_field_is_there(assigned: Server, open_page: OpenPage) -> None:
    opened = open_page(assigned, "/missions/new/1", "pilot", java_script_enabled=False)
    page = opened.page
    for name in ("angle_deg", "width_m", "radius_m", "polygon"):
        assert page.locator(f"#{name}").is_visible()
    assert not page.locator("#map").is_visible()
    page.click("main button.primary")
    page.wait_for_url("**/missions/1")
