"""Whether the live map and the history stay quick: ``python -m benchmarks.sky_page``.

Opens both in Chromium at a phone's size, its processor slowed down fourfold, with 300 tracks that
move once a second (live) and with the same tracks' last minutes played at ten times their pace
(history). While that goes on somebody taps and types. Printed are the main thread's share of the
time, its tasks of more than 50 ms (the browser's own "long tasks"), and how long a tap or a key
took until the next frame (the browser's event timing, what INP is made of).
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import insert, update

from benchmarks.live_feed import PASSWORD, Load, served, write
from droneteam import db
from droneteam.detection.models import Sighting, TrackRow
from tests.browser.conftest import CHROMIUM, FLAGS, SIZES

PAST_S = 300
SLOWED = 4
WATCH = """() => {
  window.seen = {tasks: [], inputs: []};
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.seen.tasks.push(one.duration);
  }).observe({type: 'longtask'});
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) {
      if (one.interactionId) window.seen.inputs.push(one.duration);
    }
  }).observe({type: 'event', durationThreshold: 16});
}"""


def remember(url: str, objects: int) -> datetime:
    """A point of every track for every second of the last minutes; when they end."""
    engine = db.make_engine(url)
    now = datetime.now(UTC)
    with db.session_scope(engine) as session:
        session.execute(update(TrackRow).values(started_at=now - timedelta(seconds=PAST_S)))
        for number in range(objects):
            points = [
                {
                    "track_id": number + 1,
                    "at": now - timedelta(seconds=ago_s),
                    "lat_deg": 50.8 + number * 1e-4,
                    "lon_deg": 4.3 - ago_s * 8.0 / 70_300.0,
                    "height_m": 60.0,
                    "speed_mps": 8.0,
                    "course_deg": 90.0,
                    "sigma_m": 3.0,
                    "match_kind": "registered",
                }
                for ago_s in range(PAST_S, 0, -1)
            ]
            session.execute(insert(Sighting), points)
    engine.dispose()
    return now


def phone(browser: Browser, url: str) -> Page:
    """A page on a phone, signed in."""
    width, height = SIZES["phone"]
    page = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=True
    ).new_page()
    page.goto(f"{url}/sign-in")
    page.fill("#login", "c")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda at: "/sign-in" not in at)
    return page


def watched(page: Page, seconds: float, acts: list[Any]) -> dict[str, float]:
    """What the browser tells of the main thread while the acts are done in turn."""
    asked = page.context.new_cdp_session(page)
    asked.send("Performance.enable", {"timeDomain": "threadTicks"})
    asked.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    page.evaluate(WATCH)
    begun_s = time.perf_counter()
    begun = metrics(asked)
    turns = max(1, round(seconds))
    for turn in range(turns):
        acts[turn % len(acts)]()
        page.wait_for_timeout(1000)
    ended = metrics(asked)
    seen = page.evaluate("window.seen")
    asked.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    took_s = time.perf_counter() - begun_s
    inputs = sorted(seen["inputs"]) or [0.0]
    return {
        "seconds": took_s,
        "busy_pct": 100 * (ended["TaskDuration"] - begun["TaskDuration"]) / took_s,
        "script_pct": 100 * (ended["ScriptDuration"] - begun["ScriptDuration"]) / took_s,
        "layout_pct": 100 * (ended["LayoutDuration"] - begun["LayoutDuration"]) / took_s,
        "style_pct": 100 * (ended["RecalcStyleDuration"] - begun["RecalcStyleDuration"]) / took_s,
        "long": len(seen["tasks"]) / took_s,
        "longest_ms": max(seen["tasks"], default=0.0),
        "input_ms": statistics.median(inputs),
        "slowest_input_ms": inputs[-1],
    }


def wait_for_motion(url: str) -> None:
    """Returns once the writer moves the tracks: its process takes seconds to start."""
    engine = db.make_engine(url)
    deadline_s = time.monotonic() + 90.0
    while True:
        with db.read_scope(engine) as session:
            if session.get_one(TrackRow, 1).match_subject != "at 0.0":
                break
        if time.monotonic() > deadline_s:
            raise SystemExit("nothing moves")
        time.sleep(0.2)
    engine.dispose()


def metrics(asked: Any) -> dict[str, float]:
    return {one["name"]: one["value"] for one in asked.send("Performance.getMetrics")["metrics"]}


def tell(name: str, found: dict[str, float]) -> None:
    print(
        f"{name}: {found['seconds']:.0f} s, main thread's CPU {found['busy_pct']:.0f} %"
        f" (script {found['script_pct']:.0f} %, style {found['style_pct']:.0f} %,"
        f" layout {found['layout_pct']:.0f} %), {found['long']:.1f} long tasks a second,"
        f" longest {found['longest_ms']:.0f} ms; tap or key to frame: median"
        f" {found['input_ms']:.0f} ms, slowest {found['slowest_input_ms']:.0f} ms",
        flush=True,
    )


def live(page: Page, url: str, seconds: float) -> None:
    page.goto(f"{url}/live/")
    page.wait_for_timeout(4000)
    if page.locator("#panel-button").is_visible():
        page.click("#panel-button")
    acts = [
        lambda: page.locator("#q").press("b"),
        lambda: page.locator("#q").press("Backspace"),
        lambda: page.click("#fit"),
    ]
    tell("live map", watched(page, seconds, acts))


def history(page: Page, url: str, until: datetime, seconds: float) -> None:
    span = {"from": until - timedelta(seconds=PAST_S), "until": until}
    query = "&".join(f"{name}={at:%Y-%m-%dT%H:%M:%SZ}" for name, at in span.items())
    page.goto(f"{url}/live/history/?{query}&at={span['from']:%Y-%m-%dT%H:%M:%SZ}")
    page.wait_for_timeout(3000)
    page.locator("#speed").select_option("10")
    page.click("#play")
    page.wait_for_timeout(2000)
    acts = [
        lambda: page.locator("#slider").press("ArrowRight"),
        lambda: page.click("#play"),
        lambda: page.click("#play"),
    ]
    tell("history", watched(page, seconds, acts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=15.0)
    asked = parser.parse_args()
    load = Load(1, asked.objects, 4 * asked.seconds + 120)
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        served(Path(folder), asked.objects) as (settings, _server, _token),
    ):
        ended = remember(settings.database_url, asked.objects)
        url = f"http://127.0.0.1:{settings.port}"
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = phone(browser, url)
        spawn = multiprocessing.get_context("spawn")
        writer = spawn.Process(target=write, args=(settings.database_url, load), daemon=True)
        writer.start()
        wait_for_motion(settings.database_url)
        live(page, url, asked.seconds)
        history(page, url, ended, asked.seconds)
        browser.close()
        writer.kill()
        writer.join()


if __name__ == "__main__":
    main()
