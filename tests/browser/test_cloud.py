"""The cloud in a real browser: streamed in parts, picked, measured, clipped, with its photos."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Request

from tests.browser.conftest import OpenPage, Server, Watched, keep_picture
from tests.browser.test_journeys import wait_until
from tests.web import scene_world

HOLDER = "document.querySelector('#cloud-view').dataset"
RESULT = "document.querySelector('#cloud-result').textContent"
PHOTOS = "document.querySelectorAll('#cloud-photos button').length"
BUDGET = 200_000
"""The least that the page offers; the scene's 80,000 points fit."""


@pytest.fixture
def count(fresh: Server) -> int:
    """A scene with photos and a cloud in an octree; its points."""
    assert scene_world.marked_scene(fresh.site).scene_id == 1
    return scene_world.add_octree(fresh.site, 1)


def shown(opened: Watched) -> Page:
    page = opened.page
    wait_until(page, f"{HOLDER}.settled === 'yes'", "the cloud")
    page.locator("#cloud-view").scroll_into_view_if_needed()
    return page


def tap(page: Page, x: float, y: float, touch: bool = False) -> None:
    """A tap at parts of the view's width and height."""
    view = page.locator("#cloud-view")
    box = view.bounding_box()
    assert box is not None
    at: Any = {"x": x * box["width"], "y": y * box["height"]}
    if touch:
        view.tap(position=at)
    else:
        view.click(position=at)


def test_the_octree_is_read_in_parts_measured_by_keyboard_and_kept(
    fresh: Server, open_page: OpenPage, count: int
) -> None:
    opened = open_page(fresh, "/account", "investigator")
    asked: list[Request] = []
    opened.page.on("request", lambda request: asked.append(request))
    opened.page.goto(fresh.url + "/scenes/1")
    page = shown(opened)
    assert 0 < int(page.evaluate(f"{HOLDER}.points")) <= count
    assert int(page.evaluate(f"{HOLDER}.held")) <= int(page.input_value("#cloud-budget"))
    parts = [request for request in asked if "cloud.copc.laz" in request.url]
    assert len(parts) >= 3
    for request in parts:
        first, last = request.header_value("range").removeprefix("bytes=").split("-")  # type: ignore[union-attr]
        assert 0 < int(last) - int(first) < 8 << 20
    assert not any("points.bin" in request.url or "cloud-top" in request.url for request in asked)
    page.select_option("#cloud-kind", "height")
    page.get_by_role("button", name="From above").click()
    page.locator("#cloud-measure").click()
    page.locator("#cloud-view").focus()
    page.keyboard.press("Enter")
    wait_until(page, f"{RESULT}.includes('1 so far')", "the first point")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    text = wait_until(page, f"{RESULT}.includes('95 % interval') && {RESULT}", "the height")
    assert float(page.evaluate(f"{HOLDER}.pickMs")) < 1000.0
    page.fill("#cloud-name", "kerb 3")
    page.locator("#cloud-keep button").click()
    page.locator("tr", has_text="kerb 3").wait_for()
    assert text.split()[0] in page.locator("tr", has_text="kerb 3").inner_text()
    opened.check()


def part_of(page: Page, red: bool) -> float:
    """Which part of the view's pixels are plainly red, or plainly green."""
    shot = Image.open(io.BytesIO(page.locator("#cloud-view").screenshot())).convert("RGB")
    r, g, b = np.asarray(shot, dtype=float).transpose(2, 0, 1)
    low = np.maximum(g, b) if red else np.maximum(r, b)
    return float(((r if red else g) > 2.0 * low).mean())


