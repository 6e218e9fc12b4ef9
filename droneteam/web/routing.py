"""Addresses: record numbers that a database can hold."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

MAX_ID = 2**31 - 1
"""PostgreSQL's integer; a larger number in an address is no record of ours."""


class IdConverter(IntegerConverter):
    """A record's number: 1 to MAX_ID; anything else is an unknown address."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, min=1, max=MAX_ID)


def init_routing(app: Flask) -> None:
    """Makes `<id:…>` known to every route."""
    app.url_map.converters["id"] = IdConverter
