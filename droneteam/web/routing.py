"""Addresses: record numbers that a database can hold, and pages that can be read again."""

from __future__ import annotations

from flask import Flask, current_app
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import IntegerConverter, Map, RequestRedirect

MAX_ID = 2**31 - 1
"""PostgreSQL's integer; a larger number in an address is no record of ours."""


class IdConverter(IntegerConverter):
    """A record's number: 1 to MAX_ID; anything else is an unknown address."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, min=1, max=MAX_ID)


def init_routing(app: Flask) -> None:
    """Makes `<id:…>` known to every route."""
    app.url_map.converters["id"] = IdConverter


def page_to_read(path: str) -> str:
    """The path itself where there is a page, else the nearest page above it.

    A page that answers to a form has the form's address, which cannot be read: whoever changes
    the language there comes back to the page that the form was on.
    """
    routes = current_app.url_map.bind("localhost")
    while path != "/":
        try:
            routes.match(path.partition("?")[0], method="GET")
        except RequestRedirect:
            return path
        except (MethodNotAllowed, NotFound):
            path = path.partition("?")[0].rstrip("/").rpartition("/")[0] or "/"
        else:
            return path
    return path
