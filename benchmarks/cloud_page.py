"""How fast a cloud of 20 million points is seen and picked: ``python -m benchmarks.cloud_page``.

Writes the cloud with the project's own COPC writer (about two minutes of CPU and 4 GB; ``--cloud``
keeps and takes it again), serves a scene that holds it, opens the scene's page in Chromium and
prints: the time from the start of the navigation to the first frame with points and to the view
that is complete, for a new visitor and for one who comes again; the slowest of picks at many
places; the points held against the budget, and the page's JavaScript memory, while the view flies
through the scene.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks import cloud_file
from benchmarks.web_site import empty_site
from droneteam import db
from droneteam.photogrammetry.models import SceneRow
from tests.browser.conftest import CHROMIUM, FLAGS, cookies, serve
from tests.web import worlds
from tests.web.conftest import Site

PATIENCE_S = 120.0
HOLDER = "document.querySelector('#cloud-view').dataset"
MARK = "performance.getEntriesByName('{}')[0]?.startTime ?? null"
PICKS = 25
FLIGHT = ("+", "+", "ArrowLeft", "+", "+", "ArrowUp", "+", "+", "ArrowLeft", "+", "+", "+")


@contextmanager
def site_with_cloud(cloud: Path) -> Iterator[Site]:
    """An application whose one scene has that cloud."""
    with empty_site() as site:
        scene_id = worlds.built_scene(site)
        folder = site.settings.data_dir / f"scenes/scene-{scene_id:06d}/products"
        for name in ("cloud.laz", "cloud.copc.laz"):  # a COPC file is a LAZ file too
            (folder / name).unlink(missing_ok=True)
            (folder / name).hardlink_to(cloud)
        with db.session_scope(site.engine) as session:
            row = session.get_one(SceneRow, scene_id)
            added = {"kind": "cloud_copc", "path": "products/cloud.copc.laz", "sha256": "0" * 64}
            listed = [*(row.summary or {})["products"], {**added, "size_bytes": 1}]
            row.summary = {**(row.summary or {}), "products": listed}
        yield site


def wait(page: Page, condition: str, what: str) -> Any:
    """What the condition gives once it holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := page.evaluate(condition)):
        if time.monotonic() > deadline_s:
            raise SystemExit(f"{what} did not come within {PATIENCE_S:.0f} s")
        page.wait_for_timeout(50)
    return found


def opened(page: Page, url: str) -> dict[str, float]:
    """Milliseconds to the first and to the complete view."""
    page.goto(url, wait_until="commit")
    wait(page, "document.querySelector('#cloud-view') !== null", "the page")
    wait(page, f"{HOLDER}.settled === 'yes'", "the complete view")
    return {
        "first view": page.evaluate(MARK.format("cloud-first-view")),
        "complete view": page.evaluate(MARK.format("cloud-settled")),
    }


def picks_ms(page: Page) -> list[float]:
    """Milliseconds of picks all over the view."""
    view = page.locator("#cloud-view")
    view.scroll_into_view_if_needed()
    page.locator("#cloud-measure").click()
    box = view.bounding_box()
    assert box is not None
    found = []
    for n in range(PICKS):
        x, y = (0.15 + 0.7 * ((n * 7) % PICKS) / PICKS, 0.2 + 0.6 * n / PICKS)
        view.click(position={"x": x * box["width"], "y": y * box["height"]})
        found.append(float(page.evaluate(f"{HOLDER}.pickMs")))
    page.locator("#cloud-measure").click()
    return found


def flown(page: Page) -> tuple[int, int, float]:
    """Most points held, the budget, and the most JavaScript memory in MB on a flight inwards."""
    held, heap = 0, 0.0
    page.locator("#cloud-view").focus()
    session = page.context.new_cdp_session(page)
    for key in FLIGHT:
        page.keyboard.press(key)
        for _ in range(4):
            page.wait_for_timeout(100)
            held = max(held, int(page.evaluate(f"{HOLDER}.held")))
        heap = max(
            heap,
            session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
            + session.send("Runtime.getHeapUsage").get("backingStorageSize", 0.0) / 1e6,
        )
    wait(page, f"{HOLDER}.settled === 'yes'", "the last view")
    budget = int(page.evaluate("document.querySelector('#cloud-budget').value"))
    return held, budget, heap


def report(page: Page, url: str) -> None:
    for who in ("new visitor", "comes again"):
        for name, ms in opened(page, url).items():
            print(f"{who}: {name} {ms:.0f} ms")
    print(page.locator("#cloud-result").inner_text())
    times = picks_ms(page)
    print(f"pick: median {statistics.median(times):.1f} ms, slowest {max(times):.1f} ms")
    held, budget, heap = flown(page)
    print(f"points held: at most {held:,} of a budget of {budget:,}; JavaScript {heap:.0f} MB")


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", type=Path, help="where the cloud is kept between runs")
    parser.add_argument("--count", type=int, default=cloud_file.COUNT)
    parser.add_argument("--picture", type=Path, help="keep a picture of the last view")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cloud = asked.cloud or Path(folder) / "cloud.copc.laz"
        if not cloud.exists():
            cloud_file.write(cloud, asked.count)
        with site_with_cloud(cloud) as site, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            for server in serve(site):
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                context.add_cookies(cookies(server, "investigator", "en"))
                page = context.new_page()
                page.on("console", lambda message: print("console:", message.text))
                page.on("pageerror", lambda error: print("error:", error))
                report(page, server.url + "/scenes/1")
                if asked.picture is not None:
                    page.locator("#cloud-view").screenshot(path=asked.picture)
            browser.close()


if __name__ == "__main__":
    main()
