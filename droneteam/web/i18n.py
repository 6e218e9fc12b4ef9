"""French, Dutch and English: choosing the language, and the catalogues compiled at start.

English is the source language of every text.  The .po files are read and compiled in memory
when the application starts, so that no compiled file can be older than its source.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from flask import Flask, current_app, request
from flask_babel import Babel, Domain, get_domain, get_locale
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from droneteam.accounts import LANGUAGES
from droneteam.fleet.explanations import explain
from droneteam.fleet.terms import Reason
from droneteam.web.context import context, signed_in
from droneteam.web.typography import colon, one_stop, size_text, typeset

DOMAIN = "messages"
FOLDER = Path(__file__).parent / "translations"
LANGUAGE_COOKIE = "language"
_SPOKEN = "droneteam.languages"
LANGUAGE_NAMES = {"fr": "Français", "nl": "Nederlands", "en": "English"}


def language() -> str:
    """The language of this answer: fr, nl or en."""
    locale = get_locale()
    return locale.language if locale is not None else "en"


def sentences(reasons: Iterable[Reason]) -> list[str]:
    """The fleet's reasons in the visitor's language."""
    code = language()
    return [typeset(explain.sentence(reason, code), code) for reason in reasons]


class OneLanguage(Domain):  # type: ignore[misc]  # it comes without types
    """The texts of one language.

    The application's own domain finds out the language anew for each of a page's thousand texts,
    which took a third of what the page took.
    """

    def __init__(self, catalogue: Translations) -> None:
        super().__init__(domain=DOMAIN)
        self._catalogue = catalogue

    def get_translations(self) -> Translations:
        """The language's catalogue."""
        return self._catalogue


def choose_language() -> str:
    """The visitor's choice, else the account's language, else the browser's, else French.

    A program asks for a language with each request; only where it does not, its account's counts.
    """
    if request.path.startswith("/api/"):
        asked = request.accept_languages.best_match(LANGUAGES)
        if asked is not None:
            return asked
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    actor = signed_in()
    if actor is not None and actor.language in LANGUAGES:
        return actor.language
    return request.accept_languages.best_match(LANGUAGES) or "fr"


def compiled(po_path: Path) -> Translations:
    """The catalogue of one .po file; fuzzy entries are left out, as msgfmt does."""
    return _compiled(po_path, po_path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _compiled(po_path: Path, _stamp_ns: int) -> Translations:
    with po_path.open("rb") as file:
        catalogue = read_po(file, locale=po_path.parts[-3], domain=DOMAIN)
    for entry in catalogue:
        if entry.id and entry.string:
            entry.string = _set(entry.string, po_path.parts[-3])
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    buffer.seek(0)
    return Translations(buffer, domain=DOMAIN)


def _set(text: str | Sequence[str], code: str) -> str | tuple[str, ...]:
    """A translation, or its singular and plural, as the language sets a line."""
    if isinstance(text, str):
        return typeset(text, code)
    return tuple(typeset(one, code) for one in text)


def init_i18n(app: Flask) -> None:
    """Texts, dates and numbers of the application in the visitor's language."""
    babel = Babel(
        app,
        default_locale="en",
        default_domain=DOMAIN,
        locale_selector=choose_language,
        timezone_selector=lambda: context().settings.time_zone,
    )
    app.jinja_env.globals["colon"] = lambda: colon(language())
    app.jinja_env.filters["one_stop"] = one_stop
    app.jinja_env.filters["filesizeformat"] = lambda size: size_text(size, language())
    _install_texts(app.jinja_env)
    spoken = {}
    with app.app_context():
        cache = babel.domain_instance.cache
        for code in LANGUAGES:
            path = FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po"
            cache[code, DOMAIN] = compiled(path) if path.exists() else Translations()
            spoken[code] = OneLanguage(cache[code, DOMAIN])
    app.extensions[_SPOKEN] = spoken


def settle_language() -> None:
    """From here on this request is answered in one language: call it once who asks is known."""
    current_app.extensions[_SPOKEN][language()].as_default()


def _install_texts(environment: Environment) -> None:
    """The templates' `_`, `gettext` and `ngettext`, as Jinja's new style has them, but quicker.

    Jinja's own go through five calls for each text and mark it as safe each time anew.
    """
    environment.globals |= {"_": _gettext, "gettext": _gettext, "ngettext": _ngettext}


@pass_context
def _gettext(context: Context, text: str, /, **facts: object) -> str:
    """The text, with the facts that it names filled in."""
    said = get_domain().get_translations().ugettext(text)
    return _filled(context, said, facts)


@pass_context
def _ngettext(context: Context, one: str, many: str, count: int, /, **facts: object) -> str:
    """The text for that count, which it may name as `num`."""
    said = get_domain().get_translations().ungettext(one, many, count)
    return _filled(context, said, {"num": count, **facts})


def _filled(context: Context, said: str, facts: dict[str, object]) -> str:
    """The text with its facts: safe as it stands in the catalogue, while facts are escaped."""
    safe = _safe(said) if context.eval_ctx.autoescape else said
    return safe % facts if facts or "%" in said else safe


@lru_cache(maxsize=8192)
def _safe(said: str) -> Markup:
    return Markup(said)
