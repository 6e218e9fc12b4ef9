"""What was recorded in English, on a page: the language's spaces, and whose words are English."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_babel import force_locale

from droneteam.web.i18n import init_i18n
from droneteam.web.recorded_words import bag_said, scene_text, sortie_said, sortie_words

PACK = "pack: 4 cells, 14.8 V"
CUT = "cut in mid-packet: the last 7 bytes are left out"


@pytest.fixture(scope="module")
def app() -> Flask:
    """Nothing but the languages."""
    made = Flask("droneteam.web")
    init_i18n(made)
    return made


@pytest.mark.parametrize(
    ("code", "recorded", "shown"),
    [
        ("nl", PACK, "batterij: 4 cellen, 14,8~V"),
        ("fr", PACK, "batterie~: 4 éléments, 14,8~V"),
        ("en", PACK, PACK),
        ("fr", CUT, "coupé au milieu d’un paquet~: les 7 derniers octets sont omis"),
        ("nl", f"{PACK}; Crash: 'x'", "batterij: 4 cellen, 14,8~V; Crash: 'x'"),
    ],
)
def test_a_line_is_set_as_the_language_does_and_english_as_it_was_recorded(
    app: Flask, code: str, recorded: str, shown: str
) -> None:
    with app.test_request_context(), force_locale(code):
        assert sortie_words(recorded) == shown.replace("~", "\u00a0")


def test_what_the_vehicle_said_is_marked_as_english_and_kept_letter_for_letter(app: Flask) -> None:
    with app.test_request_context(), force_locale("fr"):
        said = str(sortie_said(f"{PACK}; <Crash> : 5 m 'x'"))
    assert said.endswith('14,8\u00a0V; <span lang="en">&lt;Crash&gt; : 5 m &#39;x&#39;</span>')


def test_a_path_keeps_its_quotes_in_french(app: Flask) -> None:
    with app.test_request_context(), force_locale("fr"):
        said = bag_said("manifest line 12: '../x; y' leaves the bag").unescape()
        volume = scene_text("7 m³ above and 2.5 m³ below")
    assert "'../x; y'" in said
    assert "’" not in volume
