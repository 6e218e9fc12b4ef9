"""JSON over HTTPS, to servers that others run: bounded, without redirects, honest when it fails."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from droneteam.errors import DecodeError, InputError, LinkError, SetupError

TIMEOUT_S = 3.0
"""F3411-22a, NetSpDataResponseTime99thPercentile."""
MAX_ANSWER_BYTES = 8 << 20
_SHOWN = 160
_LOCAL = ("127.0.0.1", "::1", "localhost")


class Refused(LinkError):
    """The server answered, and not with what was asked for; status : of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the server that it was made for, and to no other."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Client:
    """Asks and tells servers; allow_http : also without TLS, within a private network.

    ca_file : the authorities that servers are known by, the system's by default.
    """

    allow_http: bool = False
    ca_file: Path | None = None
    timeout_s: float = TIMEOUT_S

    def ask(
        self,
        verb: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON; None for an empty one.

        body : sent as JSON; form : sent as a form.

        Raises
        ------
        Refused
            The server answered with an error.
        LinkError, SetupError
            It could not be asked.
        DecodeError
            The answer is no JSON, or too long.
        """
        request = self._request(verb, url, headers or {}, body, form)
        where = f"{verb} {url.partition('?')[0]}"
        try:
            with self._opener().open(request, timeout=self.timeout_s) as response:
                content = response.read(MAX_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(_SHOWN).decode("utf-8", "replace").strip()
            raise Refused(
                f"{where}: {error.code} {error.reason} {said}".strip(), error.code
            ) from None
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", "") or error.reason
            raise LinkError(f"{where}: {reason}") from error
        except (OSError, HTTPException) as error:
            raise LinkError(f"{where}: {error or type(error).__name__}") from error
        return _json(content, where)

    def _request(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        form: Mapping[str, str] | None,
    ) -> urllib.request.Request:
        self.check(url)
        sent = {"Accept": "application/json", **headers}
        data = None
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        return urllib.request.Request(url, data, sent, method=verb)

    def check(self, url: str) -> None:
        """InputError for a URL that a token must not be sent to."""
        parts = urllib.parse.urlsplit(url)
        secure = parts.scheme == "https"
        plain = parts.scheme == "http" and (self.allow_http or parts.hostname in _LOCAL)
        if not parts.hostname or parts.username or not (secure or plain):
            raise InputError(f"{url[:_SHOWN]!r} is not an https:// address", field="url")

    def _opener(self) -> urllib.request.OpenerDirector:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SetupError(f"the certificates in {self.ca_file}: {error}") from error
        return urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=context)
        )


def _json(content: bytes, where: str) -> Any:
    if len(content) > MAX_ANSWER_BYTES:
        raise DecodeError(f"{where}: an answer of more than {MAX_ANSWER_BYTES} bytes")
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"{where}: its answer is no JSON: {error}") from None
