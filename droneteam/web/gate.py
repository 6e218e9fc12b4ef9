"""The gate in front of every view: who is asking, may they, and did the form come from us."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import (
    Flask,
    Response,
    after_this_request,
    current_app,
    flash,
    g,
    render_template,
    request,
    session,
)
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, CSRFProtect

from droneteam.errors import NotAllowed
from droneteam.sessions import lately_signed_in, owner_of
from droneteam.web.access import Access, access_of, body_limit_of, needs_proof
from droneteam.web.access import public as public_view
from droneteam.web.context import now, reading, signed_in
from droneteam.web.failures import answer, problem, wants_json
from droneteam.web.i18n import choose_language, settle_language
from droneteam.web.kept import Keeping, from_own_page, keep_this_form, this_form
from droneteam.web.kept_files import FIELD, give_back, let_go
from droneteam.web.proof import missing_proof
from droneteam.web.signin import actor_of_secret, actor_of_token
from droneteam.web.views.account import SESSION_KEY, ask_to_sign_in
from droneteam.web.words import ROLES

csrf = CSRFProtect()
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def init_gate(app: Flask) -> None:
    """Installs the gate; call it before any blueprint adds hooks of its own."""
    # The gate checks tokens itself, after the sign-in, so that an expired session is answered
    # with the sign-in page and not with a complaint about a token.
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    csrf.init_app(app)
    app.before_request(_check)
    app.register_error_handler(CSRFError, _on_csrf_error)
    app.view_functions["static"] = public_view(app.view_functions["static"])


def _check() -> Any:
    """None when the view may run, otherwise the answer in its place."""
    if request.endpoint is None:
        return None  # no such route: the 404 handler answers
    try:
        by_token = _identify()
    except NotAllowed as error:
        return problem(401, str(error))
    settle_language()
    access = access_of(current_app.view_functions[request.endpoint])
    if access is None or not access.permits(signed_in()):
        return _refuse(access)
    limit = body_limit_of(current_app.view_functions[request.endpoint])
    if limit is not None:
        request.max_content_length = limit
    if request.method not in _SAFE_METHODS and not by_token and not _is_token_request():
        csrf.protect()
        _bring_held_files()
    if not by_token and needs_proof(current_app.view_functions[request.endpoint]):
        return missing_proof()
    return None


def _identify() -> bool:
    """Sets g.actor and g.secret; whether a bearer token did it, which no other site can send."""
    g.actor = None
    if request.endpoint == "static":
        return False
    header = request.headers.get("Authorization", "")
    if wants_json() and header.lower().startswith("bearer "):
        g.secret = header[7:].strip()
        g.actor = actor_of_token(g.secret)
        return True
    key = session.get(SESSION_KEY)
    if isinstance(key, str):
        g.secret = key
        g.actor = actor_of_secret(key)
        if g.actor is not None and not wants_json():  # names of organisations follow the page
            g.actor = replace(g.actor, language=choose_language())
    return False


def _bring_held_files() -> None:
    """Files that waited for the sign-in come with the form that is sent again."""
    key = "" if wants_json() else request.form.get(FIELD, "")
    me = signed_in()
    if not key or me is None:
        return
    if not give_back(key, me.user_id):
        flash(_("The files that waited here are gone: choose them again."), "care")
        return

    @after_this_request
    def taken(answer: Response) -> Response:
        if answer.status_code < 500:  # a full disk may have room tomorrow
            let_go(key)
        return answer


def _kept(access: Access | None) -> Keeping:
    """The form of somebody whose session is over, although the browser still brings it."""
    secret = str(session.get(SESSION_KEY, ""))
    with reading() as database:
        owner_id = owner_of(database, secret)
        former = lately_signed_in(database, secret, now())
    may_send = access is not None and former is not None and access.permits(former)
    return keep_this_form(owner_id, may_send)


def _is_token_request() -> bool:
    """Whether a program asks for a token: it has no session, hence no token of a form."""
    return request.endpoint == "api_session.create_token"


def _refuse(access: Access | None) -> Any:
    if signed_in() is None:
        if wants_json():
            return problem(
                401,
                _(
                    "Nobody is signed in: sign in again in another tab and go on here; what is on "
                    "this page stays. A program sends a bearer token from POST /api/v1/tokens."
                ),
            )
        return ask_to_sign_in(_kept(access))
    if access is None:
        return answer(403, _("This route has no access rule and is therefore closed."))
    roles = ", ".join(str(ROLES[role]) for role in ROLES if role in access.roles)
    return answer(403, _("This takes one of the roles: %(roles)s.", roles=roles))


def _on_csrf_error(error: CSRFError) -> Any:
    """The typed values again, with a fresh token, when the form is from our own page."""
    if wants_json():
        return problem(
            400,
            _(
                "The X-CSRFToken header is missing or of another session: sign in again as the "
                "person who opened this page. A program sends a bearer token."
            ),
        )
    if request.endpoint in {"account.sign_in", "account.sign_in_with_key"}:
        return ask_to_sign_in(
            Keeping(request.form.get("kept", "")),
            _("This page had been open for too long. Enter your login and password again."),
        )
    if from_own_page():
        me = signed_in()
        kept = this_form(None if me is None else me.user_id)
        return render_template("send_again.html", kept=kept), 400
    return answer(400, _("This form did not come from a page of this server."))
