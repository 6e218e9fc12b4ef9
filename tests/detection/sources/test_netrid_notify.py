"""Being told of changed service areas: tokens, the door, and what a notification does."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from droneteam.detection.feeds import Inbox
from droneteam.detection.records import Leave
from droneteam.detection.sources import bearer
from droneteam.detection.sources.netrid_notify import Door
from droneteam.detection.sources.network import NetworkRemoteId
from droneteam.errors import NotAllowed, SetupError
from tests.detection.sources.netrid_servers import Dss, Provider, Sky
from tests.detection.sources.waiting import followed, gather, heard, troubles


class Issuer:
    """Signs tokens as an authorisation server does."""

    def __init__(self, folder: Path, *, elliptic: bool = False) -> None:
        self._key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if elliptic
            else rsa.generate_private_key(65537, 2048)
        )
        self.algorithm = "ES256" if elliptic else "RS256"
        self.path = folder / "authority.pem"
        self.path.write_bytes(
            self._key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def token(self, **change: Any) -> str:
        head = {"alg": change.pop("alg", self.algorithm), "typ": "JWT"}
        claims = {
            "aud": "watch.example.org",
            "scope": "rid.service_provider",
            "exp": (datetime.now(UTC) + timedelta(minutes=5)).timestamp(),
        }
        parts = [_encoded(json.dumps(one).encode()) for one in (head, claims | change)]
        signed = ".".join(parts).encode()
        return ".".join([*parts, _encoded(self._signature(signed))])

    def _signature(self, signed: bytes) -> bytes:
        if self.algorithm == "RS256":
            return bytes(self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("elliptic", [False, True])
def test_a_token_of_the_authority_is_accepted(tmp_path: Path, elliptic: bool) -> None:
    issuer = Issuer(tmp_path, elliptic=elliptic)
    key = bearer.public_key(issuer.path)
    claims = bearer.verified(
        f"Bearer {issuer.token()}", key, "watch.example.org", datetime.now(UTC)
    )
    assert claims["scope"] == "rid.service_provider"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"aud": "other.example.org"}, "is not for"),
        ({"exp": 1.0}, "is over"),
        ({"exp": None}, "exp is no time"),
        ({"nbf": 9e12}, "not valid yet"),
        ({"alg": "none"}, "signed with none"),
        ({"alg": "HS256"}, "signed with HS256"),
    ],
)
def test_a_token_that_is_not_for_us_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    issuer = Issuer(tmp_path)
    key = bearer.public_key(issuer.path)
    with pytest.raises(NotAllowed, match=words):
        bearer.verified(
            f"Bearer {issuer.token(**change)}", key, "watch.example.org", datetime.now(UTC)
        )


def test_a_token_that_somebody_else_signed_is_refused(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    key = bearer.public_key(Issuer(ours).path)
    token = Issuer(theirs).token()
    with pytest.raises(NotAllowed, match="not signed by our"):
        bearer.verified(f"Bearer {token}", key, "watch.example.org", datetime.now(UTC))
    for header in ("", "Basic x", "Bearer a.b", "Bearer !.!.!", f"Bearer {'a' * 9000}.b.c"):
        with pytest.raises(NotAllowed):
            bearer.verified(header, key, "watch.example.org", datetime.now(UTC))


def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("hello")
    with pytest.raises(SetupError, match=r"x\.pem"):
        bearer.public_key(tmp_path / "x.pem")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that doors were opened on."""
    from droneteam.detection.sources import netrid_notify

    ports: list[int] = []
    made = netrid_notify.ThreadingHTTPServer

    def server(*args: Any) -> Any:
        found = made(*args)
        ports.append(found.server_port)
        return found

    monkeypatch.setattr(netrid_notify, "ThreadingHTTPServer", server)
    return ports


def told(port: int, area_id: str, content: Any, token: str, path: str = "") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path or f'/uss/identification_service_areas/{area_id}'}",
        json.dumps(content).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def test_a_provider_that_begins_is_heard_as_soon_as_it_tells_us(
    utm: NetworkRemoteId, dss: Dss, inbox: Inbox, tmp_path: Path, opened: list[int]
) -> None:
    issuer = Issuer(tmp_path)
    door = Door("127.0.0.1", 0, "https://watch.example.org/rid", issuer.path)
    provider = Provider()
    provider.sky.append(Sky())
    try:
        with followed(replace(utm, door=door), inbox) as feed:
            gather(inbox, lambda _found: bool(dss.subscriptions) and feed.connections == 1)
            ((name, subscription),) = dss.subscriptions.items()
            assert subscription["uss_base_url"] == "https://watch.example.org/rid"
            area_id = dss.add(provider.server.url)
            content = {
                "service_area": dss.areas[area_id],
                "subscriptions": [{"subscription_id": name, "notification_index": 1}],
            }
            port = opened[0]
            assert told(port, area_id, content, issuer.token(scope="rid.display_provider")) == 403
            assert told(port, area_id, content, issuer.token(exp=1)) == 401
            assert told(port, area_id, content, issuer.token(), "/metrics") == 404
            assert told(port, area_id, content, issuer.token()) == 204
            gather(inbox, lambda found: bool(heard(found)))
            del content["service_area"]
            content["subscriptions"][0]["notification_index"] = 2  # type: ignore[index]
            assert told(port, area_id, content, issuer.token()) == 204
            gather(inbox, lambda found: any(isinstance(one, Leave) for one in found))
            stranger = {"subscriptions": [{"subscription_id": str(uuid.uuid4())}]}
            assert told(port, area_id, stranger, issuer.token()) == 204
            gather(inbox, lambda _found: feed.counts.refused == 1)
        assert dss.subscriptions == {}, "deleted at the end"
    finally:
        provider.server.close()


def test_a_notification_that_was_missed_makes_us_ask(
    utm: NetworkRemoteId, dss: Dss, inbox: Inbox, tmp_path: Path, opened: list[int]
) -> None:
    issuer = Issuer(tmp_path)
    door = Door("127.0.0.1", 0, "https://watch.example.org/rid", issuer.path)
    with followed(replace(utm, door=door), inbox) as feed:
        gather(inbox, lambda _found: bool(dss.subscriptions) and feed.connections == 1)
        (name,) = dss.subscriptions
        asked = len(dss.server.asked)
        gone = {"subscriptions": [{"subscription_id": name, "notification_index": 5}]}
        assert told(opened[0], str(uuid.uuid4()), gone, issuer.token()) == 204
        gather(inbox, lambda _found: len(dss.server.asked) > asked)


def test_a_door_that_is_taken_is_named(
    utm: NetworkRemoteId, dss: Dss, inbox: Inbox, tmp_path: Path
) -> None:
    taken = int(dss.server.url.rpartition(":")[2])
    door = Door("127.0.0.1", taken, "https://watch.example.org", Issuer(tmp_path).path)
    with followed(replace(utm, door=door), inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    assert f"the door at 127.0.0.1:{taken}" in troubles(records)[0]
