"""Security headers: on every answer, pages and errors and files alike."""

from __future__ import annotations

import dataclasses

import pytest

from droneteam.web.app import create_app
from droneteam.web.headers import CONTENT_SECURITY_POLICY
from tests.web.conftest import Site

PATHS = ["/sign-in", "/nope", "/static/droneteam.css", "/api/v1/me", "/api/openapi.json", "/health"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(site: Site, path: str) -> None:
    with site.client().get(path) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_policy_allows_own_scripts_and_wasm_and_nothing_from_outside() -> None:
    rules = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert "'unsafe-inline'" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert " 'unsafe-eval'" not in CONTENT_SECURITY_POLICY


def test_no_page_has_inline_scripts_styles_or_handlers(site: Site) -> None:
    """What the policy would block must not be there in the first place."""
    for path in ("/sign-in", "/requests/new", "/requests/", "/account"):
        text = site.client("requester").get(path, follow_redirects=True).get_data(as_text=True)
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick=" not in text
        assert "<script>" not in text


def test_what_a_signed_in_person_sees_is_not_kept_by_the_browser(site: Site) -> None:
    assert site.client("pilot").get("/account").headers["Cache-Control"] == "no-store"


def test_over_https_cookies_are_secure_and_the_browser_is_told_to_stay(site: Site) -> None:
    settings = dataclasses.replace(site.settings, https=True)
    client = create_app(settings, site.engine).test_client()
    answer = client.get("/sign-in", base_url="https://localhost/")
    assert "Strict-Transport-Security" in answer.headers
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Lax" in answer.headers["Set-Cookie"]


def test_the_mark_answers_where_browsers_ask_unasked(site: Site) -> None:
    with site.app.test_client().get("/favicon.ico") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
        assert answer.data.startswith(b"<svg")
