"""A discovery service, its authority and a provider, for every test that asks them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from droneteam.detection.feeds import Inbox
from droneteam.detection.sources import network
from droneteam.detection.sources.netrid_area import View
from droneteam.detection.sources.network import NetworkRemoteId
from droneteam.detection.sources.oauth import Credentials
from droneteam.detection.sources.secret import Secret
from tests.detection.sources.netrid_servers import Authority, Dss, Provider, Sky
from tests.detection.sources.waiting import QUICK

AREA = View(50.80, 4.36, 50.84, 4.42)


@pytest.fixture
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.server.close()


@pytest.fixture
def dss() -> Iterator[Dss]:
    made = Dss()
    yield made
    made.server.close()


@pytest.fixture
def provider(dss: Dss) -> Iterator[Provider]:
    made = Provider()
    made.sky.append(Sky())
    dss.add(made.server.url)
    yield made
    made.server.close()


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Inbox:
    monkeypatch.setattr(network, "Backoff", lambda: QUICK)
    monkeypatch.setattr(network, "TICK_S", 0.02)
    return Inbox()


@pytest.fixture
def utm(authority: Authority, dss: Dss, tmp_path: Path) -> NetworkRemoteId:
    secret = tmp_path / "secret"
    secret.write_text("right\n")
    secret.chmod(0o600)
    credentials = Credentials(authority.server.url, "watch", Secret.parse(f"file:{secret}"))
    return NetworkRemoteId(dss.url, AREA, credentials, search_s=5.0)
