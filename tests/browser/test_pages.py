"""Every main page in a browser: accessible, silent, self-contained and within its budget."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from droneteam.web.assets import DIST
from tests.browser.conftest import (
    MARKED_SCENE,
    SERIES,
    SIZES,
    OpenPage,
    Server,
    Watched,
    keep_picture,
)
from tests.web.conftest import Site, site
from tests.web.test_access import routes

__all__ = ["site"]

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
BROAD = {
    "drones": ("coordinator", "/registry/drones"),
    "batteries": ("coordinator", "/registry/batteries"),
    "battery": ("coordinator", "/registry/batteries/1"),
    "pilots": ("coordinator", "/registry/pilots"),
    "travel": ("manager", "/registry/travel"),
    "year": ("manager", "/statistics/2026"),
    "terrains": ("pilot", "/missions/terrains/"),
    "flight": ("pilot", "/missions/1/live"),
    "history": ("investigator", "/live/history/"),
    "coverage": ("manager", "/live/coverage/"),
    "privacy": ("administrator", "/privacy/"),
    "alerts": ("pilot", "/alerts/"),
    "scenes": ("investigator", "/scenes/"),
    "cases": ("investigator", "/cases/"),
    "case-form": ("investigator", "/cases/new"),
    "bag": ("investigator", "/cases/exports/1"),
    "people": ("administrator", "/people/"),
    "person": ("administrator", "/people/1"),
    "audit-check": ("auditor", "/audit/check"),
    "series": ("requester", f"/requests/series/{SERIES}"),
}
"""The other pages: lists and single records that share their parts with those above."""
ELSEWHERE = {
    "/": "goes on to the first page of the menu",
    "/health": "is for programs",
    "/requests/attachments/<id:attachment_id>": "is a file",
    "/sign-in/directory": "goes on to the directory",
    "/sign-in/directory/back": "goes on to where somebody came from",
    "/sorties/<id:sortie_id>": "test_sorties.py",
}
FILES = re.compile(
    r"\.\w+$|<kind>$|<path:filename>$|/events$|/products/|^/api/|\.<kind>$|^/calendars/<token>"
)
LOOKS = [("desktop", "en", "light"), ("desktop", "fr", "dark"), ("phone", "nl", "light")]
EVERY = {**PAGES, **BROAD}
PICTURED = frozenset(PAGES) - {
    *("requests", "plan", "missions", "mission-form"),
    *("alert", "error", "account", "scene-form", "photos"),
    *("request-list", "calendars", "registry", "agreement", "figures", "sizes"),
    *("what-if", "compare", "field", "scene-compare"),
    *("drone", "pilot", "payloads", "weather"),
    *("geozones", "organisations", "operations", "webhooks", "record", "flown"),
}
"""Those that the guides show."""
TURNS = [
    pytest.param(
        name, *LOOKS[turn % len(LOOKS)], marks=[] if name in PICTURED else [pytest.mark.slow]
    )
    for turn, name in enumerate(PAGES)
]
"""Each page in one look, those that no guide shows in the slow run; another slow test shows every
page in every look."""
REFLOW_PX = 320
BUDGET_BYTES = 150_000
BUDGET_3D_BYTES = 350_000


@pytest.mark.parametrize(("name", "size", "language", "theme"), TURNS)
def test_a_page_is_accessible_silent_self_contained_and_small(
    story: Server, open_page: OpenPage, name: str, size: str, language: str, theme: str
) -> None:
    opened = check_page(story, open_page, name, (size, language, theme))
    assert script_bytes(opened) <= (BUDGET_3D_BYTES if name == "scene" else BUDGET_BYTES)


def test_no_page_is_forgotten(site: Site) -> None:
    """Every address that answers a person is looked at in the browser, or it is said why not."""
    answers = {rule for method, rule, *_ in routes(site) if method == "GET"}
    pages = {rule for rule in answers if not FILES.search(rule)}
    shown = {rule for rule in pages if any(fits(rule, path) for _, path in EVERY.values())}
    assert sorted(pages - shown - set(ELSEWHERE)) == []
    assert sorted(set(ELSEWHERE) - pages) == [], "these are gone"


def fits(rule: str, path: str) -> bool:
    """Whether the path is one of the rule."""
    return re.fullmatch(re.sub(r"<[^>]+>", "[^?]+", rule), path.split("?")[0]) is not None


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "fr", "nl"])
@pytest.mark.parametrize("name", EVERY)
def test_every_page_is_well_in_every_language_theme_and_size(
    story: Server, open_page: OpenPage, name: str, language: str
) -> None:
    opened = check_page(story, open_page, name, ("desktop", language, "light"))
    assert script_bytes(opened) <= (BUDGET_3D_BYTES if name == "scene" else BUDGET_BYTES)
    if language == "en" and name in PICTURED:
        keep_picture(opened.page, name)
    opened.page.emulate_media(color_scheme="dark")
    assert violations(opened) == [], "dark"
    width, height = SIZES["phone"]
    opened.page.set_viewport_size({"width": width, "height": height})
    opened.page.wait_for_timeout(200)
    assert too_wide(opened) <= 0, "the page scrolls sideways on a phone"
    if language == "nl" and name == "request-form":
        keep_picture(opened.page, f"{name}-phone")
    assert violations(opened) == [], "on a phone"
    opened.page.set_viewport_size({"width": REFLOW_PX, "height": 640})
    opened.page.wait_for_timeout(200)
    assert too_wide(opened) <= 0, "WCAG 1.4.10: it scrolls sideways at 320 px"
    opened.page.set_viewport_size({"width": SIZES["desktop"][0], "height": 800})
    opened.page.evaluate("document.documentElement.style.fontSize = '200%'")
    opened.page.wait_for_timeout(200)
    assert too_wide(opened) <= 0, "WCAG 1.4.4: text of twice the size widens the page"
    if name == "error":  # the 404 itself is an error line in the console
        opened.faults.clear()
    opened.check()


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


@pytest.mark.parametrize("name", ["requests", "board", "plan", "agreement", "record"])
def test_on_a_phone_nothing_of_a_list_lies_beyond_the_edge(
    story: Server, open_page: OpenPage, name: str
) -> None:
    """Each cell is in sight without a swipe: a state or a clock off the screen is not seen."""
    login, path = EVERY[name]
    opened = open_page(story, path, login, size="phone", language="fr")
    edges = opened.page.locator(".cards td:not(:empty)").evaluate_all(
        "all => all.filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect())"
        ".map(box => [box.left, box.right])"
    )
    assert len(edges) > 2
    assert all(0 <= left < right <= SIZES["phone"][0] for left, right in edges), edges
    opened.check()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_printed_is_dark_on_white_and_fits_its_sheet(
    story: Server, open_page: OpenPage, theme: str
) -> None:
    """In the theme that the visitor chose by name, which holds whatever the device prefers."""
    opened = open_page(story, "/board/", "coordinator")
    page = opened.page
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 less 12 mm around, at 96 dpi
    ground, ink = page.evaluate(
        "['backgroundColor', 'color'].map(n => getComputedStyle(document.documentElement)[n])"
    )
    assert (ground, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    heads = page.locator("#queue ~ .scroll th").first
    assert heads.evaluate("e => getComputedStyle(e).display") == "table-cell", "no cards on paper"
    assert too_wide(opened) <= 0
    assert page.locator("form button:visible, nav:visible").count() == 0


def check_page(
    story: Server, open_page: OpenPage, name: str, look: tuple[str, str, str]
) -> Watched:
    """The page, opened and found well: axe, width, console, outside requests."""
    login, path = EVERY[name]
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
