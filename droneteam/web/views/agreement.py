"""The agreement's versions, the zones' shares of the year, and hours lent."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import BadRequest

from droneteam import accounts
from droneteam.accounts import ROLES
from droneteam.errors import Conflict, InputError
from droneteam.fleet import service
from droneteam.web.access import allow
from droneteam.web.agreement_words import readable
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.i18n import language
from droneteam.web.refusals import said
from droneteam.web.strict import strict_json

bp = Blueprint("agreement", __name__, url_prefix="/agreement")

WRITERS = ("manager", "administrator")
LENDERS = ("requester", "manager")


@bp.get("/")
@allow(*ROLES)
def show() -> str:
    """The versions, the newest first, and the shares that the actor may see."""
    return _page("", {})


def _unread(error: BadRequest) -> str:
    """Where a typed document stops being JSON, or what else of it cannot be taken."""
    cause = error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        line, column = cause.lineno, cause.colno
        told = _(
            "This is no JSON from line %(line)s, column %(column)s on.", line=line, column=column
        )
    else:
        told = _("This is no JSON: %(error)s", error=error.description or "")
    return str(told)


def _page(typed: str, problems: dict[str, str]) -> str:
    me, at = actor(), now()
    with reading() as session:
        versions = service.list_versions(session)
        shares = service.list_shares(session, me, at)
        organisations = accounts.organisations(session)
        number, _document = service.current_document(session, at)
    names = {row.code: row.name(language()) for row in organisations}
    return render_template(
        "agreement.html",
        versions=versions,
        current=number,
        shares=shares,
        organisations=[(str(row.id), row.name(language())) for row in organisations],
        read={row.number: readable(row.document, names) for row in versions},
        own_id=me.organisation_id,
        may_write=me.has_role(*WRITERS),
        may_lend=me.has_role(*LENDERS),
        may_choose=me.has_role("manager"),
        document=typed or json.dumps(versions[0].document, indent=1, ensure_ascii=False),
        problems=problems,
    )


@bp.post("/versions")
@allow(*WRITERS)
def add() -> Any:
    """A new version from the given time, or an edit of one that nobody used yet."""
    form = FormReader(request.form)
    typed = form.raw("document")
    try:
        document = strict_json(typed.encode())
    except BadRequest as error:
        return _page(typed, {"document": _unread(error)}), 422
    if not isinstance(document, dict):
        return _page(typed, {"document": _("This is no agreement.")}), 422
    edited = int(form.number("number", 1, 10_000, fallback=0))
    dated = bool(form.raw("effective_from")) or not edited
    from_at = form.time("effective_from", fallback=now()) if dated else now()
    if form.problems:
        return _page(typed, form.problems), 422
    try:
        with writing() as session:
            if edited:
                service.edit_version(session, actor(), edited, document, now())
            else:
                edited = service.add_version(session, actor(), document, from_at, now())
    except InputError as error:
        return _page(typed, {"document": said(error)}), 422
    except Conflict as error:
        return _page(typed, {"number": said(error)}), 409
    flash(_("Version %(number)s is stored.", number=edited), "done")
    return redirect(url_for("agreement.show"))


@bp.post("/loans")
@allow(*LENDERS)
def lend() -> Any:
    """Hours of one zone's surplus for another."""
    me, form = actor(), FormReader(request.form)
    own = me.organisation_id
    lender = int(form.number("lender_id", 1, 2**31 - 1, fallback=own))
    borrower = int(form.number("borrower_id", 1, 2**31 - 1))
    hours = form.number("hours", 0.0, 10_000.0)
    reason = form.text("reason", max_length=500)
    if form.problems:
        field, problem = next(iter(form.problems.items()))
        raise InputError(f"{field}: {problem}", field=field)
    with writing() as session:
        service.lend_minutes(session, me, lender, borrower, round(60 * hours), reason, now())
    flash(_("Lent. It counts for a year."), "done")
    return redirect(url_for("agreement.show"))
