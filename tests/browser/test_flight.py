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


LEANING = {"roll_deg": 20.0, "pitch_deg": -8.0, "yaw_deg": 350.0, "link_pct": 99.0, "silent_s": 0.0}


def tell(server: Server, number: int, **changed: object) -> None:
    with db.session_scope(server.site.engine) as session:
        mission = missions.get_mission(session, server.site.actor("pilot"), number)
        told = state(server.site, mission, **{**LEANING, **changed})
        missions.update_live_states(session, [told])


def transform(page: object, place: str) -> str:
    return str(page.evaluate(f"document.getElementById('{place}').style.transform"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("size", "theme"),
    [("phone", "light"), pytest.param("desktop", "dark", marks=pytest.mark.slow)],
)
def test_the_instruments_follow_the_vehicle(
    air: tuple[Server, int], open_page: OpenPage, size: str, theme: str
) -> None:
    server, number = air
    tell(server, number, home_s=95.0, home_battery_pct=34.0)
    opened = open_page(server, f"/missions/{number}/live", "pilot", size=size, theme=theme)
    page = opened.page
    wait_until(page, says("#way-home", "95 s"), "the way home")
    label = "document.getElementById('horizon').getAttribute('aria-label')"
    assert page.evaluate(label) == "Roll 20°, pitch -8°, heading 350°"
    assert transform(page, "tilt") == "rotate(-20deg) translate(0px, -8px)"
    assert page.is_hidden("#state-warning")
    settle(opened)
    keep_picture(page, f"instruments-{size}-{theme}")
    assert violations(opened) == []
    assert too_wide(opened) <= 0
    tell(server, number, yaw_deg=10.0, battery_pct=36.0, home_battery_pct=34.0, link_pct=55.0)
    wait_until(page, says("#state-warning", "the way home begins at 34 %"), "the warning")
    assert "Only about 60 % of the radio packets arrive" in page.inner_text("#state-warning")
    assert page.evaluate("document.querySelectorAll('#state .bad').length") == 3
    # From 350° to 10° the card turns on by 20°, not back by 340°.
    assert transform(page, "card") == "rotate(-10deg)"
    tell(server, number, roll_deg=None, pitch_deg=None, silent_s=14.0)
    wait_until(page, says("#state-warning", "not been heard for 10 s or more"), "the silence")
    # On a phone, wherever the page is scrolled; there and here without moving a button.
    for edge in ("0", "document.body.scrollHeight"):
        page.evaluate(f"scrollTo(0, {edge})")
        bar = page.evaluate("document.getElementById('alarm-bar').getBoundingClientRect().toJSON()")
        shown = 0 <= bar["top"] < bar["bottom"] <= 844
        assert shown is (size == "phone"), bar
    assert page.evaluate(label) == "The attitude is not known"
    assert page.evaluate("document.getElementById('dials').classList.contains('old')")
    settle(opened)
    keep_picture(page, f"instruments-silent-{size}-{theme}")
    assert violations(opened) == []
    opened.check()
