"""Whose request it is: X-Forwarded-For is believed from our own proxies and from nobody else."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from droneteam.errors import SetupError
from droneteam.settings import Settings
from droneteam.web.app import create_app
from droneteam.web.client_address import client_of
from tests.web.conftest import Site

OURS = (ip_network("127.0.0.1"), ip_network("10.1.0.0/16"), ip_network("::1"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "asks"),
    [
        ("203.0.113.5", ["198.51.100.7"], "203.0.113.5"),  # nobody's proxy says so
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),  # the first one is made up
        ("127.0.0.1", ["1.1.1.1", "198.51.100.7, 10.1.4.4"], "198.51.100.7"),
        ("127.0.0.1", ["10.1.4.4"], "10.1.4.4"),
        ("127.0.0.1", ["198.51.100.7, rubbish"], "127.0.0.1"),
        ("127.0.0.1", ["127.0.0.1, 10.1.0.9"], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", [], "2001:db8:1:2::/64"),
        ("10.2.0.1", ["198.51.100.7"], "10.2.0.1"),
        (None, ["198.51.100.7"], ""),
    ],
)
def test_the_last_hop_that_is_not_ours_asks(
    peer: str | None, forwarded: list[str], asks: str
) -> None:
    assert client_of(peer, forwarded, OURS) == asks
    assert client_of(peer, forwarded, ()) == client_of(peer, [], ())


def test_the_settings_name_the_proxies(tmp_path: object) -> None:
    env = {"DRONETEAM_DATA": str(tmp_path), "DRONETEAM_PROXIES": "127.0.0.1, 10.1.0.0/16,::1"}
    assert Settings.from_env(env).proxies == OURS
    assert Settings.from_env({**env, "DRONETEAM_PROXIES": ""}).proxies == ()
    for wrong in ("proxy.example", "10.1.0.1/16", "127.0.0.1 10.1.0.1"):
        with pytest.raises(SetupError, match="DRONETEAM_PROXIES"):
            Settings.from_env({**env, "DRONETEAM_PROXIES": wrong})


def test_an_https_address_makes_cookies_secure(tmp_path: object) -> None:
    env = {"DRONETEAM_DATA": str(tmp_path), "DRONETEAM_URL": "https://drones.example.be"}
    assert Settings.from_env(env).https
    assert not Settings.from_env({**env, "DRONETEAM_URL": "http://localhost:8480"}).https


def test_one_address_is_made_to_wait_and_another_is_not(site: Site) -> None:
    """Thirty tries to sign in a minute from one address, counted behind the proxy."""
    settings = replace(site.settings, proxies=OURS)
    app = create_app(settings, site.engine, clock=site.clock)

    def ask(client: str, *, through: str = "127.0.0.1") -> int:
        headers = {"X-Forwarded-For": f"9.9.9.9, {client}"}
        environ = {"REMOTE_ADDR": through}
        with app.test_client() as browser:
            path = "/sign-in/directory"
            return browser.get(path, headers=headers, environ_overrides=environ).status_code

    assert [ask("198.51.100.1") for _ in range(31)] == [302] * 30 + [429]
    assert ask("198.51.100.2") == 302
    seen = [ask(f"198.51.100.{number}", through="203.0.113.5") for number in range(31)]
    assert seen == [302] * 30 + [429]  # no proxy of ours: whatever it writes, it is one