def test_the_mesh_shows_its_picture_is_clipped_and_measured(
    fresh: Server, open_page: OpenPage, count: int
) -> None:
    """The policy lets no loader fetch a blob: without its picture a mesh is white."""
    scene_world.add_mesh(fresh.site, 1)
    opened = open_page(fresh, "/scenes/1", "investigator")
    page = shown(opened)
    page.get_by_text("Layers, clip box and detail").click()
    page.locator("[data-layer=cloud]").uncheck()
    assert part_of(page, red=True) < 0.01
    page.get_by_label("Mesh with its pictures").check()
    page.get_by_role("button", name="From above").click()
    deadline = time.monotonic() + 60.0
    while part_of(page, red=True) < 0.1 and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert 0.1 < part_of(page, red=True) < 0.6
    assert part_of(page, red=False) == pytest.approx(part_of(page, red=True), abs=0.03)
    page.locator("[data-clip='max x']").fill("50")
    page.wait_for_timeout(300)
    assert part_of(page, red=False) < 0.02 < part_of(page, red=True)
    page.locator("[data-clip='max x']").fill("100")
    page.locator("#cloud-measure").click()
    tap(page, 0.4, 0.5)
    wait_until(page, f"{RESULT}.includes('1 so far')", "a point of the mesh")
    opened.check()


@pytest.mark.slow
def test_a_tap_shows_the_photos_of_the_place_and_a_camera_opens_its_photo(
    fresh: Server, open_page: OpenPage, count: int
) -> None:
    opened = open_page(fresh, "/scenes/1", "requester")
    page = shown(opened)
    page.get_by_role("button", name="From above").click()
    tap(page, 0.5, 0.55)
    wait_until(page, PHOTOS, "the photos")
    assert "photos see this place" in page.locator("#cloud-photos-status").inner_text()
    page.locator("#cloud-photos button").first.click()
    page.locator("#cloud-photo-view canvas").first.wait_for()
    page.get_by_role("button", name="Close").click()
    assert not page.locator("#cloud-photo").is_visible()
    page.get_by_text("Layers, clip box and detail").click()
    page.get_by_label("Cameras", exact=True).check()
    page.wait_for_load_state("networkidle")
    keep_picture(page, "scene-cloud", full_page=False)
    opened.check()


@pytest.mark.slow
def test_what_the_clip_box_cuts_away_is_not_picked(
    fresh: Server, open_page: OpenPage, count: int
) -> None:
    opened = open_page(fresh, "/scenes/1", "investigator")
    page = shown(opened)
    page.get_by_role("button", name="From above").click()
    page.get_by_text("Layers, clip box and detail").click()
    page.locator("[data-clip='max x']").fill("30")
    page.locator("#cloud-measure").click()
    tap(page, 0.65, 0.5)
    wait_until(page, f"{RESULT}.includes('no point')", "nothing there")
    page.get_by_role("button", name="Show everything").click()
    tap(page, 0.65, 0.5)
    wait_until(page, f"{RESULT}.includes('1 so far')", "the point")
    opened.check()


@pytest.mark.slow
def test_an_area_is_measured_with_a_finger_and_a_point_taken_back(
    fresh: Server, open_page: OpenPage, count: int
) -> None:
    opened = open_page(fresh, "/scenes/1", "investigator", size="phone")
    page = shown(opened)
    assert int(page.input_value("#cloud-budget")) == 400_000
    small = page.evaluate(
        "[...document.querySelectorAll('#cloud-tools button, #cloud-tools select')]"
        ".map(e => e.getBoundingClientRect()).filter(b => b.height < 44).length"
    )
    assert small == 0, "touch targets of 44 px"
    page.get_by_role("button", name="From above").click()
    page.select_option("#cloud-kind", "plan_area")
    page.locator("#cloud-measure").click()
    for n, (x, y) in enumerate([(0.4, 0.45), (0.6, 0.45), (0.5, 0.4)], start=1):
        tap(page, x, y, touch=True)
        wait_until(page, f"{RESULT}.includes('{n} so far')", f"point {n}")
    page.locator("#cloud-undo").click()
    wait_until(page, f"{RESULT}.includes('2 so far')", "one less")
    tap(page, 0.6, 0.56, touch=True)
    tap(page, 0.4, 0.56, touch=True)
    wait_until(page, f"{RESULT}.includes('4 so far')", "four points")
    page.locator("#cloud-done").click()
    text = wait_until(page, f"{RESULT}.includes('95 % interval') && {RESULT}", "the area")
    assert float(text.split()[0]) > 0.05
    opened.check()


