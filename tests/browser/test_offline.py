"""The mission pack in a van without network: it opens, takes entries, and sends them later."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from playwright.sync_api import Page

from droneteam import db
from droneteam.missions import service as missions
from droneteam.missions.fieldlog import FieldKind, NewEntry
from tests.browser.conftest import OpenPage, Server
from tests.browser.test_journeys import wait_until
from tests.web import worlds

PATIENCE_MS = 60_000


@pytest.fixture
def planned(fresh: Server) -> Server:
    """A server whose coordinator has a mission for the pilot."""
    worlds.ask(fresh.site)
    worlds.publish(fresh.site)
    worlds.plan_mission(fresh.site)
    return fresh


def kept_page(server: Server, open_page: OpenPage, **options: Any) -> Page:
    page: Page = open_page(server, "/missions/1/field", "pilot", **options).page
    page.get_by_text("the page works without network").wait_for(timeout=PATIENCE_MS)
    return page


def log_of(server: Server) -> Any:
    with db.read_scope(server.site.engine) as session:
        return missions.field_log(session, server.site.actor("pilot"), 1)


def write_as_coordinator(server: Server, item: str, value: str) -> None:
    now = server.site.clock()
    entry = NewEntry(str(uuid.uuid4()), FieldKind.CHECK, item, value, now)
    with db.session_scope(server.site.engine) as session:
        coordinator = server.site.actor("coordinator")
        missions.record_entries(session, coordinator, 1, [entry], now)


def test_the_pack_opens_without_network_and_what_is_written_arrives_once(
    planned: Server, open_page: OpenPage
) -> None:
    page = kept_page(planned, open_page, size="phone")
    page.context.set_offline(True)
    page.reload()
    page.locator("#map canvas").first.wait_for(timeout=PATIENCE_MS)
    page.locator("[data-item='check:weather'] button").tap()
    page.locator("[data-item='time:take_off'] button").tap()
    page.locator("#defect-text").fill("crack in the left arm")
    page.get_by_role("button", name="Report the defect").tap()
    page.get_by_text("3 entries wait on this device for the network").wait_for(timeout=PATIENCE_MS)
    assert log_of(planned).entries == ()

    page.reload()  # the telephone was restarted
    page.get_by_text("3 entries wait on this device for the network").wait_for(timeout=PATIENCE_MS)
    assert page.locator("[data-item='check:weather'] [data-mark]").text_content() == "☑"
    page.goto(f"{planned.url}/missions/1")
    page.locator("#map canvas").first.wait_for(timeout=PATIENCE_MS)
    page.goto(f"{planned.url}/live/")  # no pack holds it
    page.get_by_role("heading", name="No network").wait_for(timeout=PATIENCE_MS)
    page.get_by_role("link", name=re.compile("mission 1", re.I)).click()
    page.wait_for_url(f"{planned.url}/missions/1/field")

    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.get_by_text("Everything is with the server.").wait_for(timeout=PATIENCE_MS)
    kinds = [(one.kind, one.item) for one in log_of(planned).entries]
    assert kinds == [("check", "weather"), ("time", "take_off"), ("defect", "")]


def test_whoever_comes_second_is_shown_both_and_decides(
    planned: Server, open_page: OpenPage
) -> None:
    page = kept_page(planned, open_page)
    page.context.set_offline(True)
    page.locator("[data-item='check:weather'] button").click()
    page.get_by_text("One entry waits").wait_for(timeout=PATIENCE_MS)
    write_as_coordinator(planned, "weather", "no")
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.get_by_text("coordinator 1 wrote no, you wrote yes").wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Mine: yes").click()
    wait_until(page, "document.querySelector('#differences').children.length === 0", "the end")
    page.get_by_text("Everything is with the server.").wait_for(timeout=PATIENCE_MS)
    log = log_of(planned)
    assert [one.value for one in log.entries] == ["no", "yes", "yes"]
    assert [one.value for one in log.current] == ["yes"]


def test_signing_out_takes_the_pack_off_the_device(planned: Server, open_page: OpenPage) -> None:
    page = kept_page(planned, open_page)
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("Password").wait_for(timeout=PATIENCE_MS)
    wait_until(page, "caches.keys().then(names => names.length === 0)", "an empty device")
