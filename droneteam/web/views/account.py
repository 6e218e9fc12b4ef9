"""Signing in and out, and the visitor's language and theme."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import (
    Blueprint,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup
from werkzeug.wrappers import Response

from droneteam import accounts, audit, sessions
from droneteam.accounts import LANGUAGES
from droneteam.errors import DroneteamError
from droneteam.sealing import seal, unseal
from droneteam.web import guessing, keyring, second_factor
from droneteam.web.access import public, recently_proven, signed_in_only
from droneteam.web.context import actor, context, now, reading, signed_in, writing
from droneteam.web.device import device_name
from droneteam.web.failures import came_from
from droneteam.web.forms import FormReader
from droneteam.web.i18n import LANGUAGE_COOKIE
from droneteam.web.kept import Keeping, KeptForm, opened, own_path
from droneteam.web.kept_files import purge
from droneteam.web.limiter import limiter
from droneteam.web.passkeys import Purpose
from droneteam.web.routing import page_to_read
from droneteam.web.signin import Attempt, Verdict, try_password
from droneteam.web.timefmt import local

bp = Blueprint("account", __name__)

SESSION_KEY = "key"
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"
BROWSER_COOKIE = "known"
"""Tells that its owner has signed in with this browser: `guessing`."""
MAX_ANSWER = 20_000
"""Characters of an authenticator's answer; the largest keys need 4,000."""
_YEAR_S = 365 * 24 * 3600


@bp.get("/sign-in")
@public
def sign_in_form() -> Any:
    """The sign-in page; whoever is signed in goes on to the first page."""
    target = own_path(request.args.get("next"))
    if signed_in() is not None:
        return redirect(target)
    return render_template("sign_in.html", next=target, kept="", login="")


@bp.post("/sign-in")
@limiter.limit("30 per minute")
@public
def sign_in() -> Any:
    """Signed in and on the way to the wanted page, or told what was wrong."""
    login = request.form.get("login", "")[:120]
    target = own_path(request.form.get("next"))
    kept_text = request.form.get("kept", "")
    code = request.form.get("code", "")[:20]
    password = request.form.get("password", "")[:1_000]
    attempt = try_password(login, password, code, request.cookies.get(BROWSER_COOKIE, ""))
    return after(attempt, target, kept_text, login)


@bp.post("/sign-in/passkey/options")
@limiter.limit("30 per minute")
@public
def ask_for_key() -> Response:
    """What the browser asks the visitor's authenticator."""
    question = keyring.ask_anybody()
    return jsonify(options=question.options, ticket=question.ticket)


@bp.post("/sign-in/passkey")
@limiter.limit("30 per minute")
@public
def sign_in_with_key() -> Any:
    """Signed in with a key: alone, or after the password."""
    purpose: Purpose = "second" if request.form.get("way") == "second" else "alone"
    target = own_path(request.form.get("next"))
    kept_text = request.form.get("kept", "")
    try:
        answer = json.loads(request.form.get("answer", "")[:MAX_ANSWER])
        attempt = keyring.try_key(purpose, request.form.get("ticket", "")[:2_000], answer)
    except (ValueError, RecursionError):  # InputError is one: the question is too old, or used
        attempt = Attempt(Verdict.WRONG)
    return after(attempt, target, kept_text, "", by_key=True)


def after(
    attempt: Attempt, target: str, kept_text: str, login: str, *, by_key: bool = False
) -> Any:
    """The answer to a try: in, one step further, or the form again with the reason."""
    if attempt.verdict is Verdict.KEY_NEEDED:
        return _key_page(attempt, target, kept_text)
    if attempt.verdict is not Verdict.WELCOME:
        status = 429 if attempt.verdict is Verdict.LOCKED else 401
        problem = _why_key(attempt) if by_key else why(attempt)
        page = render_template(
            "sign_in.html", next=target, kept=kept_text, login=login, problem=problem
        )
        return page, status
    session.clear()
    session[SESSION_KEY] = _opened(attempt)
    session.permanent = True
    assert attempt.actor is not None
    purge()
    kept = opened(kept_text, attempt.actor.user_id)
    answer = redirect(target) if kept is None else make_response(send_again(kept))
    remember_browser(answer, attempt.actor.user_id)
    return answer


