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
from flask import Flask, request
from flask_babel import Babel, get_locale

from droneteam.accounts import LANGUAGES
from droneteam.fleet.explanations import explain
from droneteam.fleet.terms import Reason
from droneteam.web.context import context, signed_in
from droneteam.web.typography import colon, one_stop, size_text, typeset

DOMAIN = "messages"
FOLDER = Path(__file__).parent / "translations"
LANGUAGE_COOKIE = "language"
LANGUAGE_NAMES = {"fr": "Français", "nl": "Nederlands", "en": "English"}


def language() -> str:
    """The language of this answer: fr, nl or en."""
    locale = get_locale()
    return locale.language if locale is not None else "en"


def sentences(reasons: Iterable[Reason]) -> list[str]:
    """The fleet's reasons in the visitor's language."""
    code = language()
    return [typeset(explain.sentence(reason, code), code) for reason in reasons]


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
    with app.app_context():
        cache = babel.domain_instance.cache
        for code in LANGUAGES:
            path = FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po"
            cache[code, DOMAIN] = compiled(path) if path.exists() else Translations()
