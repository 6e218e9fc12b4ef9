"""An emergency takes a drone: what the coordinator presses, and what the zone's open page says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.browser.conftest import OpenPage, Server
from tests.web import worlds

pytestmark = pytest.mark.slow
PATIENCE_MS = 60_000.0


def test_a_zone_that_watches_its_request_is_told_that_its_drone_is_needed_elsewhere(
    fresh: Server, open_page: OpenPage
) -> None:
    site = fresh.site
    begin, end = site.clock() + timedelta(hours=6), site.clock() + timedelta(hours=9)
    for n in range(7):
        worlds.ask(
            site,
            kind="event",
            title=f"Fair {n + 1}",
            priority="P4",
            polygon=(),
            start_at=begin,
            end_at=end,
        )
    worlds.publish(site)
    open_pages = [
        open_page(fresh, f"/requests/{n}", "requester", size="phone", language="nl")
        for n in range(1, 8)
    ]
    worlds.ask(
        site,
        "neighbour",
        kind="search",
        title="Lost child",
        priority="P0",
        polygon=(),
        start_at=begin,
        end_at=end,
    )
    board = open_page(fresh, "/board/", "coordinator", language="fr")
    board.page.get_by_role("button", name="Établir un plan").click()
    board.page.wait_for_url("**/board/plans/**")
    lost = board.page.locator("#changes tr", has_text="perd").locator("a").first.inner_text()
    number = int(lost.split(" ")[0])
    board.page.get_by_role("button", name="Publier ce plan").click()
    board.page.wait_for_url("**/board/")
    assert f"{number} Fair {number}" in board.page.locator(".card.alarm").inner_text()
    watched = open_pages[number - 1]
    told = watched.page.get_by_text("voor een dringender aanvraag (P0)").first
    told.wait_for(timeout=PATIENCE_MS)  # the page follows by itself while nobody types in it
    plan = watched.page.locator(".card", has_text="Wat het team plant")
    assert "voor een dringender aanvraag (P0)" in plan.inner_text()
    assert "Lost child" not in watched.page.content()
    for opened in (watched, board):
        opened.check()