def remember_browser(answer: Response, user_id: int) -> None:
    """Sets the cookie that counts this browser's wrong tries apart from strangers'."""
    settings = context().settings
    known = request.cookies.get(BROWSER_COOKIE, "")
    answer.set_cookie(
        BROWSER_COOKIE,
        guessing.with_owner(settings.secret_key, known, user_id),
        max_age=guessing.KNOWN_FOR,
        path=url_for("account.sign_in"),
        secure=settings.https,
        httponly=True,
        samesite="Strict",
    )


def _key_page(attempt: Attempt, target: str, kept_text: str) -> str:
    assert attempt.actor is not None
    with reading() as db:
        question = keyring.ask_after_password(db, attempt.actor.user_id)
    return render_template(
        "sign_in_key.html",
        next=target,
        kept=kept_text,
        island_data=passkey_data({"options": question.options, "ticket": question.ticket}),
    )


@bp.app_template_global()
def passkey_data(question: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the island of keys is given."""
    return {
        "question": question,
        "signInOptions": url_for("account.ask_for_key"),
        "newOptions": url_for("keys.ask"),
        "texts": {
            "unsupported": _("This browser cannot use passkeys, or the page is not secure."),
            "waiting": _("Follow what your device asks …"),
            "cancelled": _("Nothing was signed. Try again, or sign in another way."),
            "known": _("This device holds a key of this account already."),
        },
    }


@bp.post("/sign-out")
@signed_in_only
def sign_out() -> Response:
    """Signed out of this browser."""
    with writing() as db:
        bearer = sessions.bearer_of(db, str(session.get(SESSION_KEY, "")), now())
        if bearer is not None:
            sessions.end_session(db, bearer.actor, bearer.session_id, now())
    session.clear()
    return redirect(url_for("account.sign_in_form"))


@bp.get("/account")
@signed_in_only
def account() -> str:
    """The account's page."""
    return account_page()


def account_page(
    token: str = "",
    problems: dict[str, str] | None = None,
    password_problems: dict[str, str] | None = None,
) -> str:
    """The account's page; token : a program's new one, problems : of the programs' form."""
    with reading() as db:
        row = db.get(accounts.User, actor().user_id)
        protected = row is not None and row.second_factor is not None
        has_password = row is not None and row.password_hash is not None
        mine = sessions.bearer_of(db, str(session.get(SESSION_KEY, "")), now())
        open_ones = sessions.list_sessions(db, actor(), now())
        keys = keyring.list_keys(db, actor())
    return render_template(
        "account.html",
        protected=protected,
        has_password=has_password,
        least=accounts.MIN_PASSWORD_LENGTH,
        keys=keys,
        island_data=passkey_data(),
        browsers=[one for one in open_ones if one.kind == "browser"],
        programs=[one for one in open_ones if one.kind == "program"],
        here=None if mine is None else mine.session_id,
        token=token,
        problems=problems or {},
        password_problems=password_problems or {},
        values=request.form,
        key_name=request.args.get("key", "")[: keyring.MAX_NAME],
    )


@bp.post("/account/programs")
@signed_in_only
@recently_proven
def open_program() -> Any:
    """The page with a program's new token, which is shown this once."""
    form = FormReader(request.form)
    name = form.text("name", required=True, max_length=120)
    days = int(form.number("days", 1, sessions.MAX_PROGRAM_DAYS, fallback=90))
    roles = tuple(role for role in sorted(actor().roles) if form.flag(f"role_{role}"))
    if not roles:
        form.fail("roles", _("Choose at least one role."))
    if form.problems:
        return account_page(problems=form.problems), 422
    with writing() as db:
        _view, token = sessions.open_program(db, actor(), name, timedelta(days=days), now(), roles)
    return account_page(token)


@bp.post("/account/sessions/<id:session_id>/end")
@signed_in_only
def end_session(session_id: int) -> Response:
    """One browser or program signed out."""
    with writing() as db:
        sessions.end_session(db, actor(), session_id, now())
    flash(_("Signed out there."), "done")
    return redirect(url_for("account.account"))


@bp.post("/account/second-factor")
@signed_in_only
@recently_proven
def offer_second_factor() -> Any:
    """A new secret as a QR code; it counts once a code of it was typed."""
    return _second_factor_page(second_factor.new_secret())


@bp.post("/account/second-factor/confirm")
@signed_in_only
@recently_proven
def confirm_second_factor() -> Any:
    """The second factor, in force from the next sign-in."""
    me = actor()
    sealed, key = request.form.get("sealed", "")[:300], context().settings.secret_key
    try:
        secret = unseal(sealed, key, second_factor.PURPOSE)
    except DroneteamError:
        return redirect(url_for("account.account"))
    step = second_factor.matching_step(
        secret, request.form.get("code", "")[:20], now().timestamp(), 0
    )
    if step is None:
        problem = _("This is not the code of now. Wait for the next one and type it again.")
        return _second_factor_page(secret, problem), 422
    with writing() as db:
        row = db.get(accounts.User, me.user_id)
        if row is not None:
            row.second_factor, row.second_factor_step = (
                seal(secret, key, second_factor.PURPOSE),
                step,
            )
            subject = f"user:{me.user_id}"
            audit.append(db, me, action="user.second_factor_added", subject=subject, at=now())
    flash(_("From now on signing in takes a code."), "done")
    return redirect(url_for("account.account"))


def _second_factor_page(secret: str, problem: str = "") -> str:
    return render_template(
        "second_factor.html",
        qr=Markup(second_factor.qr_svg(secret, actor().display_name)),
        secret=" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        sealed=seal(secret, context().settings.secret_key, second_factor.PURPOSE),
        problem=problem,
    )


@bp.post("/account/end-sessions")
@signed_in_only
def end_sessions() -> Response:
    """Signed out of every browser and program."""
    me = actor()
    with writing() as db:
        sessions.end_all(db, me.user_id, now())
        audit.append(db, me, action="signin.end_sessions", subject=f"user:{me.user_id}", at=now())
    session.clear()
    flash(_("You are signed out everywhere."), "done")
    return redirect(url_for("account.sign_in_form"))


@bp.post("/preferences")
@public
def preferences() -> Response:
    """Back on the same page, in the chosen language and theme."""
    response = redirect(page_to_read(own_path(request.form.get("next"))))
    secure = context().settings.https
    for name, allowed in ((LANGUAGE_COOKIE, LANGUAGES), (THEME_COOKIE, THEMES)):
        value = request.form.get(name, "")
        if value in allowed:
            response.set_cookie(
                name, value, max_age=_YEAR_S, samesite="Lax", secure=secure, httponly=True
            )
    return response


def ask_to_sign_in(keeping: Keeping, problem: str | None = None) -> tuple[str, int]:
    """The sign-in page in place of the one that was asked for; what was typed stays kept."""
    target = request.full_path.rstrip("?") if request.method in {"GET", "HEAD"} else "/"
    if keeping.lost:
        target = came_from() or "/"
    page = render_template(
        "sign_in.html",
        next=own_path(target),
        kept=keeping.text,
        held=keeping.files,
        lost=keeping.lost,
        login="",
        notice=problem,
    )
    return page, 401


def send_again(kept: KeptForm) -> str:
    """A page that shows what had been typed and sends it at one click."""
    return render_template("send_again.html", kept=kept)


def why(attempt: Attempt) -> str:
    """What to tell whoever gave a wrong password or code."""
    if attempt.verdict is Verdict.LOCKED:
        locked: str = _(
            "After several wrong passwords this sign-in is locked until %(time)s. "
            "Wait, or ask an administrator.",
            time=local(attempt.locked_until),
        )
        return locked
    wrong: str = ngettext(
        "The login, the password or the code is wrong. "
        "%(num)s try is left before a pause of 15 minutes.",
        "The login, the password or the code is wrong. "
        "%(num)s tries are left before a pause of 15 minutes.",
        attempt.tries_left,
    )
    return wrong


def _why_key(attempt: Attempt) -> str:
    if attempt.verdict is Verdict.LOCKED:
        return why(attempt)
    refused: str = _(
        "The key was not accepted. Try again, or sign in with your password. "
        "Questions to a key hold for five minutes."
    )
    return refused


def _opened(attempt: Attempt) -> str:
    """The secret of the session that a welcome opens."""
    assert attempt.actor is not None
    with writing() as db:
        name = device_name(request.user_agent.string)
        return sessions.open_browser(db, attempt.actor.user_id, name, now())
