"""Administration for programs: people, organisations, and how the installation does."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf

from droneteam import accounts, people
from droneteam.accounts import (
    LANGUAGES,
    MIN_PASSWORD_LENGTH,
    ROLES,
    NewUser,
    OrganisationKind,
    OrganisationView,
)
from droneteam.people import MAX_CODE, MAX_NAME, Person
from droneteam.web.access import allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.views.operations import Health, look
from droneteam.web.views.people import ADMINISTRATORS

bp = APIBlueprint("api_administration", __name__, url_prefix="/api/v1", tag="administration")


class NewPerson(Schema):
    """Somebody who may sign in from now on."""

    login = fields.String(required=True, validate=Length(1, 120))
    display_name = fields.String(required=True, validate=Length(1, 120))
    organisation_code = fields.String(required=True, validate=Length(1, MAX_CODE))
    roles = fields.List(fields.String(validate=OneOf(ROLES)), required=True, validate=Length(1))
    password = fields.String(required=True, validate=Length(MIN_PASSWORD_LENGTH, 200))
    language = fields.String(load_default="fr", validate=OneOf(LANGUAGES))


class RolesIn(Schema):
    """All the roles that the person holds from now on."""

    roles = fields.List(fields.String(validate=OneOf(ROLES)), required=True, validate=Length(1))


class ActiveIn(Schema):
    """Whether the person may sign in, and why that changes."""

    active = fields.Boolean(required=True)
    reason = fields.String(required=True, validate=Length(1, 500))


class NamesIn(Schema):
    """An organisation's names."""

    name_fr = fields.String(required=True, validate=Length(1, MAX_NAME))
    name_nl = fields.String(required=True, validate=Length(1, MAX_NAME))
    name_en = fields.String(required=True, validate=Length(1, MAX_NAME))


class OrganisationIn(NamesIn):
    """A new organisation; its code never changes."""

    code = fields.String(required=True, validate=Length(1, MAX_CODE))
    kind = fields.Enum(OrganisationKind, by_value=True, required=True)


@bp.get("/people")
@allow(*ADMINISTRATORS)
@bp.output(page_of(Person))
@bp.doc(summary="Who may sign in")
def list_people() -> Any:
    """By login; no secrets."""
    with reading() as session:
        return {"items": people.list_people(session, actor())}


@bp.post("/people")
@allow(*ADMINISTRATORS)
@bp.input(NewPerson, arg_name="body")
@bp.output(schema_of(Person), status_code=201)
@bp.doc(summary="Add a person")
def add_person(body: dict[str, Any]) -> Any:
    """409 for a login that is taken."""
    new = NewUser(**{**body, "roles": tuple(body["roles"])})
    with writing() as session:
        return people.add_person(session, actor(), new, now())


@bp.put("/people/<id:user_id>/roles")
@allow(*ADMINISTRATORS)
@bp.input(RolesIn, arg_name="body")
@bp.output(schema_of(Person))
@bp.doc(summary="Give a person exactly these roles")
def set_roles(user_id: int, body: dict[str, Any]) -> Any:
    """409 where nobody would administrate any more."""
    with writing() as session:
        return people.set_roles(session, actor(), user_id, tuple(body["roles"]), now())


@bp.put("/people/<id:user_id>/active")
@allow(*ADMINISTRATORS)
@bp.input(ActiveIn, arg_name="body")
@bp.output(schema_of(Person))
@bp.doc(summary="Let a person sign in, or no longer")
def set_active(user_id: int, body: dict[str, Any]) -> Any:
    """Open sessions end at once."""
    with writing() as session:
        active, reason = body["active"], body["reason"]
        return people.set_active(session, actor(), user_id, active, reason, now())


@bp.get("/organisations")
@allow(*ADMINISTRATORS)
@bp.output(page_of(OrganisationView))
@bp.doc(summary="Zones, units and centres")
def list_organisations() -> Any:
    """By code."""
    with reading() as session:
        return {"items": accounts.organisations(session)}


@bp.post("/organisations")
@allow(*ADMINISTRATORS)
@bp.input(OrganisationIn, arg_name="body")
@bp.output(schema_of(OrganisationView), status_code=201)
@bp.doc(summary="Add an organisation")
def add_organisation(body: dict[str, Any]) -> Any:
    """409 for a code that is taken."""
    names = (body["name_fr"], body["name_nl"], body["name_en"])
    with writing() as session:
        return people.add_organisation(session, actor(), body["code"], body["kind"], names, now())


@bp.put("/organisations/<code>/names")
@allow(*ADMINISTRATORS)
@bp.input(NamesIn, arg_name="body")
@bp.output(schema_of(OrganisationView))
@bp.doc(summary="Rename an organisation")
def rename_organisation(code: str, body: dict[str, Any]) -> Any:
    """Its code and all it did stay."""
    names = (body["name_fr"], body["name_nl"], body["name_en"])
    with writing() as session:
        return people.rename_organisation(session, actor(), code, names, now())


@bp.get("/operations")
@allow("administrator", "auditor")
@bp.output(schema_of(Health))
@bp.doc(summary="How the installation does")
def operations() -> Any:
    """Database, disk, backups, jobs and receivers."""
    return look()
