"""Single sign-on against a provider of the test's own, whose tokens are signed by hand."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask.testing import FlaskClient

from droneteam import audit, db
from droneteam.errors import SetupError
from droneteam.settings import OidcSettings, Settings
from droneteam.web.app import create_app
from tests.web.conftest import Site, csrf_token

CLIENT, SECRET = "droneteam", "the client's secret"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(slots=True)
class Provider:
    """A directory that knows one person at a time; `changed` bends the ID token."""

    issuer: str = ""
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    signing_key: rsa.RSAPrivateKey | None = None
    claims: dict[str, Any] = field(default_factory=lambda: {"preferred_username": "pilot"})
    changed: dict[str, Any] = field(default_factory=dict)
    challenge: str = ""
    nonce: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def jwks(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        n = b64(numbers.n.to_bytes(256, "big"))
        return {"keys": [{"kty": "RSA", "kid": "1", "alg": "RS256", "n": n, "e": "AQAB"}]}

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if b64(digest) != self.challenge or form["code"] != ["the-code"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.id_token()}

    def id_token(self) -> str:
        now = int(time.time())
        body = {"iss": self.issuer, "sub": "1", "aud": CLIENT, "iat": now, "exp": now + 300,
                "nonce": self.nonce, **self.claims, **self.changed}  # fmt: skip
        head = {"alg": "RS256", "kid": "1", "typ": "JWT"}
        signed = ".".join(b64(json.dumps(part).encode()) for part in (head, body))
        key = self.signing_key or self.key
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{b64(signature)}"


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages = {"/.well-known/openid-configuration": found.metadata, "/jwks": found.jwks}
            self.reply(200, pages[urlsplit(self.path).path]())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.reply(*found.token(parse_qs(body)))

        def reply(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.issuer = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


@pytest.fixture
def joined(site: Site, provider: Provider) -> Site:
    """The application with that provider in its settings."""
    return join(site, OidcSettings(provider.issuer, CLIENT, SECRET, name="Police directory"))


def join(site: Site, oidc: OidcSettings) -> Site:
    settings = replace(site.settings, oidc=oidc)
    app = create_app(settings, site.engine, clock=site.clock)
    return Site(app, site.engine, settings, site.clock)


def leave(client: FlaskClient, provider: Provider, path: str = "/account") -> dict[str, str]:
    """What the browser carries to the provider; the provider remembers what it must."""
    answer = client.get(f"/sign-in/directory?next={path}")
    assert answer.status_code == 302
    where = urlsplit(answer.headers["Location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{provider.issuer}/authorize"
    sent = {name: values[0] for name, values in parse_qs(where.query).items()}
    assert sent["code_challenge_method"] == "S256"
    provider.challenge, provider.nonce = sent["code_challenge"], sent["nonce"]
    return sent


def come_back(client: FlaskClient, state: str, code: str = "the-code") -> tuple[int, str, str]:
    answer = client.get(f"/sign-in/directory/back?code={code}&state={state}")
    return answer.status_code, answer.get_data(as_text=True), answer.headers.get("Location", "")


def test_whoever_the_directory_names_is_signed_in_with_the_roles_given_here(
    joined: Site, provider: Provider
) -> None:
    client = joined.client()
    assert "Police directory" in client.get("/sign-in").get_data(as_text=True)
    sent = leave(client, provider)
    status, _, where = come_back(client, sent["state"])
    assert (status, where) == (302, "/account")
    me = client.get("/api/v1/me").get_json()
    assert (me["display_name"], me["roles"]) == ("pilot 1", ["pilot"])
    with db.read_scope(joined.engine) as session:
        assert audit.entries(session, action="signin.welcome")[0].facts == {"method": "oidc"}


def test_who_has_no_account_here_is_told_so(joined: Site, provider: Provider) -> None:
    client = joined.client()
    provider.claims = {"preferred_username": "stranger"}
    sent = leave(client, provider)
    status, text, _ = come_back(client, sent["state"])
    assert status == 401
    assert "stranger has no account here" in text
    assert client.get("/account").status_code == 401


def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "somebody else"},
        {"iss": "https://elsewhere.example"},
        {"exp": int(time.time()) - 3600},
        {"nonce": "an older one"},
        {"preferred_username": ["pilot"]},
        {"preferred_username": " "},
        "other key",
    ],
)
def test_a_token_that_is_not_for_us_now_signs_nobody_in(
    joined: Site, provider: Provider, changed: dict[str, Any] | str
) -> None:
    client = joined.client()
    sent = leave(client, provider)
    if isinstance(changed, str):
        provider.signing_key = other_key()
    else:
        provider.changed = changed
    status, text, _ = come_back(client, sent["state"])
    assert status == 401
    assert 'role="alert"' in text
    assert client.get("/account").status_code == 401


def test_an_answer_to_another_browsers_question_signs_nobody_in(
    joined: Site, provider: Provider
) -> None:
    mine, other = joined.client(), joined.client()
    sent = leave(mine, provider)
    assert come_back(other, sent["state"])[0] == 401
    assert come_back(mine, "made up")[0] == 401


def test_the_code_is_proven_to_be_ours(joined: Site, provider: Provider) -> None:
    client = joined.client()
    sent = leave(client, provider)
    provider.challenge = "of another verifier"
    assert come_back(client, sent["state"])[0] == 401
    (form,) = provider.asked
    assert len(form["code_verifier"][0]) >= 43


def test_a_directory_that_calls_itself_something_else_is_not_believed(
    joined: Site, provider: Provider
) -> None:
    """Its document and its tokens agree, and name an issuer that the settings do not."""
    client = joined.client()
    sent = leave(client, provider)
    elsewhere = "https://elsewhere.example"
    joined.app.extensions["droneteam_oidc"].server_metadata["issuer"] = elsewhere
    provider.changed = {"iss": elsewhere}
    assert come_back(client, sent["state"])[0] == 401
    sent = leave(client, provider)
    provider.changed = {"iss": f"{provider.issuer}/"}  # as some directories write themselves
    assert come_back(client, sent["state"])[0] == 302


@pytest.mark.parametrize("lacks", ["authorization_endpoint", "jwks_uri", "token_endpoint"])
def test_a_directory_whose_document_lacks_something_is_said_to_be_out_of_reach(
    joined: Site, provider: Provider, lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = provider.metadata()
    monkeypatch.setattr(
        Provider, "metadata", lambda _self: {k: v for k, v in whole.items() if k != lacks}
    )
    client = joined.client()
    answer = client.get("/sign-in/directory")
    if answer.status_code == 302:
        sent = parse_qs(urlsplit(answer.headers["Location"]).query)
        provider.challenge, provider.nonce = sent["code_challenge"][0], sent["nonce"][0]
        answer = client.get(f"/sign-in/directory/back?code=the-code&state={sent['state'][0]}")
    assert answer.status_code == 401
    assert 'role="alert"' in answer.get_data(as_text=True)


def test_the_directory_sends_back_to_the_servers_own_address(
    site: Site, provider: Provider
) -> None:
    """Whatever host the visitor's browser named: a directory may know more than one of them."""
    oidc = OidcSettings(provider.issuer, CLIENT, SECRET)
    settings = replace(site.settings, oidc=oidc, url="https://drones.example.be")
    app = create_app(settings, site.engine, clock=site.clock)
    with app.test_client() as client:
        answer = client.get("/sign-in/directory", headers={"Host": "evil.example"})
    sent = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert sent["redirect_uri"] == ["https://drones.example.be/sign-in/directory/back"]


