"""Passkeys in a real browser, with Chromium's own virtual authenticator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page

from droneteam.web.context import EXTENSION, Context
from tests.browser.conftest import OpenPage, Server
from tests.web.conftest import PASSWORD

PATIENCE_MS = 60_000


@pytest.fixture
def named(fresh: Server) -> Iterator[Server]:
    """The server under the name that keys are bound to; browsers refuse keys of bare addresses."""
    fresh.url = fresh.url.replace("127.0.0.1", "localhost")
    before: Context = fresh.site.app.extensions[EXTENSION]
    settings = replace(before.settings, url=fresh.url)
    fresh.site.app.extensions[EXTENSION] = replace(before, settings=settings)
    yield fresh
    fresh.site.app.extensions[EXTENSION] = before


def plug_in(page: Page, *, verifies: bool) -> None:
    """A virtual authenticator: a platform's passkey, or a plain security key without a PIN."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal" if verifies else "usb",
        "hasResidentKey": verifies,
        "hasUserVerification": verifies,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def add_key(page: Page, name: str) -> None:
    page.get_by_label("Name of the key").fill(name)
    page.get_by_role("button", name="Add a key").click()
    page.get_by_text("From now on signing in takes this key").wait_for(timeout=PATIENCE_MS)


def type_password(page: Page) -> None:
    page.get_by_label("Login").fill("pilot")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_passkey_is_made_and_signs_in_without_a_password(
    named: Server, open_page: OpenPage
) -> None:
    watched = open_page(named, "/account", "pilot")
    page = watched.page
    plug_in(page, verifies=True)
    add_key(page, "service telephone")
    page.get_by_text("without password", exact=True).wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.goto(f"{named.url}/sign-in?next=/missions/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/missions/", timeout=PATIENCE_MS)
    watched.check()


def test_a_security_key_is_asked_for_after_the_password(named: Server, open_page: OpenPage) -> None:
    watched = open_page(named, "/account", "pilot")
    page = watched.page
    plug_in(page, verifies=False)
    add_key(page, "blue key")
    page.get_by_role("button", name="Sign out", exact=True).click()
    type_password(page)
    page.get_by_role("button", name="Use the key").click()
    page.get_by_role("link", name="pilot 1").wait_for(timeout=PATIENCE_MS)
    page.goto(f"{named.url}/account")
    page.get_by_role("button", name="Remove blue key").click()
    page.get_by_text("The key is no longer accepted").wait_for(timeout=PATIENCE_MS)
    watched.check()
