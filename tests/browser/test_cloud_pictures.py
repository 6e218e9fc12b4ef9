"""A scene's cloud in a browser without WebGL: the server's pictures can be measured on."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPage, Server, Watched, keep_picture
from tests.browser.test_journeys import wait_until
from tests.browser.test_pages import settle, too_wide, violations
from tests.web import scene_world


def without_webgl(opened: Watched) -> None:
    opened.page.add_init_script(
        "HTMLCanvasElement.prototype.getContext = new Proxy("
        "HTMLCanvasElement.prototype.getContext, {apply: (f, self, args) =>"
        " String(args[0]).startsWith('webgl') ? null : Reflect.apply(f, self, args)})"
    )


def nothing_but_no_webgl(opened: Watched) -> None:
    """The drawing library says itself that it found no WebGL; nothing else may be wrong."""
    opened.faults = [text for text in opened.faults if "Error creating WebGL" not in text]
    opened.check()


@pytest.mark.parametrize(
    ("size", "theme"),
    [pytest.param("desktop", "light", marks=pytest.mark.slow), ("phone", "dark")],
)
def test_without_webgl_the_pictures_of_the_cloud_are_measured_on(
    fresh: Server, open_page: OpenPage, size: str, theme: str
) -> None:
    scene_world.marked_scene(fresh.site)
    opened = open_page(fresh, "/account", "investigator", size=size, theme=theme)
    page = opened.page
    without_webgl(opened)
    page.goto(fresh.url + "/scenes/1")
    result = "document.querySelector('#cloud-result').textContent"
    wait_until(page, f"{result}.includes('no WebGL')", "the fallback")
    wait_until(page, "document.querySelector('#cloud-view img').naturalWidth > 0", "the picture")
    cloud = page.locator(".flat-cloud")
    cloud.scroll_into_view_if_needed()
    found = {}
    for kind in ("distance", "height"):
        page.select_option("#cloud-kind", kind)
        for part in (0.4, 0.6):
            count = cloud.locator("circle").count() % 2
            box = cloud.bounding_box()
            assert box is not None
            cloud.click(position={"x": part * box["width"], "y": 0.5 * box["height"]})
            circles = "document.querySelectorAll('.flat-cloud circle').length"
            wait_until(page, f"{circles} === {count + 1}", "the point's mark")
        text = wait_until(page, f"{result}.includes('95 % interval') && {result}", kind)
        found[kind] = abs(float(text.split()[0]))
    assert 0.3 < found["distance"] < 30.0
    assert found["height"] < found["distance"]
    settle(opened)
    keep_picture(page, f"cloud-pictures-{size}-{theme}", full_page=False)
    page.click("[data-look=south]")
    wait_until(page, "document.querySelector('#cloud-view img').src.includes('south')", "the view")
    assert cloud.locator("circle").count() == 2
    assert violations(opened) == []
    assert too_wide(opened) <= 0
    nothing_but_no_webgl(opened)


def test_the_keyboard_takes_points_of_the_pictures_too(fresh: Server, open_page: OpenPage) -> None:
    scene_world.marked_scene(fresh.site)
    opened = open_page(fresh, "/account", "investigator")
    page = opened.page
    without_webgl(opened)
    page.goto(fresh.url + "/scenes/1")
    result = "document.querySelector('#cloud-result').textContent"
    wait_until(page, f"{result}.includes('no WebGL')", "the fallback")
    page.focus("#cloud-view")
    page.keyboard.press("Enter")
    wait_until(page, f"{result}.includes('1 so far')", "the first point")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_until(page, f"{result}.includes('95 % interval')", "the distance")
    page.keyboard.press("Backspace")
    wait_until(page, "document.querySelectorAll('.flat-cloud circle').length === 1", "one left")
    nothing_but_no_webgl(opened)
