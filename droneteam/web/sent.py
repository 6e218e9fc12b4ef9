"""A form that came back: what was typed and what is wrong with it, on a page of several forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import request
from sqlalchemy.orm import Session

from droneteam.errors import Conflict, InputError
from droneteam.web.context import writing
from droneteam.web.forms import FormReader
from droneteam.web.refusals import Said, refusal, said


@dataclass(frozen=True, slots=True)
class Sent:
    """The form of a page that was sent and not accepted; `NOTHING` where none was.

    problems : by field; general : one that belongs to no field
    """

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    general: Said | None = None
    status: int = 422


NOTHING = Sent()


def attempt(
    name: str, form: FormReader, change: Callable[[Session], object], fields: tuple[str, ...]
) -> Sent | None:
    """None when the change was kept; else the form as it goes back to the page.

    fields : those that the form shows, so that a problem stands beside its field
    """
    typed = dict(request.form)
    if form.problems:
        return Sent(name, typed, dict(form.problems))
    try:
        with writing() as session:
            change(session)
    except InputError as error:
        if error.field in fields:
            return Sent(name, typed, {error.field: said(error)})
        return Sent(name, typed, general=refusal(error))
    except Conflict as error:
        return Sent(name, typed, general=refusal(error), status=409)
    return None
