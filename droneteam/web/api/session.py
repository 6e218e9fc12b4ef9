"""Tokens for programs, and who a token belongs to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from apiflask import APIBlueprint, Schema, abort, fields
from apiflask.validators import Length
from flask import request

from droneteam import sessions
from droneteam.sessions import SessionView
from droneteam.web.access import public, signed_in_only
from droneteam.web.api.door import PROBLEM_CONTENT
from droneteam.web.api.shapes import page_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.device import device_name
from droneteam.web.limiter import limiter
from droneteam.web.signin import Verdict, try_password
from droneteam.web.timefmt import iso

TOKEN_LIFETIME = timedelta(hours=12)
"""One shift."""

_REFUSED: Any = {401: {"description": "Wrong.", "content": PROBLEM_CONTENT}}

bp = APIBlueprint("api_session", __name__, url_prefix="/api/v1", tag="session")


class Credentials(Schema):
    """A login, its password, and the code of the second factor where there is one."""

    login = fields.String(required=True, validate=Length(1, 120))
    password = fields.String(required=True, validate=Length(1, 1000))
    code = fields.String(load_default="", validate=Length(max=20))


class TokenOut(Schema):
    """A bearer token and how long it lasts."""

    token = fields.String(required=True)
    expires_in_s = fields.Integer(required=True)


class Me(Schema):
    """Who the caller is."""

    user_id = fields.Integer(required=True)
    organisation_id = fields.Integer(required=True)
    display_name = fields.String(required=True)
    language = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)


@bp.post("/tokens")
@limiter.limit("30 per minute")
@public
@bp.input(Credentials, arg_name="credentials")
@bp.output(TokenOut, status_code=201)
@bp.doc(
    summary="A bearer token, for a login and its password",
    responses=_REFUSED,
)
def create_token(credentials: dict[str, str]) -> Any:
    """Lasts one shift; one that lasts longer is made on the account's page."""
    attempt = try_password(credentials["login"], credentials["password"], credentials["code"])
    if attempt.verdict is Verdict.LOCKED:
        abort(429, f"this login is locked until {iso(attempt.locked_until)}")
    if attempt.verdict is Verdict.KEY_NEEDED:
        abort(401, "this account takes a code or a key: make a token on its page instead")
    if attempt.verdict is not Verdict.WELCOME or attempt.actor is None:
        abort(401, f"wrong login, password or code; {attempt.tries_left} tries are left")
    with writing() as session:
        name = device_name(request.user_agent.string)
        _view, token = sessions.open_program(session, attempt.actor, name, TOKEN_LIFETIME, now())
    return {"token": token, "expires_in_s": int(TOKEN_LIFETIME.total_seconds())}


@bp.get("/me")
@signed_in_only
@bp.output(Me)
@bp.doc(summary="Who the caller is")
def me() -> Any:
    """The user behind the session or token, with organisation and roles."""
    found = actor()
    return {
        "user_id": found.user_id,
        "organisation_id": found.organisation_id,
        "display_name": found.display_name,
        "language": found.language,
        "roles": sorted(found.roles),
    }


@bp.get("/sessions")
@signed_in_only
@bp.output(page_of(SessionView))
@bp.doc(summary="The caller's own browsers and programs that are signed in")
def list_sessions() -> Any:
    """The last seen first; no secrets."""
    with reading() as session:
        return {"items": sessions.list_sessions(session, actor(), now())}


@bp.delete("/sessions/<id:session_id>")
@signed_in_only
@bp.output({}, status_code=204)
@bp.doc(summary="End one of the caller's own sessions")
def end_session(session_id: int) -> Any:
    """Its browser or program is signed out at once."""
    with writing() as session:
        sessions.end_session(session, actor(), session_id, now())
    return ""
