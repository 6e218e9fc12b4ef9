"""Administration: who may sign in, with which roles, and who is which pilot."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from droneteam import accounts, people
from droneteam.accounts import LANGUAGES, MIN_PASSWORD_LENGTH, ROLES, NewUser
from droneteam.errors import Conflict, InputError
from droneteam.fleet import service as fleet
from droneteam.web.access import allow, recently_proven
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.i18n import LANGUAGE_NAMES
from droneteam.web.refusals import said

bp = Blueprint("people", __name__, url_prefix="/people")

ADMINISTRATORS = ("administrator",)


@bp.get("/")
@allow(*ADMINISTRATORS)
def index() -> str:
    """Everyone who can sign in, and the form for somebody new."""
    return _index({}, {})


@bp.post("/")
@allow(*ADMINISTRATORS)
def add() -> Any:
    """Added, or the form again with what is wrong."""
    form = FormReader(request.form)
    login = form.text("login", required=True, max_length=120)
    name = form.text("display_name", required=True, max_length=120)
    organisation = form.text("organisation", required=True, max_length=20)
    language = form.choice("language", LANGUAGES, fallback="fr")
    roles = _roles(form)
    password = request.form.get("password", "")
    if len(password) < MIN_PASSWORD_LENGTH:
        form.fail("password", _("At least %(n)s characters.", n=MIN_PASSWORD_LENGTH))
    if form.problems:
        return _index(request.form, form.problems), 422
    try:
        with writing() as session:
            new = NewUser(login, name, organisation, roles, password, language)
            made = people.add_person(session, actor(), new, now())
    except (InputError, Conflict) as error:
        return _index(request.form, {"login": said(error)}), 422
    flash(_("%(login)s may sign in.", login=made.login), "done")
    return redirect(url_for("people.index"))


@bp.get("/<id:user_id>")
@allow(*ADMINISTRATORS)
def show(user_id: int) -> str:
    """One person."""
    return _page(user_id, {})


@bp.post("/<id:user_id>/roles")
@allow(*ADMINISTRATORS)
@recently_proven
def roles(user_id: int) -> Any:
    """The person's roles, replaced."""
    form = FormReader(request.form)
    wanted = _roles(form)
    if form.problems:
        return _page(user_id, form.problems), 422
    with writing() as session:
        people.set_roles(session, actor(), user_id, wanted, now())
    return _back(user_id, _("Saved."))


@bp.post("/<id:user_id>/password")
@allow(*ADMINISTRATORS)
@recently_proven
def password(user_id: int) -> Any:
    """A new password; open sessions end."""
    new = request.form.get("password", "")
    if len(new) < MIN_PASSWORD_LENGTH:
        problem = _("At least %(n)s characters.", n=MIN_PASSWORD_LENGTH)
        return _page(user_id, {"password": problem}), 422
    with writing() as session:
        people.set_password(session, actor(), user_id, new, now())
    return _back(user_id, _("The password is new; every session of this person has ended."))


@bp.post("/<id:user_id>/active")
@allow(*ADMINISTRATORS)
def active(user_id: int) -> Any:
    """The account, opened or closed with a reason."""
    form = FormReader(request.form)
    reason = form.text("reason", required=True, max_length=500)
    if form.problems:
        return _page(user_id, form.problems), 422
    with writing() as session:
        people.set_active(session, actor(), user_id, form.flag("active"), reason, now())
    return _back(user_id, _("Saved."))


@bp.post("/<id:user_id>/second-factor")
@allow(*ADMINISTRATORS)
@recently_proven
def second_factor(user_id: int) -> Any:
    """Taken away, for a lost telephone."""
    form = FormReader(request.form)
    reason = form.text("lost", required=True, max_length=500)
    if form.problems:
        return _page(user_id, form.problems), 422
    with writing() as session:
        people.remove_second_factor(session, actor(), user_id, reason, now())
    return _back(user_id, _("Saved."))


@bp.post("/<id:user_id>/pilot")
@allow(*ADMINISTRATORS)
def pilot(user_id: int) -> Any:
    """Which pilot the person is; none with an empty choice."""
    wanted = request.form.get("pilot", "")
    me = actor()
    with writing() as session:
        for one in fleet.list_pilots(session, me):
            if one.user_id == user_id and str(one.id) != wanted:
                fleet.assign_pilot_user(session, me, one.id, None, now())
        if wanted.isdecimal():
            fleet.assign_pilot_user(session, me, int(wanted), user_id, now())
    return _back(user_id, _("Saved."))


def _roles(form: FormReader) -> tuple[str, ...]:
    chosen = tuple(name for name in ROLES if form.flag(f"role_{name}"))
    if not chosen:
        form.fail("roles", _("Choose at least one role."))
    return chosen


def _back(user_id: int, message: str) -> Response:
    flash(message, "done")
    return redirect(url_for("people.show", user_id=user_id))


def _index(values: Any, problems: dict[str, str]) -> str:
    me = actor()
    with reading() as session:
        found = people.list_people(session, me)
        names = {one.code: one.name(str(get_locale())) for one in accounts.organisations(session)}
        pilots = {one.user_id: one.name for one in fleet.list_pilots(session, me)}
    return render_template(
        "people.html",
        people=found,
        organisations=names,
        pilots=pilots,
        roles=ROLES,
        language_choices=[(code, LANGUAGE_NAMES[code]) for code in LANGUAGES],
        values=values,
        problems=problems,
        least=MIN_PASSWORD_LENGTH,
    )


def _page(user_id: int, problems: dict[str, str]) -> str:
    me = actor()
    with reading() as session:
        person = people.get_person(session, me, user_id)
        names = {one.code: one.name(str(get_locale())) for one in accounts.organisations(session)}
        pilots = fleet.list_pilots(session, me)
    held = next((str(one.id) for one in pilots if one.user_id == user_id), "")
    free = [(str(one.id), one.name) for one in pilots if one.user_id in (None, user_id)]
    return render_template(
        "person.html",
        person=person,
        organisation=names.get(person.organisation_code, person.organisation_code),
        pilots=[("", _("no pilot")), *free],
        pilot=held,
        roles=ROLES,
        problems=problems,
        least=MIN_PASSWORD_LENGTH,
    )
