"""Lines of French and Dutch: no sign begins a line, a figure stays beside its unit."""

from __future__ import annotations

import pytest
from babel.messages.pofile import read_po

from droneteam.web.i18n import FOLDER, compiled
from droneteam.web.timefmt import length
from droneteam.web.typography import NO_BREAK, colon, one_stop, size_text, typeset


@pytest.mark.parametrize(
    ("language", "typed", "lines"),
    [
        ("fr", "Vraiment ? Oui : 12 km, « loin » !", "Vraiment~? Oui~: 12~km, «~loin~»~!"),
        ("fr", "l'accord ; 95 % de %(n)s min", "l’accord~; 95~% de %(n)s~min"),
        ("fr", "http://exemple.be:8480/ a:b", "http://exemple.be:8480/ a:b"),
        ("fr", "l'air d'« ici » : 'd/e', 'f g'", "l’air d’«~ici~»~: 'd/e', 'f g'"),
        ("nl", "12 bytes, 11.1 V, 30 ms, 5 Volvo's", "12~bytes, 11.1~V, 30~ms, 5 Volvo's"),
        ("nl", "Echt? Ja: 12 km; 5 u", "Echt? Ja: 12~km; 5~u"),
        ("nl", "deel 5 maart, 3 hamers", "deel 5 maart, 3 hamers"),
        ("en", "Really? 3 m/s, 40 m² and {m} m", "Really? 3~m/s, 40~m² and {m}~m"),
    ],
)
def test_a_line_breaks_only_where_the_language_lets_it(
    language: str, typed: str, lines: str
) -> None:
    assert typeset(typed, language) == lines.replace("~", NO_BREAK)
    assert typeset(typeset(typed, language), language) == typeset(typed, language)


def test_no_sign_of_the_french_catalogue_begins_a_line() -> None:
    path = FOLDER / "fr" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        typed = [one for one in read_po(file, locale="fr") if one.id and isinstance(one.id, str)]
    shown = compiled(path)
    loose = [
        text
        for one in typed
        if any(f" {sign}" in (text := shown.gettext(str(one.id))) for sign in ":;?!»")
    ]
    assert len(typed) > 1_000
    assert [text for text in loose if " :" in text or " ;" in text or " »" in text] == []


@pytest.mark.parametrize(
    ("size", "french", "english"),
    [
        (0, "0 o", "0 B"),
        (999, "999 o", "999 B"),
        (1_500, "1,5 ko", "1.5 kB"),
        (999_960, "1,0 Mo", "1.0 MB"),
        (123_456_789, "123 Mo", "123 MB"),
        (2.4e12, "2,4 To", "2.4 TB"),
    ],
)
def test_a_size_is_written_in_the_languages_units(size: float, french: str, english: str) -> None:
    assert size_text(size, "fr").replace(NO_BREAK, " ") == french
    assert size_text(size, "en").replace(NO_BREAK, " ") == english


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [
        (40, ("40 s", "40 s", "40 s")),
        (-65, ("−1 min 05 s", "−1 min 05 s", "−1 min 05 s")),
        (898 * 60, ("14 h 58 min", "14 u 58 min", "14 h 58 min")),
        (276_000, ("3 j 4 h", "3 d 4 u", "3 d 4 h")),
    ],
)
def test_days_and_hours_are_shortened_as_the_language_does(
    seconds: float, texts: tuple[str, str, str]
) -> None:
    assert tuple(length(seconds, language) for language in ("fr", "nl", "en")) == texts


def test_only_french_puts_a_space_before_a_colon() -> None:
    assert [colon(code) for code in ("fr", "nl", "en")] == [f"{NO_BREAK}:", ":", ":"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Suffisant jusqu’au sam. 9 janv..", "Suffisant jusqu’au sam. 9 janv."),
        ("Genoeg tot za 9 jan.", "Genoeg tot za 9 jan."),
        ("Et si...", "Et si..."),
        ("..", "."),
        ("", ""),
    ],
)
def test_a_sentence_that_ends_with_an_abbreviation_has_one_stop(said: str, kept: str) -> None:
    assert one_stop(said) == kept
