"""A running server and a real browser, on desktop and phone sizes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from droneteam import db
from droneteam.detection.models import AlertRow, Sighting, TrackRow
from droneteam.fleet import service as fleet
from droneteam.fleet.models import Request
from droneteam.fleet.terms import Window
from droneteam.missions import service as missions
from droneteam.missions.flight.live import LiveState
from droneteam.web.assets import DIST
from droneteam.web.views.account import SESSION_KEY
from tests.web import scene_world, worlds
from tests.web.conftest import Site, csrf_token, open_site, seeded

__all__ = ["seeded"]

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-dev-shm-usage",
)
SERIES = "0123456789abcdef0123456789abcdef"
MARKED_SCENE = 2
"""The story's scene with photos to mark in."""
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SCREENSHOTS = os.environ.get("DRONETEAM_SCREENSHOTS")
"""A folder to keep pictures for the documentation in; nothing is kept without it."""
MAX_PICTURE_BYTES = 150_000


_CUT_SHORT = "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
"""A page that is left while a file is on its way: werkzeug's own server reads what the browser
may still have sent before it closes the file, and a reset connection ends it there."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.filterwarnings(_CUT_SHORT))


@dataclass(slots=True)
class Server:
    """An application that a browser can reach; `url` has no slash at its end."""

    site: Site
    url: str


@dataclass(slots=True)
class Watched:
    """A page, with what went wrong on it and where it reached out to."""

    page: Page
    faults: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    scripts: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Nothing may be wrong: no script error, no blocked content, no outside request."""
        assert self.faults == []
        assert self.outside == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module at a time: while it lives, no other test may run an event loop."""
    if not CHROMIUM.exists():
        pytest.skip(f"this machine has no {CHROMIUM} (Debian: chromium)")
    if not (DIST / ".vite" / "manifest.json").exists():
        pytest.skip("the front end is not built: python hatch_build.py")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


def serve(site: Site) -> Iterator[Server]:
    """The application on a port of its own until the test is over."""
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Server(site, f"http://127.0.0.1:{server.port}")
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.fixture(scope="session")
def story(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that holds one of everything; tests only read it."""
    site = open_site(seeded, tmp_path_factory.mktemp("story"))
    tell(site, tmp_path_factory.mktemp("evidence"))
    yield from serve(site)
    site.engine.dispose()


