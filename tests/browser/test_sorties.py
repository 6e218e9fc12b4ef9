"""A flown sortie played back in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, Server, keep_picture
from tests.browser.test_pages import LOOKS, settle, too_wide, violations
from tests.missions import flown
from tests.web.test_sorties import record


def until(page: Page, done: Callable[[], bool]) -> None:
    """Waits for a condition; the policy of the pages forbids asking from within."""
    limit_s = time.monotonic() + 60.0
    while not done():
        assert time.monotonic() < limit_s
        page.wait_for_timeout(50)


def test_a_sortie_is_played_back_with_slider_and_button(fresh: Server, open_page: OpenPage) -> None:
    sortie = record(fresh.site, flown.packet_log())
    opened = open_page(fresh, f"/sorties/{sortie.id}", "pilot")
    page = opened.page
    page.wait_for_selector("#player:not([hidden])")
    height, clock = page.locator('[data-reading="alt"]'), page.locator("#clock")
    assert height.inner_text() == "0.0 m"
    move = "(slider) => { slider.value = '30'; slider.dispatchEvent(new Event('input')); }"
    page.locator("#time").evaluate(move)
    assert 29.0 < float(height.inner_text().split()[0]) < 31.0
    assert clock.inner_text().startswith("0:30")
    assert page.locator('[data-reading="mode"]').inner_text() == "AUTO"
    assert page.locator("#events [aria-current=true]").count() == 1
    assert page.locator("#tilt").get_attribute("transform") not in (None, "")
    keep_picture(page, "sortie")
    before = float(page.locator("#time").input_value())
    page.locator("#speed").select_option("30")
    page.locator("#play").click()
    until(page, lambda: float(page.locator("#time").input_value()) > before + 10.0)
    until(page, lambda: page.locator("#play").inner_text() == "Play")
    last = float(page.locator("#time").get_attribute("max") or "0")
    assert float(page.locator("#time").input_value()) == last
    photos = page.locator('[data-reading="photos"]').inner_text()
    assert photos == f"{len(sortie.triggers)} of {len(sortie.triggers)} photos"
    opened.check()


@pytest.mark.parametrize("look", LOOKS)
def test_the_sorties_page_is_accessible_and_fits(
    fresh: Server, open_page: OpenPage, look: tuple[str, str, str]
) -> None:
    sortie = record(fresh.site, flown.packet_log())
    size, language, theme = look
    opened = open_page(
        fresh, f"/sorties/{sortie.id}", "pilot", size=size, language=language, theme=theme
    )
    opened.page.wait_for_selector("#player:not([hidden])")
    settle(opened)
    assert violations(opened) == []
    assert too_wide(opened) <= 0, "the page scrolls sideways"
    opened.check()
