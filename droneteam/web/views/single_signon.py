"""Single sign-on by OpenID Connect: the organisation's own directory says who somebody is.

It says no more than that: an account with that login must exist here and be open, and its roles
are the ones given here.  Authorisation code with PKCE, state and nonce; the ID token's signature,
issuer, audience and times are checked by Authlib against the provider's keys.
"""

from __future__ import annotations

from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import (
    Blueprint,
    Flask,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from droneteam import accounts, audit, sessions
from droneteam.accounts import SYSTEM, actor_of, user_by_login
from droneteam.settings import OidcSettings, Settings
from droneteam.web import proof
from droneteam.web.access import public
from droneteam.web.context import context, full_address, now, reading, signed_in, writing
from droneteam.web.device import device_name
from droneteam.web.kept import opened, own_path
from droneteam.web.limiter import limiter
from droneteam.web.views.account import SESSION_KEY, send_again

bp = Blueprint("single_signon", __name__, url_prefix="/sign-in")

_EXTENSION = "droneteam_oidc"
_TARGET = "oidc_next"
_AGAIN = "oidc_again"
"""When somebody who is signed in went to say again who they are, in seconds since 1970."""
_CLOCKS_APART_S = 60.0
_TIMEOUT_S = 10.0
_FAILURES = (requests.RequestException, AuthlibBaseError, JoseError, ValueError, RuntimeError)
"""RuntimeError is Authlib's for a provider whose own description lacks something."""


def init_single_signon(app: Flask, settings: Settings) -> None:
    """Registers the provider, when the settings name one; nothing is fetched before it is used."""
    if settings.oidc is None:
        return
    provider = settings.oidc
    app.extensions[_EXTENSION] = OAuth(app).register(
        "directory",
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "default_timeout": _TIMEOUT_S,
        },
    )


@bp.get("/directory")
@limiter.limit("30 per minute")
@public
def leave() -> Any:
    """On the way to the provider."""
    if _provider() is None:
        return redirect(url_for("account.sign_in_form"))
    session[_TARGET] = own_path(request.args.get("next"))
    again = signed_in() is not None and request.args.get("again") == "1"
    session[_AGAIN] = now().timestamp() if again else None
    back = full_address(url_for("single_signon.back"))
    # With max_age the provider must say in the ID token when it was (Core 1.0, 3.1.2.1).
    asked = {"prompt": "login", "max_age": "0"} if again else {}
    try:
        return current_app.extensions[_EXTENSION].authorize_redirect(back, **asked)
    except _FAILURES as error:
        current_app.logger.warning("single sign-on: %s", error)
        return _refused(_("The sign-in service cannot be reached. Try again, or use a password."))


@bp.get("/directory/back")
@limiter.limit("60 per minute")
@public
def back() -> Any:
    """Signed in, or told why not."""
    provider = _provider()
    if provider is None:
        return redirect(url_for("account.sign_in_form"))
    try:
        token = current_app.extensions[_EXTENSION].authorize_access_token(
            claims_options=_expected(provider)
        )
    except _FAILURES as error:
        current_app.logger.warning("single sign-on: %s", error)
        return _refused(_("The sign-in was not completed. Start it again."))
    claims = token.get("userinfo") or {}
    login = _login(claims, provider)
    if login is None:
        return _refused(_("The sign-in service did not say who you are."))
    asked_s = session.pop(_AGAIN, None)
    if asked_s is not None:
        return _proven(login, asked_s, claims.get("auth_time"))
    return _welcome(login)


@bp.post("/go-on")
@public
def go_on() -> Any:
    """What had been typed, ready to be sent again, once another tab has signed in."""
    kept_text = request.form.get("kept", "")
    me = signed_in()
    kept = None if me is None else opened(kept_text, me.user_id)
    if kept is None:
        target = own_path(request.form.get("next"))
        notice = _("You are not signed in yet.")
        page = render_template("sign_in.html", next=target, kept=kept_text, login="", notice=notice)
        return page, 401
    return send_again(kept)


def _proven(login: str, asked_s: float, signed_in_s: Any) -> Response | tuple[str, int]:
    """The session goes on, freshly proven, where the same person has signed in there just now.

    asked_s : when we asked; signed_in_s : when the provider says that it was (`auth_time`)
    """
    me = signed_in()
    with reading() as db:
        row = user_by_login(db, login[: accounts.MAX_LOGIN_LENGTH])
        is_same = me is not None and row is not None and row.id == me.user_id
    if not is_same:
        return _refused(_("The sign-in service named somebody else."))
    if not isinstance(signed_in_s, int | float) or signed_in_s < asked_s - _CLOCKS_APART_S:
        return _refused(_("The sign-in service did not ask you to sign in again."))
    proof.note_proof("directory")
    flash(_("Confirmed. Go on in the other tab."), "done")
    return redirect(url_for("account.account"))


def _expected(provider: OidcSettings) -> dict[str, Any]:
    """Which issuer an ID token must name: the setting's, whatever the provider's document says.

    Some write a slash at its end (OpenID Connect Discovery 1.0, 4.3 compares letter by letter).
    """
    return {"iss": {"essential": True, "values": [provider.issuer, f"{provider.issuer}/"]}}


def _login(claims: dict[str, Any], provider: OidcSettings) -> str | None:
    """The login that the claims name; an unverified address names nobody."""
    found = claims.get(provider.claim)
    if provider.claim == "email" and claims.get("email_verified") is not True:
        return None
    return found.strip() if isinstance(found, str) and found.strip() else None


def _welcome(login: str) -> Response | tuple[str, int]:
    target = own_path(session.pop(_TARGET, None))
    with writing() as db:
        row = user_by_login(db, login[: accounts.MAX_LOGIN_LENGTH])
        if row is None or not row.active:
            facts = {"login": login[: accounts.MAX_LOGIN_LENGTH], "method": "oidc"}
            audit.append(
                db, SYSTEM, action="signin.wrong", subject="user:unknown", facts=facts, at=now()
            )
            found = None
        else:
            found = sessions.open_browser(db, row.id, device_name(request.user_agent.string), now())
            audit.append(
                db, actor_of(row), action="signin.welcome", subject=f"user:{row.id}",
                facts={"method": "oidc"}, at=now(),
            )  # fmt: skip
    if found is None:
        return _refused(
            _("%(login)s has no account here. Ask an administrator for one.", login=login)
        )
    session.clear()
    session[SESSION_KEY] = found
    session.permanent = True
    return redirect(target)


def _refused(problem: str) -> tuple[str, int]:
    page = render_template(
        "sign_in.html", next=own_path(session.get(_TARGET)), kept="", login="", problem=problem
    )
    return page, 401


def _provider() -> OidcSettings | None:
    return context().settings.oidc
