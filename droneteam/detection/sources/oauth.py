"""Tokens from an authorisation server: OAuth 2.0 client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

from droneteam.detection.sources.https import Client
from droneteam.detection.sources.secret import Secret
from droneteam.errors import DecodeError, InputError

EARLY_S = 30.0
"""A token is renewed this long before it expires."""
DEFAULT_LIFE_S = 300.0
MAX_TOKENS = 500
CLIENT_AUTHS = ("basic", "post")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How tokens are had.

    client_auth : whether client and secret go into the header ("basic") or the form ("post").
    audience_parameter : what the server calls the audience; F3411 makes it the asked host's name.
    """

    token_url: str
    client_id: str
    secret: Secret
    client_auth: str = "basic"
    audience_parameter: str = "audience"

    def __post_init__(self) -> None:
        if not self.client_id:
            raise InputError("client_id is empty", field="client_id")
        if self.client_auth not in CLIENT_AUTHS:
            raise InputError(
                f"client_auth {self.client_auth!r} is none of {', '.join(CLIENT_AUTHS)}",
                field="client_auth",
            )


@dataclass(slots=True)
class Tokens:
    """The tokens that we hold, by scope and audience; used from several threads.

    clock_s : a clock that only runs forward.
    """

    credentials: Credentials
    client: Client
    clock_s: Callable[[], float]
    _held: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def header(self, scope: str, url: str) -> dict[str, str]:
        """The header that lets us ask a server.

        Raises
        ------
        LinkError, SetupError, DecodeError
            The authorisation server gives no token.
        """
        audience = urllib.parse.urlsplit(url).hostname or ""
        with self._lock:
            token, until_s = self._held.get((scope, audience), ("", 0.0))
            if self.clock_s() >= until_s:
                token, until_s = self._new(scope, audience)
                if len(self._held) >= MAX_TOKENS:
                    self._held.clear()
                self._held[scope, audience] = (token, until_s)
        return {"Authorization": f"Bearer {token}"}

    def forget(self, scope: str, url: str) -> None:
        """Ask anew next time: a server did not accept the token."""
        audience = urllib.parse.urlsplit(url).hostname or ""
        with self._lock:
            self._held.pop((scope, audience), None)

    def _new(self, scope: str, audience: str) -> tuple[str, float]:
        mine, secret = self.credentials, self.credentials.secret.read()
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            mine.audience_parameter: audience,
        }
        headers = {}
        if mine.client_auth == "basic":
            pair = ":".join(urllib.parse.quote(one, safe="") for one in (mine.client_id, secret))
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": mine.client_id, "client_secret": secret}
        answer = self.client.ask("POST", mine.token_url, headers=headers, form=form)
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise DecodeError(f"{mine.token_url} gives no access_token")
        life_s = answer.get("expires_in", DEFAULT_LIFE_S)
        if isinstance(life_s, bool) or not isinstance(life_s, int | float):
            life_s = DEFAULT_LIFE_S
        return answer["access_token"], self.clock_s() + max(1.0, life_s - EARLY_S)
