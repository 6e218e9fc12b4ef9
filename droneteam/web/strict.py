"""What a request may carry at all, checked once, before any view and any database sees it.

A JSON body is read by RFC 8259 and within bounds: no NaN, no number that a database cannot hold,
no text that is not Unicode, and no nesting that would use up the stack of whatever walks it later.
U+0000 is refused everywhere: PostgreSQL's texts cannot hold it, and no form types it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import BadRequest, NotFound

from droneteam.web.failures import wants_json

MAX_DEPTH = 40
"""Lists and objects within each other; a GeoJSON collection in a request has eight."""
MAX_INTEGER = 2**63 - 1
NUL = "\x00"


def init_strict(app: Flask) -> None:
    """Installs the check; call it after the gate, so that strangers are turned away first."""
    app.before_request(_check)


def _check() -> None:
    if NUL in request.path:
        raise NotFound()
    if any(NUL in value for values in request.args.listvalues() for value in values):
        raise BadRequest("a value of the address holds the character U+0000")
    if wants_json():
        if request.is_json:
            strict_json(request.get_data())
    elif any(NUL in value for values in request.form.listvalues() for value in values):
        raise BadRequest("a field of the form holds the character U+0000")


def strict_json(content: bytes) -> Any:
    """The JSON document; None for an empty body, which some operations take.

    Raises
    ------
    BadRequest
        Says what of it cannot be read; caused by the ValueError that knows where.
    """
    if not content:
        return None
    try:
        document = json.loads(content, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, digits without end
        raise BadRequest(f"the body is not JSON: {error}") from error
    _walk(document)
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _walk(document: Any) -> None:
    """Looks at every value without recursion."""
    level, depth = [document], 0
    while level:
        if depth > MAX_DEPTH:
            raise _too_deep()
        below: list[Any] = []
        for value in level:
            match value:
                case dict():
                    for name in value:
                        _check_text(name)
                    below.extend(value.values())
                case list():
                    below.extend(value)
                case str():
                    _check_text(value)
                case bool() | None:
                    pass
                case int() | float():
                    _check_number(value)
        level, depth = below, depth + 1


def _too_deep() -> BadRequest:
    return BadRequest(f"the body nests lists and objects more than {MAX_DEPTH} deep")


def _check_text(text: str) -> None:
    if NUL in text:
        raise BadRequest("a text of the body holds the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("a text of the body holds half a surrogate pair") from None


def _check_number(number: float) -> None:
    too_large = abs(number) > MAX_INTEGER if isinstance(number, int) else math.isinf(number)
    if too_large:
        raise BadRequest("a number of the body is too large")
