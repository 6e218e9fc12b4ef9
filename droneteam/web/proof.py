"""Proof that it is still the same person, before a way to sign in is added, changed or taken away.

A browser that was left open is enough to read and to work; it must not be enough to make a key or
a token that outlasts the session.  A view marked `access.recently_proven` runs when the sign-in is
ten minutes old at most.  Otherwise its form comes back as a page that asks for the password with
the code, for a key, or for the directory, and holds what was typed; that page sends the form
again, to the same address, together with the proof.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from flask import jsonify, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext

from droneteam import audit, sessions
from droneteam.accounts import User
from droneteam.web import keyring
from droneteam.web.context import actor, now, own_secret, reading, writing
from droneteam.web.kept import KeptForm, own_path
from droneteam.web.signin import Attempt, Verdict, confirm_person
from droneteam.web.views.account import BROWSER_COOKIE, MAX_ANSWER, passkey_data, why

PROOF_LIFETIME = timedelta(minutes=10)
"""As long as an errand among one's own keys takes."""
_PREFIX = "proof_"
_NOT_TYPED = "csrf_token"


def missing_proof() -> Any:
    """None when the view may run, otherwise the answer in its place."""
    if is_recent():
        return None
    if request.accept_mimetypes.best == "application/json":
        return jsonify(detail=_("Say once more who you are.")), 401
    problem = ""
    if any(name.startswith(_PREFIX) and value for name, value in request.form.items()):
        attempt = _attempt()
        if attempt.verdict is Verdict.WELCOME:
            note_proof("key" if request.form.get("proof_answer") else "password")
            return None
        problem = _why(attempt)
    return _page(problem), 401


def is_recent() -> bool:
    """Whether whoever asks has said within the last minutes who they are."""
    with reading() as session:
        bearer = sessions.bearer_of(session, own_secret(), now())
    return bearer is not None and now() - bearer.proven_at <= PROOF_LIFETIME


def note_proof(way: str) -> None:
    """From now on the session counts as freshly opened; way : password, key or directory."""
    with writing() as session:
        bearer = sessions.bearer_of(session, own_secret(), now())
        if bearer is None:
            return  # it ended meanwhile: the next request is answered with the sign-in page
        sessions.note_proof(session, bearer.session_id, now())
        facts = {"session": bearer.session_id, "way": way}
        subject = f"user:{bearer.actor.user_id}"
        audit.append(
            session, bearer.actor, action="signin.proven", subject=subject, facts=facts, at=now()
        )


def _attempt() -> Attempt:
    """What comes of the password and code, or of the key's answer, that the form brings."""
    me, form = actor(), request.form
    if not form.get("proof_answer"):
        password, code = form.get("proof_password", "")[:1_000], form.get("proof_code", "")[:20]
        return confirm_person(me.user_id, password, code, request.cookies.get(BROWSER_COOKIE, ""))
    try:
        answer = json.loads(form["proof_answer"][:MAX_ANSWER])
        attempt = keyring.try_key("second", form.get("proof_ticket", "")[:2_000], answer)
    except (ValueError, RecursionError):  # InputError is one: the question is too old, or used
        return Attempt(Verdict.WRONG)
    if attempt.actor is not None and attempt.actor.user_id != me.user_id:
        return Attempt(Verdict.WRONG)
    return attempt


def _why(attempt: Attempt) -> str:
    if attempt.verdict is Verdict.LOCKED:
        return why(attempt)
    if attempt.verdict is Verdict.KEY_NEEDED:
        return str(_("The password was right. Confirm with your passkey or security key."))
    if request.form.get("proof_answer"):
        return str(_("The key was not accepted. Try again."))
    wrong: str = ngettext(
        "The password or the code is wrong. %(num)s try is left before a pause of 15 minutes.",
        "The password or the code is wrong. %(num)s tries are left before a pause of 15 minutes.",
        attempt.tries_left,
    )
    return wrong


def _page(problem: str) -> str:
    """The page that asks, with what was typed on the one before."""
    with reading() as session:
        row = session.get_one(User, actor().user_id)
        has_code, has_keys = row.second_factor is not None, bool(row.passkeys)
        # As at the door: with a key and no code, the password alone opens nothing.
        by_password = row.password_hash is not None and (has_code or not has_keys)
        question = keyring.ask_after_password(session, row.id) if has_keys else None
    asked = None if question is None else {"options": question.options, "ticket": question.ticket}
    return render_template(
        "proof.html",
        kept=KeptForm(own_path(request.full_path.rstrip("?")), _typed()),
        by_password=by_password,
        has_code=has_code,
        has_keys=has_keys,
        problem=problem,
        minutes=round(PROOF_LIFETIME.total_seconds() / 60),
        island_data=passkey_data(asked),
    )


def _typed() -> tuple[tuple[str, str], ...]:
    """The form as it was sent, a new password in it too: it goes back to whoever typed it."""
    return tuple(
        (name, value)
        for name, values in request.form.lists()
        for value in values
        if name != _NOT_TYPED and not name.startswith(_PREFIX)
    )