@pytest.fixture
def fresh(seeded: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, with nothing but the reference data."""
    site = open_site(seeded, tmp_path)
    yield from serve(site)
    site.engine.dispose()


def tell(site: Site, folder: Path) -> None:
    """Requests, a plan, a mission, a scene, a case, and something in the sky."""
    now = site.clock()
    evening = {"start_at": now + timedelta(hours=9), "end_at": now + timedelta(hours=12)}
    worlds.ask(site)
    worlds.ask(
        site,
        "neighbour",
        kind="demonstration",
        title="Demonstration, Uccle",
        priority="P2",
        polygon=(),
        lat_deg=50.802,
        lon_deg=4.339,
        **evening,
    )
    worlds.ask(
        site,
        kind="demonstration",
        title="March from Nord to Midi",
        priority="P2",
        polygon=(),
        lat_deg=50.8467,
        lon_deg=4.3525,
        **evening,
    )
    worlds.publish(site)
    worlds.ask(
        site,
        "neighbour",
        kind="search",
        title="Missing person, Forêt de Soignes",
        priority="P0",
        polygon=(),
        lat_deg=50.79,
        lon_deg=4.43,
        start_at=now + timedelta(minutes=30),
        end_at=now + timedelta(hours=3),
    )
    worlds.plan_mission(site)
    worlds.built_scene(site)
    assert scene_world.marked_scene(site).scene_id == MARKED_SCENE
    worlds.case_with_item(site, folder)
    worlds.export_case(site, 1, "for the court")
    ask_weekly(site)
    with db.session_scope(site.engine) as session:
        put_in_the_sky(session, site)


def post(site: Site, login: str, path: str, **fields: str) -> None:
    """Sends a form as somebody who has just read a page."""
    client = site.client(login)
    answer = client.post(path, data={"csrf_token": csrf_token(client), **fields})
    assert answer.status_code == 302, answer.get_data(as_text=True)


def ask_weekly(site: Site) -> None:
    """A series of three requests, which bears the number SERIES."""
    asked, now = worlds.draft(site.clock(), title="Market, weekly"), site.clock()
    start_at, end_at = now + timedelta(days=7), now + timedelta(days=7, hours=2)
    weeks = [timedelta(weeks=n) for n in range(3)]
    slots = [Window(start_at + week, end_at + week) for week in weeks]
    with db.session_scope(site.engine) as session:
        for made in fleet.submit_series(session, site.actor("requester"), asked, slots, now):
            session.get_one(Request, made.id).series = SERIES


def put_in_the_sky(session: Session, site: Site) -> None:
    """Three own drones and one unknown one, with its alert."""
    now = site.clock()
    states = [live_state(site, number, 0.0008 * number) for number in (1, 2, 3)]
    missions.update_live_states(session, states)
    session.add(
        TrackRow(
            id=7,
            uas_id="1581F5BKD223000000",
            operator_id="BEL-unknown",
            transmitters=["02:00"],
            receivers=["sim"],
            status=2,
            lat_deg=50.8188,
            lon_deg=4.3925,
            speed_mps=8.0,
            course_deg=300.0,
            sigma_m=3.0,
            height_m=60.0,
            height_reference=0,
            operator_lat_deg=50.8181,
            operator_lon_deg=4.3951,
            started_at=now,
            last_at=now,
            flags=[],
            ended=False,
            match_kind="unknown",
            match_evidence=["identity_not_registered"],
        )
    )
    session.flush()
    session.add(Sighting(track_id=7, at=now, lat_deg=50.8188, lon_deg=4.3925))
    session.add(
        AlertRow(
            kind="unregistered_flight",
            key="1581F5BKD223000000",
            track_id=7,
            uas_id="1581F5BKD223000000",
            lat_deg=50.8188,
            lon_deg=4.3925,
            evidence=["identity_not_registered"],
            facts={},
            raised_at=now,
            updated_at=now,
        )
    )


def live_state(site: Site, number: int, shift_deg: float, speed_mps: float = 5.0) -> LiveState:
    return LiveState(
        drone_id=number,
        drone_name=f"drone-{number:02d}",
        at=site.clock(),
        lat_deg=50.8194 + shift_deg / 2,
        lon_deg=4.3890 + shift_deg,
        alt_amsl_m=101.0,
        alt_home_m=45.0,
        yaw_deg=40.0 * number,
        speed_mps=speed_mps,
        battery_pct=81.0,
        mode="AUTO",
        armed=True,
        mission_id=None,
    )


OpenPage = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a page as somebody, on a size, in a language and theme."""
    contexts: list[BrowserContext] = []

    def opened(
        server: Server,
        path: str,
        login: str | None = None,
        *,
        size: str = "desktop",
        language: str = "en",
        theme: str = "light",
        **options: Any,
    ) -> Watched:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            has_touch=size == "phone",
            **options,
        )
        contexts.append(context)
        context.add_cookies(cookies(server, login, language))
        watched = Watched(context.new_page())
        watch(watched, server)
        watched.page.goto(server.url + path)
        return watched

    yield opened
    for context in contexts:
        context.close()


def cookies(server: Server, login: str | None, language: str) -> list[Any]:
    """The language's cookie, and the session's as the server itself signs it."""
    found = [{"name": "language", "value": language, "url": server.url}]
    if login is not None:
        client = server.site.client(login)
        with client.session_transaction() as kept:
            assert SESSION_KEY in kept
        value = client.get_cookie("droneteam")
        assert value is not None
        found.append({"name": "droneteam", "value": value.value, "url": server.url})
    return found


def watch(watched: Watched, server: Server) -> None:
    host = urlsplit(server.url).netloc

    def on_request(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != host:
            watched.outside.append(request.url)

    def on_console(message: Any) -> None:
        if message.type == "error":
            watched.faults.append(message.text)

    watched.page.on("request", on_request)
    watched.page.on("console", on_console)
    watched.page.on("pageerror", lambda error: watched.faults.append(str(error)))


def keep_picture(page: Page, name: str, *, full_page: bool = True) -> None:
    """Keeps the page's picture for the documentation, small enough for the repository."""
    if SCREENSHOTS is None:
        return
    path = Path(SCREENSHOTS) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=full_page)
    with Image.open(path) as picture:
        scale = min(1.0, 1000 / picture.width)
        small = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    for colours in (256, 128, 64, 32):
        # Maximum coverage keeps the few red and green pixels that carry the meaning.
        few = small.convert("RGB").quantize(colours, method=Image.Quantize.MAXCOVERAGE)
        few.save(path, optimize=True)
        if path.stat().st_size <= MAX_PICTURE_BYTES:
            return
    raise AssertionError(f"{path} is larger than {MAX_PICTURE_BYTES} bytes")
