"""The rate limits' store: in memory, because one process serves one installation."""

from __future__ import annotations

from flask import request
from flask_limiter import Limiter

from droneteam.web.client_address import client_of
from droneteam.web.context import context


def visitor() -> str:
    """Who the limits count: the address that the request came from."""
    forwarded = request.headers.getlist("X-Forwarded-For")
    return client_of(request.remote_addr, forwarded, context().settings.proxies)


limiter = Limiter(key_func=visitor, storage_uri="memory://", headers_enabled=True)
