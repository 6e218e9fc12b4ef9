"""How fast the planner's page answers an edit: ``python -m benchmarks.planner_page``.

Opens the planning form in Chromium with a polygon of 200 corners whose survey has thousands of
photos, footprints shown, and prints medians and the slowest of: the frame after an undo (the
drawing is redrawn), the frame after the new plan's answer arrived, and the answer itself (the
server plans, counts overlaps and sends every footprint).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.web_site import empty_site
from droneteam.geo import EnuFrame, GeoPoint
from tests.browser.conftest import CHROMIUM, FLAGS, cookies, serve
from tests.web import worlds

CORNERS = 200
PATIENCE_S = 60.0
PHOTOS = "Number(document.querySelector('#preview-facts dd')?.textContent ?? 0)"
FRAME_AFTER_UNDO = """async () => {
  const button = document.querySelector('[data-act=undo]');
  const started = performance.now();
  button.click();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - started;
}"""


def ring(reach_m: float) -> str:
    """A wavy circle of 200 corners as the form writes it."""
    turn = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    radius_m = reach_m * (1.0 + 0.1 * np.sin(7.0 * turn))
    enu = np.column_stack([radius_m * np.sin(turn), radius_m * np.cos(turn), 0.0 * turn])
    places = EnuFrame(GeoPoint(50.8197, 4.3908)).geodetic_from_enu(enu)
    return "\n".join(f"{lat:.7f}, {lon:.7f}" for lat, lon, _ in places)


def measured(page: Page, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each kind."""
    found: dict[str, list[float]] = {"redraw after undo": [], "answer to an edit": []}
    for _ in range(repeats):
        page.get_by_role("button", name="Next", exact=True).click()
        answered = timed(page, lambda: page.locator("[data-nudge='0 1']").click())
        found["answer to an edit"].append(answered)
        found["redraw after undo"].append(float(page.evaluate(FRAME_AFTER_UNDO)))
        page.wait_for_timeout(1500)
    return found


def timed(page: Page, act: Callable[[], None]) -> float:
    """Milliseconds until the server's answer to an edit has come in whole."""
    started = time.perf_counter()
    with page.expect_response("**/preview") as answer:
        act()
    answer.value.body()
    return 1e3 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reach-m", type=float, default=68.0)
    parser.add_argument("--repeats", type=int, default=10)
    asked = parser.parse_args()
    with empty_site() as site, sync_playwright() as playwright:
        worlds.ask(site)
        worlds.publish(site)
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        for server in serve(site):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.add_cookies(cookies(server, "pilot", "en"))
            page = context.new_page()
            page.goto(server.url + "/missions/new/1")
            page.get_by_label("Footprints", exact=True).check()
            page.uncheck("#orbit")
            page.fill("#max_photos", "")
            page.fill("#gsd_mm", "5")
            page.fill("#polygon", ring(asked.reach_m))
            page.locator("#polygon").blur()
            deadline_s = time.monotonic() + PATIENCE_S
            while not page.evaluate(f"{PHOTOS} > 100"):
                if time.monotonic() > deadline_s:
                    raise SystemExit(page.locator("#preview-state").inner_text())
                page.wait_for_timeout(200)
            print(f"{CORNERS} corners, {page.evaluate(PHOTOS)} photos with footprints")
            for name, times_ms in measured(page, asked.repeats).items():
                middle, slowest = statistics.median(times_ms), max(times_ms)
                print(f"{name}: median {middle:.0f} ms, slowest {slowest:.0f} ms")
        browser.close()


if __name__ == "__main__":
    main()
