"""A person's own new password: nobody but its owner should know it, whoever gave the first one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, session, url_for
from flask_babel import gettext as _

from droneteam import accounts, audit, sessions
from droneteam.accounts import MIN_PASSWORD_LENGTH, User
from droneteam.web.access import signed_in_only
from droneteam.web.context import actor, now, writing
from droneteam.web.device import device_name
from droneteam.web.limiter import limiter
from droneteam.web.signin import Verdict, confirm_password
from droneteam.web.views.account import BROWSER_COOKIE, SESSION_KEY, account_page, why

bp = Blueprint("own_password", __name__)

MAX_PASSWORD = 1_000


@bp.post("/account/password")
@limiter.limit("30 per minute")
@signed_in_only
def change() -> Any:
    """The new password in force, and every other browser and program signed out."""
    typed = {name: request.form.get(name, "") for name in ("old", "new", "again")}
    problems = _problems(typed)
    if not problems:
        known = request.cookies.get(BROWSER_COOKIE, "")
        attempt = confirm_password(actor().user_id, typed["old"], known)
        if attempt.verdict is not Verdict.WELCOME:
            problems["old"] = why(attempt)
    if problems:
        return account_page(password_problems=problems), 422
    _set(typed["new"])
    flash(_("The new password holds. Everywhere else you are signed out."), "done")
    return redirect(url_for("account.account"))


def _problems(typed: dict[str, str]) -> dict[str, str]:
    problems = {name: _("Fill this in.") for name, value in typed.items() if not value}
    if problems:
        return problems
    if not MIN_PASSWORD_LENGTH <= len(typed["new"]) <= MAX_PASSWORD:
        return {"new": _("At least %(n)s characters.", n=MIN_PASSWORD_LENGTH)}
    if typed["new"] != typed["again"]:
        return {"again": _("These are not the same.")}
    if typed["new"] == typed["old"]:
        return {"new": _("This is the old one.")}
    return {}


def _set(password: str) -> None:
    """Keeps the password; this browser goes on with a session of its own, no other does."""
    me, at = actor(), now()
    with writing() as db:
        row = db.get_one(User, me.user_id)
        accounts.set_password(row, password)
        sessions.end_all(db, me.user_id, at)
        audit.append(db, me, action="user.password", subject=f"user:{me.user_id}", at=at)
        key = sessions.open_browser(db, me.user_id, device_name(request.user_agent.string), at)
    session.clear()
    session[SESSION_KEY] = key
    session.permanent = True
