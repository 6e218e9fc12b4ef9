"""Administration: the zones, units and centres that people belong to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam import accounts, people
from droneteam.accounts import OrganisationKind
from droneteam.errors import Conflict, InputError
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.refusals import said
from droneteam.web.views.people import ADMINISTRATORS

bp = Blueprint("organisations", __name__, url_prefix="/organisations")


@bp.get("/")
@allow(*ADMINISTRATORS)
def index() -> str:
    """Every organisation with its names, and the form for a new one."""
    return _page({}, {})


@bp.post("/")
@allow(*ADMINISTRATORS)
def add() -> Any:
    """Added, or the form again with what is wrong."""
    form = request.form
    kind = form.get("kind", "")
    if kind not in {one.value for one in OrganisationKind}:
        return _page(form, {"kind": _("Choose one.")}), 422
    try:
        with writing() as session:
            made = people.add_organisation(
                session, actor(), form.get("code", ""), OrganisationKind(kind), _typed(), now()
            )
    except (Conflict, InputError) as error:
        return _page(form, {getattr(error, "field", None) or "code": said(error)}), 422
    flash(_("%(code)s is added; now people can belong to it.", code=made.code), "done")
    return redirect(url_for("organisations.index"))


@bp.post("/<code>/names")
@allow(*ADMINISTRATORS)
def rename(code: str) -> Any:
    """With other names; its code and all it did stay."""
    with writing() as session:
        people.rename_organisation(session, actor(), code, _typed(), now())
    flash(_("Saved."), "done")
    return redirect(url_for("organisations.index"))


def _typed() -> tuple[str, str, str]:
    form = request.form
    return form.get("name_fr", ""), form.get("name_nl", ""), form.get("name_en", "")


def _page(values: Any, problems: dict[str, str]) -> str:
    with reading() as session:
        rows = accounts.organisations(session)
    return render_template(
        "organisations.html",
        rows=rows,
        values=values,
        problems=problems,
        kinds=[one.value for one in OrganisationKind],
    )
