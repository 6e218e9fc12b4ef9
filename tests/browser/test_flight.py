"""The flight's page in a browser: two taps for one command, and what came of it by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from droneteam import db
from droneteam.missions import service as missions
from droneteam.missions.flight.asks import asks_path
from tests.browser.conftest import OpenPage, Server, keep_picture, serve
from tests.browser.test_journeys import wait_until
from tests.browser.test_pages import settle, too_wide, violations
from tests.web.conftest import open_site
from tests.web.test_flight_asks import put_in_the_air, state, write


@pytest.fixture
def air(seeded: Path, tmp_path: Path) -> Iterator[tuple[Server, int]]:
    """A server with a mission in the air."""
    site = open_site(seeded, tmp_path)
    number = put_in_the_air(site)
    for server in serve(site):
        yield server, number
    site.engine.dispose()


def sent(server: Server, number: int) -> list[str]:
    path = asks_path(server.site.settings.blob_dir("logs"), number)
    return (
        [json.loads(line)["what"] for line in path.read_text().splitlines()]
        if path.exists()
        else []
    )


def says(place: str, words: str) -> str:
    return f"document.querySelector('{place}').textContent.includes({json.dumps(words)})"


def test_a_pilot_commands_by_two_taps_and_is_told_what_came_of_it(
    air: tuple[Server, int], open_page: OpenPage
) -> None:
    server, number = air
    opened = open_page(server, f"/missions/{number}/live", "pilot", size="phone")
    page = opened.page
    wait_until(page, says("#way-home", "from home"), "the way home")
    settle(opened)
    assert violations(opened) == []
    assert too_wide(opened) <= 0
    sizes = page.evaluate(
        "[...document.querySelectorAll('.ask')].map(b => b.getBoundingClientRect())"
        ".map(r => Math.min(r.width, r.height))"
    )
    assert len(sizes) == 7
    assert min(sizes) >= 44
    keep_picture(page, "flight-phone-light")
    page.click(".ask.rtl")
    assert "Tap again: Return home" in page.inner_text(".ask.rtl")
    assert sent(server, number) == []
    page.dblclick(".ask.rtl")  # the second tap, and one too many
    wait_until(page, says("#outcomes", "Return home"), "the answer")
    assert sent(server, number) == ["rtl"]
    write(server.site, number, ("pilot", "asks for rtl"), ("intent", "mode RTL"))
    wait_until(page, says("#outcomes", "taken, the vehicle was told"), "what came of it")
    opened.check()


def test_a_takeover_by_transmitter_reaches_the_page_by_itself(
    air: tuple[Server, int], open_page: OpenPage
) -> None:
    server, number = air
    opened = open_page(server, f"/missions/{number}/live", "pilot")
    page = opened.page
    wait_until(page, says("#way-home", "from home"), "the way home")
    assert page.is_hidden("#handed-over")
    write(server.site, number, ("handed over", "the mode was changed to LOITER by somebody else"))
    site = server.site
    with db.session_scope(site.engine) as session:
        mission = missions.get_mission(session, site.actor("pilot"), number)
        missions.update_live_states(session, [state(site, mission, phase="handed over")])
    wait_until(page, says("#handed-over", "We no longer command"), "the takeover")
    assert page.is_visible("#handed-over")
    assert page.evaluate("[...document.querySelectorAll('.ask')].every(b => b.disabled)")
    wait_until(page, says("#state", "flown by transmitter"), "the controller's state")
    opened.check()


def test_a_command_that_cannot_be_sent_is_told(
    air: tuple[Server, int], open_page: OpenPage
) -> None:
    server, number = air
    opened = open_page(server, f"/missions/{number}/live", "pilot")
    page = opened.page
    wait_until(page, says("#way-home", "from home"), "the way home")
    page.context.route("**/asks", lambda route: route.abort())
    page.click(".ask.brake")
    page.click(".ask.brake")
    wait_until(page, says("#outcomes", "It was not sent"), "the failure")
    assert sent(server, number) == []
