"""Errors as answers: the one place where an error becomes an HTTP status.

A page gets a page that says what is wrong and what to do; the API gets a problem document
(RFC 9457) with the same words.
"""

from __future__ import annotations

import errno
import logging
import uuid
from dataclasses import asdict
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from flask_babel import gettext as _
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from droneteam.errors import (
    Conflict,
    DecodeError,
    DroneteamError,
    InputError,
    LinkError,
    LinkTimeout,
    NotAllowed,
    NotFound,
    SceneError,
    SetupError,
)
from droneteam.missions.airspace.rules import RulesUnmet
from droneteam.web.i18n import language
from droneteam.web.refusals import refusal
from droneteam.web.rule_words import in_words, unmet

log = logging.getLogger(__name__)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DATABASE_FULL = ("database or disk is full", "No space left on device")
"""As SQLite and PostgreSQL put it."""

STATUS_OF_ERROR: tuple[tuple[type[DroneteamError], int], ...] = (
    (NotFound, 404),
    (NotAllowed, 403),
    (Conflict, 409),
    (InputError, 422),
    (DecodeError, 422),
    (SceneError, 422),
    (LinkTimeout, 504),
    (LinkError, 502),
    (SetupError, 503),
    (DroneteamError, 500),
)
"""The first row whose type fits decides; subclasses stand before their parents."""


def status_of(error: DroneteamError) -> int:
    """The HTTP status of an error."""
    return next(status for kind, status in STATUS_OF_ERROR if isinstance(error, kind))


def wants_json() -> bool:
    """Whether the answer goes to a program."""
    return request.path.startswith("/api/")


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    errors: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
) -> tuple[Response, int]:
    """A problem document (RFC 9457).

    field : the member of the body that was wrong; errors : what was, by member, when several;
    more : further members.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES.get(status, "Error"),
        "status": status,
        "detail": detail,
    }
    if errors is None and field is not None:
        errors = {field: [detail]}
    if errors:
        body["errors"] = errors
    body |= more or {}
    response = jsonify(body)
    response.mimetype = "application/problem+json"
    return response, status


def answer(
    status: int, detail: str, *, field: str | None = None, detail_language: str | None = None
) -> tuple[Response | str, int]:
    """The error as a page or as a problem document.

    detail_language : of the detail, where it is not the visitor's: services speak English.
    """
    if wants_json():
        return problem(status, detail, field=field)
    title, advice = _words(status)
    page = render_template(
        "error.html",
        status=status,
        title=title,
        advice=advice,
        detail=detail,
        detail_language=detail_language or language(),
        back=came_from(),
    )
    return page, status


def came_from() -> str:
    """The page of this server that the visitor came from; empty where there is none."""
    own, page = request.host_url, request.referrer or ""
    return "/" + page.removeprefix(own) if page.startswith(own) else ""


def init_failures(app: Flask) -> None:
    """Installs the handlers."""
    app.register_error_handler(DroneteamError, _on_domain_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(OperationalError, _on_database_error)
    app.register_error_handler(OSError, _on_system_error)
    app.register_error_handler(Exception, _on_bug)


def _on_domain_error(error: DroneteamError) -> tuple[Response | str, int]:
    if isinstance(error, RulesUnmet):
        return _on_rules_unmet(error)
    field = error.field if isinstance(error, InputError) else None
    told = refusal(error)
    return answer(status_of(error), told.text, field=field, detail_language=told.lang)


def _on_rules_unmet(error: RulesUnmet) -> tuple[Response | str, int]:
    """What stands against a plan, in the visitor's language; a program gets the rules as well."""
    detail, status = unmet(error), status_of(error)
    if not wants_json():
        return answer(status, detail, field=error.field)
    findings = [asdict(in_words(one)) for one in error.findings]
    return problem(status, detail, field=error.field, more={"findings": findings})


def _on_http_error(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    status = error.code
    detail = error.description or ""
    if not wants_json() and detail == type(error).description:
        detail = ""  # it says in English what the page's own title says already
    response, status = answer(status, detail, detail_language="en")
    made = app_response(response, status)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After", "Content-Range"}:
            made.headers[name] = value
    return made


def _on_database_error(error: OperationalError) -> Any:
    if any(words in str(error.orig) for words in _DATABASE_FULL):
        return _on_full_disk(error)
    reference = _note(error)
    return answer(503, _("The database did not answer in time (reference %(ref)s).", ref=reference))


def _on_system_error(error: OSError) -> Any:
    return _on_full_disk(error) if error.errno in _FULL else _on_bug(error)


def _on_full_disk(error: Exception) -> Any:
    reference = _note(error)
    detail = _(
        "The server's disk is full, and nothing of this was kept. Tell the administrator "
        "(reference %(ref)s).",
        ref=reference,
    )
    return answer(503, detail)


def _on_bug(error: Exception) -> Any:
    reference = _note(error)
    detail = _("This is a fault of the program (reference %(ref)s).", ref=reference)
    return answer(500, detail)


def _note(error: Exception) -> str:
    """Logs the error; the reference lets a person's message be matched with the log."""
    reference = uuid.uuid4().hex[:8]
    log.exception("%s %s failed, reference %s", request.method, request.path, reference)
    return reference


def app_response(body: Response | str, status: int) -> Response:
    """The body as a response object."""
    made = body if isinstance(body, Response) else Response(body, mimetype="text/html")
    made.status_code = status
    return made


def _words(status: int) -> tuple[str, str]:
    """A title and what to do, in the visitor's language."""
    texts = {
        400: (_("The request could not be read"), _("Go back, reload the page and try again.")),
        401: (_("You are not signed in"), _("Sign in and try again.")),
        403: (
            _("You may not do this"),
            _("If your work needs it, ask an administrator for the role."),
        ),
        404: (
            _("There is no such page or record for you"),
            _("It may belong to another zone, or the address may be wrong. Check the number."),
        ),
        405: (_("This address does not take that kind of request"), _("Go back and try again.")),
        409: (
            _("Someone else changed this meanwhile"),
            _("Read the page again and decide with what it shows now. Nothing was overwritten."),
        ),
        413: (_("What was sent is too large"), _("Send a smaller file.")),
        422: (
            _("Something that was entered cannot be used"),
            _("Go back, correct what the message names and send again."),
        ),
        429: (_("Too many tries"), _("Wait a moment and try again.")),
        502: (_("The drone does not answer"), _("Check its link and try again.")),
        503: (_("A part of the system is not ready"), _("Wait a moment and try again.")),
        504: (_("The drone did not answer in time"), _("Check its link and try again.")),
    }
    fault = (
        _("Something went wrong on our side"),
        _("Nothing that was accepted is lost. Try again; if it stays, report the reference."),
    )
    return texts.get(status, fault)
