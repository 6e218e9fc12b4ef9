"""What the fields of a form are called on its page, found from the fields alone.

A kept form (`kept.py`) knows what was typed into which field, not which page it came from.  The
labels stand in the templates, beside the names; the page that names most of the fields is taken
for the one that was filled in.  A few pages keep their labels in the program: `NAMED`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from flask import Flask
from flask_babel import gettext as _
from jinja2 import Environment, nodes

from droneteam.web.spec_form import field_names as mission_fields
from droneteam.web.views.requests import field_names as request_fields
from droneteam.web.views.whatif import field_names as whatif_fields

NAMED: tuple[Callable[[], Mapping[str, str]], ...] = (request_fields, mission_fields, whatif_fields)
_LABEL = re.compile(r'<label for="([\w-]+)">\{\{ _\("([^"]+)"\) \}\}')
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)"')
_ID = re.compile(r'<(?:input|textarea|select)[^>]* id="([\w-]+)"[^>]* name="(\w+)"')


@dataclass(frozen=True, slots=True)
class Page:
    """A template's fields; labels, choices : in English, by the field and by the choice's code."""

    labels: Mapping[str, str]
    choices: Mapping[str, Mapping[str, str]]
    hidden: frozenset[str]


def labelled(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The fields that hold something, as their page labels them; not what it sends unseen."""
    typed = [(name, value) for name, value in fields if value]
    names = {name for name, _value in typed}
    words, choices, hidden = _of_page(names)
    return [
        (words.get(name, name), choices.get(name, {}).get(value, value))
        for name, value in typed
        if name in words or name not in hidden
    ]


def _of_page(names: set[str]) -> tuple[dict[str, str], dict[str, dict[str, str]], set[str]]:
    """Labels and choices in the visitor's language, and what is sent unseen.

    Of the pages that know the names, the one that knows most of them has the last word.
    """
    pages = _pages()
    ranked = sorted(pages, key=lambda page: len(names & page.labels.keys()))
    words = {name: _(text) for page in ranked for name, text in page.labels.items()}
    best = ranked[-1]
    for table in (one() for one in NAMED):
        knows_more = len(names & table.keys()) > len(names & best.labels.keys())
        words = {**words, **table} if knows_more else {**table, **words}
    choices = {
        name: {code: _(text) for code, text in known.items()}
        for name, known in best.choices.items()
    }
    return words, choices, set().union(*(page.hidden for page in pages))


@lru_cache(maxsize=1)
def _pages() -> tuple[Page, ...]:
    """Every template's, read once."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    folder = resources.files("droneteam.web") / "templates"
    sources = sorted(one.name for one in folder.iterdir() if one.name.endswith(".html"))
    return tuple(_page(environment, (folder / name).read_text("utf-8")) for name in sources)


def _page(environment: Environment, source: str) -> Page:
    labels: dict[str, str] = {}
    choices: dict[str, dict[str, str]] = {}
    for call in environment.parse(source).find_all(nodes.Call):
        for name, text in _labels_in(call):
            labels[name] = text
            choices[name] = dict(_choices_in(call))
    named = dict(_ID.findall(source))
    for identifier, text in _LABEL.findall(source):
        labels.setdefault(named.get(identifier, identifier), text)
    return Page(labels, choices, frozenset(_HIDDEN.findall(source)))


def _labels_in(call: nodes.Call) -> Iterator[tuple[str, str]]:
    """A field's name and the text that follows it: `field("name", _("Name"), …)`."""
    for name, label in zip(call.args, call.args[1:], strict=False):
        text = _text(label)
        if text is not None and isinstance(name, nodes.Const):
            yield str(name.value), text


def _choices_in(call: nodes.Call) -> Iterator[tuple[str, str]]:
    """Codes and the texts of a choice: `[("nl", _("Dutch")), …]`."""
    for pair in call.find_all(nodes.Tuple):
        if len(pair.items) == 2 and isinstance(pair.items[0], nodes.Const):
            text = _text(pair.items[1])
            if text is not None:
                yield str(pair.items[0].value), text


def _text(node: nodes.Node) -> str | None:
    """The text that is translated there: `_("…")`."""
    match node:
        case nodes.Call(node=nodes.Name(name="_"), args=[nodes.Const(value=str(text))]):
            return text
    return None


def init_form_labels(app: Flask) -> None:
    """The template filter."""
    app.jinja_env.filters["labelled"] = labelled
