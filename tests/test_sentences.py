"""A book of sentences: patterns, their parts, and what no pattern fits."""

from __future__ import annotations

import pytest

from droneteam.sentences import DEEPEST, MOST_CHARACTERS, UNTRANSLATED, Book, Part

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


OWN = [
    {"en": "{where} is {known}", "nl": "{where}: {known}", "fr": "{where} : {known}"},
    {"en": "{where} is {x}", "nl": "{where} is {x}", "fr": "{where} vaut {x}"},
    {"en": "{n} of {n2} weigh {n_g}", "nl": "{n} van {n2}: {n_g}", "fr": "{n} sur {n2} : {n_g}"},
    {"en": "see {text}", "nl": "zie {text}", "fr": "voyez {text}"},
]


def own_book() -> Book:
    return Book(
        [*OWN, *ROWS],
        parts={
            "where": Part(r"row \d+", lambda text, language: f"{language} {text[4:]}"),
            "x": Part(".+", lambda text, _: f"«{text}»"),
        },
    )


@pytest.mark.parametrize(
    ("text", "dutch"),
    [
        ("row 5 is it rains", "nl 5: het regent"),
        ("row 5 is row 6 is it rains", "nl 5: nl 6: het regent"),
        ("row 5 is a; b", "nl 5 is «a; b»"),
        ("1 of 2 weigh 3.5 g", "1 van 2: 3,5 g"),
        ("nan of -inf weigh 1e+05", "nan van -inf: 1e+05"),
        ("row x is it rains", None),
    ],
)
def test_a_book_brings_kinds_of_parts_and_the_next_sentence_fits_where_one_is_not_known(
    text: str, dutch: str | None
) -> None:
    assert own_book().one(text, "nl") == dutch
    assert Book(ROWS).one(text, "nl") is None


def test_a_sentence_stands_within_a_few_others_and_no_text_is_too_deep_to_be_said() -> None:
    book = own_book()
    assert book.said("see " * DEEPEST + "it rains", "nl") == "zie " * DEEPEST + "het regent"
    too_deep = "see " * (DEEPEST + 1) + "it rains"
    assert book.said(too_deep, "nl") == "zie " * (DEEPEST + 1) + UNTRANSLATED + "it rains"
    deepest = "see " * (MOST_CHARACTERS // 4)
    assert book.said(deepest, "nl").replace(UNTRANSLATED, "").replace("zie", "see") == deepest
    known = "row 1 is " * DEEPEST
    assert book.one(known + "it rains", "nl") == "nl 1: " * DEEPEST + "het regent"
    assert UNTRANSLATED not in str(book.one("row 1 is " * 200 + "it rains", "nl"))
