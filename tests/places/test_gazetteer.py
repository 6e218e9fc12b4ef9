"""Texts as people type them find the place that they mean, and say how near it is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.geo import great_circle_distance_m
from droneteam.places.address_file import read_address_file
from droneteam.places.gazetteer import MOST, Gazetteer, Match, Named, Street
from droneteam.places.names import one_slip, words_of
from tests.places.streets import STEP_DEG, write


class Register:
    """The small register, searched."""

    def __init__(self, folder: Path) -> None:
        found = read_address_file(write(folder / "addresses.csv"))
        self.houses = {number: street.houses for number, street in enumerate(found.streets)}
        streets = [
            Street(
                number, one.name_fr, one.name_nl, one.town_fr, one.town_nl, one.postcode,
                one.lat_deg, one.lon_deg, one.radius_m,
            )
            for number, one in enumerate(found.streets)
        ]  # fmt: skip
        named = [Named("Bois de la Cambre", "Ter Kamerenbos", 50.805, 4.372, 900.0)]
        self.gazetteer = Gazetteer(streets, named)

    def numbers(self, street: int) -> Mapping[str, tuple[float, float]]:
        return self.houses[street]

    def find(self, text: str, language: str = "fr") -> tuple[Match, ...]:
        return self.gazetteer.search(text, language, self.numbers)


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Register:
    return Register(tmp_path_factory.mktemp("register"))


@pytest.mark.parametrize(
    "text",
    [
        "Avenue de la Couronne 227, 1050 Ixelles",
        "av. de la couronne 227",
        "227 avenue de la couronne",
        "couronne 227",
        "Kroonlaan 227, Elsene",
        "kroon laan 227",
        "AVENUE DE LA COURONE 227",
        "cuoronne 227 ixelles",
    ],
)
def test_a_house_is_found_however_its_street_is_typed(register: Register, text: str) -> None:
    best = register.find(text)[0]
    assert best.label == "Avenue de la Couronne 227, 1050 Ixelles"
    assert (best.lat_deg, best.lon_deg) == pytest.approx((50.83 - STEP_DEG / 2 * 227, 4.38))
    assert (best.kind, best.note) == ("address", "")
    assert best.radius_m <= 20.0


def test_names_are_in_the_readers_language_and_in_both_where_that_is_neither(
    register: Register,
) -> None:
    labels = {
        language: register.find("Loi 16", language)[0].label for language in ("fr", "nl", "en")
    }
    assert labels == {
        "fr": "Rue de la Loi 16, 1000 Bruxelles",
        "nl": "Wetstraat 16, 1000 Brussel",
        "en": "Rue de la Loi 16 · Wetstraat 16, 1000 Bruxelles · Brussel",
    }


def test_an_unknown_number_is_answered_by_the_nearest_of_its_side_and_says_so(
    register: Register,
) -> None:
    best = register.find("rue de la loi 151")[0]
    assert best.label.startswith("Rue de la Loi 155")
    assert best.note == "151"
    assert 40.0 < best.radius_m < 100.0
    even = register.find("chaussée de wavre 44")[0]  # only odd numbers are known there
    assert (even.kind, even.note) == ("street", "")
    assert even.radius_m > 300.0


def test_a_letter_belongs_to_the_number(register: Register) -> None:
    assert register.find("bd general jacques 210A")[0].label.startswith(
        "Boulevard Général Jacques 210a"
    )


def test_a_street_in_two_towns_is_two_places_until_the_town_is_said(register: Register) -> None:
    both = register.find("rue de l'église 1")
    assert {one.label for one in both[:2]} == {
        "Rue de l'Église 1, 1050 Ixelles",
        "Rue de l'Église 1, 1180 Uccle",
    }
    for town in ("Uccle", "1180", "Ukkel"):
        assert register.find(f"rue de l'eglise 1 {town}")[0].label.endswith("1180 Uccle")


@pytest.mark.parametrize(
    "text", ["couronne / wavre", "Chaussée de Wavre x Avenue de la Couronne", "Kroonlaan & waverse"]
)
def test_a_crossing_lies_where_the_two_streets_meet(register: Register, text: str) -> None:
    best = register.find(text)[0]
    assert best.kind == "crossing"
    assert great_circle_distance_m(50.8250, 4.3800, best.lat_deg, best.lon_deg) < 10.0
    assert best.radius_m < 20.0


def test_streets_that_do_not_meet_have_no_crossing(register: Register) -> None:
    assert all(one.kind != "crossing" for one in register.find("wetstraat / kroonlaan"))


def test_a_street_alone_says_how_far_it_reaches(register: Register) -> None:
    best = register.find("avenue de la couronne")[0]
    assert best.kind == "street"
    half_m = 150 * STEP_DEG / 2 * 111_195.0
    assert best.radius_m == pytest.approx(half_m, rel=0.02)


def test_names_of_places_are_found_beside_streets(register: Register) -> None:
    assert register.find("bois de la cambre")[0].label == "Bois de la Cambre"
    assert register.find("ter kameren", "nl")[0].label == "Ter Kamerenbos"


def test_coordinates_need_no_register(register: Register) -> None:
    (only,) = register.find("50.8467, 4.3525")
    assert (only.kind, only.lat_deg, only.lon_deg) == ("coordinates", 50.8467, 4.3525)


@pytest.mark.parametrize("text", ["", "   ", "rue", "zzzz qqqq", "1", "de la", "/", "rue de la /"])
def test_what_names_nothing_finds_nothing_or_little(register: Register, text: str) -> None:
    assert len(register.find(text)) <= MOST
    if not text.strip(" /") or "z" in text:
        assert register.find(text) == ()


@given(st.text(max_size=300))
def test_no_text_breaks_the_search(register: Register, text: str) -> None:
    assert len(register.find(text)) <= MOST


def distance(first: str, second: str) -> int:
    """Optimal string alignment, by its recurrence: the oracle."""
    rows = [
        [max(i, j) if not min(i, j) else 0 for j in range(len(second) + 1)]
        for i in range(len(first) + 1)
    ]
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_one_slip_is_an_edit_distance_of_at_most_one(first: str, second: str) -> None:
    assert one_slip(first, second) == (distance(first, second) <= 1)


def test_words_lose_accents_and_abbreviations() -> None:
    assert words_of("Av. du Général-Médecin DEROM") == [
        "avenue", "du", "general", "medecin", "derom",
    ]  # fmt: skip
