"""Every main page in a browser: accessible, silent, self-contained and within its budget."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from droneteam.web.assets import DIST
from tests.browser.conftest import MARKED_SCENE, OpenPage, Server, Watched, keep_picture

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {
    "sign-in": (None, "/sign-in"),
    "request-form": ("requester", "/requests/new"),
    "requests": ("requester", "/requests/"),
    "request": ("requester", "/requests/1"),
    "board": ("coordinator", "/board/"),
    "plan": ("coordinator", "/board/plans/1"),
    "missions": ("pilot", "/missions/"),
    "mission-form": ("pilot", "/missions/new/1"),
    "mission": ("pilot", "/missions/1"),
    "field": ("pilot", "/missions/1/field"),
    "scene-compare": ("investigator", f"/scenes/{MARKED_SCENE}/compare"),
    "live": ("coordinator", "/live/"),
    "alert": ("pilot", "/alerts/1"),
    "scene": ("investigator", "/scenes/1"),
    "scene-form": ("investigator", "/scenes/new"),
    "photos": ("investigator", f"/scenes/{MARKED_SCENE}/photos"),
    "marking": ("investigator", f"/scenes/{MARKED_SCENE}/marks?point=gcp_1"),
    "case": ("investigator", "/cases/1"),
    "audit": ("auditor", "/audit/"),
    "error": ("requester", "/requests/999"),
    "account": ("manager", "/account"),
    "request-list": ("requester", "/requests/list"),
    "calendars": ("requester", "/calendars/"),
    "registry": ("administrator", "/registry/"),
    "agreement": ("manager", "/agreement/"),
    "figures": ("manager", "/statistics/"),
    "sizes": ("manager", "/statistics/2026/sizes"),
    "what-if": ("coordinator", "/what-if/"),
    "compare": ("coordinator", "/what-if/compare?plan=1"),
    "drone": ("coordinator", "/registry/drones/1"),
    "pilot": ("coordinator", "/registry/pilots/1"),
    "payloads": ("coordinator", "/registry/payloads"),
    "weather": ("coordinator", "/registry/weather"),
    "geozones": ("administrator", "/geozones/"),
    "organisations": ("administrator", "/organisations/"),
    "operations": ("administrator", "/operations/"),
    "webhooks": ("administrator", "/webhooks/"),
    "record": ("auditor", "/records/request/1"),
    "flown": ("manager", "/statistics/2026/map"),
}
LOOKS = [("desktop", "en", "light"), ("desktop", "fr", "dark"), ("phone", "nl", "light")]
TURNS = [(name, *LOOKS[turn % len(LOOKS)]) for turn, name in enumerate(PAGES)]
"""Each page in one look; the slow test shows every page in every look."""
PICTURED = frozenset(PAGES) - {
    *("requests", "plan", "missions", "mission-form"),
    *("alert", "error", "account", "scene-form", "photos"),
    *("request-list", "calendars", "registry", "agreement", "figures", "sizes"),
    *("what-if", "compare", "field", "scene-compare"),
    *("drone", "pilot", "payloads", "weather"),
    *("geozones", "organisations", "operations", "webhooks", "record", "flown"),
}
"""Those that the guides show."""
BUDGET_BYTES = 150_000
BUDGET_3D_BYTES = 350_000


@pytest.mark.parametrize(("name", "size", "language", "theme"), TURNS)
def test_a_page_is_accessible_silent_self_contained_and_small(
    story: Server, open_page: OpenPage, name: str, size: str, language: str, theme: str
) -> None:
    opened = check_page(story, open_page, name, (size, language, theme))
    assert script_bytes(opened) <= (BUDGET_3D_BYTES if name == "scene" else BUDGET_BYTES)


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_well_in_every_look(
    story: Server, open_page: OpenPage, name: str, look: tuple[str, str, str]
) -> None:
    opened = check_page(story, open_page, name, look)
    if look == LOOKS[0] and name in PICTURED:
        keep_picture(opened.page, name)
    if look == LOOKS[2] and name == "request-form":
        keep_picture(opened.page, f"{name}-phone")


def test_the_menu_of_administration_opens_and_closes_by_keyboard(
    story: Server, open_page: OpenPage
) -> None:
    opened = open_page(story, "/registry/", "administrator")
    menu = opened.page.locator("details[data-more]")
    people = menu.get_by_role("link", name="People")
    assert not people.is_visible()
    menu.locator("summary").press("Enter")
    people.wait_for(state="visible")
    assert violations(opened) == []
    opened.page.keyboard.press("Escape")
    people.wait_for(state="hidden")
    assert menu.locator("summary").evaluate("e => e === document.activeElement")
    opened.check()


def check_page(
    story: Server, open_page: OpenPage, name: str, look: tuple[str, str, str]
) -> Watched:
    """The page, opened and found well: axe, width, console, outside requests."""
    login, path = PAGES[name]
    size, language, theme = look
    opened = open_page(story, path, login, size=size, language=language, theme=theme)
    settle(opened)
    assert violations(opened) == []
    assert too_wide(opened) <= 0, "the page scrolls sideways"
    if name == "error":  # the 404 itself is an error line in the console
        opened.faults.clear()
    opened.check()
    return opened


def script_bytes(opened: Watched) -> int:
    """The compressed size of every script that the page loaded."""
    paths = opened.page.evaluate(
        "performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)"
        ".filter(p => p.endsWith('.js'))"
    )
    built = [DIST / path.removeprefix("/static/dist/") for path in set(paths)]
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in built)


def settle(opened: Watched) -> None:
    """Waits until the page's islands have drawn, without asking for silence on the stream."""
    opened.page.wait_for_load_state("load")
    opened.page.wait_for_timeout(400)


def violations(opened: Watched) -> list[str]:
    """What axe finds, as "rule: element"."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in frontend/")
    opened.page.evaluate(AXE.read_text())
    found: dict[str, Any] = opened.page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        " 'best-practice']})"
    )
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def too_wide(opened: Watched) -> int:
    """Pixels by which the page is wider than the window."""
    width: int = opened.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
