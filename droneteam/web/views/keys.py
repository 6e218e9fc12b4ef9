"""The account's passkeys and security keys: add, name, remove."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from droneteam.errors import Conflict, InputError
from droneteam.web import keyring
from droneteam.web.access import recently_proven, signed_in_only
from droneteam.web.context import actor, reading, writing
from droneteam.web.keyring import MAX_NAME
from droneteam.web.refusals import said
from droneteam.web.views.account import MAX_ANSWER

bp = Blueprint("keys", __name__, url_prefix="/account/passkeys")


@bp.post("/options")
@signed_in_only
@recently_proven
def ask() -> Response:
    """What the browser asks the authenticator that is to make a key."""
    with reading() as session:
        question = keyring.ask_for_new(session, actor())
    return jsonify(options=question.options, ticket=question.ticket)


@bp.post("/")
@signed_in_only
@recently_proven
def add() -> BaseResponse:
    """A new key, in force from the next sign-in."""
    form = request.form
    if not form.get("answer"):  # the browser could not ask the key before this confirmation
        flash(_("Confirmed. Now add the key."), "done")
        return redirect(url_for("account.account", key=form.get("name", "")[:MAX_NAME]) + "#keys")
    try:
        answer: Any = json.loads(form.get("answer", "")[:MAX_ANSWER])
        with writing() as session:
            keyring.add_key(
                session, actor(), form.get("name", ""), form.get("ticket", "")[:2_000], answer
            )
    except (InputError, Conflict) as error:
        flash(said(error), "wrong")
        return _back()
    except (ValueError, RecursionError):
        flash(_("The browser sent no key. Try again."), "wrong")
        return _back()
    flash(_("From now on signing in takes this key, or one of the others."), "done")
    return _back()


@bp.post("/<id:key_id>/name")
@signed_in_only
def rename(key_id: int) -> BaseResponse:
    """The key under another name."""
    try:
        with writing() as session:
            keyring.rename_key(session, actor(), key_id, request.form.get("name", ""))
    except InputError as error:
        flash(said(error), "wrong")
        return _back()
    flash(_("Saved."), "done")
    return _back()


@bp.post("/<id:key_id>/remove")
@signed_in_only
@recently_proven
def remove(key_id: int) -> BaseResponse:
    """The key is no longer accepted."""
    with writing() as session:
        keyring.remove_key(session, actor(), key_id)
    flash(_("The key is no longer accepted."), "done")
    return _back()


def _back() -> BaseResponse:
    return redirect(url_for("account.account") + "#keys")
