"""A book of sentences: patterns, their parts, and what no pattern fits."""

from __future__ import annotations

import pytest

from droneteam.sentences import MOST_CHARACTERS, UNTRANSLATED, Book

ROWS = [
    {"kind": "fruit", "en": "apple", "nl": "appel", "fr": "pomme"},
    {"kind": "fruit", "en": "green apple", "nl": "groene appel", "fr": "pomme verte"},
    {"en": "a {fruit}; {n_g} g", "nl": "een {fruit}; {n_g} g", "fr": "une {fruit} ; {n_g} g"},
    {"en": "it rains", "nl": "het regent", "fr": "il pleut"},
    {"en": "wet ({text})", "nl": "nat ({text})", "fr": "mouillé ({text})"},
    {"en": "both: {list}", "nl": "beide: {list}", "fr": "les deux : {list}"},
    {"en": "in {code_mode}", "nl": "in {code_mode}", "fr": "en {code_mode}"},
    {"en": "it says {said}", "nl": "het zegt {said}", "fr": "il dit {said}"},
]
BOOK = Book(ROWS)


@pytest.mark.parametrize(
    ("text", "dutch"),
    [
        ("a green apple; 1.5 g", "een groene appel; 1,5 g"),
        ("a apple, green apple; -2 g", "een appel, groene appel; -2 g"),
        ("wet (it rains)", "nat (het regent)"),
        ("wet (in LOITER); it rains", "nat (in LOITER); het regent"),
        ("both: it rains, wet (a apple; 3 g)", "beide: het regent, nat (een appel; 3 g)"),
        ("it says 1.5; it rains", "het zegt 1.5; it rains"),
        ("", ""),
    ],
)
def test_a_sentence_is_said_with_its_facts(text: str, dutch: str) -> None:
    assert BOOK.said(text, "nl") == dutch
    assert BOOK.said(text, "en") == text


@pytest.mark.parametrize(
    "text", ["a pear; 3 g", "in loiter", "apple", "it rains " * MOST_CHARACTERS]
)
def test_what_no_pattern_fits_is_kept_and_marked(text: str) -> None:
    said = BOOK.said(text, "fr")
    assert said.startswith(UNTRANSLATED)
    assert said.replace(UNTRANSLATED, "") == text


def test_a_list_is_said_row_by_row_within_a_sentence_too() -> None:
    book = Book(ROWS, " · ")
    assert book.said("it rains · in LOITER", "nl") == "het regent · in LOITER"
    assert book.said("wet (it rains · in LOITER)", "nl") == "nat (het regent · in LOITER)"
    assert book.said("it snows · it rains", "nl") == "[en] it snows · it rains"


def test_one_unknown_piece_does_not_hide_the_others() -> None:
    assert BOOK.said("it snows; it rains", "nl") == "[en] it snows; het regent"
    assert BOOK.one("it snows", "nl") is None
    assert BOOK.word("fruit", "pear", "fr") == "pear"
    assert BOOK.word("fruit", "apple", "fr") == "pomme"
