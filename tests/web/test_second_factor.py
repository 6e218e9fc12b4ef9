"""One-time codes: RFC 6238's own vectors, once each, and a lost telephone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct

import pytest

from droneteam import accounts, audit, db
from droneteam.errors import DroneteamError
from droneteam.sealing import unseal
from droneteam.web import second_factor
from tests.web.conftest import PASSWORD, Site, csrf_token
from tests.web.test_sign_in import sign_in


def code_at(secret: str, unix_s: float) -> str:
    """RFC 4226 and 6238, written out."""
    key = base64.b32decode(secret.replace(" ", ""))
    digest = hmac.new(key, struct.pack(">Q", int(unix_s) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("unix_s", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_published_codes_match(unix_s: int, code: str) -> None:
    """RFC 6238, appendix B, last six of its eight digits."""
    assert second_factor.matching_step(RFC_SECRET, code, unix_s, 0) == unix_s // 30
    assert code_at(RFC_SECRET, unix_s) == code


def test_a_clock_may_be_half_a_minute_off_and_no_more() -> None:
    code = code_at(RFC_SECRET, 3000.0)
    found = [
        second_factor.matching_step(RFC_SECRET, code, at, 0) is not None
        for at in (2969.0, 2971.0, 3000.0, 3059.0, 3061.0)
    ]
    assert found == [False, True, True, True, False]


def set_up(site: Site, login: str) -> str:
    """The secret of a second factor that was set up through the pages."""
    client = site.client(login)
    data = {"csrf_token": csrf_token(client)}
    page = client.post("/account/second-factor", data=data).get_data(as_text=True)
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    sealed = re.search(r'name="sealed" value="([^"]+)"', page)
    assert secret is not None
    assert sealed is not None
    assert "<svg" in page
    wrong = data | {"sealed": sealed.group(1), "code": "000000"}
    assert client.post("/account/second-factor/confirm", data=wrong).status_code == 422
    code = code_at(secret.group(1), site.clock().timestamp())
    right = data | {"sealed": sealed.group(1), "code": f"{code[:3]} {code[3:]}"}
    assert client.post("/account/second-factor/confirm", data=right).status_code == 302
    return secret.group(1)


def test_signing_in_takes_the_code_and_each_code_once(site: Site) -> None:
    secret = set_up(site, "pilot")
    site.clock.forward(seconds=60)
    code = code_at(secret, site.clock().timestamp())
    status, text, _ = sign_in(site.client(), "pilot", PASSWORD)
    assert status == 401
    assert "the password or the code is wrong" in text
    assert sign_in(site.client(), "pilot", "wrong", code=code)[0] == 401
    assert sign_in(site.client(), "pilot", PASSWORD, code=code)[0] == 302
    assert sign_in(site.client(), "pilot", PASSWORD, code=code)[0] == 401
    site.clock.forward(seconds=30)
    code = code_at(secret, site.clock().timestamp())
    assert sign_in(site.client(), "pilot", PASSWORD, code=code)[0] == 302


def test_a_code_is_not_used_up_by_a_wrong_password(site: Site) -> None:
    secret = set_up(site, "pilot")
    site.clock.forward(seconds=60)
    code = code_at(secret, site.clock().timestamp())
    assert sign_in(site.client(), "pilot", "wrong", code=code)[0] == 401
    assert sign_in(site.client(), "pilot", PASSWORD, code=code)[0] == 302


def test_guessing_codes_locks_the_login(site: Site) -> None:
    set_up(site, "pilot")
    for guess in range(5):
        status, _, _ = sign_in(site.client(), "pilot", PASSWORD, code=f"{guess:06d}")
    assert status == 429


def test_a_program_needs_the_code_too(site: Site) -> None:
    secret = set_up(site, "pilot")
    site.clock.forward(seconds=60)
    client = site.app.test_client()
    body = {"login": "pilot", "password": PASSWORD}
    assert client.post("/api/v1/tokens", json=body).status_code == 401
    body["code"] = code_at(secret, site.clock().timestamp())
    assert client.post("/api/v1/tokens", json=body).status_code == 201


def test_the_database_holds_no_readable_secret(site: Site) -> None:
    secret = set_up(site, "pilot").replace(" ", "")
    with db.read_scope(site.engine) as session:
        row = accounts.user_by_login(session, "pilot")
        assert row is not None
        sealed = row.second_factor or ""
    assert secret not in sealed
    assert unseal(sealed, site.settings.secret_key, second_factor.PURPOSE) == secret
    with pytest.raises(DroneteamError, match="administrator"):
        unseal(sealed, "another key", second_factor.PURPOSE)


def test_an_administrator_takes_the_factor_of_a_lost_telephone_away(site: Site) -> None:
    set_up(site, "pilot")
    person = site.actor("pilot").user_id
    open_session = site.client("pilot")
    client = site.client("administrator")
    data = {"csrf_token": csrf_token(client), "lost": ""}
    path = f"/people/{person}/second-factor"
    assert client.post(path, data=data).status_code == 422
    assert client.post(path, data=data | {"lost": "telephone lost"}).status_code == 302
    assert open_session.get("/account").status_code == 401
    assert sign_in(site.client(), "pilot", PASSWORD)[0] == 302
    with db.read_scope(site.engine) as session:
        (entry, *_) = [
            one
            for one in audit.entries(session, subject=f"user:{person}")
            if one.action == "user.second_factor_removed"
        ]
    assert entry.reason == "telephone lost"
