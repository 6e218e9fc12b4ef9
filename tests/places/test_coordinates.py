"""Coordinates in words: each notation read, each doubt refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.geo import great_circle_distance_m
from droneteam.places.coordinates import read_coordinates

ATOMIUM = (50.894941, 4.341547)


@pytest.mark.parametrize(
    "text",
    [
        "50.894941, 4.341547",
        "50.894941 4.341547",
        "50,894941 4,341547",
        "50.894941,4.341547",
        "50.894941; 4.341547",
        "4.341547, 50.894941",
        "50.894941° 4.341547°",
        "50°53'41.79\"N 4°20'29.57\"E",
        "N".join(["50°53.69646'", ", 4°20.49282'E"]),
        "50°53′41.79″ N, 4°20′29.57″ O",
    ],
)
def test_every_notation_of_a_place_is_read(text: str) -> None:
    found = read_coordinates(text)
    assert found == pytest.approx(ATOMIUM, abs=3e-6)


def test_the_false_origin_of_lambert_2008_is_where_its_definition_puts_it() -> None:
    # EPSG:3812: 649 328 m east, 665 262 m north at 50.797815° N, 4.35921583333° E
    found = read_coordinates("649328 665262")
    assert found == pytest.approx((50.797815, 4.359215833), abs=1e-7)


def test_lambert_72_is_told_from_lambert_2008_by_its_numbers() -> None:
    # the worked example of the IOGP's guidance note 7-2 gives these metres for 50°40'46.461" N,
    # 5°48'26.533" E on Belge 1972, whose datum lies within 150 m of WGS84
    found = read_coordinates("251763.20, 153034.13")
    assert found is not None
    stated = (50.0 + 40 / 60 + 46.461 / 3600, 5.0 + 48 / 60 + 26.533 / 3600)
    assert 20.0 < great_circle_distance_m(*stated, *found) < 150.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Rue de la Loi 16, 1000",
        "16 1000",
        "50.8",
        "50.8 4.3 17",
        "48.8566 2.3522",  # Paris, without a side
        "91°0'0\"N 4°0'0\"E",
        "50°61'0\"N 4°0'0\"E",
        "50°50'0\"N 51°0'0\"N",
        "50°53'41.79\"N 20°20'29.57\"O",  # a French west or a Dutch east
        "900000 900000",
        "1e309 4",
    ],
)
def test_what_is_no_place_or_two_is_not_guessed(text: str) -> None:
    assert read_coordinates(text) is None


@given(lat=st.floats(49.5, 51.5), lon=st.floats(2.5, 6.4))
def test_a_belgian_place_survives_being_written_in_either_order(lat: float, lon: float) -> None:
    for text in (f"{lat:.7f}, {lon:.7f}", f"{lon:.7f} / {lat:.7f}"):
        assert read_coordinates(text) == pytest.approx((lat, lon), abs=1e-6)


@given(st.text(max_size=60))
def test_any_text_is_read_or_not_but_never_breaks(text: str) -> None:
    found = read_coordinates(text)
    assert found is None or (abs(found[0]) <= 90.0 and abs(found[1]) <= 180.0)
