"""How French and Dutch set a line of text: spaces that do not break, curled apostrophes (pure).

French puts a space before ``: ; ? ! »`` and after ``«`` that never begins a line (Lexique des
règles typographiques en usage à l'Imprimerie nationale); a number stays beside its unit in every
language.  Texts are typed with plain spaces; those of a
catalogue are set once, when it is read, those of the books of sentences when they are said.
"""

from __future__ import annotations

import re

NO_BREAK = "\u00a0"
_BEFORE = re.compile(r" (?=[:;?!»](?:\s|$|[)\]»”.,…]))")
_AFTER = re.compile(r"(?<=«) ")
_UNIT = (
    r"(?:%%?|°C?|m²|m³|m/s|mm/h|mm/u|mm|cm|km|m|ha|s|min|h|u|d|j|ms|kB|MB|GB|ko|Mo|Go|Hz|px|dBm|V|bytes|octets)"
    r"(?![\w²³/])"
)
_NUMBER = re.compile(rf"(?<=[\d}}]) (?={_UNIT})|(?<=\)[sd]) (?={_UNIT})")
"""A figure, or the placeholder of one, and its unit."""
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])'(?=[\w«%{<])")
"""One that elides a letter; quotes around a name or a path are none."""
_BYTES = {"fr": "o", "nl": "B", "en": "B"}
_STEPS = ("", "k", "M", "G", "T", "P")


def typeset(text: str, language: str) -> str:
    """The text as the language sets it; English keeps its spaces but for those before units."""
    text = _NUMBER.sub(NO_BREAK, text)
    if language != "fr":
        return text
    text = _AFTER.sub(NO_BREAK, _BEFORE.sub(NO_BREAK, text))
    return _APOSTROPHE.sub("’", text)


def one_stop(text: str) -> str:
    """A sentence that ends with an abbreviation (janv.), with one full stop."""
    return text[:-1] if text.endswith("..") and not text.endswith("...") else text


def colon(language: str) -> str:
    """A colon after a word that a template writes, with the space that French puts before it."""
    return f"{NO_BREAK}:" if language == "fr" else ":"


def size_text(size_bytes: float, language: str) -> str:
    """A file's size in powers of 1,000: 12 kB and 1.5 MB, in French 12 ko and 1,5 Mo."""
    value, step = float(size_bytes), 0
    while value >= 999.95 and step < len(_STEPS) - 1:
        value, step = value / 1000.0, step + 1
    digits = 0 if step == 0 or value >= 99.95 else 1
    text = f"{value:.{digits}f}"
    if language != "en":
        text = text.replace(".", ",")
    return f"{text}{NO_BREAK}{_STEPS[step]}{_BYTES[language]}"
