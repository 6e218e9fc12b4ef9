"""What goes wrong between two clicks: the back button, an ended session, keys only."""

from __future__ import annotations

from typing import Any

import pytest

from droneteam import db, sessions
from droneteam.fleet import service as fleet
from tests.browser.conftest import OpenPage, Server
from tests.browser.test_journeys import wait_until
from tests.web.conftest import PASSWORD

PLACE = {"#lat_deg": "50.8197", "#lon_deg": "4.3908"}
TYPED = {
    "#title": "Collision <of> two cars & a van",
    "#start_at": "2026-05-04T14:00",
    "#end_at": "2026-05-04T16:00",
    "#legal_basis": "CPP 44/11",
    "#contact": "officer 3",
}
MAX_TABS = 40


def fill(page: Any) -> None:
    for field, value in {**TYPED, **PLACE}.items():
        page.fill(field, value)


def titles(server: Server) -> list[str]:
    with db.read_scope(server.site.engine) as session:
        return [row.title for row in fleet.list_requests(session, server.site.actor("requester"))]


@pytest.mark.slow
def test_a_double_click_sends_once_and_back_gives_an_empty_form(
    fresh: Server, open_page: OpenPage
) -> None:
    page = open_page(fresh, "/requests/new", "requester").page
    fill(page)
    page.get_by_role("button", name="Send the request").dblclick()
    page.wait_for_url("**/requests/1")
    page.go_back()
    page.wait_for_url("**/requests/new")
    assert page.input_value("#title") == "", "sending again takes typing again"
    assert titles(fresh) == [TYPED["#title"]]


@pytest.mark.slow
def test_a_session_that_ends_in_mid_form_loses_nothing_that_was_typed(
    fresh: Server, open_page: OpenPage
) -> None:
    page = open_page(fresh, "/requests/new", "requester", size="phone").page
    fill(page)
    me = fresh.site.actor("requester").user_id
    with db.session_scope(fresh.site.engine) as session:
        sessions.end_all(session, me, fresh.site.clock())
    page.get_by_role("button", name="Send the request").click()
    page.locator("#login").wait_for()
    assert "What you had typed is kept" in page.locator("main").inner_text()
    page.fill("#login", "requester")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send now").click()
    page.wait_for_url("**/requests/1")
    assert titles(fresh) == [TYPED["#title"]]


@pytest.mark.slow
def test_signing_in_takes_only_keys_each_step_is_seen_and_the_menu_can_be_skipped(
    fresh: Server, open_page: OpenPage
) -> None:
    page = open_page(fresh, "/sign-in?next=/requests/").page
    reach(page, "login")
    page.keyboard.type("requester")
    reach(page, "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{fresh.url}/requests/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    in_sight = "document.activeElement.getBoundingClientRect().top >= 0"
    wait_until(page, in_sight, "the link over the menu")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')"), "the menu was not skipped"


def reach(page: Any, name: str) -> None:
    """Tabs to the field; whatever has the focus on the way shows that it has."""
    for _ in range(MAX_TABS):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press("Tab")
        shown = page.evaluate(
            "(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)"
            "(getComputedStyle(document.activeElement))"
        )
        assert shown, page.evaluate("document.activeElement.outerHTML")
    raise AssertionError(f"{name} is not reached by keys")