@pytest.mark.slow
@pytest.mark.parametrize("colours", ["height", "sigma", "class"])
def test_colours_say_what_they_mean(
    fresh: Server, open_page: OpenPage, count: int, colours: str
) -> None:
    opened = open_page(fresh, "/scenes/1", "requester")
    page = shown(opened)
    page.select_option("#cloud-colours", colours)
    legend = page.locator("#cloud-legend")
    assert legend.is_visible() == (colours != "class")
    if colours == "height":
        low, high = (float(w) for w in legend.inner_text().split() if w[-1].isdigit())
        assert high - low == pytest.approx(
            2.9, abs=0.2
        )  # from the low end of the ground to the wall's top
    opened.check()


PLACE = "document.querySelector('#ortho-place').textContent"
ORTHO = "document.querySelector('#ortho-result').textContent"


def place_read(page: Page) -> tuple[float, float]:
    """East and north as the page states them."""
    east, north = str(wait_until(page, PLACE, "the place")).replace(" m", "").split(",")
    return float(east.split()[-1]), float(north.split()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_on_the_orthophoto_points_are_typed_and_taken_by_keys_and_what_is_kept_is_drawn(
    fresh: Server, open_page: OpenPage, count: int, size: str
) -> None:
    opened = open_page(fresh, "/scenes/1", "investigator", size=size)
    page = opened.page
    page.locator("#ortho-map canvas").first.wait_for()
    east, north = place_read(page)
    page.select_option("#ortho-kind", "horizontal")
    page.locator("[data-measure=draw]").click()
    page.locator("#ortho-map").focus()
    page.keyboard.press("Enter")  # the middle
    page.fill("#ortho-typed", "somewhere")
    page.locator("#ortho-type button").click()
    wait_until(page, f"{ORTHO}.includes('two numbers')", "what is wrong")
    page.fill("#ortho-typed", f"{east + 3.0:.3f} {north + 1.0:.3f}")
    page.locator("#ortho-type button").click()
    text = str(wait_until(page, f"{ORTHO}.includes('95 % interval') && {ORTHO}", "the length"))
    # A grid's metre is not quite one on the ground.
    assert float(text.split()[0]) == pytest.approx(np.hypot(3.0, 1.0), abs=0.02)
    page.fill("#ortho-name", "typed 1")
    page.locator("#ortho-keep button").click()
    page.locator("#ortho-kept").wait_for()
    assert page.locator("#ortho-kept").is_checked()
    wait_until(page, f"{HOLDER}.settled === 'yes'", "the cloud with its line")
    opened.check()


@pytest.mark.slow
def test_a_profile_is_drawn_with_its_interval(
    fresh: Server, open_page: OpenPage, count: int
) -> None:
    opened = open_page(fresh, "/scenes/1", "investigator")
    page = opened.page
    page.locator("#ortho-map canvas").first.wait_for()
    east, north = place_read(page)
    page.select_option("#ortho-kind", "profile")
    page.locator("[data-measure=draw]").click()
    for shift in (-2.0, 2.0):
        page.fill("#ortho-typed", f"{east + shift:.3f}; {north:.3f}")
        page.locator("#ortho-type button").click()
    page.locator("[data-measure=end]").click()
    wait_until(page, f"{ORTHO}.includes('95 % interval')", "the profile")
    chart = page.locator("#ortho-profile svg")
    chart.wait_for()
    line = str(chart.locator("polyline").get_attribute("points")).split()
    ups = [float(corner.split(",")[1]) for corner in line]
    assert len(line) > 20
    assert ups == sorted(ups, reverse=True), "the ground rises to the east"
    page.locator("[data-measure=clear]").click()
    assert not page.locator("#ortho-profile").is_visible()
    opened.check()