def test_a_refusal_of_the_directory_is_said(joined: Site, provider: Provider) -> None:
    client = joined.client()
    sent = leave(client, provider)
    answer = client.get(f"/sign-in/directory/back?error=access_denied&state={sent['state']}")
    assert answer.status_code == 401
    assert "was not completed" in answer.get_data(as_text=True)


def test_a_directory_that_is_down_leaves_the_password(site: Site) -> None:
    gone = join(site, OidcSettings("http://127.0.0.1:9", CLIENT, SECRET))
    answer = gone.client().get("/sign-in/directory")
    assert answer.status_code == 401
    text = answer.get_data(as_text=True)
    assert "cannot be reached" in text
    assert 'name="password"' in text


def test_an_address_counts_only_when_it_is_verified(site: Site, provider: Provider) -> None:
    joined = join(site, OidcSettings(provider.issuer, CLIENT, SECRET, claim="email"))
    for verified, status in ((None, 401), (False, 401), (True, 401)):
        client = joined.client()
        sent = leave(client, provider)
        provider.claims = {"email": "pilot@police.example", "email_verified": verified}
        found, text, _ = come_back(client, sent["state"])
        assert found == status
        assert ("has no account" in text) == (verified is True)


def test_nobody_is_led_to_another_server_afterwards(joined: Site, provider: Provider) -> None:
    client = joined.client()
    sent = leave(client, provider, "//evil.example")
    assert come_back(client, sent["state"])[2] == "/"


def test_what_was_typed_waits_for_the_sign_in_in_another_tab(
    joined: Site, provider: Provider
) -> None:
    client = joined.client()
    typed = {"title": "Collision of two cars"}
    page = client.post("/requests/new", data=typed, headers={"Sec-Fetch-Site": "same-origin"})
    text = page.get_data(as_text=True)
    kept = text.split('name="kept" value="', 1)[1].split('"', 1)[0]
    data = {"csrf_token": csrf_token(client, "/sign-in"), "kept": kept}
    assert client.post("/sign-in/go-on", data=data).status_code == 401
    provider.claims = {"preferred_username": "requester"}
    sent = leave(client, provider)
    assert come_back(client, sent["state"])[0] == 302
    data["csrf_token"] = csrf_token(client)
    again = client.post("/sign-in/go-on", data=data)
    assert again.status_code == 200
    assert "Collision of two cars" in again.get_data(as_text=True)


def test_without_a_provider_there_is_no_button_and_no_way(site: Site) -> None:
    client = site.client()
    assert "/sign-in/directory" not in client.get("/sign-in").get_data(as_text=True)
    assert client.get("/sign-in/directory").status_code == 302


def test_the_settings_name_the_provider_whole_or_not_at_all(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s3\n")
    env = {
        "DRONETEAM_DATA": str(tmp_path),
        "DRONETEAM_OIDC_ISSUER": "https://directory.example/",
        "DRONETEAM_OIDC_CLIENT_ID": "droneteam",
        "DRONETEAM_OIDC_SECRET_FILE": str(secret),
    }
    found = Settings.from_env(env).oidc
    assert found == OidcSettings("https://directory.example", "droneteam", "s3")
    for name, value, says in (
        ("DRONETEAM_OIDC_ISSUER", "http://directory.example", "https"),
        ("DRONETEAM_OIDC_CLIENT_ID", "", "CLIENT_ID"),
        ("DRONETEAM_OIDC_SECRET_FILE", str(tmp_path / "none"), "none"),
    ):
        with pytest.raises(SetupError, match=says):
            Settings.from_env({**env, name: value})
