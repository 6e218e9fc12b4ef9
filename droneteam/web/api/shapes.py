"""Answer schemas made from the dataclasses that services hand over.

The API answers with the services' own views.  Deriving the schemas keeps the description equal
to what is sent: a field that a service adds is documented the same day.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from apiflask import Schema, fields
from marshmallow.fields import Field


class Number(fields.Float):
    """A number; JSON has none that is not finite, so those are null."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if value is None or not math.isfinite(value):
            return None
        return float(value)


class Text(fields.String):
    """A text; an enum's value."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else str(getattr(value, "value", value))


def schema_of(view: type[Any]) -> type[Schema]:
    """The schema of a dataclass as a whole answer."""
    return _schema(view, f"{view.__name__}Out")


_made: dict[tuple[type[Any], str], type[Schema]] = {}


def _schema(view: type[Any], name: str) -> type[Schema]:
    """The schema under a name of its own, one class per dataclass and name.

    APIFlask registers an answer's schema a second time when a nested one was met before, so
    whole answers and parts of answers are classes of different names.
    """
    if (view, name) not in _made:
        _made[view, name] = _new_schema(view, name)
    return _made[view, name]


def _new_schema(view: type[Any], name: str) -> type[Schema]:
    hints = typing.get_type_hints(view)
    attributes: dict[str, Any] = {
        item.name: field_of(hints[item.name])
        for item in dataclasses.fields(view)
        if not _names_a_path(hints[item.name])
    }
    attributes["__doc__"] = view.__doc__
    return type(name, (Schema,), attributes)


def _names_a_path(hint: Any) -> bool:
    """Whether the type holds paths: where files lie on the server is nobody else's business."""
    return hint is Path or any(_names_a_path(argument) for argument in get_args(hint))


def field_of(hint: Any) -> Field[Any]:
    """The field for a type.

    Raises
    ------
    TypeError
        The type is none that the API sends.
    """
    made, nullable = _field(hint)
    made.allow_none = nullable
    made.required = True
    return made


def _field(hint: Any) -> tuple[Field[Any], bool]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _optional(arguments)
    if origin is Literal:
        return Text(metadata={"enum": list(arguments)}), False
    if origin in {tuple, list, frozenset}:
        return _sequence(arguments), False
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return fields.Dict(keys=fields.String()), False
    if hint is Any or hint is object:
        return fields.Raw(), True
    return _plain(hint)


def _optional(arguments: tuple[Any, ...]) -> tuple[Field[Any], bool]:
    inner = [argument for argument in arguments if argument is not type(None)]
    if len(inner) == 1:
        return _field(inner[0])[0], len(inner) < len(arguments)
    return fields.Raw(), True


def _sequence(arguments: tuple[Any, ...]) -> Field[Any]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return fields.List(field_of(arguments[0]))
    kinds = set(arguments)
    inner = field_of(arguments[0]) if len(kinds) == 1 else fields.Raw()
    return fields.List(inner, metadata={"minItems": len(arguments), "maxItems": len(arguments)})


def _plain(hint: Any) -> tuple[Field[Any], bool]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return fields.Nested(_schema(hint, hint.__name__)), False
    if isinstance(hint, type) and issubclass(hint, enum.IntEnum):
        return fields.Integer(), False
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
        return Text(metadata={"enum": [member.value for member in hint]}), False
    simple: dict[Any, Field[Any]] = {
        bool: fields.Boolean(),
        int: fields.Integer(),
        float: Number(),
        str: fields.String(),
        datetime: fields.DateTime(format="iso"),
        date: fields.Date(),
    }
    if hint not in simple:
        raise TypeError(f"the API has no shape for {hint!r}")
    return simple[hint], hint is float


def page_of(view: type[Any]) -> type[Schema]:
    """The schema of a list of views, in an object so that it can grow."""
    return type(
        f"{view.__name__}List",
        (Schema,),
        {"items": fields.List(fields.Nested(_schema(view, view.__name__)), required=True)},
    )


def pieces_of(view: type[Any]) -> type[Schema]:
    """The schema of a piece of a list of views, which says where the next one begins."""
    about = {"description": "There is more: ask again with this `before_id`."}
    return type(
        f"{view.__name__}Piece",
        (Schema,),
        {
            "items": fields.List(fields.Nested(_schema(view, view.__name__)), required=True),
            "next_before_id": fields.Integer(metadata=about),
        },
    )
