"""No form of another site does anything, on any route; and cookies keep to their host."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import cycle

from sqlalchemy import text

from droneteam import db, sessions
from droneteam.accounts import ROLES
from droneteam.web.app import create_app
from tests.web.conftest import Site, csrf_token
from tests.web.test_access import EVERYONE, PASSES, address, routes

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
WITHOUT = {"POST /api/v1/tokens"}
"""Takes a login and a password itself, and no session."""


def test_every_route_that_changes_something_wants_the_sessions_own_token(site: Site) -> None:
    """Without one, with one that is made up, and with one of somebody else's session, by turns."""
    tokens = cycle(["", "made up", csrf_token(site.client("auditor"))])
    clients = {role: site.client(role) for role in ROLES}
    with db.read_scope(site.engine) as session:
        before = session.execute(text("SELECT count(*), max(id) FROM audit_entry")).one()
    tried = 0
    for method, rule, _, name in routes(site):
        if method not in UNSAFE or name in WITHOUT:
            continue
        token, role = next(tokens), sorted(PASSES[name] - {"visitor"})[0]
        headers = {"X-CSRFToken": token} if token else {}
        data = {"csrf_token": token, "reason": "x", "text": "x"}
        path = address(rule, 1)
        if rule.startswith("/api/"):
            answer = clients[role].open(path, method=method, headers=headers, json=data)
        else:
            answer = clients[role].open(path, method=method, headers=headers, data=data)
        refused = 401 if name in {"POST /sign-in", "POST /sign-in/passkey"} else 400
        assert answer.status_code == refused, (name, token)
        tried += 1
    assert tried > 150
    with db.read_scope(site.engine) as session:
        after = session.execute(text("SELECT count(*), max(id) FROM audit_entry")).one()
    assert after == before


def test_no_safe_method_changes_anything(site: Site) -> None:
    """A link or a picture of another site may ask; only looks and times of being seen are kept."""
    clients = {role: site.client(role) for role in ROLES}
    visitor = site.client()
    tables = _rows(site)
    for method, rule, _, name in routes(site):
        if method != "GET" or rule.endswith("/live/events"):
            continue
        roles = sorted(PASSES[name] - {"visitor"})
        client = clients[roles[0]] if roles and PASSES[name] != EVERYONE else visitor
        with client.get(address(rule, 1)) as answer:
            assert answer.status_code < 500, name
    changed = {name for name, rows in _rows(site).items() if rows != tables[name]}
    assert changed <= {"audit_entry"}, changed


def _rows(site: Site) -> dict[str, str]:
    with db.read_scope(site.engine) as session:
        names = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
        return {name: str(session.execute(text(f'SELECT * FROM "{name}"')).all()) for name in names}


def test_behind_tls_the_sessions_cookie_belongs_to_this_very_host(site: Site) -> None:
    settings = replace(site.settings, https=True, url="https://drones.example.be")
    app = create_app(settings, site.engine, clock=site.clock)
    with app.test_client() as client:
        answer = client.get("/sign-in", base_url="https://drones.example.be")
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if "droneteam" in one]
    assert cookie.startswith("__Host-droneteam=")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    with app.test_client() as client:
        described = client.get("/api/openapi.json").get_json()
    assert described["components"]["securitySchemes"]["session"]["name"] == "__Host-droneteam"
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_an_address_for_others_is_the_servers_own_whatever_the_host_header_says(
    site: Site,
) -> None:
    settings = replace(site.settings, url="https://drones.example.be")
    app = create_app(settings, site.engine, clock=site.clock)
    zone, coordinator = site.actor("requester").organisation_id, site.actor("coordinator")
    with db.session_scope(site.engine) as session:
        _, token = sessions.open_program(
            session, coordinator, "planted", timedelta(days=1), site.clock()
        )
    headers = {"Authorization": f"Bearer {token}", "Host": "evil.example"}
    body = {"kind": "zone", "subject_id": zone}
    with app.test_client() as client:
        made = client.post("/api/v1/calendars", json=body, headers=headers)
    assert made.get_json()["address"].startswith("https://drones.example.be/calendars/")
